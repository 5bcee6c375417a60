//! What will be in `node_modules`, by the way in which it is laid out.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::bin_folder;
use crate::{
    isolated::Layout,
    link::{Links, bins, state::Linked, unit_of},
    lock::{InstallPath, LockEntry},
};

/// Everything that will be there, however it is laid out.
#[derive(Debug)]
pub(crate) enum Shape<'a> {
    /// As npm does it.
    Hoisted {
        /// In the lockfile's order; for npm's description.
        installed: Vec<(&'a InstallPath, &'a LockEntry)>,
        root: Option<&'a LockEntry>,
    },
    /// As pnpm does it.
    Isolated(Layout<'a>),
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self::Hoisted { installed: Vec::new(), root: None }
    }
}

impl<'a> Shape<'a> {
    /// What npm describes, but for what is dropped; `None` where nothing is laid out as npm does it.
    pub(crate) fn described(&self, dropped: &HashSet<&str>) -> Option<Vec<(&'a InstallPath, &'a LockEntry)>> {
        match self {
            Self::Hoisted { installed, .. } => {
                Some(installed.iter().copied().filter(|(path, _)| !is_within(path.as_str(), dropped)).collect())
            }
            Self::Isolated(_) => None,
        }
    }

    /// Where packages are, without those that are dropped, and what else is to be remembered of how they are put in place.
    pub(crate) fn packages(&self, dropped: &HashSet<&str>) -> (Vec<String>, Linked) {
        match self {
            Self::Hoisted { .. } => {
                let packages = self.described(dropped).into_iter().flatten();
                (packages.map(|(path, _)| path.as_str().to_owned()).collect(), Linked::Hoisted)
            }
            Self::Isolated(layout) => {
                let packages = layout.packages.iter().filter(|package| !dropped.contains(unit_of(&package.place)));
                let integrity = |entry: &LockEntry| entry.integrity.clone().unwrap_or_default();
                let contents: HashMap<String, String> =
                    packages.clone().map(|package| (package.place.clone(), integrity(package.entry))).collect();
                let places = packages.map(|package| package.place.clone()).collect();
                (places, Linked::Isolated { contents, folders: layout.watched(dropped) })
            }
        }
    }

    /// The commands by `.bin` folder, without packages that are dropped and without folders in them.
    pub(crate) fn commands(&self, dropped: &HashSet<&str>) -> BTreeMap<String, Links> {
        match self {
            Self::Hoisted { root, .. } => {
                let commands = bins::commands(self.described(dropped).into_iter().flatten(), *root);
                commands.into_iter().map(|(path, commands)| (bin_folder(&path), commands)).collect()
            }
            Self::Isolated(layout) => layout.commands(dropped),
        }
    }

    /// Links, by path, that lead to what is dropped.
    pub(crate) fn links_to(&self, dropped: &HashSet<&str>) -> Vec<String> {
        match self {
            Self::Hoisted { installed, .. } => {
                let links = installed.iter().filter(|(_, entry)| entry.link);
                let is_gone = |entry: &LockEntry| entry.resolved.as_deref().is_some_and(|to| is_within(to, dropped));
                links.filter(|(_, entry)| is_gone(entry)).map(|(path, _)| path.as_str().to_owned()).collect()
            }
            Self::Isolated(layout) => layout.links_to(dropped),
        }
    }
}

/// Whether a path is one of these, or inside one.
pub(crate) fn is_within(path: &str, roots: &HashSet<&str>) -> bool {
    !roots.is_empty()
        && path.match_indices('/').map(|(end, _)| end).chain([path.len()]).any(|end| roots.contains(&path[..end]))
}
