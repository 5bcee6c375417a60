//! The tree under construction: packages in folders, and between them the edges of who asks for whom.
//!
//! All trees of one resolution live in one arena: the project's own, and the scratch trees in which a package and its
//! peers are gathered before they are placed (a *peer group* under a *stand-in* for the package that asks). A node that
//! is taken out of a tree stays in the arena as the root of its own tree; nothing refers to it any more.
//!
//! Invariant: the target of every edge is what Node's lookup finds from the edge's source, in the source's own tree.
//! [`Graph::attach`] and [`Graph::detach`], the only ways to change a tree, keep it.

use std::{
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use super::{
    collation::CollationKey,
    maps::{HashMap, HashSet, IndexMap, IndexSet},
    overrides::{Before, Rules},
    spec::Spec,
};
use crate::{lock::LockEntry, version::Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EdgeId(u32);

/// A folder's name with capitals folded: folders are compared without case, as some file systems do. Two of one graph are
/// equal when the texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FolderKey(u32);

/// A package's or folder's name. Two of one graph are compared by where they are: there is one copy of each text.
#[derive(Clone, Debug)]
pub(super) struct Name {
    text: Arc<str>,
    pub(super) key: FolderKey,
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        Arc::as_ptr(&self.text).cast::<u8>().addr().hash(hasher);
    }
}

/// Why a package wants another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EdgeKind {
    Regular,
    Dev,
    Optional,
    Peer,
    PeerOptional,
}

impl EdgeKind {
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::Peer | Self::PeerOptional)
    }

    pub(super) fn is_optional(self) -> bool {
        matches!(self, Self::Optional | Self::PeerOptional)
    }

    pub(super) fn is_dev(self) -> bool {
        self == Self::Dev
    }
}

/// What is wrong with an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeProblem {
    /// There is nothing of that name.
    Missing,
    /// A peer sits inside the package that wants to share it.
    PeerLocal,
    /// The version found is not one that was asked for.
    Unsatisfied,
}

/// One version of one package, shared by all nodes that stand for it.
#[derive(Debug)]
pub(super) struct Package {
    /// The published name.
    pub(super) name: Arc<str>,
    pub(super) version: Option<Version>,
    /// Its metadata as the lockfile has it; flags are those of the lockfile that it came from, if any.
    pub(super) entry: LockEntry,
    /// What its nodes have edges for, as soon as one has.
    wants: OnceLock<Vec<Want>>,
}

impl Package {
    pub(super) fn new(name: Arc<str>, version: Option<Version>, entry: LockEntry) -> Self {
        Self { name, version, entry, wants: OnceLock::new() }
    }
}

/// An entry of a package's dependencies.
#[derive(Debug)]
struct Want {
    name: Name,
    spec: Arc<str>,
    parsed: Arc<Spec>,
    kind: EdgeKind,
}

#[derive(Debug)]
pub(super) struct Node {
    /// The folder's name.
    pub(super) name: Name,
    pub(super) package: Arc<Package>,
    pub(super) parent: Option<NodeId>,
    root: NodeId,
    /// For a stand-in: the node that it stands for.
    pub(super) source: Option<NodeId>,
    pub(super) children: IndexMap<FolderKey, NodeId>,
    pub(super) edges_out: IndexMap<FolderKey, EdgeId>,
    pub(super) edges_in: IndexSet<EdgeId>,
    /// The package could not be had; index into the builder's list of failures.
    pub(super) failure: Option<usize>,
    /// It is a symbolic link to this node: an endless nesting cut short.
    pub(super) link: Option<NodeId>,
    pub(super) rules: Option<Arc<Rules>>,
}

#[derive(Debug)]
pub(super) struct Edge {
    pub(super) name: Name,
    /// What the package asks for, before overrides.
    pub(super) raw_spec: Arc<str>,
    /// What is asked for, after overrides.
    pub(super) spec: Arc<str>,
    pub(super) parsed: Arc<Spec>,
    pub(super) kind: EdgeKind,
    pub(super) from: NodeId,
    pub(super) to: Option<NodeId>,
    /// It was decided to live with what is there.
    pub(super) is_conceded: bool,
    pub(super) rules: Option<Arc<Rules>>,
}

/// Arena of nodes and edges.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    names: HashMap<Arc<str>, FolderKey>,
    /// By [`FolderKey`].
    edges_by_key: Vec<Vec<EdgeId>>,
    specs: HashMap<Arc<str>, Arc<Spec>>,
    texts: HashSet<Arc<str>>,
    /// The project's node, once it is there.
    pub(super) project: Option<NodeId>,
}

impl std::ops::Index<NodeId> for Graph {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl std::ops::IndexMut<NodeId> for Graph {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}

impl std::ops::Index<EdgeId> for Graph {
    type Output = Edge;

    fn index(&self, id: EdgeId) -> &Edge {
        &self.edges[id.0 as usize]
    }
}

impl std::ops::IndexMut<EdgeId> for Graph {
    fn index_mut(&mut self, id: EdgeId) -> &mut Edge {
        &mut self.edges[id.0 as usize]
    }
}

impl Graph {
    /// How many nodes were ever made.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many edges were ever made.
    #[cfg(test)]
    pub(super) fn edges_made(&self) -> usize {
        self.edges.len()
    }

    /// One shared copy of a string.
    pub(super) fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&shared));
        shared
    }

    /// The name that this text is.
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some((text, key)) = self.names.get_key_value(text) {
            return Name { text: Arc::clone(text), key: *key };
        }
        let text: Arc<str> = Arc::from(text);
        let key = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.name(&text.to_ascii_lowercase()).key
        } else {
            self.edges_by_key.push(Vec::new());
            FolderKey(u32::try_from(self.edges_by_key.len() - 1).expect("the limit on nodes bounds names"))
        };
        self.names.insert(Arc::clone(&text), key);
        Name { text, key }
    }

    pub(super) fn spec(&mut self, text: &Arc<str>) -> Arc<Spec> {
        if let Some(spec) = self.specs.get(text) {
            return Arc::clone(spec);
        }
        let spec = Arc::new(Spec::parse(text));
        self.specs.insert(Arc::clone(text), Arc::clone(&spec));
        spec
    }

    /// Makes a node outside all trees, with its edges.
    pub(super) fn create(
        &mut self,
        name: &Name,
        package: &Arc<Package>,
        source: Option<NodeId>,
        rules: Option<Arc<Rules>>,
    ) -> NodeId {
        let id = self.create_bare(name, package, source);
        self[id].rules = rules;
        self.load_edges(id);
        id
    }

    /// Makes a node without edges: a link, or what could not be loaded.
    pub(super) fn create_bare(&mut self, name: &Name, package: &Arc<Package>, source: Option<NodeId>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("the limit on nodes is far below"));
        self.nodes.push(Node {
            name: name.clone(),
            package: Arc::clone(package),
            parent: None,
            root: id,
            source,
            children: IndexMap::default(),
            edges_out: IndexMap::default(),
            edges_in: IndexSet::default(),
            failure: None,
            link: None,
            rules: None,
        });
        id
    }

    /// Makes the edges that a node does not have yet, so that they are in the order of its package's dependencies.
    pub(super) fn load_edges(&mut self, id: NodeId) {
        self.load_edges_to(id, None);
    }

    /// As [`Self::load_edges`], but only the edge of that name, if one is given.
    pub(super) fn load_edges_to(&mut self, id: NodeId, only: Option<FolderKey>) {
        let package = Arc::clone(&self[id].package);
        // A stand-in for the project has its package, so all nodes of a package are the same in this.
        let is_project = self.project.is_none_or(|project| project == id || self[id].source == Some(project));
        let wants = package.wants.get_or_init(|| self.wants(&package.entry, is_project));
        if self[id].edges_out.len() == wants.len() {
            return;
        }
        let there = std::mem::take(&mut self[id].edges_out);
        self[id].edges_out.reserve(if only.is_some() { 1 } else { wants.len() });
        for want in wants {
            let key = want.name.key;
            if let Some(&edge) = there.get(&key) {
                self[id].edges_out.insert(key, edge);
            } else if only.is_none_or(|only| only == key) {
                self.add_edge(id, want);
            }
        }
    }

    /// In npm's order of precedence: a later kind replaces an earlier one of the same name.
    fn wants(&mut self, entry: &LockEntry, with_dev: bool) -> Vec<Want> {
        let is_optional = |name: &str| entry.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        let peers = entry.peer_dependencies.iter();
        let (optional_peers, peers): (Vec<_>, Vec<_>) = peers.partition(|(name, _)| is_optional(name));
        let all = (peers.into_iter().map(|entry| (entry, EdgeKind::Peer)))
            .chain(optional_peers.into_iter().map(|entry| (entry, EdgeKind::PeerOptional)))
            .chain(entry.dependencies.iter().map(|entry| (entry, EdgeKind::Regular)))
            .chain(entry.optional_dependencies.iter().map(|entry| (entry, EdgeKind::Optional)))
            .chain(entry.dev_dependencies.iter().filter(|_| with_dev).map(|entry| (entry, EdgeKind::Dev)));
        let mut wants: IndexMap<FolderKey, Want> = IndexMap::default();
        for ((name, spec), kind) in all {
            let (name, spec) = (self.name(name), self.intern(spec));
            let parsed = self.spec(&spec);
            wants.shift_remove(&name.key);
            wants.insert(name.key, Want { name, spec, parsed, kind });
        }
        wants.into_values().collect()
    }

    fn add_edge(&mut self, from: NodeId, want: &Want) {
        let id = EdgeId(u32::try_from(self.edges.len()).expect("the limit on nodes bounds edges"));
        let key = want.name.key;
        self.edges.push(Edge {
            name: want.name.clone(),
            spec: Arc::clone(&want.spec),
            raw_spec: Arc::clone(&want.spec),
            parsed: Arc::clone(&want.parsed),
            kind: want.kind,
            from,
            to: None,
            is_conceded: false,
            rules: None,
        });
        self[from].edges_out.insert(key, id);
        self.edges_by_key[key.0 as usize].push(id);
        self.reload(id);
    }

    /// What Node's lookup finds from a node, in its tree.
    pub(super) fn lookup(&self, from: NodeId, key: FolderKey) -> Option<NodeId> {
        self.ancestry(from).find_map(|node| self[node].children.get(&key).copied())
    }

    /// What the edge's name means at `at`.
    pub(super) fn lookup_edge(&self, at: NodeId, edge: EdgeId) -> Option<NodeId> {
        self.lookup(at, self[edge].name.key)
    }

    /// The child of `at` in the folder that the edge's name means.
    pub(super) fn child(&self, at: NodeId, edge: EdgeId) -> Option<NodeId> {
        self[at].children.get(&self[edge].name.key).copied()
    }

    /// The edge of `at` to the name that `edge` has.
    pub(super) fn same_edge_of(&self, at: NodeId, edge: EdgeId) -> Option<EdgeId> {
        self[at].edges_out.get(&self[edge].name.key).copied()
    }

    /// A node, its parent, and so on.
    pub(super) fn ancestry(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(node), |&at| self[at].parent)
    }

    /// The node at the top of this node's tree.
    pub(super) fn root(&self, node: NodeId) -> NodeId {
        self[node].root
    }

    /// It has no parent.
    pub(super) fn is_top(&self, node: NodeId) -> bool {
        self[node].parent.is_none()
    }

    /// It is in the project's tree.
    pub(super) fn is_placed(&self, node: NodeId) -> bool {
        Some(self[node].root) == self.project
    }

    pub(super) fn is_project(&self, node: NodeId) -> bool {
        Some(node) == self.project
    }

    /// The same node or one below it.
    pub(super) fn is_within(&self, node: NodeId, ancestor: NodeId) -> bool {
        self[node].root == self[ancestor].root && self.ancestry(node).any(|at| at == ancestor)
    }

    /// Packages between this one and the project: 0 for the project.
    pub(super) fn depth(&self, node: NodeId) -> usize {
        self.ancestry(node).count() - 1
    }

    /// `node_modules/a/node_modules/b`; empty for a root.
    pub(super) fn location(&self, node: NodeId) -> String {
        let mut names: Vec<&str> =
            self.ancestry(node).filter(|&at| !self.is_top(at)).map(|at| self[at].name.as_ref()).collect();
        names.reverse();
        let mut path = String::new();
        for name in names {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str("node_modules/");
            path.push_str(name);
        }
        path
    }

    /// The order in which npm looks at nodes of the same depth.
    pub(super) fn sort_key(&self, node: NodeId) -> CollationKey {
        CollationKey::new(&self.location(node))
    }

    /// A node and everything below it, parents first.
    pub(super) fn subtree(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = vec![node];
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            next += 1;
            found.extend(self[at].children.values());
        }
        found
    }

    /// Puts a node, with everything below it, into the `node_modules` of `parent`; what was there under that name is
    /// taken out.
    pub(super) fn attach(&mut self, node: NodeId, parent: NodeId) {
        if self[node].parent == Some(parent) {
            return;
        }
        if self[node].parent.is_some() {
            self.detach(node);
        }
        let key = self[node].name.key;
        if let Some(old) = self[parent].children.get(&key).copied() {
            self.detach(old);
        }
        self[parent].children.insert(key, node);
        self[node].parent = Some(parent);
        let root = self[parent].root;
        self.move_to(node, root);
        // Looking edges up again makes none.
        let edges = std::mem::take(&mut self.edges_by_key[key.0 as usize]);
        for &edge in &edges {
            if self.is_within(self[edge].from, parent) {
                self.reload(edge);
            }
        }
        self.edges_by_key[key.0 as usize] = edges;
    }

    /// Takes a node, with everything below it, out of its tree.
    pub(super) fn detach(&mut self, node: NodeId) {
        let Some(parent) = self[node].parent else { return };
        let key = self[node].name.key;
        self[parent].children.shift_remove(&key);
        self[node].parent = None;
        self.move_to(node, node);
        for at in self.subtree(node) {
            let incoming: Vec<EdgeId> = self[at].edges_in.iter().copied().collect();
            for edge in incoming {
                self.reload(edge);
            }
        }
    }

    /// Takes `old` out and puts `new` in its place; what is nested in `old` stays there, in `new`.
    pub(super) fn replace(&mut self, old: NodeId, new: NodeId) {
        let Some(parent) = self[old].parent else { return };
        let kids: Vec<NodeId> = self[old].children.values().copied().collect();
        if self[new].link.is_none() {
            for kid in kids {
                self.attach(kid, new);
            }
        }
        self.detach(old);
        self.attach(new, parent);
    }

    fn move_to(&mut self, node: NodeId, root: NodeId) {
        let family = self.subtree(node);
        for &at in &family {
            self[at].root = root;
        }
        for at in family {
            let outgoing: Vec<EdgeId> = self[at].edges_out.values().copied().collect();
            for edge in outgoing {
                self.reload(edge);
            }
        }
    }

    /// Looks the edge's target and rule up again.
    pub(super) fn reload(&mut self, edge: EdgeId) {
        let before = self.refresh_rules(edge);
        let target = self.lookup(self[edge].from, self[edge].name.key);
        if target != self[edge].to {
            self.retarget(edge, target);
        } else if let (Some(Before(before)), Some(target)) = (before, target) {
            self.rules_withdrawn(target, before.as_ref());
            self.rules_added(target, self[edge].rules.clone());
        }
    }

    fn retarget(&mut self, edge: EdgeId, target: Option<NodeId>) {
        let rules = self[edge].rules.clone();
        if let Some(old) = self[edge].to {
            self[old].edges_in.shift_remove(&edge);
            self.rules_withdrawn(old, rules.as_ref());
        }
        self[edge].to = target;
        if let Some(new) = target {
            self.rules_added(new, rules);
            self[new].edges_in.insert(edge);
        }
    }
}
