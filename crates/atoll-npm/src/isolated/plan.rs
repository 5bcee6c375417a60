//! What has to change for a project to have a layout: what should be there against what is.

use std::{collections::HashSet, fs, io, path::Path};

use super::Layout;
use crate::{
    link::{HOISTED, INSTANCES, LinkFolder, Links, bins, state::Installed, unit_of},
    manifest::Manifest,
    plan::{Package, Plan, Shape, entries, is_intact, is_link, is_real_folder, pnpm_files},
};

impl<'a> Plan<'a> {
    /// Compares a layout with what is there.
    ///
    /// # Errors
    /// When a folder of the project cannot be listed.
    pub(crate) fn isolated(
        project: &Path,
        layout: Layout<'a>,
        installed: &Installed,
        manifest: &Manifest,
    ) -> io::Result<Self> {
        let mut comparison = Comparison { project, installed, plan: Plan::default(), kept: HashSet::new() };
        for package in &layout.packages {
            let is_known = installed.content(&package.place).is_some();
            if is_known && !package.needs_scripts(manifest, installed) && comparison.has(package) {
                comparison.kept.insert(unit_of(&package.place));
            } else {
                comparison.plan.replaced += usize::from(is_known);
                comparison.plan.build.push(package.clone());
            }
        }
        comparison.compare_instances(&layout)?;
        comparison.compare_folders(&layout)?;
        comparison.compare_commands(&layout);
        let Comparison { mut plan, kept, .. } = comparison;
        let is_kept = |package: &&Package<'_>| kept.contains(unit_of(&package.place));
        plan.kept = layout.packages.iter().filter(is_kept).map(|package| package.place.clone()).collect();
        plan.added = plan.build.len() - plan.replaced;
        let wanted: HashSet<&str> = layout.packages.iter().map(|package| package.place.as_str()).collect();
        plan.removed = installed.contents().filter(|place| !wanted.contains(place)).count();
        plan.remove.extend(pnpm_files(project));
        plan.remove.sort_unstable();
        plan.shape = Shape::Isolated(layout);
        Ok(plan)
    }
}

/// A plan in the making.
struct Comparison<'p, 'a> {
    project: &'p Path,
    installed: &'p Installed,
    plan: Plan<'a>,
    /// Folders of instances whose packages stay.
    kept: HashSet<&'p str>,
}

impl Comparison<'_, '_> {
    /// Whether the package is there, and as it was put there.
    fn has(&self, package: &Package<'_>) -> bool {
        let place = &package.place;
        self.installed.content(place) == package.entry.integrity.as_deref()
            && place.match_indices('/').all(|(end, _)| is_real_folder(&self.project.join(&place[..end])))
            && is_intact(&self.project.join(place), self.installed.written, package.path, package.entry)
    }

    /// Whether a folder goes in place with the instance that it is in, or with all of them.
    fn is_placed(&self, folder: &str) -> bool {
        let is_within = folder.strip_prefix(INSTANCES).is_some_and(|rest| rest.starts_with('/'));
        let unit = unit_of(folder);
        // The folder of the links to one version of everything is no instance's.
        is_within && (self.kept.is_empty() || unit != HOISTED && unit != folder && !self.kept.contains(unit))
    }

    /// Instances whose packages do not stay are put in place whole; if none stays, all of them at once.
    fn compare_instances(&mut self, layout: &Layout<'_>) -> io::Result<()> {
        if self.kept.is_empty() {
            let all = INSTANCES.to_owned();
            if !layout.packages.is_empty() {
                self.plan.place.push(all);
            } else if fs::symlink_metadata(self.project.join(&all)).is_ok() {
                self.plan.remove.push(all);
            }
            return Ok(());
        }
        self.plan.place = self.plan.build.iter().map(|package| unit_of(&package.place).to_owned()).collect();
        let wanted: HashSet<&str> = layout.packages.iter().map(|package| unit_of(&package.place)).collect();
        let there = entries(&self.project.join(INSTANCES))?.into_iter().map(|(name, _)| format!("{INSTANCES}/{name}"));
        self.plan.remove.extend(there.filter(|path| path != HOISTED && !wanted.contains(path.as_str())));
        Ok(())
    }

    fn compare_folders(&mut self, layout: &Layout<'_>) -> io::Result<()> {
        let placed: Vec<_> = layout.links.iter().filter(|(folder, _)| self.is_placed(folder)).collect();
        self.plan.links =
            placed.into_iter().map(|(path, links)| LinkFolder { path: path.clone(), links: links.clone() }).collect();
        let none = Links::new();
        let links_in = |folder: &str| layout.links.get(folder).unwrap_or(&none);
        self.compare_folder("node_modules", links_in("node_modules"), |_| true)?;
        if !self.kept.is_empty() {
            self.compare_folder(HOISTED, links_in(HOISTED), |_| true)?;
        }
        for (package, inner) in layout.packages.iter().zip(&layout.inner) {
            let unit = unit_of(&package.place);
            if !self.kept.contains(unit) {
                continue;
            }
            let beside = format!("{unit}/node_modules");
            self.compare_folder(&beside, links_in(&beside), |path| path != package.place)?;
            for folder in inner {
                // Tarballs bring no links: those that are there were made for another tree.
                let project = self.project;
                self.compare_folder(folder, links_in(folder), |path| is_link(&project.join(path)))?;
            }
        }
        Ok(())
    }

    /// Plans the links of a folder that stays, and takes away what else is there and `is_stray`. Hidden names are `.bin`, our own,
    /// and other tools'.
    fn compare_folder(&mut self, folder: &str, links: &Links, is_stray: impl Fn(&str) -> bool) -> io::Result<()> {
        let at = self.project.join(folder);
        let mut missing = links.clone();
        let mut compare = |name: String| {
            let path = format!("{folder}/{name}");
            let is_there = |text: &String| {
                fs::read_link(self.project.join(&path)).is_ok_and(|present| present.as_os_str() == text.as_str())
            };
            match links.get(&name) {
                Some(text) if is_there(text) => {
                    missing.remove(&name);
                }
                None if is_stray(&path) => self.plan.remove.push(path),
                _ => {}
            }
        };
        if is_real_folder(&at) {
            for (name, is_folder) in entries(&at)? {
                if name.starts_with('@') && is_folder {
                    entries(&at.join(&name))?.into_iter().for_each(|(inner, _)| compare(format!("{name}/{inner}")));
                } else if !name.starts_with('.') {
                    compare(name);
                }
            }
        } else if folder != "node_modules" && fs::symlink_metadata(&at).is_ok() {
            self.plan.remove.push(folder.to_owned());
        }
        if !missing.is_empty() {
            self.plan.place.extend(missing.keys().map(|name| format!("{folder}/{name}")));
            self.plan.links.push(LinkFolder { path: folder.to_owned(), links: missing });
        }
        Ok(())
    }

    fn compare_commands(&mut self, layout: &Layout<'_>) {
        let expected = layout.commands(&HashSet::new());
        let kept = layout.packages.iter().filter(|package| self.kept.contains(unit_of(&package.place)));
        let folders = kept.map(|package| format!("{}/node_modules/.bin", package.place));
        let folders = folders.chain(["node_modules/.bin".to_owned(), format!("{HOISTED}/.bin")]);
        let stale = folders.filter(|folder| !expected.contains_key(folder) && !self.is_placed(folder));
        let stale: Vec<_> = stale.filter(|folder| fs::symlink_metadata(self.project.join(folder)).is_ok()).collect();
        self.plan.remove.extend(stale);
        for (path, links) in expected {
            if !self.is_placed(&path) {
                let folder = self.project.join(&path);
                let is_real = folder.parent().is_some_and(is_real_folder) && is_real_folder(&folder);
                if is_real && bins::is_current(&folder, &links) {
                    continue;
                }
                self.plan.place.push(path.clone());
            }
            self.plan.bins.push(LinkFolder { path, links });
        }
    }
}
