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
//! paths. The threads get fixed shares of about as much work each, neighbours together. Nobody is woken but at the end, and a
//! few times on the way for who shows how far it is.
//!
//! Links come after the packages: all of a folder in one go, named relative to it, and none is looked at.

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
    fs::{Mode, OFlags, filesystem, make_dir_at, open_at, open_root, symlink_at},
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
    store::{Entry, IndexedFile},
    threads,
};

/// From so many files on, a directory is opened and its files are named relative to it. Two openings cost about what
/// walking a name more costs in a stat and a link of eight files.
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
                if let Some(entry) = find(&self.jobs[*job]) {
                    self.build_job(*job, &entry, &mut way);
                } else {
                    self.claimed[*job].store(false, Ordering::Relaxed);
                    missing.lock().unwrap_or_else(PoisonError::into_inner).push(*job);
                }
            }
        });
        missing.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds a package, wherever it goes, that has come into the store.
    pub(crate) fn build_arrived(&self, integrity: &Integrity, entry: &Entry) {
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

    fn build_job<'b>(&'b self, job: usize, entry: &Entry, way: &mut Way<'b>) {
        match way.make(self, job).and_then(|()| self.build_package(&self.jobs[job], entry)) {
            Ok(Placed::Done) => {}
            Ok(Placed::Damaged) => self.lock_outcome().damaged.push(job),
            Err(error) => return self.fail(error),
        }
        let done = self.done.fetch_add(1, Ordering::AcqRel) + 1;
        if done.is_multiple_of(self.step) || done == self.jobs.len() {
            self.progress.send_modify(|told| *told = done.max(*told));
        }
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
        let source = match open_root(&entry.files_dir) {
            Ok(source) => source,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Placed::Damaged),
            Err(errno) => return Err(read_error(&entry.files_dir, errno)),
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
                let source = match open_at(&source, folder.as_bytes(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
                {
                    Ok(source) => source,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Placed::Damaged),
                    Err(errno) => return Err(read_error(&entry.files_dir.join(folder), errno)),
                };
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

    /// Places files whose names, relative to these directories, are their paths from the byte `from` on.
    fn place_files(
        &self,
        (job, entry): (&Job, &Entry),
        files: &[IndexedFile],
        from: usize,
        source: &OwnedFd,
        target: &OwnedFd,
    ) -> Result<Placed, LinkError> {
        for file in files {
            let name = &file.path[from..];
            let (stored, placed) = (At { dir: source.as_fd(), name }, At { dir: target.as_fd(), name });
            let result = if job.private {
                place::copy(stored, placed, file)
            } else {
                self.placer.place(stored, placed, file, entry.is_new)
            };
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, thread};

    use futures_util::FutureExt;
    use sha2::{Digest, Sha512};
    use tempfile::TempDir;

    use super::*;
    use crate::{lock::InstallPath, store::modified_ns};

    /// Packages in a store, and a project to build in.
    struct Scene {
        dir: TempDir,
        jobs: Vec<Job>,
        entries: HashMap<Integrity, Entry>,
    }

    impl Scene {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), jobs: Vec::new(), entries: HashMap::new() }
        }

        /// A package with these files, to be built at `place`.
        fn package(&mut self, place: &str, files: &[&str]) {
            let files_dir = self.files_dir(place);
            fs::create_dir_all(&files_dir).unwrap();
            let files = files.iter().map(|file| {
                let at = files_dir.join(file);
                fs::create_dir_all(at.parent().unwrap()).unwrap();
                fs::write(&at, format!("{place}: {file}")).unwrap();
                let metadata = fs::metadata(&at).unwrap();
                IndexedFile {
                    path: (*file).to_owned(),
                    bytes: metadata.len(),
                    executable: false,
                    modified_ns: modified_ns(&metadata),
                    ..IndexedFile::default()
                }
            });
            let entry = Entry { files: files.collect(), files_dir, is_new: false };
            self.entries.insert(integrity(place), entry);
            self.place(place, place);
        }

        /// `place` is to be built of the package that is made for another one.
        fn place(&mut self, place: &str, of: &str) {
            self.jobs.push(Job {
                place: place.to_owned(),
                path: InstallPath::ROOT,
                package: place.to_owned(),
                integrity: integrity(of),
                private: false,
                without: Vec::new(),
                commands: Vec::new(),
            });
        }

        fn files_dir(&self, place: &str) -> PathBuf {
            self.dir.path().join("store").join(place.replace('/', "+"))
        }

        /// A stage in a project of this name.
        fn stage(&self, name: &str) -> Arc<Stage> {
            let project = self.dir.path().join(name);
            fs::create_dir_all(&project).unwrap();
            Stage::new(&Arc::new(super::super::Project::try_lock(&project).unwrap().unwrap())).unwrap()
        }

        fn builder(&self, stage: &Arc<Stage>) -> Builder {
            Builder::new(stage, in_order(self.jobs.clone())).unwrap()
        }

        fn find(&self) -> impl Fn(&Job) -> Option<Entry> + Sync {
            |job| self.entries.get(&job.integrity).cloned()
        }

        fn build(&self, builder: &Builder, threads: usize) -> Result<Built, LinkError> {
            assert!(builder.build_stored(&all(builder, self), threads, &self.find()).is_empty());
            builder.outcome()
        }
    }

    fn integrity(text: &str) -> Integrity {
        use base64::{Engine, engine::general_purpose::STANDARD};
        Integrity::parse(&format!("sha512-{}", STANDARD.encode(Sha512::digest(text)))).unwrap()
    }

    /// What is left, which the store has.
    fn all(builder: &Builder, scene: &Scene) -> Vec<Stored> {
        let index_bytes = |job: usize| scene.entries[&builder.jobs()[job].integrity].index_bytes();
        builder.left().into_iter().map(|job| Stored { job, index_bytes: index_bytes(job) }).collect()
    }

    /// Everything in a tree, with the contents of files.
    fn list(tree: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![tree.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path: PathBuf = entry.path().strip_prefix(tree).unwrap().to_path_buf();
                let is_folder = entry.file_type().unwrap().is_dir();
                found.insert(path, if is_folder { None } else { Some(fs::read(entry.path()).unwrap()) });
                folders.extend(is_folder.then(|| entry.path()));
            }
        }
        found
    }

    /// Forty packages, some with others inside, and one that goes to three places.
    fn forty() -> Scene {
        let mut scene = Scene::new();
        for package in 0..40 {
            let path = format!("node_modules/{}p{package}", if package % 5 == 0 { "@s/" } else { "" });
            let files: Vec<String> = (0..package % 13).map(|file| format!("{}/{file}.js", file % 3)).collect();
            scene.package(&path, &files.iter().map(String::as_str).collect::<Vec<_>>());
            for inner in 0..package % 3 {
                scene.package(&format!("{path}/node_modules/@t/i{inner}"), &["i.js"]);
            }
        }
        for outer in [1, 17, 38] {
            scene.place(&format!("node_modules/p{outer}/node_modules/shared"), "node_modules/p39");
        }
        scene
    }

    #[test]
    fn a_file_is_looked_at_and_linked_once_and_a_directory_made_once() {
        let mut scene = Scene::new();
        let dense: Vec<String> = (0..DENSE_FILES).map(|file| format!("lib/{file}.js")).collect();
        let mut outer = vec!["package.json", "index.js", "a/b/c/deep.js", "a/b/near.js"];
        outer.extend(dense.iter().map(String::as_str));
        scene.package("node_modules/@s/outer", &outer);
        scene.package("node_modules/@s/outer/node_modules/inner", &["package.json"]);
        let stage = scene.stage("project");
        let (built, calls) = atoll_sys::count::of(|| {
            let builder = scene.builder(&stage);
            scene.build(&builder, 1)
        });
        assert!(built.unwrap().damaged.is_empty());
        let count = |name: &str| calls.iter().filter(|call| **call == name).count();
        let files = outer.len() + 1;
        // The way to the outer package, its folder, a, a/b, a/b/c, lib; the way to the inner one, its folder.
        let directories = 2 + 5 + 2;
        // The tree; source and target of two packages and of the folder with many files.
        let opened = 1 + 2 * 3;
        assert_eq!((count("statx"), count("linkat")), (files, files));
        assert_eq!((count("mkdirat"), count("openat")), (directories, opened));
        // Once for all: which kind of file system it is.
        assert_eq!(count("fstatfs"), 1);
        assert_eq!(calls.len(), 2 * files + directories + opened + 1, "and nothing else: {calls:?}");
    }

    #[test]
    fn what_was_stored_a_moment_ago_is_not_looked_at() {
        let mut scene = Scene::new();
        scene.package("node_modules/a", &["package.json", "lib/x.js"]);
        scene.package("node_modules/a/node_modules/b", &["package.json"]);
        let stage = scene.stage("project");
        let builder = scene.builder(&stage);
        let ((), calls) = atoll_sys::count::of(|| {
            // The one that is inside comes first.
            for place in ["node_modules/a/node_modules/b", "node_modules/a", "node_modules/a"] {
                let entry = Entry { is_new: true, ..scene.entries[&integrity(place)].clone() };
                builder.build_arrived(&integrity(place), &entry);
            }
        });
        assert!(builder.has_all() && builder.outcome().unwrap().damaged.is_empty());
        let count = |name: &str| calls.iter().filter(|call| **call == name).count();
        assert_eq!((count("statx"), count("linkat")), (0, 3), "{calls:?}");
        // The way to the inner one, and that one; the outer one, again, and a folder of it.
        assert_eq!(count("mkdirat"), 3 + 2);
    }

    #[test]
    fn a_link_is_made_once_in_its_open_folder_and_never_looked_at() {
        let mut scene = Scene::new();
        let beside = "node_modules/.pnpm/@s+a@1/node_modules";
        scene.package(&format!("{beside}/@s/a"), &["package.json"]);
        let folder = |path: &str, names: &[&str]| LinkFolder {
            path: path.to_owned(),
            links: names.iter().map(|name| ((*name).to_owned(), format!("../to/{name}"))).collect(),
        };
        let folders = [
            folder("node_modules", &["x"]),
            folder(beside, &["@t/b", "@t/c", "d"]),
            folder(&format!("{beside}/@s/a/node_modules/.bin"), &["run"]),
        ];
        let stage = scene.stage("project");
        let (built, calls) = atoll_sys::count::of(|| {
            let builder = scene.builder(&stage);
            let built = scene.build(&builder, 1);
            builder.make_links(&folders, 1);
            builder.outcome().and(built)
        });
        assert!(built.unwrap().damaged.is_empty());
        for LinkFolder { path, links } in &folders {
            for (name, text) in links {
                assert_eq!(fs::read_link(stage.tree().join(path).join(name)).unwrap(), Path::new(text));
            }
        }
        let count = |name: &str| calls.iter().filter(|call| **call == name).count();
        let links = folders.iter().map(|folder| folder.links.len()).sum::<usize>();
        assert_eq!((count("symlinkat"), count("linkat"), count("statx")), (links, 1, 1));
        // node_modules, .pnpm; the instance, its node_modules, @s, a; @t; the node_modules of a, .bin.
        assert_eq!(count("mkdirat"), 2 + 4 + 1 + 2);
        // The tree; source and target of the package; the folders of links.
        assert_eq!(count("openat"), 1 + 2 + folders.len());
        assert_eq!(
            calls.len(),
            links + 1 + 1 + 9 + 6 + 1,
            "and which kind of file system it is, and nothing else: {calls:?}"
        );
    }

    #[test]
    fn threads_change_nothing_but_the_time() {
        let scene = forty();
        let total = scene.jobs.len();
        let one = scene.stage("one");
        let builder = scene.builder(&one);
        let mut progress = builder.progress();
        assert!(scene.build(&builder, 1).unwrap().damaged.is_empty() && builder.has_all());
        assert_eq!(*progress.borrow_and_update(), total);
        let expected = list(&one.tree());
        assert!(expected.len() > total);
        for threads in [2, 3, 64] {
            let stage = scene.stage(&threads.to_string());
            let builder = scene.builder(&stage);
            assert!(scene.build(&builder, threads).unwrap().damaged.is_empty());
            assert_eq!(list(&stage.tree()), expected);
        }
    }

    #[test]
    fn what_arrives_is_built_once_whoever_else_finds_it_in_the_store() {
        let scene = forty();
        let one = scene.stage("one");
        let builder = scene.builder(&one);
        scene.build(&builder, 1).unwrap();
        let expected = list(&one.tree());
        for from in 0..8 {
            let stage = scene.stage(&format!("from-{from}"));
            let builder = scene.builder(&stage);
            let (stored, scene) = (all(&builder, &scene), &scene);
            // A file that is linked twice is an error.
            thread::scope(|scope| {
                for arriving in 0..2 {
                    let builder = &builder;
                    scope.spawn(move || {
                        let places = scene.jobs.iter().rev().skip(from + arriving).step_by(2);
                        for integrity in places.map(|job| &job.integrity) {
                            builder.build_arrived(integrity, &scene.entries[integrity]);
                        }
                    });
                }
                assert!(builder.build_stored(&stored, 2, &scene.find()).is_empty());
            });
            assert!(builder.outcome().unwrap().damaged.is_empty() && builder.has_all());
            assert_eq!(list(&stage.tree()), expected);
        }
    }

    #[test]
    fn what_the_store_does_not_have_is_left() {
        let scene = forty();
        let stage = scene.stage("project");
        let builder = scene.builder(&stage);
        let lacking = [integrity("node_modules/p7"), integrity("node_modules/p39")];
        let find = |job: &Job| scene.find()(job).filter(|_| !lacking.contains(&job.integrity));
        let mut missing = builder.build_stored(&all(&builder, &scene), 2, &find);
        missing.sort_unstable();
        assert_eq!(missing, builder.left());
        assert_eq!(missing.len(), 1 + 4);
        assert!(!builder.has_all());
        for integrity in &lacking {
            builder.build_arrived(integrity, &scene.entries[integrity]);
        }
        assert!(builder.left().is_empty() && builder.has_all());
    }

    #[test]
    fn every_job_is_in_one_share_with_what_is_inside_it() {
        let mut scene = Scene::new();
        for path in ["a", "a/node_modules/b", "a/node_modules/b/node_modules/c", "a-b", "z"] {
            scene.package(&format!("node_modules/{path}"), &["x"]);
        }
        for package in 0..50 {
            scene.package(&format!("node_modules/p{package:02}"), &["x", "y", "z"]);
        }
        let stage = scene.stage("project");
        let builder = scene.builder(&stage);
        let stored = all(&builder, &scene);
        for count in 1..20 {
            let shares = builder.shares(&stored, count);
            assert!(shares.len() <= count);
            let jobs: Vec<usize> = shares.concat().iter().map(|one| one.job).collect();
            assert_eq!(jobs, builder.left());
            assert!(shares[0].len() >= 3, "a and what is inside it");
            let work = |share: &[Stored]| share.iter().map(|one| PACKAGE_WORK + one.index_bytes).sum::<u64>();
            let most = shares.iter().map(|share| work(share)).max().unwrap();
            let fair = work(&stored).div_ceil(count as u64);
            assert!(most <= fair + work(&stored[..3]), "{count}: {most} of {fair}");
        }
    }

    #[test]
    fn damaged_packages_are_all_named_and_an_obstacle_ends_it() {
        let mut scene = Scene::new();
        for package in 0..9 {
            scene.package(&format!("node_modules/p{package}"), &["x.js", "y/z.js"]);
        }
        let files_dir = |package: usize| scene.files_dir(&format!("node_modules/p{package}"));
        fs::remove_dir_all(files_dir(1)).unwrap();
        fs::remove_file(files_dir(4).join("y/z.js")).unwrap();
        fs::write(files_dir(7).join("x.js"), "longer than it was").unwrap();
        for threads in [1, 3] {
            let stage = scene.stage(&threads.to_string());
            let builder = scene.builder(&stage);
            let mut damaged = scene.build(&builder, threads).unwrap().damaged;
            damaged.sort_unstable();
            assert_eq!(damaged, [1, 4, 7]);
        }
        for arrives in [false, true] {
            let stage = scene.stage(&format!("blocked-{arrives}"));
            fs::write(stage.tree().join("node_modules/p5"), "a file").unwrap();
            let builder = scene.builder(&stage);
            assert!(builder.failed().now_or_never().is_none());
            if arrives {
                let integrity = integrity("node_modules/p5");
                builder.build_arrived(&integrity, &scene.entries[&integrity]);
            } else {
                builder.build_stored(&all(&builder, &scene), 2, &scene.find());
            }
            assert!(builder.failed().now_or_never().is_some());
            let Err(LinkError::Write { path, .. }) = builder.outcome() else { panic!("it cannot be written") };
            assert_eq!(path, stage.tree().join("node_modules/p5"));
        }
    }

    #[test]
    fn nothing_is_built_that_nobody_wants() {
        let scene = forty();
        let stage = scene.stage("project");
        let builder = scene.builder(&stage);
        stage.cancel();
        let before = list(&stage.tree());
        builder.build_stored(&all(&builder, &scene), 2, &scene.find());
        builder.build_arrived(&integrity("node_modules/p1"), &scene.entries[&integrity("node_modules/p1")]);
        assert_eq!(list(&stage.tree()), before);
        assert!(matches!(builder.outcome(), Err(LinkError::Cancelled)));
    }
}
