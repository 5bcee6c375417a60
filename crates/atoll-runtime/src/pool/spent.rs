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

/// Others wait for a thread if another deployment had a request there this recently when a turn began: while it lasts, nobody
/// else can.
const OTHERS_WITHIN: Duration = Duration::from_secs(1);

impl Pool {
    /// Notes that a deployment has a request.
    pub(super) fn note_use(&self, deployment: DeploymentId, now: Duration) {
        if self.last_used.replace(Some(deployment)) != Some(deployment) {
            self.switched_at.set(now);
        }
        self.last_used_at.set(now);
    }

    /// Adds what turns of a deployment used.
    pub(super) fn note_spent(&self, deployment: DeploymentId, turns: u32, cpu: Duration) {
        let Some(reporter) = &self.reporter else { return };
        let is_last = self.last_used.get() == Some(deployment);
        let alone_for = self.last_used_at.get().saturating_sub(self.switched_at.get());
        let others_wait = !is_last || alone_for <= OTHERS_WITHIN;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cold::ColdStarter;
    use crate::pool::PoolConfig;
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Reports(Mutex<Vec<Spent>>);

    impl SpentReporter for Reports {
        fn spent(&self, _deployment: DeploymentId, spent: Spent) {
            self.0.lock().expect("nobody panics").push(spent);
        }
    }

    const ONE: DeploymentId = DeploymentId(1);
    const TWO: DeploymentId = DeploymentId(2);

    /// A turn that lasts longer than others are remembered still keeps them waiting.
    #[tokio::test]
    async fn others_wait_for_whoever_began_while_they_were_there() {
        let reports = Arc::new(Reports::default());
        let local = tokio::task::LocalSet::new();
        let reporter = Arc::clone(&reports) as Arc<dyn SpentReporter>;
        local
            .run_until(async {
                let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), Some(reporter));
                let second = Duration::from_secs(1);
                pool.note_use(ONE, Duration::ZERO);
                pool.note_use(TWO, Duration::from_millis(10));
                pool.note_spent(TWO, 1, 2 * second);
                // Nobody else has asked for four seconds.
                pool.note_use(TWO, 4 * second);
                pool.note_spent(TWO, 1, 2 * second);
            })
            .await;
        let contended: Vec<_> =
            reports.0.lock().expect("nobody panics").iter().map(|spent| spent.contended_cpu.as_secs()).collect();
        assert_eq!(contended, [2, 0]);
    }
}
