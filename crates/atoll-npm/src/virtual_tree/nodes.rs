//! What the lockfile says of the tree: packages, links and the directories that they are in. Nothing of this is read from
//! a package.

use std::collections::HashMap;

use super::recipe::{Recipe, RecipePackage};
use crate::integrity::{BadIntegrity, Integrity};

/// Position in [`Nodes`].
pub(super) type NodeId = u32;
/// Position among the packages.
pub(super) type PackageId = u32;

/// `node_modules` itself.
pub(super) const ROOT: NodeId = 0;

/// Most packages of a tree: a million. Numbers of files have room for twice as many.
const PACKAGES_MAX: usize = 1 << 20;

/// A directory or link that the lockfile asks for.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// By name, sorted.
    children: Box<[(Box<[u8]>, NodeId)]>,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    /// A directory that is there because of what is in it: `node_modules`, a scope, `.bin`. Below a package it has what
    /// the package itself brings at that place, too.
    Directory(Option<Place>),
    /// The directory of a package.
    Package(PackageId),
    /// A symbolic link with this text.
    Link(Box<[u8]>),
}

/// A directory in a package: the package, and the path in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) package: PackageId,
    pub(super) path: Box<[u8]>,
}

/// A package of the tree.
#[derive(Debug)]
pub(super) struct LockedPackage {
    /// Name and version, for messages.
    pub(super) label: Box<str>,
    pub(super) integrity: Integrity,
    /// Files that its commands run, relative to the package.
    pub(super) commands: Box<[Box<str>]>,
}

/// The tree of a lockfile.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
}

/// Why there can be no such tree.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// The lockfile has no usable digest for a package.
    #[error("{0} has no usable integrity: {1}")]
    Integrity(String, BadIntegrity),
    /// More than [`PACKAGES_MAX`].
    #[error("there are more than {PACKAGES_MAX} packages")]
    TooMany,
}

impl Nodes {
    /// The tree of a recipe, and its packages.
    pub(super) fn new(recipe: &Recipe) -> Result<(Self, Vec<LockedPackage>), Unfit> {
        if recipe.packages.len() > PACKAGES_MAX {
            return Err(Unfit::TooMany);
        }
        let mut growing = Growing::default();
        let mut packages = Vec::with_capacity(recipe.packages.len());
        // Parents first: what lies in a package is merged with it.
        for RecipePackage { path, label, integrity, commands } in &recipe.packages {
            let integrity = Integrity::parse(integrity).map_err(|error| Unfit::Integrity(label.to_string(), error))?;
            let commands = commands.clone().into();
            packages.push(LockedPackage { label: label.clone(), integrity, commands });
            let node = growing.make(names(path));
            growing.kinds[node as usize] = NodeKind::Package(id(packages.len() - 1));
        }
        for (path, target) in &recipe.links {
            let node = growing.make(names(path));
            growing.kinds[node as usize] = NodeKind::Link(target.as_bytes().into());
        }
        for (path, commands) in &recipe.bins {
            let modules = (!path.is_empty()).then_some("node_modules");
            let folder = growing.make(names(path).chain(modules).chain([".bin"]));
            for (name, target) in commands {
                let link = growing.child(folder, name);
                growing.kinds[link as usize] = NodeKind::Link(target.as_bytes().into());
            }
        }
        Ok((growing.finish(), packages))
    }

    pub(super) fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }

    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn child(&self, node: NodeId, name: &[u8]) -> Option<NodeId> {
        let children = &self.get(node).children;
        let index = children.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        Some(children[index].1)
    }

    /// Names and nodes of a directory, in the order of their bytes.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = (&[u8], &Node)> {
        self.get(node).children.iter().map(|(name, child)| (&**name, self.get(*child)))
    }

    /// The directory of a package whose names this one has, too.
    pub(super) fn place(&self, node: NodeId) -> Option<(PackageId, &[u8])> {
        match &self.get(node).kind {
            NodeKind::Package(package) => Some((*package, b"")),
            NodeKind::Directory(place) => place.as_ref().map(|place| (place.package, &*place.path)),
            NodeKind::Link(_) => None,
        }
    }
}

/// A tree in the making.
#[derive(Debug)]
struct Growing {
    kinds: Vec<NodeKind>,
    names: HashMap<(NodeId, Box<[u8]>), NodeId>,
}

impl Default for Growing {
    fn default() -> Self {
        Self { kinds: vec![NodeKind::Directory(None)], names: HashMap::new() }
    }
}

impl Growing {
    /// The node of these names; those that are missing become directories.
    fn make<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> NodeId {
        names.fold(ROOT, |node, name| self.child(node, name))
    }

    fn child(&mut self, node: NodeId, name: &str) -> NodeId {
        let next = id(self.kinds.len());
        let found = *self.names.entry((node, name.as_bytes().into())).or_insert(next);
        if found == next {
            let place = match &self.kinds[node as usize] {
                NodeKind::Package(package) => Some(Place { package: *package, path: name.as_bytes().into() }),
                NodeKind::Directory(Some(place)) => {
                    let path = [&*place.path, name.as_bytes()].join(&b'/');
                    Some(Place { package: place.package, path: path.into() })
                }
                _ => None,
            };
            self.kinds.push(NodeKind::Directory(place));
        }
        found
    }

    fn finish(self) -> Nodes {
        let mut children: Vec<Vec<(Box<[u8]>, NodeId)>> = Vec::new();
        children.resize_with(self.kinds.len(), Vec::new);
        for ((node, name), child) in self.names {
            children[node as usize].push((name, child));
        }
        let nodes = self.kinds.into_iter().zip(children).map(|(kind, mut children)| {
            children.sort_unstable();
            Node { kind, children: children.into() }
        });
        Nodes { nodes: nodes.collect() }
    }
}

/// The names of an install path below the topmost `node_modules`.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

fn id(index: usize) -> u32 {
    u32::try_from(index).expect("PACKAGES_MAX packages have fewer directories than 2³²")
}
