//! `cargo xtask bench`: builds what is measured, then hands over.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use crate::repository::{self, cargo, display};
use crate::{Failure, packages};

/// The case whose figures the runtime's own benchmark takes.
const IN_ENGINE: &str = "in engine";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let mut bench = cargo(&["run", "--quiet", "--package", "atoll-bench"]);
    // Here the tool itself is what is measured, and nothing else is.
    let measures_itself = arguments.first().is_some_and(|suite| suite == "blocks");
    if measures_itself {
        bench.arg("--release");
    }
    bench.arg("--");
    // Paths among the arguments are meant as seen from here.
    bench.args(arguments).current_dir(std::env::current_dir()?);
    let asks_for_help =
        arguments.is_empty() || arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if !asks_for_help && !measures_itself {
        packages::ensure(&[packages::NPM, packages::WRK])?;
        if !arguments.iter().any(|argument| argument.starts_with("--atoll")) {
            repository::run(&mut cargo(&["build", "--release", "--package", "atoll"]))?;
            // The report repeats its arguments: the usual place goes without saying.
            if repository::target() != repository::root().join("target") {
                bench.arg("--atoll").arg(repository::atoll("release"));
            }
        }
        if needs_engine_bench(arguments) {
            match engine_bench() {
                Ok(executable) => {
                    bench.arg("--engine-bench").arg(executable);
                }
                // The other cases need nothing of it, and the report says what is missing.
                Err(failure) => eprintln!("the in-engine benchmark can't be built: {failure}"),
            }
        }
    }
    let status = bench.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the in-engine case is asked for and its benchmark not given: to link it takes a while.
fn needs_engine_bench(arguments: &[String]) -> bool {
    let is_other = arguments.first().is_some_and(|suite| suite != "runtime");
    if is_other || arguments.iter().any(|argument| argument.starts_with("--engine-bench")) {
        return false;
    }
    let mut patterns = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--case" {
            patterns.extend(rest.next().map(String::as_str));
        } else {
            patterns.extend(argument.strip_prefix("--case="));
        }
    }
    patterns.is_empty() || patterns.iter().any(|pattern| IN_ENGINE.contains(&pattern.to_lowercase()))
}

/// Builds the runtime's own benchmark and gives its executable, whose name has a hash in it that only cargo knows.
fn engine_bench() -> Result<PathBuf, Failure> {
    let mut build = cargo(&["bench", "--package", "atoll-runtime", "--bench", "engine", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let line = display(&build);
    let output = build.output()?;
    if !output.status.success() {
        return Err(format!("`{line}` failed with {}", output.status).into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).ok_or_else(|| format!("`{line}` names no executable").into())
}

/// The executable of the target `engine` among cargo's messages, one JSON object per line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_engine = message["target"]["name"] == "engine" && message["target"]["kind"][0] == "bench";
        is_engine.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{executable, needs_engine_bench};

    #[test]
    fn the_engine_s_benchmark_is_found_among_cargo_s_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"engine"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"other"},"executable":"/t/other-1"}
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"engine"},"executable":"/t/engine-2"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/engine-2")));
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn it_is_built_only_where_its_case_is_selected() {
        let needs = |line: &str| needs_engine_bench(&line.split('|').map(str::to_owned).collect::<Vec<_>>());
        assert!(needs("runtime|--quick"));
        assert!(needs("runtime|--case|hello|--case|Engine"));
        assert!(needs("runtime|--case=engine"));
        assert!(!needs("runtime|--case|hello"));
        assert!(!needs("runtime|--engine-bench|FILE"));
    }
}
