//! The unpacked form: one package as a directory of files, which are numbered.
//!
//! A package's own directories are made where it is linked to, and not here as well: a directory takes the kernel as long as
//! five files. Only so that none becomes large, there is one for each [`DIRECTORY_FILES`] files after the first ones: ext4
//! looks through a block of up to 340 names for each that it adds. Nor can two paths that some file system takes for the same
//! get in each other's way here.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use atoll_sys::fs::{Mode, OFlags, make_dir_at, open_at, open_root, unlink_at};

use super::{
    EntryName, MachineKey,
    content::{CONTENT_BYTES, ContentHasher},
    index::{self, Form, INDEX_BYTES_MAX, IndexedFile},
    key::PROOF_BYTES,
    modified_ns,
    pack::{CopyError, copy, encode},
};

/// What the proofs of unpacked entries are for.
const PURPOSE: &str = "atoll store entry 4";

/// A directory in the making. What is in it is named relative to it: the kernel then walks a part of the path only.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    dir: OwnedFd,
    /// The next file's number.
    next: u32,
    /// Where a file is, made for one after another.
    name: String,
}

/// Files of one directory. With fewer, more directories take longer than what looking through a block saves.
const DIRECTORY_FILES: u32 = 64;

/// What was written.
pub(super) struct Written {
    pub(super) number: u32,
    pub(super) content: [u8; CONTENT_BYTES],
    pub(super) modified_ns: i128,
}

impl DirectoryWriter {
    /// Makes the entry's directory.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: open_root(dir)?, next: 0, name: String::new() })
    }

    /// Writes a file of `bytes` bytes of `content`.
    pub(super) fn add(
        &mut self,
        executable: bool,
        bytes: u64,
        content: &mut dyn BufRead,
        hasher: ContentHasher,
    ) -> Result<Written, CopyError> {
        let number = self.next;
        if number > 0 && number.is_multiple_of(DIRECTORY_FILES) {
            let made = make_dir_at(&self.dir, number.to_string().as_bytes(), Mode::from_raw_mode(0o777));
            made.map_err(|errno| CopyError::Write(errno.into()))?;
        }
        self.next += 1;
        write_name(number, &mut self.name);
        let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let opened = open_at(&self.dir, self.name.as_bytes(), flags, mode).map_err(io::Error::from);
        let mut file = File::from(opened.map_err(CopyError::Write)?);
        let content = copy(bytes, content, hasher, |piece| file.write_all(piece))?;
        let metadata = file.metadata().map_err(CopyError::Write)?;
        Ok(Written { number, content, modified_ns: modified_ns(&metadata) })
    }

    /// Takes a file away that another one replaces.
    pub(super) fn remove(&self, number: u32) -> io::Result<()> {
        Ok(unlink_at(&self.dir, name(number).as_bytes())?)
    }
}

/// Where the file of this number is in its entry: the first ones are in the entry's own directory, the others in directories that
/// have the number of their first.
pub(crate) fn name(number: u32) -> String {
    let mut name = String::new();
    write_name(number, &mut name);
    name
}

/// The same, in a text that is there.
pub(crate) fn write_name(number: u32, name: &mut String) {
    name.clear();
    let written = if number < DIRECTORY_FILES {
        write!(name, "{number}")
    } else {
        write!(name, "{}/{number}", number - number % DIRECTORY_FILES)
    };
    debug_assert!(written.is_ok(), "memory takes everything");
}

/// Where an entry's proof and index are.
pub(super) fn index_path(dir: &Path) -> PathBuf {
    dir.join("index")
}

/// Writes proof and index.
pub(super) fn seal(dir: &Path, name: &EntryName, files: &[IndexedFile], key: &MachineKey) -> io::Result<()> {
    let index = encode(files, Form::Unpacked)?;
    let mut bytes = key.prove(PURPOSE, &[&name.0, &index]).to_vec();
    bytes.extend_from_slice(&index);
    fs::write(index_path(dir), bytes)
}

/// Reads and checks the index from its open file of `length` bytes. `None` when this machine did not make it for this
/// name.
pub(super) fn believe(
    file: &File,
    length: u64,
    name: &EntryName,
    key: &MachineKey,
) -> io::Result<Option<Vec<IndexedFile>>> {
    if length > INDEX_BYTES_MAX + PROOF_BYTES as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    (&*file).read_exact(&mut bytes)?;
    let Some((proof, index)) = bytes.split_at_checked(PROOF_BYTES) else { return Ok(None) };
    if !key.believes(proof, PURPOSE, &[&name.0, index]) {
        return Ok(None);
    }
    Ok(index::decode(index, None))
}

/// Whether a file is still as it was written, as far as size and time tell.
pub(super) fn is_untouched(metadata: &fs::Metadata, file: &IndexedFile) -> bool {
    metadata.is_file() && metadata.len() == file.bytes && modified_ns(metadata) == file.modified_ns
}
