//! One executor thread: its runtime, its listener, its pool.

use crate::connection::{self, Local};
use crate::route::LocalRoutes;
use crate::server::Shared;
use atoll_runtime::{ColdStarter, DeploymentId, Pool, SpentReporter, Worker};
use hyper_util::server::graceful::GracefulShutdown;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::runtime::LocalRuntime;
use tokio::sync::mpsc;

/// How long accepting pauses when the process has no descriptor left; the connections wait in the kernel meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long clients have to take the last answers, once all guests have been ended.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

pub(crate) struct Executor {
    pub(crate) listener: TcpListener,
    pub(crate) shared: Arc<Shared>,
    pub(crate) starter: Arc<ColdStarter>,
    pub(crate) warm: Vec<(DeploymentId, Worker)>,
    /// More of them while it serves; only one thread has this.
    pub(crate) incoming: Option<mpsc::Receiver<(DeploymentId, Worker)>>,
}

impl Executor {
    /// Says whether the thread has what it needs, then serves until the server stops and all is drained.
    pub(crate) fn run(self, ready: &SyncSender<io::Result<()>>) {
        // Whoever starts the server waits for this one message.
        match LocalRuntime::new() {
            Ok(runtime) => {
                let _ = ready.send(Ok(()));
                runtime.block_on(self.serve());
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    }

    async fn serve(mut self) {
        let reporter = Arc::clone(&self.shared.lanes) as Arc<dyn SpentReporter>;
        let pool = Pool::new(self.starter, self.shared.pool.clone(), Some(reporter));
        pool.observe(&self.shared.metrics);
        pool.heed(self.shared.pressure.clone());
        for (id, worker) in self.warm {
            pool.adopt(id, worker);
        }
        let routes = LocalRoutes::new(self.shared.routes.clone());
        let local = Rc::new(Local { pool: Rc::clone(&pool), routes, shared: Arc::clone(&self.shared) });
        let Ok(listener) = tokio::net::TcpListener::from_std(self.listener) else { return };
        let connections = GracefulShutdown::new();
        let mut stopping = self.shared.stopping.clone();
        let mut routes = self.shared.routes.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                (id, worker) = next(&mut self.incoming) => {
                    pool.adopt(id, worker);
                    continue;
                }
                Ok(()) = routes.changed() => {
                    let current = Arc::clone(&routes.borrow_and_update());
                    pool.update(current.deployments());
                    continue;
                }
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            match accepted {
                Ok((stream, remote)) => {
                    connection::spawn(stream, remote, Rc::clone(&local), &connections);
                }
                // A connection that died before it was accepted is nobody's loss.
                Err(error) if is_of_the_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
        drop(listener);
        pool.give_notice(self.shared.drain);
        let drained = async {
            connections.shutdown().await;
            pool.drain().await;
        };
        // What still does not end is cut off: connections whose client takes nothing.
        let _ = tokio::time::timeout(self.shared.drain.saturating_add(LAST_WORDS), drained).await;
    }
}

/// The next worker that was started elsewhere; pending when there will be none.
async fn next(incoming: &mut Option<mpsc::Receiver<(DeploymentId, Worker)>>) -> (DeploymentId, Worker) {
    let received = match incoming {
        Some(receiver) => receiver.recv().await,
        None => None,
    };
    match received {
        Some(worker) => worker,
        None => std::future::pending().await,
    }
}

/// accept(2): errors of the new connection, not of the listener.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
