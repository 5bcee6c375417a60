//! Where a package is installed, as a checked value.

use std::{borrow::Borrow, fmt};

use crate::manifest::is_valid_name;

/// A path relative to the project, made of `node_modules/<name>` steps only, or empty for the project itself.
///
/// A value of this type can be joined to the project's folder without leaving it: every step is a valid package name,
/// so there is no `..`, no absolute path, no backslash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstallPath(String);

/// Deepest nesting accepted, in packages. Real trees stay below 20; file systems refuse far deeper paths.
pub(super) const DEPTH_MAX: usize = 128;

const STEP: &str = "node_modules/";

impl InstallPath {
    /// The project itself.
    pub const ROOT: Self = Self(String::new());

    /// Checks a key of `packages`.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase that can follow the key.
    pub fn parse(key: &str) -> Result<Self, &'static str> {
        if key.is_empty() {
            return Ok(Self::ROOT);
        }
        if !key.starts_with(STEP) {
            return Err(
                "must start with node_modules/ (workspaces and folders outside node_modules are not supported yet)",
            );
        }
        let mut rest = key;
        let mut depth = 0_usize;
        loop {
            let Some(after) = rest.strip_prefix(STEP) else { return Err("must consist of node_modules/<name> steps") };
            let name_end = after.find("/node_modules/").unwrap_or(after.len());
            if !is_valid_name(&after[..name_end]) {
                return Err("contains a part that is not a valid package name");
            }
            depth += 1;
            if depth > DEPTH_MAX {
                return Err("is nested too deeply");
            }
            if name_end == after.len() {
                return Ok(Self(key.to_owned()));
            }
            rest = &after[name_end + 1..];
        }
    }

    /// The path as in the lockfile: empty, or `node_modules/a/node_modules/b`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the project itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder's name: `b` or `@scope/b`; empty for the root. Under an alias it is the alias.
    pub fn name(&self) -> &str {
        self.split().map_or("", |(_, name)| name)
    }

    /// The package in whose `node_modules` this one is; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.split().map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The path of a package inside this one's `node_modules`. `None` when `name` is no valid package name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Self> {
        if !is_valid_name(name) {
            return None;
        }
        Some(Self(if self.is_root() { format!("{STEP}{name}") } else { format!("{}/{STEP}{name}", self.0) }))
    }

    /// How many packages deep: 0 for the root.
    pub fn depth(&self) -> usize {
        if self.is_root() { 0 } else { self.0.matches("/node_modules/").count() + 1 }
    }

    fn split(&self) -> Option<(&str, &str)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rfind("/node_modules/") {
            Some(at) => (&self.0[..at], &self.0[at + 1 + STEP.len()..]),
            None => ("", &self.0[STEP.len()..]),
        })
    }
}

impl fmt::Display for InstallPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for InstallPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_apart_and_together() {
        let path = InstallPath::parse("node_modules/@a/b/node_modules/c").unwrap();
        assert_eq!((path.name(), path.depth()), ("c", 2));
        let parent = path.parent().unwrap();
        assert_eq!((parent.as_str(), parent.name()), ("node_modules/@a/b", "@a/b"));
        assert_eq!(parent.parent(), Some(InstallPath::ROOT));
        assert_eq!(parent.child("c"), Some(path));
        assert_eq!(InstallPath::ROOT.child("../x"), None);
        assert_eq!(InstallPath::parse(""), Ok(InstallPath::ROOT));
    }

    #[test]
    fn hostile_paths_are_refused() {
        for key in [
            "/etc",
            "..",
            "node_modules",
            "node_modules/",
            "node_modules/..",
            "node_modules/../x",
            "node_modules/a/../b",
            "node_modules/a/b",
            "node_modules/a/",
            "node_modules/@a",
            "node_modules/@a/..",
            "node_modules/@../b",
            "node_modules/.bin",
            "node_modules/a/node_modules",
            "node_modules/a//node_modules/b",
            "node_modules/node_modules/a",
            "node_modules\\a",
            "node_modules/a\\b",
            "node_modules/a\0b",
            "node_modules/C:",
            "packages/a",
        ] {
            assert!(InstallPath::parse(key).is_err(), "{key}");
        }
        assert!(InstallPath::parse(&"node_modules/a/".repeat(DEPTH_MAX)[..15 * DEPTH_MAX - 1]).is_ok());
        assert!(InstallPath::parse(&"node_modules/a/".repeat(DEPTH_MAX + 1)[..15 * DEPTH_MAX + 14]).is_err());
    }
}
