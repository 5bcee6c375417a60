//! What a layer in memory holds, and how much it may.

use super::inode::BLOCK_BYTES;
use crate::Errno;
use crate::layer::Statistics;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much a [`Memory`](crate::Memory) layer, or the upper side of an [`Overlay`](crate::Overlay), may hold. What
/// exceeds it fails with `ENOSPC`, as on Linux's tmpfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of file content (holes count as the zeros that they read as), of link targets and of names.
    pub bytes: u64,
    /// Entries of directories, the root included: files, directories, links, each further hard link, and in an overlay
    /// each name that hides or replaces one of the lower layer. One costs the process up to about a kilobyte beside its
    /// name and content. A file that is open and has no name any more costs its content only; open files have a limit
    /// of their own.
    pub inodes: u64,
}

impl Quota {
    /// A worker's `/tmp`: 64 MiB in 16,384 files.
    pub const DEFAULT: Self = Self { bytes: 64 << 20, inodes: 16_384 };

    /// No limit, for trees that no guest can change.
    pub(crate) const UNLIMITED: Self = Self { bytes: u64::MAX, inodes: u64::MAX };
}

impl Default for Quota {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Entries and bytes to be counted or given back, negative for the latter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Charge {
    pub(super) entries: i64,
    pub(super) bytes: i64,
}

impl Charge {
    /// An entry with this name.
    pub(super) fn entry(name: &[u8]) -> Self {
        Self { entries: 1, bytes: name.len() as i64 }
    }

    /// Content.
    pub(super) fn bytes(count: usize) -> Self {
        Self { entries: 0, bytes: i64::try_from(count).unwrap_or(i64::MAX) }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.entries -= other.entries;
        self.bytes -= other.bytes;
    }
}

/// What a layer holds, shared by all its inodes: each gives back its part when it goes.
#[derive(Debug)]
pub(super) struct Usage {
    limit: Quota,
    pub(super) device: u64,
    used: Mutex<Quota>,
    next_ino: AtomicU64,
    /// Watches on inodes of the tree.
    watches: AtomicUsize,
}

impl Usage {
    pub(super) fn new(limit: Quota, device: u64, first_ino: u64) -> Self {
        let used = Mutex::new(Quota { bytes: 0, inodes: 0 });
        Self { limit, device, used, next_ino: AtomicU64::new(first_ino), watches: AtomicUsize::new(0) }
    }

    fn counters(&self) -> MutexGuard<'_, Quota> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root counts as an entry, and is there whatever the limit.
    pub(super) fn count_root(&self) {
        self.counters().inodes += 1;
    }

    pub(super) fn used(&self) -> Quota {
        *self.counters()
    }

    /// There are so many watches more, or fewer.
    pub(super) fn watches(&self, change: isize) {
        self.watches.fetch_add(change as usize, Ordering::Relaxed);
    }

    /// Whether anybody has to be told of anything.
    pub(super) fn is_watched(&self) -> bool {
        self.watches.load(Ordering::Relaxed) > 0
    }

    /// What `statfs` tells.
    pub(super) fn statistics(&self, kind: u64) -> Statistics {
        let (limit, used) = (self.limit, self.used());
        let block_size = u64::from(BLOCK_BYTES);
        if limit == Quota::UNLIMITED {
            // As a tmpfs without a limit.
            return Statistics { kind, block_size, ..Statistics::default() };
        }
        let free_blocks = limit.bytes.saturating_sub(used.bytes) / block_size;
        Statistics {
            kind,
            block_size,
            blocks: limit.bytes / block_size,
            free_blocks,
            available_blocks: free_blocks,
            inodes: limit.inodes,
            free_inodes: limit.inodes.saturating_sub(used.inodes),
        }
    }

    pub(super) fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a change, all of it or nothing. Only what grows is held against the limit, so that giving back always
    /// works.
    pub(super) fn change(&self, charge: Charge) -> Result<(), Errno> {
        let changed = |used: u64, change: i64, limit: u64| {
            let sum = used.checked_add_signed(change).ok_or(Errno::ENOSPC)?;
            if change > 0 && sum > limit { Err(Errno::ENOSPC) } else { Ok(sum) }
        };
        let mut used = self.counters();
        let bytes = changed(used.bytes, charge.bytes, self.limit.bytes)?;
        let inodes = changed(used.inodes, charge.entries, self.limit.inodes)?;
        *used = Quota { bytes, inodes };
        Ok(())
    }

    /// Gives back what was counted before.
    pub(super) fn give(&self, charge: Charge) {
        let mut used = self.counters();
        used.bytes = used.bytes.saturating_sub_signed(charge.bytes);
        used.inodes = used.inodes.saturating_sub_signed(charge.entries);
    }
}
