//! Lays packages out in a stage: directories, files, commands.
//!
//! Everything is planned from the packages' indexes: no directory of the store is listed, none of the stage is looked at.
//! A package's directories in store and stage are opened once, and its files are named relative to them; so are the files
//! of a directory that has many. Directories are made parents first, each once.
//!
//! Links come after the packages: all of a folder in one go, named relative to it, and none is looked at.
//!
//! A package and those inside it belong to one thread, which makes them in the order of their paths. The threads get fixed
//! shares of about as much work each, neighbours together. Nobody is woken but at the end, and a few times on the way for
//! who shows how far it is.

use std::{
    collections::HashSet,
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use atoll_sys::{
    Errno,
    fs::{Mode, OFlags, filesystem, make_dir_at, open_at, open_root, symlink_at},
    overlay,
};

use super::{
    Job, LinkError, LinkFolder, bins,
    place::{self, At, Method, Placed, Placer},
    unit_of,
};
use crate::{store::IndexedFile, threads};

/// From so many files on, a directory is opened and its files are named relative to it. Two openings cost about what
/// walking a name more costs in a stat and a link of eight files.
const DENSE_FILES: usize = 8;
/// What a directory costs to make, in links of a file; measured on ext4, and there between 3 and 5.
const DIRECTORY_WORK: usize = 4;
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

/// Builds the packages under `tree`, then the links; `progress` hears how many packages are done, last that all are.
pub(super) fn build(
    tree: &Path,
    jobs: &[Job],
    folders: &[LinkFolder],
    threads: usize,
    cancelled: &AtomicBool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Built, LinkError> {
    let root = open_root(tree).map_err(|errno| write_error(tree, errno))?;
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    // By components: what is inside a package follows it at once.
    order.sort_by(|a, b| jobs[*a].place.split('/').cmp(jobs[*b].place.split('/')));
    let is_overlay = filesystem(&root).is_ok_and(|found| found.kind == overlay::KIND);
    let builder = Builder {
        tree,
        root,
        is_overlay,
        jobs,
        placer: Placer::new(),
        cancelled,
        progress,
        step: jobs.len().div_ceil(PROGRESS_STEPS).max(1),
        done: AtomicUsize::new(0),
        outcome: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    if let Err(error) = builder.make_ways(&order) {
        builder.fail(error);
    }
    threads::share_out(threads, shares(jobs, &order, threads * SHARES_PER_THREAD), &|share: &[usize]| {
        builder.work(share);
    });
    if !builder.is_over.load(Ordering::Relaxed) && builder.outcome().damaged.is_empty() {
        builder.make_links(folders, threads);
    }
    let outcome = builder.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    match outcome.error {
        Some(error) => Err(error),
        None => {
            Ok(Built { method: builder.placer.method(), refusal: builder.placer.refusal(), damaged: outcome.damaged })
        }
    }
}

/// What all threads share.
struct Builder<'a> {
    tree: &'a Path,
    root: OwnedFd,
    /// The tree is on an overlayfs.
    is_overlay: bool,
    jobs: &'a [Job],
    placer: Placer,
    cancelled: &'a AtomicBool,
    progress: &'a (dyn Fn(usize) + Sync),
    /// Packages between two reports.
    step: usize,
    done: AtomicUsize,
    outcome: Mutex<Outcome>,
    /// One thread failed: the others need not go on.
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Outcome {
    error: Option<LinkError>,
    damaged: Vec<usize>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("tree", &self.tree).field("done", &self.done).finish_non_exhaustive()
    }
}

impl<'a> Builder<'a> {
    /// Builds one share.
    fn work(&self, share: &[usize]) {
        let mut way = Way::default();
        for index in share {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if self.cancelled.load(Ordering::Relaxed) {
                return self.fail(LinkError::Cancelled);
            }
            let job = &self.jobs[*index];
            match way.make(self, &job.place).and_then(|()| self.build_package(job)) {
                Ok(Placed::Done) => {}
                Ok(Placed::Damaged) => self.outcome().damaged.push(*index),
                Err(error) => return self.fail(error),
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(self.step) || done == self.jobs.len() {
                (self.progress)(done);
            }
        }
    }

    fn outcome(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first error is the one that counts.
    fn fail(&self, error: LinkError) {
        self.is_over.store(true, Ordering::Relaxed);
        self.outcome().error.get_or_insert(error);
    }

    /// Makes the directories that lead to packages and belong to no thread: scopes, and the way to packages that stay.
    fn make_ways(&self, order: &[usize]) -> Result<(), LinkError> {
        let mut made = HashSet::new();
        let mut leader: Option<&str> = None;
        for index in order {
            let unit = unit_of(&self.jobs[*index].place);
            if !leader.is_some_and(|leader| is_inside(unit, leader)) {
                leader = Some(unit);
                self.make_above(unit, 0, &mut made)?;
            }
        }
        Ok(())
    }

    /// Makes the directories above a package, from those on whose paths are longer than `from` bytes.
    fn make_above(&self, path: &'a str, from: usize, made: &mut HashSet<&'a str>) -> Result<(), LinkError> {
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > from) {
            if made.insert(&path[..end]) {
                self.make(&self.root, &path[..end], "")?;
            }
        }
        Ok(())
    }

    fn build_package(&self, job: &Job) -> Result<Placed, LinkError> {
        let package = job.place.as_str();
        self.make(&self.root, package, "")?;
        let target = self.open(&self.root, package, "")?;
        let source = match open_root(&job.entry.files_dir) {
            Ok(source) => source,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Placed::Damaged),
            Err(errno) => return Err(read_error(&job.entry.files_dir, errno)),
        };
        if self.is_overlay {
            self.placer.spare_lower_layers(source.as_fd());
        }
        let mut made = HashSet::new();
        for files in runs(&job.entry.files) {
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
                self.place_files(job, files, 0, &source, &target)?
            } else {
                let source = match open_at(&source, folder.as_bytes(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
                {
                    Ok(source) => source,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Placed::Damaged),
                    Err(errno) => return Err(read_error(&job.entry.files_dir.join(folder), errno)),
                };
                let target = self.open(&target, folder, package)?;
                self.place_files(job, files, folder.len() + 1, &source, &target)?
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
        job: &Job,
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
                self.placer.place(stored, placed, file, job.entry.is_new)
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

    /// Makes the links, folder by folder. The packages are there.
    fn make_links(&self, folders: &[LinkFolder], threads: usize) {
        if folders.is_empty() {
            return;
        }
        let known: HashSet<&str> = self.jobs.iter().flat_map(|job| prefixes(&job.place)).collect();
        let share = folders.len().div_ceil(threads * SHARES_PER_THREAD).max(1);
        threads::share_out(threads, folders.chunks(share).collect(), &|share: &[LinkFolder]| {
            for folder in share {
                if self.cancelled.load(Ordering::Relaxed) {
                    return self.fail(LinkError::Cancelled);
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
}

/// The directories that a thread made above the packages of its share.
#[derive(Debug, Default)]
struct Way<'a> {
    /// The package that those after it are inside of.
    leader: Option<&'a str>,
    made: HashSet<&'a str>,
}

impl<'a> Way<'a> {
    fn make(&mut self, builder: &Builder<'a>, place: &'a str) -> Result<(), LinkError> {
        if !self.leader.is_some_and(|leader| is_inside(place, leader)) {
            let unit = unit_of(place);
            self.leader = Some(unit);
            if unit != place {
                builder.make(&builder.root, unit, "")?;
            }
        }
        let leader = self.leader.unwrap_or(place);
        builder.make_above(place, leader.len(), &mut self.made)
    }
}

/// Cuts the jobs into consecutive shares of about as much work each; what is inside a package stays with it.
fn shares<'a>(jobs: &[Job], order: &'a [usize], count: usize) -> Vec<&'a [usize]> {
    let work: Vec<usize> = order.iter().map(|index| work(&jobs[*index])).collect();
    let unit = |position: usize| unit_of(&jobs[order[position]].place);
    let (mut shares, mut start, mut left) = (Vec::with_capacity(count), 0, work.iter().sum::<usize>());
    for threads in (1..=count).rev() {
        let (mut end, mut taken) = (start, 0);
        while end < order.len() && taken < left.div_ceil(threads) {
            let leader = end;
            while end < order.len() && (end == leader || is_inside(unit(end), unit(leader))) {
                taken += work[end];
                end += 1;
            }
        }
        if start < end {
            shares.push(&order[start..end]);
        }
        (start, left) = (end, left - taken);
    }
    debug_assert_eq!(start, order.len(), "every job is in one share");
    shares
}

/// What a package costs, in links of a file.
fn work(job: &Job) -> usize {
    job.entry.files.len() + DIRECTORY_WORK * (1 + runs(&job.entry.files).count())
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
    use std::{collections::BTreeMap, fs, path::PathBuf};

    use super::*;
    use crate::{
        lock::InstallPath,
        store::{Entry, modified_ns},
    };

    /// A package at `path` with these files, stored under `store`.
    fn job(store: &Path, path: &str, files: &[&str]) -> Job {
        let files_dir = store.join(path.replace('/', "+"));
        fs::create_dir_all(&files_dir).unwrap();
        let files = files.iter().map(|file| {
            let at = files_dir.join(file);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(&at, format!("{path}: {file}")).unwrap();
            let metadata = fs::metadata(&at).unwrap();
            IndexedFile {
                path: (*file).to_owned(),
                bytes: metadata.len(),
                executable: false,
                modified_ns: modified_ns(&metadata),
                ..IndexedFile::default()
            }
        });
        Job {
            place: path.to_owned(),
            path: InstallPath::ROOT,
            package: path.to_owned(),
            entry: Entry { files: files.collect(), files_dir, is_new: false },
            private: false,
            without: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn build_with(threads: usize, tree: &Path, jobs: &[Job]) -> (Result<Built, LinkError>, Vec<usize>) {
        fs::create_dir_all(tree).unwrap();
        let told = Mutex::new(Vec::new());
        let built = build(tree, jobs, &[], threads, &AtomicBool::new(false), &|done| told.lock().unwrap().push(done));
        (built, told.into_inner().unwrap())
    }

    #[test]
    fn a_file_is_looked_at_and_linked_once_and_a_directory_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let dense: Vec<String> = (0..DENSE_FILES).map(|file| format!("lib/{file}.js")).collect();
        let mut outer = vec!["package.json", "index.js", "a/b/c/deep.js", "a/b/near.js"];
        outer.extend(dense.iter().map(String::as_str));
        let jobs = [
            job(dir.path(), "node_modules/@s/outer", &outer),
            job(dir.path(), "node_modules/@s/outer/node_modules/inner", &["package.json"]),
        ];
        let tree = dir.path().join("tree");
        let ((built, _), calls) = atoll_sys::count::of(|| build_with(1, &tree, &jobs));
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
        let dir = tempfile::tempdir().unwrap();
        let mut jobs = [job(dir.path(), "node_modules/a", &["package.json", "lib/x.js"])];
        jobs[0].entry.is_new = true;
        let tree = dir.path().join("tree");
        let ((built, _), calls) = atoll_sys::count::of(|| build_with(1, &tree, &jobs));
        assert!(built.unwrap().damaged.is_empty());
        let count = |name: &str| calls.iter().filter(|call| **call == name).count();
        assert_eq!((count("statx"), count("linkat")), (0, 2), "{calls:?}");
    }

    #[test]
    fn a_link_is_made_once_in_its_open_folder_and_never_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let beside = "node_modules/.pnpm/@s+a@1/node_modules";
        let jobs = [job(dir.path(), &format!("{beside}/@s/a"), &["package.json"])];
        let folder = |path: &str, names: &[&str]| LinkFolder {
            path: path.to_owned(),
            links: names.iter().map(|name| ((*name).to_owned(), format!("../to/{name}"))).collect(),
        };
        let folders = [
            folder("node_modules", &["x"]),
            folder(beside, &["@t/b", "@t/c", "d"]),
            folder(&format!("{beside}/@s/a/node_modules/.bin"), &["run"]),
        ];
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let cancelled = AtomicBool::new(false);
        let (built, calls) = atoll_sys::count::of(|| build(&tree, &jobs, &folders, 1, &cancelled, &|_| {}));
        assert!(built.unwrap().damaged.is_empty());
        for LinkFolder { path, links } in &folders {
            for (name, text) in links {
                assert_eq!(fs::read_link(tree.join(path).join(name)).unwrap(), Path::new(text));
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
        let dir = tempfile::tempdir().unwrap();
        let mut jobs = Vec::new();
        for package in 0..40 {
            let path = format!("node_modules/p{package}");
            let files: Vec<String> = (0..package % 13).map(|file| format!("{}/{file}.js", file % 3)).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            jobs.push(job(dir.path(), &path, &files));
            for inner in 0..package % 3 {
                jobs.push(job(dir.path(), &format!("{path}/node_modules/i{inner}"), &["i.js"]));
            }
        }
        let list = |tree: &Path| {
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
        };
        let one = dir.path().join("one");
        let (built, told) = build_with(1, &one, &jobs);
        assert!(built.unwrap().damaged.is_empty());
        assert_eq!(told.last(), Some(&jobs.len()));
        assert!(told.is_sorted() && told.len() <= PROGRESS_STEPS + 1, "{told:?}");
        let expected = list(&one);
        assert!(expected.len() > jobs.len());
        for threads in [2, 3, 64] {
            let tree = dir.path().join(threads.to_string());
            assert!(build_with(threads, &tree, &jobs).0.unwrap().damaged.is_empty());
            assert_eq!(list(&tree), expected);
        }
    }

    #[test]
    fn every_job_is_in_one_share_with_what_is_inside_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut jobs: Vec<Job> = ["a", "a/node_modules/b", "a/node_modules/b/node_modules/c", "a-b", "z"]
            .iter()
            .map(|path| job(dir.path(), &format!("node_modules/{path}"), &["x"]))
            .collect();
        for package in 0..50 {
            jobs.push(job(dir.path(), &format!("node_modules/p{package:02}"), &["x"; 3]));
        }
        let order: Vec<usize> = (0..jobs.len()).collect();
        for count in 1..20 {
            let shares = shares(&jobs, &order, count);
            assert!(shares.len() <= count);
            assert_eq!(shares.concat(), order);
            assert!(shares[0].len() >= 3, "a and what is inside it");
            let work = |share: &[usize]| share.iter().map(|index| work(&jobs[*index])).sum::<usize>();
            let most = shares.iter().map(|share| work(share)).max().unwrap();
            let fair = work(&order).div_ceil(count);
            assert!(most <= fair + work(&order[..3]), "{count}: {most} of {fair}");
        }
    }

    #[test]
    fn damaged_packages_are_all_named_and_an_obstacle_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let jobs: Vec<Job> =
            (0..9).map(|package| job(dir.path(), &format!("node_modules/p{package}"), &["x.js", "y/z.js"])).collect();
        fs::remove_dir_all(&jobs[1].entry.files_dir).unwrap();
        fs::remove_file(jobs[4].entry.files_dir.join("y/z.js")).unwrap();
        fs::write(jobs[7].entry.files_dir.join("x.js"), "longer than it was").unwrap();
        for threads in [1, 3] {
            let (built, _) = build_with(threads, &dir.path().join(threads.to_string()), &jobs);
            let mut damaged = built.unwrap().damaged;
            damaged.sort_unstable();
            assert_eq!(damaged, [1, 4, 7]);
        }
        let tree = dir.path().join("blocked");
        fs::create_dir_all(tree.join("node_modules")).unwrap();
        fs::write(tree.join("node_modules/p5"), "a file").unwrap();
        let Err(LinkError::Write { path, .. }) = build_with(2, &tree, &jobs).0 else { panic!("it cannot be written") };
        assert_eq!(path, tree.join("node_modules/p5"));
    }
}
