//! Headers (WHATWG Fetch Standard), in JavaScript alone.

use atoll_engine::{Builtin, Global, natives};

/// Its JavaScript, natives and globals; each before those that use it.
pub(crate) const BUILTINS: &[Builtin] = &[
    Builtin { name: "web/headers/iterable", source: include_str!("iterable.js"), natives: natives! {}, globals: &[] },
    Builtin {
        name: "web/headers",
        source: include_str!("api.js"),
        natives: natives! {},
        globals: &[Global::eager("Headers")],
    },
];
