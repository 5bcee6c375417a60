//! One request: its bytes become frames, and frames become somebody's answer.

use super::driver::Driver;
use super::object::Opened;
use crate::frames::FrameError;
use crate::schedule::{Ending, Layout, ObjectId, RequestId, Start};
use crate::upstream::UpstreamError;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, poll};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The scheduler is told of so many bytes together, at least, if they come soon: it measures by what it is told.
const REPORT_BYTES: u64 = 32 << 10;
/// And is told of less after this.
const REPORT_AFTER: Duration = Duration::from_millis(1);
/// A frame with more content is verified and decompressed on a thread for work that takes long: those that drive requests
/// have to be there for the others. For a frame of common size, 128 KiB, that would be two more changes of threads in the
/// way of who waits.
const INLINE_CONTENT_BYTES_MAX: u64 = 256 << 10;

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Carries out a request, and says how it ended.
pub(super) async fn run(driver: Arc<Driver>, opened: Arc<Opened>, start: Start) {
    let request = start.request;
    let fetch = Fetch {
        parts: Parts { frames: start.frames, partial: Vec::new(), rest: Bytes::new() },
        driver: &driver,
        opened: &opened,
        object: start.object,
        request,
        received: 0,
        reported: 0,
        reported_at: Instant::now(),
    };
    let ended = AssertUnwindSafe(fetch.run(start.bytes)).catch_unwind().await;
    let has_panicked = ended.is_err();
    let (ending, failure) = match ended {
        Ok(Ok(())) => (Ending::Complete, None),
        Ok(Err(error)) => (error.ending(), Some(error.to_string())),
        // It would most likely panic again.
        Err(panic) => (Ending::Refused, Some(format!("a request panicked: {}", message_of(&*panic)))),
    };
    driver.tell(|state, now| {
        if state.requests.remove(&request).is_none() {
            return;
        }
        state.stats.damaged_frames += u64::from(ending == Ending::Corrupt);
        state.stats.panics += u64::from(has_panicked);
        if let Some(failure) = failure {
            state.last_failure = Some(failure.into());
        }
        state.scheduler.ended(now, request, ending);
    });
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of a reason without words")
}

impl FetchError {
    fn ending(&self) -> Ending {
        match self {
            Self::Upstream(error) => error.ending(),
            Self::Frame(_) => Ending::Corrupt,
        }
    }
}

struct Fetch<'a> {
    driver: &'a Arc<Driver>,
    opened: &'a Arc<Opened>,
    object: ObjectId,
    request: RequestId,
    parts: Parts,
    /// Bytes that have come.
    received: u64,
    /// Of them, those that the scheduler knows of.
    reported: u64,
    reported_at: Instant,
}

impl Fetch<'_> {
    async fn run(mut self, bytes: Range<u64>) -> Result<(), FetchError> {
        let mut body = self.opened.remote.get(bytes).await?;
        loop {
            let next = match poll!(body.next()) {
                Poll::Ready(next) => next,
                Poll::Pending => {
                    self.report_progress();
                    body.next().await
                }
            };
            let Some(bytes) = next.transpose()? else { return Ok(()) };
            self.received += bytes.len() as u64;
            self.parts.rest = bytes;
            while let Some((frame, stored)) = self.parts.next_frame(&self.opened.layout) {
                self.take(frame, stored).await?;
            }
        }
    }

    /// Tells the scheduler of what has come, if that is the first or enough.
    fn report_progress(&mut self) {
        let is_enough = self.received >= self.reported + REPORT_BYTES || self.reported_at.elapsed() >= REPORT_AFTER;
        if self.received > self.reported && (self.reported == 0 || is_enough) {
            self.report();
        }
    }

    fn report(&mut self) {
        let new = self.note_report();
        self.driver.tell(|state, now| {
            state.stats.fetched_bytes += new;
            state.scheduler.arrived(now, self.request, self.received);
        });
    }

    /// All that has come is being reported; how much of it is new.
    fn note_report(&mut self) -> u64 {
        let new = self.received - self.reported;
        self.reported = self.received;
        self.reported_at = Instant::now();
        new
    }

    /// A frame's bytes are all here.
    async fn take(&mut self, frame: u32, stored: Bytes) -> Result<(), FetchError> {
        let table = &self.opened.table;
        let content = if table.header().content_of(frame) <= INLINE_CONTENT_BYTES_MAX {
            table.content(frame, stored)?
        } else {
            self.report();
            let opened = Arc::clone(self.opened);
            let work = self.driver.runtime.spawn_blocking(move || opened.table.content(frame, stored));
            work.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))?
        };
        let room = match self.driver.kept.try_room(content.len()) {
            Some(room) => Some(room),
            // The disk is behind. Who waits for a frame does not wait for the disk.
            None if self.driver.is_waited_for(self.object, frame) => None,
            None => {
                self.report();
                self.driver.tell(|state, _| state.scheduler.hold(self.request));
                self.driver.kept.room(content.len()).await
            }
        };
        let new = self.note_report();
        let memory = self.driver.config.not_kept_bytes_max;
        self.driver.tell(|state, now| {
            state.stats.fetched_bytes += new;
            // One that was given up has no say any more: another one may be under way for the same frames.
            if !state.requests.contains_key(&self.request) {
                return;
            }
            state.stats.verified_frames += 1;
            state.scheduler.arrived(now, self.request, self.received);
            state.deliver(self.object, frame, &content);
            state.scheduler.verified(now, self.request, frame + 1);
            state.hold(self.object, frame, content, room, memory);
        });
        Ok(())
    }
}

/// Cuts what comes into frames. A frame that comes in one piece is not copied.
struct Parts {
    /// Those that have not come.
    frames: Range<u32>,
    /// What has come of the first of them.
    partial: Vec<u8>,
    /// And what came behind.
    rest: Bytes,
}

impl Parts {
    fn next_frame(&mut self, layout: &Layout) -> Option<(u32, Bytes)> {
        let frame = self.frames.start;
        if self.frames.is_empty() || self.rest.is_empty() {
            return None;
        }
        let length = layout.bytes(&(frame..frame + 1)) as usize;
        if self.partial.is_empty() && self.rest.len() >= length {
            self.frames.start += 1;
            return Some((frame, self.rest.split_to(length)));
        }
        if self.partial.is_empty() {
            self.partial.reserve_exact(length);
        }
        let more = self.rest.len().min(length - self.partial.len());
        self.partial.extend_from_slice(&self.rest.split_to(more));
        if self.partial.len() < length {
            return None;
        }
        self.frames.start += 1;
        Some((frame, std::mem::take(&mut self.partial).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_of_any_length_become_the_frames(
            frames in prop::collection::vec(1..20_u64, 1..8),
            cuts in prop::collection::vec(0..60_usize, 0..8),
        ) {
            let ends = frames.iter().scan(0, |end, bytes| { *end += bytes; Some(*end) });
            let offsets: Vec<u64> = std::iter::once(0).chain(ends).collect();
            let layout = Layout::table(offsets.clone().into(), 4);
            let all: Bytes = (0..*offsets.last().unwrap()).map(|byte| byte as u8).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).chain([0, all.len()]).collect();
            cuts.sort_unstable();
            let mut parts = Parts { frames: 0..frames.len() as u32, partial: Vec::new(), rest: Bytes::new() };
            let mut found = Vec::new();
            for piece in cuts.windows(2) {
                parts.rest = all.slice(piece[0]..piece[1]);
                while let Some((frame, stored)) = parts.next_frame(&layout) {
                    prop_assert!(offsets[frame as usize + 1] <= piece[1] as u64, "not before it is here");
                    found.push((frame, stored));
                }
                let complete = offsets[1..].iter().filter(|end| **end <= piece[1] as u64).count();
                prop_assert_eq!(found.len(), complete, "as soon as it is here");
            }
            for (index, (frame, stored)) in found.iter().enumerate() {
                prop_assert_eq!(*frame as usize, index);
                prop_assert_eq!(stored, &all.slice(offsets[index] as usize..offsets[index + 1] as usize));
            }
        }
    }
}
