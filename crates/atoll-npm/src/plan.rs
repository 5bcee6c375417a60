//! What has to change in `node_modules`: the lockfile against what is there.
//!
//! What is there is known from npm's own description of it (`node_modules/.package-lock.json`), by whichever tool it was
//! written last. A package stays when the description has the same version and digest and its folder was not touched
//! since; a touched one is asked for its `package.json`. Without a description nothing stays: the folder came from a
//! tool whose layout we do not know, or an installation was cut off.

mod shape;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs, io,
    path::Path,
    time::SystemTime,
};

use serde_json::Value;

pub(crate) use shape::{Shape, is_within};

use crate::{
    link::{INSTANCES, LinkFolder, Links, bins, state::Installed},
    lock::{InstallPath, LockEntry, Lockfile, in_tarballs},
    manifest::Manifest,
};

/// Files in `node_modules` in which pnpm describes a tree.
const PNPM_FILES: [&str; 2] = ["node_modules/.modules.yaml", "node_modules/.pnpm-workspace-state-v1.json"];

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// A folder of the project cannot be listed.
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error(transparent)]
    LinkOut(#[from] LinkOut),
}

/// A link to somewhere outside of `node_modules`: the install path.
#[derive(Debug, thiserror::Error)]
#[error("{0} is a link out of node_modules")]
pub(crate) struct LinkOut(pub(crate) String);

/// What has to change.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Packages to build, parents before what is nested in them.
    pub(crate) build: Vec<Package<'a>>,
    /// Links to make, but for those of commands.
    pub(crate) links: Vec<LinkFolder>,
    /// `.bin` folders to write.
    pub(crate) bins: Vec<LinkFolder>,
    /// Of all that, what is put in place: paths relative to the project, of which none is inside another.
    pub(crate) place: Vec<String>,
    /// In pnpm's layout, where the packages are that stay as they are.
    pub(crate) kept: Vec<String>,
    /// Paths to take away, relative to the project.
    pub(crate) remove: Vec<String>,
    /// Packages that were not there.
    pub(crate) added: usize,
    /// Packages that take the place of another version.
    pub(crate) replaced: usize,
    /// Packages that go.
    pub(crate) removed: usize,
    /// Everything that will be there.
    pub(crate) shape: Shape<'a>,
}

/// One package as files.
#[derive(Clone, Debug)]
pub(crate) struct Package<'a> {
    /// Where it goes, relative to the project.
    pub(crate) place: String,
    /// Its key in the lockfile; where there are several, that nearest to the project.
    pub(crate) path: &'a InstallPath,
    pub(crate) entry: &'a LockEntry,
    /// The further ones.
    pub(crate) others: Vec<&'a InstallPath>,
    /// The project can do without it.
    pub(crate) is_optional: bool,
    /// See `Job`.
    pub(crate) without: Vec<String>,
}

impl Package<'_> {
    /// Whether its scripts may run, and did not when it was put where it is.
    pub(crate) fn needs_scripts(&self, manifest: &Manifest, installed: &Installed) -> bool {
        manifest.allows_scripts_of(self.entry.package_name(self.path))
            && self.entry.has_install_script
            && !installed.ran_scripts(&self.place)
    }
}

impl<'a> Plan<'a> {
    /// Compares npm's layout with what is there. `wanted` are the lockfile's entries that belong on this machine.
    ///
    /// # Errors
    /// When a folder of the project cannot be listed, or a link leads out of `node_modules`.
    pub(crate) fn hoisted(
        project: &Path,
        lock: &'a Lockfile,
        wanted: Vec<(&'a InstallPath, &'a LockEntry)>,
        installed: &Installed,
        manifest: &Manifest,
    ) -> Result<Self, PlanError> {
        let present = Present::new(project, installed);
        let in_tarballs = in_tarballs(&wanted);
        let mut plan = Self::default();
        let mut building: HashSet<&str> = HashSet::new();
        let mut kept: Vec<(&InstallPath, &LockEntry)> = Vec::new();
        let mut by_depth = wanted.clone();
        by_depth.sort_by_key(|(path, _)| (path.depth(), path.as_str()));
        for (path, entry) in by_depth {
            let parent_is_new = path.parent().is_some_and(|parent| building.contains(parent.as_str()));
            if in_tarballs.contains(path.as_str()) {
                // It comes with its dependent, and stays with it.
                if parent_is_new {
                    building.insert(path.as_str());
                }
                continue;
            }
            let package = Package {
                place: path.as_str().to_owned(),
                path,
                entry,
                others: Vec::new(),
                is_optional: entry.optional || entry.dev_optional,
                without: Vec::new(),
            };
            if !parent_is_new && !package.needs_scripts(manifest, installed) && present.has(path, entry) {
                kept.push((path, entry));
                continue;
            }
            let is_replaced = present.names(path);
            plan.replaced += usize::from(is_replaced);
            plan.added += usize::from(!is_replaced);
            building.insert(path.as_str());
            if entry.link {
                plan.links.push(package_link(path, entry)?);
            } else {
                plan.build.push(package);
            }
        }
        plan.leave_out_strays();
        plan.remove = extraneous(project, &wanted, &kept)?;
        plan.removed = plan.remove.len();
        plan.remove.extend(isolated_leftovers(project));
        plan.bins = changed_bins(project, lock, &wanted, &building);
        plan.place = outermost(&plan, &building);
        plan.shape = Shape::Hoisted { installed: wanted, root: lock.packages.get(&InstallPath::ROOT) };
        Ok(plan)
    }

    /// Has packages leave out of their own files what is where another package goes.
    fn leave_out_strays(&mut self) {
        let index: HashMap<&str, usize> =
            self.build.iter().enumerate().map(|(index, package)| (package.path.as_str(), index)).collect();
        let links =
            self.links.iter().flat_map(|folder| folder.links.keys().map(|name| format!("{}/{name}", folder.path)));
        let places = self.build.iter().map(|package| package.place.clone()).chain(links);
        let mut inner = Vec::new();
        for place in places {
            let ends = place.match_indices('/').map(|(end, _)| end);
            let outer = ends.rev().find_map(|end| Some((*index.get(&place[..end])?, end)));
            inner.extend(outer.map(|(outer, end)| (outer, place[end + 1..].to_owned())));
        }
        for (outer, folder) in inner {
            self.build[outer].without.push(folder);
        }
    }

    /// Whether `node_modules` is as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        self.build.is_empty() && self.links.is_empty() && self.bins.is_empty() && self.remove.is_empty()
    }
}

/// What is there.
struct Present<'a> {
    project: &'a Path,
    written: Option<SystemTime>,
    entries: HashMap<&'a str, &'a LockEntry>,
    /// Folders that have been looked at and are no links.
    real: RefCell<HashSet<String>>,
}

impl<'a> Present<'a> {
    fn new(project: &'a Path, installed: &'a Installed) -> Self {
        let packages = installed.lock.iter().flat_map(|lock| &lock.packages);
        Self {
            project,
            written: installed.written,
            entries: packages.map(|(path, entry)| (path.as_str(), entry)).collect(),
            real: RefCell::default(),
        }
    }

    /// Whether all folders that the package is in are real ones: a link would lead elsewhere.
    fn is_inside(&self, path: &InstallPath) -> bool {
        let ends = path.as_str().match_indices('/').map(|(at, _)| at);
        ends.map(|end| &path.as_str()[..end]).all(|folder| {
            self.real.borrow().contains(folder)
                || is_real_folder(&self.project.join(folder)) && self.real.borrow_mut().insert(folder.to_owned())
        })
    }

    fn names(&self, path: &InstallPath) -> bool {
        self.entries.contains_key(path.as_str())
    }

    fn has(&self, path: &InstallPath, entry: &LockEntry) -> bool {
        let Some(described) = self.entries.get(path.as_str()) else { return false };
        let is_same = described.version == entry.version
            && described.integrity == entry.integrity
            && described.package_name(path) == entry.package_name(path)
            && described.link == entry.link
            && (!entry.link || described.resolved == entry.resolved);
        if !is_same {
            return false;
        }
        if !self.is_inside(path) {
            return false;
        }
        let folder = self.project.join(path.as_str());
        if entry.link {
            return link_target(path, entry).is_some_and(|target| {
                fs::read_link(&folder).is_ok_and(|present| present.as_os_str() == target.as_str())
            });
        }
        is_intact(&folder, self.written, path, entry)
    }
}

/// Whether a package's folder was not touched since what is there was described, or at least says that it is this package.
pub(crate) fn is_intact(folder: &Path, written: Option<SystemTime>, path: &InstallPath, entry: &LockEntry) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    if !metadata.is_dir() {
        return false;
    }
    let is_untouched = match (metadata.modified(), written) {
        (Ok(modified), Some(written)) => modified <= written,
        _ => false,
    };
    is_untouched || is_package(folder, entry.package_name(path), entry.version.as_deref())
}

/// What the link at `path` says, for a lockfile's entry that is a link to another package of the tree (npm cuts endless
/// nesting that way). `None` when it leads anywhere else.
pub(crate) fn link_target(path: &InstallPath, entry: &LockEntry) -> Option<String> {
    let target = InstallPath::parse(entry.resolved.as_deref()?).ok().filter(|target| !target.is_root())?;
    // From the folder that the link is in: one level up for every part of the path but the last.
    let up = path.as_str().matches('/').count();
    Some(format!("{}{target}", "../".repeat(up)))
}

/// Whether the folder's own `package.json` says that it is this package.
fn is_package(folder: &Path, name: &str, version: Option<&str>) -> bool {
    let Ok(text) = fs::read(folder.join("package.json")) else { return false };
    let Ok(Value::Object(manifest)) = serde_json::from_slice(&text) else { return false };
    let field = |key: &str| manifest.get(key).and_then(Value::as_str);
    field("name") == Some(name) && field("version") == version
}

/// Paths in `node_modules` that nobody wants, there and in the `node_modules` of packages that stay. Hidden files and
/// folders are other tools' (`.cache`, `.vite`) and stay.
pub(crate) fn extraneous(
    project: &Path,
    wanted: &[(&InstallPath, &LockEntry)],
    kept: &[(&InstallPath, &LockEntry)],
) -> io::Result<Vec<String>> {
    let wanted: HashSet<&str> = wanted.iter().map(|(path, _)| path.as_str()).collect();
    let mut found = Vec::new();
    if !is_link(&project.join("node_modules")) {
        list_folder(project, "node_modules", &wanted, &mut found)?;
    }
    for (path, entry) in kept {
        let folder = format!("{path}/node_modules");
        if is_link(&project.join(&folder)) {
            // It would lead out of the project.
            found.push(folder);
        } else if entry.bundle_dependencies.is_empty() {
            list_folder(project, &folder, &wanted, &mut found)?;
        }
        // Else, what a package brought inside its tarball is its own affair.
    }
    found.sort_unstable();
    Ok(found)
}

fn list_folder(project: &Path, folder: &str, wanted: &HashSet<&str>, found: &mut Vec<String>) -> io::Result<()> {
    for (name, is_folder) in entries(&project.join(folder))? {
        let path = format!("{folder}/{name}");
        if name.starts_with('.') || wanted.contains(path.as_str()) {
            continue;
        }
        // A scope that is no real folder leads out of the project.
        if !name.starts_with('@') || !is_folder {
            found.push(path);
            continue;
        }
        for (inner, _) in entries(&project.join(&path))? {
            let inner = format!("{path}/{inner}");
            if !wanted.contains(inner.as_str()) {
                found.push(inner);
            }
        }
    }
    Ok(())
}

/// What pnpm's layout leaves that another does not replace: its packages, and pnpm's own descriptions of them.
pub(crate) fn isolated_leftovers(project: &Path) -> Vec<String> {
    let instances = Some(INSTANCES.to_owned()).filter(|path| fs::symlink_metadata(project.join(path)).is_ok());
    instances.into_iter().chain(pnpm_files(project)).collect()
}

/// Those that are there of the files in which pnpm describes a tree that is not there any more.
pub(crate) fn pnpm_files(project: &Path) -> impl Iterator<Item = String> {
    let is_there = |path: &&str| fs::symlink_metadata(project.join(path)).is_ok();
    PNPM_FILES.into_iter().filter(is_there).map(str::to_owned)
}

pub(crate) fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

pub(crate) fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Names in a folder, and whether each is a real folder (not a link to one). Names that are no text cannot be packages.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<(String, bool)>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if let Ok(name) = entry.file_name().into_string() {
            names.push((name, is_folder));
        }
    }
    Ok(names)
}

/// The `.bin` folders that have to be written: those in packages being built, and those that differ from what is there.
fn changed_bins(
    project: &Path,
    lock: &Lockfile,
    wanted: &[(&InstallPath, &LockEntry)],
    building: &HashSet<&str>,
) -> Vec<LinkFolder> {
    let mut expected = bins::commands(wanted.iter().copied(), lock.packages.get(&InstallPath::ROOT));
    // A folder whose last command went away has to become empty.
    for path in std::iter::once(&InstallPath::ROOT).chain(wanted.iter().map(|(path, _)| *path)) {
        if !building.contains(path.as_str()) && project.join(bin_folder(path)).is_dir() {
            expected.entry(path.clone()).or_default();
        }
    }
    expected.retain(|path, commands| {
        let folder = project.join(bin_folder(path));
        let leads_out = folder.parent().is_some_and(is_link);
        building.contains(path.as_str()) || leads_out || !bins::is_current(&folder, commands)
    });
    expected.into_iter().map(|(path, links)| LinkFolder { path: bin_folder(&path), links }).collect()
}

/// What is put in place by itself: packages and links that are not inside another, and `.bin` folders of packages that stay.
fn outermost(plan: &Plan<'_>, building: &HashSet<&str>) -> Vec<String> {
    let links = plan.links.iter().flat_map(|folder| folder.links.keys().map(|name| format!("{}/{name}", folder.path)));
    let bins = plan.bins.iter().map(|folder| folder.path.clone());
    let all = plan.build.iter().map(|package| package.place.clone()).chain(links).chain(bins);
    let is_inner = |path: &str| path.match_indices('/').any(|(end, _)| building.contains(&path[..end]));
    all.filter(|path| !is_inner(path)).collect()
}

/// A link to another package of the tree, by itself.
fn package_link(path: &InstallPath, entry: &LockEntry) -> Result<LinkFolder, LinkOut> {
    let text = link_target(path, entry).ok_or_else(|| LinkOut(path.to_string()))?;
    let folder = path.as_str()[..path.as_str().len() - path.name().len() - 1].to_owned();
    Ok(LinkFolder { path: folder, links: Links::from([(path.name().to_owned(), text)]) })
}

/// Path of a package's `.bin` folder, relative to the project.
pub(crate) fn bin_folder(path: &InstallPath) -> String {
    if path.is_root() { "node_modules/.bin".to_owned() } else { format!("{path}/node_modules/.bin") }
}
