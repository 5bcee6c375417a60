//! What is done to a package's document before it is kept: its tarballs get the recording's address, and the form that
//! installing needs is made of the whole one.
//!
//! Registries have both forms. Some mirrors answer with the whole document whatever they are asked for, so that what a
//! recording holds would depend on where it was made; made here, both forms are of one moment.

use serde_json::{Map, Value};

/// What a version keeps in the abbreviated form (npm's registry documentation, "Package Metadata", and the fields that
/// the public registry has added since).
const VERSION_FIELDS: [&str; 20] = [
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "_hasShrinkwrap",
    "cpu",
    "os",
    "libc",
    "funding",
];
/// Scripts that run when a package is installed.
const INSTALL_SCRIPTS: [&str; 3] = ["preinstall", "install", "postinstall"];

/// Lets the tarballs that are at `upstream` be at `origin`; both are URLs that end in a slash.
pub(super) fn rewrite(document: &mut Value, upstream: &str, origin: &str) {
    let Some(versions) = document["versions"].as_object_mut() else { return };
    for version in versions.values_mut() {
        let Some(tarball) = version.pointer_mut("/dist/tarball") else { continue };
        if let Some(path) = tarball.as_str().and_then(|url| below(url, upstream)) {
            *tarball = Value::String(format!("{origin}{path}"));
        }
    }
}

/// The path of a URL below another, whichever of http and https either has.
fn below<'a>(url: &'a str, base: &str) -> Option<&'a str> {
    let without_scheme = |url: &str| url.split_once("://").map_or(0, |(scheme, _)| scheme.len());
    url[without_scheme(url)..].strip_prefix(&base[without_scheme(base)..])
}

/// The abbreviated form.
pub(super) fn abbreviated(document: &Value) -> Value {
    let mut short = Map::new();
    short.insert("name".into(), document["name"].clone());
    short.insert("dist-tags".into(), document["dist-tags"].clone());
    let modified = document["time"]["modified"].as_str().or_else(|| {
        let times = document["time"].as_object()?.values().filter_map(Value::as_str);
        times.max()
    });
    if let Some(modified) = modified {
        short.insert("modified".into(), modified.into());
    }
    let versions = document["versions"].as_object().into_iter().flatten();
    let versions = versions.map(|(number, version)| (number.clone(), short_version(version)));
    short.insert("versions".into(), Value::Object(versions.collect()));
    Value::Object(short)
}

fn short_version(version: &Value) -> Value {
    let kept = VERSION_FIELDS.iter().filter_map(|&field| Some((field.to_owned(), version.get(field)?.clone())));
    let mut kept: Map<String, Value> = kept.collect();
    let has_script = |script: &str| version["scripts"].get(script).is_some();
    if version["hasInstallScript"] == true || INSTALL_SCRIPTS.into_iter().any(has_script) {
        kept.insert("hasInstallScript".into(), true.into());
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{abbreviated, rewrite};

    #[test]
    fn tarballs_move_to_the_recording_and_nothing_else_does() {
        let mut document = json!({
            "homepage": "https://registry.example/a/",
            "versions": {
                "1.0.0": { "dist": { "tarball": "https://registry.example/a/-/a-1.0.0.tgz" } },
                "1.0.1": { "dist": { "tarball": "http://registry.example/a/-/a-1.0.1.tgz" } },
                "2.0.0": { "dist": { "tarball": "https://elsewhere.example/a.tgz" } },
                "3.0.0": {},
            },
        });
        rewrite(&mut document, "https://registry.example/", "http://127.0.0.1:1/");
        assert_eq!(document["versions"]["1.0.0"]["dist"]["tarball"], "http://127.0.0.1:1/a/-/a-1.0.0.tgz");
        assert_eq!(document["versions"]["1.0.1"]["dist"]["tarball"], "http://127.0.0.1:1/a/-/a-1.0.1.tgz");
        assert_eq!(document["versions"]["2.0.0"]["dist"]["tarball"], "https://elsewhere.example/a.tgz");
        assert_eq!(document["homepage"], "https://registry.example/a/");
    }

    #[test]
    fn the_abbreviated_form_has_what_installing_needs() {
        let document = json!({
            "_id": "a", "name": "a", "readme": "long", "dist-tags": { "latest": "1.0.0" },
            "time": { "1.0.0": "2026-01-01T00:00:00Z", "0.9.0": "2025-01-01T00:00:00Z" },
            "versions": {
                "1.0.0": {
                    "name": "a", "version": "1.0.0", "description": "long", "scripts": { "postinstall": "x" },
                    "dependencies": { "b": "1" }, "os": ["linux"], "libc": ["glibc"], "dist": { "tarball": "t" },
                },
                "0.9.0": { "name": "a", "version": "0.9.0", "scripts": { "test": "x" } },
            },
        });
        let expected = json!({
            "name": "a", "dist-tags": { "latest": "1.0.0" }, "modified": "2026-01-01T00:00:00Z",
            "versions": {
                "1.0.0": {
                    "name": "a", "version": "1.0.0", "hasInstallScript": true,
                    "dependencies": { "b": "1" }, "os": ["linux"], "libc": ["glibc"], "dist": { "tarball": "t" },
                },
                "0.9.0": { "name": "a", "version": "0.9.0" },
            },
        });
        assert_eq!(abbreviated(&document), expected);
    }
}
