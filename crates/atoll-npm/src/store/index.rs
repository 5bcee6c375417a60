//! A package's list of files, stored with it. Two forms of a package, two kinds of records, one codec.

use super::{content::CONTENT_BYTES, directory};
use crate::extract::{ENTRIES_MAX, PATH_BYTES_MAX};

/// One file of a stored package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexedFile {
    /// Path inside the package, with `/`: no empty components, no `.` or `..`, no NUL.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Whether its mode is 755; otherwise it is 644.
    pub executable: bool,
    /// Hash of its content, which only this machine can make. [`Store::verify`](super::Store::verify) compares with it.
    pub content: [u8; CONTENT_BYTES],
    /// In a pack, where its content begins, in bytes from the pack's begin; 0 in an unpacked entry.
    pub offset: u64,
    /// In an unpacked entry, which of its files it is: see [`IndexedFile::place_in_entry`]. 0 in a pack.
    pub number: u32,
    /// In an unpacked entry, its modification time in nanoseconds since 1970, as the file system gave it when the file was
    /// written. A file that was changed in place, for instance through a hard link in some project, no longer has it. 0 in
    /// a pack.
    pub modified_ns: i128,
}

impl IndexedFile {
    /// Where it is in the directory of an unpacked entry.
    pub fn place_in_entry(&self) -> String {
        directory::name(self.number)
    }
}

/// The two ways in which the store keeps a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// One file, for readers that find their way by its index: virtual trees, images.
    Packed,
    /// A directory of numbered files, to link from.
    Unpacked,
}

/// Fixed bytes of one file's record, beside its path and place: path's length (u16), flags (u8), size (u64), content.
const RECORD_BYTES: usize = 2 + 1 + 8 + CONTENT_BYTES;
/// The flag of executable files; there is no other.
const EXECUTABLE: u8 = 1;
/// Largest index, in bytes: 200 bytes a file for the most files that a tarball may have.
pub(crate) const INDEX_BYTES_MAX: u64 = 200 * ENTRIES_MAX as u64;

const _: () = assert!(PATH_BYTES_MAX <= u16::MAX as usize);

/// The index as bytes, all little endian: per file the path's length, flags, size, content, then its place (in packs the
/// offset, u64; else number, u32, and time, i128), then the path. `None` when it would be over [`INDEX_BYTES_MAX`].
pub(crate) fn encode(files: &[IndexedFile], form: Form) -> Option<Vec<u8>> {
    let length = encoded_bytes(files, form);
    if length as u64 > INDEX_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(length);
    for file in files {
        bytes.extend_from_slice(&u16::try_from(file.path.len()).ok()?.to_le_bytes());
        bytes.push(if file.executable { EXECUTABLE } else { 0 });
        bytes.extend_from_slice(&file.bytes.to_le_bytes());
        bytes.extend_from_slice(&file.content);
        match form {
            Form::Packed => bytes.extend_from_slice(&file.offset.to_le_bytes()),
            Form::Unpacked => {
                bytes.extend_from_slice(&file.number.to_le_bytes());
                bytes.extend_from_slice(&file.modified_ns.to_le_bytes());
            }
        }
        bytes.extend_from_slice(file.path.as_bytes());
    }
    Some(bytes)
}

/// How large an index is, in bytes.
pub(crate) fn encoded_bytes(files: &[IndexedFile], form: Form) -> usize {
    files.iter().map(|file| RECORD_BYTES + place_bytes(form) + file.path.len()).sum()
}

fn place_bytes(form: Form) -> usize {
    match form {
        Form::Packed => 8,
        Form::Unpacked => 4 + 16,
    }
}

/// Reads an index, of a pack whose files are in its first `data_bytes`, or of an unpacked entry (`None`).
///
/// The bytes may be anyone's. What comes out has well-formed paths in ascending order, each once, and in a pack no file
/// reaches out of the data or into another one. `None` when the bytes are anything else.
pub fn decode(mut bytes: &[u8], data_bytes: Option<u64>) -> Option<Vec<IndexedFile>> {
    let form = if data_bytes.is_some() { Form::Packed } else { Form::Unpacked };
    let files_max = bytes.len() / (RECORD_BYTES + place_bytes(form));
    let mut files: Vec<IndexedFile> = Vec::with_capacity(files_max.min(ENTRIES_MAX).min(256));
    while !bytes.is_empty() {
        if files.len() == ENTRIES_MAX {
            return None;
        }
        let path_bytes = usize::from(u16::from_le_bytes(take(&mut bytes)?));
        let [flags] = take(&mut bytes)?;
        let size = u64::from_le_bytes(take(&mut bytes)?);
        let content = take(&mut bytes)?;
        let (mut offset, mut number, mut modified_ns) = (0, 0, 0);
        match form {
            Form::Packed => offset = u64::from_le_bytes(take(&mut bytes)?),
            Form::Unpacked => {
                number = u32::from_le_bytes(take(&mut bytes)?);
                modified_ns = i128::from_le_bytes(take(&mut bytes)?);
            }
        }
        let (path, rest) = bytes.split_at_checked(path_bytes)?;
        bytes = rest;
        let path = std::str::from_utf8(path).ok()?;
        let follows = files.last().is_none_or(|last| last.path.as_str() < path);
        if flags > EXECUTABLE || !follows || !is_well_formed(path) {
            return None;
        }
        let executable = flags == EXECUTABLE;
        let path = path.to_owned();
        files.push(IndexedFile { path, bytes: size, executable, content, offset, number, modified_ns });
    }
    data_bytes.is_none_or(|end| are_apart(&files, end)).then_some(files)
}

/// Whether a path stays inside and is spelled in the only way that it can be.
fn is_well_formed(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && !path.contains('\0')
        && path.split('/').all(|component| !matches!(component, "" | "." | ".."))
}

/// Whether all contents are before `end`, and none has a byte of another.
fn are_apart(files: &[IndexedFile], end: u64) -> bool {
    let mut places: Vec<(u64, u64)> = files.iter().map(|file| (file.offset, file.bytes)).collect();
    places.sort_unstable();
    let mut from = 0;
    places.iter().all(|&(offset, bytes)| {
        let begins_after = offset >= from;
        let Some(to) = offset.checked_add(bytes) else { return false };
        from = to;
        begins_after && to <= end
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, offset: u64, bytes: u64) -> IndexedFile {
        IndexedFile { path: path.to_owned(), bytes, offset, ..IndexedFile::default() }
    }

    #[test]
    fn what_was_written_is_read() {
        let packed = vec![
            IndexedFile { executable: true, content: [7; 32], ..file("bin/ü.js", 17, 0) },
            IndexedFile { content: [9; 32], ..file("package.json", 0, 17) },
        ];
        let mut unpacked = packed.clone();
        for (file, (number, modified_ns)) in unpacked.iter_mut().zip([(1, 5), (u32::MAX, -1)]) {
            (file.offset, file.number, file.modified_ns) = (0, number, modified_ns);
        }
        for (files, form, data_bytes) in [(packed, Form::Packed, Some(17)), (unpacked, Form::Unpacked, None)] {
            let bytes = encode(&files, form).unwrap();
            assert_eq!(decode(&bytes, data_bytes), Some(files));
            assert_eq!(decode(&[], data_bytes), Some(Vec::new()));
            for end in 1..bytes.len() {
                // A cut between two records is a valid shorter index: the proof over the whole is what catches that.
                let read = decode(&bytes[..end], data_bytes);
                assert!(read.is_none_or(|files| files.len() == 1), "cut at {end}");
            }
        }
    }

    #[test]
    fn indexes_that_lie_are_refused() {
        let decoded = |files: &[IndexedFile]| decode(&encode(files, Form::Packed).unwrap(), Some(100));
        let good = [file("a", 50, 50), file("b/c", 0, 50), file("d", 100, 0)];
        assert_eq!(decoded(&good).as_deref(), Some(&good[..]));
        for (problem, bad) in [
            ("past the end", vec![file("a", 51, 50)]),
            ("past all numbers", vec![file("a", u64::MAX, 2)]),
            ("one in another", vec![file("a", 0, 50), file("b", 49, 1)]),
            ("one the same as another", vec![file("a", 0, 50), file("b", 0, 50)]),
            ("an empty one inside another", vec![file("a", 0, 50), file("b", 20, 0)]),
            ("twice", vec![file("a", 0, 1), file("a", 1, 1)]),
            ("not in order", vec![file("b", 0, 1), file("a", 1, 1)]),
            ("up", vec![file("../a", 0, 1)]),
            ("up inside", vec![file("a/../../b", 0, 1)]),
            ("absolute", vec![file("/a", 0, 1)]),
            ("empty", vec![file("", 0, 1)]),
            ("with a slash at the end", vec![file("a/", 0, 1)]),
            ("with a dot", vec![file("a/./b", 0, 1)]),
            ("with NUL", vec![file("a\0", 0, 1)]),
            ("too long", vec![file(&"a".repeat(PATH_BYTES_MAX + 1), 0, 1)]),
        ] {
            assert_eq!(decoded(&bad), None, "{problem}");
        }
        let mut flags = encode(&good, Form::Packed).unwrap();
        flags[2] = 2;
        assert_eq!(decode(&flags, Some(100)), None);
    }

    #[test]
    fn an_index_that_nobody_would_read_is_not_written() {
        let long = "a/".repeat(2000);
        let files: Vec<IndexedFile> = (0..14_000).map(|index| file(&format!("{long}{index:05}"), 0, 0)).collect();
        assert!(encode(&files, Form::Packed).is_none());
    }
}
