//! Gathering a package together with its peers before it is placed.
//!
//! A package and the peers that it wants to share with its dependent have to fit together before any of them gets a
//! place. They are gathered as siblings below a *stand-in*: a node with the dependencies of the package that asks, but
//! without its place in the tree. Within that scratch tree, edges between peers resolve as they will in the real one.

use super::{
    build::{Builder, Halt},
    collation,
    error::PeerConflict,
    graph::{EdgeId, EdgeKind, FolderKey, NodeId},
    maps::HashSet,
};

/// Longest chain of peers of peers that is followed. Real packages stay below 20.
const PEER_CHAIN_MAX: usize = 128;

/// The nodes of a peer group that something insists on; a conflict among the others can be lived with.
pub(super) type Required = HashSet<NodeId>;

impl Builder<'_> {
    /// The stand-in that was made last for a node, or else a new one.
    pub(super) fn stand_in(&mut self, node: NodeId) -> NodeId {
        let Some(&existing) = self.stand_ins.get(&node) else { return self.new_stand_in(node, None) };
        self.graph.load_edges(existing);
        existing
    }

    /// A new stand-in, which has the edge of that name only, if one is given, until it is used again.
    fn new_stand_in(&mut self, node: NodeId, only: Option<FolderKey>) -> NodeId {
        let package = std::sync::Arc::clone(&self.graph[node].package);
        let name = self.graph[node].name.clone();
        let rules = self.graph[node].rules.clone();
        let stand_in = self.graph.create_bare(&name, &package, Some(node));
        self.graph[stand_in].rules = rules;
        self.graph.load_edges_to(stand_in, only);
        self.stand_ins.insert(node, stand_in);
        stand_in
    }

    /// The package that `edge` asks for, below `stand_in` or below a new stand-in for the edge's source, with its peers
    /// beside it. `second` is an edge of a peer to the same name, to be heeded if possible.
    pub(super) fn gather(
        &mut self,
        edge: EdgeId,
        stand_in: Option<NodeId>,
        second: Option<EdgeId>,
        required: &mut Required,
        chain: usize,
    ) -> Result<NodeId, Halt> {
        if chain > PEER_CHAIN_MAX {
            return Err(Halt::too_complex("the chain of peer dependencies is too long"));
        }
        let first = self.load(edge)?;
        let parent = stand_in.unwrap_or_else(|| {
            // Nobody looks for the other dependencies beside what has no peers.
            let has_peers = self.graph[first].edges_out.values().any(|&edge| self.graph[edge].kind.is_peer());
            let only = (!has_peers).then_some(self.graph[first].name.key);
            self.new_stand_in(self.graph[edge].from, only)
        });
        self.graph.attach(first, parent);
        let mut node = first;
        if let Some(second) = second
            && !self.graph.is_valid(second)
        {
            let other = self.load(second)?;
            self.graph.attach(other, parent);
            if self.graph.is_valid(edge) {
                node = other;
            }
        }
        self.graph.attach(node, parent);
        let insists = |builder: &Self, edge: EdgeId, required: &Required| {
            required.contains(&builder.graph[edge].from) && builder.graph[edge].kind != EdgeKind::PeerOptional
        };
        if insists(self, edge, required) || second.is_some_and(|second| insists(self, second, required)) {
            required.insert(node);
        }
        if let Some(source) = self.graph[parent].source {
            self.group_sources.insert(node, source);
        }
        self.gather_peers(node, required, chain)?;
        Ok(node)
    }

    /// Puts the peers of a gathered node, and theirs, beside it.
    fn gather_peers(&mut self, node: NodeId, required: &mut Required, chain: usize) -> Result<(), Halt> {
        let is_settled =
            |builder: &Self, edge: EdgeId| builder.graph[edge].to.is_some() && builder.graph.is_valid(edge);
        let mut peers: Vec<EdgeId> = self.graph[node]
            .edges_out
            .values()
            .copied()
            .filter(|&edge| self.graph[edge].kind.is_peer() && !is_settled(self, edge))
            .collect();
        peers.sort_by(|&a, &b| collation::compare(&self.graph[a].name, &self.graph[b].name));
        for edge in peers {
            // A better fit may have taken the node's place while its peers were gathered.
            let Some(parent) = self.graph[node].parent else { break };
            if is_settled(self, edge) || self.leaves_out(edge) {
                continue;
            }
            let own = self.graph.same_edge_of(parent, edge);
            let is_mine = self.graph[parent].source.is_some_and(|source| self.graph.root(source) == source);
            let Some(current) = self.graph[edge].to else {
                let Some(own) = own else {
                    self.gather(edge, Some(parent), None, required, chain + 1)?;
                    continue;
                };
                let dep = self.gather(own, Some(parent), Some(edge), required, chain + 1)?;
                if self.graph.is_valid(edge) {
                    continue;
                }
                if !is_mine || !required.contains(&dep) {
                    self.graph[edge].is_conceded = true;
                    continue;
                }
                if self.graph[node].parent.is_none() {
                    break;
                }
                return Err(self.peer_conflict(edge, Some(own)));
            };
            let dep = self.gather(edge, None, None, required, chain + 1)?;
            if self.graph.can_replace(dep, current, &HashSet::default()) {
                self.gather(edge, Some(parent), None, required, chain + 1)?;
                continue;
            }
            if !is_mine || !required.contains(&self.graph[edge].from) {
                continue;
            }
            return Err(self.peer_conflict(edge, own));
        }
        Ok(())
    }

    /// Whether an optional peer need not be gathered, because nobody asks for it.
    fn leaves_out(&mut self, edge: EdgeId) -> bool {
        let it = &self.graph[edge];
        let is_wanted = it.kind != EdgeKind::PeerOptional || it.to.is_some() || self.asked.has(&it.name);
        if !is_wanted {
            self.left_out.insert(it.name.clone());
        }
        !is_wanted
    }

    fn peer_conflict(&self, edge: EdgeId, own: Option<EdgeId>) -> Halt {
        let found = self.graph[edge].to;
        Halt::conflict(PeerConflict::describe(&self.graph, edge, found, own))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::build::{Asked, Known},
        *,
    };
    use crate::lock::LockEntry;

    #[test]
    fn a_stand_in_that_is_used_again_has_all_edges() {
        let mut root = LockEntry::default();
        for name in ["a", "b", "c"] {
            root.dependencies.insert(name.to_owned(), "1".to_owned());
        }
        let known = Known::default();
        let mut builder = Builder::new(&known, Asked::default(), None);
        let project = builder.plant(&root, None);
        let only = builder.graph.name("b").key;
        let stand_in = builder.new_stand_in(project, Some(only));
        let names = |builder: &Builder<'_>| -> Vec<String> {
            let edges = builder.graph[stand_in].edges_out.values();
            edges.map(|&edge| builder.graph[edge].name.to_string()).collect()
        };
        assert_eq!(names(&builder), ["b"]);
        let edge = builder.graph[stand_in].edges_out[&only];
        assert_eq!(builder.stand_in(project), stand_in);
        assert_eq!(names(&builder), ["a", "b", "c"]);
        assert_eq!(builder.graph[stand_in].edges_out[&only], edge, "what was there stays");
    }
}
