//! Requests under way: what arrives, what is late, and what has ended.

use super::actions::{Action, Class, Ending, ObjectId, RequestId, Start, Why};
use super::scheduler::{Scheduler, Task};
use std::ops::Range;
use std::time::Duration;

/// What a hedge costs, where a request earns one: one in twenty.
const HEDGE_COST: u32 = 20;
/// As many as may be started one after another.
pub(super) const HEDGE_CREDIT_MAX: u32 = 8 * HEDGE_COST;
/// Bandwidth is not measured over a longer pause than this many times to a first byte: something is stuck then.
const PAUSE: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) object: ObjectId,
    pub(super) frames: Range<u32>,
    /// The first frame that has not been verified.
    pub(super) next: u32,
    bytes: u64,
    received: u64,
    pub(super) class: Class,
    /// Attempts for these frames that ended without any of them.
    attempts: u32,
    pub(super) started_at: Duration,
    pub(super) first_byte_at: Option<Duration>,
    /// When its last bytes came, or when it was started.
    pub(super) last_progress: Duration,
    /// Nothing more of it is taken for now.
    is_held: bool,
    /// The request whose first byte is late, as long as it is not decided which of the two stays.
    pub(super) hedges: Option<RequestId>,
    /// The request that was started since this one's first byte is late.
    hedge: Option<RequestId>,
    /// Whether it was asked if it should be hedged.
    is_looked_at: bool,
}

impl Flight {
    pub(super) fn new(
        now: Duration,
        object: ObjectId,
        frames: Range<u32>,
        bytes: u64,
        class: Class,
        attempts: u32,
    ) -> Self {
        Self {
            object,
            next: frames.start,
            frames,
            bytes,
            received: 0,
            class,
            attempts,
            started_at: now,
            first_byte_at: None,
            last_progress: now,
            is_held: false,
            hedges: None,
            hedge: None,
            is_looked_at: false,
        }
    }

    pub(super) fn missing_bytes(&self) -> u64 {
        self.bytes - self.received
    }

    fn rest(&self) -> Range<u32> {
        self.next..self.frames.end
    }
}

impl Scheduler {
    pub(super) fn take_off(&mut self, request: RequestId, flight: Flight) {
        self.in_flight_bytes += flight.missing_bytes();
        self.flights.insert(request, flight);
    }

    /// Forgets a request. Its frames are neither there nor under way, as far as they have not been verified.
    pub(super) fn remove_flight(&mut self, request: RequestId) -> Option<Flight> {
        let flight = self.flights.remove(&request)?;
        self.in_flight_bytes -= flight.missing_bytes();
        self.streaming -= usize::from(flight.first_byte_at.is_some());
        if let Some(object) = self.objects.get_mut(&flight.object)
            && object.claims.get(&flight.next).is_some_and(|(_, owner)| *owner == Some(request))
        {
            object.claims.remove(&flight.next);
        }
        Some(flight)
    }

    /// Bytes of a request have come: `received` in all, from its beginning.
    pub fn arrived(&mut self, now: Duration, request: RequestId, received: u64) {
        let Some(flight) = self.flights.get_mut(&request) else { return };
        let received = received.min(flight.bytes);
        let Some(new) = received.checked_sub(flight.received).filter(|new| *new > 0) else { return };
        let since = now.saturating_sub(self.last_arrival);
        if self.streaming > 0 && since <= (self.estimate.first_byte() * PAUSE).max(PAUSE_MIN) {
            self.estimate.saw_bytes(new, since);
        }
        self.last_arrival = now;
        flight.received = received;
        flight.last_progress = now;
        flight.is_held = false;
        self.in_flight_bytes -= new;
        if flight.first_byte_at.is_none() {
            flight.first_byte_at = Some(now);
            self.streaming += 1;
            self.estimate.saw_first_byte(now.saturating_sub(flight.started_at));
            self.settle_hedge(now, request);
        }
        self.pump(now);
    }

    /// Nothing more of this request is taken until something of it [arrives](Self::arrived) again: that nothing comes is not
    /// the upstream's doing. Once somebody waits for it, it counts as stalled all the same.
    pub fn hold(&mut self, request: RequestId) {
        if let Some(flight) = self.flights.get_mut(&request) {
            flight.is_held = true;
        }
    }

    /// The first byte of one of two requests for the same bytes has come: the other one goes.
    fn settle_hedge(&mut self, now: Duration, request: RequestId) {
        let Some(flight) = self.flights.get_mut(&request) else { return };
        let (hedged, hedge) = (flight.hedges.take(), flight.hedge.take());
        let Some(loser) = hedged.or(hedge) else { return };
        if hedged.is_some() {
            self.stats.hedges_won += 1;
        }
        if let Some(lost) = self.remove_flight(loser) {
            self.estimate.saw_no_first_byte(now.saturating_sub(lost.started_at));
            self.actions.push_back(Action::Abort(loser));
        }
        self.own_frames(request);
    }

    /// This request is the one that brings its frames.
    fn own_frames(&mut self, request: RequestId) {
        let Some(flight) = self.flights.get(&request) else { return };
        if let Some(object) = self.objects.get_mut(&flight.object) {
            object.claims.insert(flight.next, (flight.frames.end, Some(request)));
        }
    }

    /// A request has ended by itself.
    pub fn ended(&mut self, now: Duration, request: RequestId, ending: Ending) {
        self.land(now, request, ending);
        self.pump(now);
    }

    fn land(&mut self, now: Duration, request: RequestId, ending: Ending) {
        let Some(flight) = self.remove_flight(request) else { return };
        let rest = flight.rest();
        if rest.is_empty() {
            return;
        }
        self.stats.failures += 1;
        if let Some(hedged) = flight.hedges {
            // What it hedged is still under way.
            if let Some(hedged) = self.flights.get_mut(&hedged) {
                hedged.hedge = None;
            }
            return;
        }
        if let Some(hedge) = flight.hedge {
            if let Some(flight) = self.flights.get_mut(&hedge) {
                flight.hedges = None;
            }
            self.own_frames(hedge);
            return;
        }
        let attempts = match ending {
            // The frame has been tried.
            Ending::Corrupt if flight.next > flight.frames.start => 1,
            _ if flight.next > flight.frames.start => 0,
            _ => flight.attempts + 1,
        };
        let task = Task { object: flight.object, frames: rest.clone(), attempts };
        match ending {
            Ending::Complete => self.try_again(now, flight.class, task, None),
            Ending::Failed { retry_after } => self.try_again(now, flight.class, task, retry_after),
            Ending::Corrupt if attempts < self.config.corrupt_attempts_max => {
                self.try_again(now, flight.class, task, None);
            }
            Ending::Corrupt => {
                self.fail_reads(flight.object, &(rest.start..rest.start + 1), Why::Corrupt(request));
                self.give_up(flight.object, &(rest.start..rest.start + 1));
                let behind = rest.start + 1..rest.end;
                if !behind.is_empty() {
                    self.try_again(now, flight.class, Task { frames: behind, attempts: 0, ..task }, None);
                }
            }
            Ending::Refused => {
                self.fail_reads(flight.object, &rest, Why::Refused(request));
                self.give_up(flight.object, &rest);
            }
        }
    }

    /// When something has to be decided about a request.
    pub(super) fn flight_deadline(&self, flight: &Flight) -> Option<Duration> {
        self.timeout_at(flight).into_iter().chain(self.hedge_at(flight)).min()
    }

    fn timeout_at(&self, flight: &Flight) -> Option<Duration> {
        let patience = match flight.first_byte_at {
            None => self.config.first_byte_timeout,
            Some(_) => self.config.stall_timeout,
        };
        let is_held = flight.is_held && flight.class != Class::Demand;
        (!is_held).then_some(flight.last_progress + patience)
    }

    fn hedge_at(&self, flight: &Flight) -> Option<Duration> {
        let decided = flight.first_byte_at.is_some() || flight.is_looked_at || flight.hedges.is_some();
        if !self.config.hedges || decided || flight.class != Class::Demand {
            return None;
        }
        self.estimate.late_first_byte().map(|late| flight.started_at + late)
    }

    /// Gives up what has stalled, and hedges what is late.
    pub(super) fn look_at_flights(&mut self, now: Duration) {
        let is_past = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
        let due = |scheduler: &Self| {
            let mut flights = scheduler.flights.iter();
            let due = flights.find(|(_, flight)| is_past(scheduler.flight_deadline(flight)));
            due.map(|(request, flight)| (*request, is_past(scheduler.timeout_at(flight))))
        };
        while let Some((request, has_stalled)) = due(self) {
            if has_stalled {
                if let Some(flight) = self.flights.get(&request).filter(|flight| flight.first_byte_at.is_none()) {
                    self.estimate.saw_no_first_byte(now.saturating_sub(flight.started_at));
                }
                self.actions.push_back(Action::Abort(request));
                self.land(now, request, Ending::Failed { retry_after: None });
            } else {
                self.hedge(now, request);
            }
        }
    }

    /// Starts a second request for the same bytes, if somebody waits for them and there is room.
    fn hedge(&mut self, now: Duration, request: RequestId) {
        let Some(late) = self.flights.get_mut(&request) else { return };
        late.is_looked_at = true;
        let (id, frames, bytes, attempts) = (late.object, late.frames.clone(), late.bytes, late.attempts);
        let is_worth_it = self.is_waited_for(id, &frames) && self.admits(bytes, Class::Demand);
        let Some(object) = self.objects.get(&id).filter(|_| is_worth_it) else { return };
        let Some(credit) = self.hedge_credit.checked_sub(HEDGE_COST) else { return };
        let begin = object.layout.offset(frames.start);
        self.hedge_credit = credit;
        self.stats.hedges += 1;
        let hedge = RequestId(self.next_id());
        if let Some(late) = self.flights.get_mut(&request) {
            late.hedge = Some(hedge);
        }
        let mut flight = Flight::new(now, id, frames.clone(), bytes, Class::Demand, attempts);
        flight.hedges = Some(request);
        self.take_off(hedge, flight);
        let bytes = begin..begin + bytes;
        let class = Class::Demand;
        self.actions.push_back(Action::Start(Start {
            request: hedge,
            object: id,
            frames,
            bytes,
            class,
            hedges: Some(request),
        }));
    }

    /// A request was started.
    pub(super) fn earn_hedge(&mut self) {
        self.hedge_credit = (self.hedge_credit + 1).min(HEDGE_CREDIT_MAX);
    }
}
