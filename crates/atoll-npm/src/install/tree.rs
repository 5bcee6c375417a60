//! The new `node_modules`, from plan to commit.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt, fs, io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    InstallError, InstallOptions, Summary,
    building::Building,
    files::{ProjectFile, ProjectFiles, Resolved},
    inputs_digest, settled,
};
use crate::{
    fetch::{Fetcher, Following, Wanted, expected_bytes},
    integrity::Integrity,
    link::{
        Changes, Job, LinkError, LinkFolder, Method, Project, Stage, bins,
        build::{Builder, in_order},
        commit::Journal,
        state::{self, Installed, Marker},
        unit_of,
    },
    lock::{InstallPath, LockEntry, Lockfile},
    manifest::Manifest,
    plan::{Package, Plan, is_within},
    report::{Progress, Reporter, Stage as Step, Warning},
    scripts::{self, Runner, Surroundings},
    store::{MachineKey, Store},
    threads::{self, blocking},
    waits::Unit,
};

/// How often a tree is built when stored packages change while they are used.
const BUILD_ATTEMPTS_MAX: usize = 3;

/// A tree in the making. Dropping it leaves the project as it was.
pub(super) struct Tree<'a> {
    plan: &'a Plan<'a>,
    pub(super) resolved: &'a Resolved,
    pub(super) options: &'a InstallOptions,
    key: &'a MachineKey,
    stage: Arc<Stage>,
    project: Arc<Project>,
    /// The folders of optional packages whose scripts failed; what is inside them is left out too.
    dropped: HashSet<&'a str>,
    /// Packages whose scripts ran.
    ran: HashSet<&'a str>,
    /// `.bin` folders outside of the plan that lose commands of packages that were dropped.
    also: Vec<String>,
    /// npm's description of what is installed, should nothing be dropped; `None` where there is none.
    described: OnceLock<Option<String>>,
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
        key: &'a MachineKey,
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
            key,
            stage,
            project: Arc::clone(project),
            dropped: HashSet::new(),
            ran: HashSet::new(),
            also: Vec::new(),
            described: OnceLock::new(),
        })
    }

    /// What has to be built.
    fn jobs(&self) -> Result<Arc<[Job]>, InstallError> {
        let job = |package: &Package<'_>| {
            let label = label(package.path, package.entry);
            Ok(Job {
                place: package.place.clone(),
                path: package.path.clone(),
                integrity: integrity(&label, package.entry)?,
                package: label,
                private: self.may_run_scripts(package),
                without: package.without.clone(),
                commands: bins::safe_bins(package.entry).map(|(_, target)| target.to_owned()).collect(),
            })
        };
        Ok(in_order(self.plan.build.iter().map(job).collect::<Result<_, InstallError>>()?))
    }

    fn may_run_scripts(&self, package: &Package<'_>) -> bool {
        let name = package.entry.package_name(package.path);
        !self.options.ignore_scripts && self.resolved.manifest.allows_scripts_of(name)
    }

    /// Builds the packages, the links among them and the `.bin` folders. What the store does not have is fetched, and built as it
    /// comes.
    pub(super) async fn build(
        &self,
        (fetcher, following): (&Fetcher<'_>, &mut Following<'_>),
        store: &Store,
        reporter: &dyn Reporter,
    ) -> Result<Option<Method>, InstallError> {
        let jobs = self.jobs()?;
        let folders: Arc<[LinkFolder]> = self.plan.links.iter().chain(&self.plan.bins).cloned().collect();
        let mut attempt = 1;
        loop {
            let builder = Arc::new(Builder::new(&self.stage, Arc::clone(&jobs))?);
            let built = Building::new(self, &builder, &folders, (fetcher, store), reporter).run(following).await?;
            let Some(first) = built.damaged.first() else {
                if let (Method::Copy, Some(reason)) = (built.method, built.refusal) {
                    reporter.warning(&Warning::Copying { reason });
                }
                return Ok(Some(built.method).filter(|_| !jobs.is_empty()));
            };
            if attempt == BUILD_ATTEMPTS_MAX {
                return Err(LinkError::Damaged { package: jobs[*first].package.clone() }.into());
            }
            self.stage.clear().map_err(|source| self.stage_error(source))?;
            for job in built.damaged {
                store.evict(&jobs[job].integrity)?;
            }
            attempt += 1;
        }
    }

    /// Does what is left to do while others build.
    pub(super) fn prepare(&self) {
        self.described.get_or_init(|| {
            let described = self.plan.shape.described(&HashSet::new())?;
            let may_run_scripts = self.plan.build.iter().any(|package| self.may_run_scripts(package));
            if !may_run_scripts && self.resolved.is_whole() {
                let inputs = inputs_digest(self.options, &self.resolved.manifest_text, Some(self.resolved.lock_text()));
                // Without it the next one takes longer, and nothing else.
                let _ = settled::write(&self.options.cache_dir, self.key, &inputs, &self.resolved.lock, &described);
            }
            Some(self.resolved.lock_text_of(&described))
        });
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
        let builder = Builder::new(&self.stage, in_order(Vec::new())).map_err(io::Error::other)?;
        builder.make_links(&folders, threads::count());
        builder.outcome().map_err(io::Error::other)?;
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
            Some(Some(text)) if self.dropped.is_empty() => Cow::from(text),
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
    pub(super) async fn commit(self, files: &ProjectFiles) -> Result<(), InstallError> {
        let mut journal = Journal::default();
        let mut changed = Vec::new();
        for file in self.resolved.project_files(files) {
            file.guard(&mut journal);
            if file.changes() {
                changed.push(file.name);
            }
        }
        let (stage, key) = (Arc::clone(&self.stage), self.key.clone());
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
    /// What to fetch for an entry of the lockfile of a project with this manifest.
    pub(super) fn wanted(
        &self,
        path: &InstallPath,
        entry: &LockEntry,
        manifest: &Manifest,
    ) -> Result<Wanted, InstallError> {
        let package = label(path, entry);
        let integrity = integrity(&package, entry)?;
        Ok(self.wanted_as(package, integrity, path, entry, manifest))
    }

    pub(super) fn wanted_as(
        &self,
        package: String,
        integrity: Integrity,
        path: &InstallPath,
        entry: &LockEntry,
        manifest: &Manifest,
    ) -> Wanted {
        let name = entry.package_name(path);
        let version = entry.version.as_deref().unwrap_or_default();
        let url = self.url_of(name, version, entry.resolved.as_deref());
        Wanted { package, url, integrity, bytes: expected_bytes(entry, manifest.depends_on(path.name())) }
    }
}

/// What the lockfile says that a package hashes to.
fn integrity(package: &str, entry: &LockEntry) -> Result<Integrity, InstallError> {
    let integrity = entry.integrity.as_deref().and_then(|text| Integrity::parse(text).ok());
    integrity.ok_or_else(|| InstallError::NoIntegrity { package: package.to_owned() })
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
