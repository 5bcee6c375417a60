//! Load by `wrk`, with the same settings for every system, and what its report says.

use std::path::Path;
use std::process::Command;

use crate::error::BenchError;

/// Connections that `wrk` keeps open unless a case says otherwise, each with one request at a time.
const CONNECTIONS: u32 = 64;
/// Threads of `wrk`: one, so that it takes at most one core.
const THREADS: u32 = 1;

/// The figures of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    /// Answered requests.
    pub(crate) requests: u64,
    /// Answered requests per second.
    pub(crate) requests_per_second: f64,
    /// Latency that half of the requests stay below, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Latency that 99 of 100 requests stay below, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Whether `wrk` is there.
pub(crate) fn check() -> Result<(), BenchError> {
    // `wrk --version` prints its version and its usage, and exits with 1.
    match Command::new("wrk").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(_) => Err(BenchError::Missing { program: "wrk".into(), hint: "apt-get install wrk".into() }),
    }
}

/// What `wrk` is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generator<'a> {
    pub(crate) port: u16,
    /// The processor that `wrk` runs on alone; any where none is given.
    pub(crate) cpu: Option<usize>,
    /// The host that is asked for; the address where none is given.
    pub(crate) host: Option<&'a str>,
    /// A script, and its argument.
    pub(crate) script: Option<(&'a Path, Option<&'a Path>)>,
    pub(crate) connections: u32,
    /// Latency from which on a request counts as failed, in seconds.
    pub(crate) timeout_seconds: u32,
}

impl Generator<'_> {
    /// GETs of `/` at a port of the loopback address.
    pub(crate) fn new(port: u16) -> Self {
        Self { port, cpu: None, host: None, script: None, connections: CONNECTIONS, timeout_seconds: 2 }
    }

    /// Sends requests for `seconds`.
    ///
    /// # Errors
    /// Any request that failed or was not answered with 2xx makes the run worthless: [`BenchError::Load`].
    pub(crate) fn run(&self, seconds: u64) -> Result<Load, BenchError> {
        let output =
            self.command(seconds).output().map_err(|source| BenchError::Start { command: "wrk".into(), source })?;
        if !output.status.success() {
            return Err(BenchError::Command {
                command: "wrk".into(),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn command(&self, seconds: u64) -> Command {
        let mut command = match self.cpu {
            Some(cpu) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cpu.to_string(), "wrk"]);
                command
            }
            None => Command::new("wrk"),
        };
        command.args(["-t", &THREADS.to_string(), "-c", &self.connections.to_string(), "-d", &format!("{seconds}s")]);
        command.args(["--timeout", &format!("{}s", self.timeout_seconds), "--latency"]);
        if let Some(host) = self.host {
            command.args(["-H", &format!("Host: {host}")]);
        }
        if let Some((script, _)) = self.script {
            command.arg("-s").arg(script);
        }
        command.arg(format!("http://127.0.0.1:{}/", self.port));
        if let Some((_, Some(argument))) = self.script {
            command.arg("--").arg(argument);
        }
        command
    }
}

/// Reads `wrk --latency`'s report.
fn parse(report: &str) -> Result<Load, BenchError> {
    let lines = || report.lines().map(str::trim);
    if let Some(failure) = lines().find(|line| line.starts_with("Socket errors:") || line.starts_with("Non-2xx")) {
        return Err(BenchError::Load(failure.to_owned()));
    }
    let requests = lines()
        .find_map(|line| line.split_once(" requests in ")?.0.parse().ok())
        .ok_or(BenchError::WrkOutput("count of requests"))?;
    if requests == 0 {
        return Err(BenchError::Void("no request was answered".into()));
    }
    let requests_per_second = lines()
        .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
        .ok_or(BenchError::WrkOutput("requests per second"))?;
    let percentile = |name: &str| lines().find_map(|line| milliseconds(line.strip_prefix(name)?.trim()));
    Ok(Load {
        requests,
        requests_per_second,
        p50_ms: percentile("50%").ok_or(BenchError::WrkOutput("50th percentile"))?,
        p99_ms: percentile("99%").ok_or(BenchError::WrkOutput("99th percentile"))?,
    })
}

/// Milliseconds of a duration as `wrk` writes it: `812.00us`, `1.07ms`, `1.30s`, `2.00m`.
fn milliseconds(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1000.0)
    } else {
        (text.strip_suffix('m')?, 60_000.0)
    };
    number.parse::<f64>().ok().map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Generator, Load, milliseconds, parse};
    use crate::error::BenchError;

    const REPORT: &str = "\
Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.13ms  427.51us  11.90ms   93.23%
    Req/Sec    57.22k     6.32k   64.91k    80.00%
  Latency Distribution
     50%    1.04ms
     75%    1.12ms
     90%    1.38ms
     99%  812.50us
  113873 requests in 2.00s, 18.46MB read
Requests/sec:  56898.98
Transfer/sec:      9.22MB
";

    #[test]
    fn the_command_has_what_differs_from_the_usual() {
        let words = |generator: Generator<'_>| {
            let command = generator.command(5);
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let usual = Generator::new(80);
        assert_eq!(words(usual), "wrk -t 1 -c 64 -d 5s --timeout 2s --latency http://127.0.0.1:80/");
        let script = Some((Path::new("post.lua"), Some(Path::new("order.json"))));
        assert_eq!(
            words(Generator { cpu: Some(1), host: Some("a.test"), script, connections: 8, ..usual }),
            "taskset -c 1 wrk -t 1 -c 8 -d 5s --timeout 2s --latency -H Host: a.test -s post.lua http://127.0.0.1:80/ -- order.json"
        );
    }

    #[test]
    fn a_report_is_read() {
        let load = parse(REPORT).expect("a good report");
        assert_eq!(load, Load { requests: 113_873, requests_per_second: 56_898.98, p50_ms: 1.04, p99_ms: 0.8125 });
    }

    #[test]
    fn a_run_with_failed_requests_is_no_measurement() {
        for failure in ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 1"] {
            let report = REPORT.replace("Requests/sec", &format!("{failure}\nRequests/sec"));
            let error = parse(&report).expect_err("requests failed");
            assert!(matches!(error, BenchError::Load(text) if text == failure.trim()));
        }
    }

    #[test]
    fn a_report_without_a_figure_says_which() {
        let error = parse(&REPORT.replace("99%", "98%")).expect_err("no 99th percentile");
        assert_eq!(error.to_string(), "wrk's output has no 99th percentile");
        let error = parse("unable to connect").expect_err("no figures");
        assert_eq!(error.to_string(), "wrk's output has no count of requests");
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(milliseconds("812.00us"), Some(0.812));
        assert_eq!(milliseconds("1.07ms"), Some(1.07));
        assert_eq!(milliseconds("1.30s"), Some(1300.0));
        assert_eq!(milliseconds("2.00m"), Some(120_000.0));
        assert_eq!(milliseconds("7"), None);
    }
}
