//! Lockfiles as a project may bring them: anything at all.
//!
//! What is read is written in one way, and that reads as the same; no install path leaves the project.

#![no_main]

use atoll_npm::lock::Lockfile;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(lock) = Lockfile::parse("package-lock.json", text) else { return };
    for path in lock.packages.keys() {
        assert!(path.is_root() || path.as_str().starts_with("node_modules/"), "{path}");
        assert!(path.as_str().split('/').all(|part| part != ".." && part != "."), "{path}");
    }
    let written = lock.to_text();
    let again = Lockfile::parse("package-lock.json", &written).expect("what was written can be read");
    // The order is npm's when it is written, and the file's when it is read.
    let names = |lock: &Lockfile| lock.packages.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names(&again), names(&lock));
    assert_eq!(again.to_text(), written);
});
