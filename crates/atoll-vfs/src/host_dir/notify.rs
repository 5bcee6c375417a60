//! Events of the host, by inotify.
//!
//! The process has one inotify instance for all guests, since the kernel gives a user few of them (128), and one thread that waits
//! for its events and tells them to whoever watches. Both are there from the first watch on. The kernel has one watch for an
//! object, however many of ours are on it: it is removed with the last one.
//!
//! What the kernel's queue cannot hold (16,384 events, unless the thread is kept from running) is lost for all: each watch is
//! told [`EventKind::Overflow`].

use crate::Errno;
use crate::watch::{Event, EventKind, EventSink, Watch};
use atoll_sys::inotify::{self, EventFlags};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static NOTIFIER: Mutex<Option<Arc<Notifier>>> = Mutex::new(None);

#[derive(Debug)]
struct Notifier {
    queue: OwnedFd,
    watched: Mutex<Watched>,
}

/// Our watches on one object, each with its number.
type Sinks = Vec<(u64, Arc<dyn EventSink>)>;

#[derive(Debug, Default)]
struct Watched {
    /// By the kernel's number of the watch.
    sinks: HashMap<i32, Sinks>,
    /// The number of our next watch.
    next: u64,
}

#[derive(Debug)]
pub(super) struct HostWatch {
    notifier: Arc<Notifier>,
    kernels: i32,
    number: u64,
}

impl Watch for HostWatch {}

impl Drop for HostWatch {
    fn drop(&mut self) {
        self.notifier.remove(self.kernels, self.number);
    }
}

/// Watches an open object, which may be one of `O_PATH`.
pub(super) fn watch(object: impl AsFd, sink: &Arc<dyn EventSink>) -> Result<HostWatch, Errno> {
    let notifier = notifier()?;
    let (kernels, number) = notifier.add(object, sink)?;
    Ok(HostWatch { notifier, kernels, number })
}

fn notifier() -> Result<Arc<Notifier>, Errno> {
    let mut found = NOTIFIER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(notifier) = &*found {
        return Ok(Arc::clone(notifier));
    }
    let notifier = Arc::new(Notifier { queue: inotify::new()?, watched: Mutex::default() });
    let teller = Arc::clone(&notifier);
    let started = std::thread::Builder::new().name("atoll-watch".into()).spawn(move || teller.run());
    started.map_err(|_| Errno::EAGAIN)?;
    Ok(Arc::clone(found.insert(notifier)))
}

impl Notifier {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, object: impl AsFd, sink: &Arc<dyn EventSink>) -> Result<(i32, u64), Errno> {
        // Held over the call: an event that comes at once must find its sink.
        let mut watched = self.watched();
        let kernels = match inotify::add_watch(&self.queue, object) {
            Err(atoll_sys::Errno::NOENT) => return Err(Errno::ENOSYS),
            added => added?,
        };
        let number = watched.next;
        watched.next += 1;
        watched.sinks.entry(kernels).or_default().push((number, Arc::clone(sink)));
        Ok((kernels, number))
    }

    fn remove(&self, kernels: i32, number: u64) {
        let mut watched = self.watched();
        let Some(sinks) = watched.sinks.get_mut(&kernels) else { return };
        let removed = sinks.iter().position(|(other, _)| *other == number).map(|index| sinks.swap_remove(index));
        if sinks.is_empty() {
            watched.sinks.remove(&kernels);
            // The object may be gone, and the watch with it.
            let _: Result<(), atoll_sys::Errno> = inotify::remove_watch(&self.queue, kernels);
        }
        drop(watched);
        drop(removed);
    }

    /// Tells events for as long as the process runs.
    fn run(&self) {
        let mut told: Vec<Arc<dyn EventSink>> = Vec::new();
        inotify::read_events(&self.queue, |kernels, flags, name| {
            let mut watched = self.watched();
            if flags.contains(EventFlags::QUEUE_OVERFLOW) {
                told.extend(watched.sinks.values().flatten().map(|(_, sink)| Arc::clone(sink)));
            } else if flags.contains(EventFlags::IGNORED) {
                told.extend(watched.sinks.remove(&kernels).into_iter().flatten().map(|(_, sink)| sink));
            } else if let Some(sinks) = watched.sinks.get(&kernels) {
                told.extend(sinks.iter().map(|(_, sink)| Arc::clone(sink)));
            }
            drop(watched);
            // Told after the lock was let go: whoever is told may end another watch.
            if let Some(kind) = kind(flags) {
                let event = Event { kind, is_directory: flags.contains(EventFlags::ISDIR), name };
                for sink in &told {
                    sink.notify(event);
                }
            }
            told.clear();
        });
    }
}

fn kind(flags: EventFlags) -> Option<EventKind> {
    // Setting several attributes at once can be a change of the content, too.
    let kinds = [
        (EventFlags::QUEUE_OVERFLOW, EventKind::Overflow),
        (EventFlags::MODIFY, EventKind::Modified),
        (EventFlags::ATTRIB, EventKind::AttributesChanged),
        (EventFlags::CREATE, EventKind::Created),
        (EventFlags::DELETE, EventKind::Deleted),
        (EventFlags::MOVED_FROM, EventKind::MovedFrom),
        (EventFlags::MOVED_TO, EventKind::MovedTo),
        (EventFlags::MOVE_SELF, EventKind::MovedSelf),
        (EventFlags::DELETE_SELF, EventKind::DeletedSelf),
        (EventFlags::UNMOUNT, EventKind::DeletedSelf),
        (EventFlags::IGNORED, EventKind::Ignored),
    ];
    kinds.into_iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, kind)| kind)
}
