//! What holds for every resolution, tried on random registries.

use std::collections::BTreeSet;

use atoll_npm::{
    lock::Lockfile,
    resolve::ResolveError,
    version::{Range, Version},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::table::Table;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
const VERSIONS: [&str; 4] = ["1.0.0", "1.1.0", "2.0.0", "3.0.0"];
const SPECS: [&str; 9] = ["*", "^1", "^2", "1.0.0", "^1 || ^2", ">=2", "1.1.0", "3.0.0", "~1.0"];

/// A dependency in the table's notation.
fn edge(kinds: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::sample::select(kinds), prop::sample::select(&NAMES[..]), prop::sample::select(&SPECS[..]))
        .prop_map(|(kind, name, spec)| format!("{kind}{name}@{}", spec.replace(' ', "\u{a0}")))
}

fn registry(kinds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let version = (any::<bool>(), prop::collection::vec(edge(kinds), 0..4));
    prop::collection::vec(prop::collection::vec(version, VERSIONS.len()), NAMES.len()).prop_map(|packages| {
        let mut lines = Vec::new();
        for (name, versions) in NAMES.iter().zip(packages) {
            for (index, (exists, edges)) in versions.into_iter().enumerate() {
                if exists || index == 0 {
                    let edges: Vec<String> =
                        edges.into_iter().filter(|edge| !edge.contains(&format!("{name}@"))).collect();
                    lines.push(format!("{name} {}: {}", VERSIONS[index], edges.join(" ")));
                }
            }
        }
        lines.join("\n")
    })
}

fn manifest() -> impl Strategy<Value = Value> {
    let section =
        || prop::collection::btree_map(prop::sample::select(&NAMES[..]), prop::sample::select(&SPECS[..]), 0..4);
    (section(), section()).prop_map(|(dependencies, dev)| {
        let object = |map: std::collections::BTreeMap<&str, &str>| -> Map<String, Value> {
            map.into_iter().map(|(name, spec)| (name.to_owned(), spec.into())).collect()
        };
        json!({ "name": "project", "dependencies": object(dependencies), "devDependencies": object(dev) })
    })
}

/// Regular dependencies that do not find, by Node's lookup, a version that they asked for.
fn unsatisfied(lockfile: &Lockfile) -> Vec<String> {
    let mut found = Vec::new();
    for (path, entry) in &lockfile.packages {
        // Of a name in several sections, npm heeds the last: devDependencies.
        let dev = &entry.dev_dependencies;
        let regular = entry.dependencies.iter().filter(|(name, _)| !dev.contains_key(*name));
        for (name, spec) in regular.chain(dev) {
            let range = Range::parse(spec).unwrap();
            let version = lockfile.lookup(path, name).and_then(|(_, mut target)| {
                if target.link {
                    target = lockfile.packages.get(target.resolved.as_deref()?)?;
                }
                Version::parse(target.version.as_deref()?)
            });
            if !version.as_ref().is_some_and(|version| range.contains(version)) {
                found.push(format!("{path} wants {name}@{spec}, finds {version:?}"));
            }
        }
    }
    found
}

fn check(registry: &str, manifest: &Value) -> Result<(), TestCaseError> {
    let table = Table::new(registry);
    let lockfile = match table.resolve(manifest, None) {
        Ok(lockfile) => lockfile,
        Err(error) => {
            let is_expected = matches!(
                error,
                ResolveError::NoVersion { .. } | ResolveError::PeerConflict(_) | ResolveError::TooComplex(_)
            );
            prop_assert!(is_expected, "{}", error);
            return Ok(());
        }
    };
    prop_assert_eq!(unsatisfied(&lockfile), Vec::<String>::new());
    prop_assert_eq!(&table.resolve(manifest, None).unwrap(), &lockfile, "the same input gives the same result");
    let text = lockfile.to_text();
    prop_assert_eq!(&Lockfile::parse("l", &text).unwrap().to_text(), &text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_dependency_is_satisfied(registry in registry(&["", "", "", "opt:"]), manifest in manifest()) {
        check(&registry, &manifest)?;
        let table = Table::new(&registry);
        if let Ok(lockfile) = table.resolve(&manifest, None) {
            table.asked();
            prop_assert_eq!(&table.resolve(&manifest, Some(&lockfile)).unwrap(), &lockfile, "a fixed point");
            prop_assert_eq!(table.asked(), Vec::<String>::new());
        }
    }

    #[test]
    fn every_dependency_is_satisfied_among_peers(
        registry in registry(&["", "", "peer:", "peer?:", "opt:"]),
        manifest in manifest(),
    ) {
        check(&registry, &manifest)?;
    }

    #[test]
    fn an_edit_keeps_what_it_does_not_touch(registry in registry(&["", "", "peer:"]), manifest in manifest()) {
        let table = Table::new(&registry);
        let Ok(before) = table.resolve(&manifest, None) else { return Ok(()) };
        let mut edited = manifest.clone();
        edited["dependencies"]["untouched"] = "1".into();
        let extended = Table::new(&format!("{registry}\nuntouched 1.0.0:"));
        let Ok(after) = extended.resolve(&edited, Some(&before)) else { return Ok(()) };
        let versions = |lockfile: &Lockfile| -> BTreeSet<String> {
            let entries = lockfile.packages.iter().filter(|(path, _)| !path.is_root() && path.name() != "untouched");
            entries.map(|(path, entry)| format!("{path} {:?}", entry.version)).collect()
        };
        prop_assert_eq!(versions(&before), versions(&after));
    }
}
