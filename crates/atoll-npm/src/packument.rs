//! What a registry says about a package: its versions and dist-tags.
//!
//! Registries serve an abbreviated document for installers (`application/vnd.npm.install-v1+json`) and a full one; both
//! parse here. A document can hold thousands of versions of which a resolution looks at a handful, so versions are kept
//! as raw text and parsed on first use. Registries carry garbage in old versions: a version that cannot be understood
//! is treated as if it did not exist, and a field of the wrong type as if it were missing.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use indexmap::IndexMap;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    manifest::{
        DependencyMap, PeerMeta, bundle_names, dependency_map, has_install_script, license_name, normalized_bin,
        peer_meta, string_list,
    },
    version::Version,
};

/// The media type to ask for: the abbreviated document, or the full one where a registry knows no other.
pub const ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*; q=0.5";

/// All versions of one package, as its registry describes them.
pub struct Packument {
    /// The name that the package is published under.
    pub name: String,
    /// Tag to version, for example `latest` to `4.17.21`.
    pub dist_tags: IndexMap<String, String>,
    versions: IndexMap<String, VersionSlot>,
    /// Parsed versions with their places in `versions`, the highest first.
    newest_first: Vec<(Version, usize)>,
}

struct VersionSlot {
    raw: Box<RawValue>,
    parsed: OnceLock<Option<Arc<VersionDocument>>>,
}

/// One published version: what an installer needs to know of its `package.json`, and where its tarball is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionDocument {
    /// The name that the package is published under.
    pub name: String,
    /// Its version, in canonical form.
    pub version: String,
    /// Regular dependencies, without those that are also optional.
    pub dependencies: DependencyMap,
    /// Development dependencies; abbreviated documents rarely carry them, and they are never installed for a dependency.
    pub dev_dependencies: DependencyMap,
    /// Dependencies whose absence the package tolerates.
    pub optional_dependencies: DependencyMap,
    /// What the package wants its dependents to have.
    pub peer_dependencies: DependencyMap,
    /// Which of the peers may be absent.
    pub peer_dependencies_meta: IndexMap<String, PeerMeta>,
    /// Command name to path inside the package (normalised: relative, without `..`).
    pub bin: IndexMap<String, String>,
    /// Operating systems that it runs on (`linux`, `!win32`); empty means all.
    pub os: Vec<String>,
    /// Processors that it runs on (`x64`, `!arm`); empty means all.
    pub cpu: Vec<String>,
    /// C libraries that it runs on (`glibc`, `musl`); empty means all.
    pub libc: Vec<String>,
    /// The `engines` field as published, an object in all but the oldest packages.
    pub engines: Option<Value>,
    /// It has a `preinstall`, `install` or `postinstall` script, or a `binding.gyp`.
    pub has_install_script: bool,
    /// It carries an `npm-shrinkwrap.json`.
    pub has_shrinkwrap: bool,
    /// Why not to use it, when its author says so.
    pub deprecated: Option<String>,
    /// Names of the dependencies that its tarball contains.
    pub bundle_dependencies: Vec<String>,
    /// Funding information as published.
    pub funding: Option<Value>,
    /// `workspaces` as published: of no use to a dependent, but npm's lockfile repeats it.
    pub workspaces: Option<Value>,
    /// Licence expression, when the document has one.
    pub license: Option<String>,
    /// Where its tarball is and what it hashes to.
    pub dist: Dist,
}

/// Where a tarball is and what it hashes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dist {
    /// Absolute URL.
    pub tarball: String,
    /// Subresource integrity: one or more `algorithm-base64`, separated by spaces.
    pub integrity: Option<String>,
    /// SHA-1 in hexadecimal, all that the oldest versions have.
    pub shasum: Option<String>,
    /// Sum of the file sizes in bytes, a registry's claim.
    pub unpacked_size: Option<u64>,
    /// Number of files, a registry's claim.
    pub file_count: Option<u64>,
}

impl Dist {
    /// The integrity string; made from `shasum` where the registry knows only that.
    pub fn integrity(&self) -> Option<String> {
        match (&self.integrity, &self.shasum) {
            (Some(integrity), _) => Some(integrity.clone()),
            (None, Some(shasum)) => sha1_integrity(shasum),
            (None, None) => None,
        }
    }
}

/// A registry's document that is no packument at all.
#[derive(Debug, thiserror::Error)]
#[error("the registry's answer for \"{name}\" is not a package document: {source}")]
pub struct PackumentError {
    /// The package that was asked for.
    pub name: String,
    /// What is wrong, with line and column.
    pub source: serde_json::Error,
}

impl Packument {
    /// Parses an abbreviated or full document; `name` is the package that was asked for.
    ///
    /// # Errors
    /// When `bytes` is not a JSON object. Anything strange inside is left out instead.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, PackumentError> {
        let wrap = |source| PackumentError { name: name.to_owned(), source };
        let document: IndexMap<String, &RawValue> = serde_json::from_slice(bytes).map_err(wrap)?;
        let dist_tags = document
            .get("dist-tags")
            .and_then(|raw| serde_json::from_str::<IndexMap<String, Value>>(raw.get()).ok())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(tag, value)| Some((tag, value.as_str()?.to_owned())))
            .collect();
        let raw_versions: IndexMap<String, Box<RawValue>> =
            document.get("versions").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let mut versions = IndexMap::with_capacity(raw_versions.len());
        let mut newest_first = Vec::with_capacity(raw_versions.len());
        for (name, raw) in raw_versions {
            if let Some(version) = Version::parse(&name) {
                newest_first.push((version, versions.len()));
                versions.insert(name, VersionSlot { raw, parsed: OnceLock::new() });
            }
        }
        newest_first.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(Self { name: name.to_owned(), dist_tags, versions, newest_first })
    }

    /// All versions with their names, the highest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (&Version, &str)> {
        self.newest_first.iter().filter_map(|(version, index)| {
            let (name, _) = self.versions.get_index(*index)?;
            Some((version, name.as_str()))
        })
    }

    /// All versions' names, in the registry's order (by time of publication, usually).
    pub fn version_names(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// The document of exactly this version; `None` when there is none or it cannot be understood.
    pub fn version(&self, version: &str) -> Option<&Arc<VersionDocument>> {
        let slot = self.versions.get(version)?;
        slot.parsed.get_or_init(|| VersionDocument::parse(&self.name, version, slot.raw.get()).map(Arc::new)).as_ref()
    }
}

impl fmt::Debug for Packument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Packument")
            .field("name", &self.name)
            .field("dist_tags", &self.dist_tags)
            .field("versions", &self.versions.len())
            .finish_non_exhaustive()
    }
}

impl VersionDocument {
    /// Parses one version's object. `None` when it is no object or names no tarball.
    fn parse(name: &str, version: &str, raw: &str) -> Option<Self> {
        let Value::Object(object) = serde_json::from_str(raw).ok()? else { return None };
        let dist = dist(object.get("dist")?.as_object()?)?;
        let optional_dependencies = dependency_map(object.get("optionalDependencies"));
        let mut dependencies = dependency_map(object.get("dependencies"));
        dependencies.retain(|name, _| !optional_dependencies.contains_key(name));
        let bundle_dependencies =
            bundle_names(object.get("bundleDependencies").or_else(|| object.get("bundledDependencies")), &dependencies);
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            dependencies,
            dev_dependencies: dependency_map(object.get("devDependencies")),
            optional_dependencies,
            peer_dependencies: dependency_map(object.get("peerDependencies")),
            peer_dependencies_meta: peer_meta(object.get("peerDependenciesMeta")),
            bin: normalized_bin(name, object.get("bin")),
            os: string_list(object.get("os")),
            cpu: string_list(object.get("cpu")),
            libc: string_list(object.get("libc")),
            engines: object.get("engines").filter(|value| is_filled(value)).cloned(),
            has_install_script: object.get("hasInstallScript").is_some_and(is_true) || has_install_script(&object),
            has_shrinkwrap: object.get("_hasShrinkwrap").is_some_and(is_true),
            deprecated: deprecation(object.get("deprecated")),
            bundle_dependencies,
            funding: object.get("funding").filter(|value| is_filled(value)).map(normalized_funding),
            workspaces: object.get("workspaces").filter(|value| is_filled(value)).cloned(),
            license: license_name(object.get("license")),
            dist,
        })
    }
}

fn dist(object: &Map<String, Value>) -> Option<Dist> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Dist {
        tarball: text("tarball")?,
        integrity: text("integrity"),
        shasum: text("shasum"),
        unpacked_size: object.get("unpackedSize").and_then(Value::as_u64),
        file_count: object.get("fileCount").and_then(Value::as_u64),
    })
}

/// An empty string is how authors take a deprecation back; `true` stands for one without a reason.
fn deprecation(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Bool(true) => Some("this version is deprecated".to_owned()),
        _ => None,
    }
}

/// A bare URL stands for an object with that URL. Lists stay as they are, as in npm.
fn normalized_funding(value: &Value) -> Value {
    match value {
        Value::String(url) => serde_json::json!({ "url": url }),
        other => other.clone(),
    }
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// `sha1-` and base64 of the digest, from 40 hexadecimal digits.
fn sha1_integrity(shasum: &str) -> Option<String> {
    if shasum.len() != 40 || !shasum.is_ascii() {
        return None;
    }
    let digest: Vec<u8> =
        (0..20).map(|i| u8::from_str_radix(&shasum[2 * i..2 * i + 2], 16).ok()).collect::<Option<_>>()?;
    Some(format!("sha1-{}", STANDARD.encode(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shasum_becomes_integrity() {
        assert_eq!(
            sha1_integrity("da39a3ee5e6b4b0d3255bfef95601890afd80709").as_deref(),
            Some("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
        );
        assert_eq!(sha1_integrity("xyz"), None);
    }

    #[test]
    fn garbage_in_one_version_leaves_the_others() {
        let text = br#"{"name":"a","dist-tags":{"latest":"1.0.0","bad":7},"versions":{
            "1.0.0":{"dist":{"tarball":"https://r/a.tgz"},"dependencies":{"b":"^1","c":5},"bin":"./cli.js","os":"linux"},
            "1.0.1":"nonsense","not a version":{},"1.0.2":{"dist":{}}}}"#;
        let packument = Packument::parse("a", text).unwrap();
        assert_eq!(packument.version_names().collect::<Vec<_>>(), ["1.0.0", "1.0.1", "1.0.2"]);
        assert!(packument.version("1.0.1").is_none());
        assert!(packument.version("1.0.2").is_none());
        let document = packument.version("1.0.0").unwrap();
        assert_eq!(document.dependencies.len(), 1);
        assert_eq!(document.bin["a"], "cli.js");
        assert_eq!(document.os, ["linux"]);
        assert_eq!(packument.dist_tags.len(), 1);
        assert!(Packument::parse("a", b"[]").is_err());
        assert!(Packument::parse("a", b"<html>").is_err());
    }
}
