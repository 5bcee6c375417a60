//! The workers of one thread.
//!
//! A pool belongs to one executor thread, and so do its workers: a warm request crosses no thread. It keeps one worker
//! for each deployment; requests to it are multiplexed while they wait. A worker that is missing, or that hit a limit,
//! is started on a cold-start thread, so that the others' requests go on meanwhile; requests that arrive in between
//! share that one start, in a queue of bounded length. The least recently used idle worker goes when there are too many.

use crate::app::App;
use crate::cold::ColdStarter;
use crate::worker::{PinnedWorker, RequestError, StartError};
use atoll_web::{IncomingRequest, ResponseBody};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;

/// Names a deployment for the pools; its release may change, its id does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeploymentId(pub u64);

/// What a deployment is made of at present. A new release is a new `Arc` under the same id.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Whose workers to reuse.
    pub id: DeploymentId,
    /// What to start.
    pub app: Arc<App>,
}

/// Workers that one thread keeps at most: at 2 MB each, a quarter of a gigabyte.
const MAX_WORKERS: usize = 128;

/// Requests that may wait for one cold start on one thread: more are refused, so that a slow start can't fill memory.
const MAX_WAITING: usize = 1024;

/// Why the pool gave no response.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PoolError {
    /// The worker gave none.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The worker could not be started.
    #[error("the app can't be started: {0}")]
    Start(Arc<StartError>),
    /// Too many requests wait already.
    #[error("too many requests wait for the app to start")]
    Busy,
}

enum Slot {
    Ready { worker: Rc<PinnedWorker>, app: Arc<App>, last_used: u64 },
    Starting { done: watch::Receiver<Option<Result<(), Arc<StartError>>>>, waiting: usize },
}

/// See the module's documentation.
pub struct Pool {
    slots: RefCell<HashMap<DeploymentId, Slot>>,
    starter: Arc<ColdStarter>,
    clock: RefCell<u64>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("slots", &self.slots.borrow().len()).finish_non_exhaustive()
    }
}

impl Pool {
    /// The pool of the current thread, which must run a `LocalSet`.
    pub fn new(starter: Arc<ColdStarter>) -> Rc<Self> {
        Rc::new(Self { slots: RefCell::default(), starter, clock: RefCell::new(0) })
    }

    /// Has a worker of `deployment` answer a request.
    pub async fn fetch(
        self: &Rc<Self>,
        deployment: &Deployment,
        request: IncomingRequest,
    ) -> Result<http::Response<ResponseBody>, PoolError> {
        let worker = match self.warm(deployment) {
            Some(worker) => worker,
            None => self.cold(deployment).await?,
        };
        Ok(worker.fetch(request).await?)
    }

    /// Requests under way on this thread, background work included.
    pub fn active(&self) -> usize {
        let slots = self.slots.borrow();
        slots.values().map(|slot| if let Slot::Ready { worker, .. } = slot { worker.active() } else { 0 }).sum()
    }

    /// Takes in a worker that was started elsewhere.
    pub fn adopt(&self, id: DeploymentId, worker: crate::worker::Worker) {
        let app = Arc::clone(worker.app());
        let slot = Slot::Ready { worker: worker.pin(), app, last_used: self.tick() };
        if let Some(Slot::Ready { worker, .. }) = self.slots.borrow_mut().insert(id, slot) {
            worker.retire();
        }
        self.evict();
    }

    /// Retires all workers and waits for what they have under way.
    pub async fn drain(&self) {
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        for slot in slots.into_values() {
            if let Slot::Ready { worker, .. } = slot {
                worker.retire();
                worker.ended().await;
            }
        }
    }

    fn tick(&self) -> u64 {
        let mut clock = self.clock.borrow_mut();
        *clock += 1;
        *clock
    }

    /// The worker at hand, if it is of the present release and still usable.
    fn warm(&self, deployment: &Deployment) -> Option<Rc<PinnedWorker>> {
        let now = self.tick();
        let mut slots = self.slots.borrow_mut();
        let Some(Slot::Ready { worker, app, last_used }) = slots.get_mut(&deployment.id) else { return None };
        if Arc::ptr_eq(app, &deployment.app) && worker.is_usable() {
            *last_used = now;
            return Some(Rc::clone(worker));
        }
        worker.retire();
        slots.remove(&deployment.id);
        None
    }

    /// Starts a worker, or waits for the one that is being started.
    async fn cold(self: &Rc<Self>, deployment: &Deployment) -> Result<Rc<PinnedWorker>, PoolError> {
        let mut done = {
            let mut slots = self.slots.borrow_mut();
            if let Some(Slot::Starting { done, waiting }) = slots.get_mut(&deployment.id) {
                if *waiting >= MAX_WAITING {
                    return Err(PoolError::Busy);
                }
                *waiting += 1;
                done.clone()
            } else {
                let (announce, done) = watch::channel(None);
                slots.insert(deployment.id, Slot::Starting { done: done.clone(), waiting: 1 });
                // A task of its own: the start goes on when the client that caused it leaves.
                tokio::task::spawn_local(Rc::clone(self).start(deployment.clone(), announce));
                done
            }
        };
        let outcome = match done.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        match outcome {
            Some(Ok(())) => self.warm(deployment).ok_or(PoolError::Busy),
            Some(Err(error)) => Err(PoolError::Start(error)),
            None => Err(PoolError::Busy),
        }
    }

    async fn start(
        self: Rc<Self>,
        deployment: Deployment,
        announce: watch::Sender<Option<Result<(), Arc<StartError>>>>,
    ) {
        let started = self.starter.start(Arc::clone(&deployment.app)).await;
        let outcome = match started {
            Ok(worker) => {
                self.adopt(deployment.id, worker);
                Ok(())
            }
            Err(error) => {
                self.slots.borrow_mut().remove(&deployment.id);
                Err(Arc::new(error))
            }
        };
        announce.send_replace(Some(outcome));
    }

    /// Retires the least recently used idle workers above the bound.
    fn evict(&self) {
        let mut slots = self.slots.borrow_mut();
        while slots.len() > MAX_WORKERS {
            let idle = slots.iter().filter_map(|(id, slot)| match slot {
                Slot::Ready { worker, last_used, .. } if worker.active() == 0 => Some((*last_used, *id)),
                _ => None,
            });
            let Some((_, oldest)) = idle.min_by_key(|(last_used, _)| *last_used) else { return };
            if let Some(Slot::Ready { worker, .. }) = slots.remove(&oldest) {
                worker.retire();
            }
        }
    }
}
