//! The new `node_modules`, from plan to commit.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    InstallError, InstallOptions, Summary,
    files::{ProjectFile, ProjectFiles, Resolved},
};
use crate::{
    fetch::{Fetcher, Wanted},
    integrity::Integrity,
    link::{
        Changes, Job, LinkError, Method, Project, Stage, bins,
        build::Built,
        commit::Journal,
        outermost,
        state::{self, Installed, Marker},
    },
    lock::{InstallPath, LockEntry, Lockfile},
    plan::{Plan, bin_folder, link_target},
    report::{Progress, Reporter, Stage as Step, Warning},
    scripts::{self, Surroundings},
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
    /// Optional packages whose scripts failed; paths inside them are left out too.
    dropped: HashSet<&'a str>,
    /// Packages whose scripts ran.
    ran: HashSet<&'a str>,
    /// `.bin` folders in the stage.
    bins: Vec<(InstallPath, bins::Commands)>,
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
            bins: plan.bins.clone(),
            described: OnceLock::new(),
        })
    }

    /// Makes sure that the store has everything that has to be built.
    pub(super) async fn gather(&self, fetcher: &Fetcher<'_>, store: &Store) -> Result<Vec<Job>, InstallError> {
        let packages: Vec<_> = self.plan.build.iter().copied().filter(|(_, entry)| !entry.link).collect();
        let wanted: Vec<Wanted> =
            packages.iter().map(|(path, entry)| fetcher.wanted(path, entry)).collect::<Result<_, _>>()?;
        let mut entries = look_up(store, &wanted, &self.options.waits).await;
        let missing: Vec<Wanted> = wanted
            .iter()
            .zip(&entries)
            .filter(|(_, entry)| entry.is_none())
            .map(|(wanted, _)| wanted.clone())
            .collect();
        if !missing.is_empty() {
            fetcher.fetch_all(missing.clone()).await?;
            let mut fetched = look_up(store, &missing, &self.options.waits).await.into_iter();
            for entry in entries.iter_mut().filter(|entry| entry.is_none()) {
                *entry = fetched.next().flatten();
            }
        }
        fetcher.finish();
        let mut jobs = Vec::with_capacity(wanted.len());
        for (((path, locked), wanted), entry) in packages.into_iter().zip(wanted).zip(entries) {
            let entry = entry.ok_or_else(|| LinkError::Damaged { package: wanted.package.clone() })?;
            jobs.push(Job {
                path: path.clone(),
                package: wanted.package,
                entry,
                private: self.may_run_scripts(path, locked),
                commands: bins::safe_bins(locked).map(|(_, target)| target.to_owned()).collect(),
            });
        }
        Ok(jobs)
    }

    fn may_run_scripts(&self, path: &InstallPath, entry: &LockEntry) -> bool {
        !self.options.ignore_scripts && self.resolved.manifest.allows_scripts_of(entry.package_name(path))
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
        if !jobs.is_empty() {
            let mut built;
            let mut attempt = 1;
            loop {
                (built, jobs) = self.build_once(jobs, reporter).await?;
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
            method = Some(built.method);
        }
        self.write_links()?;
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
        for (job, entry) in damaged.iter().zip(look_up(store, &wanted, &self.options.waits).await) {
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
    async fn build_once(&self, jobs: Vec<Job>, reporter: &dyn Reporter) -> Result<(Built, Vec<Job>), LinkError> {
        let (sender, mut receiver) = tokio::sync::watch::channel(0);
        let (stage, total) = (Arc::clone(&self.stage), jobs.len());
        let files: usize = jobs.iter().map(|job| job.entry.files.len()).sum();
        let waiting = self.options.waits.begin(format!("linking {files} files of {total} packages"), Unit::Packages);
        waiting.expect(total as u64);
        let work = blocking(move || {
            let built = stage.build(&jobs, &|done| {
                // Nobody watches any more when the installation was cancelled.
                let _ = sender.send(done);
            });
            let built = built?;
            // Most often they have served, and taking their lists apart is work for this thread.
            let jobs = if built.damaged.is_empty() { Vec::new() } else { jobs };
            Ok((built, jobs))
        });
        // The texts that come with the tree are written meanwhile.
        self.described.get_or_init(|| self.resolved.lock_text_of(&self.plan.installed));
        // The sender is dropped when the work is done.
        while receiver.changed().await.is_ok() {
            let done = *receiver.borrow_and_update();
            waiting.reach(done as u64);
            reporter.progressed(Step::Link, Progress { done, total, bytes: 0 });
        }
        work.await
    }

    fn write_links(&self) -> Result<(), InstallError> {
        for (path, entry) in self.plan.build.iter().filter(|(_, entry)| entry.link) {
            let Some(target) = link_target(path, entry) else {
                return Err(InstallError::Unsupported {
                    package: path.to_string(),
                    what: "a link out of node_modules",
                });
            };
            bins::write_link(&self.stage.tree().join(path.as_str()), &target)
                .map_err(|source| self.stage_error(source))?;
        }
        self.write_bins()
    }

    fn write_bins(&self) -> Result<(), InstallError> {
        for (path, commands) in &self.bins {
            let folder = self.stage.tree().join(bin_folder(path));
            bins::write_folder(&folder, commands).map_err(|source| self.stage_error(source))?;
        }
        Ok(())
    }

    /// Runs the scripts that are allowed, and notes those that are not.
    pub(super) async fn run_scripts(
        &mut self,
        reporter: &dyn Reporter,
        summary: &mut Summary,
    ) -> Result<(), InstallError> {
        let (allowed, refused): (Vec<_>, Vec<_>) =
            self.plan.build.iter().copied().partition(|(path, entry)| self.may_run_scripts(path, entry));
        summary.scripts_skipped = refused
            .iter()
            .filter(|(_, entry)| entry.has_install_script)
            .map(|(path, entry)| label(path, entry))
            .collect();
        if allowed.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let total = allowed.len();
        reporter.stage_started(Step::Scripts, total);
        let tree = self.stage.tree();
        for (done, (path, entry)) in scripts::in_dependency_order(&self.resolved.lock, &allowed).into_iter().enumerate()
        {
            let surroundings = Surroundings {
                tree: &tree,
                project: &self.project.dir,
                environment: &self.options.script_environment,
                deadline: self.options.script_deadline,
                reporter,
                waits: &self.options.waits,
            };
            match scripts::run_package(path, entry, &surroundings).await {
                Ok(true) => {
                    self.ran.insert(path.as_str());
                    summary.scripts_ran.push(label(path, entry));
                }
                Ok(false) => {}
                Err(error) if entry.optional || entry.dev_optional => {
                    reporter
                        .warning(&Warning::OptionalDropped { package: label(path, entry), reason: error.to_string() });
                    self.dropped.insert(path.as_str());
                }
                Err(error) => return Err(error.into()),
            }
            reporter.progressed(Step::Scripts, Progress { done: done + 1, total, bytes: 0 });
        }
        if !self.dropped.is_empty() {
            self.take_out_dropped()?;
        }
        reporter.stage_finished(Step::Scripts, started.elapsed());
        Ok(())
    }

    /// Removes packages whose scripts failed from the stage, and their commands.
    fn take_out_dropped(&mut self) -> Result<(), InstallError> {
        let tree = self.stage.tree();
        for path in &self.dropped {
            std::fs::remove_dir_all(tree.join(path)).map_err(|source| self.stage_error(source))?;
        }
        let root = self.resolved.lock.packages.get(&InstallPath::ROOT);
        let mut commands = bins::commands(self.installed(), root);
        let dropped = std::mem::take(&mut self.dropped);
        self.bins.retain(|(path, _)| !is_within(path, &dropped));
        self.dropped = dropped;
        for (path, folder) in &mut self.bins {
            *folder = commands.shift_remove(path).unwrap_or_default();
            let written = self.stage.tree().join(bin_folder(path));
            std::fs::remove_dir_all(&written).map_err(|source| InstallError::Io {
                action: "write",
                path: written,
                source,
            })?;
        }
        self.write_bins()
    }

    /// What is installed in the end.
    fn installed(&self) -> impl Iterator<Item = (&'a InstallPath, &'a LockEntry)> {
        self.plan.installed.iter().copied().filter(|(path, _)| !is_within(path, &self.dropped))
    }

    /// Writes what `node_modules` says about itself, and the project's files, into the stage.
    pub(super) fn describe(
        &self,
        before: &Installed,
        files: &ProjectFiles,
        inputs: String,
        summary: &mut Summary,
    ) -> Result<(), InstallError> {
        let installed: Vec<_> = self.installed().collect();
        let mut marker = Marker { inputs, ..Marker::default() };
        let building: HashSet<&str> = self.plan.build.iter().map(|(path, _)| path.as_str()).collect();
        for path in installed.iter().map(|(path, _)| path.as_str()) {
            marker.packages.push(path.to_owned());
            let ran = self.ran.contains(path) || (!building.contains(path) && before.ran_scripts(path));
            if ran {
                marker.scripts_ran.insert(path.to_owned());
            }
        }
        summary.installed = installed.len();
        let described = match self.described.get() {
            Some(text) if self.dropped.is_empty() => text,
            _ => &self.resolved.lock_text_of(&installed),
        };
        let marker = marker.to_text();
        let described = [(state::HIDDEN_LOCK, described.as_str()), (state::MARKER, &marker)];
        let changed = self.resolved.project_files(files).into_iter().filter(ProjectFile::changes);
        for (path, text) in described.into_iter().chain(changed.map(|file| (file.name, file.after))) {
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
        let building: HashSet<&str> = self.plan.build.iter().map(|(path, _)| path.as_str()).collect();
        let packages: Vec<String> = outermost(&self.plan.build)
            .into_iter()
            .filter(|path| !self.dropped.contains(path))
            .map(str::to_owned)
            .collect();
        let bins: Vec<String> = self
            .bins
            .iter()
            .filter(|(path, _)| !building.contains(path.as_str()))
            .map(|(path, _)| bin_folder(path))
            .collect();
        let mut remove = self.plan.remove.clone();
        // What a dropped package would have replaced goes, too.
        remove.extend(self.dropped.iter().map(|path| (*path).to_owned()));
        let work = blocking(move || {
            let changes = Changes {
                remove: &remove,
                packages: packages.iter().map(String::as_str).collect(),
                bins: &bins,
                files: &changed,
            };
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

impl Plan<'_> {
    /// Reports direct dependencies that are new here and whose authors advise against them.
    pub(super) fn warn_of_deprecated(&self, lock: &Lockfile, reporter: &dyn Reporter) {
        let Some(root) = lock.packages.get(&InstallPath::ROOT) else { return };
        let direct: HashSet<&str> = root.edge_names().collect();
        for (path, entry) in self.build.iter().filter(|(path, _)| path.depth() == 1 && direct.contains(path.name())) {
            if let Some(message) = &entry.deprecated {
                reporter.warning(&Warning::Deprecated { package: label(path, entry), message: message.clone() });
            }
        }
    }
}

/// Name and version.
fn label(path: &InstallPath, entry: &LockEntry) -> String {
    format!("{}@{}", entry.package_name(path), entry.version.as_deref().unwrap_or("?"))
}

/// Whether a path is one of these, or inside one.
fn is_within(path: &InstallPath, roots: &HashSet<&str>) -> bool {
    if roots.is_empty() {
        return false;
    }
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if roots.contains(path.as_str()) {
            return true;
        }
        at = path.parent();
    }
    false
}

/// The store's entries for these, in their order, as their indexes have them.
async fn look_up(store: &Store, wanted: &[Wanted], waits: &Waits) -> Vec<Option<Entry>> {
    let _waiting = waits.begin("looking packages up in the store", Unit::None);
    let (store, wanted) = (store.clone(), wanted.to_vec());
    blocking(move || threads::map(&wanted, &|wanted| store.index(&wanted.integrity))).await
}
