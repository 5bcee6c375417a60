//! `atoll.toml`: what an operator says of a server and its deployments, and what an app says of itself.
//!
//! The file is one of two: a server's configuration (it has `[server]` or `[[deployments]]`), or an app's settings, in
//! the app's own directory. Which keys there are is a table ([`keys`]); the same table checks a file, makes its JSON schema
//! and describes the keys. A mistake is shown where it is, with the key that was probably meant, and nothing of the file is
//! used. What is read here is checked as far as the file alone can tell; whether it fits the machine (directories, variables)
//! is seen when sites are made of it.

mod check;
mod keys;
#[cfg(test)]
mod page;
mod read;
mod schema;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use read::{AppFile, ConfigFile, DeploymentEntry, Located, ServerFile};
pub(crate) use schema::schema;
pub(crate) use source::Source;

use crate::limit_flags::GivenLimits;
use atoll_runtime::Isolation;
use std::path::PathBuf;

/// The file's name.
pub(crate) const FILE_NAME: &str = "atoll.toml";

/// What can be said of a deployment at several places; what one place leaves out is left to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The module with the handler, relative to the app's directory.
    pub(crate) entry: Option<PathBuf>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) env: Vec<(String, String)>,
    /// Addresses that are not public and may be reached.
    pub(crate) net_allow: Option<Located<Vec<String>>>,
    pub(crate) limits: GivenLimits,
}
