//! Workers: engine, web platform, Node compatibility and guest filesystem put together, and the pool that keeps them.

mod app;
mod cache;
mod cold;
mod console;
pub mod limits;
mod loader;
pub mod metrics;
mod pool;
mod report;
mod trim;
mod worker;

pub use app::{App, EXEC_PATH, User};
pub use atoll_pool::{Isolation, UnknownIsolation};
pub use cache::SealedCache;
pub use cold::ColdStarter;
pub use limits::Limits;
pub use metrics::Metrics;
pub use pool::{
    Answer, Answering, Deployment, DeploymentId, Pool, PoolConfig, PoolError, PoolReport, PoolStats, Pressure,
    PressureTeller, PressureWatch, Spent, SpentReporter,
};
pub use report::{Problem, Reporter};
pub use worker::{Blank, Broken, Entry, Exit, PinnedWorker, RequestError, Session, StartError, Worker};

/// Stack of a thread that runs JavaScript, bytes: V8 stops a guest's recursion at 1 MB, and what our own code and the
/// parsers need above that is a fraction of the rest. Address space until it is used.
pub const STACK_BYTES: usize = 8 << 20;

/// Initialises V8. Call it before any thread is created that will run JavaScript.
pub fn initialize() {
    atoll_engine::initialize();
}

/// The builtins that guests may import: `node:fs`, ….
pub fn builtin_names() -> Vec<String> {
    let builtins = atoll_snapshot::startup().builtins.iter().map(|builtin| builtin.name);
    builtins.filter(|name| name.starts_with("node:")).map(str::to_owned).collect()
}
