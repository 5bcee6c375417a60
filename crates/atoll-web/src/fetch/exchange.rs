//! Requests under way, and what a worker may have of them.

use super::client::{self, FetchClient};
use super::download::{Buffering, Download};
use crate::serve::{OpenStream, Share};
use atoll_engine::{JsError, NativeResult, Value};
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, watch};

/// Chunks of an upload that wait for the network: the guest produces one while one is sent.
const UPLOAD_CHUNKS: usize = 1;

/// A worker's outgoing requests. Dropping it ends them all.
#[derive(Debug)]
pub struct FetchState {
    client: FetchClient,
    table: Table,
}

/// The id of the process's last exchange. Workers share it: what a guest abandoned is cancelled when it is collected, by
/// its isolate, and that may be in the turn of another of the isolate's workers.
static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// Exchanges by id, shared with their futures.
#[derive(Debug, Clone, Default)]
struct Table(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    exchanges: Mutex<HashMap<u64, Exchange>>,
    /// Told when a response arrives, which those who wait for a slot may take from it, and when a guest begins to read
    /// one, which they must let go.
    changed: Notify,
}

#[derive(Debug)]
struct Exchange {
    /// Of the request on whose behalf it is.
    share: Share,
    /// While its body is streamed up.
    _upload_stream: Option<OpenStream>,
    /// From its response's head until its body is read.
    response_stream: Option<OpenStream>,
    /// True ends whatever the exchange is doing.
    cancelled: watch::Sender<bool>,
    /// Where a streamed upload goes; gone once it is complete.
    upload: Option<mpsc::Sender<Bytes>>,
    /// Whether it is complete: an exchange that goes away earlier must not look to the server like one that is.
    upload_complete: Arc<AtomicBool>,
    /// What an upload's chunks come out of, until the request starts.
    upload_source: Option<mpsc::Receiver<Bytes>>,
    response: Response,
}

#[derive(Debug, Clone)]
enum Response {
    /// There is none yet.
    Awaited,
    /// Nobody has asked for its body.
    Unread(Arc<tokio::sync::Mutex<Download>>),
    /// Nobody has asked for its body, and it does not fit into memory.
    UnreadLong(Arc<tokio::sync::Mutex<Download>>),
    /// Its body is being read, or is in memory.
    Settled(Arc<tokio::sync::Mutex<Download>>),
    /// It was given up so that another request could start.
    GivenUp,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Exchange>> {
        // No code panics while it holds the lock; if it did, the map would still be whole.
        self.0.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot, and makes room when there is none (see the module `download`).
    async fn take_slot(&self, share: &Share) -> Result<OwnedSemaphorePermit, JsError> {
        let acquired = Arc::clone(share.slots().0).acquire_owned();
        tokio::pin!(acquired);
        loop {
            let changed = self.0.changed.notified();
            tokio::select! {
                biased;
                // The semaphore is never closed.
                slot = &mut acquired => return slot.map_err(|_| over()),
                () = self.make_room(share) => {}
            }
            tokio::select! {
                biased;
                slot = &mut acquired => return slot.map_err(|_| over()),
                () = changed => {}
            }
        }
    }

    /// Receives all unread bodies of an account into memory, one after the other, as far as they fit.
    async fn make_room(&self, share: &Share) {
        while let Some((id, download)) = self.oldest_unread(share) {
            let changed = self.0.changed.notified();
            let buffering = tokio::select! {
                biased;
                () = changed => continue,
                buffering = async { download.lock().await.buffer().await } => buffering,
            };
            let mut exchanges = self.lock();
            if let Some(exchange) = exchanges.get_mut(&id)
                && matches!(exchange.response, Response::Unread(_))
            {
                exchange.response = match buffering {
                    Buffering::Complete => Response::Settled(download),
                    Buffering::TooLong => Response::UnreadLong(download),
                };
            }
        }
        let mut exchanges = self.lock();
        let own = exchanges.iter().filter(|(_, exchange)| exchange.share.is_of(share));
        let long = own.filter(|(_, exchange)| matches!(exchange.response, Response::UnreadLong(_)));
        let (count, oldest) = long.fold((0, u64::MAX), |(count, oldest), (id, _)| (count + 1, oldest.min(*id)));
        if count >= share.slots().1
            && let Some(exchange) = exchanges.get_mut(&oldest)
        {
            exchange.response = Response::GivenUp;
        }
    }

    fn oldest_unread(&self, share: &Share) -> Option<(u64, Arc<tokio::sync::Mutex<Download>>)> {
        let exchanges = self.lock();
        let own = exchanges.iter().filter(|(_, exchange)| exchange.share.is_of(share));
        let unread = own.filter_map(|(id, exchange)| match &exchange.response {
            Response::Unread(download) => Some((*id, Arc::clone(download))),
            _ => None,
        });
        unread.min_by_key(|(id, _)| *id)
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
    /// A worker's use of `client`.
    pub fn new(client: FetchClient) -> Self {
        Self { client, table: Table::default() }
    }

    /// Requests that are not over.
    pub fn active(&self) -> usize {
        self.table.lock().len()
    }

    /// Takes in a new exchange on behalf of the request whose `share` it is; ids are never used twice.
    pub(super) fn open(&mut self, streamed: bool, share: Share) -> Result<u64, JsError> {
        let upload_stream = streamed.then(|| share.open_stream()).transpose()?;
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
        let (upload, upload_source) = if streamed {
            let (sender, receiver) = mpsc::channel(UPLOAD_CHUNKS);
            (Some(sender), Some(receiver))
        } else {
            (None, None)
        };
        let exchange = Exchange {
            share,
            _upload_stream: upload_stream,
            response_stream: None,
            cancelled: watch::Sender::new(false),
            upload,
            upload_complete: Arc::default(),
            upload_source,
            response: Response::Awaited,
        };
        self.table.lock().insert(id, exchange);
        Ok(id)
    }

    /// Sends the request; the response without its body, as JavaScript takes it.
    pub(super) fn start(
        &mut self,
        id: u64,
        outgoing: Outgoing,
    ) -> Result<impl Future<Output = NativeResult> + Send + use<>, JsError> {
        let mut table = self.table.lock();
        let exchange = table.get_mut(&id).ok_or_else(over)?;
        let upload_complete = Arc::clone(&exchange.upload_complete);
        let upload_source = exchange.upload_source.take().map(|source| (source, upload_complete));
        let cancelled = exchange.cancelled.subscribe();
        let share = exchange.share.clone();
        drop(table);
        let prepared = prepare(&self.client, outgoing, upload_source);
        let table = self.table.clone();
        Ok(async move {
            let sent = async {
                let (request, url) = prepared?;
                let slot = table.take_slot(&share).await?;
                let response = request.send().await.map_err(|error| client::describe(&error, &url))?;
                Ok((response, slot))
            };
            match unless_cancelled(cancelled, sent).await {
                Ok((response, slot)) => accept(&table, id, response, slot),
                Err(error) => Err(error),
            }
            .inspect_err(|_| drop(table.lock().remove(&id)))
        })
    }

    /// The next chunk of the response's body, null at its end.
    pub(super) fn read(&mut self, id: u64) -> impl Future<Output = NativeResult> + Send + use<> {
        let table = self.table.clone();
        let found = table.lock().get_mut(&id).map(|exchange| {
            if let Response::Unread(download) | Response::UnreadLong(download) = &exchange.response {
                exchange.response = Response::Settled(Arc::clone(download));
                self.table.0.changed.notify_waiters();
            }
            (exchange.response.clone(), exchange.cancelled.subscribe())
        });
        async move {
            let next = match found {
                Some((Response::Settled(download), cancelled)) => {
                    unless_cancelled(cancelled, async { download.lock().await.next().await }).await
                }
                Some((Response::GivenUp, _)) => Err(given_up()),
                _ => Ok(Value::Null),
            };
            if !matches!(next, Ok(Value::Bytes(_))) {
                table.lock().remove(&id);
            }
            next
        }
    }

    /// Hands over a chunk of a streamed upload, when there is room; false when nobody wants it any more.
    pub(super) fn write(&mut self, id: u64, chunk: Bytes) -> impl Future<Output = NativeResult> + Send + use<> {
        let upload = self.table.lock().get(&id).and_then(|exchange| exchange.upload.clone());
        async move {
            let Some(upload) = upload else { return Ok(Value::Bool(false)) };
            Ok(Value::Bool(upload.send(chunk).await.is_ok()))
        }
    }

    /// The streamed upload is complete.
    pub(super) fn end(&mut self, id: u64) {
        if let Some(exchange) = self.table.lock().get_mut(&id) {
            exchange.upload_complete.store(true, Ordering::Release);
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

fn given_up() -> JsError {
    let message = "the body was given up: nobody read it while other requests waited for its connection";
    JsError::error(message).with("code", "ERR_UNREAD")
}

/// Builds the request; checks its host.
fn prepare(
    client: &FetchClient,
    outgoing: Outgoing,
    upload_source: Option<(mpsc::Receiver<Bytes>, Arc<AtomicBool>)>,
) -> Result<(reqwest::RequestBuilder, Url), JsError> {
    let Outgoing { method, url, headers, body } = outgoing;
    let url = Url::parse(&url).map_err(|error| JsError::error(format!("'{url}' is not a valid URL: {error}")))?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| JsError::error("the method is not a token"))?;
    let client = client.for_url(&url)?;
    let takes_body = method == Method::POST || method == Method::PUT;
    let mut request = client.request(method, url.clone()).headers(header_map(&headers)?);
    match (body, upload_source) {
        // The standard says so: servers may wait for a body that is not announced to be empty.
        (OutgoingBody::None, _) if takes_body => request = request.header(CONTENT_LENGTH, 0),
        (OutgoingBody::None, _) => {}
        (OutgoingBody::Whole(bytes), _) if bytes.is_empty() => request = request.header(CONTENT_LENGTH, 0),
        (OutgoingBody::Whole(bytes), _) => request = request.body(bytes),
        (OutgoingBody::Streamed, Some(source)) => {
            let chunks = stream::unfold(Some(source), async |source| {
                let (mut source, complete) = source?;
                match source.recv().await {
                    Some(chunk) => Some((Ok(chunk), Some((source, complete)))),
                    None if complete.load(Ordering::Acquire) => None,
                    None => Some((Err(io::Error::other("the upload was given up")), None)),
                }
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
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let appended = headers.try_append(name, value);
        appended.map_err(|_| JsError::range_error("the request has more headers than HTTP can carry"))?;
    }
    Ok(headers)
}

/// Keeps the response for its body to be read, when it has one, and describes it: `{ status, statusText, headers, hasBody }`.
fn accept(table: &Table, id: u64, response: reqwest::Response, slot: OwnedSemaphorePermit) -> NativeResult {
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
            exchange.response_stream = Some(exchange.share.open_stream()?);
            exchange.response = Response::Unread(Arc::new(tokio::sync::Mutex::new(Download::new(response, slot))));
        }
    } else {
        exchanges.remove(&id);
    }
    drop(exchanges);
    table.0.changed.notify_waiters();
    Ok(Value::Record(vec![
        ("status", Value::from(u32::from(status.as_u16()))),
        ("statusText", Value::String(status_text)),
        ("headers", Value::List(flat)),
        ("hasBody", Value::Bool(has_body)),
    ]))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
