//! Threads on which workers are started, so that no start stalls a thread that serves.

use crate::app::App;
use crate::worker::{StartError, Worker};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Starts that may wait for a thread; more wait with their requests, which are bounded by the pool.
const MAX_QUEUED: usize = 256;

struct Order {
    app: Arc<App>,
    reply: oneshot::Sender<Result<Worker, StartError>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct ColdStarter {
    orders: mpsc::Sender<Order>,
}

/// Takes orders. One that waits at a top-level `await` doesn't keep the next from being started.
async fn serve(queue: &tokio::sync::Mutex<mpsc::Receiver<Order>>) {
    loop {
        let Some(order) = queue.lock().await.recv().await else { return };
        tokio::task::spawn_local(async move {
            // Nobody to reply to: the requests that wanted the worker are gone.
            let _ = order.reply.send(Worker::start(order.app).await);
        });
        // The start computes now, before this thread takes the next order: another thread may be free for that.
        tokio::task::yield_now().await;
    }
}

impl ColdStarter {
    /// Starts `threads` threads. V8 is initialised first: threads that run JavaScript must be younger.
    pub fn new(threads: usize) -> std::io::Result<Arc<Self>> {
        atoll_engine::initialize();
        let (orders, queue) = mpsc::channel(MAX_QUEUED);
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("atoll-cold-{number}")).stack_size(crate::STACK_BYTES).spawn(
                move || {
                    // Connections that an app opened while it started are driven by this runtime, so it keeps running for
                    // as long as the process does.
                    tokio::task::LocalSet::new().block_on(&runtime, serve(&queue));
                },
            )?;
        }
        Ok(Arc::new(Self { orders }))
    }

    /// Starts a worker on one of the threads and hands it over.
    pub async fn start(&self, app: Arc<App>) -> Result<Worker, StartError> {
        let (reply, started) = oneshot::channel();
        if self.orders.send(Order { app, reply }).await.is_err() {
            return Err(StartError::Stopping);
        }
        started.await.unwrap_or(Err(StartError::Stopping))
    }
}
