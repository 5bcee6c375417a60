//! Workers: engine, web platform, Node compatibility and guest filesystem put together, and the pool that keeps them.

mod app;
mod cache;
mod cold;
mod console;
mod limits;
mod loader;
mod pool;
mod report;
mod worker;

pub use app::App;
pub use cache::SealedCache;
pub use cold::ColdStarter;
pub use limits::Limits;
pub use pool::{Deployment, DeploymentId, Pool, PoolError};
pub use report::{Problem, Reporter};
pub use worker::{Exit, PinnedWorker, RequestError, StartError, Worker};

/// Initialises V8. Call it before any thread is created that will run JavaScript.
pub fn initialize() {
    atoll_engine::initialize();
}

/// The builtins that guests may import: `node:fs`, ….
pub fn builtin_names() -> Vec<String> {
    let builtins = atoll_snapshot::startup().builtins.iter().map(|builtin| builtin.name);
    builtins.filter(|name| name.starts_with("node:")).map(str::to_owned).collect()
}
