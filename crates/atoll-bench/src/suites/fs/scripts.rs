//! Scripts that time what they do and print a row for each of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;

use super::{milliseconds, stage};
use crate::apps::App;
use crate::error::BenchError;
use crate::report::Metric;
use crate::suites::{Case, Plan};
use crate::systems::System;

pub(super) const READS: &str = "synchronous calls that read";
pub(super) const WRITES: &str = "synchronous calls that write";
pub(super) const PROMISES: &str = "promises";

/// A script: its case, its file, the rows that it prints, and who runs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    case: &'static str,
    file: &'static str,
    pub(super) rows: &'static [&'static str],
    systems: &'static [&'static str],
}

const RUNTIMES: &[&str] = &["atoll", "deno", "bun", "node"];
const ALL: &[&str] = &["atoll", "deno", "bun", "node", "secure-exec"];

pub(super) const SCRIPTS: [Script; 3] = [
    Script {
        case: READS,
        file: "reads.mjs",
        rows: &[
            "walk",
            "stat",
            "exists",
            "read text",
            "read bytes",
            "10 × readdir of 1,000",
            "10 × readdir of 1,000, types",
            "16 × read 1 MiB",
            "read 64 MiB",
        ],
        systems: ALL,
    },
    // secure-exec removes no directories, without which the set can't be made anew.
    Script {
        case: WRITES,
        file: "writes.mjs",
        rows: &["write", "append", "rename", "unlink", "mkdir", "rm of a tree"],
        systems: RUNTIMES,
    },
    Script {
        case: PROMISES,
        file: "promises.mjs",
        rows: &["stat", "read text", "one after the other", "write"],
        systems: RUNTIMES,
    },
];

/// What a script prints of one row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Figure {
    pub(super) ms: f64,
    /// What the work amounted to, which is the same for every system.
    pub(super) counted: Value,
}

/// A script's case.
pub(super) struct Rows {
    script: Script,
    staged: PathBuf,
    /// What the first system counted.
    counted: RefCell<Option<Vec<Value>>>,
}

impl Rows {
    pub(super) fn new(script: Script, staged: PathBuf) -> Self {
        Self { script, staged, counted: RefCell::default() }
    }
}

impl Case for Rows {
    fn name(&self) -> &'static str {
        self.script.case
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        self.script.rows.iter().map(|name| milliseconds(name)).collect()
    }

    fn apps(&self) -> &'static [App] {
        &[]
    }

    fn includes(&self, system: &System) -> bool {
        system.is_one_of(self.script.systems)
    }

    fn measure(&self, system: &System, _plan: &Plan) -> Result<Vec<f64>, BenchError> {
        stage::clear_scratch(&self.staged)?;
        let output = run(system, &self.staged, self.script.file, &self.staged.join("cache"))?;
        let mut rows: BTreeMap<String, Figure> = parse(self.script.file, &output)?;
        let mut figures = Vec::new();
        for name in self.script.rows {
            figures.push(rows.remove(*name).ok_or_else(|| {
                let reason = format!("there is no row `{name}`");
                BenchError::Figures { script: self.script.file, reason, output: output.clone() }
            })?);
        }
        check_counts(&self.counted, figures.iter().map(|figure| figure.counted.clone()).collect(), self.script.rows)?;
        Ok(figures.iter().map(|figure| figure.ms).collect())
    }
}

/// Runs a script to its end and gives what it printed.
pub(super) fn run(system: &System, staged: &Path, script: &'static str, cache: &Path) -> Result<String, BenchError> {
    let mut command = system.program(staged, script, cache);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| BenchError::Start { command: system.name.to_owned(), source })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    Err(BenchError::Command {
        command: format!("{} {script}", system.name),
        status: output.status.to_string(),
        output: printed + &String::from_utf8_lossy(&output.stderr),
    })
}

/// Reads the one line of JSON that a script prints.
pub(super) fn parse<T: serde::de::DeserializeOwned>(script: &'static str, output: &str) -> Result<T, BenchError> {
    serde_json::from_str(output.trim()).map_err(|error| BenchError::Figures {
        script,
        reason: error.to_string(),
        output: output.to_owned(),
    })
}

/// That a system has counted what the first one did: otherwise it has done something else.
pub(super) fn check_counts(
    first: &RefCell<Option<Vec<Value>>>,
    counted: Vec<Value>,
    rows: &[&str],
) -> Result<(), BenchError> {
    let mut first = first.borrow_mut();
    let Some(expected) = &*first else {
        *first = Some(counted);
        return Ok(());
    };
    match rows.iter().zip(expected.iter().zip(&counted)).find(|(_, (expected, counted))| expected != counted) {
        Some((row, (expected, counted))) => {
            Err(BenchError::Void(format!("{row}: it counted {counted}, and the first system {expected}")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, check_counts, parse};
    use serde_json::json;
    use std::cell::RefCell;

    #[test]
    fn figures_are_read_and_what_is_none_is_shown() {
        let figure: Figure = parse("a.mjs", "{\"ms\":1.5,\"counted\":\"3 4\"}\n").expect("a figure");
        assert_eq!(figure, Figure { ms: 1.5, counted: json!("3 4") });
        let error = parse::<Figure>("a.mjs", "out of memory").expect_err("no figure").to_string();
        assert!(error.contains("a.mjs") && error.contains("out of memory"), "{error}");
    }

    #[test]
    fn a_system_that_did_something_else_is_found_out() {
        let first = RefCell::default();
        check_counts(&first, vec![json!(1), json!(2)], &["a", "b"]).expect("the first");
        check_counts(&first, vec![json!(1), json!(2)], &["a", "b"]).expect("the same");
        let error = check_counts(&first, vec![json!(1), json!(3)], &["a", "b"]).expect_err("another");
        assert_eq!(error.to_string(), "no measurement: b: it counted 3, and the first system 2");
    }
}
