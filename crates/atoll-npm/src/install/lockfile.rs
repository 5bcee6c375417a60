//! The lockfile without what it describes.

use std::sync::Arc;

use super::{
    InstallError,
    files::{ProjectFiles, Resolved},
};
use crate::{
    link::{Project, Stage, commit::Journal},
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
    let (mut journal, mut names) = (Journal::default(), Vec::new());
    if !resolved.changes_files(files) {
        return Ok(());
    }
    let stage = Stage::of_files(project).map_err(wrap)?;
    for file in resolved.project_files(files) {
        file.guard(&mut journal);
        if file.changes() {
            stage.write(file.name, file.after.as_bytes()).map_err(wrap)?;
            names.push(file.name);
        }
    }
    stage.commit_files(journal, &names, key).map_err(InstallError::from)
}
