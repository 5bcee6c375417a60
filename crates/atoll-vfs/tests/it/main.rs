//! Tests of the guest filesystem.

#![expect(clippy::disallowed_methods, reason = "the tests prepare and inspect directories of the host")]

/// Counts what the tests allocate.
#[global_allocator]
static ALLOCATOR: atoll_sys::count::Allocator = atoll_sys::count::Allocator;

mod battery;
mod devices;
mod equivalence;
mod escape;
mod host_dir;
mod kernel;
mod layers;
mod memory;
mod namespace;
mod operations;
mod overlay;
mod paths;
mod quota;
mod race;
mod resolve;
mod support;
mod table;
mod watches;
