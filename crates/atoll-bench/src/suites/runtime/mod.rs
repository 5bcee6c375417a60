//! The suite `runtime`: what a served app costs, from its first byte to its last.
//!
//! * [`start`]: a process, or a deployment in a running server, from nothing to its first answer.
//! * [`load`]: requests per second, latency and CPU time of an app under load.
//! * [`memory`]: what deployments that wait, and workers that are gone, leave resident.
//! * [`neighbour`]: what one deployment's loop does to another's latency.
//! * [`engine`]: figures that are taken inside the process, by a benchmark of the runtime's own.
//! * [`targets`]: what of this the product is to reach.

mod engine;
mod load;
mod memory;
mod neighbour;
mod start;
mod targets;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{Case, Plan, Selection, run_all};
use crate::apps::{App, Apps};
use crate::deployments::{self, Deployment};
use crate::error::BenchError;
use crate::http::Request;
use crate::machine;
use crate::process::Server;
use crate::report::Report;
use crate::systems::{Processors, System, free_port};
use crate::wrk;

/// What the app `hello` answers.
const HELLO: &str = "Hello, World!";

/// Measures the selected cases and adds them to the report.
pub(crate) fn measure(
    systems: &[System],
    apps: &Apps,
    plan: &Plan,
    selection: &Selection,
    engine_bench: Option<&Path>,
    report: &mut Report,
) -> Result<(), BenchError> {
    wrk::check()?;
    let processors = machine::processors()?;
    let mut cases = cases(&processors);
    let names: BTreeSet<&str> =
        cases.iter().map(|case| case.name()).chain(NEED_TWO_PROCESSORS).chain([engine::IN_ENGINE]).collect();
    selection.check(&names.into_iter().collect::<Vec<_>>())?;
    for name in NEED_TWO_PROCESSORS.into_iter().filter(|name| selection.has(name)) {
        if !cases.iter().any(|case| case.name() == name) {
            report.skipped.insert(name.to_owned(), "it needs two processors, one of them for the load".to_owned());
        }
    }
    cases.retain(|case| selection.has(case.name()));
    run_all(&cases, systems, apps, plan, report)?;
    if selection.has(engine::IN_ENGINE) {
        engine::merge(engine_bench, report);
    }
    report.targets = targets::TARGETS
        .iter()
        .filter(|target| selection.has(target.case))
        .map(|target| target.judge(report))
        .collect();
    Ok(())
}

/// The cases that give server and load generator a processor each.
const NEED_TWO_PROCESSORS: [&str; 2] = [load::HELLO_ON_ONE, load::ORDERS];

/// What can be measured by starting servers, given the numbers of the processors.
fn cases(processors: &[usize]) -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = vec![
        Box::new(start::Process),
        Box::new(start::Cold { app: App::Hello }),
        Box::new(start::Cold { app: App::Large }),
        Box::new(load::HelloOnAll { processors: processors.len() }),
    ];
    if let &[server, load, ..] = processors {
        let pinned = load::Pinned { server, load };
        cases.push(Box::new(load::HelloOnOne { pinned }));
        cases.push(Box::new(load::Orders { pinned }));
    }
    cases.push(Box::new(memory::Idle));
    cases.push(Box::new(memory::Retiring));
    cases.push(Box::new(neighbour::Neighbour));
    cases
}

/// Starts the system's server of `app` and waits until it has given the right answer once.
fn serve(
    system: &System,
    app: App,
    processors: Processors,
    request: &Request<'_>,
    expected: &str,
) -> Result<(Server, Duration), BenchError> {
    let port = free_port()?;
    let mut server = Server::start(system.server(app, port, processors), port, &system.log()?)?;
    let elapsed = server.first_answer(request, expected)?;
    Ok((server, elapsed))
}

/// Starts a server with these deployments and waits until the first of them has given the right answer once.
fn serve_deployments(
    system: &System,
    deployments: &[Deployment],
    path: &str,
    expected: &str,
) -> Result<Server, BenchError> {
    let port = free_port()?;
    let config = system.config()?;
    deployments::write(&config, port, deployments)?;
    let mut server = Server::start(system.deployments(&config), port, &system.log()?)?;
    let host = deployments.first().map(Deployment::host).unwrap_or_default();
    server.first_answer(&Request { path, ..Request::to(&host) }, expected)?;
    Ok(server)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::{NEED_TWO_PROCESSORS, cases, engine::IN_ENGINE, targets::TARGETS};

    #[test]
    fn every_target_is_about_a_metric_that_is_measured() {
        let cases = cases(&[0, 1]);
        for target in TARGETS.iter().filter(|target| target.case != IN_ENGINE) {
            let case = cases.iter().find(|case| case.name() == target.case);
            let case = case.unwrap_or_else(|| panic!("{}: there is no case `{}`", target.name, target.case));
            assert!(case.metrics().iter().any(|metric| metric.name == target.metric), "{}", target.name);
        }
    }

    #[test]
    fn one_processor_is_too_few_for_the_cases_that_say_so() {
        let names = |processors| cases(processors).iter().map(|case| case.name()).collect::<Vec<_>>();
        let (one, two) = (names(&[0]), names(&[0, 1]));
        let missing: Vec<&str> = two.into_iter().filter(|name| !one.contains(name)).collect();
        assert_eq!(missing, NEED_TWO_PROCESSORS);
    }
}
