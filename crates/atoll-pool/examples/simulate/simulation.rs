//! One executor thread and its cold-start threads, in virtual time, under the pool's command.

use super::load::{Arrival, Load, Random};
use atoll_pool::{
    Acquired, Action, Config, DeploymentId, EndReason, EnvVersion, IsolateId, Isolation, Lease, Outcome, Place, Pool,
    ReleaseId, RequestId, Settings, Start, TenantId, Version, WorkerId,
};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// CPU time of a turn.
const TURN: Duration = Duration::from_micros(50);

/// Part of the requests that wait once, and for how long.
const WAITING_PART: f64 = 0.1;
const WAIT: Duration = Duration::from_millis(20);

/// What each start takes, and what of that is the making of the isolate, which a spare saves.
const START: Duration = Duration::from_millis(3);
const MAKING: Duration = Duration::from_millis(1);

/// What a start takes in addition for each mebibyte of the app, milliseconds: the median, and the spread among apps.
const START_PER_MIB_MS: f64 = 1.5;
const START_SPREAD: f64 = 0.5;

/// Mebibytes that an app takes: the median, the spread among apps, and the bounds.
const APP_MIB: f64 = 2.0;
const APP_SPREAD: f64 = 0.6;
const APP_MIB_RANGE: std::ops::RangeInclusive<u32> = 1..=8;

/// What becomes of an isolate's size by use, and by shrinking.
const USED: f64 = 1.15;
const SHRUNK: f64 = 0.95;

/// What the executor thread is busy with when it ends an isolate, and when it shrinks one. Assumed.
const END_TURN: Duration = Duration::from_micros(500);
const SHRINK_TURN: Duration = Duration::from_millis(2);

/// Cold-start threads.
const COLD_THREADS: usize = 2;

const SPARE_BYTES: u64 = 1 << 20;

/// What came of a simulation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// From arrival to the end, of all requests that were answered, ascending.
    pub(crate) latencies: Vec<Duration>,
    /// Requests that found a worker.
    pub(crate) warm: usize,
    /// Requests that were refused.
    pub(crate) refused: usize,
    /// Isolates started for a deployment.
    pub(crate) cold_starts: usize,
    /// What these took together.
    pub(crate) starting: Duration,
    /// Isolates that went for others or for memory.
    pub(crate) evictions: usize,
    pub(crate) shrinks: usize,
    /// The greatest number of isolates at once.
    pub(crate) isolates_max: usize,
}

impl Report {
    /// The part of the requests that found a worker.
    pub(crate) fn warm_rate(&self) -> f64 {
        self.warm as f64 / (self.latencies.len() + self.refused) as f64
    }
}

#[derive(Debug, Clone, Copy)]
struct App {
    bytes: u64,
    start: Duration,
}

struct Request {
    arrived: Duration,
    waits: bool,
}

enum Event {
    TurnOver(Request, Lease),
    WaitOver(Request, Lease),
    Started(Start),
    Made(IsolateId),
    Tick,
}

struct Due {
    at: Duration,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

struct Simulation {
    pool: Pool,
    apps: Vec<App>,
    now: Duration,
    due: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    tick_at: Option<Duration>,
    thread_free_at: Duration,
    cold_free_at: [Duration; COLD_THREADS],
    queued: HashMap<RequestId, Request>,
    /// Whose an isolate is, and whether it was used since it was measured.
    isolates: HashMap<IsolateId, (usize, bool)>,
    report: Report,
}

/// Runs a load through a pool.
pub(crate) fn simulate(load: &Load, arrivals: &[Arrival], config: Config) -> Report {
    let mut random = Random::new(load.seed + 1);
    let apps: Vec<_> = (0..load.tenants_in_all())
        .map(|_| {
            let bounds = (f64::from(*APP_MIB_RANGE.start()), f64::from(*APP_MIB_RANGE.end()));
            let mib = random.lognormal(APP_MIB, APP_SPREAD).clamp(bounds.0, bounds.1);
            let per_mib_ms = random.lognormal(START_PER_MIB_MS, START_SPREAD);
            App {
                bytes: (mib * f64::from(1 << 20)) as u64,
                start: START + Duration::from_secs_f64(per_mib_ms * mib / 1e3),
            }
        })
        .collect();
    let mut simulation = Simulation {
        pool: Pool::new(config),
        now: Duration::ZERO,
        due: BinaryHeap::new(),
        scheduled: 0,
        tick_at: None,
        thread_free_at: Duration::ZERO,
        cold_free_at: [Duration::ZERO; COLD_THREADS],
        queued: HashMap::new(),
        isolates: HashMap::new(),
        report: Report { latencies: Vec::with_capacity(arrivals.len()), ..Report::default() },
        apps,
    };
    simulation.run(arrivals, &mut random);
    simulation.report.latencies.sort_unstable();
    simulation.report
}

impl Simulation {
    fn run(&mut self, arrivals: &[Arrival], random: &mut Random) {
        let version = Version { release: ReleaseId(0), env: EnvVersion(0) };
        for number in 0..self.apps.len() as u64 {
            let settings = Settings::new(TenantId(number), version, Isolation::Warm);
            self.pool.deploy(self.now, DeploymentId(number), settings);
        }
        self.carry_out();
        let mut arrivals = arrivals.iter().peekable();
        loop {
            let next_due = self.due.peek().map(|Reverse(due)| due.at);
            match (arrivals.peek(), next_due) {
                (Some((at, _)), due) if due.is_none_or(|due| *at < due) => {
                    let (at, tenant) = *arrivals.next().expect("peeked");
                    self.now = at;
                    let request = Request { arrived: at, waits: random.uniform() < WAITING_PART };
                    self.arrive(tenant, request);
                }
                (_, Some(_)) => {
                    let Reverse(due) = self.due.pop().expect("peeked");
                    self.now = due.at;
                    self.happen(due.event);
                }
                (_, None) => break,
            }
            self.carry_out();
            if arrivals.peek().is_none() && self.queued.is_empty() && self.nothing_under_way() {
                break;
            }
        }
    }

    /// What is due is only ticks.
    fn nothing_under_way(&self) -> bool {
        self.due.len() <= 1 && self.due.peek().is_none_or(|Reverse(due)| matches!(due.event, Event::Tick))
    }

    fn arrive(&mut self, tenant: usize, request: Request) {
        match self.pool.acquire(self.now, DeploymentId(tenant as u64)) {
            Acquired::Granted(lease) => {
                self.report.warm += 1;
                self.turn(request, lease);
            }
            Acquired::Queued(id) => {
                self.queued.insert(id, request);
            }
            Acquired::Refused(_) => self.report.refused += 1,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::TurnOver(request, lease) if request.waits => {
                self.schedule(self.now + WAIT, Event::WaitOver(Request { waits: false, ..request }, lease));
            }
            Event::TurnOver(request, lease) => {
                self.report.latencies.push(self.now.saturating_sub(request.arrived));
                let isolate = lease.isolate();
                self.pool.release(self.now, lease, Outcome::Healthy);
                let (tenant, used) = self.isolates[&isolate];
                if !used {
                    self.isolates.insert(isolate, (tenant, true));
                    let bytes = (self.apps[tenant].bytes as f64 * USED) as u64;
                    self.pool.measured(self.now, isolate, bytes);
                }
            }
            Event::WaitOver(request, lease) => self.turn(request, lease),
            Event::Started(start) => self.started(start.worker, start.isolate),
            Event::Made(isolate) => self.pool.isolate_made(self.now, isolate, SPARE_BYTES),
            Event::Tick => {
                if self.tick_at == Some(self.now) {
                    self.tick_at = None;
                }
                self.pool.tick(self.now);
            }
        }
    }

    fn started(&mut self, worker: WorkerId, isolate: IsolateId) {
        let (tenant, _) = self.isolates[&isolate];
        self.pool.started(self.now, worker, self.apps[tenant].bytes);
    }

    /// The executor thread takes turns in the order in which they are ready.
    fn turn(&mut self, request: Request, lease: Lease) {
        let over_at = self.occupy(TURN);
        self.schedule(over_at, Event::TurnOver(request, lease));
    }

    fn occupy(&mut self, duration: Duration) -> Duration {
        self.thread_free_at = self.thread_free_at.max(self.now) + duration;
        self.thread_free_at
    }

    /// A cold-start thread does something, when one is free.
    fn start(&mut self, duration: Duration, event: Event) {
        let thread = self.cold_free_at.iter_mut().min().expect("there are cold-start threads");
        *thread = (*thread).max(self.now) + duration;
        let at = *thread;
        self.schedule(at, event);
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.due.push(Reverse(Due { at, number: self.scheduled, event }));
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.pool.next_action() {
            match action {
                Action::MakeIsolate { isolate } => self.start(MAKING, Event::Made(isolate)),
                Action::Start(start) => {
                    let tenant = start.deployment.0 as usize;
                    self.isolates.insert(start.isolate, (tenant, false));
                    let saved = if start.place == Place::Spare { MAKING } else { Duration::ZERO };
                    let duration = self.apps[tenant].start.saturating_sub(saved);
                    self.report.cold_starts += 1;
                    self.report.starting += duration;
                    self.start(duration, Event::Started(start));
                }
                Action::Grant { request, lease } => {
                    let request = self.queued.remove(&request).expect("it waits");
                    self.turn(request, lease);
                }
                Action::Refuse { request, .. } => {
                    self.queued.remove(&request);
                    self.report.refused += 1;
                }
                Action::Shrink { isolate } => {
                    self.report.shrinks += 1;
                    self.occupy(SHRINK_TURN);
                    let (tenant, _) = self.isolates[&isolate];
                    let bytes = (self.apps[tenant].bytes as f64 * SHRUNK) as u64;
                    self.isolates.insert(isolate, (tenant, false));
                    self.pool.measured(self.now, isolate, bytes);
                }
                Action::EndWorker { .. } => {}
                Action::EndIsolate { isolate, reason } => {
                    self.isolates.remove(&isolate);
                    self.report.evictions += usize::from(matches!(reason, EndReason::Displaced | EndReason::Memory));
                    self.occupy(END_TURN);
                }
            }
        }
        self.report.isolates_max = self.report.isolates_max.max(self.pool.stats().isolates);
        if let Some(next) = self.pool.next_deadline()
            && self.tick_at.is_none_or(|scheduled| next < scheduled)
        {
            self.tick_at = Some(next.max(self.now));
            self.schedule(next.max(self.now), Event::Tick);
        }
    }
}
