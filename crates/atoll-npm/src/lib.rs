//! Installs npm packages.
//!
//! `package.json` and `package-lock.json` go in; a verified `node_modules` comes out. The stages are modules:
//! [`manifest`] and [`npmrc`] read what the project says, [`resolve`] decides which version goes where without doing any
//! I/O itself, [`lock`] is that decision as npm writes it down; [`registry`] asks, [`fetch`] downloads and verifies into
//! the [`store`], `plan` compares with what is there (`isolated` for pnpm's layout), [`link`] builds beside the project and
//! puts it in place, [`scripts`] run where they are allowed. [`virtual_tree`] shows guests the packages without putting them
//! anywhere. [`install::install`] is all of it, [`report`] how it says what it does, and [`waits`] what it waits for.

pub mod extract;
pub mod fetch;
mod inflate;
pub mod integrity;
pub mod linker;
pub mod lock;
pub mod manifest;
pub mod npmrc;
pub mod packument;
pub mod report;
pub mod resolve;
mod threads;
pub mod version;
pub mod waits;

// The modules that touch the disk: the store, the cache, and the project's own folder, each named by the caller.
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod install;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
mod isolated;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
mod kept;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod link;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
mod plan;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod platform;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod registry;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod scripts;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod store;
#[expect(clippy::disallowed_methods, reason = "an installer works on the host's files")]
pub mod virtual_tree;
