//! The loop that grows the tree: take the shallowest package with something missing, gather what it asks for, place it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    can_place::Verdict,
    collation::{self, CollationKey},
    error::{PeerConflict, ResolveError, TooComplex},
    graph::{EdgeId, EdgeKind, Graph, Name, NodeId, Package},
    maps::{HashMap, HashSet, IndexSet},
    pick::pick,
    place::Placement,
    spec::Spec,
};
use crate::{
    lock::LockEntry,
    manifest::{DependencyMap, PeerMeta},
    packument::{Packument, VersionDocument},
    version::Version,
};

/// How many packages may be looked at: so many in any case, and so many more for each version in play. Real trees look at
/// each place two or three times at most; peers that drive each other out of their places never come to an end, and npm
/// hangs on them.
const STEPS_MIN: usize = 2_000;
const STEPS_PER_VERSION: usize = 50;

/// How many nodes may be made, scratch ones included.
const NODES_MAX: usize = 8_000_000;

/// What is known of a package: its packument, or that there is none.
pub(super) type Known = HashMap<String, Option<Arc<Packument>>>;

/// Names that something else than an optional peer dependency asks for.
///
/// npm gathers optional peers with the packages that have them, so that the group fits together in case they get there. A
/// package that has nothing but such dependents never gets there; without it, half of the packuments need not be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(HashSet<String>);

impl Asked {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// What this version asks for is asked for.
    pub(super) fn hear(&mut self, document: &VersionDocument) {
        self.hear_all(
            [&document.dependencies, &document.optional_dependencies],
            &document.peer_dependencies,
            &document.peer_dependencies_meta,
        );
    }

    /// What this package asks for, and its development dependencies.
    pub(super) fn hear_entry(&mut self, entry: &LockEntry) {
        let regular = [&entry.dependencies, &entry.optional_dependencies, &entry.dev_dependencies];
        self.hear_all(regular, &entry.peer_dependencies, &entry.peer_dependencies_meta);
    }

    /// A package of this name is there.
    pub(super) fn hear_name(&mut self, name: &str) {
        if !self.0.contains(name) {
            self.0.insert(name.to_owned());
        }
    }

    fn hear_all<const COUNT: usize>(
        &mut self,
        regular: [&DependencyMap; COUNT],
        peers: &DependencyMap,
        meta: &indexmap::IndexMap<String, PeerMeta>,
    ) {
        let mandatory = peers.keys().filter(|name| !meta.get(*name).is_some_and(|meta| meta.optional));
        for name in regular.into_iter().flat_map(DependencyMap::keys).chain(mandatory) {
            self.hear_name(name);
        }
    }
}

/// Why the builder stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// It needs packuments that are not there yet: names and what is asked of them.
    Missing(Vec<(String, Arc<Spec>)>),
    /// There is no tree.
    Failed(Box<ResolveError>),
}

impl Halt {
    pub(super) fn too_complex(what: &'static str) -> Self {
        Self::Failed(Box::new(ResolveError::TooComplex(TooComplex { what })))
    }

    pub(super) fn conflict(conflict: PeerConflict) -> Self {
        Self::Failed(Box::new(ResolveError::PeerConflict(Box::new(conflict))))
    }
}

/// Grows a tree from what is known.
pub(super) struct Builder<'a> {
    pub(super) graph: Graph,
    known: &'a Known,
    node_version: Option<&'a Version>,
    queue: BTreeSet<(usize, CollationKey, NodeId)>,
    queued: HashSet<NodeId>,
    seen: HashSet<NodeId>,
    pub(super) stand_ins: HashMap<NodeId, NodeId>,
    /// For a gathered node: the package on whose behalf its group was gathered.
    pub(super) group_sources: HashMap<NodeId, NodeId>,
    placed_by_name: HashMap<Name, Vec<NodeId>>,
    packages: HashMap<(Arc<str>, String), Arc<Package>>,
    pub(super) failures: Vec<ResolveError>,
    empty: Arc<Package>,
    /// Names that something else than an optional peer dependency asks for, as far as is known.
    pub(super) asked: Asked,
    /// Names of optional peers that were left out of their groups because nobody asks for them.
    pub(super) left_out: HashSet<Name>,
    /// Optional edges that an existing lockfile left unsatisfied: the package could not be had, and is not asked for again.
    pub(super) left_open: HashSet<EdgeId>,
    /// Something was placed.
    pub(super) has_changed: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(known: &'a Known, asked: Asked, node_version: Option<&'a Version>) -> Self {
        Self {
            graph: Graph::default(),
            known,
            node_version,
            queue: BTreeSet::new(),
            queued: HashSet::default(),
            seen: HashSet::default(),
            stand_ins: HashMap::default(),
            group_sources: HashMap::default(),
            placed_by_name: HashMap::default(),
            packages: HashMap::default(),
            failures: Vec::new(),
            empty: Arc::new(Package::new(Arc::from(""), None, LockEntry::default())),
            asked,
            left_out: HashSet::default(),
            left_open: HashSet::default(),
            has_changed: false,
        }
    }

    /// What takes the longest to drop.
    pub(super) fn into_graph(self) -> Graph {
        self.graph
    }

    /// Lists a node of the project's tree, so that later namesakes find it.
    pub(super) fn register(&mut self, node: NodeId) {
        let name = self.graph[node].name.clone();
        self.placed_by_name.entry(name).or_default().push(node);
    }

    /// All nodes of the project's tree with the same folder name, in the order they came.
    pub(super) fn namesakes(&self, node: NodeId) -> Vec<NodeId> {
        let all = self.placed_by_name.get(&self.graph[node].name);
        all.into_iter().flatten().copied().filter(|&other| self.graph.is_placed(other)).collect()
    }

    /// Every node of the project's tree, shallow ones first.
    pub(super) fn placed(&self) -> Vec<NodeId> {
        self.graph.project.map(|project| self.graph.subtree(project)).unwrap_or_default()
    }

    pub(super) fn enqueue(&mut self, node: NodeId) {
        if self.queued.insert(node) {
            self.queue.insert((self.graph.depth(node), self.graph.sort_key(node), node));
        }
    }

    fn enqueue_again(&mut self, node: NodeId) {
        self.seen.remove(&node);
        self.enqueue(node);
    }

    /// Runs until nothing is missing.
    pub(super) fn run(&mut self) -> Result<(), Halt> {
        let mut steps = 0;
        while let Some((_, _, node)) = self.queue.pop_first() {
            self.queued.remove(&node);
            if self.seen.contains(&node) || !self.graph.is_placed(node) {
                continue;
            }
            steps += 1;
            if steps > STEPS_MIN + STEPS_PER_VERSION * self.packages.len() || self.graph.len() > NODES_MAX {
                return Err(Halt::too_complex("the dependency tree does not come to an end"));
            }
            self.seen.insert(node);
            self.step(node)?;
        }
        Ok(())
    }

    fn step(&mut self, node: NodeId) -> Result<(), Halt> {
        let problems = self.problem_edges(node);
        let mut gathered = Vec::with_capacity(problems.len());
        for edge in problems {
            if self.graph[edge].is_conceded {
                continue;
            }
            let dep = match self.gather_for(node, edge) {
                Err(Halt::Missing(mut wanted)) => {
                    wanted.extend(self.wanted_soon(node));
                    return Err(Halt::Missing(wanted));
                }
                other => other?,
            };
            if self.graph[dep].failure.is_some() && self.graph[edge].kind == EdgeKind::PeerOptional {
                // An optional peer that nobody could have takes nothing away from those who have another version.
                self.graph[edge].is_conceded = true;
                continue;
            }
            gathered.push((edge, dep));
        }
        gathered.sort_by(|(a, _), (b, _)| collation::compare(&self.graph[*a].name, &self.graph[*b].name));
        for (edge, dep) in gathered {
            let mut done = Vec::new();
            self.place(edge, dep, None, &mut done)?;
            self.follow_up(done);
        }
        Ok(())
    }

    fn gather_for(&mut self, node: NodeId, edge: EdgeId) -> Result<NodeId, Halt> {
        let kind = self.graph[edge].kind;
        let source = if kind.is_peer() { self.group_sources.get(&node).copied().unwrap_or(node) } else { node };
        let stand_in = if kind.is_peer() { Some(self.stand_in(source)) } else { self.stand_ins.get(&source).copied() };
        let ready = stand_in.and_then(|stand_in| self.graph.same_edge_of(stand_in, edge)).and_then(|own| {
            let dep = self.graph[own].to.filter(|_| self.graph.is_valid(own))?;
            self.graph.satisfies(dep, edge).then_some(dep)
        });
        if let Some(dep) = ready {
            return Ok(dep);
        }
        if kind == EdgeKind::PeerOptional
            && let Some(dep) = self.find_below(self.graph[node].parent.unwrap_or(node), edge)
        {
            return Ok(dep);
        }
        let mut required = HashSet::from_iter([node]);
        self.gather(edge, stand_in.filter(|_| kind.is_peer()), None, &mut required, 0)
    }

    /// The shallowest package below `top` that would satisfy an optional peer.
    fn find_below(&self, top: NodeId, edge: EdgeId) -> Option<NodeId> {
        self.graph.subtree(top).into_iter().skip(1).find(|&node| {
            let is_bundled = || self.graph.bundler(node).is_some_and(|bundler| !self.graph.is_project(bundler));
            self.graph[node].name == self.graph[edge].name && self.graph.satisfies(node, edge) && !is_bundled()
        })
    }

    /// Edges of a node that need something done.
    pub(super) fn problem_edges(&self, node: NodeId) -> Vec<EdgeId> {
        let graph = &self.graph;
        let bundled: &[String] =
            if graph.is_project(node) { &[] } else { &graph[node].package.entry.bundle_dependencies };
        let is_problem = |&edge: &EdgeId| {
            let it = &graph[edge];
            if bundled.iter().any(|name| **name == *it.name) || self.left_open.contains(&edge) {
                return false;
            }
            match it.to {
                None => it.kind != EdgeKind::PeerOptional,
                Some(to) if graph[to].failure.is_some() || graph.is_in_shrinkwrap(to) => false,
                Some(_) => !graph.is_valid(edge),
            }
        };
        graph[node].edges_out.values().copied().filter(is_problem).collect()
    }

    /// What the node in work and those in the queue will ask for.
    fn wanted_soon(&mut self, node: NodeId) -> Vec<(String, Arc<Spec>)> {
        let nodes: Vec<NodeId> = std::iter::once(node).chain(self.queue.iter().map(|&(_, _, node)| node)).collect();
        let mut wanted = Vec::new();
        for node in nodes.into_iter().filter(|&node| self.graph.is_placed(node)) {
            for edge in self.problem_edges(node) {
                let it = &self.graph[edge];
                wanted.push((it.name.to_string(), Arc::clone(&it.parsed)));
            }
        }
        wanted
    }

    /// Queues whatever a placement has disturbed.
    fn follow_up(&mut self, done: Vec<Placement>) {
        for placement in done {
            let (Some(placed), Some(check)) = (placement.placed, &placement.check) else { continue };
            self.has_changed = true;
            let incoming: Vec<EdgeId> = self.graph[placed].edges_in.iter().copied().collect();
            for edge in incoming {
                let is_disappointed =
                    edge != placement.edge && !self.graph[edge].is_conceded && !self.graph.is_valid(edge);
                if is_disappointed && matches!(check.own_verdict, Verdict::Free | Verdict::Replace) {
                    self.enqueue_again(self.graph[edge].from);
                }
            }
            self.enqueue(placed);
            for node in placement.disturbed {
                self.enqueue_again(node);
            }
        }
    }

    /// A node for what the edge asks for, in no tree yet.
    pub(super) fn load(&mut self, edge: EdgeId) -> Result<NodeId, Halt> {
        let name = self.graph[edge].name.clone();
        let spec = Arc::clone(&self.graph[edge].parsed);
        let (wanted, asked) = spec.target(&name);
        let known = self.known;
        if let Spec::Unsupported(kind) = asked {
            return Ok(self.load_failure(edge, |asker| ResolveError::Unsupported { asker, kind: *kind }));
        }
        match known.get(wanted) {
            None => Err(Halt::Missing(vec![(name.to_string(), spec)])),
            Some(None) => Ok(self.load_failure(edge, |asker| ResolveError::NotFound { asker })),
            Some(Some(packument)) => Ok(self.load_version(edge, packument, asked)),
        }
    }

    fn load_version(&mut self, edge: EdgeId, packument: &Packument, asked: &Spec) -> NodeId {
        if let Some(document) = pick(packument, asked, self.node_version) {
            let package = self.package(document);
            let name = self.graph[edge].name.clone();
            return self.graph.create(&name, &package, None, None);
        }
        let latest = packument.dist_tags.get("latest").cloned();
        self.load_failure(edge, |asker| ResolveError::NoVersion { asker, latest })
    }

    fn load_failure(&mut self, edge: EdgeId, error: impl FnOnce(super::error::Asker) -> ResolveError) -> NodeId {
        let asker = super::error::Asker::of(&self.graph, edge);
        let name = self.graph[edge].name.clone();
        let empty = Arc::clone(&self.empty);
        let node = self.graph.create_bare(&name, &empty, None);
        self.graph[node].failure = Some(self.failures.len());
        self.failures.push(error(asker));
        node
    }

    fn package(&mut self, document: &Arc<VersionDocument>) -> Arc<Package> {
        let name = self.graph.intern(&document.name);
        let key = (Arc::clone(&name), document.version.clone());
        if let Some(package) = self.packages.get(&key) {
            return Arc::clone(package);
        }
        self.asked.hear(document);
        let package = Arc::new(Package::new(name, Version::parse(&document.version), entry_of(document)));
        self.packages.insert(key, Arc::clone(&package));
        package
    }
}

/// A published version as the lockfile describes it, without flags and without a name.
fn entry_of(document: &VersionDocument) -> LockEntry {
    LockEntry {
        version: Some(document.version.clone()),
        resolved: Some(document.dist.tarball.clone()),
        integrity: document.dist.integrity(),
        has_install_script: document.has_install_script,
        license: document.license.clone(),
        deprecated: document.deprecated.clone(),
        dependencies: document.dependencies.clone(),
        optional_dependencies: document.optional_dependencies.clone(),
        peer_dependencies: document.peer_dependencies.clone(),
        peer_dependencies_meta: document.peer_dependencies_meta.clone(),
        bundle_dependencies: document.bundle_dependencies.clone(),
        bin: document.bin.clone(),
        engines: document.engines.clone(),
        os: document.os.clone(),
        cpu: document.cpu.clone(),
        libc: document.libc.clone(),
        funding: document.funding.clone(),
        extra: document.workspaces.iter().map(|value| ("workspaces".to_owned(), value.clone())).collect(),
        // `has_shrinkwrap` is left out: what the package locked for itself is not looked at, its dependencies are
        // resolved like any other's.
        ..LockEntry::default()
    }
}

/// Nodes that an optional dependency's failure takes with it.
pub(super) fn optional_set(graph: &Graph, node: NodeId) -> IndexSet<NodeId> {
    let mut set = IndexSet::from_iter([node]);
    let mut next = 0;
    while let Some(&at) = set.get_index(next) {
        next += 1;
        let demanding = graph[at].edges_in.iter().filter(|&&edge| !graph[edge].kind.is_optional());
        set.extend(demanding.map(|&edge| graph[edge].from));
    }
    let start = set.clone();
    graph.exclusive_set(start, |graph, edge| !graph[edge].to.is_some_and(|to| set.contains(&to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes and edges that a project with `count` dependencies takes, each of which is of this kind.
    fn made(count: usize, dependency: &str) -> (usize, usize) {
        let mut root = LockEntry::default();
        let mut known = Known::default();
        for name in (0..count).map(|index| format!("p{index}")) {
            let text =
                format!(r#"{{"versions":{{"1.0.0":{{"dist":{{"tarball":"https://r/{name}.tgz"}}{dependency}}}}}}}"#);
            let packument = Packument::parse(&name, text.into_bytes()).unwrap();
            root.dependencies.insert(name.clone(), "1".to_owned());
            known.insert(name, Some(Arc::new(packument)));
        }
        let mut builder = Builder::new(&known, Asked::default(), None);
        let project = builder.plant(&root, None);
        builder.enqueue_problems(project);
        builder.run().unwrap();
        assert_eq!(builder.placed().len(), count + 1);
        (builder.graph.len(), builder.graph.edges_made())
    }

    #[test]
    fn what_has_no_peers_is_gathered_beside_nothing() {
        // Each package: found, on its own beside a stand-in, and placed. The project has an edge to it, and the stand-in.
        assert_eq!(made(100, ""), (301, 200));
        // Each one has an edge besides, both found and placed.
        assert_eq!(made(100, r#","dependencies":{"p0":"1"}"#), (301, 400));
        // What has peers is gathered beside all else that the project depends on.
        assert!(made(100, r#","peerDependencies":{"p0":"1"}"#).1 > 100 * 100);
    }
}
