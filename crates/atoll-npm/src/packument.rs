//! What a registry says about a package: its versions and dist-tags.
//!
//! Registries serve an abbreviated document for installers (`application/vnd.npm.install-v1+json`) and a full one; both
//! parse here. A document can hold thousands of versions of which a resolution looks at a handful, so one pass finds where each
//! begins and ends, and its text is parsed on first use. Registries carry garbage in old versions: a version that cannot be understood
//! is treated as if it did not exist, and a field of the wrong type as if it were missing.

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
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
    /// The document, of which the versions are parts.
    text: String,
    versions: IndexMap<String, VersionSlot, RandomState>,
    /// Parsed versions with their places in `versions`, the highest first.
    newest_first: Vec<(Version, usize)>,
}

struct VersionSlot {
    /// Where in the document it is.
    place: Range<usize>,
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
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Self, PackumentError> {
        let wrap = |source| PackumentError { name: name.to_owned(), source };
        let text = String::from_utf8(bytes)
            .map_err(|error| wrap(serde::de::Error::custom(format_args!("it is no UTF-8: {}", error.utf8_error()))))?;
        let Outline { dist_tags, versions: found } = serde_json::from_str(&text).map_err(wrap)?;
        let mut versions = IndexMap::with_capacity_and_hasher(found.len(), RandomState::default());
        let mut newest_first = Vec::with_capacity(found.len());
        for (name, raw) in found {
            if let Some(version) = Version::parse(&name) {
                let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
                let slot = VersionSlot { place: start..start + raw.get().len(), parsed: OnceLock::new() };
                // Of a version that is there twice, the last one counts.
                let (index, earlier) = versions.insert_full(name.into_owned(), slot);
                if earlier.is_none() {
                    newest_first.push((version, index));
                }
            }
        }
        newest_first.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(Self { name: name.to_owned(), dist_tags, text, versions, newest_first })
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
        let raw = &self.text[slot.place.clone()];
        slot.parsed.get_or_init(|| VersionDocument::parse(&self.name, version, raw).map(Arc::new)).as_ref()
    }
}

/// What one pass over a document finds.
#[derive(Default)]
struct Outline<'t> {
    dist_tags: IndexMap<String, String>,
    versions: Vec<(Cow<'t, str>, &'t RawValue)>,
}

impl<'t> Deserialize<'t> for Outline<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'t> Visitor<'t> for Fields {
            type Value = Outline<'t>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Outline<'t>, A::Error> {
                let mut outline = Outline::default();
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "dist-tags" => outline.dist_tags = tags(map.next_value()?),
                        "versions" => outline.versions = map.next_value::<Entries<'t>>()?.0,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(outline)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

fn tags(value: Value) -> IndexMap<String, String> {
    let Value::Object(tags) = value else { return IndexMap::new() };
    tags.into_iter().filter_map(|(tag, version)| Some((tag, version.as_str()?.to_owned()))).collect()
}

/// The entries of an object, in its order; of anything else, none.
struct Entries<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Deserialize<'t> for Entries<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'t> Visitor<'t> for Anything {
            type Value = Entries<'t>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Entries<'t>, A::Error> {
                let mut entries = Vec::new();
                while let Some((Text(key), raw)) = map.next_entry()? {
                    entries.push((key, raw));
                }
                Ok(Entries(entries))
            }

            fn visit_seq<A: serde::de::SeqAccess<'t>>(self, mut seq: A) -> Result<Entries<'t>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entries(Vec::new()))
            }

            fn visit_unit<E>(self) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }

            fn visit_str<E>(self, _: &str) -> Result<Entries<'t>, E> {
                Ok(Entries(Vec::new()))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

/// Text of the document, copied only where it has escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

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
        let Fields(object) = serde_json::from_str(raw).ok()?;
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

/// The fields of an object that [`VersionDocument`] is made from. Full documents have many others, and long ones.
struct Fields(Map<String, Value>);

/// Their names.
const FIELDS: [&str; 20] = [
    "dist",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bin",
    "os",
    "cpu",
    "libc",
    "engines",
    "hasInstallScript",
    "scripts",
    "_hasShrinkwrap",
    "deprecated",
    "bundleDependencies",
    "bundledDependencies",
    "funding",
    "workspaces",
    "license",
];

impl<'t> Deserialize<'t> for Fields {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Chosen;

        impl<'t> Visitor<'t> for Chosen {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some(Text(key)) = map.next_key()? {
                    if FIELDS.contains(&&*key) {
                        fields.insert(key.into_owned(), map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Chosen)
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
        let packument = Packument::parse("a", text.to_vec()).unwrap();
        assert_eq!(packument.version_names().collect::<Vec<_>>(), ["1.0.0", "1.0.1", "1.0.2"]);
        assert!(packument.version("1.0.1").is_none());
        assert!(packument.version("1.0.2").is_none());
        let document = packument.version("1.0.0").unwrap();
        assert_eq!(document.dependencies.len(), 1);
        assert_eq!(document.bin["a"], "cli.js");
        assert_eq!(document.os, ["linux"]);
        assert_eq!(packument.dist_tags.len(), 1);
        for bad in [&b"[]"[..], b"<html>", b"{\"versions\":{\"1.0.0\":{}", b"{\"\xff\":1}", b""] {
            assert!(Packument::parse("a", bad.to_vec()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_is_as_if_it_were_missing() {
        for odd in ["7", "-7", "0.5", "null", "true", "\"text\"", "[1, {\"1.0.0\": {}}]"] {
            let text = format!(r#"{{"dist-tags": {odd}, "versions": {odd}, "time": {odd}}}"#);
            let packument = Packument::parse("a", text.into_bytes()).unwrap();
            assert_eq!((packument.dist_tags.len(), packument.version_names().count()), (0, 0), "{odd}");
        }
    }

    #[test]
    fn versions_are_found_whatever_is_around_them() {
        let text = br#" { "x\u0022": [ "{" ], "versions" : { "1.0.0" : {"dist":{"tarball":"https://r/1"}} ,
            "1.0.\u0031":{"dist":{"tarball":"https://r/\u0032"}}, "1.0.0":{"dist":{"tarball":"https://r/3"}} } } "#;
        let packument = Packument::parse("a", text.to_vec()).unwrap();
        let tarball = |version| packument.version(version).map(|document| document.dist.tarball.as_str());
        assert_eq!(tarball("1.0.0"), Some("https://r/3"), "of two, the last");
        assert_eq!(tarball("1.0.1"), Some("https://r/2"));
        let names: Vec<&str> = packument.newest_first().map(|(_, name)| name).collect();
        assert_eq!(names, ["1.0.1", "1.0.0"]);
    }
}
