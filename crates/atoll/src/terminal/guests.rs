//! What guests print and what goes wrong in them.

use super::text::{guest_lines, guest_text, json_line, one_line, timestamp};
use super::{BOLD, DIM, ERROR, HINT, Visible, WARNING, print_aside};
use crate::cli::LogFormat;
use crate::repl::Screen;
use anstream::{AutoStream, ColorChoice};
use atoll_engine::{Reason, Termination};
use atoll_node::OutputStream;
use atoll_runtime::{Problem, Reporter};
use atoll_web::ConsoleLevel;
use serde_json::json;
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Who reads what guests print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever started the one program that runs: its output is passed on as it is.
    Program,
    /// The operator of a server: a log of all guests.
    Server {
        /// Put the app's name before its lines: several are served.
        name_apps: bool,
        /// How lines look.
        format: LogFormat,
    },
}

/// Writes to standard output and standard error. A message is written whole, so messages of different threads don't mix.
#[derive(Debug)]
pub(crate) struct TerminalReporter {
    audience: Audience,
    has_colours: bool,
    /// The app is being started by this command, which says itself why that failed.
    is_starting: AtomicBool,
    /// What the one program that runs is shown.
    visible: OnceLock<Visible>,
    /// What is written goes through this, where somebody types meanwhile.
    screen: OnceLock<Arc<Screen>>,
}

impl TerminalReporter {
    pub(crate) fn new(audience: Audience) -> Self {
        let has_colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
        Self {
            audience,
            has_colours,
            is_starting: AtomicBool::new(false),
            visible: OnceLock::new(),
            screen: OnceLock::new(),
        }
    }

    /// The one program that runs is shown this.
    pub(crate) fn shows(&self, visible: Visible) {
        // There is one program, so it is said once.
        let _ = self.visible.set(visible);
    }

    /// From now on all that is written goes through this.
    pub(crate) fn through(&self, screen: Arc<Screen>) {
        // There is one session, so it is said once.
        let _ = self.screen.set(screen);
    }

    fn write(&self, stream: OutputStream, bytes: &[u8]) {
        match self.screen.get() {
            Some(screen) => screen.write(stream, bytes),
            None => write(stream, bytes),
        }
    }

    /// Writes a line to standard error.
    fn print_aside(&self, text: impl Display) {
        let Some(screen) = self.screen.get() else { return print_aside(text) };
        let line = format!("{text}\n");
        let line = if self.has_colours { line } else { anstream::adapter::strip_str(&line).to_string() };
        screen.write(OutputStream::Stderr, line.as_bytes());
    }

    /// From now on, or no longer, a start's failure is said by the command that starts it.
    pub(crate) fn set_starting(&self, is_starting: bool) {
        self.is_starting.store(is_starting, Ordering::Relaxed);
    }

    fn prefix(&self, app: &str) -> String {
        let app = one_line(app);
        match self.audience {
            Audience::Server { name_apps: true, .. } if self.has_colours => format!("{DIM}{app}{DIM:#} "),
            Audience::Server { name_apps: true, .. } => format!("{app} "),
            _ => String::new(),
        }
    }

    fn is_json(&self) -> bool {
        matches!(self.audience, Audience::Server { format: LogFormat::Json, .. })
    }
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::Handler(text) => format!("{ERROR}error{ERROR:#} in the handler: {}", guest_text(text)),
        Problem::Background(text) => format!("{ERROR}error{ERROR:#} behind a response: {}", guest_text(text)),
        Problem::Uncaught(exception) => format!("{ERROR}uncaught{ERROR:#} {}", guest_text(&exception.stack)),
        Problem::Terminated(termination) => {
            let (what, then) = match termination.reason {
                Reason::Idle => ("cut off a response", ""),
                Reason::Deploy => ("ended what was left of a release", ""),
                _ => ("ended", "; a fresh worker takes over"),
            };
            format!("{WARNING}{what}{WARNING:#} by its limit: {BOLD}{termination}{BOLD:#}{then}")
        }
    }
}

/// Writes to standard output or standard error. A closed pipe is no reason to end: who reads may have seen enough.
pub(crate) fn write(stream: OutputStream, bytes: &[u8]) {
    let _ = match stream {
        OutputStream::Stdout => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        OutputStream::Stderr => std::io::stderr().lock().write_all(bytes),
    };
}

fn stream_of(level: ConsoleLevel) -> OutputStream {
    if level.is_error() { OutputStream::Stderr } else { OutputStream::Stdout }
}

fn level_name(level: ConsoleLevel) -> &'static str {
    match level {
        ConsoleLevel::Debug => "debug",
        ConsoleLevel::Log => "log",
        ConsoleLevel::Info => "info",
        ConsoleLevel::Warn => "warn",
        ConsoleLevel::Error => "error",
    }
}

impl Reporter for TerminalReporter {
    fn console(&self, app: &str, level: ConsoleLevel, text: &str) {
        if self.is_json() {
            let line =
                json!({ "time": timestamp(), "type": "console", "app": app, "level": level_name(level), "text": text });
            return write(OutputStream::Stdout, format!("{}\n", json_line(&line)).as_bytes());
        }
        let line = match self.audience {
            Audience::Program => format!("{text}\n"),
            Audience::Server { .. } => guest_lines(&self.prefix(app), text),
        };
        self.write(stream_of(level), line.as_bytes());
    }

    fn output(&self, app: &str, stream: OutputStream, bytes: &[u8]) {
        if self.audience == Audience::Program {
            return self.write(stream, bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let level = if stream == OutputStream::Stderr { ConsoleLevel::Error } else { ConsoleLevel::Log };
        self.console(app, level, text);
    }

    fn problem(&self, app: &str, problem: &Problem) {
        // How a program ended is said once, at its end, and why an app could not start as well.
        let is_said_elsewhere = self.audience == Audience::Program || self.is_starting.load(Ordering::Relaxed);
        if is_said_elsewhere && matches!(problem, Problem::Terminated(_)) {
            return;
        }
        if self.is_json() {
            let mut said = None;
            let (kind, text) = match problem {
                Problem::Handler(text) => ("handler", text.as_str()),
                Problem::Background(text) => ("background", text.as_str()),
                Problem::Uncaught(exception) => ("uncaught", exception.stack.as_str()),
                Problem::Terminated(reason) => ("terminated", said.insert(reason.to_string()).as_str()),
            };
            let mut line = json!({ "time": timestamp(), "type": "problem", "app": app, "kind": kind, "text": text });
            if let Problem::Terminated(Termination { reason, limit, amount }) = problem {
                line["termination"] = reason.name().into();
                line["limit"] = (*limit).into();
                line["amount"] = (*amount).into();
            }
            return write(OutputStream::Stdout, format!("{}\n", json_line(&line)).as_bytes());
        }
        self.print_aside(format_args!("{}{}", self.prefix(app), problem_text(problem)));
        if let (Problem::Uncaught(exception), Some(visible)) = (problem, self.visible.get())
            && let Some(hint) = visible.hint(exception)
        {
            self.print_aside(format_args!("{HINT}hint{HINT:#}: {hint}"));
        }
    }
}
