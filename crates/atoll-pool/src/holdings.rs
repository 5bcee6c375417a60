//! What each deployment holds of a pool, for metrics.

use crate::ids::DeploymentId;
use crate::pool::Pool;

/// What a deployment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// Isolates that are being made, or in which the first worker is being started.
    pub starting: usize,
    /// Isolates in which a request is under way.
    pub busy: usize,
    /// Isolates that wait for requests, and may be evicted.
    pub idle: usize,
    /// Isolates that take no more requests, and end when what is under way in them is over.
    pub retired: usize,
    /// Bytes of all these: measured, or assumed of those being made.
    pub bytes: u64,
    /// Requests that wait for a worker.
    pub waiting: usize,
}

impl Pool {
    /// What every known deployment holds, in the order of their names. Looks at all isolates.
    pub fn holdings(&self) -> Vec<(DeploymentId, Holding)> {
        let mut holdings: Vec<(DeploymentId, Holding)> = self
            .deployments
            .iter()
            .map(|(id, deployment)| (*id, Holding { waiting: deployment.waiting.len(), ..Holding::default() }))
            .collect();
        holdings.sort_unstable_by_key(|(id, _)| *id);
        for isolate in self.isolates.values() {
            let Some(owner) = isolate.deployment else { continue };
            let Ok(position) = holdings.binary_search_by_key(&owner, |(id, _)| *id) else { continue };
            let holding = &mut holdings[position].1;
            let count = if isolate.retired.is_some() {
                &mut holding.retired
            } else if isolate.building {
                &mut holding.starting
            } else if isolate.idle {
                &mut holding.idle
            } else {
                &mut holding.busy
            };
            *count += 1;
            holding.bytes += isolate.worth.bytes;
        }
        holdings
    }
}
