//! A terminal's mode: which keys are signals, whether what is typed is shown.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::AsFd;

/// The mode that a terminal had at some time.
#[derive(Debug, Clone)]
pub struct Mode(Termios);

impl Mode {
    /// The present mode (tcgetattr(3)). Errors: it is no terminal.
    pub fn of(terminal: impl AsFd) -> io::Result<Self> {
        Ok(Self(tcgetattr(terminal)?))
    }

    /// Gives the terminal the mode again, once what was written has been shown (tcsetattr(3)). One that is gone has none.
    pub fn restore(&self, terminal: impl AsFd) {
        let _ = tcsetattr(terminal, OptionalActions::Drain, &self.0);
    }
}
