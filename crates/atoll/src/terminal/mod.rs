//! Everything that is printed.

mod explain;
mod failure;
mod guests;
mod log;
mod progress;
mod text;

pub(crate) use explain::{Places, explain_install, explain_serve, explain_start, limit_flag};
pub(crate) use failure::{Failure, print_failure};
pub(crate) use guests::{Audience, TerminalReporter};
pub(crate) use log::ServerLog;
pub(crate) use progress::InstallProgress;
pub(crate) use style::{BOLD, DIM, ERROR, GOOD, HINT, WARNING};
pub(crate) use text::{bytes, counted, duration};

use std::fmt::Display;

/// Shows a warning on standard error.
pub(crate) fn print_warning(text: impl Display) {
    anstream::eprintln!("{WARNING}warning{WARNING:#}: {text}");
}

mod style {
    use anstyle::{AnsiColor, Style};

    pub(crate) const BOLD: Style = Style::new().bold();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
    pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
}
