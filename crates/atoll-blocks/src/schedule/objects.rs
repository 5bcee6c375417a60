//! What is known of an object.

use super::actions::{ObjectId, ReadId, RequestId};
use super::frame_set::FrameSet;
use super::layout::Layout;
use super::readahead::Streams;
use super::scheduler::Scheduler;
use super::{Action, Why};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Object {
    pub(super) layout: Layout,
    /// Frames that are there.
    pub(super) ready: FrameSet,
    /// Frames that are under way, by where each run of them begins, with where it ends: what requests, without hedges,
    /// have not brought yet; and, without a request, what waits for its next attempt.
    pub(super) claims: BTreeMap<u32, (u32, Option<RequestId>)>,
    /// Reads that wait.
    pub(super) reads: BTreeSet<ReadId>,
    /// By the first frame of each chunk that is to be filled: where to go on.
    pub(super) fills: BTreeMap<u32, u32>,
    pub(super) streams: Streams,
}

impl Object {
    /// The first frames in a row, among these, that are neither there nor under way.
    pub(super) fn absent_run(&self, frames: Range<u32>) -> Option<Range<u32>> {
        let mut begin = frames.start;
        loop {
            begin = self.ready.first_missing(begin..frames.end)?;
            let before = self.claims.range(..=begin).next_back();
            match before {
                Some((_, (end, _))) if *end > begin => begin = *end,
                _ => break,
            }
        }
        let present = self.ready.first_present(begin..frames.end).unwrap_or(frames.end);
        let claimed = self.claims.range(begin..).next().map_or(frames.end, |(start, _)| *start);
        Some(begin..present.min(claimed).min(frames.end))
    }

    /// The requests under way, without hedges, that are to bring some of these frames.
    pub(super) fn flights_in(&self, frames: &Range<u32>) -> impl Iterator<Item = RequestId> {
        let before = self.claims.range(..frames.start).next_back().filter(|(_, (end, _))| *end > frames.start);
        before.into_iter().chain(self.claims.range(frames.clone())).filter_map(|(_, (_, request))| *request)
    }
}

impl Scheduler {
    /// An object with none of its frames there.
    pub fn open(&mut self, layout: Layout) -> ObjectId {
        let id = ObjectId(self.next_id());
        let object = Object {
            ready: FrameSet::new(layout.frames()),
            layout,
            claims: BTreeMap::new(),
            reads: BTreeSet::new(),
            fills: BTreeMap::new(),
            streams: Streams::default(),
        };
        self.objects.insert(id, object);
        id
    }

    /// Forgets an object: its requests are given up, and who waits is told.
    pub fn close(&mut self, now: Duration, object: ObjectId) {
        let Some(closed) = self.objects.remove(&object) else { return };
        for read in closed.reads {
            self.reads.remove(&read);
            self.actions.push_back(Action::Fail { read, why: Why::Closed });
        }
        let requests: Vec<_> = self.flights.iter().filter(|(_, flight)| flight.object == object).collect();
        let requests: Vec<_> = requests.into_iter().map(|(request, _)| *request).collect();
        for request in requests {
            self.remove_flight(request);
            self.actions.push_back(Action::Abort(request));
        }
        self.pump(now);
    }

    /// These frames are there, from an earlier time.
    pub fn mark_ready(&mut self, object: ObjectId, frames: Range<u32>) {
        if let Some(object) = self.objects.get_mut(&object) {
            object.ready.insert(frames);
        }
    }

    /// These frames are not there any more, or never came to be: they were evicted, or could not be kept.
    pub fn forget(&mut self, object: ObjectId, frames: Range<u32>) {
        if let Some(object) = self.objects.get_mut(&object) {
            object.ready.remove(frames);
        }
    }
}
