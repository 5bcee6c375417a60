//! `package-lock.json`, version 3: which version of what goes where.
//!
//! The model keeps everything that npm writes and what it does not know, so that reading and writing a file changes
//! nothing that the resolution did not change. Reading trusts nothing: every key is a checked [`InstallPath`], so that
//! whoever links a tree joins only paths that stay inside the project.

mod compare;
mod path;
mod read;
mod select;
mod write;

use indexmap::IndexMap;
use serde_json::{Map, Value};

pub use compare::{Disagreement, disagreements};
pub use path::InstallPath;
pub(crate) use select::in_tarballs;
pub use select::{BadPlatform, Omit, Platform};
pub(crate) use write::keep_packages;

use crate::manifest::{DependencyMap, PeerMeta};

/// File name of the lockfile, beside `package.json`.
pub const FILE_NAME: &str = "package-lock.json";

/// A parsed `package-lock.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lockfile {
    /// The project's name.
    pub name: Option<String>,
    /// The project's version.
    pub version: Option<String>,
    /// npm's `requires` flag, `true` in every file that npm 7 or later wrote.
    pub requires: bool,
    /// Install path to what is installed there; the root project is [`InstallPath::ROOT`]. Order is the file's, or
    /// after a resolution the one that npm writes.
    pub packages: IndexMap<InstallPath, LockEntry>,
    /// Top-level fields that we do not know.
    pub extra: Map<String, Value>,
}

/// What is installed at one path; for the root entry, what the project asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LockEntry {
    /// The published name, present where it differs from the folder's (aliases) and in the root.
    pub name: Option<String>,
    /// Exact version.
    pub version: Option<String>,
    /// The tarball's URL.
    pub resolved: Option<String>,
    /// Subresource integrity of the tarball.
    pub integrity: Option<String>,
    /// It is a symbolic link to `resolved`.
    pub link: bool,
    /// Only development needs it.
    pub dev: bool,
    /// Only optional dependencies need it.
    pub optional: bool,
    /// Needed by development and by optional dependencies, by nothing else.
    pub dev_optional: bool,
    /// Only peer dependencies need it.
    pub peer: bool,
    /// It comes inside its dependent's tarball.
    pub in_bundle: bool,
    /// It has a script that would run after installation.
    pub has_install_script: bool,
    /// Its tarball has an `npm-shrinkwrap.json`.
    pub has_shrinkwrap: bool,
    /// Licence expression.
    pub license: Option<String>,
    /// Why not to use it.
    pub deprecated: Option<String>,
    /// Regular dependencies.
    pub dependencies: DependencyMap,
    /// Development dependencies, in the root only.
    pub dev_dependencies: DependencyMap,
    /// Optional dependencies.
    pub optional_dependencies: DependencyMap,
    /// Peer dependencies.
    pub peer_dependencies: DependencyMap,
    /// Which peers may be absent.
    pub peer_dependencies_meta: IndexMap<String, PeerMeta>,
    /// Names of the dependencies that its tarball contains.
    pub bundle_dependencies: Vec<String>,
    /// Command name to path inside the package.
    pub bin: IndexMap<String, String>,
    /// `engines` as published.
    pub engines: Option<Value>,
    /// Operating systems that it runs on; empty means all.
    pub os: Vec<String>,
    /// Processors that it runs on; empty means all.
    pub cpu: Vec<String>,
    /// C libraries that it runs on; empty means all.
    pub libc: Vec<String>,
    /// `funding` as published.
    pub funding: Option<Value>,
    /// Fields that we do not know.
    pub extra: Map<String, Value>,
}

/// Why a `package-lock.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Not JSON.
    #[error("{file} is not valid JSON: {source}")]
    Syntax {
        /// The file as the caller named it.
        file: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// Left over from a merge.
    #[error(
        "{file} has merge conflict markers at line {line}; resolve the conflict in package.json, delete the markers and install again"
    )]
    Conflict {
        /// The file as the caller named it.
        file: String,
        /// Line of the first marker, counted from 1.
        line: usize,
    },
    /// Written by npm 6 or earlier, or by something newer than we know.
    #[error("{file} has lockfileVersion {version}; versions 2 and 3 are supported (npm 7 or later writes them)")]
    Version {
        /// The file as the caller named it.
        file: String,
        /// What it says.
        version: String,
    },
    /// A key of `packages` is no path that a package can be installed at.
    #[error("{file}: packages[{key:?}]: {problem}")]
    Path {
        /// The file as the caller named it.
        file: String,
        /// The offending key.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A field is not what it has to be.
    #[error("{file}: {field} must be {expected}")]
    Field {
        /// The file as the caller named it.
        file: String,
        /// The field's path, for example `packages["node_modules/a"].version`.
        field: String,
        /// What was expected there.
        expected: &'static str,
    },
}

impl LockEntry {
    /// The name that the package is published under, given where it is installed.
    pub fn package_name<'a>(&'a self, path: &'a InstallPath) -> &'a str {
        self.name.as_deref().unwrap_or_else(|| path.name())
    }
}
