//! The virtual linker's part of an installation: packages are brought into the store, and nothing but a description of
//! them into `node_modules`. What another linker left there goes by the same journaled renames that would replace it.
//!
//! What the lockfile says of the tree is kept as a [`Recipe`]. Where there is one for the same inputs, and the store has its
//! packages, an installation neither parses the lockfile nor resolves anything.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use super::{
    InstallError, InstallOptions, Summary,
    files::{ProjectFile, ProjectFiles, Resolved},
    tree::warn_of_deprecated,
};
use crate::{
    fetch::{Fetcher, Following, Wanted},
    integrity::Integrity,
    link::{
        Changes, LinkError, Project, Stage,
        commit::Journal,
        state::{self, Installed, Linked, Marker, lock_digest},
    },
    lock::{InstallPath, LockEntry},
    plan::{entries, extraneous, isolated_leftovers},
    report::{Reporter, Stage as Step, Warning},
    store::{MachineKey, Store},
    threads::{self, blocking},
    virtual_tree::{is_in_store, recipe::Recipe},
    waits::{Unit, Waits},
};

/// How often packages are fetched before it counts that the store does not have them.
const GATHER_ATTEMPTS_MAX: usize = 3;

/// The packages of a lockfile that belong on this machine.
type Entries<'a> = [(&'a InstallPath, &'a LockEntry)];

/// What an installation without files works with.
#[derive(Clone, Copy)]
pub(super) struct Virtually<'a> {
    pub(super) options: &'a InstallOptions,
    pub(super) project: &'a Arc<Project>,
    pub(super) key: &'a MachineKey,
    pub(super) files: &'a ProjectFiles,
    /// What was installed before.
    pub(super) installed: &'a Installed,
    pub(super) reporter: &'a dyn Reporter,
}

impl Virtually<'_> {
    /// Installs what was installed from the same inputs before; `None` when it is not known, or not in the store.
    pub(super) async fn again(self, inputs: &str, lock_text: &str) -> Result<Option<Summary>, InstallError> {
        let lock = lock_digest(lock_text);
        let Some(recipe) = Recipe::read(&self.options.cache_dir, self.key, inputs, &lock) else { return Ok(None) };
        let store = Store::open(&self.options.store_dir, self.key.clone())?;
        if !is_in_store(&store, &recipe) {
            return Ok(None);
        }
        let mut summary = self.count(&recipe);
        if self.installed.current(&self.project.dir, inputs).is_some() {
            summary.up_to_date = true;
            return Ok(Some(summary));
        }
        self.name_scripts(&recipe, &mut summary);
        self.commit(&recipe, inputs, &lock, self.files.as_they_are(lock_text), &store).await?;
        Ok(Some(summary))
    }

    /// Installs what was resolved.
    pub(super) async fn install(
        self,
        wanted: &Entries<'_>,
        resolved: &Resolved,
        inputs: &str,
        (fetcher, following): (&Fetcher<'_>, &mut Following<'_>),
        store: &Store,
    ) -> Result<Summary, InstallError> {
        let root = resolved.lock.packages.get(&InstallPath::ROOT);
        let is_allowed = |name: &str| !self.options.ignore_scripts && resolved.manifest.allows_scripts_of(name);
        let recipe = Recipe::new(wanted, root, is_allowed)
            .map_err(|link| InstallError::Unsupported { package: link.0, what: "a link out of node_modules" })?;
        let packages: HashSet<&str> = recipe.packages.iter().map(|package| &*package.path).collect();
        let packages = wanted.iter().filter(|(path, _)| packages.contains(path.as_str()));
        let packages = packages.map(|(path, entry)| fetcher.wanted(path, entry, &resolved.manifest));
        gather(packages.collect::<Result<_, _>>()?, (fetcher, following), store, &self.options.waits).await?;

        let mut summary = self.count(&recipe);
        summary.lock_written = self.files.lock.as_deref() != Some(resolved.lock_text());
        let project_files = resolved.project_files(self.files);
        let lock = lock_digest(resolved.lock_text());
        summary.up_to_date = !resolved.changes_files(self.files)
            && fetcher.stored() == 0
            && self.installed.current(&self.project.dir, inputs).is_some();
        self.warn_of_deprecated(wanted, resolved);
        self.name_scripts(&recipe, &mut summary);
        if !summary.up_to_date {
            self.commit(&recipe, inputs, &lock, project_files, store).await?;
        }
        // Without it the next one takes longer, and nothing else.
        let _ = recipe.write(&self.options.cache_dir, self.key, inputs, &lock);
        Ok(summary)
    }

    /// Counts what changes. Which versions were there is known where the last installation's recipe still is.
    fn count(&self, recipe: &Recipe) -> Summary {
        let mut summary = Summary { installed: recipe.paths().count(), ..Summary::default() };
        let own = |recipe: &Recipe| recipe.packages.len() + recipe.links.len();
        let Some((marker, lock)) = self.installed.marker.as_ref().and_then(|marker| match &marker.linked {
            Linked::Virtual { lock } => Some((marker, lock)),
            Linked::Hoisted | Linked::Isolated { .. } => None,
        }) else {
            summary.added = own(recipe);
            return summary;
        };
        let had: HashSet<&str> = marker.packages.iter().map(String::as_str).collect();
        let wanted: HashSet<&str> = recipe.paths().collect();
        let bundled: HashSet<&str> = recipe.bundled.iter().map(|path| &**path).collect();
        summary.added = wanted.iter().filter(|path| !had.contains(**path) && !bundled.contains(**path)).count();
        summary.removed = had.iter().filter(|path| !wanted.contains(**path)).count();
        let before = Recipe::read(&self.options.cache_dir, self.key, &marker.inputs, lock).unwrap_or_default();
        let before: HashMap<&str, &str> =
            before.packages.iter().map(|package| (&*package.path, &*package.integrity)).collect();
        let is_other = |path: &str, integrity: &str| before.get(path).is_some_and(|before| *before != integrity);
        summary.changed = recipe.packages.iter().filter(|package| is_other(&package.path, &package.integrity)).count();
        summary
    }

    /// Names the packages whose scripts do not run. Those of them that are allowed to would have no files to change.
    fn name_scripts(&self, recipe: &Recipe, summary: &mut Summary) {
        summary.scripts_skipped.clone_from(&recipe.scripts_refused);
        if !recipe.scripts_left_out.is_empty() {
            self.reporter.warning(&Warning::ScriptsNeedFiles { packages: recipe.scripts_left_out.clone() });
        }
    }

    /// As every installation does, of packages that were not there.
    fn warn_of_deprecated(&self, wanted: &Entries<'_>, resolved: &Resolved) {
        let had = self.installed.marker.iter().flat_map(|marker| &marker.packages).map(String::as_str);
        let had: HashSet<&str> = had.collect();
        let new = wanted.iter().copied().filter(|(path, _)| !had.contains(path.as_str()));
        warn_of_deprecated(new, &resolved.lock, self.reporter);
    }

    /// Puts the description and the changed files of the project in place, and takes away what other linkers left.
    async fn commit(
        self,
        recipe: &Recipe,
        inputs: &str,
        lock: &str,
        project_files: [ProjectFile<'_>; 2],
        store: &Store,
    ) -> Result<(), InstallError> {
        let started = Instant::now();
        self.reporter.stage_started(Step::Link, 0);
        let project = self.project;
        // What the project says from now on is kept for it: nothing in it keeps the store's entries.
        let used: Vec<Integrity> = recipe.integrities().collect();
        drop(store.register(&project.dir, &used)?);
        let failed = |action| move |source| InstallError::Io { action, path: project.dir.clone(), source };
        let mut remove = Vec::new();
        if project.has_modules() {
            remove = extraneous(&project.dir, &[], &[]).map_err(failed("read"))?;
            remove.extend(isolated_leftovers(&project.dir));
            let there = entries(&project.dir.join("node_modules")).map_err(failed("read"))?;
            remove.extend(there.iter().any(|(name, _)| name == ".bin").then(|| "node_modules/.bin".to_owned()));
        }
        let marker = Marker {
            inputs: inputs.to_owned(),
            linked: Linked::Virtual { lock: lock.to_owned() },
            packages: recipe.paths().map(str::to_owned).collect(),
            ..Marker::default()
        };
        let stage = Stage::new(project).map_err(failed("write to"))?;
        stage.write(state::MARKER, marker.to_text().as_bytes()).map_err(failed("write to"))?;
        let (mut journal, mut names) = (Journal::default(), Vec::new());
        for file in project_files {
            file.guard(&mut journal);
            if file.changes() {
                stage.write(file.name, file.after.as_bytes()).map_err(failed("write to"))?;
                names.push(file.name);
            }
        }
        let key = self.key.clone();
        let work = move || {
            let changes = Changes { remove: &remove, place: &[], files: &names };
            stage.commit(journal, &changes, &key)
        };
        let waiting = self.options.waits.begin("putting the new tree in place", Unit::None);
        blocking(work).await?;
        drop(waiting);
        self.reporter.stage_finished(Step::Link, started.elapsed());
        Ok(())
    }
}

/// Makes sure that the store has all packages and believes them.
async fn gather(
    wanted: Vec<Wanted>,
    (fetcher, following): (&Fetcher<'_>, &mut Following<'_>),
    store: &Store,
    waits: &Waits,
) -> Result<(), InstallError> {
    let mut missing = not_believed(store, wanted, waits).await;
    // Those that were guessed are waited for; if one could not be had, it is asked for once more, and that counts.
    let mut attempts = 0..GATHER_ATTEMPTS_MAX;
    while !missing.is_empty() || following.is_going_on() {
        if attempts.next().is_none() {
            let package = missing.pop().map(|wanted| wanted.package).unwrap_or_default();
            return Err(LinkError::Damaged { package }.into());
        }
        fetcher.fetch_all(missing.clone(), following).await?;
        missing = not_believed(store, missing, waits).await;
    }
    fetcher.finish();
    Ok(())
}

/// Those that the store has not, or does not believe.
async fn not_believed(store: &Store, mut wanted: Vec<Wanted>, waits: &Waits) -> Vec<Wanted> {
    let _waiting = waits.begin("looking packages up in the store", Unit::None);
    let store = store.clone();
    blocking(move || {
        let believed = threads::map(&wanted, &|wanted| store.package(&wanted.integrity).is_some());
        let mut believed = believed.into_iter();
        wanted.retain(|_| believed.next() == Some(false));
        wanted
    })
    .await
}
