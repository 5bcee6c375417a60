//! Real packages from the npm registry: installed by us, run by us, and found in order by npm. Needs the network.

use std::path::Path;
use std::process::{Command, Output};

fn run(program: &str, arguments: &[&str], directory: &Path, home: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    for (variable, folder) in [("ATOLL_CACHE_DIR", "cache"), ("ATOLL_STORE_DIR", "store"), ("ATOLL_STATE_DIR", "state")]
    {
        command.env(variable, home.join(folder));
    }
    command.output().unwrap_or_else(|error| panic!("{program} can't be started: {error}"))
}

#[track_caller]
fn succeed(program: &str, arguments: &[&str], directory: &Path, home: &Path) -> String {
    let output = run(program, arguments, directory, home);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

#[test]
fn registry_packages_are_installed_and_do_one_real_thing_each() {
    let atoll = env!("CARGO_BIN_EXE_atoll");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/packages");
    let (project, home) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (project, home) = (project.path(), home.path());
    for file in ["package.json", "main.mjs"] {
        std::fs::copy(fixture.join(file), project.join(file)).expect("the fixture");
    }
    succeed(atoll, &["install"], project, home);
    let done = succeed(atoll, &["run", "main.mjs"], project, home);
    let manifest = std::fs::read_to_string(fixture.join("package.json")).expect("the fixture");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let names: Vec<&String> = manifest["dependencies"].as_object().expect("an object").keys().collect();
    assert_eq!(done.lines().collect::<Vec<_>>(), names);

    // npm agrees with the tree and with the lockfile.
    succeed("npm", &["ls", "--all"], project, home);
    let again = succeed(atoll, &["install", "--frozen"], project, home);
    assert!(!again.contains("downloaded"), "nothing is left to do: {again}");
    succeed("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], project, home);
    let done = succeed(atoll, &["run", "main.mjs"], project, home);
    assert_eq!(done.lines().count(), names.len());
}
