//! `node:url`.
use atoll_engine::{Builtin, natives};

/// `node:url`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:url", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// `url.parse` and its kin.
pub(crate) const LEGACY: Builtin =
    Builtin { name: "node/internal/url/legacy", source: include_str!("legacy.js"), natives: natives! {}, globals: &[] };
