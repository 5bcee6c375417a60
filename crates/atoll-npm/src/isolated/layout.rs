//! The tree: where the packages are, which links there are, and which commands.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    graph::{Edge, Graph},
    name::names,
};
use crate::{
    link::{HOISTED, INSTANCES, Links, bins, unit_of},
    lock::{InstallPath, LockEntry, Lockfile},
    plan::{LinkOut, Package, link_target},
};

/// Everything that will be there.
#[derive(Debug, Default)]
pub(crate) struct Layout<'a> {
    /// One for each instance.
    pub(crate) packages: Vec<Package<'a>>,
    /// The `node_modules` in each of them, and in those that are bundled with it, whether or not they are there.
    pub(super) inner: Vec<Vec<String>>,
    /// Links by folder, but for those of commands.
    pub(crate) links: BTreeMap<String, Links>,
    /// Who has commands for a `.bin` folder, those first whose commands go first.
    bins: BTreeMap<String, Vec<Commander<'a>>>,
}

/// A package with commands.
#[derive(Debug)]
struct Commander<'a> {
    /// Where it is.
    place: String,
    /// The way to it from the `.bin` folder.
    way: String,
    entry: &'a LockEntry,
}

impl<'a> Layout<'a> {
    /// Of these entries of the lockfile. `with_dev` says whether the project gets what only its development needs.
    ///
    /// # Errors
    /// When a link leads out of `node_modules`.
    pub(crate) fn new(
        lock: &'a Lockfile,
        wanted: &[(&'a InstallPath, &'a LockEntry)],
        with_dev: bool,
    ) -> Result<Self, LinkOut> {
        for (path, entry) in wanted.iter().filter(|(_, entry)| entry.link) {
            link_target(path, entry).ok_or_else(|| LinkOut(path.to_string()))?;
        }
        let graph = Graph::new(lock, wanted);
        let places = Places::new(&graph);
        let mut layout = Self::default();
        let direct = graph.of_project(lock, with_dev);
        for (name, edge) in &direct {
            layout.add_link("node_modules", name, edge.to, &places);
            layout.add_commands("node_modules", "node_modules", name, edge.to, &places);
        }
        for (name, node) in graph.hoisted(lock, wanted).into_iter().filter(|(name, _)| !direct.contains_key(name)) {
            layout.add_link(HOISTED, name, node, &places);
            layout.add_commands(HOISTED, HOISTED, name, node, &places);
        }
        for instance in 0..graph.instances.len() {
            layout.add_instance(instance, &places);
        }
        Ok(layout)
    }

    fn add_instance(&mut self, instance: usize, places: &Places<'_, 'a>) {
        let graph = places.graph;
        let members = &graph.instances[instance];
        let first = &graph.nodes[members[0]];
        let place = places.of(members[0]);
        let own = format!("{place}/node_modules");
        let beside = &place[..place.len() - first.entry.package_name(first.path).len() - 1];
        self.add_commands(&own, beside, first.entry.package_name(first.path), members[0], places);
        let (mut without, mut inner) = (Vec::new(), Vec::new());
        for node in graph.family(instance) {
            let inside = graph.nodes[*node].inside;
            inner.push(format!("{}/node_modules", places.of(*node)));
            for (name, edge) in &graph.nodes[*node].edges {
                let folder = places.folder_of_link(*node, name, *edge);
                if inside.is_empty() {
                    self.add_commands(&own, folder.as_deref().unwrap_or(&own), name, edge.to, places);
                }
                if let Some(folder) = folder {
                    without.push(join(inside, &format!("node_modules/{name}")));
                    self.add_link(&folder, name, edge.to, places);
                }
            }
        }
        if self.bins.contains_key(&format!("{own}/.bin")) {
            without.push("node_modules/.bin".to_owned());
        }
        let is_optional = |node: &usize| graph.nodes[*node].entry.optional || graph.nodes[*node].entry.dev_optional;
        self.inner.push(inner);
        self.packages.push(Package {
            path: first.path,
            entry: first.entry,
            others: members[1..].iter().map(|node| graph.nodes[*node].path).collect(),
            is_optional: members.iter().all(is_optional),
            without,
            place,
        });
    }

    fn add_link(&mut self, folder: &str, name: &str, to: usize, places: &Places<'_, 'a>) {
        let link = format!("{folder}/{name}");
        let text = relative(parent_of(&link), &places.of(to));
        self.links.entry(folder.to_owned()).or_default().insert(name.to_owned(), text);
    }

    /// Has the commands of the package that is found as `name` in one folder, in the `.bin` of another.
    fn add_commands(&mut self, folder: &str, found_in: &str, name: &str, node: usize, places: &Places<'_, 'a>) {
        let entry = places.graph.nodes[node].entry;
        if bins::safe_bins(entry).next().is_none() {
            return;
        }
        let folder = format!("{folder}/.bin");
        let way = relative(&folder, &format!("{found_in}/{name}"));
        self.bins.entry(folder).or_default().push(Commander { place: places.of(node), way, entry });
    }

    /// The commands by `.bin` folder, without packages that are dropped and without folders in them.
    pub(crate) fn commands(&self, dropped: &HashSet<&str>) -> BTreeMap<String, Links> {
        let kept = self.bins.iter().filter(|(folder, _)| !dropped.contains(unit_of(folder)));
        let folders = kept.map(|(folder, commanders)| {
            let mut commands = Links::new();
            for commander in commanders.iter().filter(|commander| !dropped.contains(unit_of(&commander.place))) {
                for (name, target) in bins::safe_bins(commander.entry) {
                    commands.entry(name.to_owned()).or_insert_with(|| format!("{}/{target}", commander.way));
                }
            }
            (folder.clone(), commands)
        });
        folders.filter(|(_, commands)| !commands.is_empty()).collect()
    }

    /// Links, by path, that lead to what is dropped.
    pub(crate) fn links_to(&self, dropped: &HashSet<&str>) -> Vec<String> {
        let links = self
            .links
            .iter()
            .flat_map(|(folder, links)| links.iter().map(move |(name, text)| (format!("{folder}/{name}"), text)));
        let leads_there = |link: &str, text: &str| dropped.contains(unit_of(&followed(parent_of(link), text)));
        links.filter(|(link, text)| leads_there(link, text)).map(|(link, _)| link).collect()
    }

    /// Folders in which anything that is added or removed makes the tree another one, and the project's own links.
    pub(crate) fn watched(&self, dropped: &HashSet<&str>) -> Vec<String> {
        let gone: HashSet<String> = self.links_to(dropped).into_iter().collect();
        let mut watched = BTreeSet::new();
        for (folder, links) in self.links.iter().filter(|(folder, _)| !dropped.contains(unit_of(folder))) {
            let links = links.keys().map(|name| format!("{folder}/{name}")).filter(|link| !gone.contains(link));
            for link in links {
                if folder == "node_modules" {
                    watched.insert(link);
                } else {
                    // With a scope in the name, that is a folder in this one.
                    watched.extend([folder.clone(), parent_of(&link).to_owned()]);
                }
            }
        }
        watched.into_iter().collect()
    }
}

/// Where each instance is.
struct Places<'g, 'a> {
    graph: &'g Graph<'a>,
    /// The folder of its package and its dependencies, by instance.
    folders: Vec<String>,
}

impl<'g, 'a> Places<'g, 'a> {
    fn new(graph: &'g Graph<'a>) -> Self {
        let folders = names(graph).into_iter().map(|name| format!("{INSTANCES}/{name}/node_modules")).collect();
        Self { graph, folders }
    }

    /// The folder of a node's package.
    fn of(&self, node: usize) -> String {
        let instance = self.graph.instance_of[node];
        let first = &self.graph.nodes[self.graph.instances[instance][0]];
        let place = format!("{}/{}", self.folders[instance], first.entry.package_name(first.path));
        join(&place, self.graph.nodes[node].inside)
    }

    /// Where a link has to be for a node to find a dependency by its name: beside the instance's package; in the
    /// `node_modules` of the package where it has that name itself, or is bundled, and others must not find it. `None` when it
    /// is found without a link.
    fn folder_of_link(&self, node: usize, name: &str, edge: Edge) -> Option<String> {
        let (instance, inside) = (self.graph.instance_of[node], self.graph.nodes[node].inside);
        let first = &self.graph.nodes[self.graph.instances[instance][0]];
        let is_own_name = name == first.entry.package_name(first.path);
        if self.graph.instance_of[edge.to] == instance && (is_own_name || !self.graph.nodes[edge.to].inside.is_empty())
        {
            return None;
        }
        Some(if is_own_name || !inside.is_empty() {
            format!("{}/node_modules", self.of(node))
        } else {
            self.folders[instance].clone()
        })
    }
}

fn join(folder: &str, inside: &str) -> String {
    if folder.is_empty() || inside.is_empty() { format!("{folder}{inside}") } else { format!("{folder}/{inside}") }
}

fn parent_of(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..end])
}

/// Where a way leads from a folder.
fn followed(folder: &str, way: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in way.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The way from a folder to a path, both relative to the same.
fn relative(folder: &str, path: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (folder.split('/').collect(), path.split('/').collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let mut parts = vec![".."; from.len() - shared];
    parts.extend(&to[shared..]);
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_where_they_should() {
        for (folder, path, way) in [
            ("node_modules", "node_modules/.pnpm/a@1/node_modules/a", ".pnpm/a@1/node_modules/a"),
            ("node_modules/@s", "node_modules/.pnpm/@s+a@1/node_modules/@s/a", "../.pnpm/@s+a@1/node_modules/@s/a"),
            (
                "node_modules/.pnpm/a@1/node_modules",
                "node_modules/.pnpm/b@1/node_modules/b",
                "../../b@1/node_modules/b",
            ),
            ("a/b", "a/b/c", "c"),
            ("a/b", "c", "../../c"),
        ] {
            assert_eq!(relative(folder, path), way);
            assert_eq!(followed(folder, way), path);
        }
    }

    #[test]
    fn a_bundled_package_finds_what_its_tarball_lacks() {
        let text = r#"{"lockfileVersion":3,"packages":{
            "":{"dependencies":{"a":"1"}},
            "node_modules/a":{"version":"1.0.0","dependencies":{"inner":"9","out":"2"},"bundleDependencies":["inner"]},
            "node_modules/a/node_modules/deep":{"version":"1.0.0","inBundle":true},
            "node_modules/a/node_modules/inner":{"version":"9.0.0","inBundle":true,
                "dependencies":{"a":"1","deep":"1","out":"2"}},
            "node_modules/out":{"version":"2.0.0"}}}"#;
        let lock = Lockfile::parse("package-lock.json", text).unwrap();
        let wanted: Vec<_> = lock.packages.iter().filter(|(path, _)| !path.is_root()).collect();
        let layout = Layout::new(&lock, &wanted, true).unwrap();
        let links = layout.links.iter().flat_map(|(folder, links)| {
            links.iter().map(move |(name, text)| (format!("{folder}/{name}"), text.as_str()))
        });
        let links: BTreeMap<_, _> = links.collect();
        let beside = "node_modules/.pnpm/a@1.0.0/node_modules";
        let expected = [
            ("node_modules/a".to_owned(), ".pnpm/a@1.0.0/node_modules/a"),
            (format!("{beside}/a/node_modules/inner/node_modules/out"), "../../../../../../out@2.0.0/node_modules/out"),
            (format!("{beside}/out"), "../../out@2.0.0/node_modules/out"),
            ("node_modules/.pnpm/node_modules/out".to_owned(), "../out@2.0.0/node_modules/out"),
        ];
        assert_eq!(links, BTreeMap::from(expected));
        let places: Vec<_> = layout.packages.iter().map(|package| package.place.as_str()).collect();
        assert_eq!(places, [format!("{beside}/a").as_str(), "node_modules/.pnpm/out@2.0.0/node_modules/out"]);
        assert_eq!(layout.packages[0].without, ["node_modules/out", "node_modules/inner/node_modules/out"]);
    }
}
