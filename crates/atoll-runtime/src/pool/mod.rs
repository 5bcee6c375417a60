//! The workers of one thread.
//!
//! A pool belongs to one executor thread, and so do its isolates: a warm request crosses no thread. Which worker serves
//! a request, what is started for it and what has to go is decided by the policy, the crate `atoll-pool`; this module
//! does what was decided, and tells the policy what became of it:
//!
//! * [`starts`]: isolates and first workers are made on cold-start threads and handed over; further contexts of an isolate
//!   are made where it is, on the pool's thread.
//! * [`lease`]: a request holds its worker until its exchange is over, background work included.
//! * [`clock`]: the policy's deadlines, each waited for by one timer.
//! * [`pressure`]: the kernel's word that memory is short.
//! * [`spent`]: what deployments use of the thread, for whoever gives them a thread of their own.
//!
//! The policy is never called while a worker's turn runs.

mod clock;
mod lease;
mod pressure;
mod spent;
mod starts;

use crate::app::App;
use crate::cold::ColdStarter;
use crate::worker::{PinnedWorker, RequestError, StartError, Worker};
use atoll_engine::Isolate;
use atoll_pool::{
    Acquired, Action, Config, EnvVersion, IsolateId, Lease, Refusal, ReleaseId, RequestId, Settings, TenantId, Version,
    WorkerId,
};
use atoll_web::{IncomingRequest, ResponseBody};
pub(crate) use lease::Held;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

pub use atoll_pool::{Config as PoolConfig, DeploymentId, Pressure, Spent, Stats as PoolStats};
pub use pressure::PressureWatch;
pub use spent::SpentReporter;

/// What a deployment is made of at present. A new release, or another environment, is a new `Arc` under the same id.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Whose workers to reuse.
    pub id: DeploymentId,
    /// What to start.
    pub app: Arc<App>,
}

/// Why the pool gave no response.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PoolError {
    /// The worker gave none.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The worker could not be started.
    #[error("the app can't be started: {0}")]
    Start(Arc<StartError>),
    /// No worker could take the request.
    #[error("{0}")]
    Refused(Refusal),
}

impl PoolError {
    /// Too many requests wait.
    pub fn overloaded() -> Self {
        Self::Refused(Refusal::QueueFull { retry_after: Duration::from_secs(1) })
    }

    /// The process is ending.
    pub fn stopping() -> Self {
        Self::Refused(Refusal::Draining)
    }

    /// When to try again, if that makes sense: whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after(),
            Self::Request(_) | Self::Start(_) => None,
        }
    }
}

/// A worker, and the right to one request of it.
type Granted = (Rc<PinnedWorker>, Lease);

/// A deployment as the policy knows it.
struct Known {
    app: Arc<App>,
    /// Why its last start failed.
    failure: Option<Arc<StartError>>,
}

/// An isolate that the policy ordered.
enum Vessel {
    /// Nobody's yet: with a context that nothing ran in.
    Spare(Box<atoll_engine::Realm>),
    /// Somebody's.
    Used(Isolate),
}

/// What the policy's names stand for.
struct State {
    policy: atoll_pool::Pool,
    deployments: HashMap<DeploymentId, Known>,
    tenants: HashMap<String, TenantId>,
    releases: u64,
    workers: HashMap<WorkerId, Rc<PinnedWorker>>,
    isolates: HashMap<IsolateId, Vessel>,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Granted, Refusal>>>,
    /// Workers that were started before the pool had a request for them.
    prepared: HashMap<DeploymentId, Worker>,
    /// Workers that have left the policy, and may have something under way still.
    leaving: Vec<Rc<PinnedWorker>>,
}

/// See the module's documentation.
pub struct Pool {
    state: RefCell<State>,
    starter: Arc<ColdStarter>,
    origin: Instant,
    /// The policy's next deadline may be another one.
    changed: Notify,
    /// The deadline that the clock sleeps until.
    armed: Cell<Option<Duration>>,
    reporter: Option<Arc<dyn SpentReporter>>,
    unreported: RefCell<HashMap<DeploymentId, Spent>>,
    last_used: Cell<Option<DeploymentId>>,
    last_used_at: Cell<Duration>,
    /// When the request before was another deployment's.
    switched_at: Cell<Duration>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Pool {
    /// The pool of the current thread, which must run a `LocalSet`.
    pub fn new(starter: Arc<ColdStarter>, config: Config, reporter: Option<Arc<dyn SpentReporter>>) -> Rc<Self> {
        let state = State {
            policy: atoll_pool::Pool::new(config),
            deployments: HashMap::new(),
            tenants: HashMap::new(),
            releases: 0,
            workers: HashMap::new(),
            isolates: HashMap::new(),
            waiting: HashMap::new(),
            prepared: HashMap::new(),
            leaving: Vec::new(),
        };
        let pool = Rc::new(Self {
            state: RefCell::new(state),
            starter,
            origin: Instant::now(),
            changed: Notify::new(),
            armed: Cell::new(None),
            reporter,
            unreported: RefCell::default(),
            last_used: Cell::new(None),
            last_used_at: Cell::new(Duration::ZERO),
            switched_at: Cell::new(Duration::ZERO),
        });
        tokio::task::spawn_local(clock::run(Rc::downgrade(&pool)));
        pool
    }

    /// Has a worker of `deployment` answer a request.
    pub async fn fetch(
        self: &Rc<Self>,
        deployment: &Deployment,
        request: IncomingRequest,
    ) -> Result<http::Response<ResponseBody>, PoolError> {
        loop {
            let (worker, lease) = self.checkout(deployment).await?;
            let held = Held::new(self, &worker, lease);
            if worker.termination().is_none() {
                return Ok(worker.fetch_for(request, Some(held)).await?);
            }
            // It hit a limit while nobody waited for it. The policy learns so as the lease is released, and has another.
        }
    }

    /// A worker of the deployment's present version, at once if one is there.
    async fn checkout(self: &Rc<Self>, deployment: &Deployment) -> Result<Granted, PoolError> {
        let waiting = {
            let now = self.now();
            self.note_use(deployment.id, now);
            let state = &mut *self.state.borrow_mut();
            state.deploy(now, deployment);
            match state.policy.acquire(now, deployment.id) {
                Acquired::Granted(lease) => Ok(state.granted(lease)),
                Acquired::Refused(refusal) => return Err(state.refused(deployment.id, refusal)),
                Acquired::Queued(request) => {
                    let (sender, receiver) = oneshot::channel();
                    state.waiting.insert(request, sender);
                    Err((request, receiver))
                }
            }
        };
        self.act();
        let (request, receiver) = match waiting {
            Ok(granted) => return Ok(granted),
            Err(waiting) => waiting,
        };
        let mut place = PlaceInLine { pool: self, request: Some(request) };
        let answer = receiver.await;
        place.request = None;
        match answer {
            Ok(Ok(granted)) => Ok(granted),
            Ok(Err(refusal)) => Err(self.state.borrow().refused(deployment.id, refusal)),
            Err(_) => Err(PoolError::stopping()),
        }
    }

    /// Takes in a worker that was started elsewhere: the first start that the policy wants for the deployment is this.
    pub fn adopt(&self, id: DeploymentId, worker: Worker) {
        self.state.borrow_mut().prepared.insert(id, worker);
    }

    /// Requests under way on this thread, background work included.
    pub fn active(&self) -> usize {
        let state = self.state.borrow();
        state.workers.values().chain(&state.leaving).map(|worker| worker.active()).sum()
    }

    /// What the pool holds.
    pub fn stats(&self) -> PoolStats {
        self.state.borrow().policy.stats()
    }

    /// Tells how short memory is.
    pub fn pressure(self: &Rc<Self>, level: Pressure) {
        let now = self.now();
        self.state.borrow_mut().policy.pressure(now, level);
        self.act();
    }

    /// Takes no more requests, and waits for what is under way.
    pub async fn drain(self: &Rc<Self>) {
        let now = self.now();
        self.state.borrow_mut().policy.drain(now);
        self.act();
        loop {
            let worker = {
                let mut state = self.state.borrow_mut();
                state.prepared.clear();
                let next = state.workers.values().next().cloned();
                next.or_else(|| state.leaving.pop())
            };
            let Some(worker) = worker else { return };
            worker.retire();
            worker.ended().await;
            self.state.borrow_mut().workers.retain(|_, other| !Rc::ptr_eq(other, &worker));
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Does what the policy has decided.
    fn act(self: &Rc<Self>) {
        loop {
            let action = self.state.borrow_mut().policy.next_action();
            let Some(action) = action else { break };
            match action {
                Action::MakeIsolate { isolate } => self.make_spare(isolate),
                Action::Start(start) => self.start(start),
                Action::Grant { request, lease } => self.grant(request, lease),
                Action::Refuse { request, refusal } => {
                    let waiting = self.state.borrow_mut().waiting.remove(&request);
                    if let Some(waiting) = waiting {
                        // Whoever waited may have left at this moment.
                        let _ = waiting.send(Err(refusal));
                    }
                }
                Action::Shrink { isolate } => self.shrink(isolate),
                Action::EndWorker { worker } => {
                    let mut state = self.state.borrow_mut();
                    if let Some(worker) = state.workers.remove(&worker) {
                        worker.retire();
                        state.leaving.retain(|other| !other.is_over());
                        state.leaving.push(worker);
                    }
                }
                Action::EndIsolate { isolate, .. } => {
                    let vessel = self.state.borrow_mut().isolates.remove(&isolate);
                    drop(vessel);
                }
            }
        }
        let next = self.state.borrow().policy.next_deadline();
        if next.is_some_and(|next| self.armed.get().is_none_or(|armed| next < armed)) {
            self.changed.notify_one();
        }
    }

    fn grant(self: &Rc<Self>, request: RequestId, lease: Lease) {
        let (waiting, granted) = {
            let mut state = self.state.borrow_mut();
            (state.waiting.remove(&request), state.granted(lease))
        };
        let unwanted = match waiting {
            Some(waiting) => waiting.send(Ok(granted)).err(),
            None => Some(Ok(granted)),
        };
        if let Some(Ok((worker, lease))) = unwanted {
            // Whoever waited left at this moment.
            drop(Held::new(self, &worker, lease));
        }
    }

    fn shrink(&self, id: IsolateId) {
        let isolate = match self.state.borrow().isolates.get(&id) {
            Some(Vessel::Used(isolate)) => isolate.clone(),
            _ => return,
        };
        isolate.shrink();
        let bytes = occupied_bytes(&isolate);
        let now = self.now();
        self.state.borrow_mut().policy.measured(now, id, bytes);
    }
}

impl State {
    /// Tells the policy of a deployment that it doesn't know, or that is not what it was.
    fn deploy(&mut self, now: Duration, deployment: &Deployment) {
        match self.deployments.get_mut(&deployment.id) {
            Some(known) if Arc::ptr_eq(&known.app, &deployment.app) => return,
            Some(known) => *known = Known { app: Arc::clone(&deployment.app), failure: None },
            None => {
                let known = Known { app: Arc::clone(&deployment.app), failure: None };
                self.deployments.insert(deployment.id, known);
            }
        }
        let app = &deployment.app;
        let next = TenantId(self.tenants.len() as u64);
        let tenant = *self.tenants.entry(app.tenant.clone()).or_insert(next);
        self.releases += 1;
        // Whatever changed made a new `Arc`, so one number names release and environment.
        let version = Version { release: ReleaseId(self.releases), env: EnvVersion(0) };
        let settings = Settings {
            concurrency_max: at_least_one(app.limits.concurrent_requests),
            reuses_max: at_least_one(app.limits.max_reuses),
            ..Settings::new(tenant, version, app.isolation)
        };
        self.policy.deploy(now, deployment.id, settings);
    }

    fn granted(&self, lease: Lease) -> Granted {
        let worker = self.workers.get(&lease.worker()).expect("a lease is of a worker that was reported as started");
        (Rc::clone(worker), lease)
    }

    fn refused(&self, id: DeploymentId, refusal: Refusal) -> PoolError {
        let failure = self.deployments.get(&id).and_then(|known| known.failure.clone());
        match (refusal, failure) {
            (Refusal::StartFailed | Refusal::BackingOff { .. }, Some(failure)) => PoolError::Start(failure),
            (refusal, _) => PoolError::Refused(refusal),
        }
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// What an isolate holds that V8's statistics of its heap don't show, bytes: read-only heap and tables, the context's
/// share of code, our own records. Measured as the difference to the process's memory with a thousand of them.
const ISOLATE_OVERHEAD_BYTES: u64 = 512 << 10;

/// What an isolate occupies, bytes.
fn occupied_bytes(isolate: &Isolate) -> u64 {
    let memory = isolate.memory();
    (memory.heap_total + memory.external) as u64 + ISOLATE_OVERHEAD_BYTES
}

/// A request's place in a queue; given up if the client leaves.
struct PlaceInLine<'a> {
    pool: &'a Rc<Pool>,
    request: Option<RequestId>,
}

impl Drop for PlaceInLine<'_> {
    fn drop(&mut self) {
        let Some(request) = self.request else { return };
        let now = self.pool.now();
        {
            let mut state = self.pool.state.borrow_mut();
            state.waiting.remove(&request);
            state.policy.cancel(now, request);
        }
        self.pool.act();
    }
}
