//! `node:constants`: deprecated in Node.js for those of `os`, `fs` and `crypto`, and still what `graceful-fs` asks for.
use atoll_engine::{Builtin, natives};

/// `node:constants`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:constants", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
