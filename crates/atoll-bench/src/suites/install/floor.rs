//! What the system calls of an install take without an installer: the floor that a warm install is compared with.
//!
//! The tree of a `node_modules` is made again elsewhere: its directories, then its files, as links or with content. The
//! top-level entries are dealt out to threads beforehand, by their numbers of entries; each thread makes the parents before
//! what is in them, and names entries relative to a descriptor of their directory, so that the kernel walks no path twice.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, mkdirat, openat};

use super::managers::{Step, command};
use super::phases::{Project, Shared};
use super::tree::{self, Kind};
use super::workspace::{failed, make_directory};
use crate::apps::App;
use crate::error::BenchError;
use crate::report::{Better, Metric};
use crate::suites::{Case, Plan as Rounds};
use crate::systems::System;

/// Numbers of threads that are tried.
const THREADS: [usize; 3] = [1, 2, 4];
pub(super) const NAMES: [[&str; THREADS.len()]; 3] = [
    ["mkdir, 1 thread", "mkdir, 2 threads", "mkdir, 4 threads"],
    ["link, 1 thread", "link, 2 threads", "link, 4 threads"],
    ["open and write, 1 thread", "open and write, 2 threads", "open and write, 4 threads"],
];

/// A directory of the tree, and the files in it with their sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Directory {
    path: PathBuf,
    files: Vec<(OsString, u64)>,
}

/// A tree: for each top-level entry its directories, parents first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    groups: Vec<Vec<Directory>>,
}

impl Plan {
    /// The plan of what is below `root`. Links are left out: there are a few hundred among ten thousands of files.
    pub(super) fn of(root: &Path) -> Result<Self, BenchError> {
        let mut directories: BTreeMap<PathBuf, Vec<(OsString, u64)>> = BTreeMap::new();
        let mut unreadable = None;
        tree::walk(root, |path, kind| {
            let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
            match kind {
                Kind::Directory => {
                    directories.entry(relative(path)).or_default();
                }
                Kind::File(directory) => match std::fs::symlink_metadata(path) {
                    Ok(metadata) => {
                        let name = path.file_name().unwrap_or_default().to_owned();
                        directories.entry(relative(directory)).or_default().push((name, metadata.len()));
                    }
                    Err(source) => unreadable = Some(BenchError::File { path: path.to_owned(), source }),
                },
                Kind::Link => {}
            }
        })?;
        if let Some(error) = unreadable {
            return Err(error);
        }
        // Files beside the packages belong to none.
        directories.remove(Path::new(""));
        // A map of paths is in the order of their components: parents come first, and a top-level entry is together.
        let mut groups: Vec<Vec<Directory>> = Vec::new();
        for (path, files) in directories {
            let is_new = path.components().count() == 1;
            if is_new {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.last_mut() {
                group.push(Directory { path, files });
            }
        }
        Ok(Self { groups })
    }

    pub(super) fn directories(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    pub(super) fn files(&self) -> usize {
        self.groups.iter().flatten().map(|directory| directory.files.len()).sum()
    }

    /// The groups for each of so many threads: the largest first, each to the thread that has least.
    fn deal(&self, threads: usize) -> Vec<Vec<&Directory>> {
        let weight = |group: &[Directory]| group.iter().map(|directory| 1 + directory.files.len()).sum::<usize>();
        let mut groups: Vec<&Vec<Directory>> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(weight(group)));
        let mut hands = vec![(0, Vec::new()); threads];
        for group in groups {
            if let Some((load, hand)) = hands.iter_mut().min_by_key(|(load, _)| *load) {
                *load += weight(group);
                hand.extend(group);
            }
        }
        hands.into_iter().map(|(_, hand)| hand).collect()
    }
}

/// How long all threads took for all directories, and for all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) directories: Duration,
    pub(super) files: Duration,
}

/// Makes the plan's tree in `into`, which is not there yet, with links to the files below `from`.
pub(super) fn link(plan: &Plan, from: &Path, into: &Path, threads: usize) -> Result<Times, BenchError> {
    let from = open(CWD, from).map_err(|error| failed(from)(error.into()))?;
    build(plan, into, threads, |directory, target| {
        let source = open(&from, &directory.path)?;
        for (name, _) in &directory.files {
            linkat(&source, name, target, name, AtFlags::empty())?;
        }
        Ok(())
    })
}

/// The same with files of their own.
pub(super) fn write(plan: &Plan, into: &Path, threads: usize) -> Result<Times, BenchError> {
    let largest = plan.groups.iter().flatten().flat_map(|directory| &directory.files).map(|(_, bytes)| *bytes).max();
    let content = vec![b'x'; usize::try_from(largest.unwrap_or(0)).unwrap_or(0)];
    build(plan, into, threads, |directory, target| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        for (name, bytes) in &directory.files {
            let file = openat(target, name, flags, Mode::from_raw_mode(0o644))?;
            let mut left = &content[..usize::try_from(*bytes).unwrap_or(0)];
            while !left.is_empty() {
                let written = rustix::io::write(&file, left)?;
                left = &left[written..];
            }
        }
        Ok(())
    })
}

fn open(directory: impl rustix::fd::AsFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let path = if path == Path::new("") { Path::new(".") } else { path };
    openat(directory, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn build(
    plan: &Plan,
    into: &Path,
    threads: usize,
    fill: impl Fn(&Directory, &OwnedFd) -> rustix::io::Result<()> + Sync,
) -> Result<Times, BenchError> {
    make_directory(into)?;
    let error = |error: rustix::io::Errno| failed(into)(error.into());
    let root = open(CWD, into).map_err(error)?;
    let barrier = Barrier::new(threads + 1);
    let mut times = Times { directories: Duration::ZERO, files: Duration::ZERO };
    let done: rustix::io::Result<()> = std::thread::scope(|scope| {
        let workers: Vec<_> = plan
            .deal(threads)
            .into_iter()
            .map(|hand| {
                let (barrier, root, fill) = (&barrier, &root, &fill);
                scope.spawn(move || {
                    barrier.wait();
                    let made = hand
                        .iter()
                        .try_for_each(|directory| mkdirat(root, &directory.path, Mode::from_raw_mode(0o755)));
                    // Whatever failed, the others wait for everybody.
                    barrier.wait();
                    made?;
                    hand.iter().try_for_each(|directory| fill(directory, &open(root, &directory.path)?))
                })
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        barrier.wait();
        times.directories = started.elapsed();
        let started = Instant::now();
        let mut done = Ok(());
        for worker in workers {
            done = done.and(worker.join().unwrap_or(Err(rustix::io::Errno::IO)));
        }
        times.files = started.elapsed();
        done
    });
    done.map_err(error)?;
    Ok(times)
}

/// The floor by number of threads, of the tree that Atoll makes.
pub(super) struct Floor {
    pub(super) name: &'static str,
    pub(super) project: Project,
    pub(super) shared: std::rc::Rc<Shared>,
}

impl Case for Floor {
    fn name(&self) -> &'static str {
        self.name
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        let count = |name| Metric { name, unit: "", better: Better::Lower };
        let times = NAMES.iter().flatten().map(|name| Metric { name, unit: "ms", better: Better::Lower });
        [count("directories"), count("files")].into_iter().chain(times).collect()
    }

    fn apps(&self) -> &'static [App] {
        &[]
    }

    fn includes(&self, system: &System) -> bool {
        system.is_atoll()
    }

    fn measure(&self, system: &System, _plan: &Rounds) -> Result<Vec<f64>, BenchError> {
        let workspace = &self.shared.workspace;
        let place = workspace.place(self.project.name, system.name);
        if !place.node_modules().exists() {
            workspace.empty(&place, system, &self.project.manifest)?;
            crate::measured::run(&command(system, Step::Install, &place), &place.log())?;
        }
        let plan = Plan::of(&place.node_modules())?;
        let into = workspace.root().join("floor");
        let (mut directories, mut links, mut writes) = (Vec::new(), Vec::new(), Vec::new());
        for threads in THREADS {
            workspace.make_room()?;
            workspace.sync()?;
            let times = link(&plan, &place.node_modules(), &into, threads)?;
            workspace.move_aside(&into)?;
            directories.push(times.directories);
            links.push(times.files);
            workspace.sync()?;
            writes.push(write(&plan, &into, threads)?.files);
            workspace.move_aside(&into)?;
        }
        let times = [directories, links, writes].concat();
        let counts = [plan.directories() as f64, plan.files() as f64];
        Ok(counts.into_iter().chain(times.iter().map(|time| time.as_secs_f64() * 1e3)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::super::tree;
    use super::{Plan, link, write};

    fn sample(root: &Path) {
        for (path, bytes) in [("a/package.json", 3), ("a/lib/x.js", 70_000), ("a/lib/y.js", 0), ("@s/b/index.js", 5)] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
            fs::write(path, vec![b'.'; bytes]).expect("writable");
        }
        fs::create_dir(root.join("a/empty")).expect("writable");
        fs::write(root.join(".package-lock.json"), "{}").expect("writable");
    }

    #[test]
    fn a_tree_is_made_again_by_any_number_of_threads() {
        let directory = tempfile::tempdir().expect("a directory");
        let from = directory.path().join("from");
        sample(&from);
        let plan = Plan::of(&from).expect("readable");
        assert_eq!((plan.directories(), plan.files()), (5, 4));
        for threads in [1, 2, 4] {
            let (links, files) =
                (directory.path().join(format!("l{threads}")), directory.path().join(format!("w{threads}")));
            link(&plan, &from, &links, threads).expect("linked");
            write(&plan, &files, threads).expect("written");
            for tree in [&links, &files] {
                let entries = tree::count(tree).expect("readable");
                assert_eq!((entries.directories, entries.files), (5, 4));
            }
            let inode = |root: &Path| fs::metadata(root.join("a/lib/x.js")).expect("there").ino();
            assert_eq!(inode(&links), inode(&from));
            assert_ne!(inode(&files), inode(&from));
            assert_eq!(fs::metadata(files.join("a/lib/x.js")).expect("there").len(), 70_000);
        }
        assert!(link(&plan, &from, &directory.path().join("l1"), 2).is_err(), "it is there already");
    }

    #[test]
    fn threads_get_about_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        for package in 0..40 {
            let path = directory.path().join(format!("p{package}"));
            fs::create_dir(&path).expect("writable");
            for file in 0..package % 7 {
                fs::write(path.join(file.to_string()), "").expect("writable");
            }
        }
        let plan = Plan::of(directory.path()).expect("readable");
        let hands = plan.deal(4);
        let loads: Vec<usize> =
            hands.iter().map(|hand| hand.iter().map(|directory| 1 + directory.files.len()).sum()).collect();
        let (least, most) = (loads.iter().min().copied().unwrap_or(0), loads.iter().max().copied().unwrap_or(0));
        assert!(most - least <= 7, "{loads:?}");
    }
}
