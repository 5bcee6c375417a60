//! The guest tests that lie beside each API (`src/<api>/test.mjs`), run in the engine.

use crate::harness::run_in;
use atoll_runtime::Exit;
use std::path::Path;

fn run(crate_name: &str) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's crates");
    let mut failures = Vec::new();
    let mut ran = 0;
    let mut folders: Vec<_> = std::fs::read_dir(crates.join(crate_name).join("src"))
        .expect("the crate's sources")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let only = std::env::var("ATOLL_GUEST_TEST").ok();
    for folder in folders {
        let test = format!("{crate_name}/src/{folder}/test.mjs");
        if !crates.join(&test).exists() || only.as_ref().is_some_and(|only| *only != folder) {
            continue;
        }
        ran += 1;
        let outcome = run_in(crates, &test);
        let lines = outcome.recorder.lines();
        let passed = lines.iter().any(|line| line.ends_with(" passed, 0 failed") && !line.starts_with("0 "));
        if !matches!(outcome.exit, Ok(Exit::Code(0))) || !passed {
            let exit = outcome.exit.map_err(|error| error.to_string());
            failures.push(format!(
                "{test}: {exit:?}\n{}\n{}",
                lines.join("\n"),
                outcome.recorder.problems().join("\n")
            ));
        }
    }
    assert!(failures.is_empty(), "{} of {ran} files:\n{}", failures.len(), failures.join("\n\n"));
    assert!(ran > 0, "there are guest tests in {crate_name}");
}

#[test]
fn web() {
    run("atoll-web");
}

#[test]
fn node() {
    run("atoll-node");
}
