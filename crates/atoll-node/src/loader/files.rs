//! The guest's files as the resolver sees them, within bounds.
//!
//! The resolver remembers every path that it ever looked at. Guests choose paths, so [`GuestFiles`] counts what it was
//! asked: a single resolution may make [`MAX_CALLS_PER_RESOLUTION`] calls, after which nothing exists any more, and the
//! loader replaces a resolver whose memory could exceed [`MAX_REMEMBERED_BYTES`].

use atoll_vfs::{FileKind, FsError, GuestPath, MountTable};
use oxc_resolver::{FileMetadata, FileSystem, ResolveError};
use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Largest `package.json` or `tsconfig.json` read, in bytes. The largest known in the npm registry are below 1 MiB.
pub(super) const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Deepest nesting of brackets in a `package.json` or `tsconfig.json`: values are dropped recursively.
const MAX_CONFIG_DEPTH: u32 = 128;

/// File system calls of one resolution. An import of a package makes about ten, in a deep tree a hundred.
const MAX_CALLS_PER_RESOLUTION: u32 = 50_000;

/// Memory that a resolver may use for the paths that it knows, in bytes, before it is replaced.
pub(super) const MAX_REMEMBERED_BYTES: usize = 64 << 20;

/// What the resolver keeps for a path beside its text, about, in bytes.
const PATH_OVERHEAD_BYTES: usize = 320;

thread_local! {
    /// Calls left to the resolution that runs on this thread.
    static CALLS_LEFT: Cell<u32> = const { Cell::new(MAX_CALLS_PER_RESOLUTION) };
}

/// Gives the next resolution on this thread its full number of calls.
pub(super) fn start_resolution() {
    CALLS_LEFT.set(MAX_CALLS_PER_RESOLUTION);
}

/// Bytes that a resolver remembers, shared with its file system.
pub(super) type Remembered = Arc<AtomicUsize>;

/// The mount table, for the resolver.
pub(super) struct GuestFiles {
    mounts: Arc<MountTable>,
    remembered: Remembered,
}

impl GuestFiles {
    pub(super) fn new(mounts: Arc<MountTable>, remembered: Remembered) -> Self {
        Self { mounts, remembered }
    }

    fn guest(&self, path: &Path) -> io::Result<GuestPath> {
        let left = CALLS_LEFT.get();
        if left == 0 {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        CALLS_LEFT.set(left - 1);
        self.remembered.fetch_add(path.as_os_str().len() + PATH_OVERHEAD_BYTES, Ordering::Relaxed);
        GuestPath::new(path).map_err(|error| io::Error::from_raw_os_error(error.errno().raw()))
    }
}

fn io_error(error: &FsError) -> io::Error {
    io::Error::from_raw_os_error(error.errno.raw())
}

impl FileSystem for GuestFiles {
    /// The resolver never makes a file system itself: the loader hands it one.
    fn new() -> Self {
        let nothing = MountTable::builder().build().expect("a table without mounts can be built");
        Self { mounts: Arc::new(nothing), remembered: Remembered::default() }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.mounts.read(&self.guest(path)?, MAX_CONFIG_BYTES).map_err(|error| io_error(&error))?;
        if too_deep(&bytes) {
            // Not JSON then: the resolver reports the package's configuration as broken.
            return Ok(b"nested too deeply".to_vec());
        }
        self.remembered.fetch_add(bytes.len().saturating_mul(8), Ordering::Relaxed);
        Ok(bytes)
    }

    fn read_to_string(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        let metadata = self.mounts.metadata(&self.guest(path)?).map_err(|error| io_error(&error))?;
        Ok(FileMetadata::new(metadata.is_file(), metadata.is_dir(), false))
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        let metadata = self.mounts.symlink_metadata(&self.guest(path)?).map_err(|error| io_error(&error))?;
        Ok(FileMetadata::new(metadata.is_file(), metadata.is_dir(), metadata.kind() == FileKind::Symlink))
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, ResolveError> {
        let target = self.mounts.read_link(&self.guest(path)?).map_err(|error| io_error(&error))?;
        Ok(PathBuf::from(OsString::from_vec(target)))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let real = self.mounts.canonicalize(&self.guest(path)?).map_err(|error| io_error(&error))?;
        Ok(real.as_path().to_path_buf())
    }
}

/// Whether JSON text (or what should be) is nested deeper than [`MAX_CONFIG_DEPTH`].
pub(super) fn too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for byte in json {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_CONFIG_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        assert!(!too_deep(br#"{"a":[1,{"b":"[[[[\"{{{{"}]}"#));
        assert!(!too_deep(format!("{{\"a\":\"{}\"}}", "[".repeat(1000)).as_bytes()));
        assert!(too_deep("[".repeat(129).as_bytes()));
        assert!(!too_deep(format!("{}{}", "[".repeat(128), "]".repeat(128)).as_bytes()));
    }
}
