//! Lays packages out in a stage: directories, files, commands.
//!
//! Everything is planned from the packages' indexes: no directory of the store is listed, none of the stage is looked at.
//! A package's directories in store and stage are opened once, and its files are named relative to them; so are the files
//! of a directory that has many. Directories are made parents first.
//!
//! Packages are built in any order, each once: those that the store has by a few threads, and those that come into it later
//! by the threads that bring them. An index is in memory for as long as its package is being built.
//!
//! Of those that the store has, a package and those inside it belong to one thread, which makes them in the order of their
//! paths. The threads get fixed shares of about as much work each, neighbours together. A package that goes to several places is
//! made in all of them by whoever comes to the first: its index is read once, and each of its files is looked at once. Nobody is
//! woken but at the end, and a few times on the way for who shows how far it is.
//!
//! Links come after the packages: all of a folder in one go, named relative to it, and none is looked at.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt, io, mem,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use atoll_sys::{
    Errno,
    fs::{Mode, OFlags, filesystem, make_dir_at, open_at, open_root, symlink_at, unlink_at},
    overlay,
};
use tokio::sync::{Notify, watch};

use super::{
    Job, LinkError, LinkFolder, Stage, bins,
    place::{self, At, Method, Placed, Placer},
    unit_of,
};
use crate::{
    integrity::Integrity,
    store::{Entry, IndexedFile, write_name},
    threads,
};

/// From so many files on, a project's directory is opened and its files are named relative to it. Chosen when the store's was
/// opened as well: two openings cost about what walking a name more costs in a stat and a link of eight files.
const DENSE_FILES: usize = 8;
/// What a package costs beside its files, in bytes of an index, of which a file has about 110: its directory, which on ext4
/// takes as long as three to five links of a file, and opening it here and in the store.
const PACKAGE_WORK: u64 = 700;
/// Shares for each thread: a thread that the system holds up leaves its further ones to the others.
const SHARES_PER_THREAD: usize = 8;
/// How often those who show it hear how far the building is, at most.
const PROGRESS_STEPS: usize = 16;

/// How packages were laid out.
#[derive(Debug)]
pub(crate) struct Built {
    /// How files were brought in.
    pub(crate) method: Method,
    /// Why not by hard links, when not.
    pub(crate) refusal: Option<String>,
    /// Jobs whose stored files are not what was stored, by position. What was built is then good for nothing.
    pub(crate) damaged: Vec<usize>,
}

/// A job whose package the store probably has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// Its position.
    pub(crate) job: usize,
    /// Bytes of its index, for which it is work.
    pub(crate) index_bytes: u64,
}

/// Builds packages in a stage, for any number of threads at once.
pub(crate) struct Builder {
    /// Is there for as long as somebody builds in it.
    stage: Arc<Stage>,
    tree: PathBuf,
    root: OwnedFd,
    /// The tree is on an overlayfs.
    is_overlay: bool,
    jobs: Arc<[Job]>,
    /// How long the path is, of each job's place, to the unit that it is in or inside of.
    leaders: Vec<usize>,
    by_integrity: HashMap<Integrity, Vec<usize>>,
    /// Somebody builds this job, or has built it.
    claimed: Vec<AtomicBool>,
    placer: Placer,
    /// Packages between two reports.
    step: usize,
    done: AtomicUsize,
    progress: watch::Sender<usize>,
    outcome: Mutex<Outcome>,
    /// One thread failed: the others need not go on.
    is_over: AtomicBool,
    failed: Notify,
}

#[derive(Debug, Default)]
struct Outcome {
    error: Option<LinkError>,
    damaged: Vec<usize>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("tree", &self.tree).field("done", &self.done).finish_non_exhaustive()
    }
}

/// Puts jobs in the order in which a [`Builder`] takes them: what is inside a package follows it at once.
pub(crate) fn in_order(mut jobs: Vec<Job>) -> Arc<[Job]> {
    jobs.sort_by(|one, other| one.place.split('/').cmp(other.place.split('/')));
    jobs.into()
}

impl Builder {
    /// Makes the directories that lead to packages and belong to none: scopes, and the way to packages that stay. The jobs are
    /// [in order](in_order).
    ///
    /// # Errors
    /// When the stage does not take them.
    pub(crate) fn new(stage: &Arc<Stage>, jobs: Arc<[Job]>) -> Result<Self, LinkError> {
        let tree = stage.tree();
        let root = open_root(&tree).map_err(|errno| write_error(&tree, errno))?;
        let is_overlay = filesystem(&root).is_ok_and(|found| found.kind == overlay::KIND);
        let (mut leaders, mut leader) = (Vec::with_capacity(jobs.len()), "");
        let mut by_integrity: HashMap<Integrity, Vec<usize>> = HashMap::with_capacity(jobs.len());
        for (position, job) in jobs.iter().enumerate() {
            let unit = unit_of(&job.place);
            if !is_inside(unit, leader) {
                leader = unit;
            }
            leaders.push(leader.len());
            by_integrity.entry(job.integrity.clone()).or_default().push(position);
        }
        let builder = Self {
            stage: Arc::clone(stage),
            tree,
            root,
            is_overlay,
            leaders,
            by_integrity,
            claimed: jobs.iter().map(|_| AtomicBool::new(false)).collect(),
            placer: Placer::new(),
            step: jobs.len().div_ceil(PROGRESS_STEPS).max(1),
            done: AtomicUsize::new(0),
            progress: watch::Sender::new(0),
            outcome: Mutex::default(),
            is_over: AtomicBool::new(false),
            failed: Notify::new(),
            jobs,
        };
        let mut made = HashSet::new();
        for position in 0..builder.jobs.len() {
            builder.make_above(builder.leader(position), 0, &mut made)?;
        }
        Ok(builder)
    }

    /// What there is to build.
    pub(crate) fn jobs(&self) -> &Arc<[Job]> {
        &self.jobs
    }

    /// Jobs that nobody has begun, by position.
    pub(crate) fn left(&self) -> Vec<usize> {
        (0..self.jobs.len()).filter(|job| !self.claimed[*job].load(Ordering::Relaxed)).collect()
    }

    /// Whether all packages are there, or damaged.
    pub(crate) fn has_all(&self) -> bool {
        self.done.load(Ordering::Acquire) == self.jobs.len()
    }

    /// Hears how many packages are done: now and then, and when all are.
    pub(crate) fn progress(&self) -> watch::Receiver<usize> {
        self.progress.subscribe()
    }

    /// Ends when something went wrong that [`outcome`](Builder::outcome) tells; nobody builds any more then.
    pub(crate) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Builds packages that the store has, on so many threads; the calling one is one of them. `find` gives a job's package.
    /// Returns the positions of those that it does not have; these are left.
    pub(crate) fn build_stored(
        &self,
        stored: &[Stored],
        threads: usize,
        find: &(impl Fn(&Job) -> Option<Entry> + Sync),
    ) -> Vec<usize> {
        let missing = Mutex::new(Vec::new());
        threads::share_out(threads, self.shares(stored, threads * SHARES_PER_THREAD), &|share: &[Stored]| {
            let mut way = Way::default();
            for Stored { job, .. } in share {
                if self.is_over() {
                    return;
                }
                if !self.claim(*job) {
                    continue;
                }
                if let Some(mut entry) = find(&self.jobs[*job]) {
                    let is_intact = self.build_job(*job, &entry, &mut way);
                    // What is left out is not looked at.
                    entry.is_fresh |= is_intact && self.jobs[*job].without.is_empty();
                    self.build_everywhere(&self.jobs[*job].integrity, &entry);
                } else {
                    self.claimed[*job].store(false, Ordering::Relaxed);
                    missing.lock().unwrap_or_else(PoisonError::into_inner).push(*job);
                }
            }
        });
        missing.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds a package wherever it goes, but for where somebody does already.
    pub(crate) fn build_everywhere(&self, integrity: &Integrity, entry: &Entry) {
        for job in self.by_integrity.get(integrity).into_iter().flatten() {
            if self.is_over() {
                return;
            }
            if self.claim(*job) {
                self.build_job(*job, entry, &mut Way::default());
            }
        }
    }

    /// How it went. An error is told once.
    ///
    /// # Errors
    /// What somebody who built met with; see [`LinkError`].
    pub(crate) fn outcome(&self) -> Result<Built, LinkError> {
        let Outcome { error, damaged } = mem::take(&mut *self.lock_outcome());
        match error {
            Some(error) => Err(error),
            None => Ok(Built { method: self.placer.method(), refusal: self.placer.refusal(), damaged }),
        }
    }

    /// Whether this caller is the one who builds a job.
    fn claim(&self, job: usize) -> bool {
        !self.claimed[job].swap(true, Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        if self.stage.is_cancelled() {
            self.fail(LinkError::Cancelled);
        }
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether all is there.
    fn build_job<'b>(&'b self, job: usize, entry: &Entry, way: &mut Way<'b>) -> bool {
        let placed = match way.make(self, job).and_then(|()| self.build_package(&self.jobs[job], entry)) {
            Ok(placed) => placed,
            Err(error) => {
                self.fail(error);
                return false;
            }
        };
        if placed == Placed::Damaged {
            self.lock_outcome().damaged.push(job);
        }
        let done = self.done.fetch_add(1, Ordering::AcqRel) + 1;
        if done.is_multiple_of(self.step) || done == self.jobs.len() {
            self.progress.send_modify(|told| *told = done.max(*told));
        }
        placed == Placed::Done
    }

    fn lock_outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first error is the one that counts.
    fn fail(&self, error: LinkError) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.lock_outcome().error = Some(error);
            self.failed.notify_one();
        }
    }

    /// The path to the unit that a job's place is in or inside of.
    fn leader(&self, job: usize) -> &str {
        &self.jobs[job].place[..self.leaders[job]]
    }

    /// Makes the directories above a package, from those on whose paths are longer than `from` bytes.
    fn make_above<'p>(&self, path: &'p str, from: usize, made: &mut HashSet<&'p str>) -> Result<(), LinkError> {
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > from) {
            if made.insert(&path[..end]) {
                self.make(&self.root, &path[..end], "")?;
            }
        }
        Ok(())
    }

    fn build_package(&self, job: &Job, entry: &Entry) -> Result<Placed, LinkError> {
        let package = job.place.as_str();
        self.make(&self.root, package, "")?;
        let target = self.open(&self.root, package, "")?;
        let source = match open_root(&entry.dir) {
            Ok(source) => source,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Placed::Damaged),
            Err(errno) => return Err(read_error(&entry.dir, errno)),
        };
        if self.is_overlay {
            self.placer.spare_lower_layers(source.as_fd());
        }
        let mut made = HashSet::new();
        for files in runs(&entry.files) {
            let folder = folder_of(&files[0].path);
            if job.without.iter().any(|left_out| folder == left_out || is_inside(folder, left_out)) {
                continue;
            }
            for path in prefixes(folder).filter(|path| !path.is_empty()) {
                if made.insert(path) {
                    self.make(&target, path, package)?;
                }
            }
            let placed = if folder.is_empty() || files.len() < DENSE_FILES {
                self.place_files((job, entry), files, 0, &source, &target)?
            } else {
                let target = self.open(&target, folder, package)?;
                self.place_files((job, entry), files, folder.len() + 1, &source, &target)?
            };
            if placed == Placed::Damaged {
                return Ok(placed);
            }
        }
        for command in &job.commands {
            bins::prepare(At { dir: target.as_fd(), name: command })
                .map_err(|source| LinkError::Write { path: self.tree.join(package).join(command), source })?;
        }
        Ok(Placed::Done)
    }

    /// Places files of the package in `source`, whose names in `target` are their paths from the byte `from` on.
    fn place_files(
        &self,
        (job, entry): (&Job, &Entry),
        files: &[IndexedFile],
        from: usize,
        source: &OwnedFd,
        target: &OwnedFd,
    ) -> Result<Placed, LinkError> {
        let mut name = String::new();
        for file in files {
            write_name(file.number, &mut name);
            let stored = At { dir: source.as_fd(), name: &name };
            let placed = At { dir: target.as_fd(), name: &file.path[from..] };
            let place = || {
                if job.private {
                    place::copy(stored, placed, file)
                } else {
                    self.placer.place(stored, placed, file, entry.is_fresh)
                }
            };
            let mut result = place();
            if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
                && differs_in_case_alone(file, &entry.files)
            {
                // The file system takes them for one. The later one is there then, as when an archive is unpacked.
                result = unlink_at(placed.dir, placed.name.as_bytes()).map_err(io::Error::from).and_then(|()| place());
            }
            let result = result.map_err(|source| {
                let path = self.tree.join(&job.place).join(&file.path);
                LinkError::Write { path, source }
            })?;
            if result == Placed::Damaged {
                return Ok(result);
            }
        }
        Ok(Placed::Done)
    }

    /// Makes a directory; it may be there. `package` is where `dir` is, for errors.
    fn make(&self, dir: &OwnedFd, name: &str, package: &str) -> Result<(), LinkError> {
        match make_dir_at(dir, name.as_bytes(), Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(write_error(&self.tree.join(package).join(name), errno)),
        }
    }

    fn open(&self, dir: &OwnedFd, name: &str, package: &str) -> Result<OwnedFd, LinkError> {
        open_at(dir, name.as_bytes(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
            .map_err(|errno| write_error(&self.tree.join(package).join(name), errno))
    }

    /// Makes links, folder by folder. The packages are there.
    pub(crate) fn make_links(&self, folders: &[LinkFolder], threads: usize) {
        if folders.is_empty() {
            return;
        }
        let known: HashSet<&str> = self.jobs.iter().flat_map(|job| prefixes(&job.place)).collect();
        let share = folders.len().div_ceil(threads * SHARES_PER_THREAD).max(1);
        threads::share_out(threads, folders.chunks(share).collect(), &|share: &[LinkFolder]| {
            for folder in share {
                if self.is_over() {
                    return;
                }
                if let Err(error) = self.make_folder(folder, &known) {
                    return self.fail(error);
                }
            }
        });
    }

    fn make_folder(&self, folder: &LinkFolder, known: &HashSet<&str>) -> Result<(), LinkError> {
        let at = folder.path.as_str();
        for path in prefixes(at).filter(|path| !known.contains(path)) {
            self.make(&self.root, path, "")?;
        }
        let dir = self.open(&self.root, at, "")?;
        let mut last = None;
        for (name, text) in &folder.links {
            let scope = name.split_once('/').map(|(scope, _)| scope);
            if let Some(scope) = scope.filter(|scope| last != Some(*scope)) {
                self.make(&dir, scope, at)?;
                last = Some(scope);
            }
            symlink_at(text.as_bytes(), &dir, name.as_bytes())
                .map_err(|errno| write_error(&self.tree.join(at).join(name), errno))?;
        }
        Ok(())
    }

    /// Cuts jobs into consecutive shares of about as much work each; what is inside a package stays with it.
    fn shares<'s>(&self, stored: &'s [Stored], count: usize) -> Vec<&'s [Stored]> {
        let work = |stored: &[Stored]| stored.iter().map(|one| PACKAGE_WORK + one.index_bytes).sum::<u64>();
        let (mut shares, mut start, mut left) = (Vec::with_capacity(count), 0, work(stored));
        for threads in (1..=count as u64).rev() {
            let (mut end, mut taken) = (start, 0);
            while end < stored.len() && taken < left.div_ceil(threads) {
                let first = end;
                while end < stored.len() && self.leader(stored[end].job) == self.leader(stored[first].job) {
                    end += 1;
                }
                taken += work(&stored[first..end]);
            }
            if start < end {
                shares.push(&stored[start..end]);
            }
            (start, left) = (end, left - taken);
        }
        debug_assert_eq!(start, stored.len(), "every job is in one share");
        shares
    }
}

/// The directories above packages that a thread has made.
#[derive(Debug, Default)]
struct Way<'a> {
    /// The unit that those after it are in or inside of.
    leader: &'a str,
    made: HashSet<&'a str>,
}

impl<'a> Way<'a> {
    fn make(&mut self, builder: &'a Builder, job: usize) -> Result<(), LinkError> {
        let (place, leader) = (builder.jobs[job].place.as_str(), builder.leader(job));
        if self.leader != leader {
            *self = Self { leader, made: HashSet::new() };
            if leader != place {
                builder.make(&builder.root, leader, "")?;
            }
        }
        builder.make_above(place, leader.len(), &mut self.made)
    }
}

/// Files that follow each other in the index and are in the same folder.
fn runs(files: &[IndexedFile]) -> impl Iterator<Item = &[IndexedFile]> {
    files.chunk_by(|one, next| folder_of(&one.path) == folder_of(&next.path))
}

/// Whether its package has another file of this name, but for upper and lower case.
fn differs_in_case_alone(file: &IndexedFile, files: &[IndexedFile]) -> bool {
    let lower = file.path.to_lowercase();
    files.iter().any(|other| other.number != file.number && other.path.to_lowercase() == lower)
}

fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..end])
}

fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// A path and all that it leads through, outermost first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).chain([path])
}

fn write_error(path: &Path, errno: Errno) -> LinkError {
    LinkError::Write { path: path.to_path_buf(), source: io::Error::from(errno) }
}

fn read_error(path: &Path, errno: Errno) -> LinkError {
    LinkError::Read { path: path.to_path_buf(), source: io::Error::from(errno) }
}
