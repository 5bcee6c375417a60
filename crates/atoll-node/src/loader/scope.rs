//! Package scopes: which `package.json` a file belongs to, and what it says about the file's format.

use super::files::{MAX_CONFIG_BYTES, too_deep};
use atoll_vfs::{GuestPath, MountTable};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Directories whose scope is remembered; all are forgotten when there are more.
const MAX_DIRECTORIES: usize = 65_536;

/// The `type` field of a `package.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageType {
    Module,
    CommonJs,
    /// Not given: the syntax of each file decides.
    Unspecified,
}

/// What `package.json` files say, remembered by directory.
pub(super) struct Scopes {
    mounts: Arc<MountTable>,
    types: RwLock<HashMap<GuestPath, PackageType>>,
}

impl Scopes {
    pub(super) fn new(mounts: Arc<MountTable>) -> Self {
        Self { mounts, types: RwLock::default() }
    }

    /// Whether guests may have changed what is at a path.
    pub(super) fn is_mutable(&self, path: &GuestPath) -> bool {
        self.mounts.may_have_changed(path)
    }

    /// The package type for files in a directory: that of the nearest `package.json`, not looking past `node_modules`.
    pub(super) fn package_type(&self, directory: &GuestPath) -> PackageType {
        let is_mutable = self.is_mutable(directory);
        if let Some(known) = self.types.read().unwrap_or_else(PoisonError::into_inner).get(directory)
            && !is_mutable
        {
            return *known;
        }
        let found = match self.read(directory) {
            Some(json) => match json.get("type").and_then(serde_json::Value::as_str) {
                Some("module") => PackageType::Module,
                Some("commonjs") => PackageType::CommonJs,
                _ => PackageType::Unspecified,
            },
            None if directory.is_root() || is_node_modules(directory) => PackageType::Unspecified,
            None => self.package_type(&directory.parent()),
        };
        if !is_mutable {
            let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
            if types.len() >= MAX_DIRECTORIES {
                types.clear();
            }
            types.insert(directory.clone(), found);
        }
        found
    }

    /// The nearest `package.json` of a directory.
    pub(super) fn nearest(&self, directory: &GuestPath) -> Option<serde_json::Value> {
        let mut directory = directory.clone();
        loop {
            if let Some(json) = self.read(&directory) {
                return Some(json);
            }
            if directory.is_root() || is_node_modules(&directory) {
                return None;
            }
            directory = directory.parent();
        }
    }

    fn read(&self, directory: &GuestPath) -> Option<serde_json::Value> {
        if is_node_modules(directory) {
            return None;
        }
        let bytes = self.mounts.read(&directory.join("package.json").ok()?, MAX_CONFIG_BYTES).ok()?;
        if too_deep(&bytes) {
            return None;
        }
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        serde_json::from_slice(text).ok()
    }
}

fn is_node_modules(directory: &GuestPath) -> bool {
    directory.file_name() == Some(b"node_modules")
}

/// Whether a file is part of an installed package rather than of the app.
pub(super) fn is_installed(path: &GuestPath) -> bool {
    path.components().any(|component| component == b"node_modules")
}
