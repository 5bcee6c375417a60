//! A `node_modules` that is not on the disk: a layer of the guest filesystem that shows the packages of the store where the
//! lockfile says that they are.
//!
//! # Contract
//! [`VirtualTree`] shows what the hoisted linker would have written: the same names, contents, executable bits and links,
//! without the two descriptions that an installation leaves for the next one. It never writes. Everything in it is as
//! old as npm's tarballs ([`Layer::metadata`](atoll_vfs::Layer::metadata) gives all of it one time), because what is in
//! a package of one integrity does not change.
//!
//! # What is read when
//! The structure down to the packages (`nodes`) comes from the lockfile alone, or from what the installation has worked out of
//! it and kept (`recipe`), which spares reading the lockfile as JSON. A package's index is read from the store
//! when a path first leads into it (`contents`), and says all that `stat` and listings need; only contents of files are
//! read from files.
//!
//! # Belief
//! The store decides which packages are believed. A package that is gone, a pack that is not the one whose index was read, and an
//! unpacked file that is not what its index says, is `EIO` to the guest. Whoever opened the tree is told the
//! package's name, and the store's copy is taken out, so that the next installation fetches it again.

mod contents;
mod file;
mod layer;
mod nodes;
pub(crate) mod recipe;

use std::{
    collections::HashSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use contents::Shelf;
use nodes::{LockedPackage, Nodes, PackageId, Unfit};
use recipe::Recipe;

use crate::{
    link::state::{Installed, Virtual, lock_digest},
    lock::{self, InstallPath, LockError, Lockfile},
    store::{MachineKey, Registration, Store, StoreError},
    threads,
};

/// The user's directories, as in [`InstallOptions`](crate::install::InstallOptions).
#[derive(Clone, Copy, Debug)]
pub struct UserDirs<'a> {
    /// The package store.
    pub store: &'a Path,
    /// The cache.
    pub cache: &'a Path,
    /// The state, with the machine key.
    pub state: &'a Path,
}

/// Hears of packages that are gone or changed: name and version.
type OnDamage = dyn Fn(&str) + Send + Sync;

/// A project's packages as a layer, to be mounted at its `node_modules`.
pub struct VirtualTree {
    nodes: Nodes,
    packages: Box<[LockedPackage]>,
    shelf: Shelf,
    store: Store,
    /// Number that tells this tree's files from those of all others.
    device: u64,
    /// User and group that everything belongs to: who runs this process.
    owner: (u32, u32),
    on_damage: Box<OnDamage>,
    /// Packages of which it was told.
    damaged: Box<[AtomicBool]>,
    /// The store collects nothing of this as long as the tree is there.
    _kept: Registration,
}

/// Why a project's packages cannot be shown. `atoll install` helps with each of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VirtualTreeError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The lockfile was changed, or removed, since the installation.
    #[error("the packages of {project} were installed by another package-lock.json than the one that is there now")]
    Stale {
        /// The project's folder.
        project: PathBuf,
    },
    /// The lockfile cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It asks for something that there can be no such tree of.
    #[error("package-lock.json: {problem}")]
    Unfit {
        /// Which package, and what is wrong with it.
        problem: String,
    },
    /// The store has not what was installed.
    #[error("{package} is not in the package store any more")]
    Missing {
        /// Name and version of the first one.
        package: String,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unfit> for VirtualTreeError {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit { problem: unfit.to_string() }
    }
}

impl VirtualTree {
    /// Whether a project's packages were installed to be shown by such a tree. Reads the beginning of a small file.
    pub fn is_installed(project: &Path) -> bool {
        Virtual::read(project).is_some()
    }

    /// The tree of a project whose packages were installed for it; `None` for a project whose `node_modules` is what is
    /// on the disk. `on_damage` hears, once each, of packages that turn out to be gone from the store or changed when a
    /// guest asks for them; it must be quick.
    ///
    /// Looks whether the store has each package: one system call each.
    ///
    /// # Errors
    /// See [`VirtualTreeError`].
    pub fn of_project(
        project: &Path,
        user: &UserDirs<'_>,
        on_damage: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Option<Self>, VirtualTreeError> {
        let Some(Virtual { inputs, lock: installed }) = Virtual::read(project) else { return Ok(None) };
        let stale = || VirtualTreeError::Stale { project: project.to_path_buf() };
        let path = project.join(lock::FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(stale()),
            Err(source) => return Err(VirtualTreeError::Io { path, source }),
        };
        if lock_digest(&text) != installed {
            return Err(stale());
        }
        let key = MachineKey::open(user.state)
            .map_err(|source| VirtualTreeError::Io { path: user.state.to_path_buf(), source })?;
        let recipe = match Recipe::read(user.cache, &key, &inputs, &installed) {
            Some(recipe) => recipe,
            None => recipe_of(project, &text)?.ok_or_else(stale)?,
        };
        let (nodes, packages) = Nodes::new(&recipe)?;
        let store = Store::open(user.store, key)?;
        // Before the look: what is there then stays there.
        let registration = store.register(project, packages.iter().map(|package| &package.integrity))?;
        if let Some(missing) = first_missing(&store, &packages) {
            return Err(VirtualTreeError::Missing { package: missing.label.to_string() });
        }
        Ok(Some(Self::new(nodes, packages, store, registration, Box::new(on_damage))))
    }

    fn new(
        nodes: Nodes,
        packages: Vec<LockedPackage>,
        store: Store,
        registration: Registration,
        on_damage: Box<OnDamage>,
    ) -> Self {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let (shelf, device) = (Shelf::new(packages.len()), atoll_vfs::next_device());
        let damaged = packages.iter().map(|_| AtomicBool::new(false)).collect();
        Self { nodes, packages: packages.into(), shelf, store, device, owner, on_damage, damaged, _kept: registration }
    }

    /// The store's copy of a package is not what it was: tells of it once, and takes it out of the store.
    fn report_damage(&self, package: PackageId) {
        let locked = &self.packages[package as usize];
        if !self.damaged[package as usize].swap(true, Ordering::Relaxed) {
            // Where it can't be taken out, the next installation finds it as it is, or says why not.
            let _ = self.store.evict(&locked.integrity);
            (self.on_damage)(&locked.label);
        }
    }
}

/// The recipe of a lockfile's text, for what was installed of it; `None` where it has not all of that.
fn recipe_of(project: &Path, lock_text: &str) -> Result<Option<Recipe>, VirtualTreeError> {
    let lock = Lockfile::parse(lock::FILE_NAME, lock_text)?;
    let listed = Installed::read_marker(project).marker.map(|marker| marker.packages).unwrap_or_default();
    let wanted: HashSet<&str> = listed.iter().map(String::as_str).collect();
    let wanted: Vec<_> = lock.packages.iter().filter(|(path, _)| wanted.contains(path.as_str())).collect();
    if wanted.len() != listed.len() {
        return Ok(None);
    }
    // Which scripts did not run was said when they did not.
    let recipe = Recipe::new(&wanted, lock.packages.get(&InstallPath::ROOT), |_| false);
    recipe.map(Some).map_err(|error| VirtualTreeError::Unfit { problem: error.to_string() })
}

/// Whether a recipe's packages are all in the store, believed or not.
pub(crate) fn is_in_store(store: &Store, recipe: &Recipe) -> bool {
    Nodes::new(recipe).is_ok_and(|(_, packages)| first_missing(store, &packages).is_none())
}

/// One of the packages that are not in the store, if there are any.
fn first_missing<'p>(store: &Store, packages: &'p [LockedPackage]) -> Option<&'p LockedPackage> {
    let are_there = threads::map(packages, &|package| store.contains(&package.integrity));
    packages.iter().zip(are_there).find_map(|(package, is_there)| (!is_there).then_some(package))
}

impl fmt::Debug for VirtualTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("VirtualTree");
        shown.field("nodes", &self.nodes.count()).field("packages", &self.packages.len()).finish_non_exhaustive()
    }
}
