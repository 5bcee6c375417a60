//! Blob and File (W3C File API), in JavaScript alone.

use atoll_engine::{Builtin, Global, natives};

/// Its JavaScript and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/blob",
    source: include_str!("api.js"),
    natives: natives! {},
    globals: &[Global::eager("Blob"), Global::eager("File")],
};
