//! Which entries of a lockfile belong on this machine.

use std::collections::{HashMap, HashSet};

use super::{InstallPath, LockEntry, Lockfile};

/// What a package can ask of a machine, in Node's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `process.platform`: `linux`, `darwin`, `win32`.
    pub os: String,
    /// `process.arch`: `x64`, `arm64`.
    pub cpu: String,
    /// `glibc` or `musl` on Linux, `None` elsewhere.
    pub libc: Option<String>,
}

/// Kinds of dependencies that are not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omit {
    /// Leave out what only development needs.
    pub dev: bool,
    /// Leave out what only optional dependencies need.
    pub optional: bool,
    /// Leave out what only peer dependencies need.
    pub peer: bool,
}

/// A package that is not optional does not run on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{package} does not support this machine: it wants {wanted}, this is {actual}")]
pub struct BadPlatform {
    /// Name and version.
    pub package: String,
    /// Its `os`, `cpu` and `libc`.
    pub wanted: String,
    /// The machine's.
    pub actual: String,
}

impl Platform {
    /// Whether a package with these lists runs here. A list names what fits, or with `!` what does not; `any` fits all.
    pub fn fits(&self, entry: &LockEntry) -> bool {
        list_admits(&entry.os, Some(&self.os))
            && list_admits(&entry.cpu, Some(&self.cpu))
            && list_admits(&entry.libc, self.libc.as_deref())
    }
}

/// Of these entries, the bundled ones that come with the tarball of a package. What the project itself bundles has the same
/// flag, and is a package like any other until the project is published.
pub(crate) fn in_tarballs<'a>(entries: &[(&'a InstallPath, &'a LockEntry)]) -> HashSet<&'a str> {
    let bundled: HashMap<&str, (&'a InstallPath, &'a LockEntry)> = entries
        .iter()
        .filter(|(_, entry)| entry.in_bundle)
        .map(|(path, entry)| (path.as_str(), (*path, *entry)))
        .collect();
    if bundled.is_empty() {
        return HashSet::new();
    }
    let is_packed = |holder: &InstallPath| !holder.is_root() && !bundled.contains_key(holder.as_str());
    let at = |holder: &InstallPath, name: &str| holder.child(name).and_then(|path| bundled.get(path.as_str())).copied();
    let mut within: HashMap<String, Vec<_>> = HashMap::new();
    let mut pending = Vec::new();
    for (path, entry) in bundled.values().copied() {
        let Some(holder) = path.parent() else { continue };
        if is_packed(&holder) {
            pending.push((path, entry));
        }
        within.entry(holder.as_str().to_owned()).or_default().push((path, entry));
        // A package that the project bundles brings along what it names itself, and what that needs.
        pending.extend(entry.bundle_dependencies.iter().filter_map(|name| at(path, name)));
    }
    let mut found = HashSet::new();
    while let Some((path, entry)) = pending.pop() {
        if found.insert(path.as_str()) {
            pending.extend(within.get(path.as_str()).into_iter().flatten());
            let holder = path.parent().filter(|holder| !holder.is_root());
            let needed = holder.iter().flat_map(|holder| entry.edge_names().filter_map(|name| at(holder, name)));
            pending.extend(needed);
        }
    }
    found
}

fn list_admits(list: &[String], value: Option<&str>) -> bool {
    if list.is_empty() || matches!(list, [only] if only == "any") {
        return true;
    }
    let Some(value) = value else { return false };
    let mut has_negation = false;
    let mut is_named = false;
    for entry in list {
        match entry.strip_prefix('!') {
            Some(refused) if refused == value => return false,
            Some(_) => has_negation = true,
            None => is_named |= entry == value,
        }
    }
    is_named || (has_negation && list.iter().all(|entry| entry.starts_with('!')))
}

impl Lockfile {
    /// The entries to install, in the lockfile's order, without the root: what is not omitted and runs here. An optional
    /// dependency that does not run here goes together with everything that only it needs.
    ///
    /// # Errors
    /// When a package that is not optional does not run here.
    pub fn wanted(&self, platform: &Platform, omit: Omit) -> Result<Vec<(&InstallPath, &LockEntry)>, BadPlatform> {
        let unfit = self.unfit(platform);
        let reached = self.reachable(&unfit);
        let mut wanted = Vec::with_capacity(self.packages.len());
        for (path, entry) in &self.packages {
            // A link has no flags of its own.
            let target = entry.resolved.as_deref().filter(|_| entry.link).and_then(|at| self.packages.get(at));
            if path.is_root() || omit.covers(target.unwrap_or(entry)) {
                continue;
            }
            if unfit.contains(path.as_str()) {
                if entry.optional || entry.dev_optional || !reached.contains(path.as_str()) {
                    continue;
                }
                return Err(bad_platform(path, entry, platform));
            }
            if reached.contains(path.as_str()) || !(entry.optional || entry.dev_optional) {
                wanted.push((path, entry));
            }
        }
        Ok(wanted)
    }

    fn unfit(&self, platform: &Platform) -> HashSet<&str> {
        let misfits = self.packages.iter().filter(|(path, entry)| !path.is_root() && !platform.fits(entry));
        misfits.map(|(path, _)| path.as_str()).collect()
    }

    /// Everything that Node's lookup reaches from the root without going through an `unfit` package.
    fn reachable(&self, unfit: &HashSet<&str>) -> HashSet<&str> {
        let mut reached = HashSet::new();
        let root = InstallPath::ROOT;
        let mut queue = vec![&root];
        while let Some(path) = queue.pop() {
            let Some(entry) = self.packages.get(path.as_str()) else { continue };
            for name in entry.edge_names() {
                if let Some((target, _)) = self.lookup(path, name)
                    && reached.insert(target.as_str())
                    && !unfit.contains(target.as_str())
                {
                    queue.push(target);
                }
            }
        }
        reached
    }

    /// What `require(name)` finds from the package at `from`: its own `node_modules` first, then each parent's.
    pub fn lookup(&self, from: &InstallPath, name: &str) -> Option<(&InstallPath, &LockEntry)> {
        let mut at = Some(from.clone());
        while let Some(path) = at {
            let candidate = path.child(name)?;
            if let Some((found, entry)) = self.packages.get_key_value(&candidate) {
                return Some((found, entry));
            }
            at = path.parent();
        }
        None
    }
}

impl Omit {
    fn covers(self, entry: &LockEntry) -> bool {
        (self.dev && entry.dev)
            || (self.optional && entry.optional)
            || (self.dev && self.optional && entry.dev_optional)
            || (self.peer && entry.peer)
    }
}

impl LockEntry {
    /// Names of all packages that this one refers to.
    pub fn edge_names(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .keys()
            .chain(self.dev_dependencies.keys())
            .chain(self.optional_dependencies.keys())
            .chain(self.peer_dependencies.keys())
            .map(String::as_str)
    }
}

fn bad_platform(path: &InstallPath, entry: &LockEntry, platform: &Platform) -> BadPlatform {
    let lists = [("os", &entry.os), ("cpu", &entry.cpu), ("libc", &entry.libc)];
    let wanted: Vec<String> = lists
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(field, list)| format!("{field} {}", list.join(" or ")))
        .collect();
    BadPlatform {
        package: format!("{}@{}", entry.package_name(path), entry.version.as_deref().unwrap_or("?")),
        wanted: wanted.join(", "),
        actual: format!("{} {} {}", platform.os, platform.cpu, platform.libc.as_deref().unwrap_or_default())
            .trim_end()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As npm writes it where the project bundles `a`, which bundles `inner`, and `b` bundles `d`.
    const LOCK: &str = r#"{ "lockfileVersion": 3, "packages": {
        "": { "dependencies": { "a": "1", "b": "1" }, "bundleDependencies": ["a"] },
        "node_modules/a": { "version": "1.0.0", "inBundle": true, "bundleDependencies": ["inner"],
            "dependencies": { "c": "2", "inner": "1" } },
        "node_modules/a/node_modules/c": { "version": "2.0.0", "inBundle": true },
        "node_modules/a/node_modules/deep": { "version": "1.0.0", "inBundle": true },
        "node_modules/a/node_modules/inner": { "version": "1.0.0", "inBundle": true, "dependencies": { "deep": "1" } },
        "node_modules/b": { "version": "1.0.0", "dependencies": { "d": "1" }, "bundleDependencies": ["d"] },
        "node_modules/b/node_modules/d": { "version": "1.0.0", "inBundle": true, "dependencies": { "e": "1" } },
        "node_modules/b/node_modules/d/node_modules/e": { "version": "1.0.0", "inBundle": true },
        "node_modules/c": { "version": "1.0.0" } } }"#;

    #[test]
    fn what_the_project_bundles_is_in_no_tarball() {
        let lock = Lockfile::parse("package-lock.json", LOCK).unwrap();
        let entries: Vec<_> = lock.packages.iter().collect();
        let mut found: Vec<&str> = in_tarballs(&entries).into_iter().collect();
        found.sort_unstable();
        let expected = [
            "node_modules/a/node_modules/deep",
            "node_modules/a/node_modules/inner",
            "node_modules/b/node_modules/d",
            "node_modules/b/node_modules/d/node_modules/e",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn many_bundled_packages_are_no_burden() {
        // Each is needed by the one before: whoever looks at all of them for each of them is not done in a day.
        let name = |index: usize| format!("p{index}");
        let entry = |index: usize| {
            let at = format!("node_modules/a/node_modules/{}", name(index));
            let value = serde_json::json!({
                "version": "1.0.0", "inBundle": true, "dependencies": { name(index + 1): "1" },
            });
            (at, value)
        };
        let mut packages: serde_json::Map<String, serde_json::Value> = (0..50_000).map(entry).collect();
        packages.insert(
            "node_modules/a".to_owned(),
            serde_json::json!({ "version": "1.0.0", "inBundle": true, "bundleDependencies": ["p0"] }),
        );
        let text = serde_json::json!({ "lockfileVersion": 3, "packages": packages }).to_string();
        let lock = Lockfile::parse("package-lock.json", &text).unwrap();
        let entries: Vec<_> = lock.packages.iter().collect();
        assert_eq!(in_tarballs(&entries).len(), 50_000);
    }
}
