//! The virtual linker's part of an installation: packages are brought into the store, and nothing but a description of
//! them into `node_modules`. What another linker left there goes by the same journaled renames that would replace it.

use std::{collections::HashSet, sync::Arc, thread, time::Instant};

use super::{
    InstallError, InstallOptions, Summary,
    files::{MANIFEST, ProjectFiles, Resolved},
    tree::label,
};
use crate::{
    fetch::{Fetcher, Wanted},
    integrity::Integrity,
    link::{
        Changes, LinkError, Project, Stage,
        commit::Journal,
        state::{self, Installed, Linked, Marker, lock_digest},
    },
    lock::{self, InstallPath, LockEntry, Lockfile},
    plan::{entries, extraneous, link_target},
    report::{Reporter, Stage as Step, Warning},
    store::{MachineKey, Store},
};

/// Threads that look into the store, at most.
const LOOKERS_MAX: usize = 4;

/// The packages of a lockfile that belong on this machine.
type Entries<'a> = [(&'a InstallPath, &'a LockEntry)];

/// Whether the store still has, and believes, everything that the lockfile's text asks for of these packages.
pub(super) async fn is_in_store(
    options: &InstallOptions,
    key: &MachineKey,
    lock_text: &str,
    marker: &Marker,
) -> Result<bool, InstallError> {
    let store = Store::open(&options.store_dir, key.clone())?;
    let Ok(lock) = Lockfile::parse(lock::FILE_NAME, lock_text) else { return Ok(false) };
    let listed: HashSet<&str> = marker.packages.iter().map(String::as_str).collect();
    let entries = lock.packages.iter().filter(|(path, entry)| listed.contains(path.as_str()) && is_stored(entry));
    let integrities: Option<Vec<_>> =
        entries.map(|(_, entry)| Integrity::parse(entry.integrity.as_deref()?).ok()).collect();
    let Some(integrities) = integrities else { return Ok(false) };
    Ok(have(&store, integrities).await.into_iter().all(|is_there| is_there))
}

/// Makes sure that the store has all packages.
pub(super) async fn gather(entries: &Entries<'_>, fetcher: &Fetcher<'_>, store: &Store) -> Result<(), InstallError> {
    if let Some((path, _)) = entries.iter().find(|(path, entry)| entry.link && link_target(path, entry).is_none()) {
        return Err(InstallError::Unsupported { package: path.to_string(), what: "a link out of node_modules" });
    }
    let stored = entries.iter().filter(|(_, entry)| is_stored(entry));
    let wanted: Vec<Wanted> = stored.map(|(path, entry)| fetcher.wanted(path, entry)).collect::<Result<_, _>>()?;
    let is_there = have(store, wanted.iter().map(|wanted| wanted.integrity.clone()).collect()).await;
    let missing: Vec<Wanted> =
        wanted.into_iter().zip(is_there).filter(|(_, is_there)| !is_there).map(|(wanted, _)| wanted).collect();
    if !missing.is_empty() {
        for wanted in &missing {
            // What is there and not believed is in the way.
            store.evict(&wanted.integrity)?;
        }
        fetcher.fetch_all(missing.clone()).await?;
        let is_there = have(store, missing.iter().map(|wanted| wanted.integrity.clone()).collect()).await;
        if let Some(job) = is_there.iter().position(|is_there| !is_there) {
            return Err(LinkError::Damaged { package: missing[job].package.clone(), job }.into());
        }
    }
    fetcher.finish();
    Ok(())
}

/// Whether a package of its own is in the store for it: bundled ones come with their dependents.
fn is_stored(entry: &LockEntry) -> bool {
    !entry.link && !entry.in_bundle
}

/// Whether the store has each of these, and believes it.
async fn have(store: &Store, integrities: Vec<Integrity>) -> Vec<bool> {
    let store = store.clone();
    on_a_thread(move || {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(LOOKERS_MAX);
        let share = integrities.len().div_ceil(threads).max(1);
        let mut found = vec![false; integrities.len()];
        thread::scope(|scope| {
            for (integrities, found) in integrities.chunks(share).zip(found.chunks_mut(share)) {
                let store = &store;
                scope.spawn(move || {
                    for (integrity, found) in integrities.iter().zip(found) {
                        *found = store.package(integrity).is_some();
                    }
                });
            }
        });
        found
    })
    .await
}

/// Runs blocking work to its end, also when nobody waits for it any more.
async fn on_a_thread<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down: nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Notes the scripts that do not run. Those that are allowed do not either: there are no files that they could change.
pub(super) fn leave_out_scripts(
    entries: &Entries<'_>,
    resolved: &Resolved,
    options: &InstallOptions,
    reporter: &dyn Reporter,
    summary: &mut Summary,
) {
    let with_scripts = entries.iter().filter(|(_, entry)| entry.has_install_script && is_stored(entry));
    let (allowed, refused): (Vec<_>, Vec<_>) = with_scripts.partition(|(path, entry)| {
        !options.ignore_scripts && resolved.manifest.allows_scripts_of(entry.package_name(path))
    });
    let labels = |packages: Vec<&(&InstallPath, &LockEntry)>| -> Vec<String> {
        packages.into_iter().map(|(path, entry)| label(path, entry)).collect()
    };
    summary.scripts_skipped = labels(refused);
    if !allowed.is_empty() {
        reporter.warning(&Warning::ScriptsNeedFiles { packages: labels(allowed) });
    }
}

/// Counts what changed since the last installation. Which versions it had is known when the lockfile that was there until
/// now is the one that it followed.
pub(super) fn count(entries: &Entries<'_>, before: &Installed, files: &ProjectFiles, summary: &mut Summary) {
    summary.installed = entries.len();
    let stored: Vec<_> = entries.iter().filter(|(_, entry)| !entry.in_bundle).collect();
    let Some(marker) = before.marker.as_ref().filter(|marker| marker.linked != Linked::Hoisted) else {
        summary.added = stored.len();
        return;
    };
    let followed = files.lock.as_deref().filter(|text| marker.linked == Linked::Virtual { lock: lock_digest(text) });
    let followed = followed.and_then(|text| Lockfile::parse(lock::FILE_NAME, text).ok()).unwrap_or_default();
    let had: HashSet<&str> = marker.packages.iter().map(String::as_str).collect();
    for (path, entry) in stored {
        let is_other = |old: &LockEntry| (&old.version, &old.integrity) != (&entry.version, &entry.integrity);
        summary.added += usize::from(!had.contains(path.as_str()));
        summary.changed +=
            usize::from(had.contains(path.as_str()) && followed.packages.get(path.as_str()).is_some_and(is_other));
    }
    let wanted: HashSet<&str> = entries.iter().map(|(path, _)| path.as_str()).collect();
    summary.removed = had.iter().filter(|path| !wanted.contains(**path)).count();
}

/// Puts the description and the project's files in place, and takes away what other linkers left.
pub(super) async fn commit(
    project: &Arc<Project>,
    entries: &Entries<'_>,
    files: &ProjectFiles,
    resolved: &Resolved,
    inputs: String,
    key: MachineKey,
    reporter: &dyn Reporter,
) -> Result<(), InstallError> {
    let started = Instant::now();
    reporter.stage_started(Step::Link, 0);
    let failed = |action| move |source| InstallError::Io { action, path: project.dir.clone(), source };
    let mut remove = Vec::new();
    if project.has_modules() {
        remove = extraneous(&project.dir, &[], &[]).map_err(failed("read"))?;
        let has_bins = entries_of_modules(project).map_err(failed("read"))?.contains(".bin");
        remove.extend(has_bins.then(|| "node_modules/.bin".to_owned()));
    }
    let marker = Marker {
        inputs,
        linked: Linked::Virtual { lock: lock_digest(&resolved.lock_text) },
        packages: entries.iter().map(|(path, _)| path.as_str().to_owned()).collect(),
        ..Marker::default()
    };
    let stage = Stage::new(project).map_err(failed("write to"))?;
    let mut journal = Journal::default();
    let mut changed = Vec::new();
    stage.write(state::MARKER, marker.to_text().as_bytes()).map_err(failed("write to"))?;
    for (name, before, after) in [
        (MANIFEST, Some(&files.manifest), &resolved.manifest_text),
        (lock::FILE_NAME, files.lock.as_ref(), &resolved.lock_text),
    ] {
        journal.guard(name, before.map(String::as_bytes), Some(after.as_bytes()));
        if before != Some(after) {
            stage.write(name, after.as_bytes()).map_err(failed("write to"))?;
            changed.push(name);
        }
    }
    let work = move || {
        let changes = Changes { remove: &remove, packages: Vec::new(), bins: &[], files: &changed };
        stage.commit(journal, &changes, &key)
    };
    on_a_thread(work).await?;
    reporter.stage_finished(Step::Link, started.elapsed());
    Ok(())
}

fn entries_of_modules(project: &Project) -> std::io::Result<HashSet<String>> {
    Ok(entries(&project.dir.join("node_modules"))?.into_iter().map(|(name, _)| name).collect())
}
