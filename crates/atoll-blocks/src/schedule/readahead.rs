//! Who reads in order, and what such a reader will want.

use super::actions::{Action, Class, ObjectId};
use super::layout::Layout;
use super::scheduler::{Scheduler, Task};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// Readers of one object that are told apart; beyond, the one that has not been seen for longest is forgotten.
const STREAMS_MAX: usize = 16;
/// A reader is sequential after so many reads that go on where the one before ended.
const IN_ORDER_MIN: u32 = 2;
/// How far is read ahead at most, in products of bandwidth and delay. With one, the next bytes are here in time for a
/// reader as fast as the upstream; but a reader is looked at only when half of what was read ahead is left, and some
/// are in bursts.
const DELAY_PRODUCTS: f64 = 4.0;

#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The latest first.
    readers: Vec<Reader>,
}

#[derive(Debug, Clone, Default)]
struct Reader {
    /// Where it is expected to go on.
    next: u32,
    /// Reads in order so far.
    in_order: u32,
    /// How far is read ahead, in bytes.
    window: u64,
    /// Where what is read ahead ends; `next` if nothing is.
    ahead: u32,
    /// The frame that tells, when it is read, how far it has come.
    mark: Option<u32>,
}

impl Reader {
    /// Whether a read of these frames is this reader's next.
    fn goes_on_with(&self, frames: &Range<u32>) -> bool {
        let marked = self.mark.is_some_and(|mark| frames.contains(&mark));
        marked
            || (frames.start <= self.ahead.max(self.next) && self.next <= frames.end && self.next > frames.start)
            || (self.next..=self.ahead.max(self.next)).contains(&frames.start)
    }

    /// It has read these frames. What to read ahead now, if anything is, in windows of so many bytes.
    fn advance(
        &mut self,
        frames: &Range<u32>,
        layout: &Layout,
        windows: Option<RangeInclusive<u64>>,
    ) -> Option<Range<u32>> {
        self.next = frames.end;
        self.ahead = self.ahead.max(self.next);
        self.mark = None;
        let last = layout.frames().checked_sub(1)?;
        let Some(windows) = windows.filter(|_| self.in_order >= IN_ORDER_MIN) else {
            // Nobody reports reads of frames that are there: two marks on the way to the end of the chunk tell whether
            // the reader goes on, and before it gets there.
            let chunk_end = layout.chunk_of(frames.end.min(last)).end;
            let middle = self.next + chunk_end.saturating_sub(self.next) / 2;
            self.mark = (middle > self.next && middle < chunk_end).then_some(middle);
            return None;
        };
        let begin = layout.offset(self.next);
        let left = layout.offset(self.ahead) - begin;
        let mut more = None;
        if self.window == 0 || left < self.window / 2 {
            self.window = (self.window * 2).clamp(*windows.start(), *windows.end());
            let end = layout.complete_before(begin + self.window, layout.frames()).max(self.ahead);
            more = (end > self.ahead).then_some(self.ahead..end);
            self.ahead = end;
        }
        let middle = layout.complete_before(begin + self.window / 2, last);
        self.mark = (middle >= self.next && middle < self.ahead).then_some(middle);
        more
    }
}

impl Scheduler {
    /// Frames that were to be [watched](Action::Watch) have been read, and were there.
    pub fn hit(&mut self, now: Duration, object: ObjectId, frames: Range<u32>) {
        self.follow(object, &frames);
        self.pump(now);
    }

    /// Somebody reads these frames: is it a reader that goes on?
    pub(super) fn follow(&mut self, id: ObjectId, frames: &Range<u32>) {
        let two_segments = self.segment_bytes() * 2;
        let lead_bytes = self.estimate.lead_bytes();
        let Some(object) = self.objects.get_mut(&id) else { return };
        // What is asked for now comes after a time to a first byte: less than the product would be too late in any case.
        // But few reads in a row promise little, and the rest of their chunk comes anyway.
        let chunk_bytes = object.layout.bytes(&object.layout.chunk_of(frames.start));
        let window_min = (lead_bytes as u64).min(chunk_bytes).max(two_segments);
        let window_max = ((lead_bytes * DELAY_PRODUCTS) as u64).min(self.config.readahead_bytes_max);
        // Where requests stand in line, those for what is only likely to be read make it longer for everybody.
        let windows = (!self.estimate.stands_in_line()).then_some(window_min..=window_max.max(window_min));
        let readers = &mut object.streams.readers;
        let mut reader = match readers.iter().position(|reader| reader.goes_on_with(frames)) {
            Some(place) => {
                let reader = readers.remove(place);
                Reader { in_order: reader.in_order.saturating_add(1), ..reader }
            }
            None => Reader::default(),
        };
        let ahead = reader.advance(frames, &object.layout, windows);
        if let Some(frame) = reader.mark {
            self.actions.push_back(Action::Watch { object: id, frame });
        }
        readers.insert(0, reader);
        readers.truncate(STREAMS_MAX);
        if let Some(frames) = ahead {
            self.paced[Class::Readahead as usize].push_back(Task { object: id, frames, attempts: 0 });
        }
    }
}
