//! What a reader gets of a stored package, whichever form it is in.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rustix::fs::OFlags;

use super::{
    directory::is_untouched,
    index::{Form, IndexedFile},
    pack::{self, FOOTER_BYTES},
};

/// A believed package in the store. It keeps no file open by itself, so a process may have thousands of them; who reads
/// often keeps what [`Package::open`] gave.
#[derive(Debug)]
pub struct Package {
    files: Vec<IndexedFile>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Pack {
        path: PathBuf,
        footer: [u8; FOOTER_BYTES],
        /// The descriptor that readers have at the moment, for the next one to share.
        open: Mutex<Weak<File>>,
    },
    Directory(PathBuf),
}

impl Package {
    pub(super) fn packed(path: PathBuf, believed: pack::Believed) -> Self {
        let pack::Believed { files, footer } = believed;
        Self { files, place: Place::Pack { path, footer, open: Mutex::default() } }
    }

    pub(super) fn unpacked(dir: PathBuf, files: Vec<IndexedFile>) -> Self {
        Self { files, place: Place::Directory(dir) }
    }

    /// The form that was found.
    pub fn form(&self) -> Form {
        match self.place {
            Place::Pack { .. } => Form::Packed,
            Place::Directory(_) => Form::Unpacked,
        }
    }

    /// Its files, in the order of their paths.
    pub fn files(&self) -> &[IndexedFile] {
        &self.files
    }

    /// Where the bytes of the file at `index` are: a descriptor, the offset of the first one, and their number. All files
    /// of a pack share one descriptor for as long as anybody has it. Unpacked files are compared with their index first.
    ///
    /// The bytes themselves are as they were stored, unless something wrote to the store since:
    /// [`Store::verify`](super::Store::verify) tells.
    ///
    /// # Errors
    /// Of the system; `NotFound` when the package is no longer in the store, `InvalidData` when it was changed. They name
    /// no path.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn open(&self, index: usize) -> io::Result<(Arc<File>, u64, u64)> {
        let file = &self.files[index];
        match &self.place {
            Place::Pack { path, footer, open } => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                let shared = match open.upgrade() {
                    Some(shared) => shared,
                    None => Arc::new(open_pack(path, footer)?),
                };
                *open = Arc::downgrade(&shared);
                Ok((shared, file.offset, file.bytes))
            }
            Place::Directory(dir) => {
                let opened = open_plain(&dir.join(file.place_in_entry()))?;
                if !is_untouched(&opened.metadata()?, file) {
                    return Err(changed());
                }
                Ok((Arc::new(opened), 0, file.bytes))
            }
        }
    }
}

/// Opens a file for reading, if it is one: no links, and no pipe that would have it wait.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = File::options().read(true).custom_flags(flags.bits() as i32).open(path);
    opened.map_err(|error| match rustix::io::Errno::from_io_error(&error) {
        // A link is where a file was.
        Some(rustix::io::Errno::LOOP) => changed(),
        _ => error,
    })
}

/// Opens the pack whose index is known, and no other that may have taken its name.
fn open_pack(path: &Path, footer: &[u8; FOOTER_BYTES]) -> io::Result<File> {
    let file = open_plain(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && pack::is_same(&file, metadata.len(), footer)? { Ok(file) } else { Err(changed()) }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stored package was changed")
}
