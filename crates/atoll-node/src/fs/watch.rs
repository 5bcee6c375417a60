//! `fs.watch` and `fs.watchFile`: the guest's watches, and the delivery of their events.
//!
//! ```text
//! layer ─► sink ─► the request's queue ─(waker)─► collect() in a turn of the request ─► listeners
//! ```
//!
//! Each request has a queue, which the event loop polls through one operation (`wait`) as long as the request has watches: so
//! events come in a turn of the request that watches, on its budget, and the watches end with it (`release`). The operation keeps
//! no program alive; that is counted by watcher, in JavaScript. Queues share the worker's budget of events.

use super::FsState;
use super::errors::{Named, path, thrown};
use atoll_engine::{Call, JsError, NativeResult, Value};
use atoll_vfs::{
    Errno, Event, EventBudget, EventKind, EventQueue, EventSink, FsError, GuestPath, MountTable, QueuedEvent, Step,
    Watch,
};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Events delivered in one turn, so that a burst can't keep a thread's other workers waiting.
const MAX_EVENTS_PER_TURN: usize = 256;

/// What an event is called: `rename`, else `change`.
const RENAME: u32 = 1;
/// It happened to a directory.
const DIRECTORY: u32 = 2;
/// The name is there now.
const APPEARED: u32 = 4;
/// The name is not there any more.
const VANISHED: u32 = 8;
/// Nothing more will come.
const ENDED: u32 = 16;

/// A worker's watches. Dropping it ends them.
#[derive(Debug)]
pub struct WatchState {
    /// How many there may be.
    max: usize,
    count: usize,
    /// The number of the next one; 0 is none.
    next: u32,
    budget: EventBudget,
    /// By request.
    lanes: Vec<(u64, Lane)>,
}

#[derive(Debug)]
struct Lane {
    queue: EventQueue,
    watches: HashMap<u32, Watched>,
    /// How many there are, for the operation that waits: without any, it is done.
    live: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Watched {
    watches: Vec<Box<dyn Watch>>,
    /// For those that follow a path wherever it leads.
    path: Option<GuestPath>,
}

impl WatchState {
    /// For a worker that may have so many watches at a time.
    pub fn new(max: usize) -> Self {
        Self { max, count: 0, next: 1, budget: EventBudget::new(EventBudget::DEFAULT_EVENTS), lanes: Vec::new() }
    }

    fn lane(&mut self, request: u64) -> &mut Lane {
        let found = self.lanes.iter().position(|(other, _)| *other == request);
        let index = found.unwrap_or_else(|| {
            let (queue, watches) = (EventQueue::new(&self.budget), HashMap::new());
            self.lanes.push((request, Lane { queue, watches, live: Arc::default() }));
            self.lanes.len() - 1
        });
        &mut self.lanes[index].1
    }

    /// The lane that has a watch: it may be another request's than the one that runs.
    fn lane_of(&mut self, watch: u32) -> Option<&mut Lane> {
        self.lanes.iter_mut().map(|(_, lane)| lane).find(|lane| lane.watches.contains_key(&watch))
    }

    fn require_room(&self, count: usize) -> Result<(), Errno> {
        if self.count + count > self.max { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    fn keep(&mut self, request: u64, watch: u32, watched: Watched) {
        self.count += watched.watches.len();
        let lane = self.lane(request);
        lane.watches.insert(watch, watched);
        lane.live.store(lane.watches.len(), Ordering::Relaxed);
    }

    fn remove(&mut self, watch: u32) -> Option<Watched> {
        let lane = self.lane_of(watch)?;
        let removed = lane.watches.remove(&watch)?;
        lane.live.store(lane.watches.len(), Ordering::Relaxed);
        if lane.watches.is_empty() {
            lane.queue.wake();
        }
        self.count -= removed.watches.len();
        Some(removed)
    }
}

/// Is ready when there are events, or no watches any more.
struct Waiter {
    queue: EventQueue,
    live: Arc<AtomicUsize>,
}

impl Future for Waiter {
    type Output = NativeResult;

    fn poll(self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        // Registered first: the last watch may go meanwhile.
        let ready = self.queue.poll_ready(context).is_ready();
        if ready || self.live.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(Ok(Value::Undefined));
        }
        Poll::Pending
    }
}

/// Passes on what happens to one name, and to the directory itself, as happening to what is watched.
#[derive(Debug)]
struct OneName {
    name: Box<[u8]>,
    sink: Arc<dyn EventSink>,
}

impl EventSink for OneName {
    fn notify(&self, event: Event<'_>) {
        // Contents of the directory's other names are nobody's business; its own mode may be.
        if event.name.is_none_or(|name| name == &*self.name) {
            self.sink.notify(Event { name: None, ..event });
        }
    }
}

/// Node's error for what cannot be watched.
fn failed(named: &Named, errno: Errno) -> JsError {
    if errno == Errno::ENOSPC {
        let message = format!("ENOSPC: System limit for number of file watchers reached, watch '{}'", named.given());
        return JsError::error(message)
            .with("errno", Value::Number(f64::from(-errno.raw())))
            .with("syscall", "watch")
            .with("code", errno.name())
            .with("path", &*named.given());
    }
    thrown(&FsError { errno, syscall: "watch", path: Some(named.given().into_owned()), dest: None })
}

/// `(path)` → the number of the watch.
pub(super) fn watch(call: &mut Call<'_, '_, '_>) -> NativeResult {
    if call.with_utf8(0, <[u8]>::is_empty)? {
        // As in Node, this error has no path.
        return Err(thrown(&FsError::new(Errno::ENOENT, "watch")));
    }
    let named = path(call, 0, "watch")?;
    let request = call.request();
    let mounts = Arc::clone(&call.state::<FsState>().mounts);
    let state = call.state::<WatchState>();
    state.require_room(1).map_err(|errno| failed(&named, errno))?;
    let number = state.next;
    let sink = state.lane(request).queue.sink(number);
    let watch = mounts.watch(&named.path, &sink).map_err(|error| failed(&named, error.errno))?;
    state.next = after(number).map_err(|errno| failed(&named, errno))?;
    state.keep(request, number, Watched { watches: vec![watch], path: None });
    Ok(Value::from(number))
}

/// Numbers are not used twice: an event of a watch that is no more must not be another's.
fn after(number: u32) -> Result<u32, Errno> {
    number.checked_add(1).ok_or(Errno::ENOSPC)
}

/// How often a path is looked at anew that is changed while watches are put on its way. Whoever changes it all the time has it
/// looked at in intervals.
const MAX_FOLLOWING: u32 = 8;

/// Watches on all that decides where a path leads, and on what it leads to.
fn follow(mounts: &MountTable, path: &GuestPath, sink: &Arc<dyn EventSink>) -> Result<Vec<Box<dyn Watch>>, Errno> {
    let mut steps = mounts.steps(path);
    for _ in 0..MAX_FOLLOWING {
        let watches = watch_steps(mounts, path, &steps, sink)?;
        // What has changed before the watches were there was told to nobody.
        let now = mounts.steps(path);
        if now == steps {
            return Ok(watches);
        }
        steps = now;
    }
    Err(Errno::ELOOP)
}

fn watch_steps(
    mounts: &MountTable,
    path: &GuestPath,
    steps: &[Step],
    sink: &Arc<dyn EventSink>,
) -> Result<Vec<Box<dyn Watch>>, Errno> {
    let mut watches = Vec::with_capacity(steps.len() + 1);
    for step in steps {
        let sink: Arc<dyn EventSink> = Arc::new(OneName { name: step.name.clone(), sink: Arc::clone(sink) });
        watches.push(mounts.watch(&step.directory, &sink).map_err(|error| error.errno)?);
    }
    match mounts.watch(path, sink) {
        Ok(watch) => watches.push(watch),
        Err(error) if matches!(error.errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
        Err(error) => return Err(error.errno),
    }
    Ok(watches)
}

/// `(path)` → the number of a watch on whatever the path leads to, now and later; 0 where that cannot be watched, or only in
/// part. Each directory on the way counts as a watch.
pub(super) fn watch_path(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "watch")?;
    let request = call.request();
    let mounts = Arc::clone(&call.state::<FsState>().mounts);
    let state = call.state::<WatchState>();
    let number = state.next;
    let sink = state.lane(request).queue.sink(number);
    let followed = follow(&mounts, &named.path, &sink);
    match followed.and_then(|watches| state.require_room(watches.len()).and_then(|()| Ok((watches, after(number)?)))) {
        Ok((watches, next)) => {
            state.next = next;
            state.keep(request, number, Watched { watches, path: Some(named.path) });
            Ok(Value::from(number))
        }
        Err(_) => Ok(Value::from(0_u32)),
    }
}

/// `(watch)` → whether a watch on a path could be put anew, after something on its way has changed. If not, it is gone.
pub(super) fn rewatch(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let number = call.u32(0)?;
    let mounts = Arc::clone(&call.state::<FsState>().mounts);
    let request = call.request();
    let state = call.state::<WatchState>();
    // The old ones are there until the new ones are: what happens in between is told.
    let Some((path, sink)) = state.lane_of(number).and_then(|lane| {
        let path = lane.watches.get(&number)?.path.clone()?;
        Some((path, lane.queue.sink(number)))
    }) else {
        return Ok(Value::Bool(false));
    };
    let followed = follow(&mounts, &path, &sink);
    let old = state.remove(number);
    let watches = followed.and_then(|watches| state.require_room(watches.len()).map(|()| watches));
    drop(old);
    let Ok(watches) = watches else { return Ok(Value::Bool(false)) };
    state.keep(request, number, Watched { watches, path: Some(path) });
    Ok(Value::Bool(true))
}

/// `(watch)`: ends it.
pub(super) fn unwatch(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let number = call.u32(0)?;
    drop(call.state::<WatchState>().remove(number));
    Ok(Value::Undefined)
}

/// `(request)`: ends all watches of a request that is over, and drops what was not delivered.
pub(super) fn release(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.u64(0)?;
    let state = call.state::<WatchState>();
    let Some(index) = state.lanes.iter().position(|(other, _)| *other == request) else { return Ok(Value::Undefined) };
    let (_, lane) = state.lanes.swap_remove(index);
    state.count -= lane.watches.values().map(|watched| watched.watches.len()).sum::<usize>();
    lane.live.store(0, Ordering::Relaxed);
    drop(lane.watches);
    lane.queue.close();
    Ok(Value::Undefined)
}

/// `()` → a promise that is fulfilled when there are events for the request, or no watches of its any more.
pub(super) fn wait(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.request();
    let lane = call.state::<WatchState>().lane(request);
    let (queue, live) = (lane.queue.clone(), Arc::clone(&lane.live));
    call.spawn_unref(Waiter { queue, live })
}

/// `()` → `[events, again]`. The events are `watch, flags, name` one after the other; the watch is 0 for all of the request's,
/// some events of which were lost; the name is `null` for what is watched itself, bytes where it is no UTF-8. `again` says whether
/// `wait` must be called.
#[expect(clippy::unnecessary_wraps, reason = "the type of natives")]
pub(super) fn collect(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.request();
    let state = call.state::<WatchState>();
    let Some((_, lane)) = state.lanes.iter_mut().find(|(other, _)| *other == request) else {
        return Ok(Value::List(vec![Value::List(Vec::new()), Value::Bool(false)]));
    };
    let (taken, _) = lane.queue.take(MAX_EVENTS_PER_TURN);
    let mut events = Vec::with_capacity(taken.len() * 3);
    for event in taken {
        let flags = flags(&event);
        let name = match event.name.map(|name| String::from_utf8(name.into_vec())) {
            None => Value::Null,
            Some(Ok(name)) => Value::String(name),
            Some(Err(error)) => Value::Bytes(error.into_bytes()),
        };
        events.extend([Value::from(event.watch.unwrap_or(0)), Value::from(flags), name]);
    }
    Ok(Value::List(vec![Value::List(events), Value::Bool(!lane.watches.is_empty())]))
}

/// Node calls all but changes of contents and attributes of files `rename`.
fn flags(event: &QueuedEvent) -> u32 {
    let is_change = matches!(event.kind, EventKind::Modified | EventKind::AttributesChanged) && !event.is_directory;
    let more = match event.kind {
        EventKind::Created | EventKind::MovedTo => APPEARED,
        EventKind::Deleted | EventKind::MovedFrom => VANISHED,
        EventKind::Ignored => ENDED,
        _ => 0,
    };
    let of_directory = if event.is_directory { DIRECTORY } else { 0 };
    more | of_directory | if is_change { 0 } else { RENAME }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_vfs::{Access, Memory, Quota};

    #[test]
    fn a_path_is_followed_wherever_it_leads() {
        let mounts = MountTable::builder()
            .mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        let path = |path: &str| GuestPath::new(path).unwrap();
        let queue = EventQueue::new(&EventBudget::new(100));
        let sink = queue.sink(1);
        let told = || queue.take(usize::MAX).0.iter().map(flags).collect::<Vec<_>>();
        let followed = || follow(&mounts, &path("/tmp/d/file"), &sink).unwrap();

        let watches = followed();
        assert_eq!(watches.len(), 1, "the directory in which a name is missing");
        mounts.write(&path("/tmp/other"), b"x").unwrap();
        mounts.create_dir(&path("/tmp/d"), 0o755).unwrap();
        assert_eq!(told(), [RENAME | DIRECTORY | APPEARED]);

        let earlier = watches;
        let watches = followed();
        drop(earlier);
        assert_eq!(watches.len(), 2);
        mounts.write(&path("/tmp/d/other"), b"x").unwrap();
        mounts.write(&path("/tmp/d/file"), b"x").unwrap();
        assert_eq!(told(), [RENAME | APPEARED, 0]);

        let earlier = watches;
        let watches = followed();
        drop(earlier);
        assert_eq!(watches.len(), 3);
        mounts.write(&path("/tmp/d/file"), b"longer").unwrap();
        assert_eq!(told(), [0], "what directory and file tell of one write is one");
        mounts.rename(&path("/tmp/d"), &path("/tmp/e")).unwrap();
        assert_eq!(told(), [RENAME | DIRECTORY | VANISHED, RENAME]);
        drop(watches);
        mounts.write(&path("/tmp/e/file"), b"x").unwrap();
        assert!(told().is_empty());
    }

    #[test]
    fn watches_are_counted_until_they_end() {
        let mut state = WatchState::new(3);
        let watched = |count: usize| Watched { watches: (0..count).map(|_| watch_on_nothing()).collect(), path: None };
        state.keep(1, 1, watched(1));
        state.keep(2, 2, watched(2));
        assert_eq!((state.require_room(0), state.require_room(1)), (Ok(()), Err(Errno::ENOSPC)));
        assert!(state.remove(3).is_none());
        assert!(state.remove(2).is_some());
        assert_eq!((state.require_room(2), state.require_room(3)), (Ok(()), Err(Errno::ENOSPC)));
        assert_eq!(after(u32::MAX), Err(Errno::ENOSPC));
    }

    fn watch_on_nothing() -> Box<dyn Watch> {
        let memory = Memory::new(Quota::DEFAULT);
        let sink = EventQueue::new(&EventBudget::new(1)).sink(1);
        atoll_vfs::Layer::watch(&memory, atoll_vfs::LayerPath::ROOT, &sink).unwrap()
    }
}
