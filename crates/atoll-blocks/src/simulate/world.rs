//! A scheduler, an origin, and the time.

use crate::schedule::{
    Action, Answer, Class, Config, Ending, Layout, ObjectId, ReadId, RequestId, Scheduler, Start, Why,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

/// A transfer reports after so many bytes, and at the end of each frame.
const REPORT_BYTES: u64 = 16 << 10;
/// A scheduler that is called so often without time passing is stuck.
const CALLS_MAX: u32 = 100_000;

/// The way to the origin.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Bytes per second.
    pub bandwidth: f64,
    /// Whether all transfers share `bandwidth`; else each has it for itself.
    pub is_shared: bool,
}

/// How the origin answers a request.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// Time until its first byte leaves.
    pub first_byte: Duration,
    /// What goes wrong, after so many bytes.
    pub fault: Option<(u64, Fault)>,
}

/// What can go wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks.
    Break,
    /// Nothing comes any more.
    Stall,
    /// The body ends.
    Truncate,
    /// The frame with the next byte is damaged.
    Damage,
    /// The object can't be had.
    Refuse,
}

/// What a reader gets to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Its frames have been there.
    Woken(ReadId),
    /// It gets no answer.
    Failed(ReadId, Why),
}

/// Numbers of a simulation so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests started.
    pub requests: u64,
    /// Bytes that the origin sent, those of hedges and of failed requests included.
    pub bytes: u64,
    /// The most requests at once.
    pub concurrent_max: usize,
}

#[derive(Debug)]
struct Transfer {
    object: ObjectId,
    frames: Range<u32>,
    bytes: Range<u64>,
    begins_at: Duration,
    /// The first frame that has not been reported.
    next: u32,
    sent: f64,
    /// Of `sent`, what has been reported.
    counted: u64,
    fault: Option<(u64, Fault)>,
    has_ended: bool,
    hedges: Option<RequestId>,
}

impl Transfer {
    fn is_active(&self, now: Duration) -> bool {
        self.begins_at <= now && !self.has_ended
    }
}

#[derive(Debug)]
struct Books {
    layout: Layout,
    ready: BTreeSet<u32>,
    watched: BTreeSet<u32>,
    /// Frames that a request has lost, and that may wait for another attempt.
    lost: BTreeSet<u32>,
}

#[derive(Debug)]
struct Waiting {
    object: ObjectId,
    missing: BTreeSet<u32>,
}

/// A scheduler, an origin, and the time.
pub struct World {
    scheduler: Scheduler,
    config: Config,
    link: Link,
    origin: Box<dyn FnMut(&Start) -> Reply>,
    now: Duration,
    transfers: BTreeMap<RequestId, Transfer>,
    objects: BTreeMap<ObjectId, Books>,
    waiting: BTreeMap<ReadId, Waiting>,
    events: VecDeque<Event>,
    counts: Counts,
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("World").field("now", &self.now).field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(config: Config, link: Link, origin: impl FnMut(&Start) -> Reply + 'static) -> Self {
        Self {
            scheduler: Scheduler::new(config.clone()),
            config,
            link,
            origin: Box::new(origin),
            now: Duration::ZERO,
            transfers: BTreeMap::new(),
            objects: BTreeMap::new(),
            waiting: BTreeMap::new(),
            events: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// What time it is.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Numbers so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The scheduler, to be looked at.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// [`Scheduler::open`].
    pub fn open(&mut self, layout: Layout) -> ObjectId {
        let object = self.scheduler.open(layout.clone());
        let books = Books { layout, ready: BTreeSet::new(), watched: BTreeSet::new(), lost: BTreeSet::new() };
        self.objects.insert(object, books);
        object
    }

    /// Has the scheduler know what reading the beginning of an object has shown.
    pub fn begin(&mut self, first_byte: Duration, bytes: u64) {
        let transfer = Duration::from_secs_f64(bytes as f64 / self.link.bandwidth);
        self.now += first_byte + transfer;
        self.scheduler.measured(first_byte, bytes, transfer);
    }

    /// [`Scheduler::close`].
    pub fn close(&mut self, object: ObjectId) {
        self.scheduler.close(self.now, object);
        self.objects.remove(&object);
        self.carry_out();
    }

    /// Reads frames, as a caller would: from the cache if they are there, else by [`Scheduler::read`].
    pub fn read(&mut self, object: ObjectId, frames: Range<u32>) -> Answer {
        let Some(books) = self.objects.get_mut(&object) else { return Answer::Ready };
        let missing: BTreeSet<u32> = frames.clone().filter(|frame| !books.ready.contains(frame)).collect();
        if missing.is_empty() {
            let watched = frames.clone().filter(|frame| books.watched.remove(frame)).count();
            if watched > 0 {
                self.scheduler.hit(self.now, object, frames);
                self.carry_out();
            }
            return Answer::Ready;
        }
        let answer = self.scheduler.read(self.now, object, frames);
        let Answer::Waits(read) = answer else { panic!("a read of missing frames is not ready") };
        self.waiting.insert(read, Waiting { object, missing });
        self.carry_out();
        answer
    }

    /// [`Scheduler::cancel`].
    pub fn cancel(&mut self, read: ReadId) {
        self.waiting.remove(&read);
        // Whoever leaves does not look whether it was just answered.
        self.events.retain(|event| !matches!(event, Event::Woken(id) | Event::Failed(id, _) if *id == read));
        self.scheduler.cancel(self.now, read);
        self.carry_out();
    }

    /// [`Scheduler::prefetch`].
    pub fn prefetch(&mut self, object: ObjectId, frames: Range<u32>) {
        self.scheduler.prefetch(self.now, object, frames);
        self.carry_out();
    }

    /// [`Scheduler::forget`].
    pub fn forget(&mut self, object: ObjectId, frames: Range<u32>) {
        let Some(books) = self.objects.get_mut(&object) else { return };
        books.ready.retain(|frame| !frames.contains(frame));
        self.scheduler.forget(object, frames);
    }

    /// Whether a frame is there.
    pub fn is_ready(&self, object: ObjectId, frame: u32) -> bool {
        self.objects.get(&object).is_some_and(|books| books.ready.contains(&frame))
    }

    /// Lets time pass until a reader gets to know something, at most until this moment. Without one, nothing at all is
    /// left to happen when the answer is `None`.
    pub fn next(&mut self, until: Option<Duration>) -> Option<Event> {
        let mut calls = 0;
        loop {
            self.carry_out();
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let deadline = self.scheduler.next_deadline();
            let next = deadline.into_iter().chain(self.next_report()).min();
            let next = match (next, until) {
                (None, None) => return None,
                (Some(next), Some(until)) if next <= until => next,
                (_, Some(until)) => {
                    self.flow(until);
                    return None;
                }
                (Some(next), None) => next,
            };
            calls = if next > self.now { 0 } else { calls + 1 };
            assert!(calls < CALLS_MAX, "the scheduler asks to be called without end");
            self.flow(next);
            self.report();
            if deadline.is_some_and(|deadline| deadline <= self.now) {
                self.scheduler.tick(self.now);
            }
        }
    }

    fn rate(&self) -> f64 {
        let active = self.transfers.values().filter(|transfer| transfer.is_active(self.now)).count();
        if self.link.is_shared { self.link.bandwidth / active.max(1) as f64 } else { self.link.bandwidth }
    }

    /// Bytes of a transfer after which something is reported.
    fn mark(&self, transfer: &Transfer) -> u64 {
        let layout = &self.objects[&transfer.object].layout;
        let sent = (transfer.sent + 0.5) as u64;
        let at = layout.complete_before(transfer.bytes.start + sent, transfer.frames.end - 1);
        let frame_end = layout.offset(at + 1) - transfer.bytes.start;
        let mark = frame_end.min(sent - sent % REPORT_BYTES + REPORT_BYTES);
        transfer.fault.map_or(mark, |(after, _)| mark.min(after)).min(transfer.bytes.end - transfer.bytes.start)
    }

    fn next_report(&self) -> Option<Duration> {
        let rate = self.rate();
        let reports = self.transfers.values().filter(|transfer| !transfer.has_ended).map(|transfer| {
            if !transfer.is_active(self.now) {
                return transfer.begins_at;
            }
            let nanoseconds = (self.mark(transfer) as f64 - transfer.sent).max(0.0) / rate * 1e9;
            self.now + Duration::from_nanos(nanoseconds.ceil() as u64)
        });
        reports.min()
    }

    fn flow(&mut self, until: Duration) {
        let rate = self.rate();
        let bytes = rate * until.saturating_sub(self.now).as_secs_f64();
        for transfer in self.transfers.values_mut().filter(|transfer| transfer.is_active(self.now)) {
            transfer.sent += bytes;
        }
        self.now = until.max(self.now);
    }

    /// Tells the scheduler what has come to a mark.
    fn report(&mut self) {
        let active = self.transfers.iter().filter(|(_, transfer)| transfer.is_active(self.now));
        let active: Vec<RequestId> = active.map(|(request, _)| *request).collect();
        for request in active {
            // What was told of another one may have ended this one.
            self.carry_out();
            if self.transfers.contains_key(&request) {
                self.report_one(request);
            }
        }
    }

    fn report_one(&mut self, request: RequestId) {
        let transfer = &self.transfers[&request];
        let total = transfer.bytes.end - transfer.bytes.start;
        let limit = transfer.fault.map_or(total, |(after, _)| after.min(total));
        let sent = ((transfer.sent + 0.5) as u64).min(limit);
        let (id, begin, fault) = (transfer.object, transfer.bytes.start, transfer.fault);
        let complete = self.objects[&id].layout.complete_before(begin + sent, transfer.frames.end);
        let first = transfer.next;
        let last = transfer.frames.end;
        self.counts.bytes += sent - transfer.counted;
        if let Some(transfer) = self.transfers.get_mut(&request) {
            transfer.counted = sent;
            transfer.next = complete.max(first);
        }
        self.scheduler.arrived(self.now, request, sent);
        self.verified(request, id, first..complete);
        let ending = match fault {
            Some((after, fault)) if sent >= after && complete < last => match fault {
                Fault::Break => Some(Ending::Failed { retry_after: None }),
                Fault::Truncate => Some(Ending::Complete),
                Fault::Damage => Some(Ending::Corrupt),
                Fault::Refuse => Some(Ending::Refused),
                Fault::Stall => {
                    if let Some(transfer) = self.transfers.get_mut(&request) {
                        transfer.has_ended = true;
                    }
                    None
                }
            },
            _ => (sent >= total).then_some(Ending::Complete),
        };
        if let Some(ending) = ending {
            // It may have been given up because of what it brought.
            self.carry_out();
            if self.transfers.remove(&request).is_some() {
                self.lose(id, complete..last);
                self.scheduler.ended(self.now, request, ending);
            }
        }
        self.carry_out();
    }

    fn verified(&mut self, request: RequestId, object: ObjectId, frames: Range<u32>) {
        let Some(books) = self.objects.get_mut(&object) else { return };
        if frames.is_empty() {
            return;
        }
        books.ready.extend(frames.clone());
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.object == object) {
            waiting.missing.retain(|frame| !frames.contains(frame));
        }
        self.scheduler.verified(self.now, request, frames.end);
    }

    fn lose(&mut self, object: ObjectId, frames: Range<u32>) {
        if let Some(books) = self.objects.get_mut(&object) {
            books.lost.extend(frames);
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.scheduler.next_action() {
            match action {
                Action::Start(start) => self.start(start),
                Action::Abort(request) => {
                    let transfer = self.transfers.remove(&request).expect("what is given up is under way");
                    let covered = self
                        .transfers
                        .values()
                        .any(|other| other.object == transfer.object && other.frames.start == transfer.frames.start);
                    if !covered {
                        self.lose(transfer.object, transfer.frames);
                    }
                }
                Action::Wake(read) => {
                    let woken = self.waiting.remove(&read).expect("who is woken waits");
                    assert!(woken.missing.is_empty(), "{read:?} is woken before {:?} came", woken.missing);
                    self.events.push_back(Event::Woken(read));
                }
                Action::Fail { read, why } => {
                    self.waiting.remove(&read).expect("who fails waits");
                    self.events.push_back(Event::Failed(read, why));
                }
                Action::Watch { object, frame } => {
                    if let Some(books) = self.objects.get_mut(&object) {
                        books.watched.insert(frame);
                    }
                }
            }
        }
        let late = self.waiting.iter().find(|(_, waiting)| waiting.missing.is_empty());
        assert!(late.is_none(), "{late:?} has all its frames and is not woken");
    }

    fn start(&mut self, start: Start) {
        let books = self.objects.get_mut(&start.object).expect("requests are for open objects");
        assert!(!start.frames.is_empty());
        assert_eq!(start.bytes, books.layout.offset(start.frames.start)..books.layout.offset(start.frames.end));
        for frame in start.frames.clone() {
            assert!(!books.ready.contains(&frame), "frame {frame} is there and asked for");
            books.lost.remove(&frame);
        }
        for (request, other) in &self.transfers {
            let overlaps = other.next < start.frames.end && start.frames.start < other.frames.end;
            if other.object == start.object && overlaps {
                assert_eq!(start.hedges, Some(*request), "frames {:?} are asked for twice", start.frames);
                assert!(other.hedges.is_none() && other.sent < 1.0, "a hedge is for a request without a byte");
            }
        }
        if start.class != Class::Demand {
            self.check_demand_is_served(&start);
        }
        let reply = (self.origin)(&start);
        let transfer = Transfer {
            object: start.object,
            next: start.frames.start,
            frames: start.frames,
            bytes: start.bytes,
            begins_at: self.now + reply.first_byte,
            sent: 0.0,
            counted: 0,
            fault: reply.fault,
            has_ended: false,
            hedges: start.hedges,
        };
        self.transfers.insert(start.request, transfer);
        self.counts.requests += 1;
        self.check_budget(start.class);
    }

    fn check_demand_is_served(&self, start: &Start) {
        for (read, waiting) in &self.waiting {
            let lost = &self.objects[&waiting.object].lost;
            for frame in waiting.missing.iter().filter(|frame| !lost.contains(frame)) {
                let mut transfers = self.transfers.values().filter(|other| other.object == waiting.object);
                let is_under_way = transfers.any(|transfer| (transfer.next..transfer.frames.end).contains(frame));
                assert!(is_under_way, "{start:?} goes before frame {frame}, for which {read:?} waits");
            }
        }
    }

    fn check_budget(&mut self, class: Class) {
        let requests = self.transfers.len();
        self.counts.concurrent_max = self.counts.concurrent_max.max(requests);
        let missing =
            |transfer: &Transfer| (transfer.bytes.end - transfer.bytes.start).saturating_sub(transfer.counted);
        let bytes: u64 = self.transfers.values().map(missing).sum();
        let (reserved, reserved_bytes) = match class {
            Class::Demand => (0, 0),
            _ => (self.config.reserved_requests, self.config.reserved_bytes),
        };
        assert!(requests <= self.config.requests_max - reserved || requests == 1, "{requests} requests at once");
        let limit = self.config.in_flight_bytes_max - reserved_bytes;
        assert!(bytes <= limit || requests == 1, "{bytes} bytes in flight");
    }
}
