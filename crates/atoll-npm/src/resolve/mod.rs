//! Decides which version of what goes where, as npm does. No I/O: what registries say comes through a trait.
//!
//! The result is the one that npm 11 would write into `package-lock.json`: packages as high up as they can go, one copy
//! where one will do, peers beside their dependents. The way there:
//!
//! 1. [`crawl`] follows all dependencies and collects packuments, in parallel and in any order;
//! 2. [`build`] grows the tree from them, shallow packages first and by name: a function of its input, so that the
//!    network's timing cannot show in the result. For each thing missing, [`peers`] gathers it with its peers,
//!    [`can_place`] judges folders and [`place`] puts it into the best;
//! 3. [`flags`] and [`output`] write the tree down.
//!
//! Where we differ from npm on purpose: an optional dependency that cannot be had takes what needs it out of the
//! lockfile (npm keeps the dependents, which then lack it); a regular dependency is satisfied or there is an error (among
//! contradictory peers npm can leave one out without a word); packages that end up unused are left out (npm can leave
//! them behind, marked `extraneous`); what a lockfile leaves wanting is not asked for again on every run; a package's own
//! `npm-shrinkwrap.json` is not looked at, nor are bundled dependencies listed, as both would take its tarball; a registry
//! that cannot be reached is an error even for an optional dependency; dependencies that never settle are an error, where
//! npm hangs.

mod build;
mod can_place;
pub(crate) mod collation;
mod crawl;
mod edges;
mod error;
mod flags;
mod graph;
mod maps;
mod output;
mod overrides;
mod peers;
mod pick;
mod place;
pub(crate) mod seed;
mod spec;

use std::{future::Future, sync::Arc};

pub use error::{Asker, PeerConflict, ResolveError, TooComplex};
pub use spec::SpecKind;

use build::{Asked, Builder, Halt, Known};
use maps::HashMap;
use overrides::Rules;
use seed::{Existing, root_entry};

use crate::{
    lock::{Disagreement, InstallPath, LockEntry, Lockfile},
    manifest::Manifest,
    packument::{Packument, VersionDocument},
    threads,
    version::Version,
};

/// Where the resolver learns which versions exist. Implemented by the registry client, and by tests.
pub trait PackumentSource: Sync {
    /// All versions of one package. The resolver asks once per name, for up to [`Options::requests_max`] names at once.
    fn packument(&self, name: &str) -> impl Future<Output = Result<Arc<Packument>, SourceError>> + Send;

    /// A hint: this version will very likely be part of the result, so its tarball is worth fetching already.
    fn likely(&self, document: &Arc<VersionDocument>) {
        let _ = document;
    }
}

/// Why a source has no packument.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The registry has no such package; an optional dependency may be left out then.
    #[error("no registry has a package named \"{name}\"")]
    NotFound {
        /// The package.
        name: String,
    },
    /// It could not be asked. Fatal even for an optional dependency: a result must not depend on the weather.
    #[error("{0}")]
    Failed(Arc<dyn std::error::Error + Send + Sync>),
}

/// How to resolve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Prefer versions whose `engines.node` admits this version, as npm prefers those for the Node that runs it. `None`
    /// leaves engines out of account.
    pub node_version: Option<Version>,
    /// How many packuments to ask the source for at once.
    pub requests_max: usize,
}

/// See [`Options::requests_max`].
pub const REQUESTS_MAX: usize = 128;

impl Default for Options {
    fn default() -> Self {
        Self { node_version: None, requests_max: REQUESTS_MAX }
    }
}

/// How many times the crawl may be sent off again. Each time brings at least one packument more.
const ROUNDS_MAX: usize = 1_000;

/// Resolves a project. What `existing` has and still fits stays as it is; without it, every version is chosen anew.
///
/// The platform plays no part: a lockfile holds for all. [`Lockfile::wanted`] selects for one.
///
/// # Errors
/// When something asked for does not exist or cannot be had, when peers contradict each other in a way that the project
/// has to solve, or when `overrides` make no sense.
pub async fn resolve<S: PackumentSource>(
    manifest: &Manifest,
    existing: Option<&Lockfile>,
    source: &S,
    options: &Options,
) -> Result<Lockfile, ResolveError> {
    let rules = checked_rules(manifest)?;
    let root = root_entry(manifest);
    let (direct, in_existing) = (crawl::Direct::of(&root), Existing::of(existing));
    let mut known: Known = HashMap::default();
    let mut asked = Asked::default();
    asked.hear_entry(&root);
    for (path, entry) in existing.into_iter().flat_map(|lockfile| &lockfile.packages) {
        asked.hear_name(path.name());
        asked.hear_entry(entry);
    }
    for _ in 0..ROUNDS_MAX {
        let mut builder = Builder::new(&known, asked.clone(), options.node_version.as_ref());
        let outcome = attempt(&mut builder, &root, rules.as_ref(), existing);
        asked = std::mem::take(&mut builder.asked);
        match outcome {
            // What was left out before it was known that somebody asks for it has to be gathered.
            Ok(_) if builder.left_out.iter().any(|name| asked.has(name)) => {}
            Ok(lockfile) => {
                let graph = builder.into_graph();
                threads::drop_elsewhere((graph, known));
                return Ok(lockfile);
            }
            Err(Halt::Failed(error)) => return Err(*error),
            Err(Halt::Missing(wanted)) => {
                let crawled = crawl::crawl(wanted, &mut known, &mut asked, &direct, &in_existing, source, options);
                crawled.await.map_err(|error| *error)?;
            }
        }
    }
    Err(ResolveError::TooComplex(TooComplex { what: "ever more packages are needed" }))
}

/// One run over what is known.
fn attempt(
    builder: &mut Builder<'_>,
    root: &LockEntry,
    rules: Option<&Arc<Rules>>,
    existing: Option<&Lockfile>,
) -> Result<Lockfile, Halt> {
    let project = builder.plant(root, rules.cloned());
    if let Some(lockfile) = existing {
        builder.restore(project, lockfile);
    }
    builder.enqueue_problems(project);
    builder.run()?;
    // A lockfile that needs no change is given back as it is, whoever wrote it.
    if !builder.has_changed
        && let Some(lockfile) = existing
        && lockfile.packages.get(&InstallPath::ROOT).is_some_and(|locked| asks_the_same(locked, root))
    {
        let mut lockfile = lockfile.clone();
        lockfile.packages.insert(InstallPath::ROOT, root.clone());
        lockfile.name = root.name.clone().or(lockfile.name);
        lockfile.version.clone_from(&root.version);
        return Ok(lockfile);
    }
    builder.finish(project, existing).map_err(Halt::Failed)
}

/// What a lockfile lacks for a project that asks for exactly what it says.
pub(crate) fn misfits(manifest: &Manifest, lock: &Lockfile) -> impl Iterator<Item = Disagreement> {
    let known = Known::default();
    let mut builder = Builder::new(&known, Asked::default(), None);
    let rules = Rules::parse(&manifest.overrides).unwrap_or_default();
    let project = builder.plant(&root_entry(manifest), rules);
    builder.restore(project, lock);
    let edges: Vec<graph::EdgeId> = builder.placed().into_iter().flat_map(|node| builder.problem_edges(node)).collect();
    let misfits: Vec<Disagreement> = edges
        .into_iter()
        .filter(|&edge| !builder.graph[edge].is_conceded)
        .map(|edge| {
            let asker = Asker::of(&builder.graph, edge);
            match builder.graph[edge].to {
                None => Disagreement::Missing { asker },
                Some(to) => Disagreement::Unfit { asker, found: error::label(&builder.graph, to) },
            }
        })
        .collect();
    misfits.into_iter()
}

/// Both roots have the same dependencies of each kind.
fn asks_the_same(locked: &LockEntry, root: &LockEntry) -> bool {
    let regular = |entry: &LockEntry| {
        let mut map = entry.dependencies.clone();
        map.retain(|name, _| !entry.optional_dependencies.contains_key(name));
        map
    };
    regular(locked) == regular(root)
        && locked.dev_dependencies == root.dev_dependencies
        && locked.optional_dependencies == root.optional_dependencies
        && locked.peer_dependencies == root.peer_dependencies
        && locked.peer_dependencies_meta == root.peer_dependencies_meta
}

fn checked_rules(manifest: &Manifest) -> Result<Option<Arc<Rules>>, ResolveError> {
    let bad = |(path, problem)| ResolveError::BadOverride { path, problem };
    let Some(rules) = Rules::parse(&manifest.overrides).map_err(bad)? else { return Ok(None) };
    let sections = [
        &manifest.dev_dependencies,
        &manifest.optional_dependencies,
        &manifest.dependencies,
        &manifest.peer_dependencies,
    ];
    if let Some(path) = rules.unknown_reference(|name| sections.iter().any(|section| section.contains_key(name))) {
        return Err(bad((path, "refers to something that the project does not depend on")));
    }
    for (name, spec) in sections.into_iter().flatten() {
        let rule = rules.for_edge(name, spec);
        let replaces = rule.name == *name && !matches!(rule.value.as_str(), "" | "*") && !rule.value.starts_with('$');
        if replaces && rule.value != *spec {
            let (name, wanted, direct) = (name.clone(), rule.value.clone(), spec.clone());
            return Err(ResolveError::OverrideOfDirect { name, wanted, direct });
        }
    }
    Ok(Some(rules))
}
