//! The lockfile without what it describes.

use std::sync::Arc;

use super::{
    InstallError,
    files::{MANIFEST, ProjectFiles, Resolved},
};
use crate::{
    link::{Project, Stage, commit::Journal},
    lock,
    store::MachineKey,
};

/// Puts the lockfile, and a `package.json` to which packages were added, in place: both or none.
pub(super) fn write(
    project: &Arc<Project>,
    files: &ProjectFiles,
    resolved: &Resolved,
    key: &MachineKey,
) -> Result<(), InstallError> {
    let wrap = |source| InstallError::Io { action: "write to", path: project.dir.clone(), source };
    let mut journal = Journal::default();
    let mut changed = Vec::new();
    for (name, before, after) in [
        (MANIFEST, Some(files.manifest.as_str()), resolved.manifest_text.as_str()),
        (lock::FILE_NAME, files.lock.as_deref(), resolved.lock_text()),
    ] {
        journal.guard(name, before.map(str::as_bytes), Some(after.as_bytes()));
        if before != Some(after) {
            changed.push((name, after));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let stage = Stage::of_files(project).map_err(wrap)?;
    for (name, text) in &changed {
        stage.write(name, text.as_bytes()).map_err(wrap)?;
    }
    let names: Vec<&str> = changed.iter().map(|(name, _)| *name).collect();
    stage.commit_files(journal, &names, key).map_err(InstallError::from)
}
