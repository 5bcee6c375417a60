//! Serving deployments over HTTP: accept, route, answer from the thread's pool, drain.
//!
//! Each executor thread has a listener of its own on the same port (`SO_REUSEPORT`), a tokio runtime, and a pool: a
//! warm request crosses no thread.

mod access;
mod answer;
mod arrival;
mod bounds;
mod connection;
mod executor;
mod lanes;
mod listen;
mod metrics;
mod route;
mod server;
mod socket;
mod timer;

pub use access::{AccessLog, AccessRecord};
pub use route::{BadHost, BadPath, HostPattern, PathPrefix, Route, Routes};
pub use server::{ServeError, Server, ServerOptions};
