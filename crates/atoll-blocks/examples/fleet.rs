//! Many machines start at once from one store, in virtual time: `cargo run --release -p atoll-blocks --example fleet --
//! 10 1000`, with the numbers of machines.
//!
//! Each has the scheduler that would serve it, and reads the same frames of the same object, one after the other. The
//! store answers so many requests a second, in their order, and refuses those that would wait for too long; what it
//! sends goes through one pipe, frame by frame, in the order in which frames are due.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use atoll_blocks::schedule::{Action, Answer, Config, Ending, Layout, ObjectId, RequestId, Scheduler};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const FRAME: u64 = 128 << 10;
/// What a start reads, in this order: 24 frames in 5 of the 64 chunks of the object.
const READS: [u32; 24] =
    [0, 1, 40, 41, 42, 7, 300, 301, 60, 8, 310, 9, 1000, 1001, 1002, 1003, 61, 311, 312, 10, 11, 1010, 50, 1030];
const FRAMES: u32 = 2048;

/// The store, as large ones promise to be.
const FIRST_BYTE: Duration = Duration::from_millis(20);
/// Requests per second.
const RATE: f64 = 5500.0;
/// A request that would wait for longer is refused, as by status 503.
const QUEUE_MAX: Duration = Duration::from_secs(2);
/// Bytes per second of all machines together.
const STORE_BANDWIDTH: f64 = 12.5e9;
/// Bytes per second of one request.
const REQUEST_BANDWIDTH: f64 = 100e6;

/// A request under way.
struct Flow {
    frames: Range<u32>,
    /// Bytes that came.
    received: u64,
}

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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
struct Fleet {
    layout: Layout,
    machines: Vec<Machine>,
    events: BinaryHeap<Reverse<(Duration, u64, usize, Event)>>,
    events_made: u64,
    now: Duration,
    /// When the store can answer the next request, and send the next byte.
    answers_at: Duration,
    pipe_free_at: Duration,
    requests: u64,
    refused: u64,
    bytes: u64,
    failed_reads: u64,
}

impl Fleet {
    fn new(machines: usize) -> Self {
        let layout = Layout::uniform(u64::from(FRAMES) * FRAME, FRAME, 32);
        let machines = (0..machines).map(|machine| {
            let config = Config { seed: machine as u64, read_timeout: Duration::from_mins(10), ..Config::default() };
            let mut scheduler = Scheduler::new(config);
            let object = scheduler.open(layout.clone());
            let tick_at = Duration::MAX;
            Machine { scheduler, object, flows: BTreeMap::new(), done: 0, tick_at, first_read: None, ended: None }
        });
        Self {
            machines: machines.collect(),
            layout,
            events: BinaryHeap::new(),
            events_made: 0,
            now: Duration::ZERO,
            answers_at: Duration::ZERO,
            pipe_free_at: Duration::ZERO,
            requests: 0,
            refused: 0,
            bytes: 0,
            failed_reads: 0,
        }
    }

    fn run(&mut self) {
        for machine in 0..self.machines.len() {
            self.read(machine);
        }
        while let Some(Reverse((at, _, machine, event))) = self.events.pop() {
            self.now = at;
            self.happen(machine, event);
        }
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
                    self.pipe_free_at.max(now) + Duration::from_secs_f64(bytes as f64 / STORE_BANDWIDTH);
                self.bytes += bytes;
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
        let at = self.now + Duration::from_secs_f64(bytes as f64 / REQUEST_BANDWIDTH);
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
        while let Some(frame) = READS.get(machine.done) {
            if let Answer::Waits(_) = machine.scheduler.read(now, machine.object, *frame..frame + 1) {
                break;
            }
            machine.done += 1;
        }
        if machine.done == READS.len() {
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
                    self.failed_reads += 1;
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
        self.requests += 1;
        let answers_at = self.answers_at.max(self.now);
        if answers_at > self.now + QUEUE_MAX {
            self.refused += 1;
            self.push(self.now + FIRST_BYTE, machine, Event::Refused(request));
            return;
        }
        self.answers_at = answers_at + Duration::from_secs_f64(1.0 / RATE);
        self.push(answers_at + FIRST_BYTE, machine, Event::Due(request));
    }
}

/// The value that so many of a hundred are at most, in milliseconds.
fn percentile(values: &mut [Duration], of_hundred: usize) -> f64 {
    values.sort_unstable();
    values[(values.len() - 1) * of_hundred / 100].as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:>9}{:>12}{:>10}{:>10}{:>8}{:>13}{:>13}{:>13}{:>13}",
        "machines", "requests", "refused", "GiB", "failed", "first p50", "first p99", "all p50", "all p99"
    );
    for machines in std::env::args().skip(1) {
        let count: NonZeroUsize = machines.parse().map_err(|error| format!("{machines}: {error}"))?;
        let machines = count.get();
        let mut fleet = Fleet::new(machines);
        fleet.run();
        let mut first: Vec<Duration> = fleet.machines.iter().filter_map(|machine| machine.first_read).collect();
        let mut all: Vec<Duration> = fleet.machines.iter().filter_map(|machine| machine.ended).collect();
        assert_eq!((first.len(), all.len()), (machines, machines), "every machine starts");
        println!(
            "{machines:>9}{:>12}{:>10}{:>10.1}{:>8}{:>10.0} ms{:>10.0} ms{:>10.0} ms{:>10.0} ms",
            fleet.requests,
            fleet.refused,
            fleet.bytes as f64 / (MIB << 10) as f64,
            fleet.failed_reads,
            percentile(&mut first, 50),
            percentile(&mut first, 99),
            percentile(&mut all, 50),
            percentile(&mut all, 99),
        );
    }
    Ok(())
}
