//! `cargo xtask docs`: the documents that are made from code. The tests that find them stale are what writes them.

use std::process::ExitCode;

use crate::Failure;
use crate::repository::{self, cargo};

pub(crate) fn run() -> Result<ExitCode, Failure> {
    for (package, target) in [("atoll-runtime", "--lib"), ("atoll", "--bins")] {
        let mut test = cargo(&["test", "--quiet", "--package", package, target, "generated_"]);
        repository::run(test.env("ATOLL_UPDATE_DOCS", "1"))?;
    }
    Ok(ExitCode::SUCCESS)
}
