//! Threads on which isolates are made and workers started, so that no start stalls a thread that serves.

use crate::app::App;
use crate::limits::Limits;
use crate::trim::Trimmer;
use crate::worker::{Blank, StartError, Worker};
use atoll_engine::Isolate;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Orders that may wait for a thread; more wait with their requests, which are bounded by the pool.
const MAX_QUEUED: usize = 256;

enum Order {
    Start { app: Arc<App>, spare: Option<Blank>, reply: oneshot::Sender<Result<Worker, StartError>> },
    Spare { reply: oneshot::Sender<Blank> },
    Dispose(Worker),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct ColdStarter {
    orders: mpsc::Sender<Order>,
    trimmer: Arc<Trimmer>,
}

/// Takes orders. One that waits at a top-level `await` doesn't keep the next from being started.
async fn serve(queue: &tokio::sync::Mutex<mpsc::Receiver<Order>>, trimmer: &Trimmer) {
    loop {
        let Some(order) = queue.lock().await.recv().await else { return };
        match order {
            Order::Start { app, spare, reply } => {
                tokio::task::spawn_local(async move {
                    // Nobody to reply to: the requests that wanted the worker are gone.
                    let _ = reply.send(Worker::start(app, spare).await);
                });
            }
            Order::Spare { reply } => {
                let isolate = Isolate::new(atoll_snapshot::startup(), Limits::SERVE.memory());
                let blank = Blank::new(&isolate, Limits::SERVE.startup());
                isolate.release();
                // Without a reply the pool knows that there is no spare. When the pool is gone, the isolate goes with the reply.
                if let Ok(blank) = blank {
                    let _ = reply.send(blank);
                }
            }
            Order::Dispose(worker) => {
                drop(worker);
                trimmer.freed();
            }
        }
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
        let trimmer = Arc::new(Trimmer::default());
        for number in 0..threads.max(1) {
            let (queue, trimmer) = (Arc::clone(&queue), Arc::clone(&trimmer));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("atoll-cold-{number}")).stack_size(crate::STACK_BYTES).spawn(
                move || {
                    // Connections that an app opened while it started are driven by this runtime, so it keeps running for
                    // as long as the process does.
                    let tasks = tokio::task::LocalSet::new();
                    if number == 0 {
                        let trimmer = Arc::clone(&trimmer);
                        tasks.spawn_local(async move { trimmer.run(atoll_sys::memory::give_back).await });
                    }
                    tasks.block_on(&runtime, serve(&queue, &trimmer));
                },
            )?;
        }
        Ok(Arc::new(Self { orders, trimmer }))
    }

    /// Starts a worker on one of the threads and hands it over; in `spare` if that has the limits for it.
    pub async fn start(&self, app: Arc<App>, spare: Option<Blank>) -> Result<Worker, StartError> {
        let (reply, started) = oneshot::channel();
        if self.orders.send(Order::Start { app, spare, reply }).await.is_err() {
            return Err(StartError::Stopping);
        }
        started.await.unwrap_or(Err(StartError::Stopping))
    }

    /// Makes an isolate with a context that is nobody's yet, with the default limits.
    pub async fn make_spare(&self) -> Result<Blank, StartError> {
        let (reply, made) = oneshot::channel();
        if self.orders.send(Order::Spare { reply }).await.is_err() {
            return Err(StartError::Stopping);
        }
        made.await.map_err(|_| StartError::Stopping)
    }

    /// An isolate was shrunk, or has ended: what it freed is given back when no more is to be expected.
    pub(crate) fn freed(&self) {
        self.trimmer.freed();
    }

    /// Disposes of a worker, which may take its isolate with it: some tenths of a millisecond that nobody waits for.
    pub(crate) fn dispose(&self, worker: Worker) {
        worker.isolate().release();
        // With the queue full it goes here and now.
        let _ = self.orders.try_send(Order::Dispose(worker));
    }
}
