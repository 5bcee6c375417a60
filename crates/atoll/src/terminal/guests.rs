//! What guests print and what goes wrong in them.

use super::{BOLD, DIM, ERROR, WARNING};
use atoll_runtime::{Problem, Reporter};
use atoll_web::ConsoleLevel;
use std::io::Write;

/// Writes to standard output and standard error. A line is written whole, so lines of different threads don't mix.
#[derive(Debug)]
pub(crate) struct TerminalReporter {
    /// Put the app's name before its lines: when several are served.
    pub(crate) name_apps: bool,
}

impl TerminalReporter {
    fn prefix(&self, app: &str) -> String {
        if self.name_apps { format!("{DIM}{app}{DIM:#} ") } else { String::new() }
    }
}

impl Reporter for TerminalReporter {
    fn console(&self, app: &str, level: ConsoleLevel, text: &str) {
        let prefix = self.prefix(app);
        // A closed pipe is no reason to end: who reads the output may have seen enough.
        let _ = match level {
            ConsoleLevel::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            ConsoleLevel::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
            ConsoleLevel::Warn | ConsoleLevel::Error => writeln!(anstream::stderr().lock(), "{prefix}{text}"),
            _ => writeln!(anstream::stdout().lock(), "{prefix}{text}"),
        };
    }

    fn problem(&self, app: &str, problem: &Problem) {
        let prefix = self.prefix(app);
        let text = match problem {
            Problem::Handler(text) => format!("{ERROR}error{ERROR:#} in the handler: {text}"),
            Problem::Background(text) => format!("{ERROR}error{ERROR:#} behind a response: {text}"),
            Problem::Uncaught(exception) => format!("{ERROR}uncaught{ERROR:#} {}", exception.stack),
            Problem::Terminated(reason) => {
                format!("{WARNING}ended{WARNING:#} by its {BOLD}{}{BOLD:#} limit", reason.name())
            }
        };
        let _ = writeln!(anstream::stderr().lock(), "{prefix}{text}");
    }
}
