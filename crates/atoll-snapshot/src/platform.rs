//! The platform's builtins, in the one order that the build script and the binary share.

use atoll_engine::Builtin;

/// All builtins: engine, web, Node.
pub(crate) fn builtins() -> Vec<Builtin> {
    [atoll_engine::BUILTINS, atoll_web::BUILTINS, atoll_node::BUILTINS].concat()
}
