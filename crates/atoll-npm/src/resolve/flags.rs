//! Which packages are only there for development, for optional dependencies or for peers.

use super::{
    graph::{Graph, NodeId},
    maps::HashMap,
};

/// What npm writes beside an entry. All flags start set; each way from the project to a package clears those that do not
/// hold along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) extraneous: bool,
    pub(super) dev: bool,
    pub(super) optional: bool,
    pub(super) dev_optional: bool,
    pub(super) peer: bool,
}

/// Flags of every node of the project's tree.
pub(super) fn compute(graph: &Graph, project: NodeId) -> HashMap<NodeId, Flags> {
    let set = Flags { extraneous: true, dev: true, optional: true, dev_optional: true, peer: true };
    let clear = Flags { extraneous: false, dev: false, optional: false, dev_optional: false, peer: false };
    let mut flags: HashMap<NodeId, Flags> = graph.subtree(project).into_iter().map(|node| (node, set)).collect();
    flags.insert(project, clear);
    let mut queue = vec![project];
    while let Some(node) = queue.pop() {
        let from = flags[&node];
        if !from.extraneous {
            // Folders around something wanted are wanted.
            for above in graph.ancestry(node).skip(1) {
                if let Some(above) = flags.get_mut(&above) {
                    above.extraneous = false;
                }
            }
        }
        let edges = graph[node].edges_out.values().filter_map(|&edge| Some((graph[edge].kind, graph[edge].to?)));
        let link = graph[node].link.map(|target| (super::graph::EdgeKind::Regular, target));
        for (kind, to) in edges.chain(link) {
            let Some(target) = flags.get_mut(&to) else { continue };
            let before = *target;
            let (is_peer, is_optional, is_dev) = (kind.is_peer(), kind.is_optional(), kind.is_dev());
            target.extraneous &= from.extraneous || (is_peer && is_optional);
            target.dev &= from.dev || is_dev;
            target.optional &= from.optional || is_optional;
            target.dev_optional &= from.dev_optional || from.dev || from.optional || is_dev || is_optional;
            target.peer &= from.peer || is_peer;
            if *target != before {
                queue.push(to);
            }
        }
    }
    for flags in flags.values_mut() {
        flags.dev_optional &= !flags.dev && !flags.optional;
    }
    flags
}
