//! `cargo xtask bench`: builds what is measured, then hands over.

use std::process::ExitCode;

use crate::repository::{self, cargo};
use crate::{Failure, packages};

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let mut bench = cargo(&["run", "--quiet", "--package", "atoll-bench", "--"]);
    // Paths among the arguments are meant as seen from here.
    bench.args(arguments).current_dir(std::env::current_dir()?);
    let asks_for_help =
        arguments.is_empty() || arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if !asks_for_help {
        packages::ensure(&[packages::NPM, packages::WRK])?;
        if !arguments.iter().any(|argument| argument.starts_with("--atoll")) {
            repository::run(&mut cargo(&["build", "--release", "--package", "atoll"]))?;
            // The report repeats its arguments: the usual place goes without saying.
            if repository::target() != repository::root().join("target") {
                bench.arg("--atoll").arg(repository::atoll("release"));
            }
        }
    }
    let status = bench.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
