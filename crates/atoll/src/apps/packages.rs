//! The packages of a project that were installed without a file of theirs on the disk.

use crate::directories::Directories;
use crate::terminal::{Failure, explain_virtual_tree, one_line, print_warning};
use atoll_npm::virtual_tree::{UserDirs, VirtualTree};
use atoll_vfs::{Layer, Overlay, Quota};
use std::path::Path;
use std::sync::Arc;

/// The folder that packages are in, in the project.
pub(super) const MODULES: &str = "node_modules";

/// Whether a project's packages are on no disk.
pub(super) fn are_virtual(project: &Path) -> bool {
    VirtualTree::is_installed(project)
}

/// What is mounted on a project's `node_modules`, if that was installed so: its packages and, with a quota, changes up to that, which
/// are kept in memory, for tools that write there.
pub(super) fn layer(
    project: &Path,
    directories: Option<&Directories>,
    changes: Option<Quota>,
) -> Result<Option<Arc<dyn Layer>>, Failure> {
    if !are_virtual(project) {
        return Ok(None);
    }
    let Some(Directories { store, cache, state, .. }) = directories else {
        return Err(Failure::new("the package store can't be found without a home directory").hint("set HOME"));
    };
    let tell = |package: &str| {
        print_warning(format_args!(
            "{} is gone from the package store, or was changed there; its files can't be read until `atoll install` has \
             fetched it again",
            one_line(package)
        ));
    };
    let user = UserDirs { store, cache, state };
    let tree = VirtualTree::of_project(project, &user, tell).map_err(|error| explain_virtual_tree(&error))?;
    let Some(tree) = tree else { return Ok(None) };
    let Some(quota) = changes else { return Ok(Some(Arc::new(tree))) };
    let overlay = Overlay::new(Arc::new(tree), quota).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Some(Arc::new(overlay)))
}
