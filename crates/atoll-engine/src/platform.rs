//! V8, once per process.
//!
//! Threads that run JavaScript must be created after [`initialize`]: V8 guards its code and tables with memory
//! protection keys, and a thread inherits access to them at its creation only.

use crate::tasks;
use std::sync::Once;

/// V8's own worker threads: compilation, garbage collection. Two is what helps on small machines; more than the
/// machine's cores is never useful. Source: `v8::new_default_platform` documentation (0 picks cores − 1, at most 16).
const V8_WORKER_THREADS: u32 = 2;

/// The flags that are part of our contract with guests and of the snapshot's check: the process that builds the
/// snapshot and the one that loads it must agree on them.
const FLAGS: &[&str] = &[
    // SharedArrayBuffer is a clock of nanosecond resolution; without the per-context opt-in it isn't installed.
    "--enable-sharedarraybuffer-per-context",
    // A guest that recurses gets a RangeError well before the thread's stack ends; threads for JavaScript need 2 MiB.
    "--stack-size=984",
    // Its pass takes the safe point out of inner loops of few rounds, and where such a loop has none, as that which fills
    // `new Array(100)`, out of the loop around it: one that has no end would never hear that it is to end.
    "--no-turboshaft-loop-unrolling",
];

static INITIALIZE: Once = Once::new();

/// Initialises V8; later calls do nothing. Call it before any thread is created that will run JavaScript.
pub fn initialize() {
    INITIALIZE.call_once(|| {
        v8::V8::set_flags_from_string(&FLAGS.join(" "));
        // V8 would open /dev/urandom three times for each isolate. Where this fails, it does.
        v8::V8::set_entropy_source(|seed| getrandom::fill(seed).is_ok());
        let platform = v8::new_custom_platform(V8_WORKER_THREADS, false, false, tasks::Poster).make_shared();
        v8::V8::initialize_platform(platform);
        v8::V8::initialize();
    });
}

/// V8's version, `15.2.…`.
pub fn v8_version() -> &'static str {
    v8::V8::get_version()
}

/// Changes with anything that makes code caches of another build unusable.
pub(crate) fn cache_version_tag() -> u32 {
    v8::script_compiler::cached_data_version_tag()
}
