//! The suite `runtime`: a hello-world server of each system.
//!
//! * *Under load, cores shared*: server and load generator have all cores, as on a machine of one's own.
//! * *Under load, one core*: the server alone on one processor, the load generator alone on another. Where the load
//!   generator is the bottleneck, the server's CPU time per request is the figure that still tells systems apart.
//! * *Start*: from the start of the process to the last byte of the first answer.

use std::time::Duration;

use super::{Case, Plan, run};
use crate::error::BenchError;
use crate::machine;
use crate::process::Server;
use crate::report::{Better, Metric, Report};
use crate::stats::median;
use crate::systems::{System, free_port};
use crate::wrk;

/// What every server answers.
const EXPECTED: &str = "Hello, World!";

/// Measures all cases and adds them to the report.
pub(crate) fn measure(systems: &[System], plan: &Plan, report: &mut Report) -> Result<(), BenchError> {
    wrk::check()?;
    run(&Start, systems, plan, report);
    run(&Loaded { processors: None }, systems, plan, report);
    if let [server, load, ..] = machine::processors()?[..] {
        run(&Loaded { processors: Some(Processors { server, load }) }, systems, plan, report);
    }
    Ok(())
}

struct Start;

impl Case for Start {
    fn name(&self) -> &'static str {
        "process start to first answer"
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric { name: "start", unit: "ms", better: Better::Lower }]
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let mut times = Vec::new();
        for _ in 0..plan.starts {
            let (_server, elapsed) = start(system, None)?;
            times.push(milliseconds(elapsed));
        }
        Ok(median(&times).into_iter().collect())
    }
}

struct Loaded {
    /// Server and load generator have a processor each and no other, or all of them together.
    processors: Option<Processors>,
}

/// The processor of either side, by its number.
#[derive(Clone, Copy)]
struct Processors {
    server: usize,
    load: usize,
}

impl Case for Loaded {
    fn name(&self) -> &'static str {
        if self.processors.is_some() { "hello, server on one core" } else { "hello, cores shared with the load" }
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = vec![
            Metric { name: "requests", unit: "1/s", better: Better::Higher },
            Metric { name: "latency p50", unit: "ms", better: Better::Lower },
            Metric { name: "latency p99", unit: "ms", better: Better::Lower },
            Metric { name: "CPU per request", unit: "µs", better: Better::Lower },
        ];
        if self.processors.is_none() {
            metrics.push(Metric { name: "memory before load", unit: "MiB", better: Better::Lower });
            metrics.push(Metric { name: "memory after load", unit: "MiB", better: Better::Lower });
        }
        metrics
    }

    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let server_cpu = self.processors.map(|processors| processors.server);
        let load_cpu = self.processors.map(|processors| processors.load);
        let (server, _) = start(system, server_cpu)?;
        let memory_before = mebibytes(server.server.resident_bytes()?);
        wrk::run(server.port, plan.warm_up_seconds, load_cpu)?;
        let cpu_before = server.server.cpu_time()?;
        let load = wrk::run(server.port, plan.load_seconds, load_cpu)?;
        let cpu = server.server.cpu_time()?.saturating_sub(cpu_before);
        let memory_after = mebibytes(server.server.resident_bytes()?);
        let cpu_per_request_us = cpu.as_secs_f64() * 1e6 / load.requests.max(1) as f64;
        let mut figures = vec![load.requests_per_second, load.p50_ms, load.p99_ms, cpu_per_request_us];
        if self.processors.is_none() {
            figures.extend([memory_before, memory_after]);
        }
        Ok(figures)
    }
}

/// A server that has given the right answer once.
struct Ready {
    server: Server,
    port: u16,
}

fn start(system: &System, cpu: Option<usize>) -> Result<(Ready, Duration), BenchError> {
    let port = free_port()?;
    let mut server = Server::start(system.hello(port, cpu), port, &system.log()?)?;
    let elapsed = server.first_answer(EXPECTED)?;
    Ok((Ready { server, port }, elapsed))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
