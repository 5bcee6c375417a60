//! A worker at its place: on one thread, serving requests while its event loop runs beside them.

use super::Worker;
use super::event_loop::Alarm;
use crate::report::Problem;
use atoll_engine::{Argument, Termination};
use atoll_web::{IncomingRequest, Pending, ResponseBody, ServeState};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use tokio::sync::{Notify, watch};

/// Why a request got no response from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The handler threw, or returned no response. The reporter was told the details.
    #[error("the handler failed")]
    Failed,
    /// The worker, or this request, hit a limit.
    #[error("ended by the {} limit", .0.name())]
    Terminated(Termination),
    /// The handler waits for something that can't come: no operation and no timer is left.
    #[error("the handler never answers")]
    Stalled,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct PinnedWorker {
    worker: RefCell<Worker>,
    /// Something new is to be polled: an operation or a timer that a request's turn started.
    changed: Notify,
    /// No new requests; the loop ends when the last exchange is over.
    retired: Cell<bool>,
    /// The loop has ended.
    ended: watch::Sender<bool>,
}

impl Worker {
    /// Makes the worker serve on this thread, in whose `LocalSet` its event loop runs until it is retired or ended.
    pub fn pin(self) -> Rc<PinnedWorker> {
        let pinned = Rc::new(PinnedWorker {
            worker: RefCell::new(self),
            changed: Notify::new(),
            retired: Cell::new(false),
            ended: watch::Sender::new(false),
        });
        tokio::task::spawn_local(Rc::clone(&pinned).run());
        pinned
    }
}

impl PinnedWorker {
    /// Whether the worker can take requests.
    pub fn is_usable(&self) -> bool {
        !self.retired.get() && self.worker.borrow().termination().is_none()
    }

    /// Requests under way, background work included.
    pub fn active(&self) -> usize {
        let mut worker = self.worker.borrow_mut();
        worker.realm.state().get::<ServeState>().map_or(0, ServeState::active)
    }

    /// Takes no more requests, and ends when those under way are over.
    pub fn retire(&self) {
        self.retired.set(true);
        self.changed.notify_one();
    }

    /// Waits for the end of a worker that was retired or hit a limit.
    pub async fn ended(&self) {
        // The sender is a field of `self`, so the wait ends by the value alone.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Has the guest answer a request. Dropping the future tells the guest that the client left.
    pub async fn fetch(
        &self,
        method: &http::Method,
        url: &str,
        request: IncomingRequest,
    ) -> Result<http::Response<ResponseBody>, RequestError> {
        let (mut pending, wall) = self.dispatch(method, url, request)?;
        if let Some(outcome) = pending.try_outcome() {
            return self.finish(outcome);
        }
        match tokio::time::timeout(wall, pending.outcome()).await {
            Ok(Some(outcome)) => self.finish(outcome),
            Ok(None) => Err(self.lost()),
            Err(_) => Err(RequestError::Terminated(Termination::Wall)),
        }
    }

    fn dispatch(
        &self,
        method: &http::Method,
        url: &str,
        request: IncomingRequest,
    ) -> Result<(Pending, std::time::Duration), RequestError> {
        let mut worker = self.worker.borrow_mut();
        let started = worker.realm.operations_started();
        let timer = worker.next_timer();
        let has_body = request.body.is_some();
        let budget = worker.app.limits.turn();
        let pending = worker.realm.state().get_mut::<ServeState>().map(|serving| serving.begin(request));
        let pending = pending.expect("a worker that serves has the state for it");
        let arguments: [Argument<'_>; 4] =
            [(pending.id as f64).into(), method.as_str().into(), url.into(), has_body.into()];
        let called = worker.turn(budget, |turn, functions| turn.call(&functions.dispatch, &arguments));
        match called {
            Ok(Ok(_)) => {}
            Ok(Err(exception)) => {
                worker.report([Problem::Uncaught(exception)]);
                return Err(RequestError::Failed);
            }
            Err(reason) => {
                self.changed.notify_one();
                return Err(RequestError::Terminated(reason));
            }
        }
        if worker.realm.operations_started() != started || worker.next_timer() != timer {
            self.changed.notify_one();
        }
        worker.report_failures();
        Ok((pending, worker.app.limits.wall))
    }

    fn finish(&self, outcome: atoll_web::Outcome) -> Result<http::Response<ResponseBody>, RequestError> {
        outcome.map_err(|failure| {
            self.worker.borrow_mut().report([Problem::Handler(failure.text)]);
            RequestError::Failed
        })
    }

    /// Why an exchange ended without an outcome.
    fn lost(&self) -> RequestError {
        self.worker.borrow().termination().map_or(RequestError::Stalled, RequestError::Terminated)
    }

    async fn run(self: Rc<Self>) {
        self.serve_events().await;
        self.ended.send_replace(true);
    }

    async fn serve_events(&self) {
        let mut alarm = Alarm::default();
        loop {
            let event = {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                poll_fn(|context| {
                    let mut worker = self.worker.borrow_mut();
                    if let Poll::Ready(event) = worker.poll_event(&mut alarm, context) {
                        return Poll::Ready(Some(event));
                    }
                    changed.as_mut().poll(context).map(|()| None)
                })
                .await
            };
            let mut worker = self.worker.borrow_mut();
            if let Some(event) = event {
                // A worker that hit a limit is done: its exchanges end below, and the pool replaces it.
                let _ = worker.handle(event);
                worker.report_failures();
            }
            if worker.termination().is_some() {
                worker.abandon();
                return;
            }
            let active = worker.realm.state().get::<ServeState>().map_or(0, ServeState::active);
            if self.retired.get() && active == 0 {
                return;
            }
        }
    }
}

impl Worker {
    /// Tells the reporter what failed outside of any response.
    fn report_failures(&mut self) {
        let failures = self.realm.state().get_mut::<ServeState>().map(ServeState::take_failures).unwrap_or_default();
        self.report(failures.into_iter().map(|failure| Problem::Background(failure.text)));
    }

    /// Ends all exchanges: whoever waits for one learns that there is no outcome.
    fn abandon(&mut self) {
        self.realm.state().insert(ServeState::default());
    }
}
