//! Why an installation ended without its result.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    fetch::FetchError,
    link::LinkError,
    lock::{BadPlatform, LockError},
    manifest::ManifestError,
    plan::{LinkOut, PlanError},
    registry::RegistryError,
    resolve::{ResolveError, SourceError},
    scripts::ScriptError,
    store::StoreError,
};

/// Why an installation ended without its result. Whatever it is, the project is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// There is no `package.json`.
    #[error("there is no package.json in {folder}")]
    NoManifest {
        /// The project's folder.
        folder: PathBuf,
    },
    /// Another installation of the project does not end.
    #[error("another installation{} in {folder} has not ended in {:.0} s", process(*.holder), .waited.as_secs_f64())]
    Busy {
        /// The project's folder.
        folder: PathBuf,
        /// Its process, as far as the system tells.
        holder: Option<u32>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// `package.json` cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// `package-lock.json` cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The lockfile may not change, and does not fit `package.json`.
    #[error("package-lock.json does not fit package.json:{}", lines(.differences))]
    Frozen {
        /// What differs, a line each.
        differences: Vec<String>,
    },
    /// The lockfile may not change, and there is none.
    #[error("there is no package-lock.json in {folder}")]
    FrozenWithoutLock {
        /// The project's folder.
        folder: PathBuf,
    },
    /// Something that should be added has no name that a package can have.
    #[error("\"{text}\" does not name a package")]
    BadRequest {
        /// As given.
        text: String,
    },
    /// There is no set of versions that fits.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Something needed does not run on this machine.
    #[error(transparent)]
    Platform(#[from] BadPlatform),
    /// The lockfile gives no digest that a package could be verified with.
    #[error("package-lock.json has no usable integrity for {package}")]
    NoIntegrity {
        /// Name and version.
        package: String,
    },
    /// The lockfile asks for something that is not a package from a registry.
    #[error("{package} is {what}, which is not supported yet")]
    Unsupported {
        /// Name, or install path.
        package: String,
        /// What it is, with its article.
        what: &'static str,
    },
    /// A package could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The registry client could not be set up.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `node_modules` could not be built.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A script that was allowed failed.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The project's files cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl InstallError {
    /// Why there is no plan for a project.
    pub(super) fn of_plan(error: PlanError, project: &Path) -> Self {
        match error {
            PlanError::Read(source) => Self::Io { action: "read", path: project.join("node_modules"), source },
            PlanError::LinkOut(LinkOut(package)) => Self::Unsupported { package, what: "a link out of node_modules" },
        }
    }

    /// What to do about it, as a sentence or two.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoManifest { .. } => "Run this in a project's folder, or create a package.json: {}",
            Self::Busy { .. } => "If it hangs: `kill -QUIT` with its process makes it say what it waits for.",
            Self::Frozen { .. } => "Install without --frozen to update the lockfile, and commit it.",
            Self::FrozenWithoutLock { .. } => "Install without --frozen once, and commit the package-lock.json.",
            Self::BadRequest { .. } => "Packages are named as in `atoll install hono zod@^4 @types/node@latest`.",
            Self::NoIntegrity { .. } => {
                "Delete the entry, or the whole package-lock.json, and install again to record one."
            }
            Self::Resolve(ResolveError::Source { source: SourceError::Failed(error), .. }) => {
                return error.downcast_ref::<RegistryError>()?.hint().map(str::to_owned);
            }
            Self::Resolve(error) => return error.hint(),
            Self::Fetch(error) => return error.hint().map(str::to_owned),
            Self::Registry(error) => return error.hint().map(str::to_owned),
            Self::Script(_) => {
                "Its output is above. Without its name in \"atoll\": {\"allowScripts\": […]} the script does not run."
            }
            Self::Io { .. } | Self::Store(_) | Self::Link(LinkError::Write { .. }) => {
                "Check the permissions and the free space there."
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn process(holder: Option<u32>) -> String {
    holder.map(|process| format!(" (process {process})")).unwrap_or_default()
}

fn lines(list: &[String]) -> String {
    list.iter().flat_map(|line| ["\n  ", line]).collect()
}
