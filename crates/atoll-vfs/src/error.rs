//! The error that guests get.

use crate::Errno;
use std::path::Path;

/// A failed call of the guest filesystem, in Node's terms. Its text is Node's message:
/// `ENOENT: no such file or directory, open '/app/x'`, or with two paths `…, rename '/a' -> '/b'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsError {
    /// What went wrong.
    pub errno: Errno,
    /// Name of the call as Node names it: `open`, `stat`, `scandir`.
    pub syscall: &'static str,
    /// The guest path it was about; none for calls on an open file.
    pub path: Option<String>,
    /// The second guest path of `rename`, `link`, `symlink`, `copyfile`.
    pub dest: Option<String>,
}

impl FsError {
    /// An error about no path: of a call on an open file.
    pub fn new(errno: Errno, syscall: &'static str) -> Self {
        Self { errno, syscall, path: None, dest: None }
    }

    /// About this path. Node's errors carry paths as the program wrote them, so callers that know the original
    /// spelling put it here.
    #[must_use]
    pub fn with_path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_string_lossy().into_owned());
        self
    }

    /// With this second path.
    #[must_use]
    pub fn with_dest(mut self, dest: impl AsRef<Path>) -> Self {
        self.dest = Some(dest.as_ref().to_string_lossy().into_owned());
        self
    }
}

impl std::fmt::Display for FsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, {}", self.errno, self.syscall)?;
        if let Some(path) = &self.path {
            write!(formatter, " '{path}'")?;
        }
        if let Some(dest) = &self.dest {
            write!(formatter, " -> '{dest}'")?;
        }
        Ok(())
    }
}

impl std::error::Error for FsError {}
