//! A worker at its place: on one thread, serving requests while its event loop runs beside them.

use super::event_loop::{Alarm, Event};
use super::{Phase, Worker};
use crate::cold::ColdStarter;
use crate::pool::Held;
use crate::report::Problem;
use atoll_engine::{Argument, Isolate, Reason, Termination};
use atoll_web::{Change, IncomingRequest, Outcome, ResponseBody, ServeState};
use http::Method;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
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
    /// When the background work of exchanges must be over, in the order in which it began.
    deadlines: RefCell<VecDeque<(Instant, u64)>>,
    /// What exchanges hold that are not over.
    held: RefCell<HashMap<u64, Held>>,
    /// Requests that it was given.
    taken: Cell<u64>,
    /// The loop has ended.
    ended: watch::Sender<bool>,
}

impl Worker {
    /// Makes the worker serve on this thread, in whose `LocalSet` its event loop runs until it is retired or ended.
    pub fn pin(self, starter: Arc<ColdStarter>) -> Rc<PinnedWorker> {
        let pinned = Rc::new(PinnedWorker {
            worker: RefCell::new(Some(self)),
            starter,
            changed: Notify::new(),
            retired: Cell::new(false),
            deadlines: RefCell::default(),
            held: RefCell::default(),
            taken: Cell::new(0),
            ended: watch::Sender::new(false),
        });
        tokio::task::spawn_local(Rc::clone(&pinned).run());
        pinned
    }
}

/// A wait for an answer. When it goes before there is one, the guest is told that nobody waits any more; else the exchange
/// may be over, and what it holds with it.
struct Waiting<'a> {
    worker: &'a PinnedWorker,
    id: u64,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.answered {
            self.worker.answer_taken();
        } else {
            self.worker.client_left(self.id);
        }
    }
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

    /// Waits for the end of a worker that was retired or hit a limit.
    pub async fn ended(&self) {
        // The sender is a field of `self`, so the wait ends by the value alone.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Has the guest answer a request. Dropping the future tells the guest that the client left.
    pub async fn fetch(&self, request: IncomingRequest) -> Result<http::Response<ResponseBody>, RequestError> {
        self.fetch_for(request, None).await
    }

    /// As [`PinnedWorker::fetch`]; `held` is dropped when the exchange is over, background work included.
    pub(crate) async fn fetch_for(
        &self,
        request: IncomingRequest,
        held: Option<Held>,
    ) -> Result<http::Response<ResponseBody>, RequestError> {
        let (id, outcome) = self.dispatch(request, held)?;
        if let Some(outcome) = outcome {
            return self.finish(outcome);
        }
        let mut waiting = Waiting { worker: self, id, answered: false };
        let wall = self.worker().app.limits.wall;
        let outcome = poll_fn(|context| {
            self.worker().serving().map_or(Poll::Ready(None), |serving| serving.poll_outcome(id, context))
        });
        if let Ok(outcome) = tokio::time::timeout(wall, outcome).await {
            waiting.answered = true;
            return outcome.map_or_else(|| Err(self.lost()), |outcome| self.finish(outcome));
        }
        let termination = Termination::time(Reason::Wall, wall, wall);
        self.worker().report([Problem::Terminated(termination)]);
        // Whoever did not answer this request may be stuck: the next ones get a fresh worker.
        self.retire();
        Err(RequestError::Terminated(termination))
    }

    /// Runs the turn in which the guest gets the request. Most handlers answer in it.
    fn dispatch(&self, request: IncomingRequest, held: Option<Held>) -> Result<(u64, Option<Outcome>), RequestError> {
        self.taken.set(self.taken.get() + 1);
        let mut worker = self.worker();
        let started = worker.realm.operations_started();
        let timer = worker.next_timer();
        let (method, has_body) = (method_code(&request.method), request.body.is_some());
        let serving = worker.serving().expect("a worker that serves has the state for it");
        let id = serving.begin(request);
        let arguments: [Argument<'_>; 3] = [(id as f64).into(), method.into(), has_body.into()];
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
        if worker.realm.operations_started() != started || worker.next_timer() != timer {
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
                    let deadline = Instant::now() + worker.app.limits.wait_until_wall;
                    self.deadlines.borrow_mut().push_back((deadline, id));
                    self.changed.notify_one();
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

    /// Ends the exchanges whose background work has taken too long.
    fn enforce_deadlines(&self, worker: &mut Worker) {
        let now = Instant::now();
        let mut deadlines = self.deadlines.borrow_mut();
        while let Some((_, id)) = deadlines.pop_front_if(|(deadline, _)| *deadline <= now) {
            let wall = worker.app.limits.wait_until_wall;
            if let Some(serving) = worker.serving()
                && serving.cpu(id).is_some()
            {
                serving.abandon(id);
                worker.report([Problem::Terminated(Termination::time(Reason::Wall, wall, wall))]);
                self.retired.set(true);
            }
        }
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
                    let deadline = self.deadlines.borrow().front().map(|(deadline, _)| *deadline);
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
                tokio::task::yield_now().await;
            }
        }
    }

    /// Gives an event its turn; true when the worker is over.
    fn handle(&self, event: Option<Event>) -> bool {
        let mut worker = self.worker();
        match event {
            Some(Event::DeadlinePassed) => self.enforce_deadlines(&mut worker),
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
        self.retired.get() && active == 0
    }
}

/// A method's number in the builtin's `methods`; −1 for one that is not there.
fn method_code(method: &Method) -> f64 {
    const METHODS: [Method; 7] =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH];
    METHODS.iter().position(|known| known == method).map_or(-1.0, |position| position as f64)
}

impl Worker {
    /// The state of a worker that serves.
    pub(super) fn serving(&mut self) -> Option<&mut ServeState> {
        self.realm.state().get_mut()
    }
}
