//! Reads a tarball into an entry of the store: foreign bytes, so every step has a limit and a reason to stop.
//!
//! Only regular files and directories are accepted. Registries' own tools never pack anything else, and links, devices
//! and pipes are how archives have broken out of their directory in the past. Entries are read raw: the extension
//! headers that carry long names are read here, with a limit, where the tar library would read them whole.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use tar::{Archive, Entries, EntryType, PaxExtensions};

use crate::{
    inflate::{GzipReader, Inflater},
    store::{StageError, Staged},
};

/// Most entries that an archive may have. The largest package known to us has about 30,000.
pub const ENTRIES_MAX: usize = 262_144;
/// Most bytes that an archive may decompress to: 2 GiB. Next.js with its native compiler is at about 0.2 GiB.
pub const UNPACKED_BYTES_MAX: u64 = 2 << 30;
/// Largest single file: 512 MiB.
pub const ENTRY_BYTES_MAX: u64 = 512 << 20;
/// Largest header that carries a long name or extended attributes: 64 KiB, sixteen times the longest path of Linux.
pub const EXTENSION_BYTES_MAX: u64 = 64 << 10;
/// Longest path, in bytes (`PATH_MAX` of Linux).
pub const PATH_BYTES_MAX: usize = 4096;

/// Bytes of an archive that are decompressed at once where it is not decompressed as a whole.
const PIECE_BYTES: u64 = 128 << 10;

const _: () = assert!(ENTRY_BYTES_MAX < UNPACKED_BYTES_MAX && (PATH_BYTES_MAX as u64) < EXTENSION_BYTES_MAX);

/// Why a tarball cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// Not gzip, not tar, cut short, or over [`UNPACKED_BYTES_MAX`].
    #[error("the archive cannot be read: {0}")]
    Read(#[source] io::Error),
    /// An entry that no package needs and that is not safe to write.
    #[error("entry \"{path}\" {problem}")]
    Entry {
        /// The path as it stands in the archive, unprintable bytes replaced.
        path: String,
        /// What is wrong with it, as a phrase that follows the path.
        problem: &'static str,
    },
    /// Over [`ENTRIES_MAX`].
    #[error("the archive has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// The disk does not take it.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Path inside the package.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Reads the gzip-compressed tar archive that `compressed` gives into a new entry of the store, without the archive's
/// first path component. Nothing is published by that.
///
/// Reads `compressed` to its end, so that a reader that hashes has seen everything.
///
/// # Errors
/// On the first thing that is not as it should be; `into` then has a part of the files.
pub fn extract(compressed: &mut dyn BufRead, into: &mut Staged) -> Result<(), ExtractError> {
    let decompressed = Capped { inner: GzipReader::new(&mut *compressed), left: UNPACKED_BYTES_MAX };
    let mut archive = Archive::new(decompressed);
    take_entries(archive.entries().map_err(ExtractError::Read)?, None, into)?;
    // What follows the archive's end mark (padding, usually) belongs to what is hashed.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(ExtractError::Read)?;
    drop(rest);
    io::copy(compressed, &mut io::sink()).map_err(ExtractError::Read)?;
    Ok(())
}

/// The same for an archive that is in memory. What it is decompressed to is in memory as well if it has not more bytes than
/// `whole_max`.
///
/// # Errors
/// As [`extract`].
pub(crate) fn extract_whole(
    mut compressed: &[u8],
    inflater: &mut Inflater,
    whole_max: u64,
    into: &mut Staged,
) -> Result<(), ExtractError> {
    let Some(decompressed) = inflater.whole(compressed, whole_max) else {
        return extract(&mut compressed, into);
    };
    let mut archive = Archive::new(Cursor::new(decompressed));
    take_entries(archive.entries_with_seek().map_err(ExtractError::Read)?, Some(decompressed), into)
}

/// Takes the entries of an archive, of which `whole` is what it consists of, if that is known.
fn take_entries<R: Read>(entries: Entries<'_, R>, whole: Option<&[u8]>, into: &mut Staged) -> Result<(), ExtractError> {
    let mut extension = Extension::default();
    let mut count = 0_usize;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(ExtractError::Read)?;
        count += 1;
        if count > ENTRIES_MAX {
            return Err(ExtractError::TooManyEntries);
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut name = read_extension(&mut entry)?;
                name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                extension.path = Some(name);
            }
            EntryType::XHeader => {
                let attributes = read_extension(&mut entry)?;
                pax_attributes(&attributes, &mut extension).map_err(ExtractError::Read)?;
            }
            // Attributes for all that follows: times and owners, none of which is kept. A long link name precedes a
            // link, which is refused when it comes.
            EntryType::XGlobalHeader | EntryType::GNULongLink => {
                read_extension(&mut entry)?;
            }
            kind => {
                let Extension { path, size } = std::mem::take(&mut extension);
                let raw = path.unwrap_or_else(|| entry.header().path_bytes().into_owned());
                let header_size = entry.header().entry_size().map_err(ExtractError::Read)?;
                // The two differ for files of 8 GiB and more only, which is more than we take.
                if size.is_some_and(|size| size != header_size) {
                    let path = String::from_utf8_lossy(&raw).into_owned();
                    return Err(ExtractError::Entry { path, problem: "has two different sizes" });
                }
                let executable = entry.header().mode().unwrap_or_default() & 0o111 != 0;
                let taken = Taken { kind, raw: &raw, bytes: header_size, executable };
                if let Some(whole) = whole {
                    let begin = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
                    take_entry(&taken, &mut whole.get(begin..).unwrap_or_default(), into)?;
                } else {
                    let capacity = header_size.min(PIECE_BYTES) as usize;
                    take_entry(&taken, &mut BufReader::with_capacity(capacity, entry), into)?;
                }
            }
        }
    }
    Ok(())
}

/// An entry of an archive that is no header of another one.
struct Taken<'a> {
    kind: EntryType,
    /// Its path.
    raw: &'a [u8],
    bytes: u64,
    executable: bool,
}

fn take_entry(entry: &Taken<'_>, content: &mut dyn BufRead, into: &mut Staged) -> Result<(), ExtractError> {
    let Taken { kind, raw, bytes, executable } = *entry;
    let refuse = |problem| ExtractError::Entry { path: String::from_utf8_lossy(raw).into_owned(), problem };
    let is_directory = match kind {
        EntryType::Directory => true,
        // Archives older than POSIX mark a directory by a slash at the end only.
        EntryType::Regular | EntryType::Continuous => raw.ends_with(b"/"),
        EntryType::Symlink | EntryType::Link => return Err(refuse("is a link; packages may only contain files")),
        _ => return Err(refuse("is neither a file nor a directory")),
    };
    let Some(path) = inside_package(raw).map_err(refuse)? else { return Ok(()) };
    let taken = if is_directory {
        into.directory(&path)
    } else {
        if bytes > ENTRY_BYTES_MAX {
            return Err(refuse("is larger than 512 MiB"));
        }
        into.file(path.clone(), executable, bytes, content)
    };
    taken.map_err(|error| match error {
        StageError::Refused(problem) => refuse(problem),
        StageError::Read(error) => ExtractError::Read(error),
        StageError::Write(source) => ExtractError::Write { path, source },
    })
}

/// The path inside the package: without the first component, which registries call `package` but anything goes.
/// `None` for the package's own directory.
fn inside_package(raw: &[u8]) -> Result<Option<String>, &'static str> {
    let text = std::str::from_utf8(raw).map_err(|_| "has a path that is not UTF-8")?;
    if text.len() > PATH_BYTES_MAX {
        return Err("has a path that is too long");
    }
    if text.contains('\0') {
        return Err("has a path with a NUL character");
    }
    if text.starts_with('/') {
        return Err("has an absolute path");
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("has a path that leaves the package"),
            part => parts.push(part),
        }
    }
    Ok((parts.len() > 1).then(|| parts[1..].join("/")))
}

fn read_extension(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, ExtractError> {
    let size = entry.header().entry_size().map_err(ExtractError::Read)?;
    if size > EXTENSION_BYTES_MAX {
        return Err(ExtractError::Entry {
            path: String::from_utf8_lossy(&entry.header().path_bytes()).into_owned(),
            problem: "is an extension header of more than 64 KiB",
        });
    }
    let mut bytes = Vec::with_capacity(size as usize);
    entry.read_to_end(&mut bytes).map_err(ExtractError::Read)?;
    Ok(bytes)
}

/// What an extension header says about the entry that follows.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

fn pax_attributes(attributes: &[u8], extension: &mut Extension) -> io::Result<()> {
    for attribute in PaxExtensions::new(attributes) {
        let attribute = attribute?;
        match attribute.key_bytes() {
            b"path" => extension.path = Some(attribute.value_bytes().to_vec()),
            b"size" => extension.size = attribute.value().ok().and_then(|text| text.parse().ok()).or(Some(u64::MAX)),
            _ => {}
        }
    }
    Ok(())
}

/// Gives an error, never a silent end, when there is more than allowed.
struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it decompresses to more than 2 GiB"))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_first_component_and_stay_inside() {
        assert_eq!(inside_package(b"package/lib/x.js"), Ok(Some("lib/x.js".to_owned())));
        assert_eq!(inside_package(b"anything//./x.js"), Ok(Some("x.js".to_owned())));
        assert_eq!(inside_package(b"package/"), Ok(None));
        assert_eq!(inside_package(b"top-level-file"), Ok(None));
        for hostile in [
            &b"/etc/passwd"[..],
            b"package/../../x",
            b"../x",
            b"package/..",
            b"package/a\0b",
            b"package/\xff",
            &[b'a'; PATH_BYTES_MAX + 1],
        ] {
            assert!(inside_package(hostile).is_err(), "{}", String::from_utf8_lossy(hostile));
        }
    }

    #[test]
    fn the_cap_is_an_error_and_not_an_end() {
        let mut reader = Capped { inner: io::repeat(0).take(10), left: 9 };
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
