//! A worker at its place: on one thread, serving requests while its event loop runs beside them.

use super::deadlines::Deadlines;
use super::event_loop::{Alarm, Event, give_way};
use super::{Phase, Worker};
use crate::app::App;
use crate::cold::ColdStarter;
use crate::pool::Held;
use crate::report::Problem;
use atoll_engine::{Argument, Isolate, Reason, Ripeness, Termination};
use atoll_web::{Change, IncomingRequest, Outcome, RequestBody, ResponseBody, ServeState};
use http::Method;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Why a request got no response from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The handler threw, or returned no response. The reporter was told the details.
    #[error("the handler failed")]
    Failed,
    /// The worker, or this request, hit a limit.
    #[error("ended by its limit: {0}")]
    Terminated(Termination),
    /// The handler waits for something that can't come: no operation and no timer is left.
    #[error("the handler never answers")]
    Stalled,
}

/// Requests after which compiled code is kept for the first time.
const CODE_FIRST_DUE: u64 = 1;

/// Requests after which it is kept again, with what they used in it: enough to have met most routes of a small app.
const CODE_SETTLED_AFTER: u64 = 64;

/// See the module's documentation.
#[derive(Debug)]
pub struct PinnedWorker {
    /// There until the end.
    worker: RefCell<Option<Worker>>,
    /// Disposes of the worker.
    starter: Arc<ColdStarter>,
    /// Something new is to be polled: an operation or a timer that a request's turn started.
    changed: Notify,
    /// No new requests; the loop ends when the last exchange is over.
    retired: Cell<bool>,
    /// When what is under way must be over.
    deadlines: RefCell<Deadlines>,
    /// What exchanges hold that are not over.
    held: RefCell<HashMap<u64, Held>>,
    /// Requests that it was given.
    taken: Cell<u64>,
    /// How many it must have been given before compiled code is kept, for the first time or again.
    code_due: Cell<u64>,
    /// The loop has ended.
    ended: watch::Sender<bool>,
}

impl Worker {
    /// Makes the worker serve on this thread, in whose `LocalSet` its event loop runs until it is retired or ended.
    pub fn pin(self, starter: Arc<ColdStarter>) -> Rc<PinnedWorker> {
        let code_due = if self.app.code_cache.is_some() { CODE_FIRST_DUE } else { u64::MAX };
        let pinned = Rc::new(PinnedWorker {
            worker: RefCell::new(Some(self)),
            starter,
            changed: Notify::new(),
            retired: Cell::new(false),
            deadlines: RefCell::default(),
            held: RefCell::default(),
            taken: Cell::new(0),
            code_due: Cell::new(code_due),
            ended: watch::Sender::new(false),
        });
        tokio::task::spawn_local(Rc::clone(&pinned).run());
        pinned
    }
}

/// A request that the guest has, and has not answered. When it goes before there is an answer, the guest is told that nobody
/// waits any more; else the exchange may be over, and what it holds with it.
#[derive(Debug)]
pub(crate) struct Waiting {
    worker: Rc<PinnedWorker>,
    id: u64,
    answered: bool,
}

impl Waiting {
    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> Result<http::Response<ResponseBody>, RequestError> {
        let (worker, id) = (Rc::clone(&self.worker), self.id);
        let wall = worker.worker().app.limits.wall;
        let outcome = poll_fn(|context| {
            worker.worker().serving().map_or(Poll::Ready(None), |serving| serving.poll_outcome(id, context))
        });
        if let Ok(outcome) = tokio::time::timeout(wall, outcome).await {
            self.answered = true;
            return outcome.map_or_else(|| Err(worker.lost()), |outcome| worker.finish(outcome));
        }
        let termination = Termination::time(Reason::Wall, wall, wall);
        worker.worker().report([Problem::Terminated(termination)]);
        // Whoever did not answer this request may be stuck: the next ones get a fresh worker.
        worker.retire();
        Err(RequestError::Terminated(termination))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.answered {
            self.worker.answer_taken();
        } else {
            self.worker.client_left(self.id);
        }
    }
}

/// What became of a request in the turn in which the guest got it.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is answered.
    Answered(http::Response<ResponseBody>),
    /// It is not.
    Waiting(Waiting),
}

impl Drop for PinnedWorker {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take()
            && !worker.isolate().is_shared()
        {
            self.starter.dispose(worker);
        }
    }
}

impl PinnedWorker {
    fn worker(&self) -> RefMut<'_, Worker> {
        RefMut::map(self.worker.borrow_mut(), |worker| worker.as_mut().expect("it is there until the end"))
    }

    /// The isolate that the worker is in.
    pub fn isolate(&self) -> Isolate {
        self.worker().isolate().clone()
    }

    /// Whether the worker can take requests.
    pub fn is_usable(&self) -> bool {
        !self.retired.get() && self.worker().termination().is_none()
    }

    /// Why the worker can't be used any more, if so.
    pub fn termination(&self) -> Option<Termination> {
        self.worker().termination()
    }

    /// Turns since the last call, and their CPU time.
    pub(crate) fn take_spent(&self) -> (u32, Duration) {
        std::mem::take(&mut self.worker().spent)
    }

    /// Whether its event loop has ended.
    pub fn is_over(&self) -> bool {
        *self.ended.borrow()
    }

    /// Requests under way, background work included.
    pub fn active(&self) -> usize {
        self.worker().serving().map_or(0, |serving| serving.active())
    }

    /// How many requests it was given.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Takes no more requests, and ends when those under way are over.
    pub fn retire(&self) {
        self.retired.set(true);
        self.changed.notify_one();
    }

    /// Says that what is under way is to be over in so much time; what is left then is ended, reason `deploy`.
    pub(crate) fn give_notice(&self, time: Duration) {
        self.deadlines.borrow_mut().give_notice(time);
        self.changed.notify_one();
    }

    /// What the worker was made from.
    pub(crate) fn app(&self) -> Arc<App> {
        Arc::clone(self.worker().app())
    }

    /// Waits for the end of a worker that was retired or hit a limit.
    pub async fn ended(&self) {
        // The sender is a field of `self`, so the wait ends by the value alone.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Has the guest answer a request. Dropping the future tells the guest that the client left.
    pub async fn fetch(
        self: &Rc<Self>,
        request: IncomingRequest,
    ) -> Result<http::Response<ResponseBody>, RequestError> {
        match self.begin(request, None)? {
            Begun::Answered(response) => Ok(response),
            Begun::Waiting(waiting) => waiting.answer().await,
        }
    }

    /// Gives the guest a request; `held` is dropped when the exchange is over, background work included.
    pub(crate) fn begin(self: &Rc<Self>, request: IncomingRequest, held: Option<Held>) -> Result<Begun, RequestError> {
        let (id, outcome) = self.dispatch(request, held)?;
        Ok(match outcome {
            Some(outcome) => Begun::Answered(self.finish(outcome)?),
            None => Begun::Waiting(Waiting { worker: Rc::clone(self), id, answered: false }),
        })
    }

    /// Runs the turn in which the guest gets the request. Most handlers answer in it.
    fn dispatch(&self, request: IncomingRequest, held: Option<Held>) -> Result<(u64, Option<Outcome>), RequestError> {
        self.taken.set(self.taken.get() + 1);
        let mut worker = self.worker();
        let started = worker.realm.operations_started();
        let timer = worker.next_timer();
        let (method, body) = (method_code(&request.method), body_code(request.body.as_ref()));
        let serving = worker.serving().expect("a worker that serves has the state for it");
        let id = serving.begin(request);
        let arguments: [Argument<'_>; 3] = [(id as f64).into(), method.into(), body.into()];
        let budget = worker.budget(Phase::Response, Duration::ZERO);
        let called = worker.turn(id, budget, |turn, functions| turn.call(&functions.dispatch, &arguments));
        match called {
            Ok(Ok(_)) => {}
            Ok(Err(exception)) => {
                worker.report([Problem::Uncaught(exception)]);
                if let Some(serving) = worker.serving() {
                    serving.abandon(id);
                }
                self.attend(worker);
                return Err(RequestError::Failed);
            }
            Err(reason) => {
                self.changed.notify_one();
                return Err(RequestError::Terminated(reason));
            }
        }
        let more_to_wait_for = worker.realm.operations_started() != started || worker.next_timer() != timer;
        if more_to_wait_for || self.taken.get() >= self.code_due.get() {
            self.changed.notify_one();
        }
        let serving = worker.serving().expect("a worker that serves has the state for it");
        let outcome = serving.take_outcome(id);
        let released = match held {
            Some(held) if serving.keep(id) => {
                self.held.borrow_mut().insert(id, held);
                None
            }
            over => over,
        };
        if serving.has_news() {
            self.attend(worker);
        } else {
            drop(worker);
        }
        // To let go calls the pool, which may look at this worker.
        drop(released);
        Ok((id, outcome))
    }

    fn finish(&self, outcome: Outcome) -> Result<http::Response<ResponseBody>, RequestError> {
        outcome.map_err(|failure| {
            self.worker().report([Problem::Handler(failure.text)]);
            RequestError::Failed
        })
    }

    fn client_left(&self, id: u64) {
        let mut worker = self.worker();
        if let Some(serving) = worker.serving() {
            serving.client_left(id);
        }
        self.attend(worker);
        self.changed.notify_one();
    }

    fn answer_taken(&self) {
        self.attend(self.worker());
        if self.retired.get() {
            // The loop may have nothing else to wait for.
            self.changed.notify_one();
        }
    }

    /// Why an exchange ended without an outcome.
    fn lost(&self) -> RequestError {
        self.worker().termination().map_or(RequestError::Stalled, RequestError::Terminated)
    }

    /// Does what is to be done when exchanges end a phase, and tells the reporter what failed outside of any response.
    fn attend(&self, mut worker: RefMut<'_, Worker>) {
        let Some(serving) = worker.serving() else { return };
        let (changes, failures) = (serving.take_changes(), serving.take_failures());
        let mut over = Vec::new();
        for change in changes {
            match change {
                Change::Answered(id) => {
                    self.deadlines.borrow_mut().answered(id, worker.app.limits.wait_until_wall);
                    self.changed.notify_one();
                }
                Change::Streams => {
                    if self.deadlines.borrow_mut().streams(worker.app.limits.idle) {
                        self.changed.notify_one();
                    }
                }
                Change::Ended { id, has_timers } => {
                    if has_timers {
                        // A limit that is hit meanwhile shows at the next turn.
                        let _: Result<(), Termination> = worker.clear_timers(id);
                    }
                    over.extend(self.held.borrow_mut().remove(&id));
                }
            }
        }
        worker.report(failures.into_iter().map(|failure| Problem::Background(failure.text)));
        // To let go calls the pool, which may look at this worker.
        drop(worker);
        drop(over);
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
                    let mut worker = self.worker();
                    let deadline = self.deadlines.borrow().next();
                    if let Poll::Ready(event) = worker.poll_event(&mut alarm, deadline, context) {
                        return Poll::Ready(Some(event));
                    }
                    changed.as_mut().poll(context).map(|()| None)
                })
                .await
            };
            let more = event.is_some();
            if self.handle(event) {
                return;
            }
            if more {
                // What else is ready may be another request's, and the thread has other workers: each comes once a round.
                give_way().await;
            }
        }
    }

    /// Gives an event its turn; true when the worker is over.
    fn handle(&self, event: Option<Event>) -> bool {
        let mut worker = self.worker();
        match event {
            Some(Event::DeadlinePassed) => {
                let is_stuck = self.deadlines.borrow_mut().enforce(&mut worker);
                self.retired.set(self.retired.get() || is_stuck);
            }
            // A worker that hit a limit is done: its exchanges end below, and the pool replaces it.
            Some(event) => drop(worker.handle(event)),
            None => {}
        }
        self.attend(worker);
        let mut worker = self.worker();
        if worker.termination().is_some() {
            if let Some(serving) = worker.serving() {
                serving.abandon_all();
            }
            drop(worker);
            drop(std::mem::take(&mut *self.held.borrow_mut()));
            return true;
        }
        let active = worker.serving().map_or(0, |serving| serving.active());
        self.keep_code(&mut worker, active);
        self.retired.get() && active == 0
    }

    /// Keeps compiled code when enough has run, beside the requests rather than on their way: when the first is over and
    /// no other is under way, and once more when many were answered.
    fn keep_code(&self, worker: &mut Worker, active: usize) {
        let taken = self.taken.get();
        if taken < self.code_due.get() {
            return;
        }
        if taken >= CODE_SETTLED_AFTER {
            self.code_due.set(u64::MAX);
            worker.store_code(Ripeness::Settled);
        } else if active == 0 {
            self.code_due.set(CODE_SETTLED_AFTER);
            worker.store_code(Ripeness::First);
        }
    }
}

/// A method's number in the builtin's `methods`; −1 for one that is not there.
fn method_code(method: &Method) -> f64 {
    const METHODS: [Method; 7] =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH];
    METHODS.iter().position(|known| known == method).map_or(-1.0, |position| position as f64)
}

/// What the builtin is told of a body.
fn body_code(body: Option<&RequestBody>) -> f64 {
    match body {
        None => 0.0,
        Some(RequestBody::Chunks(_)) => 1.0,
        Some(RequestBody::Whole(_)) => 2.0,
    }
}

impl Worker {
    /// The state of a worker that serves.
    pub(super) fn serving(&mut self) -> Option<&mut ServeState> {
        self.realm.state().get_mut()
    }
}
