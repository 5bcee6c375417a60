//! AbortController and AbortSignal (DOM Standard, "Aborting ongoing activities").

use atoll_engine::{Builtin, Global};

/// Its JavaScript and globals; there is nothing native about it.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/abort",
    source: include_str!("api.js"),
    natives: &[],
    globals: &[Global::eager("AbortController"), Global::eager("AbortSignal")],
};
