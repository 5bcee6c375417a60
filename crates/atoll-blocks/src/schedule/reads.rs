//! Who waits, and for what.

use super::actions::{Action, Answer, Class, ObjectId, ReadId, RequestId, Why};
use super::frame_set::FrameSet;
use super::objects::Object;
use super::scheduler::{Scheduler, Task};
use std::ops::Range;
use std::time::Duration;

/// Ranges that are remembered to be fetched ahead of being wanted; further ones are not.
const PREFETCHES_MAX: usize = 65_536;

/// A read that waits.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) object: ObjectId,
    pub(super) frames: Range<u32>,
    /// Of `frames`, counted from its start, those that have been there.
    seen: FrameSet,
    /// How many have not.
    missing: u32,
    pub(super) deadline: Duration,
}

impl Scheduler {
    /// Somebody wants to read these frames. A read of no frames, or of an object that is not open, is ready: there is
    /// nothing to wait for.
    pub fn read(&mut self, now: Duration, id: ObjectId, frames: Range<u32>) -> Answer {
        let Some(object) = self.objects.get_mut(&id) else { return Answer::Ready };
        let count = frames.end.saturating_sub(frames.start);
        let missing = count - object.ready.count(frames.clone());
        if count == 0 {
            return Answer::Ready;
        }
        if missing == 0 {
            self.follow(id, &frames);
            self.pump(now);
            return Answer::Ready;
        }
        let read = ReadId(self.next_id());
        let Some(object) = self.objects.get_mut(&id) else { return Answer::Ready };
        let mut seen = FrameSet::new(count);
        mark_seen(&mut seen, object, &frames);
        object.reads.insert(read);
        let deadline = now + self.config.read_timeout;
        self.reads.insert(read, Read { object: id, frames: frames.clone(), seen, missing, deadline });
        self.demand_claimed(now, id, &frames);
        self.demand_absent(id, &frames);
        self.fill_chunks(id, &frames);
        self.follow(id, &frames);
        self.pump(now);
        Answer::Waits(read)
    }

    /// What is under way for these frames is demand from now on.
    fn demand_claimed(&mut self, now: Duration, id: ObjectId, frames: &Range<u32>) {
        let Some(object) = self.objects.get(&id) else { return };
        for request in object.flights_in(frames) {
            if let Some(flight) = self.flights.get_mut(&request) {
                flight.class = Class::Demand;
            }
        }
        self.retry.demand(now, id, frames);
    }

    /// What is neither there nor under way is put in line.
    fn demand_absent(&mut self, id: ObjectId, frames: &Range<u32>) {
        let Some(object) = self.objects.get(&id) else { return };
        let mut rest = frames.clone();
        while let Some(run) = object.absent_run(rest.clone()) {
            rest.start = run.end;
            self.demand.push_back(Task { object: id, frames: run, attempts: 0 });
        }
    }

    /// The rest of the chunks is wanted too, from behind the read on.
    fn fill_chunks(&mut self, id: ObjectId, frames: &Range<u32>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let mut frame = frames.start;
        while frame < frames.end {
            let chunk = object.layout.chunk_of(frame);
            let cursor = frames.end.min(chunk.end);
            if object.fills.insert(chunk.start, cursor).is_none() {
                let task = Task { object: id, frames: chunk.clone(), attempts: 0 };
                self.paced[Class::Fill as usize].push_back(task);
            }
            frame = chunk.end;
        }
    }

    /// These frames will be wanted, after those that were named before.
    pub fn prefetch(&mut self, now: Duration, object: ObjectId, frames: Range<u32>) {
        let queue = &mut self.paced[Class::Prefetch as usize];
        if queue.len() < PREFETCHES_MAX && frames.start < frames.end {
            queue.push_back(Task { object, frames, attempts: 0 });
            self.pump(now);
        }
    }

    /// Whoever wanted this read wants it no more. What has been asked for goes on.
    pub fn cancel(&mut self, now: Duration, read: ReadId) {
        self.remove_read(read);
        // The budget may have been kept free for it.
        self.pump(now);
    }

    /// The bytes of the request's frames before `end` have arrived, have been verified, and can be read.
    pub fn verified(&mut self, now: Duration, request: RequestId, end: u32) {
        let Some(flight) = self.flights.get_mut(&request) else { return };
        let frames = flight.next..end.min(flight.frames.end);
        if frames.is_empty() {
            return;
        }
        flight.next = frames.end;
        let Some(object) = self.objects.get_mut(&flight.object) else { return };
        object.ready.insert(frames.clone());
        if let Some(claim) = object.claims.remove(&frames.start)
            && frames.end < claim.0
        {
            object.claims.insert(frames.end, claim);
        }
        let mut woken = Vec::new();
        for id in &object.reads {
            let Some(read) = self.reads.get_mut(id) else { continue };
            let shared = read.frames.start.max(frames.start)..read.frames.end.min(frames.end);
            if shared.is_empty() {
                continue;
            }
            let shared = shared.start - read.frames.start..shared.end - read.frames.start;
            read.missing -= shared.len() as u32 - read.seen.count(shared.clone());
            read.seen.insert(shared);
            if read.missing == 0 {
                woken.push(*id);
            }
        }
        for read in woken {
            self.remove_read(read);
            self.actions.push_back(Action::Wake(read));
        }
        self.retry.worked();
        self.pump(now);
    }

    /// Whether a read waits for one of these frames.
    pub(super) fn is_waited_for(&self, object: ObjectId, frames: &Range<u32>) -> bool {
        self.waiting_for(object, frames).next().is_some()
    }

    fn waiting_for(&self, object: ObjectId, frames: &Range<u32>) -> impl Iterator<Item = ReadId> {
        let reads = self.objects.get(&object).into_iter().flat_map(|object| &object.reads);
        reads.copied().filter(|id| {
            let read = self.reads.get(id);
            read.is_some_and(|read| read.frames.start < frames.end && frames.start < read.frames.end)
        })
    }

    /// Who waits for one of these frames gets this answer.
    pub(super) fn fail_reads(&mut self, object: ObjectId, frames: &Range<u32>, why: Why) {
        let failed: Vec<_> = self.waiting_for(object, frames).collect();
        for read in failed {
            self.fail_read(read, why);
        }
    }

    pub(super) fn time_out_reads(&mut self, now: Duration) {
        while let Some((id, read)) = self.reads.first_key_value() {
            if read.deadline > now {
                return;
            }
            self.fail_read(*id, Why::TimedOut);
        }
    }

    fn fail_read(&mut self, read: ReadId, why: Why) {
        self.remove_read(read);
        self.stats.failed_reads += 1;
        self.actions.push_back(Action::Fail { read, why });
    }

    fn remove_read(&mut self, id: ReadId) {
        if let Some(read) = self.reads.remove(&id)
            && let Some(object) = self.objects.get_mut(&read.object)
        {
            object.reads.remove(&id);
        }
    }
}

/// Notes which of a new read's frames are there.
fn mark_seen(seen: &mut FrameSet, object: &Object, frames: &Range<u32>) {
    let mut begin = frames.start;
    while let Some(start) = object.ready.first_present(begin..frames.end) {
        let end = object.ready.first_missing(start..frames.end).unwrap_or(frames.end);
        seen.insert(start - frames.start..end - frames.start);
        begin = end;
    }
}
