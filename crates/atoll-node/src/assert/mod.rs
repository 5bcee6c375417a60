//! `node:assert` and `node:assert/strict`.
use atoll_engine::{Builtin, natives};

/// `node:assert`; the module's value is a function.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:assert", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// `node:assert/strict`.
pub(crate) const STRICT: Builtin = Builtin {
    name: "node:assert/strict",
    source: "exports.default = use('node:assert').default.strict;",
    natives: natives! {},
    globals: &[],
};

/// `AssertionError` and the wording of differences.
pub(crate) const ERROR: Builtin = Builtin {
    name: "node/internal/assert/error",
    source: include_str!("error.js"),
    natives: natives! {},
    globals: &[],
};
