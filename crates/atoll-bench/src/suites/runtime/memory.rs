//! Memory that stays: of deployments that wait for their next request, and of workers that are gone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{mebibytes, serve_deployments};
use crate::apps::App;
use crate::deployments::Deployment;
use crate::error::BenchError;
use crate::http::{Connection, IO_TIMEOUT, Request};
use crate::process::Server;
use crate::report::{Better, Metric};
use crate::suites::{Case, Plan, Retired};
use crate::systems::System;

pub(crate) const IDLE: &str = "idle deployments";
pub(crate) const RETIRING: &str = "retired workers";

/// A server that has been quiet for this long is idle, and so are its deployments: Atoll tidies up a deployment that was not
/// asked for five seconds.
const QUIET: Duration = Duration::from_secs(6);
/// How often a connection that has to last says something: Atoll closes one that rests for thirty seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Longest wait for an answer where a hundred are awaited: each needs a worker that is made first, and on a machine with
/// few processors, or busy ones, the last waits for all the others'.
const ALIVE_TIMEOUT: Duration = Duration::from_mins(1);
/// Requests that are under way at the same time, each with a worker of its own.
const ALIVE: u32 = 100;
/// What such a request waits, in milliseconds: long enough for as many workers to be alive where 500 are made per second.
const ALIVE_MS: u32 = 200;

/// Many deployments in one server, each asked once. Memory is compared with the same server when one was asked.
pub(super) struct Idle;

impl Case for Idle {
    fn name(&self) -> &'static str {
        IDLE
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let megabytes = |name| Metric { name, unit: "MB", better: Better::Lower };
        vec![
            megabytes("resident, per deployment"),
            megabytes("proportional, per deployment"),
            megabytes("anonymous, per deployment"),
            Metric { name: "still resident", unit: "%", better: Better::Higher },
        ]
    }

    fn apps(&self) -> &'static [App] {
        &[App::Counter]
    }

    fn includes(&self, system: &System) -> bool {
        system.is_atoll()
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let directory = system.apps().for_atoll(App::Counter);
        let deployments: Vec<Deployment> = (1..=plan.idle_deployments)
            .map(|number| Deployment::new(format!("d{number}"), directory.clone()))
            .collect();
        let server = serve_deployments(system, &deployments, "/", "1")?;
        server.wait_until_quiet(QUIET)?;
        let one = server.memory()?;
        // All requests take one connection, so that they all come to the same thread of the server, and with them the
        // second ones to the workers of the first ones.
        let mut connection = Connection::open(server.port(), IO_TIMEOUT)?;
        for deployment in &deployments {
            let answer = connection.ask(&Request::to(&deployment.host()))?;
            // The first deployment has answered already, but perhaps on another thread.
            if answer.status != 200 || (answer.body != b"1" && deployment.name != "d1") {
                answer.check(200, "1")?;
            }
        }
        // It takes a while until all of them are shrunk. A connection that rests as long would be closed.
        let mut asked = Instant::now();
        server.wait_until_quiet_and(QUIET, || {
            if asked.elapsed() >= KEEP_ALIVE {
                asked = Instant::now();
                connection.ask(&Request::to("nobody.test"))?;
            }
            Ok(())
        })?;
        let all = server.memory()?;
        let resident = still_resident(&mut connection, &deployments)?;
        if resident < 2 {
            return Err(BenchError::Void(format!("{resident} of {} deployments stayed resident", deployments.len())));
        }
        // Where some were evicted, memory is that of the others.
        let per_deployment = |all: u64, one: u64| all.saturating_sub(one) as f64 / f64::from(resident - 1) / 1e6;
        Ok(vec![
            per_deployment(all.resident, one.resident),
            per_deployment(all.proportional, one.proportional),
            per_deployment(all.anonymous, one.anonymous),
            f64::from(resident) / deployments.len() as f64 * 100.0,
        ])
    }
}

/// How many of the deployments remember that they were asked before. The last come first: asking for one that was evicted
/// starts it anew, which may evict another, and that should be one that is gone or counted already.
fn still_resident(connection: &mut Connection, deployments: &[Deployment]) -> Result<u32, BenchError> {
    let mut resident = 0;
    for deployment in deployments.iter().rev() {
        let answer = connection.ask(&Request::to(&deployment.host()))?;
        match answer.body.as_slice() {
            b"1" if answer.status == 200 => {}
            b"3" if deployment.name == "d1" => resident += 1,
            _ => {
                answer.check(200, "2")?;
                resident += 1;
            }
        }
    }
    Ok(resident)
}

/// Workers that live for one request, one hundred at a time: what the first few hundred left resident, and what all did.
pub(super) struct Retiring;

impl Case for Retiring {
    fn name(&self) -> &'static str {
        RETIRING
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let mebibytes = |name| Metric { name, unit: "MiB", better: Better::Lower };
        vec![
            mebibytes("resident after the first"),
            mebibytes("resident after all"),
            Metric { name: "all / first", unit: "×", better: Better::Lower },
        ]
    }

    fn apps(&self) -> &'static [App] {
        &[App::Large]
    }

    fn includes(&self, system: &System) -> bool {
        system.is_atoll()
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let Retired { level, all } = plan.retired;
        let directory = system.apps().for_atoll(App::Large);
        let deployments = [Deployment { isolation: Some("isolate"), ..Deployment::new("isolated", directory) }];
        // The app says how often its worker has answered: each worker answers once.
        let expected = format!("1\n{}", system.apps().text(App::Large, "answer.txt")?);
        let path = format!("/wait/{ALIVE_MS}");
        let server = serve_deployments(system, &deployments, &path, &expected)?;
        let host = deployments[0].host();
        let request = Request { path: &path, ..Request::to(&host) };
        ask_at_once(&server, &request, &expected, level)?;
        let first = resident_at_rest(&server)?;
        ask_at_once(&server, &request, &expected, all - level)?;
        let last = resident_at_rest(&server)?;
        Ok(vec![first, last, last / first])
    }
}

fn resident_at_rest(server: &Server) -> Result<f64, BenchError> {
    server.wait_until_quiet(QUIET)?;
    Ok(mebibytes(server.memory()?.resident))
}

/// Sends `count` requests, [`ALIVE`] at a time, and checks every answer.
fn ask_at_once(server: &Server, request: &Request<'_>, expected: &str, count: u32) -> Result<(), BenchError> {
    let taken = AtomicU32::new(0);
    let failure: Mutex<Option<BenchError>> = Mutex::new(None);
    let client = || -> Result<(), BenchError> {
        let mut connection = Connection::open(server.port(), ALIVE_TIMEOUT)?;
        while taken.fetch_add(1, Ordering::Relaxed) < count {
            connection.ask(request)?.check(200, expected)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..ALIVE.min(count) {
            scope.spawn(|| {
                if let Err(error) = client() {
                    // The others come to their end at their next request.
                    taken.store(count, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    let failure = failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}
