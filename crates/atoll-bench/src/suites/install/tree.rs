//! What an installer left: packages, files, directories, links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::BenchError;

/// Entries of a directory tree, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entries {
    pub(super) files: u64,
    pub(super) directories: u64,
    pub(super) links: u64,
}

impl Entries {
    pub(super) fn sum(self) -> u64 {
        self.files + self.directories + self.links
    }
}

/// Counts the entries below a directory; none where it is not there.
pub(super) fn count(root: &Path) -> Result<Entries, BenchError> {
    let mut entries = Entries::default();
    walk(root, |_, kind| match kind {
        Kind::Directory => entries.directories += 1,
        Kind::File(_) => entries.files += 1,
        Kind::Link => entries.links += 1,
    })?;
    Ok(entries)
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Directory,
    /// With the directory that it is in.
    File(&'a Path),
    Link,
}

/// Visits what is below `root`, directories before what is in them; links are not followed.
pub(super) fn walk(root: &Path, mut visit: impl FnMut(&Path, Kind<'_>)) -> Result<(), BenchError> {
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory == root => return Ok(()),
            Err(source) => return Err(BenchError::File { path: directory, source }),
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                visit(&path, Kind::Directory);
                pending.push(path);
            } else if kind.is_symlink() {
                visit(&path, Kind::Link);
            } else {
                visit(&path, Kind::File(&directory));
            }
        }
    }
    Ok(())
}

/// The packages that a project's `node_modules` gives it, as name and version: those in it and in those of packages, and
/// what they are linked to, with what lies beside them there.
pub(super) fn packages(node_modules: &Path) -> Result<BTreeSet<(String, String)>, BenchError> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut pending = vec![node_modules.to_owned()];
    while let Some(directory) = pending.pop() {
        // A package without packages of its own has no such directory.
        let Ok(directory) = fs::canonicalize(&directory) else { continue };
        if !seen.insert(directory.clone()) {
            continue;
        }
        for package in places(&directory)? {
            let Ok(real) = fs::canonicalize(&package) else {
                return Err(BenchError::Void(format!("{} leads nowhere", package.display())));
            };
            let Some(identity) = identity(&real) else { continue };
            found.insert(identity);
            pending.push(real.join("node_modules"));
            let beside = real.ancestors().skip(1).take(2).find(|ancestor| ancestor.ends_with("node_modules"));
            pending.extend(beside.map(Path::to_owned));
        }
    }
    Ok(found)
}

/// Where packages are in a `node_modules` directory.
fn places(node_modules: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut places = Vec::new();
    let mut pending = vec![node_modules.to_owned()];
    while let Some(directory) = pending.pop() {
        let failed = |source| BenchError::File { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if name.starts_with(b"@") && directory == node_modules {
                pending.push(entry.path());
            } else if !name.starts_with(b".") && !entry.file_type()?.is_file() {
                places.push(entry.path());
            }
        }
    }
    Ok(places)
}

fn identity(package: &Path) -> Option<(String, String)> {
    let manifest: Value = serde_json::from_slice(&fs::read(package.join("package.json")).ok()?).ok()?;
    Some((manifest["name"].as_str()?.to_owned(), manifest["version"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::{Entries, count, packages};

    fn package(root: &Path, at: &str, name: &str, version: &str) {
        let directory = root.join(at);
        fs::create_dir_all(&directory).expect("writable");
        let text = format!(r#"{{"name":"{name}","version":"{version}"}}"#);
        fs::write(directory.join("package.json"), text).expect("writable");
    }

    fn names(root: &Path) -> Vec<String> {
        let found = packages(&root.join("node_modules")).expect("readable");
        found.into_iter().map(|(name, version)| format!("{name}@{version}")).collect()
    }

    #[test]
    fn hoisted_and_nested_packages_are_counted_once() {
        let root = tempfile::tempdir().expect("a directory");
        package(root.path(), "node_modules/a", "a", "1.0.0");
        package(root.path(), "node_modules/a/node_modules/b", "b", "2.0.0");
        package(root.path(), "node_modules/c/node_modules/b", "b", "2.0.0");
        package(root.path(), "node_modules/c", "c", "1.0.0");
        package(root.path(), "node_modules/@s/d", "@s/d", "1.0.0");
        package(root.path(), "node_modules/a/test/fixture", "none", "1.0.0");
        package(root.path(), "node_modules/.cache/e", "none", "1.0.0");
        assert_eq!(names(root.path()), ["@s/d@1.0.0", "a@1.0.0", "b@2.0.0", "c@1.0.0"]);
        let entries = count(root.path()).expect("readable");
        assert_eq!(entries, Entries { files: 7, directories: 13, links: 0 });
    }

    #[test]
    fn links_lead_to_packages_and_to_what_they_depend_on() {
        let root = tempfile::tempdir().expect("a directory");
        package(root.path(), "store/a@1/node_modules/a", "a", "1.0.0");
        package(root.path(), "store/b@2/node_modules/@s/b", "@s/b", "2.0.0");
        fs::create_dir_all(root.path().join("store/a@1/node_modules/@s")).expect("writable");
        symlink("../../../b@2/node_modules/@s/b", root.path().join("store/a@1/node_modules/@s/b")).expect("a link");
        fs::create_dir_all(root.path().join("node_modules")).expect("writable");
        symlink("../store/a@1/node_modules/a", root.path().join("node_modules/a")).expect("a link");
        assert_eq!(names(root.path()), ["@s/b@2.0.0", "a@1.0.0"]);
        symlink("../store/nowhere", root.path().join("node_modules/c")).expect("a link");
        assert!(packages(&root.path().join("node_modules")).is_err(), "a link that leads nowhere is no package");
    }
}
