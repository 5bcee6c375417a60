//! Who writes to the terminal: while somebody edits a line, what guests print goes above it.
//!
//! The line editor takes what is to be printed one text at a time, and nothing while no line is edited. So texts wait here,
//! and a thread of their own hands them over: whoever prints, prints at once, and waits only where very much waits already.
//! When a line is finished, what still waits is written before anything that the line leads to. A text that was handed over
//! at that very moment appears with the next prompt.

use crate::terminal::write;
use atoll_node::OutputStream;
use atoll_sys::terminal::Mode;
use rustyline::ExternalPrinter;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that wait for the line editor at most; whoever prints more meanwhile waits.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// What editors ask terminals for that are to mark pasted text; the end of that.
const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

#[derive(Debug, Default)]
struct State {
    /// A line is being edited.
    is_editing: bool,
    waiting: Vec<u8>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    state: Mutex<State>,
    changed: Condvar,
    /// How the terminal was before a line was edited.
    mode: Option<Mode>,
}

impl Screen {
    /// Without a line editor: all is written at once.
    pub(super) fn plain() -> Self {
        Self::default()
    }

    /// With what prints above the edited line.
    pub(super) fn with_printer(printer: impl ExternalPrinter + Send + 'static) -> Arc<Self> {
        let mode = Mode::of(std::io::stdin()).ok();
        let screen = Arc::new(Self { mode, ..Self::default() });
        let hands_over = Arc::clone(&screen);
        let started =
            std::thread::Builder::new().name("atoll-screen".to_owned()).spawn(move || hands_over.hand_over(printer));
        assert!(started.is_ok(), "a process that can't start one thread has no use for a session");
        screen
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, mut printer: impl ExternalPrinter) {
        loop {
            let mut state = self.lock();
            while !state.is_editing || state.waiting.is_empty() {
                state = self.wait(state);
            }
            let text = std::mem::take(&mut state.waiting);
            drop(state);
            self.changed.notify_all();
            // The editor is gone when this fails, and the process about to end.
            if printer.print(String::from_utf8_lossy(&text).into_owned()).is_err() {
                return;
            }
        }
    }

    /// From now on, or no longer, a line is edited.
    pub(super) fn set_editing(&self, is_editing: bool) {
        let mut state = self.lock();
        // Without a printer nothing is edited.
        state.is_editing = is_editing && self.mode.is_some();
        let waiting = std::mem::take(&mut state.waiting);
        write(OutputStream::Stdout, &waiting);
        drop(state);
        self.changed.notify_all();
    }

    /// Writes to standard output or standard error, or above the line that is edited.
    pub(crate) fn write(&self, stream: OutputStream, bytes: &[u8]) {
        let mut state = self.lock();
        while state.is_editing && state.waiting.len() > MAX_WAITING_BYTES {
            state = self.wait(state);
        }
        if state.is_editing {
            state.waiting.extend_from_slice(bytes);
            drop(state);
            self.changed.notify_all();
        } else {
            write(stream, bytes);
        }
    }

    /// Leaves the terminal as it was, though a line is edited.
    pub(super) fn restore(&self) {
        if self.lock().is_editing
            && let Some(mode) = &self.mode
        {
            self.set_editing(false);
            mode.restore(std::io::stdin());
            write(OutputStream::Stdout, format!("{BRACKETED_PASTE_OFF}\n").as_bytes());
        }
    }
}
