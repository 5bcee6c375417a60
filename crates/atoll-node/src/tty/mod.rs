//! `node:tty`: `isatty`, for the many packages that ask whether to use colours.
use atoll_engine::{Builtin, natives};

/// `node:tty`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:tty", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
