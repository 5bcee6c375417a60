//! Whether a lockfile is an answer to a `package.json`.

use std::fmt;

use super::{InstallPath, LockEntry, Lockfile};
use crate::{
    manifest::{DependencyMap, Manifest},
    resolve,
};

/// One way in which a lockfile does not fit a `package.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disagreement {
    /// The project asks for something else than it did when the lockfile was written.
    Asked {
        /// `dependencies`, `devDependencies`, `optionalDependencies` or `peerDependencies`.
        section: &'static str,
        /// The dependency.
        name: String,
        /// What `package.json` says, if it says anything.
        manifest: Option<String>,
        /// What the lockfile says that it says.
        lock: Option<String>,
    },
    /// The lockfile has nothing for a dependency.
    Missing {
        /// The dependency and who asks for it.
        asker: resolve::Asker,
    },
    /// The lockfile has a version that does not fit.
    Unfit {
        /// The dependency and who asks for it.
        asker: resolve::Asker,
        /// What is there instead: `name@version`.
        found: String,
    },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked { section, name, manifest: Some(asked), lock: Some(locked) } => {
                write!(formatter, "{section}.{name} is \"{asked}\" in package.json, \"{locked}\" in the lockfile")
            }
            Self::Asked { section, name, manifest: Some(asked), .. } => {
                write!(formatter, "{section}.{name} (\"{asked}\") is not in the lockfile")
            }
            Self::Asked { section, name, .. } => {
                write!(formatter, "{section}.{name} is in the lockfile, but no longer in package.json")
            }
            Self::Missing { asker } => write!(formatter, "nothing is locked for {asker}"),
            Self::Unfit { asker, found } => write!(formatter, "{found} is locked for {asker}"),
        }
    }
}

/// How many misfits inside the lockfile are listed.
const MISFITS_MAX: usize = 100;

/// Everything in which `lock` does not fit `manifest`; empty when it can be installed as it is.
pub fn disagreements(manifest: &Manifest, lock: &Lockfile) -> Vec<Disagreement> {
    let nothing = LockEntry::default();
    let root = lock.packages.get(&InstallPath::ROOT).unwrap_or(&nothing);
    let mut locked_regular = root.dependencies.clone();
    locked_regular.retain(|name, _| !root.optional_dependencies.contains_key(name));
    let mut found = Vec::new();
    compare("dependencies", &manifest.dependencies, &locked_regular, &mut found);
    compare("devDependencies", &manifest.dev_dependencies, &root.dev_dependencies, &mut found);
    compare("optionalDependencies", &manifest.optional_dependencies, &root.optional_dependencies, &mut found);
    compare("peerDependencies", &manifest.peer_dependencies, &root.peer_dependencies, &mut found);
    if found.is_empty() {
        found.extend(resolve::misfits(manifest, lock).take(MISFITS_MAX));
    }
    found
}

fn compare(section: &'static str, asked: &DependencyMap, locked: &DependencyMap, found: &mut Vec<Disagreement>) {
    let names = asked.keys().chain(locked.keys().filter(|name| !asked.contains_key(*name)));
    for name in names {
        let (manifest, lock) = (asked.get(name), locked.get(name));
        if manifest != lock {
            let (manifest, lock) = (manifest.cloned(), lock.cloned());
            found.push(Disagreement::Asked { section, name: name.clone(), manifest, lock });
        }
    }
}
