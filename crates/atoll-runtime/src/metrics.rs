//! What is counted for the operator.
//!
//! Each deployment has its counters, [`AppMetrics`], which every release of it carries along: to count is one addition to
//! an atomic that is there already, without a lock, a lookup or an allocation, so it may be done for every request and
//! turn. What is counted that often has an atomic for each of several threads ([`Traffic`]), in cache lines of their own:
//! two threads that add to one take it out of each other's cache each time. What pools hold is not counted but asked for
//! ([`Metrics::pools`]), by whoever wants to know it.

use crate::pool::{PoolError, PoolReport};
use atoll_engine::Reason;
use atoll_pool::{EndReason, Place, Refusal};
use crossbeam_utils::CachePadded;
use http::StatusCode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number as it is at present.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// It is this now.
    pub fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a request was not given to a worker, as a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too many waited already.
    QueueFull,
    /// It waited for too long.
    TimedOut,
    /// The app could not be started.
    Start,
    /// The process ends.
    Draining,
}

impl Refused {
    /// All of them; a value's position is its number.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::TimedOut, Self::Start, Self::Draining];

    /// `queue_full`, `timed_out`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TimedOut => "timed_out",
            Self::Start => "start",
            Self::Draining => "draining",
        }
    }

    fn of(error: &PoolError) -> Option<Self> {
        match error {
            PoolError::Request(_) => None,
            PoolError::Start(_) | PoolError::Refused(Refusal::StartFailed | Refusal::BackingOff { .. }) => {
                Some(Self::Start)
            }
            PoolError::Refused(Refusal::QueueFull { .. }) => Some(Self::QueueFull),
            PoolError::Refused(Refusal::TimedOut { .. }) => Some(Self::TimedOut),
            PoolError::Refused(Refusal::Draining | Refusal::Unknown) => Some(Self::Draining),
        }
    }
}

/// What a start made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// An isolate with a worker in it: a cold start.
    Isolate,
    /// A further context of an isolate.
    Context,
    /// Nothing: it failed.
    Nothing,
}

impl Started {
    /// All of them; a value's position is its number.
    pub const ALL: [Self; 3] = [Self::Isolate, Self::Context, Self::Nothing];

    /// What was made, and how that went: two labels' values.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Context => "context",
            Self::Nothing => "failed",
        }
    }
}

/// Classes of status codes: `1xx` to `5xx`.
pub const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Parts of a [`Traffic`]. Threads beyond that share them; each is 128 bytes, and a server has a thousand deployments.
const PARTS: usize = 8;

/// The part of every [`Traffic`] to which the calling thread adds.
fn own_part() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PART: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
    }
    PART.with(|part| *part)
}

/// What is counted for every request and every turn.
#[derive(Debug, Default)]
pub struct Traffic([CachePadded<Part>; PARTS]);

#[derive(Debug, Default)]
struct Part {
    responses: [Counter; STATUS_CLASSES.len()],
    cpu_nanoseconds: Counter,
}

impl Traffic {
    /// Responses, in the order of [`STATUS_CLASSES`].
    pub fn responses(&self) -> [u64; STATUS_CLASSES.len()] {
        std::array::from_fn(|class| self.0.iter().map(|part| part.responses[class].get()).sum())
    }

    /// CPU time of turns, nanoseconds.
    pub fn cpu_nanoseconds(&self) -> u64 {
        self.0.iter().map(|part| part.cpu_nanoseconds.get()).sum()
    }

    fn own(&self) -> &Part {
        &self.0[own_part()]
    }
}

/// The counters of one deployment, over all its releases and threads.
#[derive(Debug, Default)]
pub struct AppMetrics {
    /// Responses and CPU time.
    pub traffic: Traffic,
    /// Ends by force, in the order of [`Reason::ALL`].
    pub kills: [Counter; Reason::ALL.len()],
    /// Starts, in the order of [`Started::ALL`].
    pub starts: [Counter; Started::ALL.len()],
    /// Time that starts took, nanoseconds.
    pub start_nanoseconds: Counter,
    /// Requests that no worker got, in the order of [`Refused::ALL`].
    pub refusals: [Counter; Refused::ALL.len()],
    /// Isolates that ended, in the order of [`EndReason::ALL`].
    pub ends: [Counter; EndReason::ALL.len()],
}

impl AppMetrics {
    /// A request was answered.
    pub fn responded(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        self.traffic.own().responses[class.min(STATUS_CLASSES.len() - 1)].add(1);
    }

    /// A request got no response from a worker.
    pub fn unanswered(&self, error: &PoolError) {
        if let Some(refused) = Refused::of(error) {
            self.refusals[refused as usize].add(1);
        }
    }

    /// A guest was ended. What ends a turn of an interactive session only is not counted.
    pub(crate) fn killed(&self, reason: Reason) {
        if let Some(kills) = self.kills.get(reason as usize) {
            kills.add(1);
        }
    }

    pub(crate) fn started(&self, place: Place, succeeded: bool, time: Duration) {
        let started = match place {
            _ if !succeeded => Started::Nothing,
            Place::New | Place::Spare => Started::Isolate,
            Place::Warm => Started::Context,
        };
        self.starts[started as usize].add(1);
        self.start_nanoseconds.add(nanoseconds(time));
    }

    pub(crate) fn isolate_ended(&self, reason: EndReason) {
        self.ends[reason as usize].add(1);
    }

    pub(crate) fn computed(&self, cpu: Duration) {
        self.traffic.own().cpu_nanoseconds.add(nanoseconds(cpu));
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whoever wants to know what a pool holds is answered on this channel.
pub(crate) type Question = oneshot::Sender<PoolReport>;

/// Questions that may wait for a thread that computes; who asks beyond that gets no answer from it.
const MAX_QUESTIONS: usize = 4;

/// The counters of a process.
#[derive(Debug, Default)]
pub struct Metrics {
    apps: Mutex<BTreeMap<String, Arc<AppMetrics>>>,
    /// Responses to requests that no route leads from.
    pub unrouted: AppMetrics,
    /// Deployments that are served on a lane at present.
    pub in_lanes: Gauge,
    pools: Mutex<Vec<mpsc::Sender<Question>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// The counters of the deployment of this name, the same whenever they are asked for.
    pub fn of(&self, name: &str) -> Arc<AppMetrics> {
        Arc::clone(lock(&self.apps).entry(name.to_owned()).or_default())
    }

    /// The counters of all deployments, by name.
    pub fn apps(&self) -> Vec<(String, Arc<AppMetrics>)> {
        lock(&self.apps).iter().map(|(name, metrics)| (name.clone(), Arc::clone(metrics))).collect()
    }

    /// What each pool holds; `None` for one whose thread did not answer within `patience`: it computes.
    pub async fn pools(&self, patience: Duration) -> Vec<Option<PoolReport>> {
        let asked: Vec<_> = {
            let mut pools = lock(&self.pools);
            // A thread that has ended has no pool any more.
            pools.retain(|pool| !pool.is_closed());
            let ask = |pool: &mpsc::Sender<Question>| {
                let (question, answer) = oneshot::channel();
                pool.try_send(question).is_ok().then_some(answer)
            };
            pools.iter().map(ask).collect()
        };
        let until = tokio::time::Instant::now() + patience;
        let mut reports = Vec::with_capacity(asked.len());
        for answer in asked {
            reports.push(match answer {
                Some(answer) => tokio::time::timeout_at(until, answer).await.ok().and_then(Result::ok),
                None => None,
            });
        }
        reports
    }

    pub(crate) fn join(&self) -> mpsc::Receiver<Question> {
        let (sender, receiver) = mpsc::channel(MAX_QUESTIONS);
        lock(&self.pools).push(sender);
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        assert!(Reason::ALL.iter().enumerate().all(|(number, reason)| *reason as usize == number));
        assert!(EndReason::ALL.iter().enumerate().all(|(number, reason)| *reason as usize == number));
        assert!(Refused::ALL.iter().enumerate().all(|(number, refused)| *refused as usize == number));
        assert!(Started::ALL.iter().enumerate().all(|(number, started)| *started as usize == number));
    }

    #[test]
    fn responses_are_counted_by_class() {
        let metrics = AppMetrics::default();
        for status in [100, 200, 204, 301, 404, 503, 599, 999] {
            metrics.responded(StatusCode::from_u16(status).expect("a status"));
        }
        assert_eq!(metrics.traffic.responses(), [1, 2, 1, 1, 3]);
    }

    #[test]
    fn threads_add_up() {
        let metrics = AppMetrics::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| {
                    metrics.responded(StatusCode::OK);
                    metrics.computed(Duration::from_nanos(3));
                });
            }
        });
        assert_eq!(metrics.traffic.responses(), [0, 2 * PARTS as u64, 0, 0, 0]);
        assert_eq!(metrics.traffic.cpu_nanoseconds(), 6 * PARTS as u64);
        let used = metrics.traffic.0.iter().filter(|part| part.responses[1].get() > 0).count();
        assert!(used > 1, "threads have parts of their own");
    }

    #[test]
    fn a_deployment_keeps_its_counters() {
        let metrics = Metrics::default();
        metrics.of("a").killed(Reason::Cpu);
        metrics.of("a").killed(Reason::Cpu);
        metrics.of("b").killed(Reason::Idle);
        let apps = metrics.apps();
        let names: Vec<_> = apps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(apps[0].1.kills[Reason::Cpu as usize].get(), 2);
        assert_eq!(apps[1].1.kills[Reason::Idle as usize].get(), 1);
    }

    #[test]
    fn a_pool_that_does_not_answer_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let metrics = Metrics::default();
        let mut silent = metrics.join();
        drop(metrics.join());
        let reports = runtime.block_on(metrics.pools(Duration::from_millis(20)));
        assert!(matches!(reports.as_slice(), [None]), "{reports:?}");
        assert!(silent.try_recv().is_ok(), "it was asked");
    }
}
