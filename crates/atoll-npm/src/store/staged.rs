//! Packages on their way into the store.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, BufRead},
    mem::ManuallyDrop,
    path::PathBuf,
};

use super::{
    StoreError,
    content::ContentKey,
    directory::DirectoryWriter,
    index::{Form, IndexedFile},
    pack::{CopyError, PackWriter},
};

/// A package in the making, which nobody sees. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    pub(super) writer: Writer,
    pub(super) files: Vec<IndexedFile>,
    pub(super) temporary: Temporary,
    key: ContentKey,
    /// Path to its place in `files`.
    written: HashMap<String, usize>,
    /// Directories that files are in, or that were asked for.
    directories: HashSet<String>,
}

#[derive(Debug)]
pub(super) enum Writer {
    Pack(PackWriter),
    Directory(DirectoryWriter),
}

/// Why something cannot become a part of a package.
pub(crate) enum StageError {
    /// Its path contradicts what is there already; as a phrase that follows the path.
    Refused(&'static str),
    /// Its content could not be read.
    Read(io::Error),
    /// The disk does not take it.
    Write(io::Error),
}

impl From<CopyError> for StageError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::Read(error),
            CopyError::Write(error) => Self::Write(error),
        }
    }
}

impl Staged {
    pub(super) fn create(path: PathBuf, form: Form, key: ContentKey) -> io::Result<Self> {
        let temporary = Temporary(path);
        let writer = match form {
            Form::Packed => Writer::Pack(PackWriter::create(&temporary.0)?),
            Form::Unpacked => Writer::Directory(DirectoryWriter::create(&temporary.0)?),
        };
        let (files, written, directories) = (Vec::new(), HashMap::new(), HashSet::new());
        Ok(Self { writer, files, temporary, key, written, directories })
    }

    /// That it cannot be written to.
    pub(crate) fn write_error(&self, source: io::Error) -> StoreError {
        StoreError { action: "write to", path: self.temporary.0.clone(), source }
    }

    /// There is a directory of this name, and those above it. `path` is inside the package, well-formed, not empty. Only files
    /// are kept: a directory that has none is nowhere.
    pub(crate) fn directory(&mut self, path: &str) -> Result<(), StageError> {
        if self.directories.contains(path) {
            return Ok(());
        }
        let mut end = path.len();
        while end > 0 && !self.directories.contains(&path[..end]) {
            if self.written.contains_key(&path[..end]) {
                return Err(StageError::Refused("is a directory, or in one, that another entry says is a file"));
            }
            self.directories.insert(path[..end].to_owned());
            end = path[..end].rfind('/').unwrap_or(0);
        }
        Ok(())
    }

    /// Takes a file of `bytes` bytes of `content`. `path` is inside the package, well-formed, not empty.
    ///
    /// The last file of a path counts, as tar has it. In a pack the bytes of the others stay behind, in nobody's index.
    pub(crate) fn file(
        &mut self,
        path: String,
        executable: bool,
        bytes: u64,
        content: &mut dyn BufRead,
    ) -> Result<(), StageError> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent)?;
        }
        if self.directories.contains(&path) {
            return Err(StageError::Refused("is a file that another entry says is a directory"));
        }
        let replaced = self.written.get(&path).copied();
        let mut file = IndexedFile { path, bytes, executable, ..IndexedFile::default() };
        let hasher = self.key.hasher();
        match &mut self.writer {
            Writer::Pack(writer) => (file.offset, file.content) = writer.add(bytes, content, hasher)?,
            Writer::Directory(writer) => {
                if let Some(index) = replaced {
                    writer.remove(self.files[index].number).map_err(StageError::Write)?;
                }
                let written = writer.add(executable, bytes, content, hasher)?;
                (file.content, file.number, file.modified_ns) = (written.content, written.number, written.modified_ns);
            }
        }
        if let Some(index) = replaced {
            self.files[index] = file;
        } else {
            self.written.insert(file.path.clone(), self.files.len());
            self.files.push(file);
        }
        Ok(())
    }
}

/// Something in `stage/`, removed when dropped.
#[derive(Debug)]
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    /// It has another name now: nothing is left to remove.
    pub(super) fn keep(self) {
        drop(std::mem::take(&mut ManuallyDrop::new(self).0));
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed once it is old. It can be anything, when it is something that was evicted.
        let _ = fs::remove_file(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}
