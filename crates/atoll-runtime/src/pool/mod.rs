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
//! * [`observe`]: what the pool holds, told to whoever asks.
//! * [`pressure`]: the kernel's word that memory is short.
//! * [`spent`]: what deployments use of the thread, for whoever gives them a thread of their own.
//!
//! The policy is never called while a worker's turn runs.

mod clock;
mod lease;
mod observe;
mod pressure;
mod spent;
mod starts;

use crate::app::App;
use crate::cold::ColdStarter;
use crate::metrics::AppMetrics;
use crate::worker::{Begun, Blank, PinnedWorker, RequestError, StartError, Worker};
use atoll_engine::Isolate;
use atoll_pool::{
    Acquired, Action, Config, EnvVersion, IdMap, IsolateId, Lease, Refusal, ReleaseId, RequestId, Settings, TenantId,
    Version, WorkerId,
};
use atoll_web::{IncomingRequest, ResponseBody};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};
use futures_util::{FutureExt, TryFutureExt};
pub(crate) use lease::Held;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

pub use atoll_pool::{Config as PoolConfig, DeploymentId, Pressure, Spent, Stats as PoolStats};
pub use observe::PoolReport;
pub use pressure::{PressureTeller, PressureWatch};
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

/// What the pool gives for a request.
pub type Answer = Result<http::Response<ResponseBody>, PoolError>;

/// An answer at once, or a wait for it. Dropping it tells the guest that the client left.
pub type Answering = Either<Ready<Answer>, LocalBoxFuture<'static, Answer>>;

/// A worker, and the right to one request of it.
type Granted = (Rc<PinnedWorker>, Lease);

/// What the policy says to a request.
enum Checkout {
    Granted(Granted),
    Queued(PlaceInLine),
    Refused(PoolError),
}

/// A deployment as the policy knows it.
struct Known {
    app: Arc<App>,
    /// Why its last start failed.
    failure: Option<Arc<StartError>>,
}

/// An isolate that the policy ordered.
enum Vessel {
    /// Nobody's yet: with a context that nothing ran in.
    Spare(Box<Blank>),
    /// Somebody's.
    Used(Isolate, Arc<AppMetrics>),
}

/// What the policy's names stand for.
struct State {
    policy: atoll_pool::Pool,
    deployments: IdMap<DeploymentId, Known>,
    tenants: HashMap<String, TenantId>,
    releases: u64,
    workers: IdMap<WorkerId, Rc<PinnedWorker>>,
    isolates: IdMap<IsolateId, Vessel>,
    waiting: IdMap<RequestId, oneshot::Sender<Result<Granted, Refusal>>>,
    /// Workers that were started before the pool had a request for them.
    prepared: IdMap<DeploymentId, Worker>,
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
    unreported: RefCell<IdMap<DeploymentId, Spent>>,
    last_used: Cell<Option<DeploymentId>>,
    last_used_at: Cell<Duration>,
    /// When the request before was another deployment's.
    switched_at: Cell<Duration>,
    /// When all must be over, once the process is ending.
    ends_at: Cell<Option<Instant>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Pool {
    /// The pool of the current thread, which must run a `LocalRuntime` or a `LocalSet`.
    pub fn new(starter: Arc<ColdStarter>, config: Config, reporter: Option<Arc<dyn SpentReporter>>) -> Rc<Self> {
        let state = State {
            policy: atoll_pool::Pool::new(config),
            deployments: IdMap::default(),
            tenants: HashMap::new(),
            releases: 0,
            workers: IdMap::default(),
            isolates: IdMap::default(),
            waiting: IdMap::default(),
            prepared: IdMap::default(),
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
            ends_at: Cell::new(None),
        });
        tokio::task::spawn_local(clock::run(Rc::downgrade(&pool)));
        pool
    }

    /// Has a worker of `deployment` answer a request. If one is free, the guest gets the request before this returns, and most
    /// handlers answer there and then.
    pub fn fetch(self: &Rc<Self>, deployment: &Deployment, request: IncomingRequest) -> Answering {
        loop {
            match self.checkout(deployment) {
                Checkout::Granted(granted) => {
                    if let Some(held) = self.hold(granted) {
                        return begin(held, request);
                    }
                }
                Checkout::Refused(error) => return Either::Left(ready(Err(error))),
                Checkout::Queued(place) => {
                    let waiting = Rc::clone(self).fetch_in_turn(deployment.clone(), place, request);
                    return Either::Right(waiting.boxed_local());
                }
            }
        }
    }

    /// As [`Pool::fetch`], for a request that has a place in the queue.
    async fn fetch_in_turn(
        self: Rc<Self>,
        deployment: Deployment,
        place: PlaceInLine,
        request: IncomingRequest,
    ) -> Answer {
        let granted = place.granted(&deployment).await?;
        match self.hold(granted) {
            Some(held) => begin(held, request).await,
            None => self.fetch(&deployment, request).await,
        }
    }

    /// What a request holds of its worker; nothing if the worker hit a limit while nobody waited for it. Then the policy learns
    /// so, and has another.
    fn hold(self: &Rc<Self>, (worker, lease): Granted) -> Option<Held> {
        let held = Held::new(self, &worker, lease);
        worker.termination().is_none().then_some(held)
    }

    /// A worker of the deployment's present version, at once if one is there.
    fn checkout(self: &Rc<Self>, deployment: &Deployment) -> Checkout {
        let now = self.now();
        self.note_use(deployment.id, now);
        let checkout = {
            let state = &mut *self.state.borrow_mut();
            state.deploy(now, deployment);
            match state.policy.acquire(now, deployment.id) {
                Acquired::Granted(lease) => Checkout::Granted(state.granted(lease)),
                Acquired::Refused(refusal) => return Checkout::Refused(state.refused(deployment.id, refusal)),
                Acquired::Queued(request) => {
                    let (sender, answer) = oneshot::channel();
                    state.waiting.insert(request, sender);
                    Checkout::Queued(PlaceInLine { pool: Rc::clone(self), request: Some(request), answer })
                }
            }
        };
        self.act();
        checkout
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

    /// Takes in what these deployments are made of now. What the workers of an old release have under way is given the time
    /// that their app's limits say, then they are ended.
    pub fn update<'a>(self: &Rc<Self>, deployments: impl IntoIterator<Item = &'a Deployment>) {
        let now = self.now();
        {
            let mut state = self.state.borrow_mut();
            for deployment in deployments {
                if state.deployments.contains_key(&deployment.id) {
                    state.deploy(now, deployment);
                }
            }
        }
        self.act();
    }

    /// Says that the process ends: what is under way is given so much time, then it is ended, and whoever waits is refused.
    /// To be called once.
    pub fn give_notice(self: &Rc<Self>, time: Duration) {
        let ends_at = Instant::now() + time;
        self.ends_at.set(Some(ends_at));
        let state = self.state.borrow();
        for worker in state.workers.values().chain(&state.leaving) {
            worker.give_notice(time);
        }
        let pool = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep_until(ends_at.into()).await;
            if let Some(pool) = pool.upgrade() {
                // Each gives up its place as it hears of that.
                let waiting = std::mem::take(&mut pool.state.borrow_mut().waiting);
                drop(waiting);
            }
        });
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
                Action::EndIsolate { isolate, reason } => {
                    let vessel = self.state.borrow_mut().isolates.remove(&isolate);
                    if let Some(Vessel::Used(_, metrics)) = &vessel {
                        metrics.isolate_ended(reason);
                    }
                    drop(vessel);
                    self.starter.freed();
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
            Some(Vessel::Used(isolate, _)) => isolate.clone(),
            _ => return,
        };
        isolate.shrink();
        self.starter.freed();
        let bytes = occupied_bytes(&isolate);
        let now = self.now();
        self.state.borrow_mut().policy.measured(now, id, bytes);
    }
}

impl State {
    /// Tells the policy of a deployment that it doesn't know, or that is not what it was.
    fn deploy(&mut self, now: Duration, deployment: &Deployment) {
        if self.deployments.get(&deployment.id).is_some_and(|known| Arc::ptr_eq(&known.app, &deployment.app)) {
            return;
        }
        let known = Known { app: Arc::clone(&deployment.app), failure: None };
        if let Some(replaced) = self.deployments.insert(deployment.id, known) {
            for worker in self.workers.values().chain(&self.leaving) {
                if Arc::ptr_eq(&worker.app(), &replaced.app) {
                    worker.give_notice(replaced.app.limits.retirement);
                }
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
/// share of code, our own records. Measured as the difference to the process's memory with a thousand of them at rest
/// (1.91 MB each, of which the statistics show 1.75); before they rest, it is less.
const ISOLATE_OVERHEAD_BYTES: u64 = 160 << 10;

/// What an isolate occupies, bytes.
fn occupied_bytes(isolate: &Isolate) -> u64 {
    let memory = isolate.memory();
    (memory.heap_total + memory.external) as u64 + ISOLATE_OVERHEAD_BYTES
}

/// Gives the guest a request.
fn begin(held: Held, request: IncomingRequest) -> Answering {
    let worker = Rc::clone(held.worker());
    match worker.begin(request, Some(held)) {
        Ok(Begun::Answered(response)) => Either::Left(ready(Ok(response))),
        Ok(Begun::Waiting(waiting)) => Either::Right(waiting.answer().err_into().boxed_local()),
        Err(error) => Either::Left(ready(Err(error.into()))),
    }
}

/// A request's place in a queue; given up if the client leaves.
struct PlaceInLine {
    pool: Rc<Pool>,
    request: Option<RequestId>,
    answer: oneshot::Receiver<Result<Granted, Refusal>>,
}

impl PlaceInLine {
    /// Waits for a worker.
    async fn granted(mut self, deployment: &Deployment) -> Result<Granted, PoolError> {
        let answer = (&mut self.answer).await;
        self.request = None;
        match answer {
            Ok(Ok(granted)) => Ok(granted),
            Ok(Err(refusal)) => Err(self.pool.state.borrow().refused(deployment.id, refusal)),
            Err(_) => Err(PoolError::stopping()),
        }
    }
}

impl Drop for PlaceInLine {
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
