//! pnpm's layout of the tree that npm's resolution gives: every package sees what it depends on, and the project what it asks
//! for.
//!
//! # The layout
//! A package is at `node_modules/.pnpm/<instance>/node_modules/<name>`, its dependencies are links beside it, and the
//! project's are links in `node_modules`. Node.js looks packages up from where their files really are, so nothing else is
//! found, but what is in `.pnpm/node_modules`: links to one version of everything, for packages that use what they do not
//! name.
//!
//! # Instances
//! In npm's tree a package can be in several places, and find other versions of its dependencies at each. Two places are one
//! instance when the package is the same and every dependency leads, by its name, to the same instance (`graph`); so
//! instances are only as many as there are ways for `require` to answer. How their folders are named is in `name`.
//!
//! # Keeping what is there
//! Names of instances alone do not say what is in them. `.atoll-state` has the integrity that each was made from, and the links
//! are read where the tree has changed (`plan`). An instance whose package is still right stays, and gets only the links
//! that differ.

mod graph;
mod layout;
mod name;
mod plan;

pub(crate) use layout::Layout;
