//! Being told of changes, in the terms of inotify(7).
//!
//! A [`Watch`] is on a file or directory, not on a name: it stays with it when it is renamed, and ends with it. What happens
//! is told to an [`EventSink`] in the order in which it happens, by whoever does it or hears of it, with what locks they hold:
//! so a sink takes what it is told and returns. An [`EventQueue`] is the sink that keeps events until somebody asks.
//!
//! | what happens | to the watched object itself | to a name in the watched directory |
//! | --- | --- | --- |
//! | content is written or cut | `Modified` | `Modified` |
//! | mode, owner or times are set | `AttributesChanged` | `AttributesChanged` |
//! | a hard link is made or removed | `AttributesChanged` | `Created`, `Deleted` |
//! | a name is made, removed | | `Created`, `Deleted` |
//! | it is renamed | `MovedSelf` | `MovedFrom`, then `MovedTo` in the directory of the new name |
//! | the last name and the last open file are gone | `DeletedSelf`, then `Ignored` | |
//!
//! Of a change that is told to a directory and to the file in it, the directory hears first; of a removal, last.

mod queue;

pub use queue::{EventBudget, EventQueue, QueuedEvent};

use std::fmt::Debug;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Content was written or cut (`IN_MODIFY`).
    Modified,
    /// Mode, owner, times or the number of links have changed (`IN_ATTRIB`).
    AttributesChanged,
    /// A name was made in the directory (`IN_CREATE`).
    Created,
    /// A name was removed from the directory (`IN_DELETE`).
    Deleted,
    /// A name was moved away (`IN_MOVED_FROM`).
    MovedFrom,
    /// A name was moved here (`IN_MOVED_TO`).
    MovedTo,
    /// The object is gone (`IN_DELETE_SELF`), or its filesystem is (`IN_UNMOUNT`).
    DeletedSelf,
    /// The object was moved (`IN_MOVE_SELF`).
    MovedSelf,
    /// Nothing will be told any more, because the object is gone (`IN_IGNORED`).
    Ignored,
    /// More has happened than was kept (`IN_Q_OVERFLOW`): whoever keeps track has to look for themselves.
    Overflow,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'n> {
    /// What has happened.
    pub kind: EventKind,
    /// Whether it happened to a directory (`IN_ISDIR`).
    pub is_directory: bool,
    /// The name in the watched directory that it happened to; none for the watched object itself.
    pub name: Option<&'n [u8]>,
}

/// Who is told. May be called from any thread.
pub trait EventSink: Send + Sync + Debug {
    /// Takes an event. It must not wait, nor call the filesystem.
    fn notify(&self, event: Event<'_>);
}

/// A watch, which ends when it is dropped. An event that is being told at that moment may still come.
pub trait Watch: Send + Sync + Debug {}

/// A watch on what never changes.
#[derive(Debug)]
pub struct Silent;

impl Watch for Silent {}
