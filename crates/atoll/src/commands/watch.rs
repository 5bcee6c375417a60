//! Which projects' files changed.
//!
//! Every folder of a project is watched by itself, except those that no edit is made in, so that `node_modules` costs no
//! watches. Folders that appear are found by looking again before each change is reported: a file that was written into
//! a new folder before it was watched is part of that change already.

use crate::terminal::{Failure, print_warning};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Folders whose content is no source.
const IGNORED_FOLDERS: [&str; 3] = ["node_modules", ".git", ".hg"];

/// Folders watched at most: a quarter of what Linux allowed a user before 5.11 was 2048; today it is a million.
const WATCHED_MAX: usize = 8192;

/// Editors write a file in several steps; a change is complete when nothing happened for this long.
const QUIET: Duration = Duration::from_millis(60);

/// A change that goes on for longer is reported in parts.
const CHANGE_MAX: Duration = Duration::from_secs(1);

/// What the watching thread has seen.
#[derive(Default)]
struct Seen {
    /// Indexes of projects with changes.
    changed: BTreeSet<usize>,
    /// Paths that may have been watched folders and are gone.
    gone: Vec<PathBuf>,
}

struct Shared {
    roots: Vec<PathBuf>,
    seen: Mutex<Seen>,
    news: Notify,
}

/// Watches projects.
pub(super) struct Watcher {
    events: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    shared: Arc<Shared>,
}

impl Watcher {
    pub(super) fn new(roots: Vec<PathBuf>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared { roots, seen: Mutex::default(), news: Notify::new() });
        let heard = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is about one watch; what it meant for the files shows at the next change.
            if let Ok(event) = event {
                heard.note(&event);
            }
        });
        let watcher = watcher.map_err(|error| Failure::new(format!("files can't be watched: {error}")))?;
        let mut this = Self { events: watcher, watched: HashSet::new(), shared };
        this.watch_folders();
        Ok(this)
    }

    /// Waits for a change and its end; the projects that it concerns.
    pub(super) async fn next_change(&mut self) -> BTreeSet<usize> {
        loop {
            self.shared.news.notified().await;
            let end = Instant::now() + CHANGE_MAX;
            while timeout_at(end.min(Instant::now() + QUIET), self.shared.news.notified()).await.is_ok() {}
            let seen = std::mem::take(&mut *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner));
            for path in seen.gone {
                self.watched.retain(|folder| !folder.starts_with(&path));
            }
            self.watch_folders();
            if !seen.changed.is_empty() {
                return seen.changed;
            }
        }
    }

    /// Watches the folders that are not watched yet.
    fn watch_folders(&mut self) {
        let mut folders = self.shared.roots.clone();
        while let Some(folder) = folders.pop() {
            if self.watched.len() >= WATCHED_MAX {
                print_warning(format_args!("more than {WATCHED_MAX} folders: changes in the others are not seen"));
                return;
            }
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let children =
                entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(children.filter(|entry| !is_ignored_folder(&entry.file_name())).map(|entry| entry.path()));
            if !self.watched.contains(&folder) {
                match self.events.watch(&folder, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        self.watched.insert(folder);
                    }
                    Err(error) => {
                        print_warning(format_args!("{} can't be watched: {error}", folder.display()));
                        return;
                    }
                }
            }
        }
    }
}

impl Shared {
    fn note(&self, event: &Event) {
        let is_change = match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        };
        if !is_change {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for path in &event.paths {
            let root = self.roots.iter().enumerate().filter(|(_, root)| concerns(path, root));
            seen.changed.extend(root.map(|(index, _)| index));
            if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_))) {
                seen.gone.push(path.clone());
            }
        }
        drop(seen);
        self.news.notify_one();
    }
}

/// Whether a change of `path` is one of the project's sources.
fn concerns(path: &Path, root: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else { return false };
    !below.iter().any(is_ignored_folder) && !below.file_name().is_some_and(is_scratch)
}

fn is_ignored_folder(name: &OsStr) -> bool {
    IGNORED_FOLDERS.iter().any(|ignored| name == *ignored)
}

/// Files that editors make beside the one that is edited.
fn is_scratch(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with('~') || name.starts_with(".#") || name.ends_with(".swp") || name.ends_with(".swx") || name == "4913"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_a_project() {
        let concerns = |path: &str| concerns(Path::new(path), Path::new("/home/me/shop"));
        for path in ["/home/me/shop/src/a.ts", "/home/me/shop/package.json", "/home/me/shop/src/.env"] {
            assert!(concerns(path), "{path}");
        }
        for path in [
            "/home/me/shop/node_modules/a/index.js",
            "/home/me/shop/packages/x/node_modules",
            "/home/me/shop/.git/index",
            "/home/me/shop/src/.a.ts.swp",
            "/home/me/shop/src/a.ts~",
            "/home/me/shopping/a.ts",
        ] {
            assert!(!concerns(path), "{path}");
        }
    }
}
