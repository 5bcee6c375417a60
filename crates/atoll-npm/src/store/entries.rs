//! What is in the store: every entry of both forms, found by listing.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{EntryName, Form, PACK_EXTENSION, Package, Store, StoreError, directory, pack, package, uses};

/// Something in the store that has an entry's name.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: EntryName,
    pub(super) form: Form,
    pub(super) path: PathBuf,
}

/// Of a believed entry, what it holds and since when it is not used.
pub(super) struct Condition {
    pub(super) bytes: u64,
    pub(super) marked: SystemTime,
}

/// How much is in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Packed entries that are believed.
    pub packed: usize,
    /// Their bytes.
    pub packed_bytes: u64,
    /// Unpacked entries that are believed.
    pub unpacked: usize,
    /// Bytes of their files. Projects that are linked from the store share them, so removing such an entry frees little.
    pub unpacked_bytes: u64,
    /// Files of unpacked entries.
    pub unpacked_files: usize,
    /// Entries that are not believed: made by another machine, or damaged.
    pub unbelieved: usize,
    /// Projects that use entries without linking them.
    pub projects: usize,
}

impl Found {
    /// How it is named in reports: as on the disk, relative to the store's version.
    pub(super) fn label(&self) -> String {
        let name = blake3::Hash::from_bytes(self.name.0).to_hex();
        match self.form {
            Form::Packed => format!("{}/{}.{PACK_EXTENSION}", &name[..2], &name[2..]),
            Form::Unpacked => format!("{}/{}", &name[..2], &name[2..]),
        }
    }
}

impl Store {
    /// Every entry, in the order of names. What has no entry's name is left alone.
    pub(super) fn found(&self) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for (shard, _) in listed(&self.root)? {
            if shard.len() != 2 {
                continue;
            }
            let dir = self.root.join(&shard);
            for (file, path) in listed(&dir)? {
                let packed = file.strip_suffix(PACK_EXTENSION).and_then(|stem| stem.strip_suffix('.'));
                let form = if packed.is_some() { Form::Packed } else { Form::Unpacked };
                let hex = format!("{shard}{}", packed.unwrap_or(&file));
                // Capitals would be another name on disk than the one that is looked up.
                if let Ok(hash) = blake3::Hash::from_hex(&hex)
                    && hash.to_hex().as_str() == hex
                {
                    found.push(Found { name: EntryName(*hash.as_bytes()), form, path });
                }
            }
        }
        found.sort_unstable_by_key(|one| (one.name, one.form));
        Ok(found)
    }

    /// The package of a found entry, and its condition, without noting a use. `None` when it is not believed.
    pub(super) fn examine(&self, found: &Found) -> Option<(Package, Condition)> {
        let path = &found.path;
        let file = package::open_plain(&uses::marked_path(path, found.form)).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let marked = metadata.modified().ok()?;
        let (package, bytes) = match found.form {
            Form::Packed => {
                let believed = pack::believe(&file, metadata.len(), &found.name, &self.key).ok()??;
                (Package::packed(path.clone(), believed), metadata.len())
            }
            Form::Unpacked => {
                let files = directory::believe(&file, metadata.len(), &found.name, &self.key).ok()??;
                let bytes = metadata.len() + files.iter().map(|file| file.bytes).sum::<u64>();
                (Package::unpacked(path.clone(), files), bytes)
            }
        };
        Some((package, Condition { bytes, marked }))
    }

    /// Counts what is there. Reads every index and no file.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub fn status(&self) -> Result<Status, StoreError> {
        let mut status = Status { projects: self.registrations()?.len(), ..Status::default() };
        for found in self.found()? {
            let Some((package, condition)) = self.examine(&found) else {
                status.unbelieved += 1;
                continue;
            };
            match found.form {
                Form::Packed => {
                    status.packed += 1;
                    status.packed_bytes += condition.bytes;
                }
                Form::Unpacked => {
                    status.unpacked += 1;
                    status.unpacked_bytes += condition.bytes;
                    status.unpacked_files += package.files().len();
                }
            }
        }
        Ok(status)
    }

    /// What time it is where the store is: the file system's own clock, which gives the entries their marks.
    pub(super) fn clock(&self) -> Result<SystemTime, StoreError> {
        let path = self.stage_dir().join(super::unique_name());
        let now = fs::write(&path, []).and_then(|()| fs::metadata(&path)?.modified());
        let _ = fs::remove_file(&path);
        now.map_err(|source| StoreError { action: "write to", path: self.stage_dir(), source })
    }
}

impl Condition {
    /// For how long it has not been used, as far as its mark tells.
    pub(super) fn unused(&self, now: SystemTime) -> Duration {
        now.duration_since(self.marked).unwrap_or_default()
    }
}

/// Names and paths in a directory; none when it does not exist or is none. Names that are no text are left out.
pub(super) fn listed(dir: &std::path::Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let wrap = |source| StoreError { action: "list", path: dir.to_path_buf(), source };
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(wrap(error)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(wrap)?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push((name, entry.path()));
        }
    }
    Ok(names)
}
