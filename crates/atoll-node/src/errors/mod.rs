//! Node's coded errors (`ERR_INVALID_ARG_TYPE` and the like): one table of code, class and wording.
use atoll_engine::{Builtin, natives};

/// `node/internal/errors`, used by the other builtins only.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node/internal/errors", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// Linux's error numbers.
pub(crate) const ERRNO: Builtin =
    Builtin { name: "node/internal/errno", source: include_str!("errno.js"), natives: natives! {}, globals: &[] };
