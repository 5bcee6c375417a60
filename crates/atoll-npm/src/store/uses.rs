//! When an entry was last used, and how one is taken out while others may be using it.
//!
//! # Contract
//! The mark of an entry's last use is the modification time of its pack, or of its index when it is unpacked: no content
//! depends on either. It is moved to the present when the entry is looked up and the mark is older than [`MARKED_EVERY`],
//! so an installation that follows another one within the hour writes nothing.
//!
//! An entry is collected only when its mark is older than [`USED_FOR`]. An installation looks up everything that it uses
//! when it begins to, so it has more than an hour for what is left; one that takes longer finds that files are missing and
//! fetches them again, as after any other damage.
//!
//! Looking up and collecting can happen at the same moment, so both lock the file that has the mark: who moves the mark,
//! shared, and looks then whether the entry still has its name; who collects, exclusively, from before it looks at the mark
//! to after the entry has lost its name. Either the collector sees the new mark, or the user sees that the entry is gone.
//! A file system without locks leaves a gap of some microseconds between the two steps of the collector; an entry that is
//! lost in it is fetched again.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{Store, StoreError, directory, index::Form, locks::lock_shared, package, staged::Temporary, unique_name};

/// How old a mark may be before a use moves it: one hour.
pub const MARKED_EVERY: Duration = Duration::from_hours(1);
/// How long an entry counts as in use after its mark, whatever a collection was asked to do: two hours. A mark can be
/// [`MARKED_EVERY`] older than the use; the rest is for the installation.
pub const USED_FOR: Duration = Duration::from_hours(2);

const _: () = assert!(USED_FOR.as_secs() > MARKED_EVERY.as_secs());

/// The file of an entry that has its mark.
pub(super) fn marked_path(entry: &Path, form: Form) -> PathBuf {
    match form {
        Form::Packed => entry.to_path_buf(),
        Form::Unpacked => directory::index_path(entry),
    }
}

/// Notes that an entry is used now. `file` is the open file that has its mark, `path` where it was opened. `false` when the
/// entry has been taken out in the meantime.
pub(super) fn note(file: &File, path: &Path, metadata: &fs::Metadata) -> bool {
    let now = SystemTime::now();
    let is_fresh = metadata.modified().is_ok_and(|mark| match now.duration_since(mark) {
        Ok(age) => age <= MARKED_EVERY,
        Err(ahead) => ahead.duration() <= MARKED_EVERY,
    });
    if is_fresh {
        return true;
    }
    // Who is not let in goes on as where there are no locks.
    let locked = lock_shared(file);
    // A store that is read-only here has no mark to move.
    let _ = file.set_modified(now);
    let is_there = is_at(metadata, path);
    if locked.is_ok() {
        let _ = file.unlock();
    }
    is_there
}

/// Whether this is the file that a path leads to.
pub(super) fn is_at(metadata: &fs::Metadata, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (metadata.dev(), metadata.ino()))
}

impl Store {
    /// Takes what is at `path` out. `false` when there was nothing.
    pub(super) fn take_out(&self, path: &Path) -> Result<bool, StoreError> {
        let taken = Temporary(self.stage_dir().join(unique_name()));
        match fs::rename(path, &taken.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                taken.keep();
                Ok(false)
            }
            Err(source) => Err(StoreError { action: "remove", path: path.to_path_buf(), source }),
        }
    }

    /// Takes an entry out unless it is in use: its mark is at most [`USED_FOR`] older than `now`, or being moved. `false`
    /// when it stays, or is gone already.
    pub(super) fn take_out_unused(&self, path: &Path, form: Form, now: SystemTime) -> Result<bool, StoreError> {
        let marked = marked_path(path, form);
        let Ok(file) = package::open_plain(&marked) else { return Ok(false) };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Ok(false);
        }
        let is_unused = file.metadata().is_ok_and(|metadata| {
            let is_old = |mark| now.duration_since(mark).is_ok_and(|age| age > USED_FOR);
            is_at(&metadata, &marked) && metadata.modified().is_ok_and(is_old)
        });
        Ok(is_unused && self.take_out(path)?)
    }
}
