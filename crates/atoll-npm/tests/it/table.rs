//! A registry written as a table, for tests of the resolver.
//!
//! One version per line: `name version: dependencies`, where a dependency is `name@spec`, with `peer:`, `peer?:`, `opt:`
//! in front for the other kinds; the words `deprecated`, `os=…`, `cpu=…`, `node=…`, `bundle=…`, `script` describe the
//! version itself. `name latest version` moves the tag, which otherwise is at the highest version that is no
//! pre-release.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use atoll_npm::{
    lock::Lockfile,
    manifest::Manifest,
    packument::{Packument, VersionDocument},
    resolve::{Options, PackumentSource, ResolveError, SourceError, resolve},
    version::Version,
};
use serde_json::{Map, Value, json};

/// Packuments by name, and a record of which were asked for.
#[derive(Debug, Default)]
pub(crate) struct Table {
    packuments: BTreeMap<String, Arc<Packument>>,
    asked: Mutex<Vec<String>>,
}

impl Table {
    pub(crate) fn new(text: &str) -> Self {
        let mut versions: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        let mut tags: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, dependencies) = line.split_once(':').map_or((line, ""), |(head, rest)| {
                // The colon of `peer:` and the like comes later.
                if head.split_whitespace().count() == 2 { (head, rest) } else { panic!("bad line {line}") }
            });
            let words: Vec<&str> = head.split_whitespace().collect();
            match words[..] {
                [name, version] => {
                    versions.entry(name).or_default().insert(version.to_owned(), document(name, version, dependencies));
                }
                [name, tag, version] => {
                    tags.entry(name).or_default().insert(tag.to_owned(), version.into());
                }
                _ => panic!("bad line {line}"),
            }
        }
        let packuments = versions.into_iter().map(|(name, versions)| {
            let mut tags = tags.remove(name).unwrap_or_default();
            if !tags.contains_key("latest") {
                let parsed = versions.keys().map(|version| Version::parse(version).unwrap());
                let latest = parsed.clone().filter(|v| !v.is_prerelease()).max().or_else(|| parsed.max()).unwrap();
                tags.insert("latest".to_owned(), latest.to_string().into());
            }
            let text = json!({ "name": name, "dist-tags": tags, "versions": versions }).to_string();
            (name.to_owned(), Arc::new(Packument::parse(name, text.into_bytes()).unwrap()))
        });
        Self { packuments: packuments.collect(), asked: Mutex::default() }
    }

    /// From packuments as a registry serves them, by name.
    pub(crate) fn recorded(packuments: &Map<String, Value>) -> Self {
        let packuments = packuments.iter().map(|(name, document)| {
            (name.clone(), Arc::new(Packument::parse(name, document.to_string().into_bytes()).unwrap()))
        });
        Self { packuments: packuments.collect(), asked: Mutex::default() }
    }

    /// Names asked for since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub(crate) fn resolve(&self, manifest: &Value, existing: Option<&Lockfile>) -> Result<Lockfile, ResolveError> {
        self.resolve_with(manifest, existing, &Options::default())
    }

    pub(crate) fn resolve_with(
        &self,
        manifest: &Value,
        existing: Option<&Lockfile>,
        options: &Options,
    ) -> Result<Lockfile, ResolveError> {
        let manifest = Manifest::parse("package.json", &manifest.to_string()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(resolve(&manifest, existing, self, options))
    }
}

impl PackumentSource for Table {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, SourceError> {
        self.asked.lock().unwrap().push(name.to_owned());
        tokio::task::yield_now().await;
        self.packuments.get(name).cloned().ok_or_else(|| SourceError::NotFound { name: name.to_owned() })
    }

    fn likely(&self, document: &Arc<VersionDocument>) {
        assert!(self.packuments.contains_key(&document.name));
    }
}

fn document(name: &str, version: &str, dependencies: &str) -> Value {
    let mut document = json!({
        "name": name,
        "version": version,
        "dist": {
            "tarball": format!("https://registry.test/{name}/-/{version}.tgz"),
            "integrity": format!("sha512-{name}-{version}"),
        },
    });
    for word in dependencies.split_whitespace() {
        match word {
            "deprecated" => document["deprecated"] = "do not use".into(),
            "script" => document["hasInstallScript"] = true.into(),
            _ if word.contains('=') && !word.contains('@') => {
                let (key, value) = word.split_once('=').unwrap();
                match key {
                    "node" => document["engines"] = json!({ "node": value }),
                    "bundle" => document["bundleDependencies"] = json!([value]),
                    _ => document[key] = json!([value]),
                }
            }
            _ => {
                let (field, edge) = match word.split_once(':') {
                    Some(("peer", edge)) => ("peerDependencies", edge),
                    Some(("peer?", edge)) => ("peer?", edge),
                    Some(("opt", edge)) => ("optionalDependencies", edge),
                    _ => ("dependencies", word),
                };
                let at = edge[1..].find('@').map_or(edge.len(), |at| at + 1);
                let (target, spec) = (&edge[..at], edge.get(at + 1..).unwrap_or("*"));
                if field == "peer?" {
                    document["peerDependencies"][target] = spec.into();
                    document["peerDependenciesMeta"][target] = json!({ "optional": true });
                } else {
                    document[field][target] = spec.into();
                }
            }
        }
    }
    document
}

/// The tree as lines of install path without the `node_modules`, version and flags: `a/b 1.0.0 dev`.
pub(crate) fn tree(lockfile: &Lockfile) -> Vec<String> {
    let entries = lockfile.packages.iter().filter(|(path, _)| !path.is_root());
    entries
        .map(|(path, entry)| {
            let short = path.as_str().trim_start_matches("node_modules/").replace("/node_modules/", " > ");
            let mut line = format!("{short} {}", entry.version.as_deref().unwrap_or("link"));
            let flags = [
                (entry.dev, "dev"),
                (entry.optional, "optional"),
                (entry.dev_optional, "devOptional"),
                (entry.peer, "peer"),
                (entry.in_bundle, "inBundle"),
            ];
            for (_, flag) in flags.into_iter().filter(|(is_set, _)| *is_set) {
                line.push(' ');
                line.push_str(flag);
            }
            line
        })
        .collect()
}
