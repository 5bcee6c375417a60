//! Fetching packuments ahead of the placement.
//!
//! Where a package goes depends on all others; which packuments will be needed hardly does. So the crawl follows every
//! dependency of every version that would be picked, as fast as the source answers, and the placement then runs over
//! what is there. Where the project itself depends on a package, and its version will do for others, no other is followed: they
//! share it. A packument that the crawl did not foresee sends it off once more.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{
    Options, PackumentSource, SourceError,
    build::{Asked, Known},
    error::ResolveError,
    maps::{HashMap, HashSet},
    pick::pick,
    seed::Existing,
    spec::Spec,
};
use crate::{
    lock::LockEntry,
    packument::{Packument, VersionDocument},
    version::Version,
};

/// What the project depends on by itself, by name.
pub(super) struct Direct(HashMap<String, Spec>);

impl Direct {
    pub(super) fn of(root: &LockEntry) -> Self {
        let sections = [&root.dev_dependencies, &root.optional_dependencies, &root.dependencies];
        Self(sections.into_iter().flatten().map(|(name, spec)| (name.clone(), Spec::parse(spec))).collect())
    }

    /// The project's version of a package, if it is one for this dependency, too.
    fn shared<'p>(
        &self,
        packument: &'p Packument,
        name: &str,
        asked: &Spec,
        node_version: Option<&Version>,
    ) -> Option<&'p Arc<VersionDocument>> {
        let (package, spec) = self.0.get(name)?.target(name);
        let document = pick(packument, spec, node_version).filter(|_| package == packument.name)?;
        let version = Version::parse(&document.version)?;
        asked.admits(package, Some(&version), true).then_some(document)
    }
}

/// Fills `known` with everything that `wanted` leads to, and `asked_for` with what that asks for.
pub(super) async fn crawl<S: PackumentSource>(
    wanted: Vec<(String, Arc<Spec>)>,
    known: &mut Known,
    asked_for: &mut Asked,
    direct: &Direct,
    existing: &Existing,
    source: &S,
    options: &Options,
) -> Result<(), Box<ResolveError>> {
    let mut frontier = Frontier { existing, visited: HashSet::default(), requested: HashSet::default() };
    let mut requests = FuturesUnordered::new();
    let mut waiting: HashMap<String, Vec<(String, Arc<Spec>)>> = HashMap::default();
    let mut unasked: VecDeque<String> = VecDeque::new();
    let mut pending = wanted;
    loop {
        // Follow what is known already; collect the names that are not.
        while let Some((name, spec)) = pending.pop() {
            let (package, asked) = spec.target(&name);
            if matches!(asked, Spec::Unsupported(_)) {
                continue;
            }
            match known.get(package) {
                Some(Some(packument)) => {
                    let node_version = options.node_version.as_ref();
                    let shared = direct.shared(packument, &name, asked, node_version);
                    if let Some(document) = shared.or_else(|| pick(packument, asked, node_version)) {
                        let key = (document.name.clone(), document.version.clone());
                        if frontier.visited.insert(key) {
                            source.likely(document);
                            asked_for.hear(document);
                            pending.extend(frontier.dependencies(document));
                        }
                    }
                }
                Some(None) => {}
                None => {
                    let package = package.to_owned();
                    if frontier.requested.insert(package.clone()) {
                        unasked.push_back(package.clone());
                    }
                    waiting.entry(package).or_default().push((name, spec));
                }
            }
        }
        while requests.len() < options.requests_max.max(1) {
            let Some(name) = unasked.pop_front() else { break };
            requests.push(async move {
                let answer = source.packument(&name).await;
                (name, answer)
            });
        }
        let Some((name, answer)) = requests.next().await else { return Ok(()) };
        let packument = match answer {
            Ok(packument) => Some(packument),
            Err(SourceError::NotFound { .. }) => None,
            Err(source) => return Err(Box::new(ResolveError::Source { asker: name, source })),
        };
        known.insert(name.clone(), packument);
        pending = waiting.remove(&name).unwrap_or_default();
    }
}

struct Frontier<'a> {
    existing: &'a Existing,
    visited: HashSet<(String, String)>,
    requested: HashSet<String>,
}

impl Frontier<'_> {
    /// What a version depends on, less what the existing tree has in a fitting version.
    fn dependencies(&self, document: &VersionDocument) -> Vec<(String, Arc<Spec>)> {
        let is_mandatory = |name: &String| !document.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        document
            .dependencies
            .iter()
            .chain(&document.optional_dependencies)
            .chain(document.peer_dependencies.iter().filter(|(name, _)| is_mandatory(name)))
            .filter(|(name, _)| !document.bundle_dependencies.contains(name))
            .map(|(name, spec)| (name.clone(), Arc::new(Spec::parse(spec))))
            .filter(|(name, spec)| !self.existing.has(name, spec))
            .collect()
    }
}
