//! Argument checks shared by the Node builtins.
use atoll_engine::{Builtin, natives};

/// `node/internal/validators`, used by the other builtins only.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node/internal/validators", source: include_str!("api.js"), natives: natives! {}, globals: &[] };
