//! The packed form: one package as one file.
//!
//! ```text
//! contents     the files' bytes, one after another, in the order of the tarball
//! index        see `index`: path, size, executable bit, offset and hash of every file, by path
//! footer       bytes of the index (u64, little endian) · proof (32 bytes) · magic (8 bytes)
//! ```
//! The index comes last so that a pack is written from begin to end in large pieces, while its tarball arrives, and needs
//! no second look at any byte. A reader asks for the file's last bytes, which is footer and index of most packages at
//! once. The proof is over the entry's name, where the contents end, and the index; that fixes the length of the file and,
//! by the index's hashes, every byte of every file. A pack that was cut short has no footer.

use std::{
    fs::{self, File},
    io::{self, BufRead, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use super::{
    EntryName, MachineKey,
    content::{CONTENT_BYTES, ContentHasher},
    index::{self, Form, INDEX_BYTES_MAX, IndexedFile},
    key::PROOF_BYTES,
};

/// What packs end with: the format and its version.
const MAGIC: [u8; 8] = *b"atollpk2";
/// Length of the footer.
pub(crate) const FOOTER_BYTES: usize = 8 + PROOF_BYTES + MAGIC.len();
/// What the proofs of packs are for.
const PURPOSE: &str = "atoll store pack 2";
/// Bytes held back before they are written, 1 MiB: most packages are written by one call.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes hashed and passed on at once, 128 KiB: they are in the processor's cache for both.
const PIECE_BYTES: usize = 128 << 10;
/// Bytes read from a pack's end at first, 16 KiB: the index of a package of up to some 200 files.
const TAIL_BYTES: usize = 16 << 10;
/// Nobody has a reason to write to a pack.
const MODE: u32 = 0o444;

/// A pack in the making.
#[derive(Debug)]
pub(super) struct PackWriter {
    file: File,
    buffer: Vec<u8>,
    flushed: u64,
}

/// Why a file's content did not arrive.
pub(super) enum CopyError {
    /// Where it came from gave an error, or less than it had said.
    Read(io::Error),
    /// The disk did not take it.
    Write(io::Error),
}

impl PackWriter {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
        Ok(Self { file, buffer: Vec::new(), flushed: 0 })
    }

    /// Adds `bytes` bytes of `content`; where they are and what they hash to.
    pub(super) fn add(
        &mut self,
        bytes: u64,
        content: &mut dyn BufRead,
        hasher: ContentHasher,
    ) -> Result<(u64, [u8; CONTENT_BYTES]), CopyError> {
        let offset = self.flushed + self.buffer.len() as u64;
        let hash = copy(bytes, content, hasher, |mut piece| {
            while self.buffer.len() + piece.len() >= BUFFER_BYTES {
                let (now, later) = piece.split_at(BUFFER_BYTES - self.buffer.len());
                self.buffer.extend_from_slice(now);
                self.flush()?;
                piece = later;
            }
            self.buffer.extend_from_slice(piece);
            Ok(())
        })?;
        Ok((offset, hash))
    }

    /// Adds index, proof and footer, and writes what is left.
    pub(super) fn seal(mut self, name: &EntryName, files: &[IndexedFile], key: &MachineKey) -> io::Result<()> {
        let index = encode(files, Form::Packed)?;
        let data_bytes = self.flushed + self.buffer.len() as u64;
        let proof = key.prove(PURPOSE, &[&name.0, &data_bytes.to_le_bytes(), &index]);
        self.buffer.extend_from_slice(&index);
        self.buffer.extend_from_slice(&(index.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(&proof);
        self.buffer.extend_from_slice(&MAGIC);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Passes `bytes` bytes of `content` on, in pieces; what they hash to.
pub(super) fn copy(
    bytes: u64,
    content: &mut dyn BufRead,
    mut hasher: ContentHasher,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<[u8; CONTENT_BYTES], CopyError> {
    let mut left = bytes;
    while left > 0 {
        let there = match content.fill_buf() {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        let length = there.len().min(PIECE_BYTES).min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 {
            return Err(CopyError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        let piece = &there[..length];
        hasher.update(piece);
        take(piece).map_err(CopyError::Write)?;
        content.consume(length);
        left -= length as u64;
    }
    Ok(hasher.finish())
}

/// [`index::encode`], with an error.
pub(super) fn encode(files: &[IndexedFile], form: Form) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "the package's file names are too long in total");
    index::encode(files, form).ok_or_else(too_large)
}

/// A pack's believed index, and the footer by which the same pack is known again.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) files: Vec<IndexedFile>,
    pub(super) footer: [u8; FOOTER_BYTES],
}

/// Reads and checks the index of a pack of `length` bytes. `None` when this machine did not make it for this name.
pub(super) fn believe(file: &File, length: u64, name: &EntryName, key: &MachineKey) -> io::Result<Option<Believed>> {
    let mut tail = vec![0; usize::try_from(length).unwrap_or(TAIL_BYTES).min(TAIL_BYTES)];
    let tail_at = length - tail.len() as u64;
    file.read_exact_at(&mut tail, tail_at)?;
    let Some((before, footer)) = tail.split_last_chunk::<FOOTER_BYTES>() else { return Ok(None) };
    let Some((index_bytes, proof)) = read_footer(footer) else { return Ok(None) };
    let index_end = length - FOOTER_BYTES as u64;
    let Some(data_bytes) = index_end.checked_sub(index_bytes) else { return Ok(None) };
    if index_bytes > INDEX_BYTES_MAX {
        return Ok(None);
    }
    let mut whole = Vec::new();
    let index = if let Some(begin) = before.len().checked_sub(index_bytes as usize) {
        &before[begin..]
    } else {
        whole.resize(index_bytes as usize, 0);
        file.read_exact_at(&mut whole, data_bytes)?;
        &whole
    };
    if !key.believes(proof, PURPOSE, &[&name.0, &data_bytes.to_le_bytes(), index]) {
        return Ok(None);
    }
    Ok(index::decode(index, Some(data_bytes)).map(|files| Believed { files, footer: *footer }))
}

/// Length of the index, and the proof.
fn read_footer(footer: &[u8; FOOTER_BYTES]) -> Option<(u64, &[u8])> {
    let (length, rest) = footer.split_first_chunk::<8>()?;
    let proof = rest.strip_suffix(&MAGIC)?;
    Some((u64::from_le_bytes(*length), proof))
}

/// Whether an open file is the pack that ended with this footer.
pub(super) fn is_same(file: &File, length: u64, footer: &[u8; FOOTER_BYTES]) -> io::Result<bool> {
    let mut found = [0; FOOTER_BYTES];
    let Some(at) = length.checked_sub(FOOTER_BYTES as u64) else { return Ok(false) };
    file.read_exact_at(&mut found, at)?;
    Ok(found == *footer)
}
