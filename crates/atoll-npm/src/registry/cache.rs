//! Packuments on disk, to be revalidated.
//!
//! One file per package and registry: a proof, the `ETag`, the body. A file is believed only when this machine wrote it
//! whole ([`MachineKey`]); everything else is as if it were not there. Written beside and renamed, so that readers in
//! other processes see one version or the other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::store::{MachineKey, sweep, unique_name};

/// What the proofs in this cache are for.
const PURPOSE: &str = "atoll packument 1";
/// Largest file that is read: a packument at its limit and a little.
const FILE_BYTES_MAX: u64 = super::PACKUMENT_BYTES_MAX + 4096;

#[derive(Clone, Debug)]
pub(super) struct PackumentCache {
    dir: PathBuf,
    key: MachineKey,
}

/// A packument as the registry last sent it.
#[derive(Debug)]
pub(super) struct Cached {
    /// What to ask the registry with.
    pub(super) etag: String,
    /// The document, decompressed.
    pub(super) body: Vec<u8>,
}

impl PackumentCache {
    pub(super) fn new(cache_dir: &Path, key: MachineKey) -> Self {
        let dir = cache_dir.join("packuments-v1");
        sweep(&dir.join("stage"));
        Self { dir, key }
    }

    pub(super) fn read(&self, url: &str) -> Option<Cached> {
        let path = self.path(url);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let mut bytes = fs::read(path).ok()?;
        let (proof, rest) = bytes.split_at_checked(crate::store::PROOF_BYTES)?;
        if !self.key.believes(proof, PURPOSE, &[url.as_bytes(), rest]) {
            return None;
        }
        let line_end = rest.iter().position(|byte| *byte == b'\n')?;
        let etag = String::from_utf8(rest[..line_end].to_vec()).ok()?;
        let body = bytes.split_off(crate::store::PROOF_BYTES + line_end + 1);
        Some(Cached { etag, body })
    }

    /// Stores a document. A failure only means that the next installation downloads it again.
    pub(super) fn write(&self, url: &str, etag: &str, body: &[u8]) -> io::Result<()> {
        let mut rest = Vec::with_capacity(etag.len() + 1 + body.len());
        rest.extend_from_slice(etag.as_bytes());
        rest.push(b'\n');
        rest.extend_from_slice(body);
        let mut bytes = self.key.prove(PURPOSE, &[url.as_bytes(), &rest]).to_vec();
        bytes.append(&mut rest);
        let path = self.path(url);
        let temporary = self.dir.join("stage").join(unique_name());
        for folder in [path.parent(), temporary.parent()].into_iter().flatten() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, path).inspect_err(|_| {
            // Nothing more can be done about the file that could not take its name.
            let _ = fs::remove_file(&temporary);
        })
    }

    fn path(&self, url: &str) -> PathBuf {
        let name = blake3::hash(url.as_bytes()).to_hex();
        self.dir.join(&name[..2]).join(&name[2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_machine_wrote_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let cache = PackumentCache::new(dir.path(), MachineKey::open(&state).unwrap());
        assert!(cache.read("http://r/a").is_none());
        cache.write("http://r/a", "\"1\"", b"{\n}").unwrap();
        let cached = cache.read("http://r/a").unwrap();
        assert_eq!((cached.etag.as_str(), cached.body.as_slice()), ("\"1\"", &b"{\n}"[..]));
        assert!(cache.read("http://r/b").is_none());

        let path = cache.path("http://r/a");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(cache.read("http://r/a").is_none(), "a changed file is not believed");

        cache.write("http://r/a", "\"1\"", b"{\n}").unwrap();
        let elsewhere = PackumentCache::new(dir.path(), MachineKey::open(&dir.path().join("other")).unwrap());
        assert!(elsewhere.read("http://r/a").is_none(), "another machine's file is not believed");
    }
}
