//! `node:path`, `node:path/posix` and `node:path/win32`.
use atoll_engine::{Builtin, natives};

/// `node:path`: the POSIX functions, with `posix` and `win32` as properties.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:path", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// The Windows functions.
pub(crate) const WIN32_INTERNAL: Builtin =
    Builtin { name: "node/internal/path/win32", source: include_str!("win32.js"), natives: natives! {}, globals: &[] };

/// `node:path/posix`: the same object as `node:path`.
pub(crate) const POSIX: Builtin = Builtin {
    name: "node:path/posix",
    source: "exports.default = use('node:path').default;",
    natives: natives! {},
    globals: &[],
};

/// `node:path/win32`: `require('node:path').win32`.
pub(crate) const WIN32: Builtin = Builtin {
    name: "node:path/win32",
    source: "exports.default = use('node:path').default.win32;",
    natives: natives! {},
    globals: &[],
};
