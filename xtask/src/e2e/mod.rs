//! The example, from its `package.json` to answered requests, as its users see it: through the binary and over HTTP.

mod app;
mod install;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::Failure;
use crate::repository::{self, shelf, target};
use crate::steps::{Failed, Steps, Tally};

/// Says what was expected where a check does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}
pub(crate) use ensure;

/// Installs, serves and asks the example, with the binary `atoll`.
pub(crate) fn run(steps: &mut Steps, atoll: &Path) {
    let project = target().join("e2e/shelf");
    step(steps, "example: a copy without packages", || copy_example(&project));
    install::run(steps, atoll, &project);
    app::run(steps, "example", atoll, &project);
    install::isolated(steps, atoll, &project);
    app::run(steps, "example in pnpm's layout", atoll, &project);
    install::without_files(steps, atoll, &project);
    app::run(steps, "example without files", atoll, &project);
}

/// `cargo xtask e2e [ATOLL]`.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode, Failure> {
    let mut steps = Steps::default();
    match arguments {
        [] => {
            repository::run(&mut repository::cargo(&["build", "--package", "atoll"]))?;
            run(&mut steps, &repository::atoll("debug"));
        }
        [atoll] => run(&mut steps, &std::path::absolute(atoll)?),
        _ => return Err("usage: cargo xtask e2e [ATOLL]".into()),
    }
    Ok(if steps.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A step of one check.
fn step(steps: &mut Steps, name: &str, check: impl FnOnce() -> Result<(), Failure>) {
    steps.run(name, || check().map(|()| Tally::ONE).map_err(Failed::from));
}

/// Copies the example's own files: no installed packages, and no lockfile, so that our installer writes one.
fn copy_example(project: &Path) -> Result<(), Failure> {
    if project.exists() {
        fs::remove_dir_all(project)?;
    }
    copy_tree(&shelf(), project)
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "node_modules" || name == "package-lock.json" {
            continue;
        }
        let (source, copy): (PathBuf, PathBuf) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &copy)?;
        } else {
            fs::copy(&source, &copy)?;
        }
    }
    Ok(())
}
