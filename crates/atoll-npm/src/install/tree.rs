//! The new `node_modules`, from plan to commit.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{HashMap, HashSet},
    fmt, fs, io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    InstallError, InstallOptions, Summary,
    files::{ProjectFile, ProjectFiles, Resolved},
};
use crate::{
    fetch::{Fetcher, Wanted, expected_bytes},
    integrity::Integrity,
    link::{
        Changes, Job, LinkError, LinkFolder, Method, Project, Stage, bins,
        build::Built,
        commit::Journal,
        state::{self, Installed, Marker},
        unit_of,
    },
    lock::{InstallPath, LockEntry, Lockfile},
    manifest::Manifest,
    plan::{Package, Plan, is_within},
    report::{Progress, Reporter, Stage as Step, Warning},
    scripts::{self, Runner, Surroundings},
    store::{Entry, MachineKey, Store},
    threads::{self, blocking},
    waits::{Unit, Waits},
};

/// How often a tree is built when stored packages change while they are used.
const BUILD_ATTEMPTS_MAX: usize = 3;

/// A tree in the making. Dropping it leaves the project as it was.
pub(super) struct Tree<'a> {
    plan: &'a Plan<'a>,
    resolved: &'a Resolved,
    options: &'a InstallOptions,
    stage: Arc<Stage>,
    project: Arc<Project>,
    /// The folders of optional packages whose scripts failed; what is inside them is left out too.
    dropped: HashSet<&'a str>,
    /// Packages whose scripts ran.
    ran: HashSet<&'a str>,
    /// `.bin` folders outside of the plan that lose commands of packages that were dropped.
    also: Vec<String>,
    /// npm's description of what is installed, should nothing be dropped.
    described: OnceLock<String>,
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        // Threads that still build have nobody to build for.
        self.stage.cancel();
    }
}

impl fmt::Debug for Tree<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tree").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl<'a> Tree<'a> {
    /// An empty one.
    pub(super) fn new(
        project: &Arc<Project>,
        plan: &'a Plan<'a>,
        resolved: &'a Resolved,
        options: &'a InstallOptions,
    ) -> Result<Self, InstallError> {
        let stage = Stage::new(project).map_err(|source| InstallError::Io {
            action: "write to",
            path: project.dir.clone(),
            source,
        })?;
        Ok(Self {
            plan,
            resolved,
            options,
            stage,
            project: Arc::clone(project),
            dropped: HashSet::new(),
            ran: HashSet::new(),
            also: Vec::new(),
            described: OnceLock::new(),
        })
    }

    /// Makes sure that the store has everything that has to be built.
    pub(super) async fn gather(&self, fetcher: &Fetcher<'_>, store: &Store) -> Result<Vec<Job>, InstallError> {
        let packages = &self.plan.build;
        let wanted: Vec<Wanted> =
            packages.iter().map(|package| fetcher.wanted(package.path, package.entry)).collect::<Result<_, _>>()?;
        let mut entries: Vec<Option<Entry>> = wanted.iter().map(|wanted| fetcher.take(&wanted.integrity)).collect();
        look_up(store, &wanted, &mut entries, &self.options.waits).await;
        let mut missing: Vec<(&Package<'_>, &Wanted)> = (packages.iter().zip(&wanted).zip(&entries))
            .filter(|(_, entry)| entry.is_none())
            .map(|(package, _)| package)
            .collect();
        if !missing.is_empty() {
            missing.sort_by_key(|(package, _)| expected_work(&self.resolved.manifest, package.path, package.entry));
            fetcher.fetch_all(missing.into_iter().map(|(_, wanted)| wanted.clone()).collect()).await?;
            for (wanted, entry) in wanted.iter().zip(&mut entries).filter(|(_, entry)| entry.is_none()) {
                *entry = fetcher.take(&wanted.integrity);
            }
            look_up(store, &wanted, &mut entries, &self.options.waits).await;
        }
        fetcher.finish();
        let mut jobs = Vec::with_capacity(wanted.len());
        for ((package, wanted), entry) in packages.iter().zip(wanted).zip(entries) {
            let entry = entry.ok_or_else(|| LinkError::Damaged { package: wanted.package.clone() })?;
            jobs.push(Job {
                place: package.place.clone(),
                path: package.path.clone(),
                package: wanted.package,
                entry,
                private: self.may_run_scripts(package),
                without: package.without.clone(),
                commands: bins::safe_bins(package.entry).map(|(_, target)| target.to_owned()).collect(),
            });
        }
        Ok(jobs)
    }

    fn may_run_scripts(&self, package: &Package<'_>) -> bool {
        let name = package.entry.package_name(package.path);
        !self.options.ignore_scripts && self.resolved.manifest.allows_scripts_of(name)
    }

    /// Builds the packages, the links among them and the `.bin` folders.
    pub(super) async fn build(
        &mut self,
        mut jobs: Vec<Job>,
        fetcher: &Fetcher<'_>,
        store: &Store,
        reporter: &dyn Reporter,
    ) -> Result<Option<Method>, InstallError> {
        let started = Instant::now();
        let total = jobs.len();
        reporter.stage_started(Step::Link, total);
        let mut method = None;
        let folders: Arc<[LinkFolder]> = self.plan.links.iter().chain(&self.plan.bins).cloned().collect();
        if !jobs.is_empty() || !folders.is_empty() {
            let mut built;
            let mut attempt = 1;
            loop {
                (built, jobs) = self.build_once(jobs, Arc::clone(&folders), reporter).await?;
                let Some(first) = built.damaged.first() else { break };
                if attempt == BUILD_ATTEMPTS_MAX {
                    return Err(LinkError::Damaged { package: jobs[*first].package.clone() }.into());
                }
                self.stage.clear().map_err(|source| self.stage_error(source))?;
                self.fetch_again(&mut jobs, &built.damaged, fetcher, store).await?;
                attempt += 1;
            }
            if let (Method::Copy, Some(reason)) = (built.method, built.refusal) {
                reporter.warning(&Warning::Copying { reason });
            }
            method = Some(built.method).filter(|_| total > 0);
        }
        reporter.stage_finished(Step::Link, started.elapsed());
        Ok(method)
    }

    /// Replaces entries of the store that turned out to be damaged.
    async fn fetch_again(
        &self,
        jobs: &mut [Job],
        damaged: &[usize],
        fetcher: &Fetcher<'_>,
        store: &Store,
    ) -> Result<(), InstallError> {
        let mut wanted = Vec::with_capacity(damaged.len());
        for job in damaged {
            let path = &jobs[*job].path;
            wanted.push(fetcher.wanted(path, &self.resolved.lock.packages[path])?);
        }
        for wanted in &wanted {
            store.evict(&wanted.integrity)?;
        }
        fetcher.fetch_all(wanted.clone()).await?;
        let mut fetched = HashMap::with_capacity(damaged.len());
        let mut entries: Vec<Option<Entry>> = wanted.iter().map(|wanted| fetcher.take(&wanted.integrity)).collect();
        look_up(store, &wanted, &mut entries, &self.options.waits).await;
        for (job, entry) in damaged.iter().zip(entries) {
            let Job { package, entry: old, .. } = &jobs[*job];
            let entry = entry.ok_or_else(|| LinkError::Damaged { package: package.clone() })?;
            fetched.insert(old.files_dir.clone(), entry);
        }
        // A package can be in several places, and not all of them need have noticed.
        for job in jobs {
            if let Some(entry) = fetched.get(&job.entry.files_dir) {
                job.entry = entry.clone();
            }
        }
        Ok(())
    }

    /// One try, on threads of its own; reports its progress from here. Gives the jobs back if there is more to do.
    async fn build_once(
        &self,
        jobs: Vec<Job>,
        folders: Arc<[LinkFolder]>,
        reporter: &dyn Reporter,
    ) -> Result<(Built, Vec<Job>), LinkError> {
        let (sender, mut receiver) = tokio::sync::watch::channel(0);
        let (stage, total) = (Arc::clone(&self.stage), jobs.len());
        let files: usize = jobs.iter().map(|job| job.entry.files.len()).sum();
        let waiting = self.options.waits.begin(format!("linking {files} files of {total} packages"), Unit::Packages);
        waiting.expect(total as u64);
        let work = blocking(move || {
            let built = stage.build(&jobs, &folders, &|done| {
                // Nobody watches any more when the installation was cancelled.
                let _ = sender.send(done);
            });
            let built = built?;
            // Most often they have served, and taking their lists apart is work for this thread.
            let jobs = if built.damaged.is_empty() { Vec::new() } else { jobs };
            Ok((built, jobs))
        });
        // The texts that come with the tree are written meanwhile.
        if let Some(packages) = self.plan.shape.described(&HashSet::new()) {
            self.described.get_or_init(|| self.resolved.lock_text_of(&packages));
        }
        // The sender is dropped when the work is done.
        while receiver.changed().await.is_ok() {
            let done = *receiver.borrow_and_update();
            waiting.reach(done as u64);
            reporter.progressed(Step::Link, Progress { done, total, bytes: 0 });
        }
        work.await
    }

    /// Runs the scripts that are allowed, and notes those that are not.
    pub(super) async fn run_scripts(
        &mut self,
        reporter: &dyn Reporter,
        summary: &mut Summary,
    ) -> Result<(), InstallError> {
        let (allowed, refused): (Vec<_>, Vec<_>) =
            self.plan.build.iter().partition(|package| self.may_run_scripts(package));
        summary.scripts_skipped = refused
            .iter()
            .filter(|package| package.entry.has_install_script)
            .map(|package| label(package.path, package.entry))
            .collect();
        if allowed.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let total = allowed.len();
        reporter.stage_started(Step::Scripts, total);
        let lent = self.stage.lend(&self.plan.kept).map_err(|source| self.stage_error(source))?;
        let tree = self.stage.tree();
        for (done, package) in in_dependency_order(&self.resolved.lock, &allowed).into_iter().enumerate() {
            let surroundings = Surroundings {
                tree: &tree,
                project: &self.project.dir,
                environment: &self.options.script_environment,
                deadline: self.options.script_deadline,
                reporter,
                waits: &self.options.waits,
            };
            let Package { place, path, entry, .. } = package;
            match scripts::run_package(Runner { place, path, entry }, &surroundings).await {
                Ok(true) => {
                    self.ran.insert(place);
                    summary.scripts_ran.push(label(path, entry));
                }
                Ok(false) => {}
                Err(error) if package.is_optional => {
                    reporter
                        .warning(&Warning::OptionalDropped { package: label(path, entry), reason: error.to_string() });
                    self.dropped.insert(unit_of(place));
                }
                Err(error) => return Err(error.into()),
            }
            reporter.progressed(Step::Scripts, Progress { done: done + 1, total, bytes: 0 });
        }
        // What is done to the stage from here on must not reach through them.
        lent.iter().try_for_each(fs::remove_file).map_err(|source| self.stage_error(source))?;
        if !self.dropped.is_empty() {
            self.also = self.take_out_dropped().map_err(|source| self.stage_error(source))?;
        }
        reporter.stage_finished(Step::Scripts, started.elapsed());
        Ok(())
    }

    /// Removes packages whose scripts failed from the stage, the links that lead to them, and their commands. Returns `.bin`
    /// folders that had nothing to do with the installation so far.
    fn take_out_dropped(&self) -> io::Result<Vec<String>> {
        let tree = self.stage.tree();
        for unit in &self.dropped {
            fs::remove_dir_all(tree.join(unit))?;
        }
        for link in self.plan.shape.links_to(&self.dropped) {
            remove_if_there(&tree.join(link))?;
        }
        let (before, after) = (self.plan.shape.commands(&HashSet::new()), self.plan.shape.commands(&self.dropped));
        let planned: HashSet<&str> = self.plan.bins.iter().map(|folder| folder.path.as_str()).collect();
        let changed = before.keys().filter(|path| before.get(*path) != after.get(*path)).map(String::as_str);
        let changed: Vec<&str> =
            changed.filter(|path| !planned.contains(path) && !is_within(path, &self.dropped)).collect();
        let kept = planned.iter().copied().filter(|path| !is_within(path, &self.dropped));
        let folder =
            |path: &str| LinkFolder { path: path.to_owned(), links: after.get(path).cloned().unwrap_or_default() };
        let folders: Vec<LinkFolder> = kept.chain(changed.iter().copied()).map(folder).collect();
        for folder in folders.iter().filter(|folder| planned.contains(folder.path.as_str())) {
            fs::remove_dir_all(tree.join(&folder.path))?;
        }
        self.stage.build(&[], &folders, &|_| {}).map_err(io::Error::other)?;
        Ok(changed.into_iter().map(str::to_owned).collect())
    }

    /// Writes what `node_modules` says about itself, and the project's files, into the stage.
    pub(super) fn describe(
        &self,
        before: &Installed,
        files: &ProjectFiles,
        inputs: String,
        summary: &mut Summary,
    ) -> Result<(), InstallError> {
        let building: HashSet<&str> = self.plan.build.iter().map(|package| package.place.as_str()).collect();
        let (packages, linked) = self.plan.shape.packages(&self.dropped);
        let ran = |place: &str| self.ran.contains(place) || (!building.contains(place) && before.ran_scripts(place));
        let scripts_ran = packages.iter().filter(|place| ran(place)).cloned().collect();
        summary.installed = packages.len();
        let marker = Marker { inputs, linked, packages, scripts_ran }.to_text();
        let described = self.plan.shape.described(&self.dropped).map(|packages| match self.described.get() {
            Some(text) if self.dropped.is_empty() => Cow::from(text),
            _ => Cow::from(self.resolved.lock_text_of(&packages)),
        });
        let described = described.as_deref().map(|text| (state::HIDDEN_LOCK, text));
        let changed = self.resolved.project_files(files).into_iter().filter(ProjectFile::changes);
        for (path, text) in
            described.into_iter().chain([(state::MARKER, &*marker)]).chain(changed.map(|file| (file.name, file.after)))
        {
            self.stage.write(path, text.as_bytes()).map_err(|source| self.stage_error(source))?;
        }
        Ok(())
    }

    /// Puts everything in place, on a thread that finishes even when nobody waits any more.
    pub(super) async fn commit(self, files: &ProjectFiles, key: MachineKey) -> Result<(), InstallError> {
        let mut journal = Journal::default();
        let mut changed = Vec::new();
        for file in self.resolved.project_files(files) {
            file.guard(&mut journal);
            if file.changes() {
                changed.push(file.name);
            }
        }
        let stage = Arc::clone(&self.stage);
        let mut remove = self.plan.remove.clone();
        // What a dropped package would have replaced goes, too.
        let gone = self.plan.shape.links_to(&self.dropped);
        remove.extend(self.dropped.iter().map(|path| (*path).to_owned()).chain(gone.iter().cloned()));
        let is_gone = |path: &&String| is_within(path, &self.dropped) || gone.contains(path);
        let place = self.plan.place.iter().filter(|path| !is_gone(path)).chain(&self.also);
        let place: Vec<String> = place.cloned().collect();
        let work = blocking(move || {
            let changes = Changes { remove: &remove, place: &place, files: &changed };
            stage.commit(journal, &changes, &key)
        });
        let _waiting = self.options.waits.begin("putting the new tree in place", Unit::None);
        work.await.map(|_| ()).map_err(InstallError::from)
    }

    fn stage_error(&self, source: std::io::Error) -> InstallError {
        InstallError::Io { action: "write to", path: self.stage.tree(), source }
    }
}

impl Fetcher<'_> {
    /// What to fetch for an entry of the lockfile.
    pub(super) fn wanted(&self, path: &InstallPath, entry: &LockEntry) -> Result<Wanted, InstallError> {
        let package = label(path, entry);
        let integrity = entry.integrity.as_deref().and_then(|text| Integrity::parse(text).ok());
        let Some(integrity) = integrity else { return Err(InstallError::NoIntegrity { package }) };
        let name = entry.package_name(path);
        let version = entry.version.as_deref().unwrap_or_default();
        let url = self.url_of(name, version, entry.resolved.as_deref());
        Ok(Wanted { package, url, integrity })
    }
}

/// Reports direct dependencies among these packages, which are new here, whose authors advise against them.
pub(super) fn warn_of_deprecated<'e>(
    new: impl Iterator<Item = (&'e InstallPath, &'e LockEntry)>,
    lock: &Lockfile,
    reporter: &dyn Reporter,
) {
    let Some(root) = lock.packages.get(&InstallPath::ROOT) else { return };
    let direct: HashSet<&str> = root.edge_names().collect();
    for (path, entry) in new.filter(|(path, _)| path.depth() == 1 && direct.contains(path.name())) {
        if let Some(message) = &entry.deprecated {
            reporter.warning(&Warning::Deprecated { package: label(path, entry), message: message.clone() });
        }
    }
}

/// These packages, each after those that it depends on.
fn in_dependency_order<'p, 'a>(lock: &'a Lockfile, packages: &[&'p Package<'a>]) -> Vec<&'p Package<'a>> {
    let mut by_path: HashMap<&str, &Package<'_>> = HashMap::new();
    let mut keys = Vec::new();
    for package in packages {
        for path in std::iter::once(&package.path).chain(&package.others) {
            by_path.insert(path.as_str(), package);
            keys.push((*path, package.entry));
        }
    }
    let mut seen = HashSet::new();
    let ordered = scripts::in_dependency_order(lock, &keys).into_iter().map(|(path, _)| by_path[path.as_str()]);
    ordered.filter(|package| seen.insert(package.place.as_str())).collect()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
        _ => Ok(()),
    }
}

/// Name and version.
fn label(path: &InstallPath, entry: &LockEntry) -> String {
    format!("{}@{}", entry.package_name(path), entry.version.as_deref().unwrap_or("?"))
}

/// Gives those that have no entry the store's, as its index has it.
async fn look_up(store: &Store, wanted: &[Wanted], entries: &mut [Option<Entry>], waits: &Waits) {
    let missing: Vec<Wanted> = missing(wanted, entries).cloned().collect();
    if missing.is_empty() {
        return;
    }
    let _waiting = waits.begin("looking packages up in the store", Unit::None);
    let store = store.clone();
    let found = blocking(move || threads::map(&missing, &|wanted| store.index(&wanted.integrity))).await;
    for (entry, found) in entries.iter_mut().filter(|entry| entry.is_none()).zip(found) {
        *entry = found;
    }
}

/// The order in which packages are fetched.
fn expected_work(manifest: &Manifest, path: &InstallPath, entry: &LockEntry) -> Reverse<u64> {
    Reverse(expected_bytes(entry, manifest.depends_on(path.name())))
}

/// Those that have no entry.
fn missing<'w>(wanted: &'w [Wanted], entries: &[Option<Entry>]) -> impl Iterator<Item = &'w Wanted> {
    wanted.iter().zip(entries).filter(|(_, entry)| entry.is_none()).map(|(wanted, _)| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_probably_large_is_fetched_first() {
        let manifest =
            Manifest::parse("package.json", r#"{"dependencies":{"next":"*"},"devDependencies":{"vite":"*"}}"#).unwrap();
        let lists = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let of = |os: &[&str], cpu: &[&str]| LockEntry { os: lists(os), cpu: lists(cpu), ..LockEntry::default() };
        let mut packages = [
            ("node_modules/ms", of(&[], &[])),
            ("node_modules/vite", of(&[], &[])),
            ("node_modules/next", of(&[], &[])),
            ("node_modules/@esbuild/linux-x64", of(&["linux"], &["x64"])),
            ("node_modules/a/node_modules/wasm", of(&[], &["wasm32"])),
        ];
        packages.sort_by_key(|(path, entry)| expected_work(&manifest, &InstallPath::parse(path).unwrap(), entry));
        let order = packages.map(|(path, _)| path.rsplit_once("node_modules/").unwrap().1);
        assert_eq!(order, ["@esbuild/linux-x64", "wasm", "vite", "next", "ms"]);
    }
}
