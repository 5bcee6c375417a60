//! What comes from npm: pinned by a lockfile of its own, below `bench/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;

/// Installs what the lockfile in `directory` pins with `npm ci`, where one of the `needed` files below `node_modules` is
/// missing or the lockfile is newer than the install.
pub(crate) fn ensure(directory: &Path, needed: &[&str]) -> Result<(), BenchError> {
    let modules = directory.join("node_modules");
    let modified = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let installed = modified(modules.join(".package-lock.json"));
    let stale = installed.is_none() || installed < modified(directory.join("package-lock.json"));
    if !needed.iter().any(|path| stale || !modules.join(path).exists()) {
        return Ok(());
    }
    eprintln!("npm ci in {}", directory.display());
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund"]).current_dir(directory);
    run(command, "npm ci")
}

/// The version that a `package.json` states.
pub(crate) fn version(package_json: &Path) -> Result<String, BenchError> {
    let missing =
        || BenchError::Missing { program: package_json.display().to_string(), hint: "npm ci puts it there".into() };
    let text = fs::read_to_string(package_json).map_err(|_| missing())?;
    let package: serde_json::Value = serde_json::from_str(&text).map_err(|_| missing())?;
    package["version"].as_str().map(str::to_owned).ok_or_else(missing)
}

/// Runs a program to its end; `name` is what an error calls it.
pub(crate) fn run(mut command: Command, name: &str) -> Result<(), BenchError> {
    let output = command.output().map_err(|source| BenchError::Start { command: name.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Command {
        command: name.to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
