//! Everything that is printed.

mod explain;
mod failure;
mod guests;
mod log;
mod progress;
mod refused;
mod text;

pub(crate) use explain::{
    Places, explain_install, explain_serve, explain_start, explain_virtual_tree, limit_flag, point_at,
};
pub(crate) use failure::{Failure, print_failure};
pub(crate) use guests::{Audience, TerminalReporter, write};
pub(crate) use log::ServerLog;
pub(crate) use progress::{InstallProgress, ReadProgress};
pub(crate) use refused::Visible;
pub(crate) use style::{BOLD, DIM, ERROR, GOOD, HINT, WARNING};
pub(crate) use text::{bytes, counted, duration, json_line, one_line};

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard output. A closed pipe is no reason to end: who reads may have seen enough.
pub(crate) fn print_line(text: impl Display) {
    let _ = writeln!(anstream::stdout().lock(), "{text}");
}

/// Writes a line to standard error.
pub(crate) fn print_aside(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Shows a warning on standard error.
pub(crate) fn print_warning(text: impl Display) {
    print_aside(format_args!("{WARNING}warning{WARNING:#}: {text}"));
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
