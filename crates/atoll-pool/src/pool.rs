//! The pool's records, and what every stage does with them.

use crate::actions::{Action, EndReason};
use crate::config::{Config, Settings};
use crate::evict::{Ranking, Worth};
use crate::ids::{DeploymentId, IdMap, Ids, IsolateId, RequestId, WorkerId};
use crate::isolation::Isolation;
use crate::memory::{Memory, Shrunk};
use crate::queue::Queue;
use crate::spares::Spares;
use crate::usage::Usage;
use std::collections::VecDeque;
use std::time::Duration;

/// What is known of a deployment.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) settings: Settings,
    /// Its isolates that have not been retired.
    pub(crate) isolates: Vec<IsolateId>,
    /// Workers that can take a request, in the order in which they do.
    pub(crate) ready: VecDeque<WorkerId>,
    /// Requests that wait, the oldest first. If there are any, `ready` is empty after every call.
    pub(crate) waiting: VecDeque<RequestId>,
    /// Workers being started in `isolates`.
    pub(crate) starting: u32,
    /// Of these, those whose isolate is being made or taken from the spares.
    pub(crate) building: u32,
    /// Leases out, also on retired isolates.
    pub(crate) leases: u32,
    /// Where new contexts are made, in [`Isolation::Context`].
    pub(crate) home: Option<IsolateId>,
    /// Its last requests.
    pub(crate) usage: Usage,
    /// How long a start takes, as seen lately.
    pub(crate) start_cost: Duration,
    /// What an isolate of it occupies, as seen lately.
    pub(crate) isolate_bytes: u64,
    /// Starts that failed since the last that did not.
    pub(crate) failures: u32,
    /// No start before this moment.
    pub(crate) backoff_until: Duration,
    /// It is in the line of those that want an isolate.
    pub(crate) in_line: bool,
    /// It is gone, but for leases.
    pub(crate) removed: bool,
}

/// What is known of an isolate.
#[derive(Debug)]
pub(crate) struct Isolate {
    /// Whose it is; a spare is nobody's.
    pub(crate) deployment: Option<DeploymentId>,
    /// The deployment's isolation when the isolate became its own.
    pub(crate) isolation: Isolation,
    /// Its workers, those being started included.
    pub(crate) workers: Vec<WorkerId>,
    /// Workers being started in it.
    pub(crate) starting: u32,
    /// It is being made, or its first worker started.
    pub(crate) building: bool,
    /// Leases out.
    pub(crate) active: u32,
    /// Contexts made in it.
    pub(crate) contexts: u32,
    /// It takes no more requests, and ends when nothing is under way in it.
    pub(crate) retired: Option<EndReason>,
    /// Nothing is under way in it, so that it may be evicted.
    pub(crate) idle: bool,
    pub(crate) shrunk: Shrunk,
    pub(crate) worth: Worth,
}

/// What is known of a worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) isolate: IsolateId,
    pub(crate) deployment: DeploymentId,
    /// When its start was ordered; nothing once it has started.
    pub(crate) ordered_at: Option<Duration>,
    /// Leases out.
    pub(crate) active: u32,
    /// It is among its deployment's `ready`.
    pub(crate) listed: bool,
}

/// Decides for the workers of one thread. See the crate's documentation.
#[derive(Debug)]
pub struct Pool {
    pub(crate) config: Config,
    pub(crate) now: Duration,
    pub(crate) deployments: IdMap<DeploymentId, Deployment>,
    pub(crate) isolates: IdMap<IsolateId, Isolate>,
    pub(crate) workers: IdMap<WorkerId, Worker>,
    pub(crate) queue: Queue,
    /// Deployments for whose requests an isolate is to be started, as soon as there is room.
    pub(crate) line: VecDeque<DeploymentId>,
    pub(crate) spares: Spares,
    pub(crate) memory: Memory,
    pub(crate) ranking: Ranking,
    /// Isolates whose first worker is being started.
    pub(crate) starts: usize,
    pub(crate) draining: bool,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) ids: Ids,
}

/// What a pool holds, for metrics and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Deployments known, those included that were removed and have leases out.
    pub deployments: usize,
    /// Isolates, spares and those being made included.
    pub isolates: usize,
    /// Of these, those that may be evicted.
    pub idle: usize,
    /// Of these, spares that nobody owns, those being made included.
    pub spares: usize,
    /// Workers, those being started included.
    pub workers: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Deployments for whose requests there is no room to start an isolate.
    pub in_line: usize,
    /// Isolates being started for a deployment.
    pub starts: usize,
    /// Bytes of all isolates: measured, or assumed of those being made.
    pub bytes: u64,
    /// Bytes that isolates may have at present: the budget, or less after memory was short.
    pub limit_bytes: u64,
}

impl Pool {
    /// An empty pool.
    pub fn new(config: Config) -> Self {
        Self {
            now: Duration::ZERO,
            deployments: IdMap::default(),
            isolates: IdMap::default(),
            workers: IdMap::default(),
            queue: Queue::default(),
            line: VecDeque::new(),
            spares: Spares::default(),
            memory: Memory::new(config.budget_bytes),
            ranking: Ranking::new(config.policy),
            starts: 0,
            draining: false,
            actions: VecDeque::new(),
            ids: Ids::default(),
            config,
        }
    }

    /// What is to be done next. The caller carries out all actions, in their order, after each call of another method.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What the pool holds.
    pub fn stats(&self) -> Stats {
        Stats {
            deployments: self.deployments.len(),
            isolates: self.isolates.len(),
            idle: self.memory.idle_count,
            spares: self.spares.ready.len() + self.spares.making,
            workers: self.workers.len(),
            waiting: self.queue.len(),
            in_line: self.line.len(),
            starts: self.starts,
            bytes: self.memory.bytes,
            limit_bytes: self.memory.limit_bytes,
        }
    }

    /// Does what time demands: refuses requests that have waited too long, goes on with shrinking and evicting, restores
    /// a reduced budget, drops spares that are no longer needed. Call it at [`Pool::next_deadline`]; calls at other times do no
    /// harm.
    pub fn tick(&mut self, now: Duration) {
        self.advance(now);
        self.expire();
        self.recover();
        self.drop_surplus();
        self.settle();
    }

    /// When [`Pool::tick`] has something to do, if nothing else happens before. May have passed already.
    pub fn next_deadline(&self) -> Option<Duration> {
        let deadlines = [self.next_expiry(), self.next_memory_deadline(), self.next_surplus()];
        deadlines.into_iter().flatten().min()
    }

    /// Takes no more requests. Those that wait are answered, idle isolates end now, busy ones when they fall idle; nothing
    /// is made ahead. The pool is done when [`Stats::isolates`] is zero.
    pub fn drain(&mut self, now: Duration) {
        self.advance(now);
        self.draining = true;
        while let Some(spare) = self.spares.ready.pop_front() {
            self.end_isolate(spare, EndReason::Drained);
        }
        let deployments: Vec<_> = self.sorted_deployments();
        for id in deployments {
            self.retire_drained(id);
        }
        self.settle();
    }

    /// Time doesn't go backwards, whatever the caller's threads read from their clocks.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// What every call ends with that may have made room, or taken it.
    pub(crate) fn settle(&mut self) {
        self.serve_line();
        self.refill();
        self.reduce();
    }

    /// Ends the isolates of a deployment that are of no more use while the pool drains.
    pub(crate) fn retire_drained(&mut self, id: DeploymentId) {
        let Some(deployment) = self.deployments.get(&id) else { return };
        if !self.draining || !deployment.waiting.is_empty() {
            return;
        }
        for isolate in deployment.isolates.clone() {
            self.retire(isolate, EndReason::Drained);
        }
    }

    /// An isolate takes no more requests. It ends now, or when nothing is under way in it any more.
    pub(crate) fn retire(&mut self, id: IsolateId, reason: EndReason) {
        let Some(isolate) = self.isolates.get_mut(&id) else { return };
        if isolate.retired.is_some() {
            return;
        }
        isolate.retired = Some(reason);
        if let Some(deployment) = isolate.deployment.and_then(|owner| self.deployments.get_mut(&owner)) {
            deployment.isolates.retain(|other| *other != id);
            deployment.starting -= isolate.starting;
            deployment.building -= u32::from(isolate.building);
            if deployment.home == Some(id) {
                deployment.home = None;
            }
            for worker in &isolate.workers {
                let record = self.workers.get_mut(worker).expect("an isolate's workers have records");
                if std::mem::take(&mut record.listed) {
                    deployment.ready.retain(|other| other != worker);
                }
            }
        }
        self.leave_idle(id);
        self.end_if_over(id);
    }

    /// Ends a retired isolate in which nothing is under way.
    pub(crate) fn end_if_over(&mut self, id: IsolateId) {
        let Some(isolate) = self.isolates.get(&id) else { return };
        if let Some(reason) = isolate.retired
            && isolate.active == 0
            && isolate.starting == 0
        {
            self.end_isolate(id, reason);
        }
    }

    /// Removes an isolate in which nothing is under way, and its workers.
    pub(crate) fn end_isolate(&mut self, id: IsolateId, reason: EndReason) {
        let Some(isolate) = self.isolates.remove(&id) else { return };
        debug_assert!(!isolate.idle && isolate.active == 0 && isolate.starting == 0, "{id:?} is in use: {isolate:?}");
        self.memory.bytes -= isolate.worth.bytes;
        for worker in isolate.workers {
            self.workers.remove(&worker);
            self.actions.push_back(Action::EndWorker { worker });
        }
        self.actions.push_back(Action::EndIsolate { isolate: id, reason });
    }

    /// An isolate may have nothing under way any more: then it may be evicted from now on.
    pub(crate) fn enter_idle(&mut self, id: IsolateId) {
        let Some(isolate) = self.isolates.get_mut(&id) else { return };
        if isolate.idle || isolate.active > 0 || isolate.starting > 0 || isolate.retired.is_some() {
            return;
        }
        self.memory.enter_idle(isolate);
        if self.draining
            && let Some(owner) = isolate.deployment
        {
            self.retire_drained(owner);
        }
    }

    /// Something begins in an isolate, or it ends.
    pub(crate) fn leave_idle(&mut self, id: IsolateId) {
        if let Some(isolate) = self.isolates.get_mut(&id) {
            self.memory.leave_idle(isolate);
        }
    }

    /// In an order that doesn't depend on hashing, so that equal histories lead to equal decisions.
    fn sorted_deployments(&self) -> Vec<DeploymentId> {
        let mut ids: Vec<_> = self.deployments.keys().copied().collect();
        ids.sort_unstable();
        ids
    }
}
