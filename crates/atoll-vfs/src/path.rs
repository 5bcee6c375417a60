//! Checked paths. A [`GuestPath`] is what a guest may name; a [`LayerPath`] is what a layer may be asked for.

use crate::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest path in bytes, as Linux (`PATH_MAX` less its NUL).
pub const MAX_PATH_BYTES: usize = 4095;

/// Longest name of a file in bytes, as Linux (`NAME_MAX`). Layers refuse longer ones, when they come to them.
pub const MAX_NAME_BYTES: usize = 255;

/// Why text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It contains a NUL byte.
    #[error("a path must not contain a null byte")]
    Nul,
    /// It is empty, which the kernel answers with `ENOENT`.
    #[error("a path must not be empty")]
    Empty,
    /// It is longer than [`MAX_PATH_BYTES`].
    #[error("the path is too long")]
    TooLong,
}

impl PathError {
    /// The error number that the kernel would give for it.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Nul => Errno::EINVAL,
            Self::Empty => Errno::ENOENT,
            Self::TooLong => Errno::ENAMETOOLONG,
        }
    }
}

/// How a path was written at its end, which matters to calls that create, remove or rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// With a name, or it is the root.
    Name,
    /// With a slash after a name: what it names must be a directory.
    Slash,
    /// With `.`: it names a directory by itself, not by its name.
    Dot,
    /// With `..`: likewise.
    Parent,
}

/// An absolute path in the guest's tree: no NUL, no empty and no `.` components, no `..` at its start.
///
/// `..` after a name is kept: what it means depends on whether the name is a symbolic link, which the mount table finds
/// out as a kernel does. How it was written at its end is kept as [`GuestPath::ending`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestPath {
    /// `/` or `/a/b`.
    bytes: Vec<u8>,
    ending: Ending,
}

impl GuestPath {
    /// The root, `/`.
    pub fn root() -> Self {
        Self { bytes: vec![b'/'], ending: Ending::Name }
    }

    /// An absolute path; a relative one is taken from the root.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, PathError> {
        Self::root().join(path)
    }

    /// `path` as seen from this directory; an absolute `path` is itself.
    pub fn join(&self, path: impl AsRef<Path>) -> Result<Self, PathError> {
        self.join_bytes(path.as_ref().as_os_str().as_bytes())
    }

    /// As [`GuestPath::join`], from bytes.
    pub fn join_bytes(&self, path: &[u8]) -> Result<Self, PathError> {
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.contains(&0) {
            return Err(PathError::Nul);
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let base = if path[0] == b'/' || self.is_root() { &[][..] } else { &self.bytes };
        let mut bytes = Vec::with_capacity(base.len() + 1 + path.len());
        bytes.extend_from_slice(base);
        if is_plain(path) {
            if path[0] != b'/' {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(path);
            return if bytes.len() > MAX_PATH_BYTES {
                Err(PathError::TooLong)
            } else {
                Ok(Self { bytes, ending: Ending::Name })
            };
        }
        for component in path.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." if bytes.is_empty() => {}
                name => {
                    bytes.push(b'/');
                    bytes.extend_from_slice(name);
                }
            }
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let last = path.split(|byte| *byte == b'/').rfind(|component| !component.is_empty());
        let ending = match last {
            Some(b".") => Ending::Dot,
            Some(b"..") => Ending::Parent,
            Some(_) if path.ends_with(b"/") => Ending::Slash,
            _ => Ending::Name,
        };
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        Ok(Self { bytes, ending })
    }

    /// The path as bytes: `/` or `/a/b`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path for functions of the standard library that work on text only (`file_name`, `extension`, …). It is a
    /// guest's path: opening it on the host is a fault.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes))
    }

    /// How it was written at its end.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether it must name a directory, by the way it was written at its end.
    pub fn wants_directory(&self) -> bool {
        self.ending != Ending::Name
    }

    /// Whether it is `/`.
    pub fn is_root(&self) -> bool {
        self.bytes == b"/"
    }

    /// The components, in order; `..` may be among them.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == b'/').filter(|component| !component.is_empty())
    }

    /// Whether a component is `..`.
    pub fn has_parent_components(&self) -> bool {
        // Cheap before exact: most paths have no two dots side by side.
        self.bytes.windows(2).any(|pair| pair == b"..") && self.components().any(|component| component == b"..")
    }

    /// The path without its last component; the root is its own parent.
    #[must_use]
    pub fn parent(&self) -> Self {
        let end = self.bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0).max(1);
        Self { bytes: self.bytes[..end].to_vec(), ending: Ending::Name }
    }

    /// The last component; none for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// What follows when `prefix` leads to this path, on component borders: `/a/b` after `/a` is `b`, `/ab` is not
    /// below `/a`.
    pub fn strip_prefix(&self, prefix: &Self) -> Option<LayerPath<'_>> {
        if prefix.is_root() {
            return Some(LayerPath(&self.bytes[1..], Links::Followed));
        }
        let rest = self.bytes.strip_prefix(prefix.bytes.as_slice())?;
        match rest {
            [] => Some(LayerPath(rest, Links::Followed)),
            [b'/', below @ ..] => Some(LayerPath(below, Links::Followed)),
            _ => None,
        }
    }

    /// This directory's path extended by checked components.
    pub(crate) fn extended(&self, below: LayerPath<'_>) -> Self {
        let mut bytes = self.bytes.clone();
        if !below.0.is_empty() {
            if bytes != b"/" {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(below.0);
        }
        Self { bytes, ending: Ending::Name }
    }

    /// The same path, written without a slash at its end.
    pub(crate) fn without_slash(mut self) -> Self {
        self.ending = Ending::Name;
        self
    }
}

/// Whether a path has no empty name and none that begins with a dot: the common case, which needs no look at each name.
fn is_plain(path: &[u8]) -> bool {
    let mut before = if path[0] == b'/' { 0 } else { b'/' };
    for byte in path {
        if before == b'/' && matches!(byte, b'/' | b'.') {
            return false;
        }
        before = *byte;
    }
    before != b'/'
}

impl AsRef<Path> for GuestPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl std::fmt::Display for GuestPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.as_path().display())
    }
}

impl std::fmt::Debug for GuestPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.wants_directory() { "/" } else { "" };
        write!(formatter, "GuestPath({}{slash})", self.as_path().display())
    }
}

/// A path below a layer's root: names joined by single slashes, never `.` or `..`, no slash at either end. Empty for
/// the root itself. There is no other way to one than through its checks:
///
/// ```
/// use atoll_vfs::LayerPath;
/// assert!(LayerPath::new(b"src/main.js").is_some());
/// assert!(LayerPath::new(b"../secret").is_none());
/// ```
/// ```compile_fail
/// let unchecked = atoll_vfs::LayerPath(b"../secret");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerPath<'a>(&'a [u8], Links);

/// What a layer does with a symbolic link that it would have to follow.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Links {
    /// It follows it.
    Followed,
    /// It says that the link leads out.
    LeadOut,
}

impl<'a> LayerPath<'a> {
    /// The layer's root.
    pub const ROOT: LayerPath<'static> = LayerPath(b"", Links::Followed);

    /// A checked path; none when `path` is not in the form that this type promises.
    pub fn new(path: &'a [u8]) -> Option<Self> {
        let plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
        let checked = path.is_empty() || path.split(|byte| *byte == b'/').all(plain);
        (checked && path.len() <= MAX_PATH_BYTES).then_some(Self(path, Links::Followed))
    }

    /// The same path, for which a layer answers [`LayerError::Leaves`](crate::LayerError::Leaves) where it would have to
    /// follow a symbolic link, wherever that leads. What it answers otherwise is about the file of exactly these names.
    #[must_use]
    pub fn without_links(self) -> Self {
        Self(self.0, Links::LeadOut)
    }

    /// Whether links are not to be followed.
    pub fn refuses_links(self) -> bool {
        self.1 == Links::LeadOut
    }

    /// The path as bytes: `` or `a/b`.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether it is the layer's root.
    pub fn is_root(self) -> bool {
        self.0.is_empty()
    }

    /// Its names, in order.
    pub fn components(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + Clone {
        self.0.split(|byte| *byte == b'/').filter(|component| !component.is_empty())
    }

    /// Directory and name; none for the root.
    pub fn split_last(self) -> Option<(LayerPath<'a>, &'a [u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (LayerPath(&self.0[..slash], self.1), &self.0[slash + 1..]),
            None => (LayerPath(b"", self.1), self.0),
        })
    }
}

impl std::fmt::Debug for LayerPath<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LayerPath({})", OsStr::from_bytes(self.0).display())
    }
}
