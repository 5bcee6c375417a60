//! What is kept of a registry, and the manifest that says what it has to be.
//!
//! A directory with `manifest.json` and `blobs/<SHA-256>`. A blob is written under another name and renamed, so that the
//! name is true; the manifest is written when recording is over, and lists what was recorded. An answer that says "there is
//! no such thing" is recorded, too: package managers ask for things that a registry may not have.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RegistryError;

/// What is read of a file at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) plain: Blob,
    /// The same, compressed, for clients that take it.
    pub(super) gzip: Option<Blob>,
}

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blob {
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// Where it was recorded from.
    upstream: String,
    /// The address that the documents give their tarballs.
    origin: String,
    entries: BTreeMap<String, Entry>,
}

/// A recording on disk.
#[derive(Debug)]
pub(crate) struct Recording {
    directory: PathBuf,
    manifest: Manifest,
}

impl Recording {
    /// The recording in a directory, or an empty one where there is none.
    pub(crate) fn open(directory: &Path, upstream: &str, origin: &str) -> Result<Self, RegistryError> {
        let blobs = directory.join("blobs");
        fs::create_dir_all(&blobs).map_err(failed(&blobs))?;
        let path = directory.join("manifest.json");
        let manifest = match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map_err(|source| RegistryError::Manifest { path: path.clone(), source })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Manifest { upstream: upstream.to_owned(), origin: origin.to_owned(), entries: BTreeMap::new() }
            }
            Err(source) => return Err(RegistryError::File { path, source }),
        };
        if manifest.origin != origin {
            let (found, expected) = (manifest.origin, origin.to_owned());
            return Err(RegistryError::Origin { path: directory.to_owned(), found, expected });
        }
        Ok(Self { directory: directory.to_owned(), manifest })
    }

    /// How many answers there are.
    pub(crate) fn len(&self) -> usize {
        self.manifest.entries.len()
    }

    /// Whether nothing was recorded yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.manifest.entries.is_empty()
    }

    /// The address that the documents give their tarballs.
    pub(super) fn origin(&self) -> &str {
        &self.manifest.origin
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.manifest.entries.get(key)
    }

    pub(super) fn blob(&self, blob: &Blob) -> PathBuf {
        self.directory.join("blobs").join(&blob.sha256)
    }

    pub(super) fn insert(&mut self, key: String, entry: Entry) {
        self.manifest.entries.insert(key, entry);
    }

    /// Where blobs are put.
    pub(super) fn shelf(&self) -> Shelf {
        Shelf { blobs: self.directory.join("blobs") }
    }

    /// Writes the manifest.
    pub(crate) fn save(&self) -> Result<(), RegistryError> {
        let path = self.directory.join("manifest.json");
        let new = self.directory.join("manifest.json.new");
        let text = serde_json::to_vec_pretty(&self.manifest)
            .map_err(|source| RegistryError::Manifest { path: path.clone(), source })?;
        fs::write(&new, text).map_err(failed(&new))?;
        fs::rename(&new, &path).map_err(failed(&path))
    }

    /// Reads every blob and compares it with the manifest. It also has them in the page cache afterwards.
    pub(crate) fn verify(&self) -> Result<(), RegistryError> {
        for entry in self.manifest.entries.values() {
            for blob in std::iter::once(&entry.plain).chain(&entry.gzip) {
                let path = self.blob(blob);
                let found = digest_of(&path).map_err(failed(&path))?;
                if found != *blob {
                    return Err(RegistryError::Damaged { path });
                }
            }
        }
        Ok(())
    }
}

/// The directory of blobs, for those who put some there without holding the recording.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    blobs: PathBuf,
}

impl Shelf {
    /// A path for something whose digest is not known yet; `name` tells those apart that are made at the same time.
    pub(super) fn scratch(&self, name: u64) -> PathBuf {
        self.blobs.join(format!("new-{}-{name}", std::process::id()))
    }

    /// Keeps a file that lies in `scratch`.
    pub(super) fn keep_file(&self, path: &Path) -> Result<Blob, RegistryError> {
        let blob = digest_of(path).map_err(failed(path))?;
        fs::rename(path, self.blobs.join(&blob.sha256)).map_err(failed(path))?;
        Ok(blob)
    }

    /// Keeps some bytes, as they are and compressed.
    pub(super) fn keep(&self, content: &[u8], name: u64) -> Result<(Blob, Blob), RegistryError> {
        let path = self.scratch(name);
        fs::write(&path, content).map_err(failed(&path))?;
        let plain = self.keep_file(&path)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let compressed = encoder.write_all(content).and_then(|()| encoder.finish());
        fs::write(&path, compressed.map_err(failed(&path))?).map_err(failed(&path))?;
        Ok((plain, self.keep_file(&path)?))
    }
}

fn digest_of(path: &Path) -> io::Result<Blob> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    let sha256 = hasher.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok(Blob { sha256, bytes })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
    let path = path.to_owned();
    |source| RegistryError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::super::RegistryError;
    use super::{Entry, Recording};

    const HERE: &str = "http://127.0.0.1:1/";

    #[test]
    fn a_recording_is_there_again_and_is_checked() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut recording = Recording::open(directory.path(), "https://up/", HERE).expect("an empty one");
        assert!(recording.is_empty());
        let (plain, gzip) = recording.shelf().keep(b"hello hello hello", 1).expect("written");
        let entry = Entry { status: 200, content_type: "text/plain".into(), plain, gzip: Some(gzip) };
        recording.insert("full a".into(), entry.clone());
        recording.save().expect("written");

        let again = Recording::open(directory.path(), "https://up/", HERE).expect("readable");
        assert_eq!((again.len(), again.entry("full a"), again.entry("full b")), (1, Some(&entry), None));
        again.verify().expect("it is what was recorded");
        let compressed = fs::read(again.blob(entry.gzip.as_ref().expect("compressed"))).expect("readable");
        let mut text = String::new();
        GzDecoder::new(&compressed[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "hello hello hello");

        let other = Recording::open(directory.path(), "https://up/", "http://127.0.0.1:2/");
        assert!(matches!(other, Err(RegistryError::Origin { .. })), "its documents point elsewhere");
        fs::write(again.blob(&entry.plain), "jello hello hello").expect("writable");
        assert!(matches!(again.verify(), Err(RegistryError::Damaged { .. })));
    }
}
