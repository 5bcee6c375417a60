//! From the finished tree to a lockfile.

use super::{
    build::{Builder, optional_set},
    collation,
    error::{Asker, PeerConflict, ResolveError},
    flags::{self, Flags},
    graph::{EdgeId, EdgeKind, Graph, NodeId},
    maps::{HashMap, IndexSet},
};
use crate::lock::{InstallPath, LockEntry, Lockfile};

impl Builder<'_> {
    /// Takes out what could not be had and what nobody asks for, and writes the rest down. `previous` lends the fields
    /// of the file that are not about packages.
    pub(super) fn finish(
        &mut self,
        project: NodeId,
        previous: Option<&Lockfile>,
    ) -> Result<Lockfile, Box<ResolveError>> {
        self.drop_failed(project)?;
        self.drop_unsatisfied(project)?;
        let flags = self.drop_extraneous(project);
        let graph = &self.graph;
        let mut paths: Vec<(InstallPath, NodeId)> =
            flags.keys().filter_map(|&node| Some((path_of(graph, project, node)?, node))).collect();
        paths.sort_unstable_by(|(a, _), (b, _)| collation::compare(a.as_str(), b.as_str()));
        let packages =
            paths.into_iter().map(|(path, node)| (path, entry(graph, project, node, flags[&node]))).collect();
        let root = &graph[project].package.entry;
        Ok(Lockfile {
            name: root.name.clone().or_else(|| previous.and_then(|lockfile| lockfile.name.clone())),
            version: root.version.clone(),
            requires: true,
            packages,
            extra: previous.map(|lockfile| lockfile.extra.clone()).unwrap_or_default(),
        })
    }

    /// An optional dependency that could not be had goes, with everything that cannot work without it; any other is an
    /// error.
    fn drop_failed(&mut self, project: NodeId) -> Result<(), Box<ResolveError>> {
        let failed: Vec<NodeId> =
            self.graph.subtree(project).into_iter().filter(|&node| self.graph[node].failure.is_some()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let flags = flags::compute(&self.graph, project);
        let mut dropped: IndexSet<NodeId> = IndexSet::default();
        for node in failed {
            if !flags[&node].optional {
                let index = self.graph[node].failure.unwrap_or_default();
                return Err(Box::new(self.failures.swap_remove(index)));
            }
            dropped.extend(optional_set(&self.graph, node));
        }
        for node in dropped {
            if node != project {
                self.graph.detach(node);
            }
        }
        Ok(())
    }

    /// The last word: a package whose regular dependency is not satisfied is dropped where it is optional, and an error
    /// where it is not. Placement lets few such cases through, all of them among contradictory peers.
    fn drop_unsatisfied(&mut self, project: NodeId) -> Result<(), Box<ResolveError>> {
        let mut flags = None;
        for node in self.placed() {
            if !self.graph.is_placed(node) {
                continue;
            }
            let is_broken = |&edge: &EdgeId| matches!(self.graph[edge].kind, EdgeKind::Regular | EdgeKind::Dev);
            let Some(edge) = self.problem_edges(node).into_iter().find(is_broken) else { continue };
            if flags.get_or_insert_with(|| flags::compute(&self.graph, project))[&node].optional {
                for node in optional_set(&self.graph, node).into_iter().filter(|&node| node != project) {
                    self.graph.detach(node);
                }
                continue;
            }
            let asker = Asker::of(&self.graph, edge);
            let known = self.failures.iter().find(|error| error.asker() == Some(&asker));
            let error = known.cloned().unwrap_or_else(|| {
                let conflict = PeerConflict::describe(&self.graph, edge, self.graph[edge].to, None);
                ResolveError::PeerConflict(Box::new(conflict))
            });
            return Err(Box::new(error));
        }
        Ok(())
    }

    fn drop_extraneous(&mut self, project: NodeId) -> HashMap<NodeId, Flags> {
        let flags = flags::compute(&self.graph, project);
        let orphans: Vec<NodeId> = flags.iter().filter(|(_, flags)| flags.extraneous).map(|(&node, _)| node).collect();
        if orphans.is_empty() {
            return flags;
        }
        for node in orphans {
            self.graph.detach(node);
        }
        flags::compute(&self.graph, project)
    }
}

fn path_of(graph: &Graph, project: NodeId, node: NodeId) -> Option<InstallPath> {
    let mut names: Vec<_> =
        graph.ancestry(node).take_while(|&at| at != project).map(|at| graph[at].name.clone()).collect();
    names.reverse();
    names.iter().try_fold(InstallPath::ROOT, |path, name| path.child(name))
}

fn entry(graph: &Graph, project: NodeId, node: NodeId, flags: Flags) -> LockEntry {
    if node == project {
        return graph[project].package.entry.clone();
    }
    if let Some(target) = graph[node].link {
        let resolved = path_of(graph, project, target).map(|path| path.to_string());
        return LockEntry { link: true, resolved, ..LockEntry::default() };
    }
    let package = &graph[node].package;
    LockEntry {
        name: (*package.name != *graph[node].name).then(|| package.name.as_ref().to_owned()),
        dev: flags.dev,
        optional: flags.optional,
        dev_optional: flags.dev_optional,
        peer: flags.peer,
        in_bundle: graph.bundler(node).is_some(),
        ..package.entry.clone()
    }
}
