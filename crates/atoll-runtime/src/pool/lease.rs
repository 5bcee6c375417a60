//! What a request holds.

use super::{Pool, occupied_bytes};
use crate::worker::PinnedWorker;
use atoll_pool::{Lease, Outcome};
use std::rc::{Rc, Weak};

/// A request's hold on its worker, released when it is dropped: not during a turn.
pub(crate) struct Held {
    pool: Weak<Pool>,
    worker: Rc<PinnedWorker>,
    lease: Option<Lease>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Held").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Held {
    /// Whose request it is.
    pub(super) fn worker(&self) -> &Rc<PinnedWorker> {
        &self.worker
    }

    pub(super) fn new(pool: &Rc<Pool>, worker: &Rc<PinnedWorker>, lease: Lease) -> Self {
        Self { pool: Rc::downgrade(pool), worker: Rc::clone(worker), lease: Some(lease) }
    }
}

/// An isolate is measured after the first, second, fourth, … request of a worker: its size changes most at first.
fn is_due(requests: u64) -> bool {
    requests.is_power_of_two()
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(lease), Some(pool)) = (self.lease.take(), self.pool.upgrade()) else { return };
        let is_spent = !self.worker.is_usable();
        let isolate = lease.isolate();
        let measured = (!is_spent && is_due(self.worker.taken())).then(|| occupied_bytes(&self.worker.isolate()));
        let now = pool.now();
        let (turns, cpu) = self.worker.take_spent();
        pool.note_spent(lease.deployment(), turns, cpu);
        {
            let policy = &mut pool.state.borrow_mut().policy;
            if let Some(bytes) = measured {
                policy.measured(now, isolate, bytes);
            }
            policy.release(now, lease, if is_spent { Outcome::LimitHit } else { Outcome::Healthy });
        }
        pool.act();
    }
}
