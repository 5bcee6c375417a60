//! Putting a gathered package, and the peers that came with it, into the tree.

use std::sync::Arc;

use super::{
    build::{Builder, Halt},
    can_place::{Check, Context, Verdict},
    error::PeerConflict,
    graph::{EdgeId, NodeId},
    maps::IndexSet,
};

/// What was done for one edge.
#[derive(Debug)]
pub(super) struct Placement {
    pub(super) edge: EdgeId,
    pub(super) dep: NodeId,
    /// The folder that was chosen, if any was needed and found.
    pub(super) check: Option<Check>,
    /// The node that was put into the tree, if one was.
    pub(super) placed: Option<NodeId>,
    /// Nodes that lost something and have to be looked at again.
    pub(super) disturbed: IndexSet<NodeId>,
    /// The placement that brought this one along as a peer.
    parent: Option<usize>,
    /// Where the search for a folder began.
    start: NodeId,
}

impl Builder<'_> {
    /// Places `dep` for `edge`, then its peers; appends what was done to `done`.
    pub(super) fn place(
        &mut self,
        edge: EdgeId,
        dep: NodeId,
        parent: Option<usize>,
        done: &mut Vec<Placement>,
    ) -> Result<(), Halt> {
        let from = parent.map_or(self.graph[edge].from, |parent| done[parent].start);
        let start = self.graph.deepest_target(from, edge);
        let index = done.len();
        done.push(Placement { edge, dep, check: None, placed: None, disturbed: IndexSet::default(), parent, start });
        if self.graph[edge].to.is_some() && self.graph.is_valid(edge) {
            return Ok(());
        }
        let Some(check) = self.choose_folder(index, done)? else {
            self.graph[edge].is_conceded = true;
            return Ok(());
        };
        let target = check.target;
        let verdict = if check.verdict == Verdict::Conflict { check.own_verdict } else { check.verdict };
        let old = self.graph.child(target, edge);
        done[index].check = Some(check);
        if verdict == Verdict::Keep {
            if self.graph[edge].kind.is_peer() && !self.graph.is_valid(edge) {
                self.graph[edge].is_conceded = true;
            }
            self.prune_duplicates(target, true);
            return Ok(());
        }
        let is_loop = |&at: &NodeId| {
            !self.graph.is_top(at) && self.graph[at].link.is_none() && self.graph.is_same_package(at, dep)
        };
        let looped = self.graph.ancestry(target).find(is_loop);
        if let Some(same) = looped {
            let link = self.create_link(same);
            self.graph.attach(link, target);
            done[index].placed = Some(link);
            return Ok(());
        }
        let placed = self.copy_for_tree(dep);
        done[index].placed = Some(placed);
        match old {
            Some(old) => done[index].disturbed = self.replace_old(old, placed),
            None => self.graph.attach(placed, target),
        }
        if self.graph[edge].kind.is_peer() && !self.graph.satisfies(placed, edge) {
            self.graph[edge].is_conceded = true;
        }
        if let Some(other) = self.graph[edge].to
            && other != placed
            && self.graph.is_valid(edge)
        {
            self.prune_duplicates(other, false);
        }
        self.prune_below(placed, target);
        self.place_peers(index, placed, done)
    }

    /// Walks up from the start to the highest folder that takes the package and its peers. `None` when none does and
    /// that can be lived with.
    fn choose_folder(&mut self, index: usize, done: &[Placement]) -> Result<Option<Check>, Halt> {
        let Placement { edge, dep, parent, start, .. } = done[index];
        let context = parent.and_then(|parent| {
            let deepest = done[parent].check.as_ref()?.deepest;
            Some(Context { entry: done[top_of(done, index)].edge, deepest })
        });
        let mut best: Option<Check> = None;
        let mut best_alone: Option<Check> = None;
        let folders: Vec<NodeId> = self.graph.ancestry(start).collect();
        for target in folders {
            let own = self.graph.same_edge_of(target, edge);
            if !self.graph.is_top(target) && own.is_some_and(|own| self.graph[own].kind.is_peer()) {
                continue;
            }
            let Some(check) = Check::run(&self.graph, dep, edge, target, context) else {
                return Err(Halt::too_complex("a group of peer dependencies is too entangled"));
            };
            if check.own_verdict != Verdict::Conflict {
                best_alone = Some(check.clone());
            }
            if check.verdict == Verdict::Conflict {
                break;
            }
            best = Some(check);
            if self.graph[dep].failure.is_some() {
                break;
            }
        }
        if best.is_some() {
            return Ok(best);
        }
        // npm would go on without a package that finds no place at all; a tree without a regular dependency does not run.
        let is_needed =
            best_alone.is_none() && !self.graph[edge].kind.is_peer() && !self.graph[edge].kind.is_optional();
        if is_needed || self.is_ours(top_of(done, index), done) {
            return Err(self.placement_conflict(top_of(done, index), index, best_alone.as_ref(), done));
        }
        Ok(best_alone)
    }

    /// The group comes in for the project itself: then a conflict is the project's to solve, where one between
    /// dependencies of dependencies is put up with.
    fn is_ours(&self, top: usize, done: &[Placement]) -> bool {
        let edge = done[top].edge;
        let from = self.graph[edge].from;
        if self.graph.is_project(from) {
            return true;
        }
        if !self.graph[edge].kind.is_peer() {
            return false;
        }
        let is_from_project = |&edge: &EdgeId| self.graph.is_project(self.graph[edge].from);
        let (peers, others): (Vec<EdgeId>, Vec<EdgeId>) =
            self.graph[from].edges_in.iter().partition(|&&edge| self.graph[edge].kind.is_peer());
        others.iter().any(is_from_project)
            || (!peers.is_empty() && self.graph.peer_groups(from).keys().any(is_from_project))
    }

    fn placement_conflict(&self, top: usize, index: usize, alone: Option<&Check>, done: &[Placement]) -> Halt {
        // The peer that found no place, if the package itself did.
        let blocked = alone.and_then(|check| check.peers.iter().find(|peer| peer.verdict == Verdict::Conflict));
        let (edge, current) = match blocked {
            Some(peer) => (peer.edge, peer.current),
            None => (done[index].edge, self.graph[done[index].edge].to),
        };
        let current = current.or_else(|| self.graph.project.and_then(|project| self.graph.lookup_edge(project, edge)));
        Halt::conflict(PeerConflict::describe(&self.graph, edge, current, Some(done[top].edge)))
    }

    fn copy_for_tree(&mut self, dep: NodeId) -> NodeId {
        let name = self.graph[dep].name.clone();
        let package = Arc::clone(&self.graph[dep].package);
        let rules = self.graph[dep].rules.clone();
        let placed = if self.graph[dep].failure.is_some() {
            self.graph.create_bare(&name, &package, None)
        } else {
            self.graph.create(&name, &package, None, rules)
        };
        self.graph[placed].failure = self.graph[dep].failure;
        self.register(placed);
        placed
    }

    fn create_link(&mut self, target: NodeId) -> NodeId {
        let name = self.graph[target].name.clone();
        let package = Arc::clone(&self.graph[target].package);
        let link = self.graph.create_bare(&name, &package, None);
        self.graph[link].link = Some(target);
        self.register(link);
        link
    }

    /// Puts `new` where `old` is, and takes out what only `old` needed. Returns the nodes to look at again.
    fn replace_old(&mut self, old: NodeId, new: NodeId) -> IndexSet<NodeId> {
        let graph = &self.graph;
        let target = graph[old].parent;
        let mut leftovers: IndexSet<NodeId> = IndexSet::default();
        for (key, &edge) in &graph[old].edges_out {
            if let Some(to) = graph[edge].to
                && !graph[new].edges_out.contains_key(key)
            {
                leftovers.extend(graph.exclusive_set([to], |graph, edge| graph[edge].to != Some(to)));
            }
        }
        // Groups of peers at this level that the new version does not suit: those that can, go deeper.
        let mut moving: IndexSet<NodeId> = IndexSet::default();
        let mut conceded = Vec::new();
        for &edge in &graph[old].edges_in {
            let from = graph[edge].from;
            let concerns = graph[edge].kind.is_peer() && graph[from].parent == target && !graph[edge].is_conceded;
            if !concerns || graph.satisfies(new, edge) {
                continue;
            }
            for &entry in graph.peer_groups(from).keys() {
                let Some(entry_node) = graph[entry].to else { continue };
                let deepest = graph.deepest_target_of(entry_node, entry_node);
                if Some(deepest) == target || graph.is_project(graph[entry].from) {
                    conceded.push(edge);
                } else {
                    moving.extend(graph.exclusive_set([entry_node], |graph, edge| {
                        graph[edge].to != Some(entry_node) && !graph[edge].is_conceded
                    }));
                }
            }
        }
        for edge in conceded {
            self.graph[edge].is_conceded = true;
        }
        self.graph.replace(old, new);
        self.prune_for_replacement(new, leftovers);
        let mut disturbed = IndexSet::default();
        for node in moving {
            disturbed.extend(self.graph[node].edges_in.iter().map(|&edge| self.graph[edge].from));
            self.graph.detach(node);
        }
        disturbed
    }

    /// Takes out what `new` cannot use and what was only there for the version before it.
    fn prune_for_replacement(&mut self, new: NodeId, leftovers: IndexSet<NodeId>) {
        let graph = &self.graph;
        let mut unusable: IndexSet<NodeId> =
            graph[new].edges_out.values().filter(|&&edge| !graph.is_valid(edge)).filter_map(|&e| graph[e].to).collect();
        for node in leftovers {
            unusable.extend(
                graph.exclusive_set([node], |graph, edge| graph[edge].to != Some(node) && graph.is_valid(edge)),
            );
        }
        let junk = graph.exclusive_set(unusable, |graph, edge| {
            graph[edge].from != new && graph[edge].to != Some(new) && graph.is_valid(edge)
        });
        // npm can take out the new version itself here, and leave its dependents without.
        for node in junk.into_iter().filter(|&node| node != new) {
            self.graph.detach(node);
        }
    }

    /// Takes out `node` if its dependents are as well off without it; otherwise, where `descends`, tries what is nested
    /// in it.
    fn prune_duplicates(&mut self, node: NodeId, descends: bool) {
        if self.graph.can_dedupe(node, false) {
            let junk =
                self.graph.exclusive_set([node], |graph, edge| graph[edge].to != Some(node) && graph.is_valid(edge));
            for node in junk {
                self.graph.detach(node);
            }
            return;
        }
        if !descends {
            return;
        }
        let mut pending = self.kids_in_order(node);
        pending.reverse();
        while let Some(node) = pending.pop() {
            if !self.graph.is_placed(node) {
                continue;
            }
            if self.graph.can_dedupe(node, false) {
                self.prune_duplicates(node, false);
            } else {
                let kids = self.kids_in_order(node);
                pending.extend(kids.into_iter().rev());
            }
        }
    }

    fn kids_in_order(&self, node: NodeId) -> Vec<NodeId> {
        let mut kids: Vec<NodeId> = self.graph[node].children.values().copied().collect();
        kids.sort_by(|&a, &b| super::collation::compare(&self.graph[a].name, &self.graph[b].name));
        kids
    }

    /// Takes out deeper copies that the newly placed package makes superfluous.
    fn prune_below(&mut self, placed: NodeId, target: NodeId) {
        let namesakes = self.namesakes(placed);
        for node in namesakes {
            if !self.graph.is_within(node, target) {
                continue;
            }
            self.prune_duplicates(node, false);
            if self.graph.is_placed(node) {
                let kids: Vec<NodeId> = self.graph[node].children.values().copied().collect();
                for kid in kids {
                    self.prune_duplicates(kid, false);
                }
            }
        }
    }

    /// Peers that the placed package does not find yet go the same way.
    fn place_peers(&mut self, index: usize, placed: NodeId, done: &mut Vec<Placement>) -> Result<(), Halt> {
        let Some(group) = self.graph[done[index].dep].parent else { return Ok(()) };
        let edges: Vec<EdgeId> = self.graph[placed].edges_out.values().copied().collect();
        for edge in edges {
            let it = &self.graph[edge];
            if !it.kind.is_peer() || it.is_conceded || self.graph.is_valid(edge) {
                continue;
            }
            let Some(peer) = self.graph.child(group, edge) else { continue };
            if !self.graph.satisfies(peer, edge) {
                continue;
            }
            self.place(edge, peer, Some(index), done)?;
        }
        Ok(())
    }
}

/// The placement that the whole group came in with.
fn top_of(done: &[Placement], index: usize) -> usize {
    std::iter::successors(Some(index), |&at| done[at].parent).last().unwrap_or(index)
}
