//! The same program under the machine's Node.js and under Atoll, on a directory of the host and in memory, compared case by
//! case.

use super::run;
use crate::harness::Recorder;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const CASES: &str = include_str!("cases.mjs");
const RUNNER: &str = include_str!("runner.mjs");

/// Where Atoll is not Node.js on purpose, or Node.js of another release than the one that Atoll follows: beginnings of names
/// of cases. One that no longer differs fails the test.
const DIFFERENCES: &str = include_str!("differences.txt");

/// What each case came to, by its name.
fn outcomes(lines: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in lines {
        let Some(rest) = line.trim_end().strip_prefix("{\"name\":\"") else { continue };
        let Some((name, outcome)) = rest.split_once("\",\"") else { continue };
        // Several lists of arguments of one call count from 0 each.
        let mut key = name.to_owned();
        while found.contains_key(&key) {
            key.push('+');
        }
        found.insert(key, outcome.to_owned());
    }
    found
}

fn of_node(app: &Path) -> Option<BTreeMap<String, String>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().canonicalize().expect("it exists");
    let output = Command::new("node")
        .arg(app.join("runner.mjs"))
        .arg(&root)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(outcomes(text.lines().map(str::to_owned)))
}

fn of_atoll(recorder: &Recorder) -> BTreeMap<String, String> {
    outcomes(recorder.lines())
}

#[test]
fn programs_see_what_they_see_in_node() {
    let app = crate::harness::files(&[("runner.mjs", RUNNER), ("cases.mjs", CASES)]);
    let Some(expected) = of_node(app.path()) else {
        // Without Node.js there is nothing to compare with; `cargo xtask test` sees to it that there is.
        return;
    };
    assert!(expected.len() > 1000, "{} cases", expected.len());
    let listed: Vec<&str> = DIFFERENCES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut differing = BTreeMap::new();
    for root in ["/host", "/memory"] {
        let host = tempfile::tempdir().expect("a temporary directory");
        let found = of_atoll(&run(app.path(), host.path(), "runner.mjs", &[root]));
        for (name, outcome) in &expected {
            let found = found.get(name).map_or("nothing", String::as_str);
            if found != outcome {
                differing
                    .entry(name.clone())
                    .or_insert_with(|| format!("{root}\n  node:  {outcome}\n  atoll: {found}"));
            }
        }
    }
    let is_listed = |name: &str| listed.iter().any(|listed| name.starts_with(listed));
    let unexpected: Vec<_> = differing.iter().filter(|(name, _)| !is_listed(name)).collect();
    let described: Vec<_> = unexpected.iter().map(|(name, how)| format!("{name}: {how}")).collect();
    assert!(unexpected.is_empty(), "{} cases differ:\n{}", unexpected.len(), described.join("\n"));
    for listed in listed {
        assert!(differing.keys().any(|name| name.starts_with(listed)), "{listed:?} does not differ any more");
    }
}
