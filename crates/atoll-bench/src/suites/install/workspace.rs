//! The directories in which managers install, and what becomes of old ones.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::managers::{Place, lockfile};
use crate::error::BenchError;
use crate::registry;
use crate::stats::median;
use crate::systems::System;

/// A filesystem with less space than this is cleared before it is measured on: a cold install takes about a gigabyte.
const MIN_FREE_BYTES: u64 = 12 << 30;
/// Likewise with fewer files than this to make: it takes up to 330,000.
const MIN_FREE_FILES: u64 = 500_000;
/// Directories made to see how long that takes, and what the median may be: some kernels look past inodes that were freed
/// a moment ago, so that everything takes long for a while after much was deleted.
const PROBES: u32 = 200;
const QUICK_MKDIR: Duration = Duration::from_micros(60);
/// Pause between two looks, and longest wait. What is still slow then is slow by itself.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);
const SETTLE_TIMEOUT: Duration = Duration::from_mins(3);

/// `target/bench/install`.
#[derive(Debug)]
pub(super) struct Workspace {
    root: PathBuf,
    moved: RefCell<u64>,
    /// What is in memory, and is not read again.
    remembered: RefCell<Vec<PathBuf>>,
}

impl Workspace {
    /// An empty one; what an earlier run left is deleted.
    pub(super) fn new(root: PathBuf) -> Result<Self, BenchError> {
        if root.exists() {
            fs::remove_dir_all(&root).map_err(failed(&root))?;
        }
        make_directory(&root.join("aside"))?;
        let workspace = Self { root, moved: RefCell::new(0), remembered: RefCell::default() };
        workspace.settle()?;
        Ok(workspace)
    }

    pub(super) fn place(&self, project: &str, system: &str) -> Place {
        Place::new(self.root.join(project).join(system))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Moves something out of the way, if it is there. Nothing is deleted between runs: the next one would pay for it.
    pub(super) fn move_aside(&self, path: &Path) -> Result<(), BenchError> {
        let mut moved = self.moved.borrow_mut();
        *moved += 1;
        let aside = self.root.join(format!("aside/{moved}"));
        match fs::rename(path, &aside) {
            Ok(()) => {
                self.remembered.borrow_mut().push(aside);
                Ok(())
            }
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(BenchError::File { path: path.to_owned(), source }),
        }
    }

    /// What a cold run made in this place need not stay in memory: it is moved aside before the next one, but all systems'
    /// together would fill the memory until then.
    pub(super) fn is_done_with(&self, place: &Place) {
        self.remembered.borrow_mut().extend([place.home(), place.node_modules()]);
    }

    /// A project without anything but its `package.json`, and a home with nothing but where the registry is.
    pub(super) fn empty(&self, place: &Place, system: &System, manifest: &Path) -> Result<(), BenchError> {
        self.move_aside(&place.node_modules())?;
        self.move_aside(&place.project().join(lockfile(system)))?;
        self.move_aside(&place.home())?;
        make_directory(&place.project())?;
        make_directory(&place.home())?;
        let to = place.project().join("package.json");
        fs::copy(manifest, &to).map_err(failed(&to))?;
        let npmrc = place.home().join(".npmrc");
        fs::write(&npmrc, format!("registry={}\n", registry::origin())).map_err(failed(&npmrc))
    }

    /// Writes out what is in memory only: it would be written while the next one is measured. What is not read again is then
    /// taken out of the page cache: where that has filled the memory, the next one would pay for each page that it needs.
    pub(super) fn sync(&self) -> Result<(), BenchError> {
        let directory = fs::File::open(&self.root).map_err(failed(&self.root))?;
        rustix::fs::syncfs(&directory).map_err(|error| failed(&self.root)(error.into()))?;
        // Some of it was moved aside since, and is remembered by its new name, too.
        self.remembered.take().iter().filter(|path| path.exists()).try_for_each(|path| forget(path))
    }

    /// Deletes what was moved aside where space is short.
    pub(super) fn make_room(&self) -> Result<(), BenchError> {
        let space = rustix::fs::statvfs(&self.root).map_err(|error| failed(&self.root)(error.into()))?;
        // A file system without a table of files, as btrfs, says that it has none.
        let are_files_short = space.f_files > 0 && space.f_favail < MIN_FREE_FILES;
        let is_short = are_files_short || space.f_bavail * space.f_frsize < MIN_FREE_BYTES;
        if is_short { self.clear() } else { Ok(()) }
    }

    /// Deletes what was moved aside, and waits until that is over.
    pub(super) fn clear(&self) -> Result<(), BenchError> {
        self.delete()?;
        self.settle()
    }

    fn delete(&self) -> Result<(), BenchError> {
        let aside = self.root.join("aside");
        self.remembered.borrow_mut().clear();
        fs::remove_dir_all(&aside).map_err(failed(&aside))?;
        make_directory(&aside)
    }

    /// Waits until new directories take no longer than they should.
    fn settle(&self) -> Result<(), BenchError> {
        self.sync()?;
        let started = Instant::now();
        loop {
            let took = self.probe()?;
            if took <= QUICK_MKDIR || started.elapsed() > SETTLE_TIMEOUT {
                eprintln!(
                    "mkdir takes {:.0} µs, {} s after the deletion",
                    took.as_secs_f64() * 1e6,
                    started.elapsed().as_secs()
                );
                return Ok(());
            }
            sleep(SETTLE_PAUSE);
        }
    }

    /// The median time of a `mkdir`. The directories stay until the next time.
    fn probe(&self) -> Result<Duration, BenchError> {
        let mut moved = self.moved.borrow_mut();
        *moved += 1;
        let directory = self.root.join(format!("aside/{moved}"));
        make_directory(&directory)?;
        let mut times = Vec::new();
        for number in 0..PROBES {
            let path = directory.join(number.to_string());
            let started = Instant::now();
            fs::create_dir(&path).map_err(failed(&path))?;
            times.push(started.elapsed().as_secs_f64());
        }
        Ok(Duration::from_secs_f64(median(&times).unwrap_or_default()))
    }
}

/// Has the kernel forget the content of files, in a file or a directory.
fn forget(path: &Path) -> Result<(), BenchError> {
    let kind = fs::symlink_metadata(path).map_err(failed(path))?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path).map_err(failed(path))? {
            forget(&entry.map_err(failed(path))?.path())?;
        }
    } else if kind.is_file() {
        let file = fs::File::open(path).map_err(failed(path))?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|error| failed(path)(error.into()))?;
    }
    Ok(())
}

pub(super) fn make_directory(path: &Path) -> Result<(), BenchError> {
    fs::create_dir_all(path).map_err(failed(path))
}

pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
    let path = path.to_owned();
    |source| BenchError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Workspace;

    #[test]
    fn what_is_moved_aside_is_deleted_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let workspace = Workspace::new(directory.path().join("install")).expect("made");
        let old = workspace.root().join("old");
        fs::create_dir(&old).expect("writable");
        fs::write(old.join("file"), "content").expect("writable");
        workspace.move_aside(&old).expect("moved");
        let place = workspace.place("project", "system");
        fs::create_dir_all(place.node_modules()).expect("writable");
        workspace.is_done_with(&place);
        workspace.move_aside(&place.node_modules()).expect("moved");
        workspace.sync().expect("written and forgotten");
        assert!(workspace.remembered.borrow().is_empty());
        workspace.move_aside(&old).expect("what is not there needs not be moved");
        assert!(!old.exists());
        let aside = || fs::read_dir(workspace.root().join("aside")).expect("there").count();
        assert!(aside() > 0);
        workspace.delete().expect("deleted");
        assert_eq!(aside(), 0);
    }
}
