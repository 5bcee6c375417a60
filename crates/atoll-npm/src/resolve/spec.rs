//! What a dependency's specification asks for.

use crate::version::{Range, Version};

/// A parsed specification, the right side of a `dependencies` entry.
#[derive(Clone, Debug)]
pub(super) enum Spec {
    /// Exactly this version, in canonical form.
    Version(Version),
    /// Any version of a range.
    Range(Range),
    /// What a dist-tag points to.
    Tag(String),
    /// Another package under this name: `npm:name@spec`.
    Alias { name: String, spec: Box<Spec> },
    /// Something that is not in a registry.
    Unsupported(SpecKind),
}

/// Kinds of specifications that do not name a package of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecKind {
    /// A folder or tarball on this machine.
    File,
    /// A git repository.
    Git,
    /// A tarball behind a URL.
    Url,
    /// A member of the same workspace.
    Workspace,
    /// A `catalog:`, `jsr:`, `link:` or other protocol of another installer.
    Protocol,
    /// No specification at all.
    Invalid,
}

impl SpecKind {
    /// As a noun phrase for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::File => "a folder or tarball on this machine",
            Self::Git => "a git repository",
            Self::Url => "a tarball behind a URL",
            Self::Workspace => "a workspace member",
            Self::Protocol => "a protocol of another installer",
            Self::Invalid => "no valid specification",
        }
    }
}

impl Spec {
    /// Parses the specification. Never fails: what is not understood is [`Spec::Unsupported`].
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(alias) = text.strip_prefix("npm:") {
            return Self::parse_alias(alias);
        }
        if let Some(kind) = foreign_kind(text) {
            return Self::Unsupported(kind);
        }
        if let Some(version) = exact_version(text) {
            return Self::Version(version);
        }
        if let Some(range) = Range::parse(text) {
            return Self::Range(range);
        }
        let is_tag = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~!'()*".contains(&b));
        if is_tag { Self::Tag(text.to_owned()) } else { Self::Unsupported(SpecKind::Invalid) }
    }

    fn parse_alias(alias: &str) -> Self {
        let (name, spec) = match alias.char_indices().skip(1).find(|&(_, c)| c == '@') {
            Some((at, _)) => (&alias[..at], &alias[at + 1..]),
            None => (alias, ""),
        };
        match Self::parse(spec) {
            Self::Alias { .. } | Self::Unsupported(_) => Self::Unsupported(SpecKind::Invalid),
            _ if !crate::manifest::is_valid_name(name) => Self::Unsupported(SpecKind::Invalid),
            inner => Self::Alias { name: name.to_owned(), spec: Box::new(inner) },
        }
    }

    /// The registry's name for what a dependency called `name` asks for, and which of its versions.
    pub(super) fn target<'a>(&'a self, name: &'a str) -> (&'a str, &'a Self) {
        match self {
            Self::Alias { name, spec } => (name, spec),
            other => (name, other),
        }
    }

    /// Whether an installed package fits. A tag fits anything that came from a registry: a lockfile pins tags.
    pub(super) fn admits(&self, package: &str, version: Option<&Version>, is_from_registry: bool) -> bool {
        match self {
            Self::Range(range) if range.is_any() => true,
            Self::Range(range) => version.is_some_and(|version| range.contains(version)),
            Self::Version(exact) => version.is_some_and(|version| {
                version == exact || Range::parse(&exact.to_string()).is_some_and(|range| range.contains(version))
            }),
            Self::Tag(_) => is_from_registry,
            Self::Alias { name, spec } => name == package && spec.admits(package, version, is_from_registry),
            Self::Unsupported(_) => false,
        }
    }
}

/// A specification that is one version and no partial one (`1.2` is a range).
fn exact_version(text: &str) -> Option<Version> {
    Version::parse(text)
}

/// What a specification is when no registry has it; told by its shape, as npm does.
fn foreign_kind(text: &str) -> Option<SpecKind> {
    let is_archive = [".tgz", ".tar.gz", ".tar"].iter().any(|end| text.to_ascii_lowercase().ends_with(end));
    let is_path = text.starts_with('.') || text.starts_with('/') || text.starts_with("~/");
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("file" | "link" | "portal") => return Some(SpecKind::File),
        Some("workspace") => return Some(SpecKind::Workspace),
        Some("http" | "https") => return Some(SpecKind::Url),
        Some("git" | "github" | "gitlab" | "bitbucket" | "gist" | "ssh") => return Some(SpecKind::Git),
        Some(scheme) if scheme.starts_with("git+") || scheme.starts_with("git@") => return Some(SpecKind::Git),
        Some(_) => return Some(SpecKind::Protocol),
        None => {}
    }
    if is_path && text != "." || is_archive {
        return Some(SpecKind::File);
    }
    text.contains('/').then_some(SpecKind::Git)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> String {
        match Spec::parse(text) {
            Spec::Version(version) => format!("version {version}"),
            Spec::Range(_) => "range".to_owned(),
            Spec::Tag(tag) => format!("tag {tag}"),
            Spec::Alias { name, .. } => format!("alias {name}"),
            Spec::Unsupported(kind) => format!("{kind:?}"),
        }
    }

    #[test]
    fn shapes_are_told_apart() {
        for (text, expected) in [
            ("", "range"),
            ("*", "range"),
            ("^1.2.3", "range"),
            ("1.x || >=2", "range"),
            ("1.2.3", "version 1.2.3"),
            (" =v1.2.3 ", "version 1.2.3"),
            ("latest", "tag latest"),
            ("next-14", "tag next-14"),
            ("npm:lodash@^4", "alias lodash"),
            ("npm:@types/node@20", "alias @types/node"),
            ("npm:@types/node", "alias @types/node"),
            ("npm:npm:a@1", "Invalid"),
            ("npm:../x@1", "Invalid"),
            ("file:../a", "File"),
            ("./a", "File"),
            ("a.tgz", "File"),
            ("workspace:*", "Workspace"),
            ("git+ssh://git@host/a.git", "Git"),
            ("git@github.com:a/b.git", "Git"),
            ("user/repo", "Git"),
            ("https://host/a.tgz", "Url"),
            ("catalog:", "Protocol"),
            ("some words", "Invalid"),
        ] {
            assert_eq!(kind(text), expected, "{text:?}");
        }
    }
}
