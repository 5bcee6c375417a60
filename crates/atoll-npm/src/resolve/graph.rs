//! The tree under construction: packages in folders, and between them the edges of who asks for whom.
//!
//! All trees of one resolution live in one arena: the project's own, and the scratch trees in which a package and its
//! peers are gathered before they are placed (a *peer group* under a *stand-in* for the package that asks). A node that
//! is taken out of a tree stays in the arena as the root of its own tree; nothing refers to it any more.
//!
//! Invariant: the target of every edge is what Node's lookup finds from the edge's source, in the source's own tree.
//! [`Graph::attach`] and [`Graph::detach`], the only ways to change a tree, keep it.

use std::sync::Arc;

use super::{
    collation::CollationKey,
    maps::{HashMap, IndexMap, IndexSet},
    overrides::{Before, Rules},
    spec::Spec,
};
use crate::{lock::LockEntry, version::Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EdgeId(u32);

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
}

#[derive(Debug)]
pub(super) struct Node {
    /// The folder's name.
    pub(super) name: Arc<str>,
    pub(super) package: Arc<Package>,
    pub(super) parent: Option<NodeId>,
    root: NodeId,
    /// For a stand-in: the node that it stands for.
    pub(super) source: Option<NodeId>,
    pub(super) children: IndexMap<Arc<str>, NodeId>,
    pub(super) edges_out: IndexMap<Arc<str>, EdgeId>,
    pub(super) edges_in: IndexSet<EdgeId>,
    /// The package could not be had; index into the builder's list of failures.
    pub(super) failure: Option<usize>,
    /// It is a symbolic link to this node: an endless nesting cut short.
    pub(super) link: Option<NodeId>,
    pub(super) rules: Option<Arc<Rules>>,
}

#[derive(Debug)]
pub(super) struct Edge {
    pub(super) name: Arc<str>,
    /// `name` with capitals folded: folders are compared without case, as some file systems do.
    key: Arc<str>,
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
    is_detached: bool,
}

/// Arena of nodes and edges.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    edges_by_key: HashMap<Arc<str>, Vec<EdgeId>>,
    specs: HashMap<Arc<str>, Arc<Spec>>,
    texts: HashMap<String, Arc<str>>,
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

    /// One shared copy of a string.
    pub(super) fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = Arc::from(text);
        self.texts.insert(text.to_owned(), Arc::clone(&shared));
        shared
    }

    fn key_of(&mut self, name: &Arc<str>) -> Arc<str> {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.intern(&name.to_ascii_lowercase())
        } else {
            Arc::clone(name)
        }
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
        name: &str,
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
    pub(super) fn create_bare(&mut self, name: &str, package: &Arc<Package>, source: Option<NodeId>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("the limit on nodes is far below"));
        let name = self.intern(name);
        self.nodes.push(Node {
            name,
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

    /// Edges in npm's order of precedence: a later kind replaces an earlier one of the same name.
    pub(super) fn load_edges(&mut self, id: NodeId) {
        let package = Arc::clone(&self[id].package);
        let entry = &package.entry;
        let is_optional = |name: &str| entry.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        for (name, spec) in entry.peer_dependencies.iter().filter(|(name, _)| !is_optional(name)) {
            self.add_edge(id, name, spec, EdgeKind::Peer);
        }
        for (name, spec) in entry.peer_dependencies.iter().filter(|(name, _)| is_optional(name)) {
            self.add_edge(id, name, spec, EdgeKind::PeerOptional);
        }
        for (name, spec) in &entry.dependencies {
            self.add_edge(id, name, spec, EdgeKind::Regular);
        }
        for (name, spec) in &entry.optional_dependencies {
            self.add_edge(id, name, spec, EdgeKind::Optional);
        }
        if self.project.is_none_or(|project| project == id || self[id].source == Some(project)) {
            for (name, spec) in &entry.dev_dependencies {
                self.add_edge(id, name, spec, EdgeKind::Dev);
            }
        }
    }

    fn add_edge(&mut self, from: NodeId, name: &str, spec: &str, kind: EdgeKind) {
        let name = self.intern(name);
        let key = self.key_of(&name);
        let raw_spec = self.intern(spec);
        if let Some(old) = self[from].edges_out.shift_remove(&key) {
            self.retarget(old, None);
            self[old].is_detached = true;
        }
        let id = EdgeId(u32::try_from(self.edges.len()).expect("the limit on nodes bounds edges"));
        let parsed = self.spec(&raw_spec);
        self.edges.push(Edge {
            name,
            key: Arc::clone(&key),
            spec: Arc::clone(&raw_spec),
            raw_spec,
            parsed,
            kind,
            from,
            to: None,
            is_conceded: false,
            rules: None,
            is_detached: false,
        });
        self[from].edges_out.insert(Arc::clone(&key), id);
        self.edges_by_key.entry(key).or_default().push(id);
        self.reload(id);
    }

    /// What Node's lookup finds from a node, in its tree.
    pub(super) fn lookup(&self, from: NodeId, key: &str) -> Option<NodeId> {
        self.ancestry(from).find_map(|node| self[node].children.get(key).copied())
    }

    /// What the edge's name means at `at`.
    pub(super) fn lookup_edge(&self, at: NodeId, edge: EdgeId) -> Option<NodeId> {
        self.lookup(at, &self[edge].key)
    }

    /// The child of `at` in the folder that the edge's name means.
    pub(super) fn child(&self, at: NodeId, edge: EdgeId) -> Option<NodeId> {
        self[at].children.get(&self[edge].key).copied()
    }

    /// The edge of `at` to the name that `edge` has.
    pub(super) fn same_edge_of(&self, at: NodeId, edge: EdgeId) -> Option<EdgeId> {
        self[at].edges_out.get(&self[edge].key).copied()
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
        let name = Arc::clone(&self[node].name);
        let key = self.key_of(&name);
        if let Some(old) = self[parent].children.get(&key).copied() {
            self.detach(old);
        }
        self[parent].children.insert(Arc::clone(&key), node);
        self[node].parent = Some(parent);
        let root = self[parent].root;
        self.move_to(node, root);
        // Looking edges up again makes none.
        let Some(edges) = self.edges_by_key.get_mut(&key).map(std::mem::take) else { return };
        for &edge in &edges {
            if !self[edge].is_detached && self.is_within(self[edge].from, parent) {
                self.reload(edge);
            }
        }
        self.edges_by_key.insert(key, edges);
    }

    /// Takes a node, with everything below it, out of its tree.
    pub(super) fn detach(&mut self, node: NodeId) {
        let Some(parent) = self[node].parent else { return };
        let name = Arc::clone(&self[node].name);
        let key = self.key_of(&name);
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
        let target = self.lookup(self[edge].from, &self[edge].key);
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
