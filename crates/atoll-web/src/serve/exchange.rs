//! Requests under way in a worker.

use super::body::{RequestBody, ResponseBody, ResponseSender};
use http::HeaderMap;
use std::collections::HashMap;
use tokio::sync::{oneshot, watch};

/// A request, as the host received it.
#[derive(Debug)]
pub struct IncomingRequest {
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; `None` when the request has none.
    pub body: Option<RequestBody>,
}

/// What went wrong in the guest, described for the log and never for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Message and stack.
    pub text: String,
}

/// What the guest made of a request.
pub type Outcome = Result<http::Response<ResponseBody>, Failure>;

struct Exchange {
    headers: Option<HeaderMap>,
    body: Option<RequestBody>,
    responder: Option<oneshot::Sender<Outcome>>,
    sender: Option<ResponseSender>,
    complete: Option<watch::Sender<bool>>,
    gone: watch::Sender<bool>,
    /// `waitUntil` promises that have not settled.
    retained: u32,
}

/// State of a worker that serves.
#[derive(Default)]
pub struct ServeState {
    exchanges: HashMap<u64, Exchange>,
    last_id: u64,
    failures: Vec<Failure>,
}

impl std::fmt::Debug for ServeState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServeState").field("exchanges", &self.exchanges.len()).finish_non_exhaustive()
    }
}

/// Failures kept for the log between two looks of the host; more are dropped.
const MAX_FAILURES: usize = 64;

/// The host's hold on an exchange until its response has come. Dropping it earlier tells the guest that the client left.
#[derive(Debug)]
pub struct Pending {
    /// The exchange's id, never used before in this worker.
    pub id: u64,
    outcome: oneshot::Receiver<Outcome>,
    gone: Option<watch::Sender<bool>>,
}

impl Pending {
    /// The outcome; `None` when the worker went away without one.
    pub async fn outcome(mut self) -> Option<Outcome> {
        let outcome = (&mut self.outcome).await.ok();
        self.answered(outcome)
    }

    /// The outcome, if it is there.
    pub fn try_outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcome.try_recv().ok()?;
        self.answered(Some(outcome))
    }

    /// From now on the body tells whether the client left.
    fn answered(&mut self, outcome: Option<Outcome>) -> Option<Outcome> {
        let gone = self.gone.take();
        match (outcome, gone) {
            (Some(Ok(mut response)), Some(gone)) => {
                response.body_mut().notify(gone);
                Some(Ok(response))
            }
            (outcome, _) => outcome,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            gone.send_replace(true);
        }
    }
}

impl ServeState {
    /// Takes a request in; the caller dispatches it by the id it gets.
    pub fn begin(&mut self, request: IncomingRequest) -> Pending {
        self.last_id += 1;
        let id = self.last_id;
        let (responder, outcome) = oneshot::channel();
        let gone = watch::Sender::new(false);
        let exchange = Exchange {
            headers: Some(request.headers),
            body: request.body,
            responder: Some(responder),
            sender: None,
            complete: None,
            gone: gone.clone(),
            retained: 0,
        };
        self.exchanges.insert(id, exchange);
        Pending { id, outcome, gone: Some(gone) }
    }

    /// Exchanges that are not over: unanswered, streaming, or with background work.
    pub fn active(&self) -> usize {
        self.exchanges.len()
    }

    /// What went wrong since the last call outside of any response: in background work and in response streams.
    pub fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    pub(super) fn note(&mut self, text: String) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(Failure { text });
        }
    }

    fn finish_if_done(&mut self, id: u64) {
        let done = self.exchanges.get(&id).is_some_and(|exchange| {
            exchange.responder.is_none() && exchange.sender.is_none() && exchange.retained == 0
        });
        if done {
            self.exchanges.remove(&id);
        }
    }

    pub(super) fn take_headers(&mut self, id: u64) -> Option<HeaderMap> {
        self.exchanges.get_mut(&id)?.headers.take()
    }

    pub(super) fn request_body(&self, id: u64) -> Option<RequestBody> {
        self.exchanges.get(&id)?.body.clone()
    }

    pub(super) fn drop_request_body(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.body = None;
        }
    }

    pub(super) fn respond(&mut self, id: u64, response: http::Response<ResponseBody>) {
        if let Some(responder) = self.exchanges.get_mut(&id).and_then(|exchange| exchange.responder.take()) {
            // Nobody to receive it: the client left, which `gone` tells.
            let _ = responder.send(Ok(response));
            self.finish_if_done(id);
        }
    }

    pub(super) fn respond_streaming(&mut self, id: u64, head: http::Response<()>) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        let Some(responder) = exchange.responder.take() else { return false };
        let (sender, complete, body) = ResponseBody::stream();
        let received = responder.send(Ok(head.map(|()| body))).is_ok();
        if received {
            exchange.sender = Some(sender);
            exchange.complete = Some(complete);
        } else {
            self.finish_if_done(id);
        }
        received
    }

    pub(super) fn response_sender(&self, id: u64) -> Option<ResponseSender> {
        self.exchanges.get(&id)?.sender.clone()
    }

    pub(super) fn end_body(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            if let Some(complete) = exchange.complete.take() {
                complete.send_replace(true);
            }
            exchange.sender = None;
            self.finish_if_done(id);
        }
    }

    pub(super) fn abort_body(&mut self, id: u64, text: String) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.complete = None;
            exchange.sender = None;
            self.note(text);
            self.finish_if_done(id);
        }
    }

    pub(super) fn fail(&mut self, id: u64, text: String) {
        match self.exchanges.get_mut(&id).and_then(|exchange| exchange.responder.take()) {
            Some(responder) => {
                let _ = responder.send(Err(Failure { text }));
                self.finish_if_done(id);
            }
            None => self.note(text),
        }
    }

    pub(super) fn watch_client(&self, id: u64) -> Option<watch::Receiver<bool>> {
        Some(self.exchanges.get(&id)?.gone.subscribe())
    }

    pub(super) fn retain(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.retained += 1;
        }
    }

    pub(super) fn release(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.retained = exchange.retained.saturating_sub(1);
            self.finish_if_done(id);
        }
    }
}
