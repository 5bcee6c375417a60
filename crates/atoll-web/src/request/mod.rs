//! Request (WHATWG Fetch Standard), in JavaScript alone.

use atoll_engine::{Builtin, Global, natives};

/// Its JavaScript and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/request",
    source: include_str!("api.js"),
    natives: natives! {},
    globals: &[Global::eager("Request")],
};
