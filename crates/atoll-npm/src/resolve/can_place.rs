//! Whether a package, with its peers, can go into a given folder.
//!
//! Nothing here changes the tree.

use super::{
    graph::{EdgeId, Graph, NodeId},
    maps::{HashSet, IndexSet},
};

/// What placing a package in a folder would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The folder has nothing of that name, and nobody minds.
    Free,
    /// It would take the place of another version.
    Replace,
    /// What is there already will do.
    Keep,
    /// It cannot go there.
    Conflict,
}

/// A judged folder.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) dep: NodeId,
    pub(super) edge: EdgeId,
    pub(super) target: NodeId,
    /// With its peers.
    pub(super) verdict: Verdict,
    /// By itself.
    pub(super) own_verdict: Verdict,
    /// What is there now.
    pub(super) current: Option<NodeId>,
    /// The deepest folder that it could go into.
    pub(super) deepest: NodeId,
    /// Its peers' checks.
    pub(super) peers: Vec<Check>,
}

/// What the check of a peer knows of the checks that led to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The edge through which the whole group comes in.
    pub(super) entry: EdgeId,
    /// Where the search for the deepest possible folder of the group starts.
    pub(super) deepest: NodeId,
}

/// How many checks of peers within peers one placement may take. Groups have a few dozen members at most; without a
/// limit, a hostile registry could make the number of paths through a group exponential.
const CHECKS_MAX: usize = 20_000;

/// Longest path of peers of peers, in packages; bounds the stack.
const PATH_MAX: usize = 128;

struct Checker<'a> {
    graph: &'a Graph,
    remaining: usize,
}

impl Check {
    /// Judges `target` for `dep`, which `edge` asks for. `context` is given when it comes along as a peer.
    pub(super) fn run(
        graph: &Graph,
        dep: NodeId,
        edge: EdgeId,
        target: NodeId,
        context: Option<Context>,
    ) -> Option<Self> {
        let mut checker = Checker { graph, remaining: CHECKS_MAX };
        let check = checker.check(dep, edge, target, context, &[]);
        (checker.remaining > 0).then_some(check)
    }
}

impl Checker<'_> {
    fn check(&mut self, dep: NodeId, edge: EdgeId, target: NodeId, context: Option<Context>, path: &[NodeId]) -> Check {
        let graph = self.graph;
        let deepest = graph.deepest_target(context.map_or(graph[edge].from, |context| context.deepest), edge);
        let mut check = Check {
            dep,
            edge,
            target,
            deepest,
            verdict: Verdict::Conflict,
            own_verdict: Verdict::Conflict,
            current: graph.child(target, edge),
            peers: Vec::new(),
        };
        self.remaining = self.remaining.saturating_sub(1);
        if self.remaining == 0 || path.len() > PATH_MAX {
            self.remaining = 0;
            return check;
        }
        let inner = Context { entry: context.map_or(edge, |context| context.entry), deepest };
        let own = self.judge(&mut check, context, inner, path);
        if check.own_verdict == Verdict::Conflict {
            check.own_verdict = own;
        }
        check.verdict = own;
        check
    }

    fn judge(&mut self, check: &mut Check, context: Option<Context>, inner: Context, path: &[NodeId]) -> Verdict {
        let graph = self.graph;
        let Check { dep, edge, target, current, .. } = *check;
        if graph[dep].failure.is_some() {
            return if current.is_some() { Verdict::Replace } else { Verdict::Free };
        }
        let target_edge = graph.same_edge_of(target, edge);
        if target_edge.is_some_and(|own| graph[own].kind.is_peer()) && !graph.is_top(target) {
            return Verdict::Conflict;
        }
        let Some(current) = current else {
            let disappoints = |own: EdgeId| own != edge && !graph.satisfies(dep, own);
            if target_edge.is_some_and(disappoints) {
                return Verdict::Conflict;
            }
            return self.judge_free(check, inner, path);
        };
        self.judge_taken(check, current, context, inner, path)
    }

    /// Nothing of that name is there; but dependents further down may rely on finding something higher up.
    fn judge_free(&mut self, check: &mut Check, inner: Context, path: &[NodeId]) -> Verdict {
        let graph = self.graph;
        if check.target != graph[inner.entry].from
            && let Some(shadowed) = graph.lookup_edge(check.target, check.edge)
        {
            let is_disappointed = graph[shadowed].edges_in.iter().any(|&edge| {
                graph.is_within(graph[edge].from, check.target)
                    && !graph.satisfies(check.dep, edge)
                    && graph.is_valid(edge)
            });
            if is_disappointed {
                return Verdict::Conflict;
            }
        }
        self.with_peers(Verdict::Free, check, inner, path)
    }

    fn judge_taken(
        &mut self,
        check: &mut Check,
        current: NodeId,
        context: Option<Context>,
        inner: Context,
        path: &[NodeId],
    ) -> Verdict {
        let graph = self.graph;
        let Check { dep, edge, target, .. } = *check;
        let current_fits = graph.satisfies(current, edge);
        // The gathered group may have decided against what this edge asks for.
        let is_settled_otherwise = !graph.satisfies(dep, edge);
        if graph.is_same_package(dep, current) && (current_fits || is_settled_otherwise) {
            return Verdict::Keep;
        }
        let is_newer = match (&graph[dep].package.version, &graph[current].package.version) {
            (Some(new), Some(old)) => new >= old,
            _ => false,
        };
        let can_replace = || graph.can_replace(dep, current, &HashSet::default());
        if is_newer && can_replace() {
            let verdict = self.with_peers(Verdict::Replace, check, inner, path);
            if verdict != Verdict::Conflict {
                return verdict;
            }
        }
        if current_fits {
            return Verdict::Keep;
        }
        // Peers are shared at the price of an older version.
        if graph[edge].kind.is_peer() && !is_newer && can_replace() {
            let verdict = self.with_peers(Verdict::Replace, check, inner, path);
            if verdict != Verdict::Conflict {
                return verdict;
            }
        }
        // It could go deeper: leave what is there.
        if target != inner.deepest {
            return Verdict::Conflict;
        }
        if !graph[edge].kind.is_peer() && target == graph[edge].from {
            return self.with_peers(Verdict::Replace, check, inner, path);
        }
        if context.is_none() && !graph[edge].kind.is_peer() {
            return Verdict::Conflict;
        }
        if self.can_displace(check, current, inner) {
            return self.with_peers(Verdict::Replace, check, inner, path);
        }
        Verdict::Conflict
    }

    /// Whether every group of peers that `current` belongs to can be replaced by the new one or nested deeper.
    fn can_displace(&self, check: &Check, current: NodeId, inner: Context) -> bool {
        let graph = self.graph;
        let Some(group) = graph[check.dep].parent else { return false };
        let new_names: HashSet<_> = graph[group].children.keys().copied().collect();
        graph.peer_groups(current).iter().all(|(&entry, members)| {
            if entry == check.edge || entry == inner.entry {
                return true;
            }
            let Some(entry_node) = graph[entry].to else { return true };
            let is_replaced = match graph.child(group, entry) {
                Some(replacement) => graph.can_replace(replacement, entry_node, &new_names),
                None => self.can_clobber(group, entry_node),
            };
            if is_replaced {
                return true;
            }
            members.iter().all(|&member| {
                let deepest = graph.deepest_target_of(graph[entry].from, member);
                deepest != check.target && !graph.is_within(check.target, deepest)
            })
        })
    }

    /// Whether the new group satisfies every peer edge that leads from `entry` into the old one.
    fn can_clobber(&self, group: NodeId, entry: NodeId) -> bool {
        let graph = self.graph;
        let mut walk = IndexSet::from_iter([entry]);
        let mut next = 0;
        while let Some(&peer) = walk.get_index(next) {
            next += 1;
            for &edge in graph[peer].edges_out.values() {
                if !graph[edge].kind.is_peer() || !graph.is_valid(edge) {
                    continue;
                }
                match (graph.child(group, edge), graph[edge].to) {
                    (Some(replacement), _) if !graph.satisfies(replacement, edge) => return false,
                    (None, Some(to)) => {
                        walk.insert(to);
                    }
                    _ => {}
                }
            }
        }
        true
    }

    /// The verdict stands if every peer finds a place at or above the target.
    fn with_peers(&mut self, verdict: Verdict, check: &mut Check, inner: Context, path: &[NodeId]) -> Verdict {
        let graph = self.graph;
        check.own_verdict = verdict;
        if !check.peers.is_empty() {
            let has_conflict = check.peers.iter().any(|peer| peer.verdict == Verdict::Conflict);
            return if has_conflict { Verdict::Conflict } else { verdict };
        }
        let mut path = path.to_vec();
        path.push(check.dep);
        let mut has_conflict = false;
        for &edge in graph[check.dep].edges_out.values() {
            let Some(peer) = graph[edge].to else { continue };
            if !graph[edge].kind.is_peer() || path.contains(&peer) {
                continue;
            }
            let target = graph.deepest_target_of(check.target, peer);
            let result = self.check(peer, edge, target, Some(inner), &path);
            has_conflict |= result.verdict == Verdict::Conflict;
            check.peers.push(result);
        }
        if has_conflict { Verdict::Conflict } else { verdict }
    }
}
