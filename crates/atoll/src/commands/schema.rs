//! `atoll schema`: what can be said in `atoll.toml`, for editors.

use crate::config;
use crate::terminal::print_line;
use std::process::ExitCode;

/// Prints it.
pub(crate) fn schema() -> ExitCode {
    print_line(format_args!("{:#}", config::schema()));
    ExitCode::SUCCESS
}
