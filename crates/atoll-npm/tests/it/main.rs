//! Tests of the crate from the outside, in one binary.

#![expect(clippy::disallowed_methods, reason = "tests work on the host's files")]

mod crash;
mod hostile;
mod install;
mod isolated;
mod link;
mod lock;
mod mounts;
mod properties;
mod resolve;
mod scripts;
mod settled;
mod store;
mod support;
mod table;
mod version;
mod virtual_install;
mod virtual_tree;
mod waits;
