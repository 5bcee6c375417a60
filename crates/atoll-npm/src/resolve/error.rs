//! Why there is no resolution, in terms of who asked for what.

use std::fmt;

use super::{
    SourceError,
    graph::{EdgeId, EdgeKind, Graph, NodeId},
    spec::SpecKind,
};

/// A dependency and who declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The dependency's name.
    pub dependency: String,
    /// What is asked for.
    pub spec: String,
    /// `name@version` of the package that asks; the project itself is "the project".
    pub by: String,
    /// The chain of packages from the project to the asker, the project left out.
    pub chain: Vec<String>,
}

impl Asker {
    pub(super) fn of(graph: &Graph, edge: EdgeId) -> Self {
        let it = &graph[edge];
        // A stand-in speaks for the package in the tree.
        let from = graph[it.from].source.unwrap_or(it.from);
        Self {
            dependency: it.name.to_string(),
            spec: it.spec.as_ref().to_owned(),
            by: label(graph, from),
            chain: chain(graph, from),
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = if self.spec.is_empty() { "*" } else { &self.spec };
        write!(formatter, "\"{}@{spec}\", wanted by {}", self.dependency, self.by)?;
        if self.chain.len() > 1 {
            write!(formatter, " ({})", self.chain.join(" → "))?;
        }
        Ok(())
    }
}

/// Two packages that have to share a dependency want different versions of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConflict {
    /// The peer that is not satisfied, and whose it is.
    pub peer: Asker,
    /// `name@version` of what it would get.
    pub found: Option<String>,
    /// Who asks for that.
    pub found_for: Vec<Asker>,
}

/// How many reasons for a version are listed.
const REASONS_MAX: usize = 3;

impl PeerConflict {
    pub(super) fn describe(graph: &Graph, edge: EdgeId, found: Option<NodeId>, own: Option<EdgeId>) -> Self {
        let mut found_for: Vec<Asker> = Vec::new();
        let reasons = found.into_iter().flat_map(|node| graph[node].edges_in.iter().copied()).chain(own);
        for reason in reasons.filter(|&reason| reason != edge && graph.is_valid(reason)) {
            let asker = Asker::of(graph, reason);
            if asker.dependency == *graph[edge].name && !found_for.contains(&asker) {
                found_for.push(asker);
            }
        }
        // What the project says is what decides; without that, a few of the others.
        if let Some(at) = found_for.iter().position(|asker| asker.chain.is_empty()) {
            found_for = vec![found_for.swap_remove(at)];
        }
        found_for.truncate(REASONS_MAX);
        Self { peer: Asker::of(graph, edge), found: found.map(|node| label(graph, node)), found_for }
    }

    /// What to do about it, as a sentence.
    pub fn hint(&self) -> String {
        let spec = if self.peer.spec.is_empty() { "*" } else { &self.peer.spec };
        format!(
            "Change one of the two so that both accept the same version of {name}: ask for {name}@{spec} yourself, use a \
             version of {by} made for the one that you have, or add {{\"overrides\": {{\"{name}\": \"…\"}}}} to \
             package.json if you know that they work together.",
            name = self.peer.dependency,
            by = self.peer.by,
        )
    }
}

impl fmt::Display for PeerConflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = if self.peer.spec.is_empty() { "*" } else { &self.peer.spec };
        write!(formatter, "{} needs {}@{spec} beside it, ", self.peer.by, self.peer.dependency)?;
        match &self.found {
            Some(found) => write!(formatter, "but would get {found}")?,
            None => write!(formatter, "but there is no place for that")?,
        }
        for (index, asker) in self.found_for.iter().enumerate() {
            let spec = if asker.spec.is_empty() { "*" } else { &asker.spec };
            let lead = if index == 0 { ", because" } else { " and" };
            write!(formatter, "{lead} {} asks for {}@{spec}", asker.by, asker.dependency)?;
        }
        Ok(())
    }
}

/// The dependencies form something that no real project does; a limit stopped the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooComplex {
    /// What went on for too long.
    pub what: &'static str,
}

/// Why there is no resolution.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A registry could not be asked.
    #[error("cannot resolve {asker}: {source}")]
    Source {
        /// The first that asked for it.
        asker: String,
        /// What went wrong.
        source: SourceError,
    },
    /// No registry has the package.
    #[error("there is no package {asker}")]
    NotFound {
        /// What was asked for, and by whom.
        asker: Asker,
    },
    /// The package has no such version.
    #[error("there is no version for {asker}{}", latest.as_ref().map(|v| format!("; the latest is {v}")).unwrap_or_default())]
    NoVersion {
        /// What was asked for, and by whom.
        asker: Asker,
        /// What the registry recommends.
        latest: Option<String>,
    },
    /// The dependency is not in a registry.
    #[error("{asker} is {}, which is not supported yet", kind.describe())]
    Unsupported {
        /// What was asked for, and by whom.
        asker: Asker,
        /// What it is.
        kind: SpecKind,
    },
    /// Peers that do not fit together.
    #[error("{0}")]
    PeerConflict(Box<PeerConflict>),
    /// An override for something that the project itself asks for differently.
    #[error("overrides.{name} says {wanted}, but the project itself depends on {name}@{direct}")]
    OverrideOfDirect {
        /// The package.
        name: String,
        /// What the override says.
        wanted: String,
        /// What the dependency says.
        direct: String,
    },
    /// An override that makes no sense.
    #[error("{path} {problem}")]
    BadOverride {
        /// The rule's path in package.json.
        path: String,
        /// What is wrong, as a phrase that follows the path.
        problem: &'static str,
    },
    /// A limit was reached.
    #[error("cannot resolve the dependencies: {}", .0.what)]
    TooComplex(TooComplex),
}

impl ResolveError {
    /// The dependency that could not be had, where it is about one.
    pub(super) fn asker(&self) -> Option<&Asker> {
        match self {
            Self::NotFound { asker } | Self::NoVersion { asker, .. } | Self::Unsupported { asker, .. } => Some(asker),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PeerConflict(conflict) => Some(conflict.hint()),
            Self::OverrideOfDirect { name, wanted, .. } => Some(format!(
                "Write \"{wanted}\" as the dependency itself, or \"${name}\" as the override to follow the dependency."
            )),
            Self::NotFound { .. } => {
                Some("Check the name's spelling, and whether a private registry in .npmrc has it.".to_owned())
            }
            _ => None,
        }
    }
}

pub(super) fn label(graph: &Graph, node: NodeId) -> String {
    if graph.is_project(node) {
        return "the project".to_owned();
    }
    let package = &graph[node].package;
    match &package.entry.version {
        Some(version) => format!("{}@{version}", package.name),
        None => graph[node].name.to_string(),
    }
}

/// One way from the project to the node, by first askers.
fn chain(graph: &Graph, node: NodeId) -> Vec<String> {
    /// Longest chain shown.
    const LINKS_MAX: usize = 12;
    let mut names = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut at = graph[node].source.unwrap_or(node);
    while !graph.is_project(at) && names.len() < LINKS_MAX && seen.insert(at) {
        names.push(label(graph, at));
        let asker = |edge: &EdgeId| graph[*edge].kind != EdgeKind::PeerOptional && !seen.contains(&graph[*edge].from);
        let Some(&edge) = graph[at].edges_in.iter().find(|edge| asker(edge)) else { break };
        at = graph[graph[edge].from].source.unwrap_or(graph[edge].from);
    }
    names.reverse();
    names
}
