//! What workers have to say, to whoever runs them.

use atoll_engine::{Exception, Termination};
use atoll_node::OutputStream;
use atoll_web::ConsoleLevel;

/// Hears workers. Called on the thread that runs the worker; it should not wait for anything.
pub trait Reporter: Send + Sync {
    /// The guest wrote to its console: any number of lines, without the last line's end.
    fn console(&self, app: &str, level: ConsoleLevel, text: &str);

    /// The guest wrote to `process.stdout` or `process.stderr`: any bytes.
    fn output(&self, app: &str, stream: OutputStream, bytes: &[u8]);

    /// Something went wrong in the guest that no response tells the client.
    fn problem(&self, app: &str, problem: &Problem);
}

/// What went wrong in a guest.
#[derive(Debug, Clone)]
pub enum Problem {
    /// The handler threw or returned no response; with the mapped stack.
    Handler(String),
    /// Work behind the response failed: `waitUntil`, a response stream.
    Background(String),
    /// A callback threw, or a promise was rejected without a handler.
    Uncaught(Exception),
    /// A limit was hit and the worker discarded.
    Terminated(Termination),
}
