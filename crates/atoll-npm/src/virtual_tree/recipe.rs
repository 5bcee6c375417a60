//! What a lockfile says of the tree, as far as the tree and its installation need it: worked out once, and kept in the
//! user's cache.
//!
//! A recipe is kept for the inputs of an installation that changed neither `package.json` nor the lockfile: to resolve the
//! same inputs again would give the same lockfile, so whoever finds a recipe need not even parse that. It is believed
//! with a proof made by this machine for these inputs and this lockfile's text, as the packages are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    integrity::Integrity,
    link::bins,
    lock::{InstallPath, LockEntry, in_tarballs},
    plan::{LinkOut, link_target},
    store::{MachineKey, PROOF_BYTES, sweep, unique_name},
};

/// Folder in the user's cache.
const FOLDER: &str = "virtual-v1";
/// What the proofs of recipes are for.
const PURPOSE: &str = "atoll virtual recipe 1";
/// Largest recipe that is read: 64 MiB, as of the marker, which has a line where this has some.
const RECIPE_BYTES_MAX: u64 = 64 << 20;

/// Recipes that are kept; the oldest go first. One takes some 150 bytes a package.
const RECIPES_MAX: usize = 256;

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
        let path = place(cache_dir, inputs);
        if fs::metadata(&path).ok()?.len() > RECIPE_BYTES_MAX {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (proof, text) = bytes.split_at_checked(PROOF_BYTES)?;
        if !key.believes(proof, PURPOSE, &[inputs.as_bytes(), lock.as_bytes(), text]) {
            return None;
        }
        serde_json::from_slice(text).ok()
    }

    /// Keeps it. A failure only means that it is worked out again.
    pub(crate) fn write(&self, cache_dir: &Path, key: &MachineKey, inputs: &str, lock: &str) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let mut bytes = key.prove(PURPOSE, &[inputs.as_bytes(), lock.as_bytes(), &text]).to_vec();
        bytes.extend_from_slice(&text);
        let stage = cache_dir.join(FOLDER).join("stage");
        fs::create_dir_all(&stage)?;
        sweep(&stage);
        make_room(&cache_dir.join(FOLDER))?;
        let temporary = stage.join(unique_name());
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, place(cache_dir, inputs)).inspect_err(|_| {
            // Nothing more can be done about the file that could not take its name.
            let _ = fs::remove_file(&temporary);
        })
    }
}

/// Where the recipe for these inputs is. A digest that was read from somewhere may be any text.
fn place(cache_dir: &Path, inputs: &str) -> PathBuf {
    cache_dir.join(FOLDER).join(blake3::hash(inputs.as_bytes()).to_hex().as_str())
}

/// Removes the oldest recipes until there is room for one more.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut recipes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if metadata.is_file() {
            recipes.push((metadata.modified()?, path));
        }
    }
    recipes.sort_unstable();
    let surplus = (recipes.len() + 1).saturating_sub(RECIPES_MAX);
    recipes.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_machine_wrote_for_this_lockfile_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, key) = (dir.path().join("cache"), MachineKey::open(&dir.path().join("state")).unwrap());
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
        assert_eq!(Recipe::read(&cache, &key, "inputs", "lock"), None);
        recipe.write(&cache, &key, "inputs", "lock").unwrap();
        assert_eq!(Recipe::read(&cache, &key, "inputs", "lock").as_ref(), Some(&recipe));
        assert_eq!(Recipe::read(&cache, &key, "inputs", "other"), None);
        assert_eq!(Recipe::read(&cache, &key, "other", "lock"), None);
        let other = MachineKey::open(&dir.path().join("other")).unwrap();
        assert_eq!(Recipe::read(&cache, &other, "inputs", "lock"), None);
        let paths: Vec<_> = recipe.paths().collect();
        assert_eq!(paths, ["node_modules/a", "node_modules/l", "node_modules/a/node_modules/b"]);
        fs::copy(place(&cache, "inputs"), place(&cache, "moved")).unwrap();
        assert_eq!(Recipe::read(&cache, &key, "moved", "lock"), None);
    }

    #[test]
    fn the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&dir.path().join("state")).unwrap();
        for number in 0..RECIPES_MAX + 3 {
            Recipe::default().write(dir.path(), &key, &number.to_string(), "lock").unwrap();
        }
        let kept = (0..RECIPES_MAX + 3).filter(|number| place(dir.path(), &number.to_string()).exists());
        assert_eq!(kept.count(), RECIPES_MAX);
        assert!(Recipe::read(dir.path(), &key, &(RECIPES_MAX + 2).to_string(), "lock").is_some());
    }
}
