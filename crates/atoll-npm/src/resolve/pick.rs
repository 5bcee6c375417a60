//! Which of a package's versions a specification means.

use std::sync::Arc;

use serde_json::Value;

use super::spec::Spec;
use crate::{
    packument::{Packument, VersionDocument},
    version::{Range, Version},
};

/// The version to use, by npm's preferences: what `latest` points to if it fits and nothing speaks against it, otherwise
/// the highest version that is not deprecated and runs on this Node, then one that only runs, then one that is only not
/// deprecated, then any.
pub(super) fn pick<'a>(
    packument: &'a Packument,
    spec: &Spec,
    node_version: Option<&Version>,
) -> Option<&'a Arc<VersionDocument>> {
    match spec {
        Spec::Tag(tag) => packument.version(packument.dist_tags.get(tag)?),
        Spec::Version(version) => packument.version(&version.to_string()).or_else(|| {
            // Build metadata and loose spellings: compare what is meant.
            let (_, name) = packument.newest_first().find(|(other, _)| *other == version)?;
            packument.version(name)
        }),
        Spec::Range(range) => pick_from_range(packument, range, node_version),
        Spec::Alias { spec, .. } => pick(packument, spec, node_version),
        Spec::Unsupported(_) => None,
    }
}

fn pick_from_range<'a>(
    packument: &'a Packument,
    range: &Range,
    node_version: Option<&Version>,
) -> Option<&'a Arc<VersionDocument>> {
    let fits = |version: &Version| range.is_any() || range.contains(version);
    if let Some(latest) = packument.dist_tags.get("latest")
        && Version::parse(latest).is_some_and(|version| fits(&version))
        && let Some(document) = packument.version(latest)
        && document.deprecated.is_none()
        && runs_on(document, node_version)
    {
        return Some(document);
    }
    let mut best: Option<(u8, &Arc<VersionDocument>)> = None;
    for (_, name) in packument.newest_first().filter(|(version, _)| range.contains(version)) {
        let Some(document) = packument.version(name) else { continue };
        let rank = match (runs_on(document, node_version), document.deprecated.is_none()) {
            (true, true) => return Some(document),
            (true, false) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        if best.is_none_or(|(other, _)| rank > other) {
            best = Some((rank, document));
        }
    }
    best.map(|(_, document)| document)
}

/// Whether `engines.node` admits this version of Node; a pre-release of Node counts as what it precedes.
fn runs_on(document: &VersionDocument, node_version: Option<&Version>) -> bool {
    let (Some(node_version), Some(Value::Object(engines))) = (node_version, &document.engines) else { return true };
    let Some(wanted) = engines.get("node").and_then(Value::as_str) else { return true };
    Range::parse(wanted).is_some_and(|range| range.contains(node_version))
}
