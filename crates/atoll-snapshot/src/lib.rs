//! The startup snapshot: a V8 heap that holds the platform's JavaScript, compiled as far as most workers need it
//! (`rehearsal.js`), made by this crate's build script and carried in the binary. The JavaScript's text lies beside it, and
//! all isolates of a process read it there.

mod platform;

use atoll_engine::{Builtin, SharedText, Snapshot};
use std::sync::LazyLock;

static BUILTINS: LazyLock<Vec<Builtin>> = LazyLock::new(platform::builtins);

#[expect(long_running_const_eval, reason = "each byte of the text is looked at, once, while this is compiled")]
static SCRIPT: SharedText = SharedText::new(include_str!(concat!(env!("OUT_DIR"), "/builtins.js")));

/// The snapshot and the builtins whose native functions it refers to.
pub fn startup() -> Snapshot {
    let blob = include_bytes!(concat!(env!("OUT_DIR"), "/startup.bin"));
    Snapshot { blob, script: &SCRIPT, builtins: &BUILTINS }
}
