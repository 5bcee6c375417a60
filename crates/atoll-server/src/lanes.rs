//! Threads for deployments that compute for long.
//!
//! An executor thread runs one turn at a time, so a guest that computes for a second makes all others of the thread wait for
//! a second. What deployments spend is reported to `atoll_pool::Lanes`, which decides who goes into a lane: a thread
//! like an executor's, with a pool of its own and without a listener. Requests are forwarded to it, and their responses back;
//! bodies stream across. Lanes have a lower priority than executors where they share a processor.

use crate::executor::LAST_WORDS;
use crate::route::Routes;
use atoll_pool::{DeploymentId, LaneConfig, LaneId, Lanes, Move, Placement, Spent};
use atoll_runtime::{
    Answer, Answering, ColdStarter, Deployment, Metrics, Pool, PoolConfig, PoolError, PressureWatch, SpentReporter,
};
use atoll_web::IncomingRequest;
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

/// Requests on their way to a lane; more are refused, as those are that wait for a worker.
const MAX_FORWARDED: usize = 1024;

/// How much nicer than executors lanes are, as `nice(2)` counts.
const NICENESS: i32 = 10;

struct Forwarded {
    deployment: Deployment,
    request: IncomingRequest,
    reply: oneshot::Sender<Answer>,
}

/// What lanes have in common with the rest of the server.
#[derive(Debug, Clone)]
pub(crate) struct LaneParts {
    pub(crate) pool: PoolConfig,
    pub(crate) starter: Arc<ColdStarter>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pressure: PressureWatch,
    pub(crate) drain: Duration,
}

/// The lanes of a server, and who is in them.
pub(crate) struct LaneThreads {
    lanes: Mutex<Lanes>,
    placed: Mutex<HashMap<DeploymentId, LaneId>>,
    /// How many are in `placed`: most of the time none, and then nobody looks.
    count: AtomicUsize,
    senders: Vec<mpsc::Sender<Forwarded>>,
    origin: Instant,
    metrics: Arc<Metrics>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LaneThreads {
    /// Starts the threads. They end when the server stops and what they have under way is over, or has had its time.
    pub(crate) fn start(config: LaneConfig, parts: &LaneParts) -> io::Result<Arc<Self>> {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..config.lanes).map(|_| mpsc::channel::<Forwarded>(MAX_FORWARDED)).unzip();
        let lanes = Arc::new(Self {
            lanes: Mutex::new(Lanes::new(config)),
            placed: Mutex::default(),
            count: AtomicUsize::new(0),
            senders,
            origin: Instant::now(),
            metrics: Arc::clone(&parts.metrics),
        });
        for (number, receiver) in receivers.into_iter().enumerate() {
            let parts = parts.clone();
            let reporter = Arc::clone(&lanes) as Arc<dyn SpentReporter>;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("atoll-lane-{number}"));
            thread.stack_size(atoll_runtime::STACK_BYTES).spawn(move || {
                // Without it the lane competes as an equal.
                let _ = atoll_sys::priority::lower_current_thread(NICENESS);
                LocalSet::new().block_on(&runtime, serve(receiver, reporter, parts));
            })?;
        }
        Ok(lanes)
    }

    /// The lane in which a deployment is, if it is in one.
    fn lane_of(&self, deployment: DeploymentId) -> Option<&mpsc::Sender<Forwarded>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.review();
        let lane = *lock(&self.placed).get(&deployment)?;
        self.senders.get(lane.0 as usize)
    }

    /// Answers a request: by `pool`, the executor's own, or in a lane.
    pub(crate) fn fetch(&self, pool: &Rc<Pool>, deployment: &Deployment, request: IncomingRequest) -> Answering {
        let Some(lane) = self.lane_of(deployment.id) else { return pool.fetch(deployment, request) };
        let (reply, response) = oneshot::channel();
        let forwarded = Forwarded { deployment: deployment.clone(), request, reply };
        if lane.try_send(forwarded).is_err() {
            return Either::Left(ready(Err(PoolError::overloaded())));
        }
        let response = response.map(|answer| answer.unwrap_or_else(|_| Err(PoolError::stopping())));
        Either::Right(response.boxed_local())
    }

    /// Brings back who has calmed down. Called when a request might go to a lane: until then nothing depends on it.
    fn review(&self) {
        let moves = {
            let mut lanes = lock(&self.lanes);
            let now = self.origin.elapsed();
            if lanes.next_deadline().is_none_or(|due| due > now) {
                return;
            }
            lanes.review(now)
        };
        for change in moves {
            self.place(change);
        }
    }

    fn place(&self, change: Move) {
        let mut placed = lock(&self.placed);
        match change.to {
            Placement::Lane(lane) => placed.insert(change.deployment, lane),
            Placement::Spread => placed.remove(&change.deployment),
        };
        self.count.store(placed.len(), Ordering::Release);
        self.metrics.in_lanes.set(placed.len() as u64);
    }
}

impl SpentReporter for LaneThreads {
    fn spent(&self, deployment: DeploymentId, spent: Spent) {
        let change = lock(&self.lanes).report(self.origin.elapsed(), deployment, spent);
        if let Some(change) = change {
            self.place(change);
        }
    }
}

async fn serve(mut forwarded: mpsc::Receiver<Forwarded>, reporter: Arc<dyn SpentReporter>, parts: LaneParts) {
    let LaneParts { pool, starter, mut stopping, mut routes, metrics, pressure, drain } = parts;
    let pool = Pool::new(starter, pool, Some(reporter));
    pool.observe(&metrics);
    pool.heed(pressure);
    loop {
        let next = tokio::select! {
            next = forwarded.recv() => next,
            Ok(()) = routes.changed() => {
                let current = Arc::clone(&routes.borrow_and_update());
                pool.update(current.deployments());
                continue;
            }
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let Some(Forwarded { deployment, request, mut reply }) = next else { break };
        let pool = Rc::clone(&pool);
        tokio::task::spawn_local(async move {
            let answered = tokio::select! {
                answered = pool.fetch(&deployment, request) => Some(answered),
                // The client left; the guest learns it as the future is dropped.
                () = reply.closed() => None,
            };
            if let Some(answered) = answered {
                // Whoever waited left at this moment.
                let _ = reply.send(answered);
            }
        });
    }
    pool.give_notice(drain);
    let _ = tokio::time::timeout(drain.saturating_add(LAST_WORDS), pool.drain()).await;
}
