//! The scheduler's records, and how what is wanted becomes requests.

use super::actions::{Action, Class, ObjectId, ReadId, RequestId, Start};
use super::config::Config;
use super::estimate::Estimate;
use super::flights::Flight;
use super::objects::Object;
use super::reads::Read;
use super::retry::Retry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

/// Frames that are wanted. Those that are there, or under way, when its turn comes are passed over.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) object: ObjectId,
    pub(super) frames: Range<u32>,
    /// Attempts that failed without bringing a frame.
    pub(super) attempts: u32,
}

/// Decides about the requests to one upstream; the [module](super) says how.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) config: Config,
    pub(super) estimate: Estimate,
    pub(super) objects: BTreeMap<ObjectId, Object>,
    /// In the order in which they came, which is that of their deadlines.
    pub(super) reads: BTreeMap<ReadId, Read>,
    /// In the order in which they were started.
    pub(super) flights: BTreeMap<RequestId, Flight>,
    /// Bytes of `flights` that are not here.
    pub(super) in_flight_bytes: u64,
    /// `flights` in the middle of their bodies.
    pub(super) streaming: usize,
    pub(super) last_arrival: Duration,
    /// What somebody waits for, and for which nothing has been asked.
    pub(super) demand: VecDeque<Task>,
    /// What is asked for at its time, by class; of demand, what is beyond the first segment of a read.
    pub(super) paced: [VecDeque<Task>; 4],
    /// When to go on with `paced`.
    pub(super) paced_at: Option<Duration>,
    pub(super) retry: Retry,
    /// Hedges that may be started, in twentieths.
    pub(super) hedge_credit: u32,
    pub(super) actions: VecDeque<Action>,
    pub(super) stats: Stats,
    last_id: u64,
}

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests started, by [`Class`], without hedges.
    pub requests: [u64; 4],
    /// Hedges started.
    pub hedges: u64,
    /// Hedges whose first byte came first.
    pub hedges_won: u64,
    /// Requests that failed, or that were given up since nothing came.
    pub failures: u64,
    /// Reads that failed.
    pub failed_reads: u64,
}

impl Scheduler {
    /// A scheduler for an upstream of which nothing is known yet.
    ///
    /// # Panics
    /// If the limits contradict each other.
    pub fn new(config: Config) -> Self {
        assert!(config.reserved_requests < config.requests_max, "not all requests can be reserved");
        assert!(config.reserved_bytes < config.in_flight_bytes_max, "not all bytes can be reserved");
        assert!(0 < config.segment_bytes_min && config.segment_bytes_min <= config.segment_bytes_max);
        assert!(config.bandwidth_prior >= 1.0 && config.first_byte_prior > Duration::ZERO);
        Self {
            estimate: Estimate::new(config.first_byte_prior, config.bandwidth_prior),
            objects: BTreeMap::new(),
            reads: BTreeMap::new(),
            flights: BTreeMap::new(),
            in_flight_bytes: 0,
            streaming: 0,
            last_arrival: Duration::ZERO,
            demand: VecDeque::new(),
            paced: Default::default(),
            paced_at: None,
            retry: Retry::new(config.seed),
            hedge_credit: super::flights::HEDGE_CREDIT_MAX,
            actions: VecDeque::new(),
            stats: Stats::default(),
            last_id: 0,
            config,
        }
    }

    /// What to do next, until there is nothing more.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Time to a first byte, and bytes per second, as they are expected of the upstream now.
    pub fn expects(&self) -> (Duration, f64) {
        (self.estimate.first_byte(), self.estimate.bandwidth())
    }

    /// Something that was not a request of the scheduler's took so long to its first byte, and then brought so many bytes
    /// within this time. It counts until requests have been measured.
    pub fn measured(&mut self, first_byte: Duration, bytes: u64, transfer: Duration) {
        // Of what comes in one piece it can't be said how fast it came.
        let bandwidth = if transfer.is_zero() { 0.0 } else { bytes as f64 / transfer.as_secs_f64() };
        self.estimate.saw_beginning(first_byte, bandwidth);
    }

    /// Whether nothing is under way, and nothing will be unless somebody wants something.
    pub fn is_idle(&self) -> bool {
        let has_tasks = !self.demand.is_empty() || self.paced.iter().any(|queue| !queue.is_empty());
        self.flights.is_empty() && !has_tasks && self.retry.is_empty()
    }

    /// Does what is due. To be called at [`Scheduler::next_deadline`]; calls before have no effect.
    pub fn tick(&mut self, now: Duration) {
        self.time_out_reads(now);
        self.look_at_flights(now);
        self.pump(now);
    }

    /// When [`Scheduler::tick`] has something to do, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Duration> {
        let read = self.reads.first_key_value().map(|(_, read)| read.deadline);
        let flight = self.flights.values().filter_map(|flight| self.flight_deadline(flight)).min();
        [read, flight, self.retry.next_due(), self.paced_at].into_iter().flatten().min()
    }

    /// Starts what may be started now.
    pub(super) fn pump(&mut self, now: Duration) {
        self.paced_at = None;
        self.take_due_retries(now);
        if self.start_demand(now) {
            self.start_paced(now);
        }
    }

    /// Starts what somebody waits for; whether the budget was enough.
    fn start_demand(&mut self, now: Duration) -> bool {
        while let Some(mut task) = self.demand.pop_front() {
            let Some(object) = self.objects.get(&task.object) else { continue };
            let Some(run) = object.absent_run(task.frames.clone()) else { continue };
            if !self.is_waited_for(task.object, &run) {
                // Whoever wanted it has left. The rest of the task may be wanted by others.
                task.frames.start = run.end;
                self.demand.push_front(task);
                continue;
            }
            let segment = self.segment_bytes();
            let mut end = object.layout.cut(&run, segment);
            if end == run.end && run.end == task.frames.end {
                // The frames behind come along: a few for the sake of the request, and more if nobody else's bytes wait
                // for them, and they are of use.
                let is_free = self.pace(now).is_due(now) && self.retry.background_held_until(now).is_none();
                let extent = if is_free { segment } else { self.config.segment_bytes_min };
                let chunk = object.layout.chunk_of(run.end - 1);
                let longer = object.absent_run(run.start..chunk.end).map_or(run.end, |longer| longer.end);
                end = object.layout.cut(&(run.start..longer), extent).max(run.end);
            }
            let frames = run.start..end;
            if !self.admits(object.layout.bytes(&frames), Class::Demand) {
                self.demand.push_front(task);
                return false;
            }
            self.start(now, task.object, frames, Class::Demand, task.attempts);
            if end < run.end {
                self.paced[Class::Demand as usize].push_back(Task { frames: end..run.end, ..task.clone() });
            }
            if end.max(run.end) < task.frames.end {
                task.frames.start = end.max(run.end);
                self.demand.push_front(task);
            }
        }
        true
    }

    /// Starts what is asked for at its time, as far as it has come.
    fn start_paced(&mut self, now: Duration) {
        while let Some((class, object, run, attempts)) = self.next_paced(now) {
            let pace = self.pace(now);
            if !pace.is_due(now) {
                self.paced_at = Some(pace.due);
                return;
            }
            let layout = &self.objects[&object].layout;
            let frames = run.start..layout.cut(&run, self.segment_bytes());
            if !self.admits(layout.bytes(&frames), class) {
                return;
            }
            self.passed(class, object, &frames);
            self.start(now, object, frames, class, attempts);
        }
    }

    /// The first run of the first task of the first class that has one. Tasks that are done are removed.
    fn next_paced(&mut self, now: Duration) -> Option<(Class, ObjectId, Range<u32>, u32)> {
        for class in [Class::Demand, Class::Readahead, Class::Prefetch, Class::Fill] {
            if class != Class::Demand
                && let Some(until) = self.retry.background_held_until(now)
            {
                let waits = self.paced[class as usize..].iter().any(|queue| !queue.is_empty());
                self.paced_at = waits.then_some(until);
                return None;
            }
            while let Some(task) = self.paced[class as usize].front().cloned() {
                if let Some(run) = self.run_of(class, &task) {
                    return Some((class, task.object, run, task.attempts));
                }
                if class == Class::Fill
                    && let Some(object) = self.objects.get_mut(&task.object)
                {
                    object.fills.remove(&task.frames.start);
                }
                self.paced[class as usize].pop_front();
            }
        }
        None
    }

    /// What a paced task wants next.
    fn run_of(&self, class: Class, task: &Task) -> Option<Range<u32>> {
        let object = self.objects.get(&task.object)?;
        // A fill goes on behind the latest read of its chunk, and comes round.
        let cursor = match class {
            Class::Fill => *object.fills.get(&task.frames.start)?,
            _ => task.frames.start,
        };
        let behind = object.absent_run(cursor..task.frames.end);
        let run = behind.or_else(|| object.absent_run(task.frames.start..cursor))?;
        // If whoever waited has left, the fill of the chunk brings it.
        (class != Class::Demand || self.is_waited_for(task.object, &run)).then_some(run)
    }

    /// The first task of a class gets these frames started.
    fn passed(&mut self, class: Class, object: ObjectId, frames: &Range<u32>) {
        let queue = &mut self.paced[class as usize];
        let Some(mut task) = queue.pop_front() else { return };
        if class == Class::Fill {
            if let Some(cursor) =
                self.objects.get_mut(&object).and_then(|object| object.fills.get_mut(&task.frames.start))
            {
                *cursor = frames.end.min(task.frames.end);
            }
        } else {
            task.frames.start = frames.end;
        }
        match class {
            // What was asked for first is wanted first.
            Class::Demand | Class::Prefetch => queue.push_front(task),
            Class::Readahead | Class::Fill => queue.push_back(task),
        }
    }

    /// Whether the budget has room for a request of so many bytes.
    pub(super) fn admits(&self, bytes: u64, class: Class) -> bool {
        let (requests, in_flight) = match class {
            Class::Demand => (0, 0),
            _ => (self.config.reserved_requests, self.config.reserved_bytes),
        };
        self.flights.is_empty()
            || self.flights.len() < self.config.requests_max - requests
                && self.in_flight_bytes + bytes <= self.config.in_flight_bytes_max - in_flight
    }

    fn start(&mut self, now: Duration, id: ObjectId, frames: Range<u32>, class: Class, attempts: u32) {
        let request = RequestId(self.next_id());
        let Some(object) = self.objects.get_mut(&id) else { return };
        object.claims.insert(frames.start, (frames.end, Some(request)));
        let bytes = object.layout.offset(frames.start)..object.layout.offset(frames.end);
        self.stats.requests[class as usize] += 1;
        self.earn_hedge();
        self.take_off(request, Flight::new(now, id, frames.clone(), bytes.end - bytes.start, class, attempts));
        self.actions.push_back(Action::Start(Start { request, object: id, frames, bytes, class, hedges: None }));
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
