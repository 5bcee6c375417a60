//! Removes what nobody has used for long. What may be removed, and when, is decided here; how that goes along with
//! processes that use the store at the same moment is in [`super::uses`], what projects hold in [`super::projects`].

use std::{
    fs,
    time::{Duration, SystemTime},
};

use super::{
    Form, Store, StoreError,
    entries::{Condition, Found},
    uses::{USED_FOR, marked_path},
};

/// How long an entry is kept without being used, when nothing else is asked for: 30 days.
pub const UNUSED_FOR: Duration = Duration::from_hours(30 * 24);

/// What to collect.
#[derive(Clone, Debug, Default)]
pub struct CollectOptions {
    /// Entries that have not been used for this long; less than [`USED_FOR`] means that.
    pub older_than: Option<Duration>,
    /// The least recently used ones until the rest has at most this many bytes. What projects hold, and what was used
    /// within [`USED_FOR`], stays even if it has more.
    pub max_bytes: Option<u64>,
    /// Only tell what would be removed.
    pub dry_run: bool,
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Entries that were removed, the least recently used first.
    pub removed: Vec<Removed>,
    /// Entries that stayed.
    pub kept: usize,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Of the entries that stayed, those that projects hold.
    pub held: usize,
    /// Projects that hold entries.
    pub projects: usize,
    /// Registrations of projects that are gone, or have moved on, and are not running.
    pub forgotten: usize,
}

/// An entry that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its path in the store.
    pub entry: String,
    /// Its form.
    pub form: Form,
    /// Its bytes; 0 when it was not believed, as nobody then knows what is in it.
    pub bytes: u64,
    /// For how long it had not been used.
    pub unused: Duration,
    /// Whether it was believed; if not, it was of use to nobody on this machine.
    pub believed: bool,
}

/// An entry that could go.
struct Candidate {
    found: Found,
    removed: Removed,
}

impl Store {
    /// Collects: what is not believed, what has not been used for long, then what has not been used for longest; never
    /// what a project holds, nor what has been used within [`USED_FOR`].
    ///
    /// Bytes of unpacked entries are freed only when no project is linked to them any more.
    ///
    /// # Errors
    /// When the store cannot be listed or an entry not be removed. What was removed until then is gone.
    pub fn collect(&self, options: &CollectOptions) -> Result<Collected, StoreError> {
        let now = self.clock()?;
        let roots = self.roots(options.dry_run)?;
        let mut collected = Collected { projects: roots.live, forgotten: roots.forgotten, ..Collected::default() };
        let mut candidates = Vec::new();
        for found in self.found()? {
            let is_held = roots.names.contains(&found.name);
            let Some(candidate) = self.candidate(found, now) else { continue };
            if candidate.removed.unused <= USED_FOR || is_held && candidate.removed.believed {
                collected.held += usize::from(is_held);
                collected.keep(candidate.removed.bytes);
            } else {
                candidates.push(candidate);
            }
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.removed.unused));

        let by_default = options.max_bytes.is_none().then_some(UNUSED_FOR);
        let older_than = options.older_than.or(by_default);
        let mut bytes = collected.kept_bytes + candidates.iter().map(|one| one.removed.bytes).sum::<u64>();
        for Candidate { found, removed } in candidates {
            let is_old = older_than.is_some_and(|limit| removed.unused > limit);
            let is_too_much = options.max_bytes.is_some_and(|limit| bytes > limit);
            let goes = !removed.believed || is_old || is_too_much;
            let mut is_gone = goes && options.dry_run;
            if goes && !options.dry_run {
                // What is not believed is used by nobody, at this moment or any other.
                is_gone = if removed.believed {
                    self.take_out_unused(&found.path, found.form, now)?
                } else {
                    self.take_out(&found.path)?
                };
            }
            if is_gone {
                bytes -= removed.bytes;
                collected.removed.push(removed);
            } else {
                collected.keep(removed.bytes);
            }
        }
        Ok(collected)
    }

    /// `None` when it is gone by now.
    fn candidate(&self, found: Found, now: SystemTime) -> Option<Candidate> {
        let examined = self.examine(&found).map(|(_, condition)| condition);
        let believed = examined.is_some();
        let condition = examined.or_else(|| {
            // Without an index it is nobody's; the directory then says how old it is.
            let metadata = fs::symlink_metadata(marked_path(&found.path, found.form))
                .or_else(|_| fs::symlink_metadata(&found.path));
            let marked = metadata.and_then(|metadata| metadata.modified()).ok()?;
            Some(Condition { bytes: 0, marked })
        })?;
        let (bytes, unused) = (condition.bytes, condition.unused(now));
        let removed = Removed { entry: found.label(), form: found.form, bytes, unused, believed };
        Some(Candidate { found, removed })
    }
}

impl Collected {
    fn keep(&mut self, bytes: u64) {
        self.kept += 1;
        self.kept_bytes += bytes;
    }
}
