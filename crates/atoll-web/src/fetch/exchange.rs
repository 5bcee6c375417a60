//! Requests under way, and what a worker may have of them.

use super::client::{self, FetchClient};
use atoll_engine::{JsError, NativeResult, Value};
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Chunks of an upload that wait for the network: the guest produces one while one is sent.
const UPLOAD_CHUNKS: usize = 1;

/// How much a worker may fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Requests at a time, until their response's body is read or given up; further ones wait.
    pub concurrent: usize,
    /// Requests between two calls of [`FetchState::reset_count`]; further ones fail. `None` for a worker whose host
    /// never resets the count.
    pub total: Option<u64>,
}

impl Default for FetchLimits {
    /// 64 at a time, as many as there is time for.
    fn default() -> Self {
        Self { concurrent: 64, total: None }
    }
}

/// A worker's outgoing requests. Dropping it ends them all.
#[derive(Debug)]
pub struct FetchState {
    client: FetchClient,
    limits: FetchLimits,
    started: u64,
    last_id: u64,
    slots: Arc<Semaphore>,
    table: Table,
}

/// Exchanges by id, shared with their futures.
#[derive(Debug, Clone, Default)]
struct Table(Arc<Mutex<HashMap<u64, Exchange>>>);

#[derive(Debug)]
struct Exchange {
    /// True ends whatever the exchange is doing.
    cancelled: watch::Sender<bool>,
    /// Where a streamed upload goes; gone once it is complete.
    upload: Option<mpsc::Sender<Bytes>>,
    /// What an upload's chunks come out of, until the request starts.
    upload_source: Option<mpsc::Receiver<Bytes>>,
    download: Option<Arc<tokio::sync::Mutex<Download>>>,
}

/// A response whose body is read chunk by chunk.
#[derive(Debug)]
struct Download {
    response: reqwest::Response,
    _slot: OwnedSemaphorePermit,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Exchange>> {
        // No code panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as JavaScript gives it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: String,
    pub(super) url: String,
    /// [name, value, …], values in Latin-1.
    pub(super) headers: Vec<String>,
    pub(super) body: OutgoingBody,
}

#[derive(Debug)]
pub(super) enum OutgoingBody {
    None,
    Whole(Bytes),
    /// Chunks that [`FetchState::write`] brings.
    Streamed,
}

/// Headers that belong to one connection or to the client's framing: HTTP's own business, not the guest's.
const MANAGED_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl FetchState {
    /// A worker's share of `client`.
    pub fn new(client: FetchClient, limits: FetchLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.concurrent.min(Semaphore::MAX_PERMITS)));
        Self { client, limits, started: 0, last_id: 0, slots, table: Table::default() }
    }

    /// Begins a new count of requests for [`FetchLimits::total`]: when the worker takes its
    /// next request, for instance.
    pub fn reset_count(&mut self) {
        self.started = 0;
    }

    /// Requests that are not over.
    pub fn active(&self) -> usize {
        self.table.lock().len()
    }

    /// Takes in a new exchange; ids are never used twice in a worker.
    pub(super) fn open(&mut self, streamed: bool) -> Result<u64, JsError> {
        if let Some(total) = self.limits.total.filter(|total| self.started >= *total) {
            return Err(JsError::error(format!("the limit of {total} requests is reached")).with("code", "ERR_LIMIT"));
        }
        self.started += 1;
        self.last_id += 1;
        let (upload, upload_source) = if streamed {
            let (sender, receiver) = mpsc::channel(UPLOAD_CHUNKS);
            (Some(sender), Some(receiver))
        } else {
            (None, None)
        };
        let exchange = Exchange { cancelled: watch::Sender::new(false), upload, upload_source, download: None };
        self.table.lock().insert(self.last_id, exchange);
        Ok(self.last_id)
    }

    /// Sends the request; the response without its body, as JavaScript takes it.
    pub(super) fn start(
        &mut self,
        id: u64,
        outgoing: Outgoing,
    ) -> Result<impl Future<Output = NativeResult> + Send + 'static, JsError> {
        let mut table = self.table.lock();
        let exchange = table.get_mut(&id).ok_or_else(over)?;
        let upload_source = exchange.upload_source.take();
        let cancelled = exchange.cancelled.subscribe();
        drop(table);
        let prepared = prepare(&self.client, outgoing, upload_source);
        let (slots, table) = (Arc::clone(&self.slots), self.table.clone());
        Ok(async move {
            let sent = async {
                let (request, url) = prepared?;
                // The semaphore is never closed.
                let slot = slots.acquire_owned().await.map_err(|_| over())?;
                let response = request.send().await.map_err(|error| client::describe(&error, &url))?;
                Ok((response, slot))
            };
            match unless_cancelled(cancelled, sent).await {
                Ok((response, slot)) => Ok(accept(&table, id, response, slot)),
                Err(error) => {
                    table.lock().remove(&id);
                    Err(error)
                }
            }
        })
    }

    /// The next chunk of the response's body, null at its end.
    pub(super) fn read(&mut self, id: u64) -> impl Future<Output = NativeResult> + Send + 'static {
        let table = self.table.clone();
        let found = {
            let exchanges = table.lock();
            let exchange = exchanges.get(&id);
            exchange.and_then(|exchange| Some((exchange.download.clone()?, exchange.cancelled.subscribe())))
        };
        async move {
            let Some((download, cancelled)) = found else { return Ok(Value::Null) };
            let next = async {
                let mut download = download.lock().await;
                let chunk = download.response.chunk().await;
                chunk.map_err(|error| client::describe(&error, download.response.url()))
            };
            let next = unless_cancelled(cancelled, next).await;
            if !matches!(next, Ok(Some(_))) {
                table.lock().remove(&id);
            }
            next.map(|chunk| chunk.map_or(Value::Null, |chunk| Value::Bytes(chunk.into())))
        }
    }

    /// Hands over a chunk of a streamed upload, when there is room; false when nobody wants it any more.
    pub(super) fn write(&mut self, id: u64, chunk: Bytes) -> impl Future<Output = NativeResult> + Send + 'static {
        let upload = self.table.lock().get(&id).and_then(|exchange| exchange.upload.clone());
        async move {
            let Some(upload) = upload else { return Ok(Value::Bool(false)) };
            Ok(Value::Bool(upload.send(chunk).await.is_ok()))
        }
    }

    /// The streamed upload is complete.
    pub(super) fn end(&mut self, id: u64) {
        if let Some(exchange) = self.table.lock().get_mut(&id) {
            exchange.upload = None;
        }
    }

    /// Ends the exchange, whatever it is doing.
    pub(super) fn cancel(&mut self, id: u64) {
        let exchange = self.table.lock().remove(&id);
        if let Some(exchange) = exchange {
            exchange.cancelled.send_replace(true);
        }
    }
}

impl Drop for FetchState {
    fn drop(&mut self) {
        for (_, exchange) in self.table.lock().drain() {
            exchange.cancelled.send_replace(true);
        }
    }
}

/// Runs `work` until the exchange is cancelled.
async fn unless_cancelled<T>(
    mut cancelled: watch::Receiver<bool>,
    work: impl Future<Output = Result<T, JsError>>,
) -> Result<T, JsError> {
    tokio::select! {
        biased;
        _ = cancelled.wait_for(|cancelled| *cancelled) => Err(over()),
        result = work => result,
    }
}

fn over() -> JsError {
    JsError::error("the request was given up").with("code", "ABORT_ERR")
}

/// Builds the request; checks its host.
fn prepare(
    client: &FetchClient,
    outgoing: Outgoing,
    upload_source: Option<mpsc::Receiver<Bytes>>,
) -> Result<(reqwest::RequestBuilder, Url), JsError> {
    let Outgoing { method, url, headers, body } = outgoing;
    let url = Url::parse(&url).map_err(|error| JsError::error(format!("'{url}' is not a valid URL: {error}")))?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| JsError::error("the method is not a token"))?;
    let client = client.for_url(&url).map_err(|_| client::denied(&url))?;
    let mut request = client.request(method, url.clone()).headers(header_map(&headers)?);
    match (body, upload_source) {
        (OutgoingBody::None, _) => {}
        (OutgoingBody::Whole(bytes), _) => request = request.body(bytes),
        (OutgoingBody::Streamed, Some(source)) => {
            let chunks = stream::unfold(source, async |mut source| {
                let chunk = source.recv().await?;
                Some((Ok::<_, Infallible>(chunk), source))
            });
            request = request.body(reqwest::Body::wrap_stream(chunks));
        }
        (OutgoingBody::Streamed, None) => return Err(over()),
    }
    Ok((request, url))
}

fn header_map(flat: &[String]) -> Result<HeaderMap, JsError> {
    let mut headers = HeaderMap::with_capacity(flat.len() / 2);
    for [name, value] in flat.as_chunks::<2>().0 {
        if MANAGED_HEADERS.contains(&name.as_str()) {
            continue;
        }
        let invalid = || JsError::error(format!("the header {name} is not one that HTTP can carry"));
        let bytes: Option<Vec<u8>> = value.chars().map(|unit| u8::try_from(u32::from(unit)).ok()).collect();
        let value = HeaderValue::from_bytes(&bytes.ok_or_else(invalid)?).map_err(|_| invalid())?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?, value);
    }
    Ok(headers)
}

/// Keeps the response for its body to be read, when it has one, and describes it: `{ status, statusText, headers, hasBody }`.
fn accept(table: &Table, id: u64, response: reqwest::Response, slot: OwnedSemaphorePermit) -> Value {
    let status = response.status();
    let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
    let status_text = match reason {
        Some(reason) => latin1(reason.as_bytes()),
        None if response.version() < reqwest::Version::HTTP_2 => {
            status.canonical_reason().unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    let mut flat = Vec::with_capacity(response.headers().len() * 2);
    for (name, value) in response.headers() {
        flat.push(Value::from(name.as_str()));
        flat.push(Value::String(latin1(value.as_bytes())));
    }
    let has_body = response.content_length() != Some(0) && !matches!(status.as_u16(), 204 | 205 | 304);
    let mut exchanges = table.lock();
    if has_body {
        if let Some(exchange) = exchanges.get_mut(&id) {
            let download = Download { response, _slot: slot };
            exchange.download = Some(Arc::new(tokio::sync::Mutex::new(download)));
        }
    } else {
        exchanges.remove(&id);
    }
    Value::Record(vec![
        ("status", Value::from(u32::from(status.as_u16()))),
        ("statusText", Value::String(status_text)),
        ("headers", Value::List(flat)),
        ("hasBody", Value::Bool(has_body)),
    ])
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
