//! Figures from inside the process: a benchmark of the runtime itself takes them, and its own report is merged in.
//!
//! It is called as `cargo bench` calls it, with `--json`, and prints one object: `{"<metric>": {"unit": "µs", "runs":
//! [<number>, …]}, …}`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::error::BenchError;
use crate::report::{Better, Metric, OURS, Report};

pub(crate) const IN_ENGINE: &str = "in engine";

/// A metric as the benchmark gives it.
#[derive(Debug, Deserialize)]
struct Figures {
    unit: String,
    runs: Vec<f64>,
}

/// Runs the benchmark and adds its metrics as a case; without one, the report says that the case was skipped.
pub(super) fn merge(executable: Option<&Path>, report: &mut Report) {
    let Some(executable) = executable else {
        let reason = "no --engine-bench was given; `cargo xtask bench` builds it".to_owned();
        report.skipped.insert(IN_ENGINE.to_owned(), reason);
        return;
    };
    match run(executable).and_then(|output| parse(&output)) {
        Ok(metrics) => add(metrics, report),
        Err(error) => {
            eprintln!("{IN_ENGINE}: skipped: {}", error.chain());
            report.skipped.insert(IN_ENGINE.to_owned(), error.chain());
        }
    }
}

fn run(executable: &Path) -> Result<String, BenchError> {
    eprintln!("{IN_ENGINE}: {}", executable.display());
    let name = executable.display().to_string();
    let output = Command::new(executable)
        .args(["--json", "--bench"])
        .output()
        .map_err(|source| BenchError::Start { command: name.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(BenchError::Command {
        command: name,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The metrics in the order of their names.
fn parse(output: &str) -> Result<BTreeMap<String, Figures>, BenchError> {
    serde_json::from_str(output).map_err(BenchError::EngineOutput)
}

fn add(metrics: BTreeMap<String, Figures>, report: &mut Report) {
    for (name, Figures { unit, runs }) in metrics {
        let better = if unit.ends_with("/s") { Better::Higher } else { Better::Lower };
        report.add(IN_ENGINE, Metric { name: &name, unit: &unit, better }, &BTreeMap::from([(OURS, runs)]));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{IN_ENGINE, add, merge, parse};
    use crate::machine;
    use crate::report::{Better, Report};

    fn report() -> Report {
        Report::new("runtime", Vec::new(), machine::describe().expect("a machine"))
    }

    #[test]
    fn the_benchmark_s_metrics_become_rows() {
        let output = r#"{"warm turn": {"unit": "µs", "runs": [1.5, 1.0, 2.0]}, "turns": {"unit": "1/s", "runs": [9]}}"#;
        let mut report = report();
        add(parse(output).expect("readable"), &mut report);
        let row = report.row(IN_ENGINE, "warm turn").expect("a row");
        assert_eq!((row.unit.as_str(), row.better, row.systems["atoll"].median), ("µs", Better::Lower, 1.5));
        assert_eq!(report.row(IN_ENGINE, "turns").expect("a row").better, Better::Higher);
    }

    #[test]
    fn output_of_another_shape_is_refused() {
        for output in ["", "[]", r#"{"warm turn": 1.5}"#, r#"{"a": {"unit": "µs", "runs": ["1"]}}"#, "{} {}"] {
            assert!(parse(output).is_err(), "{output}");
        }
    }

    #[test]
    fn without_a_benchmark_the_case_is_skipped_with_its_reason() {
        let mut absent = report();
        merge(None, &mut absent);
        assert!(absent.skipped[IN_ENGINE].contains("--engine-bench"));
        let mut missing = report();
        merge(Some(Path::new("/nowhere/engine")), &mut missing);
        assert!(missing.skipped[IN_ENGINE].contains("/nowhere/engine"));
        assert!(missing.results.is_empty() && missing.failures.is_empty());
    }
}
