//! From a request to a worker: a ready one at once, else a place in the queue and the order to start what is missing.

use crate::actions::{Acquired, Action, EndReason, Lease, Refusal, Urgency};
use crate::ids::{DeploymentId, IsolateId};
use crate::isolation::Isolation;
use crate::pool::{Deployment, Pool};
use crate::queue::whole_seconds;
use std::time::Duration;

/// What a deployment lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// A context in this isolate.
    Context(IsolateId, Urgency),
    /// An isolate, with a worker.
    Isolate(Urgency),
}

impl Pool {
    /// Asks for a worker of `deployment`, for one request.
    pub fn acquire(&mut self, now: Duration, deployment: DeploymentId) -> Acquired {
        self.advance(now);
        if self.draining {
            return Acquired::Refused(Refusal::Draining);
        }
        let now = self.now;
        let known = self.deployments.get_mut(&deployment).filter(|record| !record.removed);
        let Some(record) = known else { return Acquired::Refused(Refusal::Unknown) };
        record.usage.note(now);
        match self.grant(deployment) {
            Some((lease, false)) => Acquired::Granted(lease),
            Some((lease, true)) => {
                self.start_missing(deployment);
                Acquired::Granted(lease)
            }
            None => self.enqueue(deployment),
        }
    }

    /// Gives out the deployment's first ready worker, if there is one, and says whether another should be made ready.
    fn grant(&mut self, id: DeploymentId) -> Option<(Lease, bool)> {
        let deployment = self.deployments.get_mut(&id)?;
        let worker_id = *deployment.ready.front()?;
        let settings = &deployment.settings;
        let worker = self.workers.get_mut(&worker_id).expect("a ready worker has a record");
        let isolate_id = worker.isolate;
        let isolate = self.isolates.get_mut(&isolate_id).expect("a worker's isolate has a record");

        self.memory.leave_idle(isolate);
        isolate.active += 1;
        isolate.worth.uses += 1;
        worker.active += 1;
        deployment.leases += 1;

        let reuses_max = settings.reuses_max.get();
        let (worker_full, used_up, prepare) = match settings.isolation {
            Isolation::Warm => (
                worker.active >= settings.concurrency_max.get(),
                isolate.worth.uses >= reuses_max,
                isolate.worth.uses.saturating_add(settings.succession()) >= reuses_max,
            ),
            Isolation::Context => (true, false, true),
            Isolation::Isolate => (true, true, true),
        };
        if worker_full {
            deployment.ready.pop_front();
            worker.listed = false;
        }
        if used_up {
            self.retire(isolate_id, EndReason::UsedUp);
        }
        Some((Lease { worker: worker_id, isolate: isolate_id, deployment: id }, prepare))
    }

    /// Gives ready workers to requests that wait, and has started what is missing.
    pub(crate) fn pump(&mut self, id: DeploymentId) {
        while let Some(&request) = self.deployments.get(&id).and_then(|deployment| deployment.waiting.front()) {
            let Some((lease, _)) = self.grant(id) else { break };
            self.queue.remove(request);
            self.deployments.get_mut(&id).expect("granted just now").waiting.pop_front();
            self.actions.push_back(Action::Grant { request, lease });
        }
        let Some(deployment) = self.deployments.get(&id) else { return };
        if !deployment.waiting.is_empty()
            && let Some(retry_after) = self.hopeless(deployment)
        {
            self.refuse_all(id, Refusal::BackingOff { retry_after });
        }
        self.start_missing(id);
    }

    /// Has started what a deployment lacks, as far as there is room; what requests wait for gets in line for room.
    pub(crate) fn start_missing(&mut self, id: DeploymentId) {
        while let Some(missing) = self.missing(id) {
            match missing {
                Missing::Context(home, urgency) => self.start_context(id, home, urgency),
                Missing::Isolate(Urgency::Demand) => {
                    let deployment = self.deployments.get_mut(&id).expect("it lacks something");
                    if !std::mem::replace(&mut deployment.in_line, true) {
                        self.line.push_back(id);
                    }
                    self.serve_line();
                    return;
                }
                Missing::Isolate(Urgency::Ahead) => {
                    if !self.line.is_empty() || !self.build(id, Urgency::Ahead) {
                        return;
                    }
                }
            }
        }
    }

    /// Starts isolates for deployments in line, in turn, until there is no room. The first has to be served before the
    /// second, even if less room would do for that: else big apps would wait for ever.
    pub(crate) fn serve_line(&mut self) {
        while let Some(&id) = self.line.front() {
            let wanted = self.missing(id) == Some(Missing::Isolate(Urgency::Demand));
            if wanted && !self.build(id, Urgency::Demand) {
                return;
            }
            self.line.pop_front();
            if self.missing(id) == Some(Missing::Isolate(Urgency::Demand)) {
                self.line.push_back(id);
            } else if let Some(deployment) = self.deployments.get_mut(&id) {
                deployment.in_line = false;
            }
        }
    }

    /// What a deployment lacks first.
    pub(crate) fn missing(&self, id: DeploymentId) -> Option<Missing> {
        let deployment = self.deployments.get(&id)?;
        if deployment.removed || self.now < deployment.backoff_until {
            return None;
        }
        match deployment.settings.isolation {
            Isolation::Warm => self.missing_warm(deployment),
            Isolation::Context | Isolation::Isolate => self.missing_fresh(deployment),
        }
    }

    fn missing_warm(&self, deployment: &Deployment) -> Option<Missing> {
        if deployment.starting > 0 {
            return None;
        }
        if !deployment.waiting.is_empty() {
            let more = deployment.isolates.len() < deployment.settings.workers_max.get() as usize;
            return more.then_some(Missing::Isolate(Urgency::Demand));
        }
        // A successor for the last worker, which serves until it is used up.
        let [last] = deployment.isolates[..] else { return None };
        let left = deployment.settings.reuses_max.get() - self.isolates[&last].worth.uses;
        let near_its_end = left <= deployment.settings.succession();
        (near_its_end && self.may_prepare(deployment)).then_some(Missing::Isolate(Urgency::Ahead))
    }

    fn missing_fresh(&self, deployment: &Deployment) -> Option<Missing> {
        let unused = deployment.ready.len() + deployment.starting as usize;
        let in_use = deployment.leases as usize;
        if in_use + unused >= deployment.settings.concurrency_max.get() as usize {
            return None;
        }
        let waiting = deployment.waiting.len();
        let urgency = if unused < waiting {
            Urgency::Demand
        } else if unused < waiting + self.spare_workers(deployment) && self.may_prepare(deployment) {
            Urgency::Ahead
        } else {
            return None;
        };
        match (deployment.settings.isolation, deployment.home) {
            (Isolation::Context, Some(home)) => Some(Missing::Context(home, urgency)),
            // Who comes while the home is being built gets a context in it.
            (Isolation::Context, None) if deployment.building > 0 => None,
            _ => Some(Missing::Isolate(urgency)),
        }
    }

    /// Whether to start something for a deployment that nobody waits for: not while its starts fail.
    fn may_prepare(&self, deployment: &Deployment) -> bool {
        deployment.failures == 0 && self.may_work_ahead()
    }

    /// Why a request to this deployment would wait in vain, if so: nothing can become ready before the next start, which
    /// isn't due. The time is what is left until then, in whole seconds.
    pub(crate) fn hopeless(&self, deployment: &Deployment) -> Option<Duration> {
        let backoff = deployment.backoff_until.checked_sub(self.now).filter(|left| !left.is_zero())?;
        let hope = match deployment.settings.isolation {
            Isolation::Warm => !deployment.isolates.is_empty(),
            Isolation::Context | Isolation::Isolate => deployment.starting > 0,
        };
        (!hope).then(|| whole_seconds(backoff))
    }
}
