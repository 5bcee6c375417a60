//! Making isolates and workers.

use super::{Pool, Vessel, occupied_bytes};
use crate::worker::{StartError, Worker};
use atoll_pool::{IsolateId, Place, Start, Urgency};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Pool {
    /// Has a spare isolate made on a cold-start thread.
    pub(super) fn make_spare(self: &Rc<Self>, isolate: IsolateId) {
        let pool = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let made = pool.starter.make_spare().await;
            let now = pool.now();
            {
                let state = &mut *pool.state.borrow_mut();
                match made {
                    Ok(blank) => {
                        let bytes = occupied_bytes(blank.isolate());
                        state.isolates.insert(isolate, Vessel::Spare(Box::new(blank)));
                        state.policy.isolate_made(now, isolate, bytes);
                    }
                    Err(_) => state.policy.isolate_failed(now, isolate),
                }
            }
            pool.act();
        });
    }

    /// Starts a worker, in a task of its own: the start goes on when the client that caused it leaves.
    pub(super) fn start(self: &Rc<Self>, start: Start) {
        let prepared = {
            let mut state = self.state.borrow_mut();
            let app = state.deployments.get(&start.deployment).map(|known| Arc::clone(&known.app));
            let prepared = state.prepared.remove(&start.deployment);
            prepared.filter(|worker| app.is_some_and(|app| Arc::ptr_eq(&app, worker.app())))
        };
        if let Some(worker) = prepared {
            // It took its time elsewhere.
            self.finish(start, Ok(worker), Duration::ZERO);
            return;
        }
        let pool = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let begun = pool.now();
            let started = pool.run_start(start).await;
            let time = pool.now().saturating_sub(begun);
            pool.finish(start, started, time);
            pool.act();
        });
    }

    async fn run_start(&self, start: Start) -> Result<Worker, StartError> {
        let (app, vessel) = {
            let mut state = self.state.borrow_mut();
            let known = state.deployments.get(&start.deployment).expect("starts are ordered for known deployments");
            (Arc::clone(&known.app), state.isolates.remove(&start.isolate))
        };
        match (start.place, vessel) {
            (Place::Warm, Some(Vessel::Used(isolate, metrics))) => {
                self.state.borrow_mut().isolates.insert(start.isolate, Vessel::Used(isolate.clone(), metrics));
                if start.urgency == Urgency::Ahead {
                    // What the thread has to do comes first: the response, for one, after which this is made.
                    tokio::task::yield_now().await;
                }
                Worker::start_in(app, &isolate).await
            }
            (Place::Spare, Some(Vessel::Spare(blank))) => {
                blank.isolate().release();
                self.starter.start(app, Some(*blank)).await
            }
            (Place::New | Place::Spare | Place::Warm, _) => self.starter.start(app, None).await,
        }
    }

    /// Tells the policy what became of a start.
    fn finish(self: &Rc<Self>, start: Start, started: Result<Worker, StartError>, time: Duration) {
        let now = self.now();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(known) = state.deployments.get(&start.deployment) {
            known.app.metrics.started(start.place, started.is_ok(), time);
        }
        match started {
            Ok(worker) => {
                let isolate = worker.isolate().clone();
                let bytes = occupied_bytes(&isolate);
                state.isolates.insert(start.isolate, Vessel::Used(isolate, Arc::clone(&worker.app().metrics)));
                // It may have been started for a release that was replaced meanwhile, or while the process ends.
                let is_current =
                    state.deployments.get(&start.deployment).is_some_and(|known| Arc::ptr_eq(&known.app, worker.app()));
                let retirement = (!is_current).then_some(worker.app().limits.retirement);
                let worker = worker.pin(Arc::clone(&self.starter));
                let ends_in = self.ends_at.get().map(|ends_at| ends_at.saturating_duration_since(Instant::now()));
                if let Some(time) = retirement.into_iter().chain(ends_in).min() {
                    worker.give_notice(time);
                }
                state.workers.insert(start.worker, worker);
                state.policy.started(now, start.worker, bytes);
            }
            Err(error) => {
                if let Some(known) = state.deployments.get_mut(&start.deployment) {
                    known.failure = Some(Arc::new(error));
                }
                state.policy.start_failed(now, start.worker);
            }
        }
    }
}
