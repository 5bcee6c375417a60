//! What can go wrong while measuring.

use std::io;
use std::path::PathBuf;

/// A measurement that did not happen, or a set-up that makes all of them impossible.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A selection that selects nothing.
    #[error("no case has {pattern:?} in its name; there are: {}", names.join("; "))]
    NoCase { pattern: String, names: Vec<&'static str> },
    /// A peer that the suite has nothing to do with.
    #[error("this suite does not measure {peer}; its peers are {}", names.join(", "))]
    NoPeer { peer: &'static str, names: Vec<&'static str> },
    /// A program that has to be there is not.
    #[error("`{program}` is missing: {hint}")]
    Missing { program: String, hint: String },
    /// A program could not be started.
    #[error("can't start `{command}`")]
    Start { command: String, source: io::Error },
    /// A program that has to succeed failed.
    #[error("`{command}` failed with {status}:\n{output}")]
    Command { command: String, status: String, output: String },
    /// A server ended by itself before it answered: it does not take what it was told to do.
    #[error("the server gave up with exit code {code}; its output:\n{output}")]
    Refused { code: i32, output: String },
    /// A server ended before it answered.
    #[error("the server ended with {status} before it answered; its output:\n{output}")]
    Ended { status: String, output: String },
    /// A server gave no answer in time.
    #[error("the server did not answer within {seconds} s; its output:\n{output}")]
    Silent { seconds: u64, output: String },
    /// A server answered something else.
    #[error("wrong answer: expected status {expected_status} and {expected:?}, found status {status} and {found:?}")]
    WrongAnswer { expected_status: u16, expected: String, status: u16, found: String },
    /// A server that should be idle is not.
    #[error("the server was still busy {seconds} s after its last request")]
    Restless { seconds: u64 },
    /// A bundle is not of the size that its case is about.
    #[error("{path} has {bytes} bytes; it has to have {least} to {most}")]
    BundleSize { path: PathBuf, bytes: u64, least: u64, most: u64 },
    /// The in-engine benchmark's output is not as expected.
    #[error("the in-engine benchmark's output can't be read")]
    EngineOutput(#[source] serde_json::Error),
    /// What a case is about did not come about, so that its figures would be of something else.
    #[error("no measurement: {0}")]
    Void(String),
    /// An answer that is not HTTP/1.1 as this tool reads it.
    #[error("the answer can't be read: {0}")]
    BadAnswer(String),
    /// The load generator's output is not as expected.
    #[error("wrk's output has no {0}")]
    WrkOutput(&'static str),
    /// A program's output is not the figures that it should print.
    #[error("the figures of {script} can't be read: {reason}; its output:\n{output}")]
    Figures { script: &'static str, reason: String, output: String },
    /// Not every request was answered well: such a run says nothing about speed.
    #[error("under load: {0}")]
    Load(String),
    /// The frozen registry.
    #[error("the registry")]
    Registry(#[from] crate::registry::RegistryError),
    /// Reading parts of objects.
    #[error("objects")]
    Blocks(#[from] crate::suites::blocks::BlocksError),
    /// A file of the system could not be read, or the report not be written.
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    /// An I/O error of the probe's connection.
    #[error("connection")]
    Connection(#[from] io::Error),
}

impl BenchError {
    /// The error with its causes, on one line each.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
