//! Everything that is printed.

mod failure;
mod guests;

pub(crate) use failure::{Failure, print_failure};
pub(crate) use guests::TerminalReporter;
pub(crate) use style::{BOLD, DIM, ERROR, GOOD, HINT, WARNING};

mod style {
    use anstyle::{AnsiColor, Style};

    pub(crate) const BOLD: Style = Style::new().bold();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
}
