//! Conversions and class furniture of Web IDL, shared by the JavaScript of all APIs.

use atoll_engine::Builtin;

/// Its JavaScript; there is nothing native about it.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "web/webidl", source: include_str!("api.js"), natives: &[], globals: &[] };
