//! An app under load: with all processors for server and load generator, and with one for each.
//!
//! Where the load generator is the bottleneck, requests per second are equal for all that saturate it, and the server's
//! CPU time per request is the figure that still tells systems apart.

use super::{HELLO, mebibytes, serve};
use crate::apps::App;
use crate::error::BenchError;
use crate::http::{self, IO_TIMEOUT, Request};
use crate::process::Server;
use crate::report::{Better, Metric};
use crate::suites::{Case, Plan};
use crate::systems::{Processors, System};
use crate::wrk::Generator;

pub(crate) const HELLO_ON_ALL: &str = "hello, all cores";
pub(crate) const HELLO_ON_ONE: &str = "hello, server on one core";
pub(crate) const ORDERS: &str = "order validated with zod, server on one core";

/// The processor of either side, by its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pinned {
    pub(super) server: usize,
    pub(super) load: usize,
}

/// `hello` with every system started in the way that makes the most of all processors, which it shares with the load.
pub(super) struct HelloOnAll {
    pub(super) processors: usize,
}

impl Case for HelloOnAll {
    fn name(&self) -> &'static str {
        HELLO_ON_ALL
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        load_metrics()
    }

    fn apps(&self) -> &'static [App] {
        &[App::Hello]
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let (server, _) = serve(system, App::Hello, Processors::Each(self.processors), &Request::ROOT, HELLO)?;
        under_load(&server, &Generator::new(server.port()), plan)
    }
}

/// `hello` with the server on one processor and the load on another.
pub(super) struct HelloOnOne {
    pub(super) pinned: Pinned,
}

impl Case for HelloOnOne {
    fn name(&self) -> &'static str {
        HELLO_ON_ONE
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let mut metrics = load_metrics();
        metrics.push(Metric { name: "memory before load", unit: "MiB", better: Better::Lower });
        metrics.push(Metric { name: "memory after load", unit: "MiB", better: Better::Lower });
        metrics
    }

    fn apps(&self) -> &'static [App] {
        &[App::Hello]
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let (server, _) = serve(system, App::Hello, Processors::One(self.pinned.server), &Request::ROOT, HELLO)?;
        let memory_before = mebibytes(server.memory()?.resident);
        let load = Generator { cpu: Some(self.pinned.load), ..Generator::new(server.port()) };
        let mut figures = under_load(&server, &load, plan)?;
        figures.extend([memory_before, mebibytes(server.memory()?.resident)]);
        Ok(figures)
    }
}

/// An order by POST: JSON in, validated with zod, JSON out.
pub(super) struct Orders {
    pub(super) pinned: Pinned,
}

impl Case for Orders {
    fn name(&self) -> &'static str {
        ORDERS
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        load_metrics()
    }

    fn apps(&self) -> &'static [App] {
        &[App::Orders]
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let text = |name| system.apps().text(App::Orders, name);
        // Files end with a line's end; answers don't.
        let (answer, refusal) = (text("answer.json")?, text("refusal.json")?);
        let (order, refused) = (text("order.json")?, text("refused.json")?);
        let request = Request { json: Some(order.as_bytes()), ..Request::ROOT };
        let (server, _) = serve(system, App::Orders, Processors::One(self.pinned.server), &request, answer.trim_end())?;
        // A server that doesn't validate would be the fastest.
        let request = Request { json: Some(refused.as_bytes()), ..Request::ROOT };
        http::ask(server.port(), &request, IO_TIMEOUT)?.check(422, refusal.trim_end())?;
        let (script, order) =
            (system.apps().file(App::Orders, "post.lua"), system.apps().file(App::Orders, "order.json"));
        let load = Generator {
            cpu: Some(self.pinned.load),
            script: Some((&script, Some(&order))),
            ..Generator::new(server.port())
        };
        under_load(&server, &load, plan)
    }
}

fn load_metrics() -> Vec<Metric<'static>> {
    vec![
        Metric { name: "requests", unit: "1/s", better: Better::Higher },
        Metric { name: "latency p50", unit: "ms", better: Better::Lower },
        Metric { name: "latency p99", unit: "ms", better: Better::Lower },
        Metric { name: "CPU per request", unit: "µs", better: Better::Lower },
    ]
}

/// The figures of [`load_metrics`], after the warm-up.
fn under_load(server: &Server, load: &Generator<'_>, plan: &Plan) -> Result<Vec<f64>, BenchError> {
    load.run(plan.warm_up_seconds)?;
    let cpu_before = server.cpu_time()?;
    let done = load.run(plan.load_seconds)?;
    let cpu = server.cpu_time()?.saturating_sub(cpu_before);
    let cpu_per_request_us = cpu.as_secs_f64() * 1e6 / done.requests.max(1) as f64;
    Ok(vec![done.requests_per_second, done.p50_ms, done.p99_ms, cpu_per_request_us])
}
