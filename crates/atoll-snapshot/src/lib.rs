//! The startup snapshot: a V8 heap in which the platform's JavaScript is evaluated already, made by this crate's build
//! script and carried in the binary.

mod platform;

use atoll_engine::{Builtin, Snapshot};
use std::sync::LazyLock;

static BUILTINS: LazyLock<Vec<Builtin>> = LazyLock::new(platform::builtins);

/// Of one address, whoever asks for it: all isolates refer to it.
static SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/builtins.js"));

/// The snapshot and the builtins whose native functions it refers to.
pub fn startup() -> Snapshot {
    Snapshot { blob: include_bytes!(concat!(env!("OUT_DIR"), "/startup.bin")), script: SCRIPT, builtins: &BUILTINS }
}
