//! Requests that wait, in bounded number and for a bounded time.

use crate::actions::{Acquired, Action, Refusal};
use crate::ids::{DeploymentId, RequestId};
use crate::pool::{Deployment, Pool};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest time after which a refused client is told to come back, seconds: load changes faster than that.
const RETRY_AFTER_MAX_S: u64 = 30;

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    deployment: DeploymentId,
    since: Duration,
}

/// All requests that wait, the oldest first, as their ids ascend.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<RequestId, Waiting>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn remove(&mut self, request: RequestId) -> Option<DeploymentId> {
        self.waiting.remove(&request).map(|waiting| waiting.deployment)
    }
}

impl Pool {
    /// Has a request wait, if it may.
    pub(crate) fn enqueue(&mut self, id: DeploymentId) -> Acquired {
        let deployment = &self.deployments[&id];
        if let Some(retry_after) = self.hopeless(deployment) {
            return Acquired::Refused(Refusal::BackingOff { retry_after });
        }
        let full = deployment.waiting.len() >= self.config.queue_deployment_max;
        if full || self.queue.len() >= self.config.queue_max {
            return Acquired::Refused(Refusal::QueueFull { retry_after: self.retry_after(deployment) });
        }
        let request = self.ids.request();
        self.queue.waiting.insert(request, Waiting { deployment: id, since: self.now });
        self.deployments.get_mut(&id).expect("looked up above").waiting.push_back(request);
        self.pump(id);
        self.settle();
        Acquired::Queued(request)
    }

    /// The client of a request that waits has left. Nothing happens if the request does not wait any longer; its lease,
    /// if it was granted one, must still be released.
    pub fn cancel(&mut self, now: Duration, request: RequestId) {
        self.advance(now);
        if self.withdraw(request).is_some() {
            self.settle();
        }
    }

    /// Refuses what has waited too long.
    pub(crate) fn expire(&mut self) {
        while let Some((&request, waiting)) = self.queue.waiting.first_key_value() {
            if waiting.since + self.config.wait_max > self.now {
                return;
            }
            let retry_after = self.retry_after(&self.deployments[&waiting.deployment]);
            self.refuse(request, Refusal::TimedOut { retry_after });
        }
    }

    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.queue.waiting.first_key_value().map(|(_, waiting)| waiting.since + self.config.wait_max)
    }

    /// Refuses a request that waits.
    pub(crate) fn refuse(&mut self, request: RequestId, refusal: Refusal) {
        let withdrawn = self.withdraw(request);
        debug_assert!(withdrawn.is_some(), "{request:?} does not wait");
        self.actions.push_back(Action::Refuse { request, refusal });
    }

    /// Refuses all requests to a deployment that wait.
    pub(crate) fn refuse_all(&mut self, id: DeploymentId, refusal: Refusal) {
        while let Some(&request) = self.deployments.get(&id).and_then(|deployment| deployment.waiting.front()) {
            self.refuse(request, refusal);
        }
    }

    fn withdraw(&mut self, request: RequestId) -> Option<DeploymentId> {
        let id = self.queue.remove(request)?;
        let deployment = self.deployments.get_mut(&id).expect("a deployment for which requests wait has a record");
        // Ids ascend, so the queue is sorted.
        let position = deployment.waiting.binary_search(&request).expect("both queues hold the request");
        deployment.waiting.remove(position);
        self.retire_drained(id);
        Some(id)
    }

    /// How long the next request would probably wait: as long as the oldest has, or a start takes.
    fn retry_after(&self, deployment: &Deployment) -> Duration {
        let oldest = deployment.waiting.front().and_then(|request| self.queue.waiting.get(request));
        let waited = oldest.map_or(Duration::ZERO, |oldest| self.now.saturating_sub(oldest.since));
        whole_seconds(waited.max(deployment.start_cost))
    }
}

/// Rounded up, within what makes sense for a `Retry-After` header.
pub(crate) fn whole_seconds(duration: Duration) -> Duration {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(seconds.clamp(1, RETRY_AFTER_MAX_S))
}
