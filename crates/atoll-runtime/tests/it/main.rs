//! Workers through their public interface.
#![expect(clippy::disallowed_methods, reason = "tests read their fixtures")]

mod code_cache;
mod costs;
mod filesystem;
mod globals;
mod guest_tests;
mod harness;
mod hostile;
mod isolation;
mod limits;
mod programs;
mod retirement;
mod serving;
mod watching;
