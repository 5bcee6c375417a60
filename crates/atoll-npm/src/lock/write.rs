//! From [`Lockfile`] to text, as npm formats it.
//!
//! npm writes plain values before objects, a few keys first and the others in the English locale's order, at every
//! level of the file. A file that was read and did not change is written back byte for byte.

use indexmap::IndexMap;
use serde::Serialize as _;
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

impl Lockfile {
    /// The file's text: indented by two spaces, with a final newline.
    pub fn to_text(&self) -> String {
        let mut object = self.extra.clone();
        insert_text(&mut object, "name", self.name.as_deref());
        insert_text(&mut object, "version", self.version.as_deref());
        object.insert("lockfileVersion".to_owned(), LOCKFILE_VERSION.into());
        insert_flag(&mut object, "requires", self.requires);
        let packages = self.packages.iter().map(|(path, entry)| (path.as_str().to_owned(), entry.to_value()));
        object.insert("packages".to_owned(), Value::Object(packages.collect()));
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::pretty(&mut bytes);
        // Writing to memory cannot fail, and a `Value` has no other way to.
        let written = sorted(Value::Object(object)).serialize(&mut serializer);
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
    fn to_value(&self) -> Value {
        let mut object = self.extra.clone();
        insert_text(&mut object, "name", self.name.as_deref());
        insert_text(&mut object, "version", self.version.as_deref());
        insert_text(&mut object, "resolved", self.resolved.as_deref());
        insert_text(&mut object, "integrity", self.integrity.as_deref());
        insert_text(&mut object, "license", self.license.as_deref());
        insert_text(&mut object, "deprecated", self.deprecated.as_deref());
        insert_flag(&mut object, "link", self.link);
        insert_flag(&mut object, "dev", self.dev);
        insert_flag(&mut object, "optional", self.optional);
        insert_flag(&mut object, "devOptional", self.dev_optional);
        insert_flag(&mut object, "peer", self.peer);
        insert_flag(&mut object, "inBundle", self.in_bundle);
        insert_flag(&mut object, "hasInstallScript", self.has_install_script);
        insert_flag(&mut object, "hasShrinkwrap", self.has_shrinkwrap);
        insert_map(&mut object, "dependencies", &self.dependencies);
        insert_map(&mut object, "devDependencies", &self.dev_dependencies);
        insert_map(&mut object, "optionalDependencies", &self.optional_dependencies);
        insert_map(&mut object, "peerDependencies", &self.peer_dependencies);
        insert_peer_meta(&mut object, &self.peer_dependencies_meta);
        insert_map(&mut object, "bin", &self.bin);
        insert_list(&mut object, "bundleDependencies", &self.bundle_dependencies);
        insert_list(&mut object, "os", &self.os);
        insert_list(&mut object, "cpu", &self.cpu);
        insert_list(&mut object, "libc", &self.libc);
        for (key, value) in [("engines", &self.engines), ("funding", &self.funding)] {
            if let Some(value) = value {
                object.insert(key.to_owned(), value.clone());
            }
        }
        Value::Object(object)
    }
}

fn insert_text(object: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        object.insert(key.to_owned(), text.into());
    }
}

fn insert_flag(object: &mut Map<String, Value>, key: &str, flag: bool) {
    if flag {
        object.insert(key.to_owned(), true.into());
    }
}

fn insert_map(object: &mut Map<String, Value>, key: &str, map: &DependencyMap) {
    if !map.is_empty() {
        let map = map.iter().map(|(name, text)| (name.clone(), text.as_str().into()));
        object.insert(key.to_owned(), Value::Object(map.collect()));
    }
}

fn insert_list(object: &mut Map<String, Value>, key: &str, list: &[String]) {
    if !list.is_empty() {
        object.insert(key.to_owned(), list.iter().map(String::as_str).collect());
    }
}

fn insert_peer_meta(object: &mut Map<String, Value>, meta: &IndexMap<String, PeerMeta>) {
    if !meta.is_empty() {
        let meta = meta.iter().map(|(name, meta)| {
            let fields = meta.optional.then(|| ("optional".to_owned(), Value::Bool(true)));
            (name.clone(), Value::Object(fields.into_iter().collect()))
        });
        object.insert("peerDependenciesMeta".to_owned(), Value::Object(meta.collect()));
    }
}

/// The value with npm's order of keys at every level.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        Value::Object(object) => {
            let mut fields: Vec<(String, Value)> = object.into_iter().collect();
            fields.sort_by(|(a, left), (b, right)| {
                left.is_object().cmp(&right.is_object()).then_with(|| {
                    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
                    place(a).cmp(&place(b)).then_with(|| collation::compare(a, b))
                })
            });
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
