//! What the pool holds, for whoever asks.

use super::Pool;
use crate::metrics::Metrics;
use atoll_pool::{Holding, Stats};
use std::rc::Rc;

/// What a pool holds at one moment.
#[derive(Debug, Clone, Default)]
pub struct PoolReport {
    /// In all.
    pub stats: Stats,
    /// By deployment.
    pub holdings: Vec<(String, Holding)>,
}

impl Pool {
    /// Has the pool answer what it holds, for as long as there is a pool.
    pub fn observe(self: &Rc<Self>, metrics: &Metrics) {
        let pool = Rc::downgrade(self);
        let mut questions = metrics.join();
        tokio::task::spawn_local(async move {
            while let Some(question) = questions.recv().await {
                let Some(pool) = pool.upgrade() else { return };
                // Whoever asked has lost patience.
                let _ = question.send(pool.report());
            }
        });
    }

    /// What the pool holds at present.
    pub fn report(&self) -> PoolReport {
        let state = self.state.borrow();
        let holdings = state.policy.holdings().into_iter().filter_map(|(id, holding)| {
            let known = state.deployments.get(&id)?;
            Some((known.app.name.clone(), holding))
        });
        PoolReport { stats: state.policy.stats(), holdings: holdings.collect() }
    }
}
