//! Who finds whom: the lockfile's places as a graph, and which places are one instance.

use std::collections::{BTreeMap, HashMap};

use crate::lock::{InstallPath, LockEntry, Lockfile, in_tarballs};

/// What the packages of a lockfile find.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    /// Places with a package of their own or a bundled one; links are followed. Those nearest to the project first.
    pub(super) nodes: Vec<Node<'a>>,
    /// Instances, each as the nodes that are it, the first nearest to the project.
    pub(super) instances: Vec<Vec<usize>>,
    /// Each node's instance; that of a bundled one is its owner's.
    pub(super) instance_of: Vec<usize>,
    /// By owner, the nodes that come with its tarball, itself first; empty for bundled packages.
    families: Vec<Vec<usize>>,
}

/// One place.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) path: &'a InstallPath,
    pub(super) entry: &'a LockEntry,
    /// The node with whose tarball this package comes: itself, but for bundled packages.
    owner: usize,
    /// Where it is in the owner; empty for the owner itself.
    pub(super) inside: &'a str,
    /// What it depends on and finds, by name.
    pub(super) edges: BTreeMap<&'a str, Edge>,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// The node.
    pub(super) to: usize,
    /// It is the dependent's user who has to bring it.
    pub(super) is_peer: bool,
}

impl<'a> Graph<'a> {
    /// Of these entries of the lockfile.
    pub(super) fn new(lock: &'a Lockfile, wanted: &[(&'a InstallPath, &'a LockEntry)]) -> Self {
        let mut places: Vec<_> = wanted.iter().copied().filter(|(_, entry)| !entry.link).collect();
        places.sort_by_key(|(path, _)| (path.depth(), path.as_str()));
        let index: HashMap<&str, usize> =
            places.iter().enumerate().map(|(index, (path, _))| (path.as_str(), index)).collect();
        let in_tarballs = in_tarballs(&places);
        let mut nodes: Vec<Node<'a>> = Vec::with_capacity(places.len());
        for (position, (path, entry)) in places.iter().copied().enumerate() {
            // Parents come first, so that a bundled package in a bundled one finds the owner of both.
            let parent = path
                .parent()
                .filter(|_| in_tarballs.contains(path.as_str()))
                .and_then(|parent| index.get(parent.as_str()));
            let owner = parent.map_or(position, |parent| nodes[*parent].owner);
            let start = if owner == position { path.as_str().len() } else { places[owner].0.as_str().len() + 1 };
            let edges = BTreeMap::new();
            nodes.push(Node { path, entry, owner, inside: &path.as_str()[start..], edges });
        }
        let mut families = vec![Vec::new(); nodes.len()];
        for (position, node) in nodes.iter().enumerate() {
            families[node.owner].push(position);
        }
        let instance_of = vec![0; nodes.len()];
        let mut graph = Self { nodes, instances: Vec::new(), instance_of, families };
        for node in 0..graph.nodes.len() {
            let Node { path, entry, .. } = graph.nodes[node];
            graph.nodes[node].edges = edges(lock, &index, path, entry, true);
        }
        graph.find_instances();
        graph
    }

    /// What the project itself asks for and finds.
    pub(super) fn of_project(&self, lock: &'a Lockfile, with_dev: bool) -> BTreeMap<&'a str, Edge> {
        let Some((path, root)) = lock.packages.get_key_value(&InstallPath::ROOT) else { return BTreeMap::new() };
        edges(lock, &self.index(), path, root, with_dev)
    }

    /// What every name finds that looks from the top of the tree, and below it the first that has the name.
    pub(super) fn hoisted(
        &self,
        lock: &'a Lockfile,
        wanted: &[(&'a InstallPath, &'a LockEntry)],
    ) -> BTreeMap<&'a str, usize> {
        let (index, in_tarballs) = (self.index(), in_tarballs(wanted));
        let mut found: BTreeMap<&str, (usize, &str, usize)> = BTreeMap::new();
        for (path, entry) in wanted.iter().filter(|(path, _)| !in_tarballs.contains(path.as_str())) {
            let Some(node) = node_at(lock, &index, path, entry) else { continue };
            let candidate = (path.depth(), path.as_str(), node);
            let best = found.entry(path.name()).or_insert(candidate);
            *best = candidate.min(*best);
        }
        found.into_iter().map(|(name, (.., node))| (name, node)).collect()
    }

    fn index(&self) -> HashMap<&str, usize> {
        self.nodes.iter().enumerate().map(|(index, node)| (node.path.as_str(), index)).collect()
    }

    /// The nodes of an instance's first place that come with its tarball, itself first.
    pub(super) fn family(&self, instance: usize) -> &[usize] {
        &self.families[self.instances[instance][0]]
    }

    /// Puts places into one instance until something tells them apart: first what the package is, then again and again which
    /// instances its dependencies are, until that splits nothing any more.
    fn find_instances(&mut self) {
        let mut classes: HashMap<_, usize> = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for owner in (0..self.nodes.len()).filter(|node| self.nodes[*node].owner == *node) {
            let Node { path, entry, .. } = &self.nodes[owner];
            let content = entry.integrity.as_ref().or(entry.resolved.as_ref());
            let package = (entry.package_name(path), entry.version.as_deref(), content);
            let class = *classes.entry(package).or_insert_with(|| {
                members.push(Vec::new());
                members.len() - 1
            });
            members[class].push(owner);
            for node in &self.families[owner] {
                self.instance_of[*node] = class;
            }
        }
        loop {
            let before = members.len();
            let mut split = Vec::new();
            for class in (0..before).filter(|class| members[*class].len() > 1) {
                let mut parts: Vec<(Vec<_>, Vec<usize>)> = Vec::new();
                for owner in &members[class] {
                    let sees = self.sees(*owner);
                    match parts.iter_mut().find(|(other, _)| *other == sees) {
                        Some((_, part)) => part.push(*owner),
                        None => parts.push((sees, vec![*owner])),
                    }
                }
                if parts.len() > 1 {
                    split.push((class, parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>()));
                }
            }
            for (class, parts) in split {
                for (number, part) in parts.into_iter().enumerate() {
                    let class = if number == 0 { class } else { members.len() };
                    for node in part.iter().flat_map(|owner| &self.families[*owner]) {
                        self.instance_of[*node] = class;
                    }
                    if number == 0 { members[class] = part } else { members.push(part) }
                }
            }
            if members.len() == before {
                break;
            }
        }
        self.instances = members;
    }

    /// What can be found from a tarball: where in it, by which name, which instance, and where in that.
    fn sees(&self, owner: usize) -> Vec<(&'a str, &'a str, usize, &'a str)> {
        let mut sees = Vec::new();
        for node in &self.families[owner] {
            for (name, edge) in &self.nodes[*node].edges {
                sees.push((self.nodes[*node].inside, *name, self.instance_of[edge.to], self.nodes[edge.to].inside));
            }
        }
        sees
    }

    /// What tells an instance from others, as a text of 32 digits: everything that can be reached from it.
    pub(super) fn digest(&self, instance: usize) -> String {
        let mut numbers = HashMap::from([(instance, 0_usize)]);
        let mut queue = vec![instance];
        let mut hasher = blake3::Hasher::new();
        let mut next = 0;
        while let Some(instance) = queue.get(next).copied() {
            next += 1;
            let first = self.instances[instance][0];
            let Node { path, entry, .. } = &self.nodes[first];
            let content = entry.integrity.as_ref().or(entry.resolved.as_ref());
            let texts = [Some(entry.package_name(path)), entry.version.as_deref(), content.map(String::as_str)];
            for text in texts.map(Option::unwrap_or_default) {
                feed(&mut hasher, text);
            }
            let sees = self.sees(first);
            hasher.update(&(sees.len() as u64).to_le_bytes());
            for (inside, name, found, where_in_it) in sees {
                let new = numbers.len();
                let number = *numbers.entry(found).or_insert_with(|| {
                    queue.push(found);
                    new
                });
                feed(&mut hasher, inside);
                feed(&mut hasher, name);
                hasher.update(&(number as u64).to_le_bytes());
                feed(&mut hasher, where_in_it);
            }
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

fn feed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// What the package at a place finds of what it names. What was left out on this machine is not found.
fn edges<'a>(
    lock: &'a Lockfile,
    index: &HashMap<&str, usize>,
    path: &InstallPath,
    entry: &'a LockEntry,
    with_dev: bool,
) -> BTreeMap<&'a str, Edge> {
    let regular = entry.dependencies.keys().chain(entry.optional_dependencies.keys());
    let regular = regular.chain(entry.dev_dependencies.keys().filter(|_| with_dev));
    // What is a peer and a dependency is a peer, as for pnpm. Names in the last list alone are peers that may be absent.
    let names = entry.peer_dependencies.keys().map(|name| (name, true));
    let names = names.chain(regular.map(|name| (name, false)));
    let names = names.chain(entry.peer_dependencies_meta.keys().map(|name| (name, true)));
    let mut edges = BTreeMap::new();
    for (name, is_peer) in names {
        let found = lock.lookup(path, name).and_then(|(path, entry)| node_at(lock, index, path, entry));
        if let Some(to) = found {
            edges.entry(name.as_str()).or_insert(Edge { to, is_peer });
        }
    }
    edges
}

/// The node at a place, or where the link there leads.
fn node_at(lock: &Lockfile, index: &HashMap<&str, usize>, path: &InstallPath, entry: &LockEntry) -> Option<usize> {
    if !entry.link {
        return index.get(path.as_str()).copied();
    }
    let (path, entry) = lock.packages.get_key_value(entry.resolved.as_deref()?)?;
    if entry.link { None } else { index.get(path.as_str()).copied() }
}
