//! From nothing to the first answer: of a process, and of a deployment in a running server.

use std::time::{Duration, Instant};

use super::{HELLO, milliseconds, serve, serve_deployments};
use crate::apps::App;
use crate::deployments::Deployment;
use crate::error::BenchError;
use crate::http::{self, IO_TIMEOUT, Request};
use crate::report::{Better, Metric};
use crate::stats::{median, percentile};
use crate::suites::{Case, Plan};
use crate::systems::{Processors, System};

pub(crate) const PROCESS_START: &str = "process start to first answer";
pub(crate) const COLD_HELLO: &str = "cold deployment, hello";
pub(crate) const COLD_LARGE: &str = "cold deployment, 300 KB";

/// Pause between two first requests: a server that prepares for the next cold start gets to do so, as it would where
/// deployments wake up fifty times a second.
const COLD_PAUSE: Duration = Duration::from_millis(20);
/// A server that has been at rest for this long has done what it does after its own start.
const SETTLED: Duration = Duration::from_millis(500);

/// The start of a process that serves `hello`.
pub(super) struct Process;

impl Case for Process {
    fn name(&self) -> &'static str {
        PROCESS_START
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        vec![Metric { name: "start", unit: "ms", better: Better::Lower }]
    }

    fn apps(&self) -> &'static [App] {
        &[App::Hello]
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let times = starts(system, App::Hello, HELLO, plan)?;
        Ok(median(&times).into_iter().collect())
    }
}

/// The first request to a deployment: in Atoll, of a running server; elsewhere that takes the start of a process.
pub(super) struct Cold {
    pub(super) app: App,
}

impl Case for Cold {
    fn name(&self) -> &'static str {
        if self.app == App::Large { COLD_LARGE } else { COLD_HELLO }
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let time = |name| Metric { name, unit: "ms", better: Better::Lower };
        vec![
            time("first answer"),
            time("first answer, p99"),
            time("first answer, back to back"),
            time("first answer, back to back, p99"),
        ]
    }

    fn apps(&self) -> &'static [App] {
        if self.app == App::Large { &[App::Hello, App::Large] } else { &[App::Hello] }
    }

    fn includes(&self, system: &System) -> bool {
        system.is_atoll() || system.is_one_of(&["workerd", "deno"])
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let expected = match self.app {
            App::Large => system.apps().text(App::Large, "answer.txt")?,
            _ => HELLO.to_owned(),
        };
        if !system.is_atoll() {
            let times = starts(system, self.app, &expected, plan)?;
            return Ok(median(&times).into_iter().collect());
        }
        let directory = system.apps().for_atoll(self.app);
        // The first is the one by which the server is found to be ready; then one half with pauses, one without.
        let mut deployments = vec![Deployment::new("ready", system.apps().for_atoll(App::Hello))];
        let cold =
            (1..=2 * plan.cold_deployments).map(|number| Deployment::new(format!("d{number}"), directory.clone()));
        deployments.extend(cold);
        let server = serve_deployments(system, &deployments, "/", HELLO)?;
        server.wait_until_quiet(SETTLED)?;
        let (spaced, packed) = deployments[1..].split_at(plan.cold_deployments as usize);
        let spaced = first_answers(server.port(), spaced, &expected, COLD_PAUSE)?;
        let packed = first_answers(server.port(), packed, &expected, Duration::ZERO)?;
        let figures = [&spaced, &packed].into_iter().flat_map(|times| [median(times), percentile(times, 99)]);
        Ok(figures.flatten().collect())
    }
}

/// Process starts of one round, in milliseconds.
fn starts(system: &System, app: App, expected: &str, plan: &Plan) -> Result<Vec<f64>, BenchError> {
    (0..plan.starts)
        .map(|_| {
            let (_server, elapsed) = serve(system, app, Processors::Default, &Request::ROOT, expected)?;
            Ok(milliseconds(elapsed))
        })
        .collect()
}

/// The times of the first answer of each deployment, in milliseconds, each over a new connection.
fn first_answers(
    port: u16,
    deployments: &[Deployment],
    expected: &str,
    pause: Duration,
) -> Result<Vec<f64>, BenchError> {
    deployments
        .iter()
        .map(|deployment| {
            std::thread::sleep(pause);
            let host = deployment.host();
            let started = Instant::now();
            let answer = http::ask(port, &Request::to(&host), IO_TIMEOUT)?;
            let elapsed = started.elapsed();
            answer.check(200, expected)?;
            Ok(milliseconds(elapsed))
        })
        .collect()
}
