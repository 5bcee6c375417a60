//! What deployments spend on the thread, for whoever gives lanes.

use super::Pool;
use atoll_pool::{DeploymentId, Spent};
use std::time::Duration;

/// Hears what deployments spend.
pub trait SpentReporter: Send + Sync {
    /// A deployment spent this much more on the calling thread.
    fn spent(&self, deployment: DeploymentId, spent: Spent);
}

/// CPU time of a deployment that is added up before it is reported: a report takes a lock that all threads share.
const REPORT_CPU: Duration = Duration::from_millis(20);

/// Others wait for a thread if another deployment had a request there this recently.
const OTHERS_WITHIN: Duration = Duration::from_secs(1);

impl Pool {
    /// Notes that a deployment has a request.
    pub(super) fn note_use(&self, deployment: DeploymentId, now: Duration) {
        if self.last_used.replace(Some(deployment)) != Some(deployment) {
            self.switched_at.set(now);
        }
    }

    /// Adds what turns of a deployment used.
    pub(super) fn note_spent(&self, deployment: DeploymentId, turns: u32, cpu: Duration, now: Duration) {
        let Some(reporter) = &self.reporter else { return };
        let others_wait = now.saturating_sub(self.switched_at.get()) <= OTHERS_WITHIN;
        let due = {
            let mut unreported = self.unreported.borrow_mut();
            let spent = unreported.entry(deployment).or_default();
            spent.turns += turns;
            spent.cpu += cpu;
            if others_wait {
                spent.contended_cpu += cpu;
            }
            (spent.cpu >= REPORT_CPU).then(|| std::mem::take(spent))
        };
        if let Some(spent) = due {
            reporter.spent(deployment, spent);
        }
    }
}
