//! The server: its threads, and how it ends.

use crate::access::AccessLog;
use crate::executor::Executor;
use crate::lanes::{LaneParts, LaneThreads};
use crate::listen;
use crate::metrics::Endpoint;
use crate::route::Routes;
use atoll_pool::LaneConfig;
use atoll_runtime::{ColdStarter, DeploymentId, Metrics, PoolConfig, PressureWatch, Worker};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How to serve.
pub struct ServerOptions {
    /// Where to listen; port 0 for any free one.
    pub address: SocketAddr,
    /// Executor threads.
    pub threads: usize,
    /// Who hears of every request.
    pub access_log: Arc<dyn AccessLog>,
    /// How long requests under way may go on after [`Server::stop`].
    pub drain: Duration,
    /// Who tells that memory is short.
    pub pressure: PressureWatch,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the operator's monitoring can read it, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    /// The most header fields that any deployment's limit admits in a request.
    pub request_headers_max: usize,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServerOptions").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Someone listens there already.
    #[error("port {} on {} is in use", .0.port(), .0.ip())]
    AddressInUse(SocketAddr),
    /// It can't listen there.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system gave no thread.
    #[error("can't start a thread: {0}")]
    Thread(io::Error),
}

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) access_log: Arc<dyn AccessLog>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) drain: Duration,
    pub(crate) request_headers_max: usize,
    pub(crate) lanes: Arc<LaneThreads>,
    pub(crate) pool: PoolConfig,
    pub(crate) pressure: PressureWatch,
}

/// The part of the memory that the process may have which its isolates may take, in tenths: the rest is for code,
/// connections, and what isolates take for a moment beyond their limits.
const BUDGET_TENTHS: u64 = 6;

/// What each of `pools` may use of the memory that the process may have.
fn pool_config(pools: usize) -> PoolConfig {
    let all = atoll_sys::cgroup::memory_limit_bytes().map_or(u64::MAX, |bytes| bytes / 10 * BUDGET_TENTHS);
    PoolConfig { budget_bytes: PoolConfig::BUDGET_BYTES.min(all / pools.max(1) as u64), ..PoolConfig::default() }
}

/// A server that runs. Dropping it without [`Server::stop`] leaves its threads running.
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    routes: watch::Sender<Arc<Routes>>,
    stopping: watch::Sender<bool>,
    /// To the first thread: workers that were started elsewhere.
    warm: mpsc::Sender<(DeploymentId, Worker)>,
    threads: Vec<JoinHandle<()>>,
}

/// Workers on their way to the first thread. It takes each as soon as it waits for anything; more than there are
/// apps in a reload are never sent at once.
const MAX_WARM_QUEUED: usize = 64;

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, then starts the threads. `warm` are workers that were started already; the first thread takes them.
    pub fn start(
        options: ServerOptions,
        routes: Routes,
        warm: Vec<(DeploymentId, Worker)>,
    ) -> Result<Self, ServeError> {
        let count = options.threads.max(1);
        let failed = |address: SocketAddr| {
            move |error: io::Error| match error.kind() {
                io::ErrorKind::AddrInUse => ServeError::AddressInUse(address),
                _ => ServeError::Listen { address, error },
            }
        };
        let listeners = listen::listeners(options.address, count).map_err(failed(options.address))?;
        let mut metrics_address = None;
        if let Some(address) = options.metrics_address {
            let listener = listen::listener(address).map_err(failed(address))?;
            metrics_address = listener.local_addr().ok();
            Endpoint::start(listener, Arc::clone(&options.metrics)).map_err(ServeError::Thread)?;
        }
        let address = listeners.first().and_then(|listener| listener.local_addr().ok()).unwrap_or(options.address);
        let starter = ColdStarter::new(count).map_err(ServeError::Thread)?;
        let (routes, current_routes) = watch::channel(Arc::new(routes));
        let (stopping, is_stopping) = watch::channel(false);
        let lane_config = LaneConfig::default();
        let pool = pool_config(count + lane_config.lanes as usize);
        let parts = LaneParts {
            pool: pool.clone(),
            starter: Arc::clone(&starter),
            stopping: is_stopping.clone(),
            routes: current_routes.clone(),
            metrics: Arc::clone(&options.metrics),
            pressure: options.pressure.clone(),
            drain: options.drain,
        };
        let lanes = LaneThreads::start(lane_config, &parts);
        let shared = Arc::new(Shared {
            lanes: lanes.map_err(ServeError::Thread)?,
            pool,
            pressure: options.pressure,
            routes: current_routes,
            stopping: is_stopping,
            access_log: options.access_log,
            metrics: options.metrics,
            drain: options.drain,
            request_headers_max: options.request_headers_max,
        });
        let (handover, incoming) = mpsc::channel(MAX_WARM_QUEUED);
        let mut first = Some((warm, incoming));
        let mut threads = Vec::with_capacity(count);
        for (number, listener) in listeners.into_iter().enumerate() {
            let (warm, incoming) = first.take().unzip();
            let executor = Executor {
                listener,
                shared: Arc::clone(&shared),
                starter: Arc::clone(&starter),
                warm: warm.unwrap_or_default(),
                incoming,
            };
            let thread = std::thread::Builder::new().name(format!("atoll-exec-{number}"));
            let thread = thread.stack_size(atoll_runtime::STACK_BYTES);
            let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
            threads.push(thread.spawn(move || executor.run(&ready)).map_err(ServeError::Thread)?);
            is_ready.recv().unwrap_or(Ok(())).map_err(ServeError::Thread)?;
        }
        Ok(Self { address, metrics_address, routes, stopping, warm: handover, threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics can be read.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Replaces the routes, and hands workers of the new releases, if some were started already, to the first thread. What
    /// is under way is answered by the old release, if that takes no longer than its limit says.
    pub async fn deploy(&self, routes: Routes, warm: Vec<(DeploymentId, Worker)>) {
        self.routes.send_replace(Arc::new(routes));
        for worker in warm {
            // Only a thread that panicked takes none; its connections are gone, too.
            let _ = self.warm.send(worker).await;
        }
    }

    /// Stops accepting, lets requests under way go on for as long as the options say, and returns when all is over.
    /// Blocks the calling thread.
    pub fn stop(self) {
        self.stopping.send_replace(true);
        for thread in self.threads {
            // A thread that panicked has been reported by the panic itself.
            let _ = thread.join();
        }
    }
}
