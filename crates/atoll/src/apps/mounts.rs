//! Directories of the host that a program is shown.

use crate::terminal::Failure;
use atoll_vfs::{Access, GuestPath, HostDir, MountError, MountTableBuilder, Overlay, Quota};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a program may do with a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Read it.
    Read,
    /// Read and change it.
    Write,
    /// Read it, and make changes that are kept in memory and nobody else sees.
    Overlay,
}

/// `GUEST=HOST`, with the right to change it behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantedMount {
    /// Where the program sees it: absolute.
    pub(crate) point: String,
    /// The directory, relative to the working directory or absolute.
    pub(crate) host: PathBuf,
    pub(crate) right: Right,
}

/// A mount that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantedMountError {
    /// There is no `=`, or nothing on one side of it.
    #[error("write GUEST=HOST, as in /data=./data")]
    Shape,
    /// The guest's path is relative.
    #[error("the path that the program sees must be absolute, as in /data={}", .0.display())]
    Relative(PathBuf),
}

impl FromStr for GrantedMount {
    type Err = GrantedMountError;

    fn from_str(text: &str) -> Result<Self, GrantedMountError> {
        let (point, rest) = text.split_once('=').ok_or(GrantedMountError::Shape)?;
        // Only what comes last is a right: a directory may have a colon in its name.
        let (host, right) = match rest.rsplit_once(':') {
            Some((host, "rw")) => (host, Right::Write),
            Some((host, "ro")) => (host, Right::Read),
            Some((host, "overlay")) => (host, Right::Overlay),
            _ => (rest, Right::Read),
        };
        if point.is_empty() || host.is_empty() {
            return Err(GrantedMountError::Shape);
        }
        if !point.starts_with('/') {
            return Err(GrantedMountError::Relative(PathBuf::from(host)));
        }
        Ok(Self { point: point.to_owned(), host: PathBuf::from(host), right })
    }
}

impl GrantedMount {
    /// Adds it to what the program sees. `quota` is for the changes to each directory whose changes are kept in memory.
    pub(crate) fn add_to(
        &self,
        builder: MountTableBuilder,
        within: &Path,
        quota: Quota,
    ) -> Result<MountTableBuilder, Failure> {
        let host = within.join(&self.host);
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("--mount {}: {error}", self.point));
        let directory = match self.right {
            Right::Read | Right::Overlay => HostDir::read_only(host),
            Right::Write => HostDir::read_write(host),
        };
        let directory = directory.map_err(|error| failed(&error))?;
        let mounted = match self.right {
            Right::Read => builder.mount(&self.point, directory, Access::ReadOnly),
            Right::Write => builder.mount(&self.point, directory, Access::ReadWrite),
            Right::Overlay => {
                let overlay = Overlay::new(Arc::new(directory), quota).map_err(|error| failed(&error))?;
                builder.mount(&self.point, overlay, Access::ReadWrite)
            }
        };
        mounted.map_err(|error| failed(&error))
    }
}

/// Why mounts do not go together.
pub(crate) fn explain(error: &MountError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        MountError::NoDirectory(point) => failure.hint(format!(
            "make a directory for it where {} is, or choose a mount point that is directly below /",
            parent(point)
        )),
        _ => failure,
    }
}

fn parent(point: &GuestPath) -> String {
    point.parent().to_string()
}

#[cfg(test)]
mod tests {
    use super::{GrantedMount, GrantedMountError, Right};
    use std::path::PathBuf;

    #[test]
    fn mounts() {
        let parsed = |text: &str| text.parse::<GrantedMount>();
        let mount = |point: &str, host: &str, right| {
            Ok(GrantedMount { point: point.to_owned(), host: PathBuf::from(host), right })
        };
        assert_eq!(parsed("/data=./data"), mount("/data", "./data", Right::Read));
        assert_eq!(parsed("/data=/srv/a:ro"), mount("/data", "/srv/a", Right::Read));
        assert_eq!(parsed("/data=/srv/a:rw"), mount("/data", "/srv/a", Right::Write));
        assert_eq!(parsed("/data=/srv/a:b"), mount("/data", "/srv/a:b", Right::Read));
        assert_eq!(parsed("/data=/srv/a:ro:rw"), mount("/data", "/srv/a:ro", Right::Write));
        assert_eq!(parsed("/data=/srv/a:overlay"), mount("/data", "/srv/a", Right::Overlay));
        assert_eq!(parsed("/data=a=b"), mount("/data", "a=b", Right::Read));
        for text in ["", "/data", "=", "/data=", "=x", "/data=:rw"] {
            assert_eq!(parsed(text), Err(GrantedMountError::Shape), "{text}");
        }
        assert_eq!(parsed("data=x"), Err(GrantedMountError::Relative(PathBuf::from("x"))));
    }
}
