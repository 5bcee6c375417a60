//! From [`Lockfile`] to text, as npm formats it.
//!
//! npm writes plain values before objects, a few keys first and the others in the English locale's order, at every
//! level of the file. A file that was read and did not change is written back byte for byte.

use std::cmp::Ordering;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{LockEntry, Lockfile};
use crate::{
    manifest::{DependencyMap, PeerMeta},
    resolve::collation,
};

/// The version that we write.
const LOCKFILE_VERSION: u64 = 3;

/// Keys that come before all others of their kind.
const FIRST: [&str; 8] =
    ["name", "version", "lockfileVersion", "resolved", "integrity", "requires", "packages", "dependencies"];

/// An object that is about to be written, in npm's order of keys.
struct Object<'a>(Vec<(&'a str, Field<'a>)>);

enum Field<'a> {
    Text(&'a str),
    Flag,
    Number(u64),
    List(&'a [String]),
    Object(Object<'a>),
    /// With npm's order of keys at every level.
    Value(Value),
}

impl Lockfile {
    /// The file's text: indented by two spaces, with a final newline.
    pub fn to_text(&self) -> String {
        let packages =
            self.packages.iter().map(|(path, entry)| (path.as_str(), Field::Object(entry.object()))).collect();
        let mut fields = Fields::with(&self.extra);
        fields.text("name", self.name.as_deref());
        fields.text("version", self.version.as_deref());
        fields.set("lockfileVersion", Field::Number(LOCKFILE_VERSION));
        fields.flag("requires", self.requires);
        fields.set("packages", Field::Object(Object::new(packages)));
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::pretty(&mut bytes);
        // Writing to memory cannot fail, and nothing of this has another way to.
        let written = Object::new(fields.0).serialize(&mut serializer);
        debug_assert!(written.is_ok());
        bytes.push(b'\n');
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// Of a text that [`Lockfile::to_text`] wrote, what it writes for the same lockfile with only those packages that `keep`
/// wants: whole lines are taken over. `None` when it takes more than that.
pub(crate) fn keep_packages(text: &str, keep: impl Fn(&str) -> bool) -> Option<String> {
    const START: &str = "\n  \"packages\": {\n";
    const END: &str = "\n    }";
    let start = text.find(START)? + START.len();
    let mut kept = String::with_capacity(text.len());
    kept.push_str(&text[..start]);
    let mut rest = &text[start..];
    while let Some(entry) = rest.strip_prefix("    \"") {
        let key = &entry[..entry.find("\": {")?];
        let is_empty = entry[key.len()..].starts_with("\": {}");
        let end = if is_empty { rest.find('}')? + 1 } else { rest.find(END)? + END.len() };
        if key.contains('\\') {
            return None;
        }
        if keep(key) {
            if kept.len() > start {
                kept.push_str(",\n");
            }
            kept.push_str(&rest[..end]);
        }
        rest = rest[end..].trim_start_matches(',').strip_prefix('\n')?;
    }
    if kept.len() == start {
        return None;
    }
    kept.push('\n');
    kept.push_str(rest);
    Some(kept)
}

impl LockEntry {
    fn object(&self) -> Object<'_> {
        let mut fields = Fields::with(&self.extra);
        fields.text("name", self.name.as_deref());
        fields.text("version", self.version.as_deref());
        fields.text("resolved", self.resolved.as_deref());
        fields.text("integrity", self.integrity.as_deref());
        fields.text("license", self.license.as_deref());
        fields.text("deprecated", self.deprecated.as_deref());
        fields.flag("link", self.link);
        fields.flag("dev", self.dev);
        fields.flag("optional", self.optional);
        fields.flag("devOptional", self.dev_optional);
        fields.flag("peer", self.peer);
        fields.flag("inBundle", self.in_bundle);
        fields.flag("hasInstallScript", self.has_install_script);
        fields.flag("hasShrinkwrap", self.has_shrinkwrap);
        fields.map("dependencies", &self.dependencies);
        fields.map("devDependencies", &self.dev_dependencies);
        fields.map("optionalDependencies", &self.optional_dependencies);
        fields.map("peerDependencies", &self.peer_dependencies);
        fields.peer_meta("peerDependenciesMeta", &self.peer_dependencies_meta);
        fields.map("bin", &self.bin);
        fields.list("bundleDependencies", &self.bundle_dependencies);
        fields.list("os", &self.os);
        fields.list("cpu", &self.cpu);
        fields.list("libc", &self.libc);
        for (key, value) in [("engines", &self.engines), ("funding", &self.funding)] {
            if let Some(value) = value {
                fields.set(key, Field::Value(sorted(value.clone())));
            }
        }
        Object::new(fields.0)
    }
}

/// The fields of an object, in any order.
struct Fields<'a>(Vec<(&'a str, Field<'a>)>);

impl<'a> Fields<'a> {
    /// Those that we do not know.
    fn with(extra: &'a Map<String, Value>) -> Self {
        Self(extra.iter().map(|(key, value)| (key.as_str(), Field::Value(sorted(value.clone())))).collect())
    }

    fn set(&mut self, key: &'a str, field: Field<'a>) {
        // A field that we know is not among those that we do not know, unless somebody made the lockfile by hand.
        self.0.retain(|(present, _)| *present != key);
        self.0.push((key, field));
    }

    fn text(&mut self, key: &'a str, text: Option<&'a str>) {
        if let Some(text) = text {
            self.set(key, Field::Text(text));
        }
    }

    fn flag(&mut self, key: &'a str, flag: bool) {
        if flag {
            self.set(key, Field::Flag);
        }
    }

    fn map(&mut self, key: &'a str, map: &'a DependencyMap) {
        if !map.is_empty() {
            let map = map.iter().map(|(name, text)| (name.as_str(), Field::Text(text)));
            self.set(key, Field::Object(Object::new(map.collect())));
        }
    }

    fn list(&mut self, key: &'a str, list: &'a [String]) {
        if !list.is_empty() {
            self.set(key, Field::List(list));
        }
    }

    fn peer_meta(&mut self, key: &'a str, meta: &'a IndexMap<String, PeerMeta>) {
        if !meta.is_empty() {
            let meta = meta.iter().map(|(name, meta)| {
                let fields = meta.optional.then_some(("optional", Field::Flag));
                (name.as_str(), Field::Object(Object(fields.into_iter().collect())))
            });
            self.set(key, Field::Object(Object::new(meta.collect())));
        }
    }
}

impl<'a> Object<'a> {
    fn new(mut fields: Vec<(&'a str, Field<'a>)>) -> Self {
        fields.sort_by(|(one, left), (other, right)| in_order((one, left.is_object()), (other, right.is_object())));
        Self(fields)
    }
}

impl Field<'_> {
    fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Value(Value::Object(_)))
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, field)| (key, field)))
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Flag => true.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// npm's order of keys; with each, whether its value is an object.
fn in_order((one, is_object): (&str, bool), (other, other_is_object): (&str, bool)) -> Ordering {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    is_object
        .cmp(&other_is_object)
        .then_with(|| place(one).cmp(&place(other)))
        .then_with(|| collation::compare(one, other))
}

/// The value with npm's order of keys at every level.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        Value::Object(object) => {
            let mut fields: Vec<(String, Value)> = object.into_iter().collect();
            fields.sort_by(|(one, left), (other, right)| in_order((one, left.is_object()), (other, right.is_object())));
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::FILE_NAME;

    #[test]
    fn whole_entries_are_kept() {
        let text = r#"{"name":"p","lockfileVersion":3,"requires":true,"packages":{
            "":{"name":"p","dependencies":{"a":"1"}},
            "node_modules/a":{"version":"1.0.0","engines":{"node":">=1"},"bin":{"packages":"x"}},
            "node_modules/a/node_modules/b":{},
            "node_modules/c":{"version":"1.0.0","deprecated":"a \"line\"\n    }\n"}},"z":{"packages":{}}}"#;
        let lock = Lockfile::parse(FILE_NAME, text).unwrap();
        let written = lock.to_text();
        let paths: Vec<_> = lock.packages.keys().cloned().collect();
        for wanted in 1_u32..1 << paths.len() {
            let is_wanted = |at: usize| wanted & (1 << at) != 0;
            let packages = lock.packages.clone().into_iter().enumerate().filter(|(at, _)| is_wanted(*at));
            let smaller = Lockfile { packages: packages.map(|(_, entry)| entry).collect(), ..lock.clone() };
            let kept = keep_packages(&written, |path| {
                is_wanted(paths.iter().position(|known| known.as_str() == path).expect("a path of the file"))
            });
            assert_eq!(kept, Some(smaller.to_text()), "{wanted:b}");
        }
        assert_eq!(keep_packages(&written, |_| false), None);
        assert_eq!(keep_packages("{}", |_| true), None);
        assert_eq!(keep_packages(&written[..written.len() / 2], |_| true), None);
    }
}
