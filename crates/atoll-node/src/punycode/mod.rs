//! `node:punycode`.
use atoll_engine::{Builtin, natives};

/// `node:punycode`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:punycode", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
