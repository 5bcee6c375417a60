//! What a lockfile says of the tree, as far as the tree and its installation need it: worked out once, and kept in the
//! user's cache.
//!
//! A recipe is kept for the inputs of an installation that changed neither `package.json` nor the lockfile: to resolve the
//! same inputs again would give the same lockfile, so whoever finds a recipe need not even parse that. It is believed
//! with a proof made by this machine for these inputs and this lockfile's text, as the packages are.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    integrity::Integrity,
    kept::Kept,
    link::bins,
    lock::{InstallPath, LockEntry, in_tarballs},
    plan::{LinkOut, link_target},
    store::MachineKey,
};

/// Where recipes are kept. One takes some 150 bytes a package.
const RECIPES: Kept = Kept { folder: "virtual-v1", purpose: "atoll virtual recipe 1" };

/// A tree without anything that is in packages.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// Parents before what is nested in them.
    pub(crate) packages: Vec<RecipePackage>,
    /// Install paths of links, and their texts.
    pub(crate) links: Vec<(Box<str>, Box<str>)>,
    /// Install paths of bundled packages, which come with their dependents.
    pub(crate) bundled: Vec<Box<str>>,
    /// `.bin` folders: the install path of the package that each is in, names of commands, texts of links.
    pub(crate) bins: Vec<(Box<str>, bins::Commands)>,
    /// Name and version of packages whose scripts are not allowed.
    pub(crate) scripts_refused: Vec<String>,
    /// Name and version of packages whose scripts are allowed, and left out all the same.
    pub(crate) scripts_left_out: Vec<String>,
}

/// A package with an entry of its own in the store.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecipePackage {
    pub(crate) path: Box<str>,
    /// Name and version, for messages.
    pub(crate) label: Box<str>,
    /// As in the lockfile; empty where that has none.
    pub(crate) integrity: Box<str>,
    /// Files that its commands run, relative to the package.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) commands: Vec<Box<str>>,
}

impl Recipe {
    /// What the packages' tarballs hash to, as far as that can be understood.
    pub(crate) fn integrities(&self) -> impl Iterator<Item = Integrity> {
        self.packages.iter().filter_map(|package| Integrity::parse(&package.integrity).ok())
    }

    /// The tree of these packages. `scripts_allowed` decides about a package by its published name.
    pub(crate) fn new(
        wanted: &[(&InstallPath, &LockEntry)],
        root: Option<&LockEntry>,
        scripts_allowed: impl Fn(&str) -> bool,
    ) -> Result<Self, LinkOut> {
        let (mut recipe, in_tarballs) = (Self::default(), in_tarballs(wanted));
        for (path, entry) in wanted {
            let label = || format!("{}@{}", entry.package_name(path), entry.version.as_deref().unwrap_or("?"));
            let place = path.as_str().into();
            if in_tarballs.contains(path.as_str()) {
                recipe.bundled.push(place);
                continue;
            }
            if entry.link {
                let target = link_target(path, entry).ok_or_else(|| LinkOut(path.to_string()))?;
                recipe.links.push((place, target.into()));
                continue;
            }
            if entry.has_install_script {
                let is_allowed = scripts_allowed(entry.package_name(path));
                let list = if is_allowed { &mut recipe.scripts_left_out } else { &mut recipe.scripts_refused };
                list.push(label());
            }
            recipe.packages.push(RecipePackage {
                path: place,
                label: label().into(),
                integrity: entry.integrity.as_deref().unwrap_or_default().into(),
                commands: bins::safe_bins(entry).map(|(_, target)| target.into()).collect(),
            });
        }
        let depth = |path: &str| path.matches("node_modules/").count();
        recipe.packages.sort_by(|one, other| (depth(&one.path), &one.path).cmp(&(depth(&other.path), &other.path)));
        let bins = bins::commands(wanted.iter().copied(), root).into_iter();
        recipe.bins = bins.map(|(path, commands)| (path.as_str().into(), commands)).collect();
        Ok(recipe)
    }

    /// Install paths of everything.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let packages = self.packages.iter().map(|package| &*package.path);
        packages.chain(self.links.iter().map(|(path, _)| &**path)).chain(self.bundled.iter().map(|path| &**path))
    }

    /// The recipe for these inputs and this lockfile, both as digests, if there is one that can be believed.
    pub(crate) fn read(cache_dir: &Path, key: &MachineKey, inputs: &str, lock: &str) -> Option<Self> {
        serde_json::from_str(&RECIPES.read(cache_dir, key, inputs, lock)?).ok()
    }

    /// Keeps it. A failure only means that it is worked out again.
    pub(crate) fn write(&self, cache_dir: &Path, key: &MachineKey, inputs: &str, lock: &str) -> io::Result<()> {
        RECIPES.write(cache_dir, key, (inputs, lock), &serde_json::to_string(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&dir.path().join("state")).unwrap();
        let recipe = Recipe {
            packages: vec![RecipePackage {
                path: "node_modules/a".into(),
                label: "a@1".into(),
                integrity: "sha1-x".into(),
                commands: vec!["a.js".into()],
            }],
            links: vec![("node_modules/l".into(), "../a".into())],
            bundled: vec!["node_modules/a/node_modules/b".into()],
            ..Recipe::default()
        };
        recipe.write(dir.path(), &key, "inputs", "lock").unwrap();
        assert_eq!(Recipe::read(dir.path(), &key, "inputs", "lock").as_ref(), Some(&recipe));
        assert_eq!(Recipe::read(dir.path(), &key, "inputs", "other"), None);
        let paths: Vec<_> = recipe.paths().collect();
        assert_eq!(paths, ["node_modules/a", "node_modules/l", "node_modules/a/node_modules/b"]);
    }
}
