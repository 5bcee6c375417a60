//! The access log.

use atoll_engine::Termination;
use atoll_runtime::PoolError;
use http::{Method, StatusCode};
use std::net::SocketAddr;
use std::time::Duration;

/// One request and what became of it.
#[derive(Debug)]
pub struct AccessRecord<'a> {
    /// Who asked.
    pub remote: SocketAddr,
    /// Method.
    pub method: &'a Method,
    /// Host that was asked for, with its port if it was named.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The app that the request was routed to, if it was to any.
    pub app: Option<&'a str>,
    /// The response's status.
    pub status: StatusCode,
    /// From the request's head to the response's head.
    pub elapsed: Duration,
    /// Why the worker was ended by force, if it was.
    pub termination: Option<Termination>,
}

/// Hears of every answered request, on the thread that answered it; it should not wait for anything.
pub trait AccessLog: Send + Sync {
    /// Whether records are wanted at all.
    fn is_on(&self) -> bool;

    /// One more.
    fn record(&self, record: &AccessRecord<'_>);

    /// An app gave no response, for this reason. What its handler threw was told to the app's own reporter already.
    fn unanswered(&self, app: &str, error: &PoolError);
}
