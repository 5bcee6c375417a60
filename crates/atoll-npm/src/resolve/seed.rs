//! The tree that a resolution starts from: the project, and what an existing lockfile says is there.

use std::sync::Arc;

use super::{
    build::Builder,
    graph::{EdgeId, EdgeKind, NodeId, Package},
    maps::HashMap,
    overrides::Rules,
    spec::Spec,
};
use crate::{
    lock::{InstallPath, LockEntry, Lockfile},
    manifest::Manifest,
    version::Version,
};

/// What an existing lockfile has, by name; a guide for what need not be fetched.
#[derive(Debug, Default)]
pub(super) struct Existing(HashMap<String, Vec<(String, Option<Version>)>>);

impl Existing {
    pub(super) fn of(lockfile: Option<&Lockfile>) -> Self {
        let mut by_name: HashMap<String, Vec<(String, Option<Version>)>> = HashMap::default();
        for (path, entry) in lockfile.into_iter().flat_map(|lockfile| &lockfile.packages) {
            let version = entry.version.as_deref().and_then(Version::parse);
            by_name.entry(path.name().to_owned()).or_default().push((entry.package_name(path).to_owned(), version));
        }
        Self(by_name)
    }

    /// Some entry of that name fits.
    pub(super) fn has(&self, name: &str, spec: &Spec) -> bool {
        let entries = self.0.get(name);
        entries.is_some_and(|all| all.iter().any(|(package, version)| spec.admits(package, version.as_ref(), true)))
    }
}

impl Builder<'_> {
    /// Puts the project into the empty tree.
    pub(super) fn plant(&mut self, root: &LockEntry, rules: Option<Arc<Rules>>) -> NodeId {
        let name = root.name.clone().unwrap_or_default();
        let version = root.version.as_deref().and_then(Version::parse);
        let package = Arc::new(Package::new(Arc::from(name), version, root.clone()));
        // The name is empty so that no dependency is ever taken for the project itself.
        let nameless = self.graph.name("");
        let project = self.graph.create_bare(&nameless, &package, None);
        self.graph.project = Some(project);
        self.graph[project].rules = rules;
        self.graph.load_edges(project);
        project
    }

    /// Puts every entry of a lockfile where it says, and notes what it left open on purpose.
    pub(super) fn restore(&mut self, project: NodeId, lockfile: &Lockfile) {
        let mut paths: Vec<&InstallPath> = lockfile.packages.keys().filter(|path| !path.is_root()).collect();
        paths.sort_by_key(|path| path.depth());
        let mut nodes: HashMap<InstallPath, NodeId> = HashMap::from_iter([(InstallPath::ROOT, project)]);
        let mut links = Vec::new();
        for path in paths {
            let Some(&parent) = path.parent().and_then(|parent| nodes.get(&parent)) else { continue };
            let entry = &lockfile.packages[path];
            if entry.link {
                links.push((path, parent, entry));
                continue;
            }
            let package = Arc::new(package_of(path, entry));
            let name = self.graph.name(path.name());
            let node = self.graph.create(&name, &package, None, None);
            self.graph.attach(node, parent);
            self.register(node);
            nodes.insert(path.clone(), node);
        }
        for (path, parent, entry) in links {
            let target = entry.resolved.as_deref().and_then(|at| nodes.get(at)).copied();
            if let Some(target) = target.filter(|&target| target != project) {
                let package = Arc::clone(&self.graph[target].package);
                let name = self.graph.name(path.name());
                let link = self.graph.create_bare(&name, &package, None);
                self.graph[link].link = Some(target);
                self.graph.attach(link, parent);
                self.register(link);
            }
        }
        self.accept_as_locked(project, lockfile);
    }

    /// What a lockfile leaves wanting was decided when it was written, and is not decided again: an optional dependency
    /// that could not be had, a peer that had to make do with another version.
    fn accept_as_locked(&mut self, project: NodeId, lockfile: &Lockfile) {
        let locked_root = lockfile.packages.get(&InstallPath::ROOT);
        for node in self.placed() {
            let edges: Vec<EdgeId> = self.graph[node].edges_out.values().copied().collect();
            for edge in edges {
                let it = &self.graph[edge];
                let locked_spec = locked_root.and_then(|root| root.optional_dependencies.get(&*it.name));
                let is_locked_so = node != project || locked_spec.is_some_and(|spec| **spec == *it.raw_spec);
                if it.kind == EdgeKind::Optional && is_locked_so && (it.to.is_none() || !self.graph.is_valid(edge)) {
                    self.left_open.insert(edge);
                }
                if it.to.is_some() && it.kind.is_peer() && node != project && !self.graph.is_valid(edge) {
                    self.graph[edge].is_conceded = true;
                }
            }
        }
    }

    /// Queues every package that is not all right.
    pub(super) fn enqueue_problems(&mut self, project: NodeId) {
        for node in self.placed() {
            let edges = &self.graph[node].edges_out;
            if edges.values().any(|&edge| self.graph[edge].to.is_none() || !self.graph.is_valid(edge)) {
                self.enqueue(node);
            }
        }
        self.enqueue(project);
    }
}

/// A locked package without its flags, which depend on the tree.
fn package_of(path: &InstallPath, entry: &LockEntry) -> Package {
    let mut bare = entry.clone();
    bare.name = None;
    bare.dev = false;
    bare.optional = false;
    bare.dev_optional = false;
    bare.peer = false;
    bare.in_bundle = false;
    bare.extra.shift_remove("extraneous");
    let version = entry.version.as_deref().and_then(Version::parse);
    Package::new(Arc::from(entry.package_name(path)), version, bare)
}

/// The project as the lockfile's root entry describes it.
pub(crate) fn root_entry(manifest: &Manifest) -> LockEntry {
    LockEntry {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        license: manifest.license.clone(),
        has_install_script: manifest.has_install_script,
        dependencies: manifest.dependencies.clone(),
        dev_dependencies: manifest.dev_dependencies.clone(),
        optional_dependencies: manifest.optional_dependencies.clone(),
        peer_dependencies: manifest.peer_dependencies.clone(),
        peer_dependencies_meta: manifest.peer_dependencies_meta.clone(),
        bundle_dependencies: manifest.bundle_dependencies.clone(),
        bin: manifest.bin.clone(),
        engines: manifest.engines.clone(),
        os: manifest.os.clone(),
        cpu: manifest.cpu.clone(),
        libc: manifest.libc.clone(),
        funding: manifest.funding.clone(),
        ..LockEntry::default()
    }
}
