//! What has come, on its way to the cache.
//!
//! Storing takes as long as the disk wants, and nobody waits for it: who has waited for a frame got it from memory. One
//! job at a time stores what has come, in that order; there is one while there is something to store. What has come and is
//! not stored is bounded: beyond, requests wait with what nobody waits for, and the upstream with them.
//!
//! What the cache has no room for stays in memory for a little while. Who reads a frame in small parts does not fetch it for
//! each of them.

use super::driver::{Driver, State};
use super::object::Opened;
use crate::cache::Stored;
use crate::schedule::ObjectId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for what is not stored yet.
#[derive(Debug)]
pub(super) struct Kept {
    room: Arc<Semaphore>,
    bytes_max: u32,
}

/// A part of that room, until it is dropped.
pub(super) type Room = OwnedSemaphorePermit;

/// What is to be stored, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Storing {
    line: VecDeque<Unstored>,
    is_running: bool,
    /// The one that came first at the front.
    not_kept: VecDeque<(ObjectId, u32, usize)>,
    not_kept_bytes: usize,
}

#[derive(Debug)]
struct Unstored {
    opened: Arc<Opened>,
    object: ObjectId,
    frame: u32,
    content: Bytes,
    /// Last: who waits for room finds nothing of this left.
    _room: Room,
}

impl Kept {
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).max(1 << crate::frames::FRAME_BITS_MAX);
        Self { room: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }

    /// Room for a frame, if there is some.
    pub(super) fn try_room(&self, bytes: usize) -> Option<Room> {
        Arc::clone(&self.room).try_acquire_many_owned(bytes as u32).ok()
    }

    /// Room for a frame, when there is some.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        Arc::clone(&self.room).acquire_many_owned(bytes as u32).await.ok()
    }

    /// Waits until all that has come was offered to the cache.
    pub(super) async fn empty(&self) {
        // Nobody closes it.
        let _ = self.room.acquire_many(self.bytes_max).await;
    }
}

impl Storing {
    /// Whether somebody has to be sent to store something.
    pub(super) fn starts(&mut self) -> bool {
        let starts = !self.is_running && !self.line.is_empty();
        self.is_running |= starts;
        starts
    }

    /// An object was closed.
    pub(super) fn forget(&mut self, object: ObjectId) {
        self.not_kept.retain(|(of, ..)| *of != object);
        self.not_kept_bytes = self.not_kept.iter().map(|(.., bytes)| bytes).sum();
    }
}

impl State {
    /// A frame is there, though not in the cache. With `room` it goes there; without, it stays in memory for a while.
    pub(super) fn hold(&mut self, object: ObjectId, frame: u32, content: Bytes, room: Option<Room>, memory: usize) {
        let Some(tracked) = self.objects.get_mut(&object) else { return };
        let opened = Arc::clone(&tracked.opened);
        tracked.held.insert(frame, content.clone());
        match room {
            Some(room) => self.storing.line.push_back(Unstored { opened, object, frame, content, _room: room }),
            None => self.keep_in_memory(object, frame, content.len(), memory),
        }
    }

    fn keep_in_memory(&mut self, object: ObjectId, frame: u32, bytes: usize, memory: usize) {
        self.stats.not_kept_frames += 1;
        self.storing.not_kept.push_back((object, frame, bytes));
        self.storing.not_kept_bytes += bytes;
        while self.storing.not_kept_bytes > memory {
            let Some((object, frame, bytes)) = self.storing.not_kept.pop_front() else { break };
            self.storing.not_kept_bytes -= bytes;
            if let Some(tracked) = self.objects.get_mut(&object) {
                tracked.held.remove(&frame);
                self.scheduler.forget(object, frame..frame + 1);
            }
        }
    }

    fn stored(&mut self, now: Duration, unstored: &Unstored, stored: &io::Result<Stored>, memory: usize) {
        let Unstored { object, frame, content, .. } = unstored;
        if let Ok(Stored::Kept) = stored {
            self.stats.kept_frames += 1;
            if let Some(tracked) = self.objects.get_mut(object) {
                tracked.held.remove(frame);
            }
            return;
        }
        self.stats.disk_errors += u64::from(stored.is_err());
        self.scheduler.hold_background(now);
        self.keep_in_memory(*object, *frame, content.len(), memory);
    }
}

/// Stores what there is to store.
pub(super) fn store_all(driver: &Arc<Driver>) {
    let memory = driver.config.not_kept_bytes_max;
    let mut done: Option<(Unstored, io::Result<Stored>)> = None;
    loop {
        let next = driver.tell(|state, now| {
            if let Some((unstored, stored)) = &done {
                state.stored(now, unstored, stored, memory);
            }
            let next = state.storing.line.pop_front();
            state.storing.is_running = next.is_some();
            next
        });
        // An object that was closed meanwhile is closed in here, and not under the lock.
        drop(done.take());
        let Some(unstored) = next else { return };
        let store = AssertUnwindSafe(|| unstored.opened.cached.store(unstored.frame, &unstored.content));
        let stored = catch_unwind(store).unwrap_or_else(|_| Err(io::Error::other("storing a frame panicked")));
        done = Some((unstored, stored));
    }
}
