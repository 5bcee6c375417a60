//! Reading a stored package file by file, without linking it anywhere.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
};

use rustix::{
    fs::{Access, OFlags},
    io::Errno,
};

use super::{IndexedFile, Store, modified_ns};
use crate::integrity::Integrity;

/// A believed package, whose files can be read.
#[derive(Debug)]
pub struct Package {
    files_dir: PathBuf,
    files: Vec<IndexedFile>,
}

impl Store {
    /// The package of this integrity, if it is here and can be believed. Reads its index and none of its files: whether
    /// those are what the index says is found out when they are opened.
    pub fn package(&self, integrity: &Integrity) -> Option<Package> {
        let dir = self.entry_dir(integrity);
        let files = self.read_index(&dir, integrity)?;
        Some(Package { files_dir: dir.join("package"), files })
    }

    /// Whether there is something under this integrity's name, believed or not: one `access`, which costs less than a
    /// `stat`, for whoever asks about thousands.
    pub fn contains(&self, integrity: &Integrity) -> bool {
        rustix::fs::access(self.entry_dir(integrity).join("index"), Access::EXISTS).is_ok()
    }
}

impl Package {
    /// The files, sorted by the bytes of their paths.
    pub fn files(&self) -> &[IndexedFile] {
        &self.files
    }

    /// The open file that has the content of `files()[index]`, and where in it that lies: offset and length in bytes.
    ///
    /// # Errors
    /// `NotFound` when the stored file is gone, `InvalidData` when it is not what the index says, and what the system
    /// says when it cannot be opened.
    pub fn open(&self, index: usize) -> io::Result<(Arc<File>, u64, u64)> {
        let file = self.files.get(index).ok_or(io::ErrorKind::NotFound)?;
        // Never through a link, and without waiting for whoever would write to a FIFO in the file's place.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(self.files_dir.join(&file.path));
        let opened = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => io::ErrorKind::InvalidData.into(),
            _ => error,
        })?;
        let metadata = opened.metadata()?;
        let is_untouched =
            metadata.is_file() && metadata.len() == file.bytes && modified_ns(&metadata) == file.modified_ns;
        if is_untouched { Ok((Arc::new(opened), 0, file.bytes)) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}
