//! FormData (XMLHttpRequest Standard) and multipart/form-data, in JavaScript alone.

use atoll_engine::{Builtin, Global, natives};

/// Their JavaScript and globals; each before those that use it.
pub(crate) const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "web/form-data/multipart",
        source: include_str!("multipart.js"),
        natives: natives! {},
        globals: &[],
    },
    Builtin {
        name: "web/form-data",
        source: include_str!("api.js"),
        natives: natives! {},
        globals: &[Global::eager("FormData")],
    },
];
