//! Files in the user's cache that have what an installation worked out of its inputs, for the next one with the same inputs.
//!
//! Each comes with a proof made by this machine for these inputs, as the store's packages do: a cache that came from elsewhere
//! is as if it were empty. A failure to read or write one only means that it is worked out again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::store::{MachineKey, PROOF_BYTES, sweep, unique_name};

/// Largest file that is read: 64 MiB, far more than 100,000 packages need.
const BYTES_MAX: u64 = 64 << 20;
/// Files of one kind that are kept; the oldest go first.
const FILES_MAX: usize = 256;

/// Files of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Their folder in the user's cache. It has the version of what is in them in its name.
    pub(crate) folder: &'static str,
    /// What their proofs are for.
    pub(crate) purpose: &'static str,
}

impl Kept {
    /// What was kept for these inputs, as a digest, and is bound to `about`.
    pub(crate) fn read(self, cache_dir: &Path, key: &MachineKey, inputs: &str, about: &str) -> Option<String> {
        let path = self.place(cache_dir, inputs);
        if fs::metadata(&path).ok()?.len() > BYTES_MAX {
            return None;
        }
        let mut bytes = fs::read(path).ok()?;
        let (proof, text) = bytes.split_at_checked(PROOF_BYTES)?;
        if !key.believes(proof, self.purpose, &[inputs.as_bytes(), about.as_bytes(), text]) {
            return None;
        }
        bytes.drain(..PROOF_BYTES);
        String::from_utf8(bytes).ok()
    }

    /// Keeps a text.
    pub(crate) fn write(
        self,
        cache_dir: &Path,
        key: &MachineKey,
        (inputs, about): (&str, &str),
        text: &str,
    ) -> io::Result<()> {
        let proof = key.prove(self.purpose, &[inputs.as_bytes(), about.as_bytes(), text.as_bytes()]);
        let folder = cache_dir.join(self.folder);
        let stage = folder.join("stage");
        fs::create_dir_all(&stage)?;
        sweep(&stage);
        make_room(&folder)?;
        let temporary = stage.join(unique_name());
        let written = fs::write(&temporary, [&proof[..], text.as_bytes()].concat())
            .and_then(|()| fs::rename(&temporary, self.place(cache_dir, inputs)));
        written.inspect_err(|_| {
            // Nothing more can be done about a file that could not get its content or its name.
            let _ = fs::remove_file(&temporary);
        })
    }

    /// Where the file for these inputs is. A digest that was read from somewhere may be any text.
    fn place(self, cache_dir: &Path, inputs: &str) -> PathBuf {
        cache_dir.join(self.folder).join(blake3::hash(inputs.as_bytes()).to_hex().as_str())
    }
}

/// Removes the oldest files until there is room for one more.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if metadata.is_file() {
            files.push((metadata.modified()?, path));
        }
    }
    files.sort_unstable();
    let surplus = (files.len() + 1).saturating_sub(FILES_MAX);
    files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Kept = Kept { folder: "kept-v1", purpose: "a test 1" };

    #[test]
    fn only_what_this_machine_wrote_for_the_same_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, key) = (dir.path().join("cache"), MachineKey::open(&dir.path().join("state")).unwrap());
        assert_eq!(KEPT.read(&cache, &key, "inputs", "lock"), None);
        KEPT.write(&cache, &key, ("inputs", "lock"), "text").unwrap();
        assert_eq!(KEPT.read(&cache, &key, "inputs", "lock").as_deref(), Some("text"));
        assert_eq!(KEPT.read(&cache, &key, "inputs", "other"), None);
        assert_eq!(KEPT.read(&cache, &key, "other", "lock"), None);
        assert_eq!(Kept { purpose: "a test 2", ..KEPT }.read(&cache, &key, "inputs", "lock"), None);
        let other = MachineKey::open(&dir.path().join("other")).unwrap();
        assert_eq!(KEPT.read(&cache, &other, "inputs", "lock"), None);
        fs::copy(KEPT.place(&cache, "inputs"), KEPT.place(&cache, "moved")).unwrap();
        assert_eq!(KEPT.read(&cache, &key, "moved", "lock"), None);
        let path = KEPT.place(&cache, "inputs");
        for cut in [0, PROOF_BYTES - 1, PROOF_BYTES, PROOF_BYTES + 3] {
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(KEPT.read(&cache, &key, "inputs", "lock"), None, "{cut} bytes");
            fs::write(&path, whole).unwrap();
        }
    }

    #[test]
    fn the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&dir.path().join("state")).unwrap();
        for number in 0..FILES_MAX + 3 {
            KEPT.write(dir.path(), &key, (&number.to_string(), ""), "text").unwrap();
        }
        let kept = (0..FILES_MAX + 3).filter(|number| KEPT.place(dir.path(), &number.to_string()).exists());
        assert_eq!(kept.count(), FILES_MAX);
        assert!(KEPT.read(dir.path(), &key, &(FILES_MAX + 2).to_string(), "").is_some());
    }
}
