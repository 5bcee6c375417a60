//! Many machines and one store.
//!
//! The store answers so many requests a second, in their order, and refuses those that would wait for too long; what it
//! sends goes through one pipe, frame by frame, in the order in which frames are due.

use crate::schedule::{Action, Answer, Config, Ending, Layout, ObjectId, RequestId, Scheduler};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::time::Duration;

/// What a store can do.
#[derive(Debug, Clone, Copy)]
pub struct Store {
    /// From the moment that a request is its turn to its first byte.
    pub first_byte: Duration,
    /// Requests that it answers, of all machines.
    pub requests_per_second: f64,
    /// A request that would wait for longer for its turn is refused, as by status 503.
    pub patience: Duration,
    /// Bytes per second of all machines.
    pub bandwidth: f64,
    /// Bytes per second of one request.
    pub request_bandwidth: f64,
}

impl Default for Store {
    /// As large ones promise to be.
    fn default() -> Self {
        Self {
            first_byte: Duration::from_millis(20),
            requests_per_second: 5500.0,
            patience: Duration::from_secs(2),
            bandwidth: 12.5e9,
            request_bandwidth: 100e6,
        }
    }
}

/// What has become of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Requests that the store got.
    pub requests: u64,
    /// Those that it refused.
    pub refused: u64,
    /// Bytes that it sent.
    pub bytes: u64,
    /// Reads that failed; their machines tried again at once.
    pub failed_reads: u64,
    /// When each machine had its first read.
    pub first_reads: Vec<Duration>,
    /// When each machine had all of them.
    pub all_reads: Vec<Duration>,
}

/// A request under way.
#[derive(Debug)]
struct Flow {
    frames: Range<u32>,
    /// Bytes that came.
    received: u64,
}

#[derive(Debug)]
struct Machine {
    scheduler: Scheduler,
    object: ObjectId,
    flows: BTreeMap<RequestId, Flow>,
    /// How many of the reads are done.
    done: usize,
    tick_at: Duration,
    first_read: Option<Duration>,
    ended: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick,
    /// The store refuses.
    Refused(RequestId),
    /// The next frame of a request would be here, if the store's pipe were free.
    Due(RequestId),
    /// It is here.
    Arrived(RequestId),
}

/// A store and its machines.
#[derive(Debug)]
pub struct Fleet {
    store: Store,
    layout: Layout,
    reads: Vec<u32>,
    machines: Vec<Machine>,
    events: BinaryHeap<Reverse<(Duration, u64, usize, Event)>>,
    events_made: u64,
    now: Duration,
    /// When the store can answer the next request, and send the next byte.
    answers_at: Duration,
    pipe_free_at: Duration,
    outcome: Outcome,
}

impl Fleet {
    /// Machines that start at the same moment, and each read the same frames of the same object, in this order.
    pub fn new(machines: usize, store: Store, layout: Layout, reads: &[u32]) -> Self {
        let machines = (0..machines).map(|machine| {
            let config = Config { seed: machine as u64, read_timeout: Duration::from_mins(10), ..Config::default() };
            let mut scheduler = Scheduler::new(config);
            let object = scheduler.open(layout.clone());
            let tick_at = Duration::MAX;
            Machine { scheduler, object, flows: BTreeMap::new(), done: 0, tick_at, first_read: None, ended: None }
        });
        Self {
            machines: machines.collect(),
            store,
            layout,
            reads: reads.to_vec(),
            events: BinaryHeap::new(),
            events_made: 0,
            now: Duration::ZERO,
            answers_at: Duration::ZERO,
            pipe_free_at: Duration::ZERO,
            outcome: Outcome::default(),
        }
    }

    /// Lets all of them read, until nothing is left to happen.
    pub fn run(&mut self) -> Outcome {
        for machine in 0..self.machines.len() {
            self.read(machine);
        }
        while let Some(Reverse((at, _, machine, event))) = self.events.pop() {
            self.now = at;
            self.happen(machine, event);
        }
        self.outcome.first_reads = self.machines.iter().filter_map(|machine| machine.first_read).collect();
        self.outcome.all_reads = self.machines.iter().filter_map(|machine| machine.ended).collect();
        std::mem::take(&mut self.outcome)
    }

    fn happen(&mut self, index: usize, event: Event) {
        let now = self.now;
        let machine = &mut self.machines[index];
        match event {
            Event::Tick => {
                if machine.tick_at != now {
                    // An earlier one has come in its place.
                    return;
                }
                machine.tick_at = Duration::MAX;
                machine.scheduler.tick(now);
            }
            Event::Refused(request) => {
                if machine.flows.remove(&request).is_some() {
                    machine.scheduler.ended(now, request, Ending::Failed { retry_after: None });
                }
            }
            Event::Due(request) => {
                let Some(flow) = machine.flows.get(&request) else { return };
                let bytes = self.layout.bytes(&(flow.frames.start..flow.frames.start + 1));
                self.pipe_free_at =
                    self.pipe_free_at.max(now) + Duration::from_secs_f64(bytes as f64 / self.store.bandwidth);
                self.outcome.bytes += bytes;
                let at = self.pipe_free_at;
                self.push(at, index, Event::Arrived(request));
                return;
            }
            Event::Arrived(request) => {
                let Some(flow) = machine.flows.get_mut(&request) else { return };
                let frame = flow.frames.start;
                flow.frames.start += 1;
                flow.received += self.layout.bytes(&(frame..frame + 1));
                let (received, frames) = (flow.received, flow.frames.clone());
                machine.scheduler.arrived(now, request, received);
                machine.scheduler.verified(now, request, frame + 1);
                if frames.is_empty() {
                    machine.flows.remove(&request);
                    machine.scheduler.ended(now, request, Ending::Complete);
                } else {
                    self.frame_due(index, request, &frames);
                }
            }
        }
        self.carry_out(index);
    }

    /// The next frame of a request comes as fast as one request may.
    fn frame_due(&mut self, machine: usize, request: RequestId, frames: &Range<u32>) {
        let bytes = self.layout.bytes(&(frames.start..frames.start + 1));
        let at = self.now + Duration::from_secs_f64(bytes as f64 / self.store.request_bandwidth);
        self.push(at, machine, Event::Due(request));
    }

    fn push(&mut self, at: Duration, machine: usize, event: Event) {
        self.events_made += 1;
        self.events.push(Reverse((at, self.events_made, machine, event)));
    }

    /// Goes on reading until something is missing.
    fn read(&mut self, index: usize) {
        let now = self.now;
        let machine = &mut self.machines[index];
        while let Some(frame) = self.reads.get(machine.done) {
            if let Answer::Waits(_) = machine.scheduler.read(now, machine.object, *frame..frame + 1) {
                break;
            }
            machine.done += 1;
        }
        if machine.done == self.reads.len() {
            machine.ended.get_or_insert(now);
        }
        self.carry_out(index);
    }

    fn carry_out(&mut self, index: usize) {
        while let Some(action) = self.machines[index].scheduler.next_action() {
            match action {
                Action::Start(start) => {
                    let flow = Flow { frames: start.frames, received: 0 };
                    self.machines[index].flows.insert(start.request, flow);
                    self.answer(index, start.request);
                }
                Action::Abort(request) => {
                    self.machines[index].flows.remove(&request);
                }
                Action::Wake(_) => {
                    let machine = &mut self.machines[index];
                    machine.first_read.get_or_insert(self.now);
                    machine.done += 1;
                    self.read(index);
                }
                Action::Fail { .. } => {
                    self.outcome.failed_reads += 1;
                    self.read(index);
                }
                // All its reads go through the scheduler.
                Action::Watch { .. } => {}
            }
        }
        let machine = &mut self.machines[index];
        let deadline = machine.scheduler.next_deadline().map(|deadline| deadline.max(self.now));
        if let Some(deadline) = deadline.filter(|deadline| *deadline < machine.tick_at) {
            machine.tick_at = deadline;
            self.push(deadline, index, Event::Tick);
        }
    }

    fn answer(&mut self, machine: usize, request: RequestId) {
        self.outcome.requests += 1;
        let answers_at = self.answers_at.max(self.now);
        if answers_at > self.now + self.store.patience {
            self.outcome.refused += 1;
            self.push(self.now + self.store.first_byte, machine, Event::Refused(request));
            return;
        }
        self.answers_at = answers_at + Duration::from_secs_f64(1.0 / self.store.requests_per_second);
        self.push(answers_at + self.store.first_byte, machine, Event::Due(request));
    }
}
