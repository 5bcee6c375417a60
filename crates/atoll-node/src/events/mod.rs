//! `node:events`: `EventEmitter`.
use atoll_engine::{Builtin, natives};

/// `node:events`; the module's value is the class.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:events", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
