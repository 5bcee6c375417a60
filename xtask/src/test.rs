//! `cargo xtask test`: every check there is, in the order of their cost.

use std::io::{BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};

use crate::Failure;
use crate::e2e;
use crate::packages;
use crate::repository::{self, cargo};
use crate::soak;
use crate::steps::{Failed, Steps, Tally};

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// Leaves out doc tests and all that needs the npm registry.
    quick: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self { quick: false }),
            ["--quick"] => Ok(Self { quick: true }),
            _ => Err("usage: cargo xtask test [--quick]".into()),
        }
    }
}

pub(crate) fn run(options: Options) -> ExitCode {
    let mut steps = Steps::default();
    if !options.quick {
        steps.run("programs that the tests need", || Ok(packages::ensure(&[packages::NPM]).map(|()| Tally::ONE)?));
    }
    steps.run("cargo fmt --all --check", || passes(&["fmt", "--all", "--check"]));
    steps.run("cargo clippy --workspace --all-targets", || {
        passes(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
    });
    if options.quick {
        // Tests that need the registry are named for it.
        steps.run("cargo test --workspace --all-targets, without the registry", || {
            tests(&["test", "--workspace", "--all-targets", "--no-fail-fast", "--", "--skip", "registry_"])
        });
    } else {
        steps.run("cargo test --workspace", || tests(&["test", "--workspace", "--no-fail-fast"]));
        // The same targets as the tests, so with the same features: nothing is compiled anew.
        steps.run("cargo build --workspace --all-targets", || passes(&["build", "--workspace", "--all-targets"]));
        e2e::run(&mut steps, &repository::atoll("debug"));
        soak::run(&mut steps, &repository::atoll("debug"));
    }
    if steps.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(arguments: &[&str]) -> Result<Tally, Failed> {
    repository::run(&mut cargo(arguments))?;
    Ok(Tally::ONE)
}

/// Runs cargo's tests, shows their output as it comes, and counts.
fn tests(arguments: &[&str]) -> Result<Tally, Failed> {
    let mut command = cargo(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(Failure::from)?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut terminal = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(Failure::from)?;
            let line = String::from_utf8_lossy(&line);
            tally.add(count(&line).unwrap_or_default());
            writeln!(terminal, "{line}").map_err(Failure::from)?;
        }
    }
    let status = child.wait().map_err(Failure::from)?;
    if status.success() && tally.failed == 0 && tally.passed > 0 {
        return Ok(tally);
    }
    let message = match tally {
        Tally { failed: 0, passed: 0 } => format!("no test ran ({status}): see the output of cargo above"),
        Tally { failed: 0, .. } => format!("cargo test ended with {status}: see its output above"),
        Tally { failed, .. } => format!("{failed} tests failed: their output is above, under `failures:`"),
    };
    Err(Failed { message, tally })
}

/// The counts of a line such as `test result: ok. 19 passed; 0 failed; 1 ignored; …`.
fn count(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number = |name: &str| counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim().parse().ok());
    Some(Tally { passed: number(" passed")?, failed: number(" failed")? })
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::steps::Tally;

    #[test]
    fn results_of_test_runs_are_counted() {
        let line = "test result: ok. 19 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(count(line), Some(Tally { passed: 19, failed: 0 }));
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.00s";
        assert_eq!(count(line), Some(Tally { passed: 3, failed: 2 }));
        assert_eq!(count("test steps::tests::x ... ok"), None);
    }
}
