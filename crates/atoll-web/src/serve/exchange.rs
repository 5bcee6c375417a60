//! Requests under way in a worker.
//!
//! An exchange has two phases: until its response is complete, or the client has left, and, if the guest asked for it
//! by `ctx.waitUntil`, until the promises that it named have settled. Each phase has a budget of its own, which the
//! host keeps; it learns from [`ServeState::take_changes`] when one ends. What is not waited for is not stopped when the
//! exchange is over, but it can do nothing for it any more, and timers that were set on its behalf are cleared.

use super::account::{Account, Logged, OpenStream, RequestLimits, Share};
use super::body::{RequestBody, RequestChunks, ResponseBody, ResponseSender};
use super::ids::IdMap;
use atoll_engine::JsError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where a request was sent to. Its text is made only when the guest asks for it.
#[derive(Debug, Clone)]
pub enum RequestUrl {
    /// The URL.
    Whole(String),
    /// The parts of it that HTTP has.
    Parts {
        /// `http` or `https`.
        scheme: &'static str,
        /// Host and port, as the request names them.
        authority: HeaderValue,
        /// Path and query, beginning with a slash.
        target: http::uri::PathAndQuery,
    },
}

impl std::fmt::Display for RequestUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(url) => formatter.write_str(url),
            Self::Parts { scheme, authority, target } => {
                write!(formatter, "{scheme}://{}{target}", authority.to_str().unwrap_or(""))
            }
        }
    }
}

/// A request, as the host received it.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Method.
    pub method: Method,
    /// Where it was sent to.
    pub url: RequestUrl,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; `None` when the request has none.
    pub body: Option<RequestBody>,
}

impl IncomingRequest {
    /// A request without header fields and body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: RequestUrl::Whole(url.into()), headers: HeaderMap::new(), body: None }
    }
}

/// What went wrong in the guest, described for the log and never for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Message and stack.
    pub text: String,
}

/// What the guest made of a request.
pub type Outcome = Result<http::Response<ResponseBody>, Failure>;

/// What became of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its first phase is over, the second has begun.
    Answered(u64),
    /// Its response's body has begun to be streamed.
    Streams,
    /// It is over.
    Ended {
        /// The exchange.
        id: u64,
        /// Whether timers were set on its behalf, which are to be cleared.
        has_timers: bool,
    },
}

enum Answer {
    /// The guest has not answered.
    Awaited(Option<Waker>),
    /// It has, and the host has not taken it.
    Given(Outcome),
    /// The host has it, or nobody waits for it any more.
    Taken,
}

struct Exchange {
    request: IncomingRequest,
    answer: Answer,
    sender: Option<ResponseSender>,
    complete: Option<watch::Sender<bool>>,
    /// Who is told that the client left; made when the guest asks for `request.signal`, or streams.
    gone: Option<watch::Sender<bool>>,
    /// The client left.
    left: bool,
    /// `waitUntil` promises that have not settled.
    retained: u32,
    /// In the second phase.
    background: bool,
    has_timers: bool,
    /// The host wants to know when it is over.
    kept: bool,
    /// CPU time used in the present phase.
    cpu: Duration,
    account: Account,
    /// While the response is streamed.
    stream: Option<Streamed>,
}

/// A response's body on its way.
struct Streamed {
    _open: OpenStream,
    /// When the guest last wrote to it.
    moved_at: Instant,
}

/// State of a worker that serves.
pub struct ServeState {
    limits: RequestLimits,
    /// Of what runs on behalf of no request under way.
    rest: Account,
    exchanges: IdMap<Exchange>,
    last_id: u64,
    changes: Vec<Change>,
    failures: Vec<Failure>,
}

impl std::fmt::Debug for ServeState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServeState").field("exchanges", &self.exchanges.len()).finish_non_exhaustive()
    }
}

/// Failures kept for the log between two looks of the host; more are dropped.
const MAX_FAILURES: usize = 64;

/// The host's side.
impl ServeState {
    /// A worker without requests, each of which may use what `limits` says.
    pub fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            rest: Account::default(),
            exchanges: IdMap::default(),
            last_id: 0,
            changes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes a request in, and returns its id, never used before in this worker; the caller dispatches it.
    pub fn begin(&mut self, request: IncomingRequest) -> u64 {
        self.last_id += 1;
        let exchange = Exchange {
            request,
            answer: Answer::Awaited(None),
            sender: None,
            complete: None,
            gone: None,
            left: false,
            retained: 0,
            background: false,
            has_timers: false,
            kept: false,
            cpu: Duration::ZERO,
            account: Account::default(),
            stream: None,
        };
        self.rest.refill();
        self.exchanges.insert(self.last_id, exchange);
        self.last_id
    }

    /// The guest's answer, if it is there; it is given once.
    pub fn take_outcome(&mut self, id: u64) -> Option<Outcome> {
        let exchange = self.exchanges.get_mut(&id)?;
        if !matches!(exchange.answer, Answer::Given(_)) {
            return None;
        }
        let Answer::Given(outcome) = std::mem::replace(&mut exchange.answer, Answer::Taken) else { return None };
        self.settle(id);
        Some(outcome)
    }

    /// The guest's answer; `None` when there will be none.
    pub fn poll_outcome(&mut self, id: u64, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        if let Some(outcome) = self.take_outcome(id) {
            return Poll::Ready(Some(outcome));
        }
        match self.exchanges.get_mut(&id) {
            Some(Exchange { answer: Answer::Awaited(waker), .. }) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(None),
        }
    }

    /// The client left, or was told that there is no answer in time. The guest learns it by `request.signal`.
    pub fn client_left(&mut self, id: u64) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.left = true;
        if let Some(gone) = &exchange.gone {
            gone.send_replace(true);
        }
        exchange.answer = Answer::Taken;
        self.settle(id);
    }

    /// Has the end of an exchange announced; false when it is over already.
    pub fn keep(&mut self, id: u64) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        exchange.kept = true;
        true
    }

    /// Ends an exchange, whatever the guest has still to do for it.
    pub fn abandon(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.remove(&id) {
            self.changes.push(Change::Ended { id, has_timers: exchange.has_timers });
        }
    }

    /// Exchanges that are not over: unanswered, streaming, or with background work.
    pub fn active(&self) -> usize {
        self.exchanges.len()
    }

    /// Cuts a streamed response off. To the guest it is as if the client had left; its background work goes on.
    pub fn cut_off(&mut self, id: u64) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.left = true;
        if let Some(gone) = &exchange.gone {
            gone.send_replace(true);
        }
        exchange.complete = None;
        exchange.sender = None;
        exchange.stream = None;
        self.settle(id);
    }

    /// The streamed response that has stood still for the longest time, and since when.
    pub fn stillest(&self) -> Option<(u64, Instant)> {
        let moved = |(id, exchange): (&u64, &Exchange)| Some((*id, exchange.stream.as_ref()?.moved_at));
        self.exchanges.iter().filter_map(moved).min_by_key(|(_, moved_at)| *moved_at)
    }

    /// Ends all exchanges; whoever waits for an outcome learns that there is none.
    pub fn abandon_all(&mut self) {
        for (_, exchange) in self.exchanges.drain() {
            if let Answer::Awaited(Some(waker)) = exchange.answer {
                waker.wake();
            }
        }
    }

    /// The CPU time that an exchange has used in its present phase, and whether that is the second; `None` when it is over.
    pub fn cpu(&self, id: u64) -> Option<(Duration, bool)> {
        let exchange = self.exchanges.get(&id)?;
        Some((exchange.cpu, exchange.background))
    }

    /// Adds CPU time that an exchange used.
    pub fn charge(&mut self, id: u64, cpu: Duration) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.cpu += cpu;
        }
    }

    /// What became of exchanges since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What went wrong since the last call outside of any response: in background work and in response streams.
    pub fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    /// Whether one of both has something.
    pub fn has_news(&self) -> bool {
        !self.changes.is_empty() || !self.failures.is_empty()
    }

    /// Ends the phase, or the exchange, when there is nothing left to do in it.
    fn settle(&mut self, id: u64) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if !matches!(exchange.answer, Answer::Taken) || exchange.sender.is_some() {
            return;
        }
        if exchange.retained > 0 {
            if !exchange.background {
                exchange.background = true;
                exchange.cpu = Duration::ZERO;
                self.changes.push(Change::Answered(id));
            }
            return;
        }
        let (has_timers, kept) = (exchange.has_timers, exchange.kept);
        self.exchanges.remove(&id);
        if has_timers || kept {
            self.changes.push(Change::Ended { id, has_timers });
        }
    }
}

/// The guest's side.
impl ServeState {
    fn account(&mut self, id: u64) -> &mut Account {
        self.exchanges.get_mut(&id).map_or(&mut self.rest, |exchange| &mut exchange.account)
    }

    /// One more outgoing request on behalf of the request `id`, or of none.
    pub(crate) fn subrequest(&mut self, id: u64) -> Result<Share, JsError> {
        let limits = self.limits;
        self.account(id).subrequest(&limits)
    }

    /// Counts what is written to console and standard streams on behalf of the request `id`, or of none.
    pub fn log(&mut self, id: u64, bytes: usize) -> Logged {
        let limits = self.limits;
        self.account(id).log(bytes, &limits)
    }

    pub(super) fn limits(&self) -> &RequestLimits {
        &self.limits
    }

    /// Counts bytes of a response's body.
    pub(super) fn count_body(&mut self, id: u64, bytes: usize) -> Result<(), JsError> {
        let limits = self.limits;
        self.account(id).respond(bytes, &limits)
    }

    /// Notes that something behind a response went wrong.
    pub(super) fn note(&mut self, text: String) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(Failure { text });
        }
    }

    pub(super) fn request(&self, id: u64) -> Option<&IncomingRequest> {
        self.exchanges.get(&id).map(|exchange| &exchange.request)
    }

    pub(super) fn request_chunks(&self, id: u64) -> Option<RequestChunks> {
        match self.request(id)?.body.as_ref()? {
            RequestBody::Chunks(chunks) => Some(chunks.clone()),
            RequestBody::Whole(_) => None,
        }
    }

    pub(super) fn take_whole_body(&mut self, id: u64) -> Option<Bytes> {
        match self.exchanges.get_mut(&id)?.request.body.take()? {
            RequestBody::Whole(bytes) => Some(bytes),
            RequestBody::Chunks(_) => None,
        }
    }

    pub(super) fn drop_request_body(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.request.body = None;
        }
    }

    /// Gives the answer to the host; false when nobody waits for it.
    fn answer(&mut self, id: u64, outcome: Outcome) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        match &mut exchange.answer {
            Answer::Awaited(waker) => {
                let waker = waker.take();
                exchange.answer = Answer::Given(outcome);
                if let Some(waker) = waker {
                    waker.wake();
                }
                true
            }
            Answer::Given(_) | Answer::Taken => false,
        }
    }

    pub(super) fn respond(&mut self, id: u64, response: http::Response<ResponseBody>) {
        self.answer(id, Ok(response));
    }

    /// Whether someone is there to read the body. Errors: the request has too many bodies open.
    pub(super) fn respond_streaming(&mut self, id: u64, head: http::Response<()>) -> Result<bool, JsError> {
        let (sender, complete, mut body) = ResponseBody::stream();
        let Some(exchange) = self.exchanges.get_mut(&id) else { return Ok(false) };
        let stream = exchange.account.share(&self.limits).open_stream()?;
        // The host's end of the body tells whether the client left before the end of it.
        body.notify(exchange.gone.get_or_insert_with(|| watch::Sender::new(false)).clone());
        if !self.answer(id, Ok(head.map(|()| body))) {
            return Ok(false);
        }
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.sender = Some(sender);
            exchange.complete = Some(complete);
            exchange.stream = Some(Streamed { _open: stream, moved_at: Instant::now() });
            self.changes.push(Change::Streams);
        }
        Ok(true)
    }

    /// For the next chunk of a streamed response. The guest waits for each chunk to find room before it makes another, so a
    /// body moves as long as it asks for this.
    pub(super) fn response_sender(&mut self, id: u64) -> Option<ResponseSender> {
        let exchange = self.exchanges.get_mut(&id)?;
        if let Some(stream) = &mut exchange.stream {
            stream.moved_at = Instant::now();
        }
        exchange.sender.clone()
    }

    pub(super) fn end_body(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            if let Some(complete) = exchange.complete.take() {
                complete.send_replace(true);
            }
            exchange.sender = None;
            exchange.stream = None;
            self.settle(id);
        }
    }

    pub(super) fn abort_body(&mut self, id: u64, text: String) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.complete = None;
            exchange.sender = None;
            exchange.stream = None;
            self.note(text);
            self.settle(id);
        }
    }

    pub(super) fn fail(&mut self, id: u64, text: String) {
        if !self.answer(id, Err(Failure { text: text.clone() })) {
            self.note(text);
        }
    }

    /// Whether the client left already, and who tells when it does; `None` when the exchange is over.
    pub(super) fn watch_client(&mut self, id: u64) -> Option<watch::Receiver<bool>> {
        let exchange = self.exchanges.get_mut(&id)?;
        Some(exchange.gone.get_or_insert_with(|| watch::Sender::new(exchange.left)).subscribe())
    }

    pub(super) fn retain(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.retained += 1;
        }
    }

    pub(super) fn release(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.retained = exchange.retained.saturating_sub(1);
            self.settle(id);
        }
    }

    /// Notes that a timer was set on behalf of an exchange; false when it is over.
    pub(crate) fn note_timer(&mut self, id: u64) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        exchange.has_timers = true;
        true
    }
}
