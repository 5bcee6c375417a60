//! `node:timers`, `node:timers/promises`, and the globals of Node that the web does not have.
use atoll_engine::{Builtin, Global, natives};

/// `node:timers`, `setImmediate` and `clearImmediate`.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "node:timers",
    source: include_str!("api.js"),
    natives: natives! {},
    globals: &[Global::lazy("setImmediate"), Global::lazy("clearImmediate")],
};

/// `node:timers/promises`.
pub(crate) const PROMISES: Builtin =
    Builtin { name: "node:timers/promises", source: include_str!("promises.js"), natives: natives! {}, globals: &[] };

/// `global`, Node's name for `globalThis`.
pub(crate) const GLOBAL: Builtin = Builtin {
    name: "node/internal/global",
    source: "exports.global = globalThis;",
    natives: natives! {},
    globals: &[Global::lazy("global")],
};
