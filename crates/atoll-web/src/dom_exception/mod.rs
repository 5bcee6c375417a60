//! `DOMException` (Web IDL), and the way natives and other builtins make errors.

use atoll_engine::{Builtin, Global};

/// Its JavaScript and its global; there is nothing native about it.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/dom-exception",
    source: include_str!("api.js"),
    natives: &[],
    globals: &[Global::eager("DOMException")],
};
