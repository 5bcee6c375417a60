//! The unpacked form: one package as a directory of files.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use atoll_sys::{
    Errno,
    fs::{Mode, OFlags, make_dir_at, open_at, open_root, unlink_at},
};

use super::{
    EntryName, MachineKey,
    index::{self, Form, INDEX_BYTES_MAX, IndexedFile},
    key::PROOF_BYTES,
    modified_ns,
    pack::{CopyError, copy, encode},
};

/// What the proofs of unpacked entries are for.
const PURPOSE: &str = "atoll store entry 2";

/// A directory in the making. What is in it is named relative to it: the kernel then walks a part of the path only.
#[derive(Debug)]
pub(super) struct DirectoryWriter {
    dir: OwnedFd,
    made: HashSet<String>,
}

/// What was written.
pub(super) struct Written {
    pub(super) content: [u8; blake3::OUT_LEN],
    pub(super) modified_ns: i128,
}

impl DirectoryWriter {
    /// Makes the entry's directory, and the one for the files in it.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = files_dir(dir);
        fs::create_dir(&dir)?;
        Ok(Self { dir: open_root(&dir)?, made: HashSet::new() })
    }

    /// Makes a directory, and those above it, unless that has been done.
    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for path in ends.map(|end| &path[..end]).filter(|path| !path.is_empty()) {
            if self.made.contains(path) {
                continue;
            }
            match make_dir_at(&self.dir, path.as_bytes(), Mode::from_raw_mode(0o777)) {
                // It may be there under a name that this file system takes for the same.
                Err(Errno::EXIST) => {
                    open_at(&self.dir, path.as_bytes(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
                        .map_err(|_| Errno::EXIST)?;
                }
                made => made?,
            }
            self.made.insert(path.to_owned());
        }
        Ok(())
    }

    /// Writes a file of `bytes` bytes of `content`. Its directory is there.
    pub(super) fn add(
        &mut self,
        path: &str,
        executable: bool,
        bytes: u64,
        content: &mut dyn BufRead,
    ) -> Result<Written, CopyError> {
        let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let opened = open_at(&self.dir, path.as_bytes(), flags, mode).map_err(io::Error::from);
        let mut file = File::from(opened.map_err(CopyError::Write)?);
        let content = copy(bytes, content, |piece| file.write_all(piece))?;
        let metadata = file.metadata().map_err(CopyError::Write)?;
        Ok(Written { content, modified_ns: modified_ns(&metadata) })
    }

    /// Takes a file away, for another one of its name.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        Ok(unlink_at(&self.dir, path.as_bytes())?)
    }
}

/// Where an entry's files are.
pub(super) fn files_dir(dir: &Path) -> PathBuf {
    dir.join("package")
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
