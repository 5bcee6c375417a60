//! Deployments come, change and go.

use crate::actions::{EndReason, Refusal};
use crate::config::Settings;
use crate::ids::DeploymentId;
use crate::pool::{Deployment, Pool};
use crate::usage::Usage;
use std::collections::VecDeque;
use std::time::Duration;

impl Pool {
    /// Adds or changes a deployment. If anything is different now, its workers take no more requests and end when those
    /// under way are over; requests that wait get new workers. The same settings again change nothing.
    pub fn deploy(&mut self, now: Duration, id: DeploymentId, settings: Settings) {
        self.advance(now);
        let isolate_bytes = self.config.isolate_bytes;
        let deployment = self.deployments.entry(id).or_insert_with(|| Deployment::new(settings, isolate_bytes));
        let old = std::mem::replace(&mut deployment.settings, settings);
        deployment.removed = false;
        if old != settings {
            deployment.failures = 0;
            deployment.backoff_until = Duration::ZERO;
            self.retire_all(id, EndReason::Replaced);
        }
        // Nothing is made ahead for a deployment that nobody has asked for.
        if !self.deployments[&id].waiting.is_empty() {
            self.pump(id);
        }
        self.settle();
    }

    /// Removes a deployment. Requests that wait are refused, those under way are finished.
    pub fn remove(&mut self, now: Duration, id: DeploymentId) {
        self.advance(now);
        let Some(deployment) = self.deployments.get_mut(&id) else { return };
        deployment.removed = true;
        if std::mem::take(&mut deployment.in_line) {
            self.line.retain(|other| *other != id);
        }
        self.refuse_all(id, Refusal::Unknown);
        self.retire_all(id, EndReason::Removed);
        self.forget_removed(id);
        self.settle();
    }

    /// Drops the record of a removed deployment with the last lease.
    pub(crate) fn forget_removed(&mut self, id: DeploymentId) {
        if self.deployments.get(&id).is_some_and(|deployment| deployment.removed && deployment.leases == 0) {
            self.deployments.remove(&id);
        }
    }

    fn retire_all(&mut self, id: DeploymentId, reason: EndReason) {
        let isolates = self.deployments.get(&id).map(|deployment| deployment.isolates.clone()).unwrap_or_default();
        for isolate in isolates {
            self.retire(isolate, reason);
        }
    }
}

impl Deployment {
    fn new(settings: Settings, isolate_bytes: u64) -> Self {
        Self {
            settings,
            isolates: Vec::new(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            starting: 0,
            building: 0,
            leases: 0,
            home: None,
            usage: Usage::default(),
            start_cost: Duration::ZERO,
            isolate_bytes,
            failures: 0,
            backoff_until: Duration::ZERO,
            in_line: false,
            removed: false,
        }
    }
}
