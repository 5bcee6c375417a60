//! `node:readline` and `node:readline/promises`: lines out of a stream.
//!
//! * `interface.js`: the interface that both have; `api.js` and `promises.js` add `question`. Lines are taken as they come:
//!   a worker has no terminal whose keys could be edited.
//! * `cursor.js`: the functions that move a terminal's cursor, which only write.

use atoll_engine::{Builtin, natives};

/// `node:readline`.
pub(crate) const BUILTIN: Builtin = part("node:readline", include_str!("api.js"));

/// `node:readline/promises`.
pub(crate) const PROMISES: Builtin = part("node:readline/promises", include_str!("promises.js"));

/// Moving the cursor.
pub(crate) const CURSOR: Builtin = part("node/internal/readline/cursor", include_str!("cursor.js"));

/// The interface that both have.
pub(crate) const INTERFACE: Builtin = part("node/internal/readline/interface", include_str!("interface.js"));

/// One without natives and globals.
const fn part(name: &'static str, source: &'static str) -> Builtin {
    Builtin { name, source, natives: natives! {}, globals: &[] }
}
