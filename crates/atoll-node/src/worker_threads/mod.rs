//! `node:worker_threads`, for a program that is its only thread.
use atoll_engine::{Builtin, natives};

/// `node:worker_threads`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:worker_threads", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
