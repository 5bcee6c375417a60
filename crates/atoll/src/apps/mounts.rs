//! Directories of the host that a program is shown.

use crate::terminal::Failure;
use atoll_vfs::{Access, GuestPath, HostDir, MountError, MountTableBuilder};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `GUEST=HOST`, with the right to write behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantedMount {
    /// Where the program sees it: absolute.
    pub(crate) point: String,
    /// The directory, relative to the working directory or absolute.
    pub(crate) host: PathBuf,
    pub(crate) access: Access,
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
        // Only the last `:ro` or `:rw` is a right: a directory may have a colon in its name.
        let (host, access) = match rest.rsplit_once(':') {
            Some((host, "rw")) => (host, Access::ReadWrite),
            Some((host, "ro")) => (host, Access::ReadOnly),
            _ => (rest, Access::ReadOnly),
        };
        if point.is_empty() || host.is_empty() {
            return Err(GrantedMountError::Shape);
        }
        if !point.starts_with('/') {
            return Err(GrantedMountError::Relative(PathBuf::from(host)));
        }
        Ok(Self { point: point.to_owned(), host: PathBuf::from(host), access })
    }
}

impl GrantedMount {
    /// Adds it to what the program sees.
    pub(crate) fn add_to(&self, builder: MountTableBuilder, within: &Path) -> Result<MountTableBuilder, Failure> {
        let host = within.join(&self.host);
        let directory = match self.access {
            Access::ReadOnly => HostDir::read_only(host),
            Access::ReadWrite => HostDir::read_write(host),
        };
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("--mount {}: {error}", self.point));
        let directory = directory.map_err(|error| {
            failed(&error).hint(format!("{} has to be a directory that is there", self.host.display()))
        })?;
        builder.mount(&self.point, directory, self.access).map_err(|error| failed(&error))
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
    use super::{GrantedMount, GrantedMountError};
    use atoll_vfs::Access;
    use std::path::PathBuf;

    #[test]
    fn mounts() {
        let parsed = |text: &str| text.parse::<GrantedMount>();
        let mount = |point: &str, host: &str, access| {
            Ok(GrantedMount { point: point.to_owned(), host: PathBuf::from(host), access })
        };
        assert_eq!(parsed("/data=./data"), mount("/data", "./data", Access::ReadOnly));
        assert_eq!(parsed("/data=/srv/a:ro"), mount("/data", "/srv/a", Access::ReadOnly));
        assert_eq!(parsed("/data=/srv/a:rw"), mount("/data", "/srv/a", Access::ReadWrite));
        assert_eq!(parsed("/data=/srv/a:b"), mount("/data", "/srv/a:b", Access::ReadOnly));
        assert_eq!(parsed("/data=/srv/a:ro:rw"), mount("/data", "/srv/a:ro", Access::ReadWrite));
        assert_eq!(parsed("/data=a=b"), mount("/data", "a=b", Access::ReadOnly));
        for text in ["", "/data", "=", "/data=", "=x", "/data=:rw"] {
            assert_eq!(parsed(text), Err(GrantedMountError::Shape), "{text}");
        }
        assert_eq!(parsed("data=x"), Err(GrantedMountError::Relative(PathBuf::from("x"))));
    }
}
