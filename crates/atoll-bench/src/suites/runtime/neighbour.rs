//! Two deployments in one server: the latency of one, while the other loops until its limit ends it, again and again.
//!
//! A stall of a second holds up few requests of a load that waits for its answers. `wrk` corrects its latencies for that: it
//! adds those of the requests that the connection would have sent meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{HELLO, serve_deployments};
use crate::apps::App;
use crate::deployments::Deployment;
use crate::error::BenchError;
use crate::http::{self, Request};
use crate::report::{Better, Metric};
use crate::suites::{Case, Plan};
use crate::systems::System;
use crate::wrk::Generator;

pub(crate) const NEIGHBOUR: &str = "hello beside a neighbour that burns CPU";

/// Connections of the measured load, each with a request every 10 ms or so: a few thousand per second, so that the server
/// is busy, but not so busy that requests wait for each other.
const CONNECTIONS: u32 = 32;
/// Longest latency that is a figure and not a failure, in seconds: where the neighbour is not held back, requests wait for
/// whole seconds.
const LATENCY_TIMEOUT_SECONDS: u32 = 20;
/// Longest wait for an answer of the neighbour: its limit of CPU time, as often as clients wait for each other.
const BURN_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause of a neighbour's client after an answer, so that a neighbour that is refused at once does not keep the client's
/// processor busy.
const BURN_PAUSE: Duration = Duration::from_millis(1);
/// Most clients of the neighbour.
const MAX_CLIENTS: u32 = 4;

pub(super) struct Neighbour;

impl Case for Neighbour {
    fn name(&self) -> &'static str {
        NEIGHBOUR
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let time = |name| Metric { name, unit: "ms", better: Better::Lower };
        vec![
            time("p99 alone"),
            time("p99, 1 client of the neighbour"),
            time("p99, 2 clients"),
            time("p99, 3 clients"),
            time("p99, 4 clients"),
            Metric { name: "worst / alone", unit: "×", better: Better::Lower },
        ]
    }

    fn apps(&self) -> &'static [App] {
        &[App::Hello, App::Burner]
    }

    fn includes(&self, system: &System) -> bool {
        system.is_atoll()
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let hello = Deployment::new("hello", system.apps().for_atoll(App::Hello));
        let burner = Deployment::new("burner", system.apps().for_atoll(App::Burner));
        let (hello_host, burner_host) = (hello.host(), burner.host());
        let server = serve_deployments(system, &[hello, burner], "/", HELLO)?;
        let port = server.port();
        let script = system.apps().shared_file("paced.lua");
        let load = Generator {
            host: Some(&hello_host),
            script: Some((&script, None)),
            connections: CONNECTIONS,
            timeout_seconds: LATENCY_TIMEOUT_SECONDS,
            ..Generator::new(port)
        };
        let p99 = || -> Result<f64, BenchError> {
            load.run(plan.warm_up_seconds)?;
            Ok(load.run(plan.load_seconds)?.p99_ms)
        };
        let mut figures = vec![p99()?];
        for clients in 1..=MAX_CLIENTS {
            figures.push(beside(port, &burner_host, clients, p99)?);
        }
        let worst = figures[1..].iter().copied().fold(0.0, f64::max);
        figures.push(worst / figures[0]);
        Ok(figures)
    }
}

/// What `measure` gives while `clients` ask for the neighbour without end.
fn beside(
    port: u16,
    host: &str,
    clients: u32,
    measure: impl FnOnce() -> Result<f64, BenchError>,
) -> Result<f64, BenchError> {
    let (over, ended_by_limit) = (AtomicBool::new(false), AtomicU32::new(0));
    let client = || -> Result<(), BenchError> {
        while !over.load(Ordering::Relaxed) {
            let answer = http::ask(port, &Request::to(host), BURN_TIMEOUT)?;
            if answer.status != 503 {
                return Err(BenchError::Void(format!("the neighbour answered with status {}", answer.status)));
            }
            // The reason comes first, then what of the limit was used.
            let reason = answer.header("atoll-termination").and_then(|header| header.split(';').next());
            if reason == Some("cpu") {
                ended_by_limit.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(BURN_PAUSE);
        }
        Ok(())
    };
    let (figure, ends) = std::thread::scope(|scope| {
        let burning: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let figure = measure();
        over.store(true, Ordering::Relaxed);
        let ends: Vec<Result<(), BenchError>> = burning
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        (figure, ends)
    });
    ends.into_iter().collect::<Result<(), BenchError>>()?;
    if ended_by_limit.into_inner() == 0 {
        return Err(BenchError::Void("the neighbour never reached its limit of CPU time".into()));
    }
    figure
}
