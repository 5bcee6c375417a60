//! `node:child_process`, for a program that can start no processes.
use atoll_engine::{Builtin, natives};

/// `node:child_process`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:child_process", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
