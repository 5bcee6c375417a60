//! From a request's end back to an idle worker, or to the end of one.

use crate::actions::{Action, EndReason, Lease, Outcome};
use crate::ids::WorkerId;
use crate::isolation::Isolation;
use crate::pool::Pool;
use std::time::Duration;

impl Pool {
    /// A request is over, with all that it left to be done in the background.
    #[expect(clippy::needless_pass_by_value, reason = "it is taken away, so that it can't be released twice")]
    pub fn release(&mut self, now: Duration, lease: Lease, outcome: Outcome) {
        self.advance(now);
        let now = self.now;
        let Lease { worker: worker_id, isolate: isolate_id, deployment: owner } = lease;
        let worker = self.workers.get_mut(&worker_id).expect("a lease keeps its worker");
        let isolate = self.isolates.get_mut(&isolate_id).expect("a lease keeps its isolate");
        let deployment = self.deployments.get_mut(&owner).expect("a lease keeps its deployment's record");
        worker.active -= 1;
        isolate.active -= 1;
        deployment.leases -= 1;
        isolate.worth.last_used = now;
        isolate.worth.window = deployment.usage.window();
        isolate.worth.age = self.ranking.age();

        let reusable = isolate.retired.is_none() && isolate.isolation == Isolation::Warm && outcome == Outcome::Healthy;
        if reusable {
            if !worker.listed {
                worker.listed = true;
                deployment.ready.push_back(worker_id);
            }
        } else {
            self.dispose(&lease, outcome);
        }

        let nobody_waits = self.deployments[&owner].waiting.is_empty();
        let undisturbed = reusable && nobody_waits;
        if !undisturbed {
            self.pump(owner);
        }
        self.enter_idle(isolate_id);
        self.forget_removed(owner);
        if !undisturbed || !self.line.is_empty() || self.over_soft_limit() {
            self.settle();
        }
    }

    /// A worker hit a limit outside of any request's turn. Its isolate is not used again; requests under way in it are
    /// released one by one as they fail. Nothing happens if the worker has ended.
    pub fn limit_hit(&mut self, now: Duration, worker: WorkerId) {
        self.advance(now);
        let Some(record) = self.workers.get(&worker) else { return };
        let (isolate, owner) = (record.isolate, record.deployment);
        self.retire(isolate, EndReason::Limit);
        self.pump(owner);
        self.settle();
    }

    /// Ends what a request that is over leaves unfit for another.
    fn dispose(&mut self, lease: &Lease, outcome: Outcome) {
        if outcome == Outcome::LimitHit {
            self.retire(lease.isolate, EndReason::Limit);
        }
        let Some(isolate) = self.isolates.get(&lease.isolate) else { return };
        if isolate.isolation == Isolation::Context {
            self.end_worker(lease.worker);
            // An isolate that may have no further context is of use only as long as it has one.
            let home = self.deployments[&lease.deployment].home == Some(lease.isolate);
            let isolate = &self.isolates[&lease.isolate];
            if !home && isolate.workers.is_empty() {
                self.retire(lease.isolate, EndReason::UsedUp);
            }
        }
        self.end_if_over(lease.isolate);
    }

    /// Ends one worker of an isolate that goes on, or whose end comes next.
    pub(crate) fn end_worker(&mut self, worker: WorkerId) {
        let Some(record) = self.workers.remove(&worker) else { return };
        debug_assert!(record.active == 0 && !record.listed, "{worker:?} is in use");
        if let Some(isolate) = self.isolates.get_mut(&record.isolate) {
            isolate.workers.retain(|other| *other != worker);
        }
        self.actions.push_back(Action::EndWorker { worker });
    }
}
