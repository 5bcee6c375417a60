//! Why a command failed, and how that is shown.

use super::{ERROR, HINT, print_aside};

/// The exit code of a command that failed for a reason other than the guest's.
const FAILED: u8 = 1;

/// The exit code of a program that a limit ended; the one that `timeout(1)` has for that.
const ENDED_BY_LIMIT: u8 = 124;

/// Why a command failed: what, where, what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// Lines below the message: a code frame, a stack, a list of differences. May contain styles.
    pub(crate) details: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) exit_code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hint: None, exit_code: FAILED }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// With the exit code of a program that a limit ended.
    pub(crate) fn ended_by_limit(mut self) -> Self {
        self.exit_code = ENDED_BY_LIMIT;
        self
    }
}

/// Shows a failure on standard error.
pub(crate) fn print_failure(failure: &Failure) {
    print_aside(format_args!("{ERROR}error{ERROR:#}: {}", failure.message));
    for line in &failure.details {
        print_aside(line);
    }
    if let Some(hint) = &failure.hint {
        print_aside(format_args!("{HINT}hint{HINT:#}: {hint}"));
    }
}
