//! `node:querystring`.
use atoll_engine::{Builtin, natives};

/// `node:querystring`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:querystring", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
