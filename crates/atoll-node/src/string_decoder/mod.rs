//! `node:string_decoder`.
use atoll_engine::{Builtin, natives};

/// `node:string_decoder`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:string_decoder", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
