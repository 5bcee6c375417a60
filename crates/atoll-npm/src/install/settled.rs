//! Lockfiles that were found to fit: what is left to do when nothing of an installation's inputs has changed since.
//!
//! An installation resolves even when there is a lockfile, to see that it says all that `package.json` asks for and nothing
//! else. With the same inputs that comes to the same again, so it is done once: what of the lockfile belongs on this machine is
//! kept, without what only a resolution needs, and read instead of the lockfile the next time.

use std::{io, path::Path};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    InstallError, InstallOptions,
    files::{MANIFEST, ProjectFiles, Resolved},
};
use crate::{
    kept::Kept,
    linker::Linker,
    lock::{InstallPath, LockEntry, Lockfile},
    manifest::Manifest,
    store::MachineKey,
};

/// Where such lockfiles are kept. One takes some 230 bytes a package.
const SETTLED: Kept = Kept { folder: "settled-v1", purpose: "atoll settled lockfile 1" };

/// What an installation in npm's layout looks at in an entry of a lockfile. Packages of which none is bundled are found without
/// their dependencies.
#[derive(Serialize, Deserialize)]
struct Lean {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolved: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integrity: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    link: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    optional: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    dev_optional: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    in_bundle: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    has_install_script: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deprecated: Option<String>,
    /// Names of what it needs, of whatever kind: of the project, and of bundled packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    needs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bundles: Vec<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    bin: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    os: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cpu: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    libc: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Lean {
    fn new(path: &InstallPath, entry: &LockEntry) -> Self {
        let LockEntry { name, version, resolved, integrity, link, optional, dev_optional, in_bundle, .. } =
            entry.clone();
        let LockEntry { has_install_script, deprecated, bundle_dependencies, bin, os, cpu, libc, .. } = entry.clone();
        let needs =
            if path.is_root() || in_bundle { entry.edge_names().map(str::to_owned).collect() } else { Vec::new() };
        let (path, bundles) = (path.as_str().to_owned(), bundle_dependencies);
        Self {
            path,
            name,
            version,
            resolved,
            integrity,
            link,
            optional,
            dev_optional,
            in_bundle,
            has_install_script,
            deprecated,
            needs,
            bundles,
            bin,
            os,
            cpu,
            libc,
        }
    }

    fn into_entry(self) -> Option<(InstallPath, LockEntry)> {
        let path = if self.path.is_empty() { InstallPath::ROOT } else { InstallPath::parse(&self.path).ok()? };
        let any_version = |name| (name, "*".to_owned());
        let entry = LockEntry {
            name: self.name,
            version: self.version,
            resolved: self.resolved,
            integrity: self.integrity,
            link: self.link,
            optional: self.optional,
            dev_optional: self.dev_optional,
            in_bundle: self.in_bundle,
            has_install_script: self.has_install_script,
            deprecated: self.deprecated,
            dependencies: self.needs.into_iter().map(any_version).collect(),
            bundle_dependencies: self.bundles,
            bin: self.bin,
            os: self.os,
            cpu: self.cpu,
            libc: self.libc,
            ..LockEntry::default()
        };
        Some((path, entry))
    }
}

/// What an installation comes to whose inputs were found to fit: not one that changes what is asked for, nor one for pnpm's
/// layout or whose scripts run, which look at what packages depend on.
pub(super) fn find(
    options: &InstallOptions,
    files: &ProjectFiles,
    key: &MachineKey,
    inputs: &str,
) -> Result<Option<Resolved>, InstallError> {
    let is_plain = options.add.is_empty() && !options.lockfile_only && options.linker == Some(Linker::Hoisted);
    if !is_plain || files.lock.is_none() {
        return Ok(None);
    }
    let manifest = Manifest::parse(MANIFEST, &files.manifest)?;
    if !(options.ignore_scripts || manifest.allow_scripts.is_empty()) {
        return Ok(None);
    }
    Ok(read(&options.cache_dir, key, inputs).map(|part| Resolved::settled(manifest, files, part)))
}

/// The part of a lockfile that belongs on this machine, the project's own entry included, if it is known for these inputs.
fn read(cache_dir: &Path, key: &MachineKey, inputs: &str) -> Option<Lockfile> {
    let text = SETTLED.read(cache_dir, key, inputs, "")?;
    let entries: Vec<Lean> = serde_json::from_str(&text).ok()?;
    let packages = entries.into_iter().map(Lean::into_entry).collect::<Option<_>>()?;
    Some(Lockfile { packages, ..Lockfile::default() })
}

/// Keeps what is `wanted` of a lockfile on this machine, for an installation that finds these inputs.
///
/// # Errors
/// Only mean that it is worked out again.
pub(super) fn write(
    cache_dir: &Path,
    key: &MachineKey,
    inputs: &str,
    lock: &Lockfile,
    wanted: &[(&InstallPath, &LockEntry)],
) -> io::Result<()> {
    let root = lock.packages.get_key_value(&InstallPath::ROOT);
    let entries = root.into_iter().chain(wanted.iter().copied());
    let entries: Vec<Lean> = entries.map(|(path, entry)| Lean::new(path, entry)).collect();
    SETTLED.write(cache_dir, key, (inputs, ""), &serde_json::to_string(&entries)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{FILE_NAME, Omit, Platform, in_tarballs};

    #[test]
    fn what_is_kept_is_what_an_installation_looks_at() {
        let lock = r#"{ "lockfileVersion": 3, "packages": {
            "": { "name": "p", "dependencies": { "a": "^1" }, "devDependencies": { "b": "*" } },
            "node_modules/a": { "version": "1.0.0", "resolved": "https://r/a.tgz", "integrity": "sha512-x",
                "dependencies": { "c": "1", "inner": "1" }, "bundleDependencies": ["inner"], "engines": { "node": "1" },
                "bin": { "a": "cli.js" }, "deprecated": "old", "hasInstallScript": true, "license": "MIT" },
            "node_modules/a/node_modules/inner": { "version": "1.0.0", "inBundle": true, "dependencies": { "deep": "1" } },
            "node_modules/a/node_modules/deep": { "version": "1.0.0", "inBundle": true },
            "node_modules/b": { "name": "c", "version": "2.0.0", "dev": true },
            "node_modules/c": { "version": "1.0.0", "optional": true, "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"] },
            "node_modules/c/node_modules/a": { "resolved": "node_modules/a", "link": true },
            "node_modules/elsewhere": { "version": "1.0.0", "optional": true, "os": ["win32"] } } }"#;
        let lock = Lockfile::parse(FILE_NAME, lock).unwrap();
        let platform = Platform { os: "linux".to_owned(), cpu: "x64".to_owned(), libc: Some("glibc".to_owned()) };
        let wanted = lock.wanted(&platform, Omit::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&dir.path().join("state")).unwrap();
        write(dir.path(), &key, "inputs", &lock, &wanted).unwrap();
        assert!(read(dir.path(), &key, "others").is_none());

        let read = read(dir.path(), &key, "inputs").unwrap();
        let (root, packages) = read.packages.iter().partition::<Vec<_>, _>(|(path, _)| path.is_root());
        assert_eq!(root[0].1.edge_names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(in_tarballs(&packages), in_tarballs(&wanted));
        assert_eq!(packages.len(), 6);
        for ((path, entry), (wanted_path, wanted)) in packages.iter().zip(&wanted) {
            assert_eq!(path, wanted_path);
            let expected = LockEntry {
                dev: false,
                license: None,
                engines: None,
                dependencies: if wanted.in_bundle {
                    wanted.dependencies.keys().map(|name| (name.clone(), "*".to_owned())).collect()
                } else {
                    IndexMap::new()
                },
                ..(*wanted).clone()
            };
            assert_eq!(**entry, expected);
        }
    }
}
