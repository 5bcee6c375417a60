//! An entry's list of files, stored with it.

/// One file of a stored package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedFile {
    /// Path inside the package, with `/`; checked when the tarball was unpacked.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Whether its mode is 755; otherwise it is 644.
    pub executable: bool,
    /// Modification time in nanoseconds since 1970, as the file system gave it when the file was written. A file that
    /// was changed in place, for instance through a hard link in some project, no longer has it.
    pub modified_ns: i128,
}

/// Fixed bytes of one file's record, beside its path.
const RECORD_BYTES: usize = 4 + 8 + 1 + 16;

/// The index as bytes: per file the path's length (u32), the path, size (u64), executable (u8), time (i128), all little
/// endian.
pub(crate) fn encode(files: &[IndexedFile]) -> Vec<u8> {
    let length = files.iter().map(|file| RECORD_BYTES + file.path.len()).sum();
    let mut bytes = Vec::with_capacity(length);
    for file in files {
        bytes.extend_from_slice(&(file.path.len() as u32).to_le_bytes());
        bytes.extend_from_slice(file.path.as_bytes());
        bytes.extend_from_slice(&file.bytes.to_le_bytes());
        bytes.push(u8::from(file.executable));
        bytes.extend_from_slice(&file.modified_ns.to_le_bytes());
    }
    bytes
}

/// Reads what [`encode`] wrote; `None` when it did not.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Vec<IndexedFile>> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let path_bytes = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let (path, rest) = bytes.split_at_checked(path_bytes)?;
        bytes = rest;
        files.push(IndexedFile {
            path: String::from_utf8(path.to_vec()).ok()?,
            bytes: u64::from_le_bytes(take(&mut bytes)?),
            executable: take::<1>(&mut bytes)? == [1],
            modified_ns: i128::from_le_bytes(take(&mut bytes)?),
        });
    }
    Some(files)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let files = vec![
            IndexedFile { path: "package.json".to_owned(), bytes: 17, executable: false, modified_ns: 5 },
            IndexedFile { path: "bin/ü.js".to_owned(), bytes: 0, executable: true, modified_ns: -1 },
        ];
        let bytes = encode(&files);
        assert_eq!(decode(&bytes), Some(files));
        assert_eq!(decode(&[]), Some(Vec::new()));
        for end in 1..bytes.len() {
            // A cut between two records is a valid shorter index: the proof over the whole is what catches that.
            let read = decode(&bytes[..end]);
            assert!(read.is_none_or(|files| files.len() == 1), "cut at {end}");
        }
    }
}
