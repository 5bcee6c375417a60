//! One form of a package from the other, without the network. Every byte is compared with the hash in the index on its
//! way, so neither form passes on what was changed in the other.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    sync::Arc,
};

use super::{Entry, EntryName, Form, Package, StageError, Staged, Store, StoreError};

use crate::integrity::Integrity;

/// Bytes read at once from a pack: 1 MiB, most packages by one call.
const BUFFER_BYTES: usize = 1 << 20;

impl Store {
    /// The unpacked entry for this integrity; unpacked now when only a pack is there. `None` when neither can be believed. A
    /// pack with a wrong byte is taken out.
    ///
    /// # Errors
    /// When the entry cannot be written.
    pub fn unpacked(&self, integrity: &Integrity) -> Result<Option<Entry>, StoreError> {
        let name = EntryName::of(integrity);
        if let Some(entry) = self.untouched(&name) {
            return Ok(Some(entry));
        }
        let Some(package) = self.pack(&name) else { return Ok(None) };
        match self.copy(&package, Form::Unpacked)? {
            Some(staged) => {
                if let Some(entry) = self.publish_as(staged, &name)? {
                    return Ok(Some(entry));
                }
            }
            None => self.discard(&name, &package)?,
        }
        Ok(self.untouched(&name))
    }

    /// The packed entry for this integrity; packed now when only an unpacked one is there. `None` when neither can be
    /// believed. An unpacked entry with a wrong byte is taken out.
    ///
    /// # Errors
    /// When the entry cannot be written.
    pub fn packed(&self, integrity: &Integrity) -> Result<Option<Package>, StoreError> {
        let name = EntryName::of(integrity);
        if let Some(package) = self.pack(&name) {
            return Ok(Some(package));
        }
        let Some(Entry { dir, files, .. }) = self.untouched(&name) else { return Ok(None) };
        let package = Package::unpacked(dir, files);
        match self.copy(&package, Form::Packed)? {
            Some(staged) => drop(self.publish_as(staged, &name)?),
            None => self.discard(&name, &package)?,
        }
        Ok(self.pack(&name))
    }

    fn discard(&self, name: &EntryName, package: &Package) -> Result<(), StoreError> {
        self.take_out(&self.path(name, package.form())).map(|_| ())
    }

    /// A new entry of the other form with the files of this one, in the order in which they lie. `None` when this one is not
    /// what its index says.
    fn copy(&self, package: &Package, form: Form) -> Result<Option<Staged>, StoreError> {
        let mut staged = self.stage(form)?;
        let mut source = Source::new();
        for index in in_place_order(package) {
            let file = &package.files()[index];
            let Ok(content) = source.content(package, index) else { return Ok(None) };
            match staged.file(file.path.clone(), file.executable, file.bytes, content) {
                Ok(()) => {}
                Err(StageError::Read(_)) => return Ok(None),
                Err(StageError::Write(source)) => return Err(staged.write_error(source)),
                Err(StageError::Refused(problem)) => {
                    let source = io::Error::new(io::ErrorKind::AlreadyExists, format!("\"{}\" {problem}", file.path));
                    return Err(staged.write_error(source));
                }
            }
            if staged.files.last().is_none_or(|written| written.content != file.content) {
                return Ok(None);
            }
        }
        Ok(Some(staged))
    }
}

/// Reads the files of a package in the order in which they lie: those of a pack by few large reads.
pub(super) struct Source {
    reader: BufReader<Cursor>,
}

/// A descriptor that others may have as well, read from a position of its own.
struct Cursor {
    file: Option<Arc<File>>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        let count = file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Source {
    pub(super) fn new() -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, Cursor { file: None, at: 0 }) }
    }

    /// The content of a file, from its first byte on; it may go on past its last.
    pub(super) fn content(&mut self, package: &Package, index: usize) -> io::Result<&mut dyn BufRead> {
        let (file, offset, _) = package.open(index)?;
        let at = self.reader.get_ref().at - self.reader.buffer().len() as u64;
        let is_further =
            self.reader.get_ref().file.as_ref().is_some_and(|open| Arc::ptr_eq(open, &file)) && offset >= at;
        if is_further {
            // Between contents there can be what no index has: files that later ones of the tarball replaced.
            io::copy(&mut self.reader.by_ref().take(offset - at), &mut io::sink())?;
        } else {
            let capacity = BUFFER_BYTES.min(file.metadata()?.len() as usize);
            self.reader = BufReader::with_capacity(capacity, Cursor { file: Some(file), at: offset });
        }
        Ok(&mut self.reader)
    }
}

/// The files of a package in the order in which they lie.
pub(super) fn in_place_order(package: &Package) -> Vec<usize> {
    let mut order: Vec<usize> = (0..package.files().len()).collect();
    order.sort_by_key(|&index| package.files()[index].offset);
    order
}
