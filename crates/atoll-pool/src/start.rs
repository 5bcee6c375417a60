//! Starts: finding room, taking a spare, ordering, and what comes of it.

use crate::actions::{Action, EndReason, Place, Refusal, Start, Urgency};
use crate::config::Settings;
use crate::evict::Worth;
use crate::ids::{DeploymentId, IsolateId, WorkerId};
use crate::isolation::Isolation;
use crate::memory::Shrunk;
use crate::pool::{Isolate, Pool, Worker};
use crate::usage::Window;
use std::time::Duration;

/// After a second failure in a row, starts pause for this long, and for twice as long after each further one.
const BACKOFF: Duration = Duration::from_millis(250);

/// The longest pause: an app that can't be started costs a start every so often, and is back soon after it was repaired
/// from outside. A new version is tried at once.
const BACKOFF_MAX: Duration = Duration::from_secs(16);

/// Weight of the newest start in a deployment's usual starting time.
const START_COST_WEIGHT: f64 = 0.25;

impl Pool {
    /// A worker has started; its isolate occupies `bytes`.
    ///
    /// # Panics
    /// If the worker's start was not ordered, or was reported before.
    pub fn started(&mut self, now: Duration, worker: WorkerId, bytes: u64) {
        self.advance(now);
        let now = self.now;
        let record = self.workers.get_mut(&worker).expect("the pool ordered this start");
        let ordered_at = record.ordered_at.take().expect("a start is reported once");
        let (isolate_id, owner) = (record.isolate, record.deployment);
        self.set_bytes(isolate_id, bytes);
        let isolate = self.isolates.get_mut(&isolate_id).expect("an isolate outlives its starts");
        isolate.starting -= 1;
        let built = std::mem::take(&mut isolate.building);
        self.starts -= usize::from(built);
        if isolate.retired.is_some() {
            self.end_worker(worker);
            self.end_if_over(isolate_id);
            self.settle();
            return;
        }
        let deployment = self.deployments.get_mut(&owner).expect("a deployment with isolates has a record");
        deployment.starting -= 1;
        deployment.failures = 0;
        deployment.backoff_until = Duration::ZERO;
        if built {
            deployment.building -= 1;
            let took = now.saturating_sub(ordered_at);
            let usual = deployment.start_cost;
            deployment.start_cost = if usual.is_zero() {
                took
            } else {
                took.mul_f64(START_COST_WEIGHT) + usual.mul_f64(1.0 - START_COST_WEIGHT)
            };
            if isolate.isolation == Isolation::Context && isolate.contexts < deployment.settings.reuses_max.get() {
                deployment.home = Some(isolate_id);
            }
        }
        isolate.worth.start_cost = deployment.start_cost;
        isolate.worth.last_used = now;
        isolate.worth.window = deployment.usage.window();
        isolate.worth.age = self.ranking.age();
        deployment.ready.push_back(worker);
        self.workers.get_mut(&worker).expect("looked up above").listed = true;
        self.pump(owner);
        self.enter_idle(isolate_id);
        self.settle();
    }

    /// A worker could not be started. Its isolate is not used again: its heap may hold half-made objects.
    ///
    /// The requests that share the start are refused. If other starts of the deployment are under way, each for a request
    /// of its own, one is.
    ///
    /// # Panics
    /// If the worker's start was not ordered, or was reported before.
    pub fn start_failed(&mut self, now: Duration, worker: WorkerId) {
        self.advance(now);
        let now = self.now;
        let record = self.workers.get_mut(&worker).expect("the pool ordered this start");
        let reported = record.ordered_at.take();
        assert!(reported.is_some(), "a start is reported once");
        let (isolate_id, owner) = (record.isolate, record.deployment);
        let isolate = self.isolates.get_mut(&isolate_id).expect("an isolate outlives its starts");
        isolate.starting -= 1;
        let built = std::mem::take(&mut isolate.building);
        self.starts -= usize::from(built);
        let current = isolate.retired.is_none();
        if current {
            let deployment = self.deployments.get_mut(&owner).expect("a deployment with isolates has a record");
            deployment.starting -= 1;
            deployment.building -= u32::from(built);
        }
        self.end_worker(worker);
        self.retire(isolate_id, EndReason::StartFailed);
        self.end_if_over(isolate_id);
        if current {
            self.note_failure(owner, now);
            self.pump(owner);
        }
        self.settle();
    }

    fn note_failure(&mut self, id: DeploymentId, now: Duration) {
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        if let Some(repeated) = deployment.failures.checked_sub(1) {
            let pause = BACKOFF.saturating_mul(1 << repeated.min(16)).min(BACKOFF_MAX);
            deployment.backoff_until = now + pause;
        }
        deployment.failures = deployment.failures.saturating_add(1);
        let serving = deployment.settings.isolation == Isolation::Warm && !deployment.isolates.is_empty();
        if deployment.starting > 0 {
            if let Some(&request) = deployment.waiting.front() {
                self.refuse(request, Refusal::StartFailed);
            }
        } else if !serving {
            self.refuse_all(id, Refusal::StartFailed);
        }
    }

    /// Starts a worker of a deployment in an isolate of its own, if there is room. For a request that waits, room is made
    /// by evicting what is worth least.
    pub(crate) fn build(&mut self, id: DeploymentId, urgency: Urgency) -> bool {
        let starts_max = match urgency {
            Urgency::Demand => self.config.starts_max,
            Urgency::Ahead => self.config.starts_max / 2,
        };
        if self.starts >= starts_max {
            return false;
        }
        let deployment = &self.deployments[&id];
        // What is larger than the limit may have all of it: it can only be known by trying.
        let bytes = deployment.isolate_bytes.min(self.memory.limit_bytes);
        let below = match urgency {
            Urgency::Demand => f64::INFINITY,
            Urgency::Ahead => {
                let expected = Worth {
                    last_used: self.now,
                    uses: 1,
                    window: deployment.usage.window(),
                    age: self.ranking.age(),
                    start_cost: deployment.start_cost,
                    bytes,
                };
                self.ranking.value(self.now, &expected)
            }
        };
        let spare_bytes = self.spares.ready.front().map(|spare| self.isolates[spare].worth.bytes);
        let extra = bytes.saturating_sub(spare_bytes.unwrap_or(0));
        if !self.make_room(extra, usize::from(spare_bytes.is_none()), 1, below) {
            return false;
        }
        let (isolate_id, place) = if let Some(spare) = self.spares.ready.pop_front() {
            (spare, Place::Spare)
        } else {
            let fresh = self.ids.isolate();
            self.insert_isolate(fresh, 0);
            (fresh, Place::New)
        };
        self.set_bytes(isolate_id, bytes);
        let deployment = self.deployments.get_mut(&id).expect("looked up above");
        deployment.isolates.push(isolate_id);
        deployment.building += 1;
        let isolate = self.isolates.get_mut(&isolate_id).expect("a spare, or made above");
        isolate.deployment = Some(id);
        isolate.isolation = deployment.settings.isolation;
        isolate.building = true;
        self.starts += 1;
        self.spares.note_build(self.now);
        self.order(id, isolate_id, place, urgency);
        true
    }

    /// Starts a worker in a new context of an isolate that has served the same version.
    pub(crate) fn start_context(&mut self, id: DeploymentId, home: IsolateId, urgency: Urgency) {
        self.leave_idle(home);
        self.order(id, home, Place::Warm, urgency);
    }

    fn order(&mut self, id: DeploymentId, isolate_id: IsolateId, place: Place, urgency: Urgency) {
        let worker = self.ids.worker();
        let deployment = self.deployments.get_mut(&id).expect("the caller looked it up");
        let isolate = self.isolates.get_mut(&isolate_id).expect("the caller looked it up");
        deployment.starting += 1;
        isolate.starting += 1;
        isolate.contexts += 1;
        isolate.workers.push(worker);
        if isolate.contexts >= deployment.settings.reuses_max.get() && deployment.home == Some(isolate_id) {
            deployment.home = None;
        }
        let record =
            Worker { isolate: isolate_id, deployment: id, ordered_at: Some(self.now), active: 0, listed: false };
        self.workers.insert(worker, record);
        let Settings { tenant, version, .. } = deployment.settings;
        let start = Start { worker, isolate: isolate_id, place, tenant, deployment: id, version, urgency };
        self.actions.push_back(Action::Start(start));
    }

    /// Whether there is room for so many more bytes and isolates, or can be made by ending spares, but for some, and idle
    /// isolates of a value below `below`.
    pub(crate) fn make_room(&mut self, bytes: u64, isolates: usize, keep_spares: usize, below: f64) -> bool {
        // First whether it helps at all: nothing is evicted in vain.
        let surplus = self.spares.ready.iter().skip(keep_spares);
        let (surplus_count, surplus_bytes) =
            surplus.fold((0, 0), |(count, sum), spare| (count + 1, sum + self.isolates[spare].worth.bytes));
        let kept_bytes = self.memory.bytes - self.memory.idle_bytes - surplus_bytes;
        let kept_count = self.isolates.len() - self.memory.idle_count - surplus_count;
        if kept_bytes + bytes > self.memory.limit_bytes || kept_count + isolates > self.config.isolates_max {
            return false;
        }
        while self.memory.bytes + bytes > self.memory.limit_bytes
            || self.isolates.len() + isolates > self.config.isolates_max
        {
            if self.spares.ready.len() > keep_spares
                && let Some(spare) = self.spares.ready.pop_back()
            {
                self.end_isolate(spare, EndReason::Surplus);
            } else if let Some((victim, value)) = self.ranking.least(self.now, &self.isolates)
                && value < below
            {
                self.evict(victim, EndReason::Displaced);
            } else {
                return false;
            }
        }
        true
    }

    /// Ends an idle isolate in favour of others.
    pub(crate) fn evict(&mut self, victim: IsolateId, reason: EndReason) {
        if let Some(isolate) = self.isolates.get(&victim) {
            self.ranking.evicted(self.now, &isolate.worth);
        }
        self.retire(victim, reason);
    }

    pub(crate) fn insert_isolate(&mut self, id: IsolateId, bytes: u64) {
        let worth = Worth {
            last_used: self.now,
            uses: 0,
            window: Window::default(),
            age: 0.0,
            start_cost: Duration::ZERO,
            bytes,
        };
        let isolate = Isolate {
            deployment: None,
            isolation: Isolation::Warm,
            workers: Vec::new(),
            starting: 0,
            building: false,
            active: 0,
            contexts: 0,
            retired: None,
            idle: false,
            shrunk: Shrunk::No,
            worth,
        };
        self.isolates.insert(id, isolate);
        self.memory.bytes += bytes;
    }
}
