//! Builds what the plan asks for beside the project, then puts it in place.
//!
//! # Contract
//! A `Stage` is a folder on the same file system as `node_modules`. Packages are built in it under their install
//! paths, their scripts run there, and nothing of the project changes until `Stage::commit`. Dropping a stage, which
//! is what cancelling an installation does, removes it: the project is as before.
//!
//! # What is atomic, and what is repaired
//! A first installation moves the whole `node_modules` in with one rename. A later one moves the packages that changed,
//! one rename each. `package.json`, `package-lock.json` and the descriptions in `node_modules` follow in the same list.
//! The list is journaled (`commit`): a process killed before the journal is written has changed nothing; one killed
//! after it has done some of the renames, and the next installation in this project does the rest before anything else.
//! Either way the leftover stage is removed then.
//!
//! # One at a time
//! An installation holds an advisory lock on the project's folder from before it looks to after it is done, so that two
//! never share a stage. The lock goes with its process, however that ends.
//!
//! # Belief
//! The store's indexes are believed, its files are not: each is compared with its index when it is linked (`place`). A tree
//! with a file that is something else is never committed; its package is fetched again.

pub(crate) mod bins;
pub(crate) mod build;
pub(crate) mod commit;
pub(crate) mod place;
pub(crate) mod state;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use place::Method;

use crate::{integrity::Integrity, lock::InstallPath, store::MachineKey};

/// Name of the stage, in the project or in its `node_modules`.
const STAGE_NAME: &str = ".atoll-stage";
/// The tree in the making, in the stage.
const TREE: &str = "tree";

/// The folder of pnpm's layout that has a folder for each package.
pub(crate) const INSTANCES: &str = "node_modules/.pnpm";
/// The folder of pnpm's layout that has links to one version of everything.
pub(crate) const HOISTED: &str = "node_modules/.pnpm/node_modules";

/// One package to build.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Where it goes, relative to the tree.
    pub(crate) place: String,
    /// Its key in the lockfile, or one of them.
    pub(crate) path: InstallPath,
    /// What it is, for errors.
    pub(crate) package: String,
    /// What the store has it under.
    pub(crate) integrity: Integrity,
    /// Its files must not be shared with the store, because its scripts will write to them.
    pub(crate) private: bool,
    /// Folders among its files that are left out, relative to the package: some are published with a `node_modules` that
    /// nobody asked for, and what was resolved goes there or would be hidden.
    pub(crate) without: Vec<String>,
    /// Files, relative to the package, that its commands run.
    pub(crate) commands: Vec<String>,
}

/// Name to text of symbolic links. A scope is a part of a name: `@scope/name`.
pub(crate) type Links = BTreeMap<String, String>;

/// A folder in which links are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkFolder {
    /// Relative to the tree.
    pub(crate) path: String,
    pub(crate) links: Links,
}

/// The folder that belongs to one package alone, given where the package is. In pnpm's layout that has the links beside it,
/// too.
pub(crate) fn unit_of(place: &str) -> &str {
    let inside = place.strip_prefix(INSTANCES).and_then(|rest| rest.strip_prefix('/'));
    match inside.and_then(|rest| rest.find('/')) {
        Some(end) => &place[..INSTANCES.len() + 1 + end],
        None => place,
    }
}

/// Why a tree could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Files of a package in the store went away or changed, each time that it was fetched again.
    #[error("the stored copy of {package} keeps changing")]
    Damaged {
        /// Name and version.
        package: String,
    },
    /// The store cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The project's file system does not do what it was asked.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The installation was cancelled.
    #[error("the installation was cancelled")]
    Cancelled,
}

/// A project, locked.
#[derive(Debug)]
pub(crate) struct Project {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Holds the advisory lock.
    _lock: File,
}

/// Where a tree is being built. See the module's description.
#[derive(Debug)]
pub(crate) struct Stage {
    dir: PathBuf,
    /// `node_modules` does not exist yet and will be moved in whole.
    is_first: bool,
    cancelled: AtomicBool,
    /// Keeps the project locked as long as there is a stage, even when that outlives a cancelled installation.
    project: Arc<Project>,
}

impl Project {
    /// Locks a project, without waiting: `None` when another process has it.
    pub(crate) fn try_lock(dir: &Path) -> io::Result<Option<Self>> {
        let lock = File::open(dir)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { dir: dir.to_path_buf(), _lock: lock })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Locks a project, waiting for as long as another process has it.
    pub(crate) fn lock(dir: &Path) -> io::Result<Self> {
        let lock = File::open(dir)?;
        lock.lock()?;
        Ok(Self { dir: dir.to_path_buf(), _lock: lock })
    }

    /// The process that has a project locked, as far as the system tells.
    pub(crate) fn holder(dir: &Path) -> Option<u32> {
        atoll_sys::locks::flock_holder(File::open(dir).ok()?)
    }

    /// Whether killed installations left something.
    pub(crate) fn has_leftovers(&self) -> io::Result<bool> {
        Ok(commit::exists(&self.dir.join(STAGE_NAME))?
            || self.has_modules() && commit::exists(&self.dir.join("node_modules").join(STAGE_NAME))?)
    }

    /// Finishes or discards what killed installations left. `true` when something was finished.
    pub(crate) fn recover(&self, key: &MachineKey) -> io::Result<bool> {
        let mut repaired = commit::recover(&self.dir, &self.dir.join(STAGE_NAME), key)?;
        if self.has_modules() {
            repaired |= commit::recover(&self.dir, &self.dir.join("node_modules").join(STAGE_NAME), key)?;
        }
        Ok(repaired)
    }

    /// Whether there is a `node_modules`. A link is none: it would lead out of the project, and is replaced as by npm.
    pub(crate) fn has_modules(&self) -> bool {
        fs::symlink_metadata(self.dir.join("node_modules")).is_ok_and(|metadata| metadata.is_dir())
    }
}

impl Stage {
    /// A new, empty stage. There is none left from before: [`Project::recover`] saw to that.
    pub(crate) fn new(project: &Arc<Project>) -> io::Result<Arc<Self>> {
        let is_first = !project.has_modules();
        let parent = if is_first { project.dir.clone() } else { project.dir.join("node_modules") };
        let stage = Self::within(&parent, project, is_first)?;
        fs::create_dir_all(stage.tree().join("node_modules"))?;
        Ok(Arc::new(stage))
    }

    /// A stage for files of the project that leaves `node_modules` alone; see [`Stage::commit_files`].
    pub(crate) fn of_files(project: &Arc<Project>) -> io::Result<Self> {
        Self::within(&project.dir, project, false)
    }

    fn within(parent: &Path, project: &Arc<Project>, is_first: bool) -> io::Result<Self> {
        let dir = parent.join(STAGE_NAME);
        fs::create_dir(&dir)?;
        Ok(Self { dir, is_first, cancelled: AtomicBool::new(false), project: Arc::clone(project) })
    }

    /// The folder that stands for the project.
    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.join(TREE)
    }

    /// Makes the threads that build in this stage stop soon.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether nobody wants what is built here any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Lets what was built find packages of pnpm's layout that stay where they are, by links that have to be taken out again: they are
    /// what is returned. In npm's layout whoever looks from the stage comes past the packages that stay.
    pub(crate) fn lend(&self, kept: &[String]) -> io::Result<Vec<PathBuf>> {
        let mut lent = Vec::with_capacity(kept.len());
        for place in kept {
            // Links that change may be in the stage already, beside the package or in it.
            for path in [unit_of(place), place] {
                let link = self.tree().join(path);
                if let Some(parent) = link.parent() {
                    fs::create_dir_all(parent)?;
                }
                // Out of the tree, the stage and the `node_modules` that it is in.
                let text = format!("{}{path}", "../".repeat(path.matches('/').count() + 3));
                match symlink(text, &link) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    other => {
                        other?;
                        lent.push(link);
                        break;
                    }
                }
            }
        }
        Ok(lent)
    }

    /// Empties the tree, for another try.
    pub(crate) fn clear(&self) -> io::Result<()> {
        fs::remove_dir_all(self.tree())?;
        fs::create_dir_all(self.tree().join("node_modules"))
    }

    /// Writes a file into the tree; a [`Stage::commit`] puts it in place.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let path = self.tree().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)
    }

    /// Puts files in place, and nothing else.
    pub(crate) fn commit_files(
        &self,
        mut journal: commit::Journal,
        files: &[&str],
        key: &MachineKey,
    ) -> Result<(), LinkError> {
        for path in files {
            journal.place(format!("{TREE}/{path}"), *path);
        }
        let project = &self.project.dir;
        journal.commit(project, &self.dir, key).map_err(|source| LinkError::Write { path: project.clone(), source })
    }

    /// Puts the tree in place: takes `remove` away, then puts what was built, and `files`, where they belong.
    pub(crate) fn commit(
        &self,
        mut journal: commit::Journal,
        changes: &Changes<'_>,
        key: &MachineKey,
    ) -> Result<usize, LinkError> {
        let in_tree = |path: &str| format!("{TREE}/{path}");
        if self.is_first {
            journal.place(in_tree("node_modules"), "node_modules");
        } else {
            // While these two are missing, nobody believes anything about the folder.
            journal.remove(state::MARKER);
            journal.remove(state::HIDDEN_LOCK);
            for path in changes.remove {
                journal.remove(path);
            }
            for path in changes.place {
                journal.place(in_tree(path), path);
            }
        }
        for path in changes.files {
            journal.place(in_tree(path), *path);
        }
        if !self.is_first {
            // Where npm's description would describe nothing, there is none.
            if self.tree().join(state::HIDDEN_LOCK).is_file() {
                journal.place(in_tree(state::HIDDEN_LOCK), state::HIDDEN_LOCK);
            }
            journal.place(in_tree(state::MARKER), state::MARKER);
        }
        let project = &self.project.dir;
        let wrap = |source| LinkError::Write { path: project.join("node_modules"), source };
        journal.commit(project, &self.dir, key).map_err(wrap)?;
        for path in changes.remove {
            remove_empty_parents(project, path);
        }
        state::touch(project).map_err(wrap)?;
        Ok(journal.len())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next installation.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What a commit changes, as paths relative to the project.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    /// Taken away.
    pub(crate) remove: &'a [String],
    /// Built, and put in place: folders and links of which none is inside another.
    pub(crate) place: &'a [String],
    /// Files.
    pub(crate) files: &'a [&'a str],
}

/// Removes folders that a removal left empty: a scope, a nested `node_modules` with its `.bin`. Stops at the first that is
/// not empty.
fn remove_empty_parents(project: &Path, path: &str) {
    let modules = project.join("node_modules");
    let mut at = project.join(path);
    while at.pop() && at != modules && at.starts_with(&modules) {
        // An empty `.bin` would keep its folder alive.
        let _ = fs::remove_dir(at.join(".bin"));
        if fs::remove_dir(&at).is_err() {
            return;
        }
    }
}
