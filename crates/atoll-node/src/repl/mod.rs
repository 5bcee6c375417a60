//! Interactive sessions: the globals that a session has beside a program's, and how its values are shown.
//!
//! No guest can import it. The worker of a session calls it; see `atoll-runtime`'s `Session`.

use atoll_engine::{Builtin, natives};

/// `start(path, colours)`, `show(value)`, `showError(error)`, `touch(name)`, `read(path)`, `recover()`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node/internal/repl", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
