//! Packages made in memory: a manifest, files, and the tarball that they become.

use std::{fmt::Write as _, io::Write as _};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha512};

/// One version of a package, to be published.
///
/// Names, versions and entries are not checked: hostile ones are what many tests are about.
#[derive(Clone, Debug)]
pub struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    manifest: Map<String, Value>,
    entries: Vec<Entry>,
    raw_tarball: Option<Vec<u8>>,
    raw_integrity: Option<String>,
}

/// One entry of a tarball, written as given.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path bytes as they stand in the archive, with the leading `package/`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Content of a regular file, target of a link.
    pub data: Vec<u8>,
}

/// Types of tar entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; `data` is the target.
    SymbolicLink,
    /// A hard link; `data` is the target.
    HardLink,
    /// A character device.
    Device,
    /// A named pipe.
    Fifo,
}

impl Package {
    /// A package with nothing but a `package.json`.
    pub fn new(name: &str, version: &str) -> Self {
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), json!(name));
        manifest.insert("version".to_owned(), json!(version));
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            manifest,
            entries: Vec::new(),
            raw_tarball: None,
            raw_integrity: None,
        }
    }

    /// Sets a field of `package.json`; the registry's document shows it too.
    #[must_use]
    pub fn field(mut self, key: &str, value: Value) -> Self {
        self.manifest.insert(key.to_owned(), value);
        self
    }

    /// Adds a regular dependency.
    #[must_use]
    pub fn dependency(self, name: &str, specification: &str) -> Self {
        self.entry_of("dependencies", name, json!(specification))
    }

    /// Adds an optional dependency.
    #[must_use]
    pub fn optional_dependency(self, name: &str, specification: &str) -> Self {
        self.entry_of("optionalDependencies", name, json!(specification))
    }

    /// Adds a peer dependency.
    #[must_use]
    pub fn peer_dependency(self, name: &str, specification: &str) -> Self {
        self.entry_of("peerDependencies", name, json!(specification))
    }

    /// Adds a command.
    #[must_use]
    pub fn bin(self, name: &str, path: &str) -> Self {
        self.entry_of("bin", name, json!(path))
    }

    /// Adds a lifecycle script.
    #[must_use]
    pub fn script(self, name: &str, command: &str) -> Self {
        self.entry_of("scripts", name, json!(command))
    }

    fn entry_of(mut self, field: &str, key: &str, value: Value) -> Self {
        let object = self.manifest.entry(field).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(object) = object {
            object.insert(key.to_owned(), value);
        }
        self
    }

    /// Adds a file; `path` is relative to the package.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(Entry {
            path: format!("package/{path}").into_bytes(),
            kind: EntryKind::File,
            mode: 0o644,
            data: content.as_ref().to_vec(),
        })
    }

    /// Adds an executable file; `path` is relative to the package.
    #[must_use]
    pub fn executable(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(Entry {
            path: format!("package/{path}").into_bytes(),
            kind: EntryKind::File,
            mode: 0o755,
            data: content.as_ref().to_vec(),
        })
    }

    /// Adds an entry exactly as given.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Serves these bytes as the tarball, whatever they are.
    #[must_use]
    pub fn raw_tarball(mut self, bytes: Vec<u8>) -> Self {
        self.raw_tarball = Some(bytes);
        self
    }

    /// Claims this integrity in the registry's document; an empty one leaves the field and `shasum` out.
    #[must_use]
    pub fn raw_integrity(mut self, integrity: &str) -> Self {
        self.raw_integrity = Some(integrity.to_owned());
        self
    }

    /// The gzip-compressed tar archive. The same package gives the same bytes.
    pub fn tarball(&self) -> Vec<u8> {
        if let Some(bytes) = &self.raw_tarball {
            return bytes.clone();
        }
        let mut archive = Vec::new();
        let manifest = serde_json::to_vec_pretty(&self.manifest).expect("a JSON object can be written");
        write_entry(
            &mut archive,
            &Entry { path: b"package/package.json".to_vec(), kind: EntryKind::File, mode: 0o644, data: manifest },
        );
        for entry in &self.entries {
            write_entry(&mut archive, entry);
        }
        archive.extend_from_slice(&[0; 1024]);
        gzip(&archive)
    }

    /// This version's object in the registry's document, without the tarball's URL.
    fn document(&self, tarball: &[u8]) -> Map<String, Value> {
        let mut document = self.manifest.clone();
        let mut dist = Map::new();
        let integrity = self.raw_integrity.clone().unwrap_or_else(|| sha512_integrity(tarball));
        if !integrity.is_empty() {
            dist.insert("integrity".to_owned(), json!(integrity));
            dist.insert("shasum".to_owned(), json!(hexadecimal(&Sha1::digest(tarball))));
        }
        document.insert("dist".to_owned(), Value::Object(dist));
        let has_install_script = self.manifest.get("scripts").and_then(Value::as_object).is_some_and(|scripts| {
            ["preinstall", "install", "postinstall"].iter().any(|script| scripts.contains_key(*script))
        });
        if has_install_script {
            document.insert("hasInstallScript".to_owned(), json!(true));
        }
        document.remove("scripts");
        document
    }
}

/// A version as it is served: packed and hashed once.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) version: String,
    pub(crate) tarball: Bytes,
    document: Map<String, Value>,
}

impl Packed {
    pub(crate) fn new(package: &Package) -> Self {
        let tarball = Bytes::from(package.tarball());
        Self { version: package.version.clone(), document: package.document(&tarball), tarball }
    }

    /// This version's object in the registry's document.
    pub(crate) fn document(&self, tarball_url: &str) -> Value {
        let mut document = self.document.clone();
        if let Some(Value::Object(dist)) = document.get_mut("dist") {
            dist.insert("tarball".to_owned(), json!(tarball_url));
        }
        Value::Object(document)
    }
}

/// `sha512-` and the digest in base64.
pub fn sha512_integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)))
}

/// `sha1-` and the digest in base64.
pub fn sha1_integrity(bytes: &[u8]) -> String {
    format!("sha1-{}", STANDARD.encode(Sha1::digest(bytes)))
}

/// Compresses with gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes one entry; paths that do not fit into the 100 bytes of a header get a GNU long-name entry before it.
fn write_entry(archive: &mut Vec<u8>, entry: &Entry) {
    let is_link = matches!(entry.kind, EntryKind::SymbolicLink | EntryKind::HardLink);
    if entry.path.len() > NAME_FIELD_BYTES {
        let mut long = tar::Header::new_gnu();
        long.as_mut_bytes()[..13].copy_from_slice(b"././@LongLink");
        long.set_entry_type(tar::EntryType::GNULongName);
        long.set_size(entry.path.len() as u64 + 1);
        long.set_cksum();
        let mut data = entry.path.clone();
        data.push(0);
        write_block(archive, &long, &data);
    }
    let mut header = tar::Header::new_gnu();
    let name = &entry.path[..entry.path.len().min(NAME_FIELD_BYTES)];
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_mode(entry.mode);
    header.set_mtime(MODIFIED_SECONDS);
    header.set_entry_type(match entry.kind {
        EntryKind::File => tar::EntryType::Regular,
        EntryKind::Directory => tar::EntryType::Directory,
        EntryKind::SymbolicLink => tar::EntryType::Symlink,
        EntryKind::HardLink => tar::EntryType::Link,
        EntryKind::Device => tar::EntryType::Char,
        EntryKind::Fifo => tar::EntryType::Fifo,
    });
    if is_link {
        let target = &entry.data[..entry.data.len().min(NAME_FIELD_BYTES)];
        header.as_mut_bytes()[LINK_FIELD_OFFSET..LINK_FIELD_OFFSET + target.len()].copy_from_slice(target);
    }
    let data: &[u8] = if is_link { &[] } else { &entry.data };
    header.set_size(data.len() as u64);
    header.set_cksum();
    write_block(archive, &header, data);
}

/// Width of the name and link name fields (POSIX ustar).
const NAME_FIELD_BYTES: usize = 100;
/// Where the link name field starts (POSIX ustar).
const LINK_FIELD_OFFSET: usize = 157;
/// npm's own constant modification time, 1985-10-26T08:15:00Z.
const MODIFIED_SECONDS: u64 = 499_162_500;

fn write_block(archive: &mut Vec<u8>, header: &tar::Header, data: &[u8]) {
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(data);
    let padding = (512 - data.len() % 512) % 512;
    archive.extend(std::iter::repeat_n(0, padding));
}
