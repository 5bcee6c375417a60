//! The global object as an event target, `reportError`, and what becomes of errors that nobody caught (HTML, "Runtime
//! script errors", "Unhandled promise rejections").

use atoll_engine::{Builtin, Global};

/// Its JavaScript and globals; there is nothing native about it.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/report",
    source: include_str!("api.js"),
    natives: &[],
    globals: &[
        Global::eager("addEventListener"),
        Global::eager("removeEventListener"),
        Global::eager("dispatchEvent"),
        Global::eager("reportError"),
        Global::eager("self"),
    ],
};
