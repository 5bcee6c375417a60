//! Being asked to end: Ctrl-C and SIGTERM. Being asked what is waited for: Ctrl-\\ (SIGQUIT).

use crate::terminal::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Ending {
    /// What a shell reports for a process that the signal ended: 128 and its number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Both signals; while it exists, they don't end the process.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Within a tokio runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("signals can't be received: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.interrupt.recv() => Ending::Interrupt,
            _ = self.terminate.recv() => Ending::Terminate,
        }
    }
}

/// SIGQUIT; while it exists, that does not end the process.
///
/// It takes no thread: the runtime's own handler writes into a pipe that it waits for anyway. A command that is asked answers when
/// its main thread comes back to waiting, where it nearly always is.
pub(crate) struct Questions(Signal);

impl Questions {
    /// Within a tokio runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("signals can't be received: {error}"));
        Ok(Self(signal(SignalKind::quit()).map_err(failed)?))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
