//! Questions about edges: is this one satisfied, who depends on whom alone, what can stand in for what.

use super::{
    graph::{EdgeId, EdgeProblem, FolderKey, Graph, NodeId},
    maps::{HashMap, HashSet, IndexMap, IndexSet},
    overrides::Rules,
};

impl Graph {
    /// Whether the node is what the edge asks for.
    pub(super) fn satisfies(&self, node: NodeId, edge: EdgeId) -> bool {
        let wanted = &self[edge];
        let package = &self[node].package;
        if self[node].name != wanted.name {
            return false;
        }
        let is_from_registry = package.entry.resolved.as_deref().is_some_and(|url| url.starts_with("http"));
        let admits = |spec: &super::spec::Spec| spec.admits(&package.name, package.version.as_ref(), is_from_registry);
        if wanted.spec == wanted.raw_spec {
            return admits(&wanted.parsed);
        }
        // An override decides, except over what came in a bundle; and a version that the override's key does not speak
        // of needs to satisfy the original only.
        let raw = super::spec::Spec::parse(&wanted.raw_spec);
        if self.bundler(node).is_some() {
            return admits(&raw);
        }
        if admits(&wanted.parsed) {
            return true;
        }
        let key_spec = wanted.rules.as_ref().map_or("*", |rules| rules.key_spec.as_str());
        admits(&raw) && !admits(&super::spec::Spec::parse(key_spec))
    }

    /// What is wrong with an edge, if anything. An optional dependency that is absent is fine.
    pub(super) fn problem(&self, edge: EdgeId) -> Option<EdgeProblem> {
        let it = &self[edge];
        let Some(to) = it.to else {
            return (!it.kind.is_optional()).then_some(EdgeProblem::Missing);
        };
        if it.kind.is_peer() && self[to].parent == Some(it.from) && !self.is_top(it.from) {
            return Some(EdgeProblem::PeerLocal);
        }
        if !self.satisfies(to, edge) {
            return Some(EdgeProblem::Unsatisfied);
        }
        if let (Some(mine), Some(theirs)) = (&it.rules, &self[to].rules)
            && !self[to].edges_out.is_empty()
            && Rules::more_specific(mine, theirs).is_err()
            && Rules::contradict(mine, theirs)
        {
            return Some(EdgeProblem::Unsatisfied);
        }
        None
    }

    /// Nothing is wrong with the edge.
    pub(super) fn is_valid(&self, edge: EdgeId) -> bool {
        self.problem(edge).is_none()
    }

    /// Both stand for the same package: same tarball, or where that is not known same name and version.
    pub(super) fn is_same_package(&self, a: NodeId, b: NodeId) -> bool {
        if a == b {
            return true;
        }
        let (left, right) = (&self[a], &self[b]);
        if left.name != right.name {
            return false;
        }
        if let (Some(mine), Some(theirs)) = (left.link, right.link) {
            return mine == theirs;
        }
        if left.link.is_some() != right.link.is_some() || left.failure.is_some() || right.failure.is_some() {
            return false;
        }
        let (mine, theirs) = (&left.package.entry, &right.package.entry);
        match (&mine.integrity, &theirs.integrity, &mine.resolved, &theirs.resolved) {
            (Some(one), Some(other), _, _) | (_, _, Some(one), Some(other)) => one == other,
            _ => left.package.name == right.package.name && left.package.version == right.package.version,
        }
    }

    /// The given nodes and all that they depend on, less what something outside depends on too. `counts` says which
    /// edges matter.
    pub(super) fn exclusive_set(
        &self,
        start: impl IntoIterator<Item = NodeId>,
        counts: impl Fn(&Self, EdgeId) -> bool,
    ) -> IndexSet<NodeId> {
        let mut set: IndexSet<NodeId> = start.into_iter().collect();
        let mut next = 0;
        while let Some(&node) = set.get_index(next) {
            next += 1;
            for &edge in self[node].edges_out.values() {
                if let Some(to) = self[edge].to
                    && !set.contains(&to)
                    && counts(self, edge)
                {
                    set.insert(to);
                }
            }
        }
        loop {
            let has_outsider = |node: &NodeId| {
                self[*node].edges_in.iter().any(|&edge| !set.contains(&self[edge].from) && counts(self, edge))
            };
            let shared: HashSet<NodeId> = set.iter().copied().filter(has_outsider).collect();
            if shared.is_empty() {
                return set;
            }
            set.retain(|node| !shared.contains(node));
        }
    }

    /// Whether `new` could be put where `old` is without disappointing anyone who stays. Edges of peers named in
    /// `ignored` are left out: those are about to be replaced too.
    pub(super) fn can_replace(&self, new: NodeId, old: NodeId, ignored: &HashSet<FolderKey>) -> bool {
        if self[new].name != self[old].name || self[new].package.name != self[old].package.name {
            return false;
        }
        if !self[old].edges_out.is_empty() && !same_rules(self[new].rules.as_ref(), self[old].rules.as_ref()) {
            return false;
        }
        if self[old].edges_in.iter().all(|&edge| self.satisfies(new, edge)) {
            return true;
        }
        let leaving = self.exclusive_set([old], |graph, edge| graph[edge].to != Some(old) && graph.is_valid(edge));
        self[old].edges_in.iter().all(|&edge| {
            let from = self[edge].from;
            let is_ignored = !self.is_top(old)
                && self[from].parent == self[old].parent
                && self[edge].kind.is_peer()
                && ignored.contains(&self[from].name.key);
            is_ignored || leaving.contains(&from) || self.satisfies(new, edge)
        })
    }

    /// Whether a node may be taken out because what its dependents would find instead is as good or better, or because
    /// nobody asks for it.
    pub(super) fn can_dedupe(&self, node: NodeId, prefers_dedupe: bool) -> bool {
        if self.bundler(node).is_some_and(|bundler| !self.is_project(bundler)) || self.is_in_shrinkwrap(node) {
            return false;
        }
        let Some(above) = self[node].parent.and_then(|parent| self[parent].parent) else { return false };
        if self[node].edges_in.is_empty() {
            return true;
        }
        let Some(other) = self.lookup(above, self[node].name.key) else { return false };
        if self.is_same_package(other, node) {
            return true;
        }
        if !self.can_replace(other, node, &HashSet::default()) {
            return false;
        }
        let (mine, theirs) = (&self[node].package.version, &self[other].package.version);
        prefers_dedupe || theirs == mine || (theirs > mine && !self.is_overridden(node))
    }

    /// An override put this very version here.
    fn is_overridden(&self, node: NodeId) -> bool {
        let Some(rules) = &self[node].rules else { return false };
        if rules.value.is_empty() || rules.name != *self[node].name {
            return false;
        }
        let version = self[node].package.entry.version.as_deref();
        self[node].edges_in.iter().any(|&edge| {
            let Some(rule) = &self[edge].rules else { return false };
            rule.name == *self[node].name
                && version == Some(rule.value.as_str())
                && !same_rules(Some(rule), self[self[edge].from].rules.as_ref())
        })
    }

    /// The package in whose tarball this one comes, if it comes in one.
    pub(super) fn bundler(&self, node: NodeId) -> Option<NodeId> {
        let mut path = HashSet::default();
        self.bundler_via(node, &mut path)
    }

    fn bundler_via(&self, node: NodeId, path: &mut HashSet<NodeId>) -> Option<NodeId> {
        let parent = self[node].parent?;
        if !path.insert(node) {
            return None;
        }
        if let Some(bundler) = self.bundler_via(parent, path) {
            return Some(bundler);
        }
        let bundled = &self[parent].package.entry.bundle_dependencies;
        if bundled.iter().any(|name| **name == *self[node].name) {
            return Some(parent);
        }
        if bundled.is_empty() {
            return None;
        }
        // What a bundled package depends on is bundled too, as long as it sits at the bundler's level.
        let dependents: Vec<NodeId> = self[node].edges_in.iter().map(|&edge| self[edge].from).collect();
        dependents.into_iter().any(|from| self.bundler_via(from, path) == Some(parent)).then_some(parent)
    }

    /// A package above carries an `npm-shrinkwrap.json`.
    pub(super) fn is_in_shrinkwrap(&self, node: NodeId) -> bool {
        self.ancestry(node).skip(1).any(|at| self[at].package.entry.has_shrinkwrap)
    }

    /// The deepest folder, from `start` upwards, where something called `name` may go: not inside a package that has it
    /// as a peer.
    pub(super) fn deepest_target(&self, start: NodeId, edge: EdgeId) -> NodeId {
        let is_fit =
            |&at: &NodeId| self.is_top(at) || self.same_edge_of(at, edge).is_none_or(|edge| !self[edge].kind.is_peer());
        self.ancestry(start).find(is_fit).unwrap_or(start)
    }

    /// As [`Self::deepest_target`], for the name that a node has.
    pub(super) fn deepest_target_of(&self, start: NodeId, node: NodeId) -> NodeId {
        let key = self[node].name.key;
        let is_fit = |&at: &NodeId| {
            let edge = self[at].edges_out.get(&key);
            self.is_top(at) || edge.is_none_or(|&edge| !self[edge].kind.is_peer())
        };
        self.ancestry(start).find(is_fit).unwrap_or(start)
    }

    /// The groups of peers that a node belongs to, by the edge through which each came into the tree.
    pub(super) fn peer_groups(&self, node: NodeId) -> IndexMap<EdgeId, IndexSet<NodeId>> {
        let joins = |edge: EdgeId| self[edge].kind.is_peer() && self.is_valid(edge);
        let mut all = IndexSet::from_iter([node]);
        let mut next = 0;
        while let Some(&at) = all.get_index(next) {
            next += 1;
            all.extend(self[at].edges_out.values().filter(|&&edge| joins(edge)).filter_map(|&edge| self[edge].to));
            all.extend(self[at].edges_in.iter().filter(|&&edge| joins(edge)).map(|&edge| self[edge].from));
        }
        let mut downward: HashMap<NodeId, IndexSet<NodeId>> = HashMap::default();
        let mut groups = IndexMap::default();
        for &peer in &all {
            for &edge in &self[peer].edges_in {
                let is_entry = !self[edge].kind.is_peer() || self.is_top(self[edge].from);
                if !is_entry || !self.is_valid(edge) {
                    continue;
                }
                let group = downward.entry(peer).or_insert_with(|| self.peers_below(peer));
                if group.contains(&node) {
                    groups.insert(edge, group.clone());
                }
            }
        }
        groups
    }

    fn peers_below(&self, node: NodeId) -> IndexSet<NodeId> {
        let mut group = IndexSet::from_iter([node]);
        let mut next = 0;
        while let Some(&at) = group.get_index(next) {
            next += 1;
            for &edge in self[at].edges_out.values() {
                if let Some(to) = self[edge].to
                    && self[edge].kind.is_peer()
                    && self.is_valid(edge)
                {
                    group.insert(to);
                }
            }
        }
        group
    }
}

fn same_rules(a: Option<&std::sync::Arc<Rules>>, b: Option<&std::sync::Arc<Rules>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is_equal(b),
        _ => false,
    }
}
