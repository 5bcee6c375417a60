//! A package registry on loopback: real HTTP, packages made in memory, and faults on demand.
//!
//! The server runs on a thread of its own, so that blocking tests and child processes can use it. Every request is
//! recorded. Packuments carry an `ETag` and are answered with 304 when it matches. A fault is armed for the requests
//! whose path contains a text, for a number of times.

mod package;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use package::Packed;
pub use package::{Entry, EntryKind, Package, gzip, sha1_integrity, sha512_integrity};

/// A running registry; dropping it stops it.
#[derive(Debug)]
pub struct NpmRegistry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Path as sent, percent-encoding included.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
}

impl Recorded {
    /// A header's value, where there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What goes wrong with an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with this status and a short text.
    Status(u16),
    /// Flips one bit in the middle of the body.
    Corrupt,
    /// Announces the whole body and closes the connection after this many bytes.
    Truncate(usize),
    /// Announces the whole body, sends this many bytes, then nothing, and keeps the connection open.
    Stall(usize),
    /// Answers correctly, but this much later.
    Delay(Duration),
    /// Sends the client elsewhere (302).
    Redirect(String),
    /// Answers 200 with these bytes.
    Body(Vec<u8>),
    /// Answers correctly, and says that the content has this encoding, as some servers do of files that are compressed.
    Encoding(&'static str),
    /// Answers correctly, but does not say beforehand how long the body is (`Transfer-Encoding: chunked`).
    Chunked,
}

#[derive(Debug, Default)]
struct State {
    packages: BTreeMap<String, Published>,
    requests: Vec<Recorded>,
    answering: usize,
    answering_peak: usize,
    faults: Vec<(String, Fault, usize)>,
    token: Option<String>,
}

#[derive(Debug, Default)]
struct Published {
    versions: Vec<Packed>,
    tags: BTreeMap<String, String>,
}

impl NpmRegistry {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine gives no port or no thread.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("a bound address");
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("npm-registry".to_owned())
            .spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
                runtime.block_on(async move {
                    let listener = TcpListener::from_std(listener).expect("a listener");
                    tokio::select! {
                        () = accept(listener, served, address) => {}
                        _ = stopped => {}
                    }
                });
            })
            .expect("a thread");
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Its URL, with a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Host and port, as an `.npmrc` names them.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Publishes a version. `latest` moves to it. The same name and version again replaces what was there.
    pub fn publish(&self, package: &Package) {
        let packed = Packed::new(package);
        let mut state = self.state();
        let published = state.packages.entry(package.name.clone()).or_default();
        published.versions.retain(|other| other.version != packed.version);
        published.tags.insert("latest".to_owned(), packed.version.clone());
        published.versions.push(packed);
    }

    /// Points a dist-tag at a version.
    pub fn tag(&self, name: &str, tag: &str, version: &str) {
        let mut state = self.state();
        state.packages.entry(name.to_owned()).or_default().tags.insert(tag.to_owned(), version.to_owned());
    }

    /// Arms a fault for the next `times` requests whose path contains `path_part`.
    pub fn fail(&self, path_part: &str, fault: Fault, times: usize) {
        self.state().faults.push((path_part.to_owned(), fault, times));
    }

    /// From now on answers 401 unless the request carries `Authorization: Bearer <token>`.
    pub fn require_token(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// Number of requests so far whose path contains `path_part`.
    pub fn count(&self, path_part: &str) -> usize {
        self.state().requests.iter().filter(|request| request.path.contains(path_part)).count()
    }

    /// The largest number of requests so far that were being answered at once.
    pub fn requests_at_once(&self) -> usize {
        self.state().answering_peak
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        let mut state = self.state();
        state.requests.clear();
        state.answering_peak = state.answering;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NpmRegistry {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, address: SocketAddr) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(Arc::clone(&state), address, request));
            // A client that goes away, or a fault that cuts the connection, ends here; neither is the server's error.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let _answering = Answering::begin(&state);
    let (fault, reply) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.push(Recorded { path: path.clone(), headers: request.headers().clone() });
        (state.take_fault(&path), state.reply(address, &path, request.headers()))
    };
    Ok(match fault {
        None => reply.send(),
        Some(fault) => reply.send_with(fault).await,
    })
}

/// A request that has no answer yet, and counts as such until this is dropped.
struct Answering(Arc<Mutex<State>>);

impl Answering {
    fn begin(state: &Arc<Mutex<State>>) -> Self {
        let mut locked = state.lock().unwrap_or_else(PoisonError::into_inner);
        locked.answering += 1;
        locked.answering_peak = locked.answering_peak.max(locked.answering);
        Self(Arc::clone(state))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answering -= 1;
    }
}

/// An answer before it is sent.
struct Reply {
    status: StatusCode,
    headers: Vec<(header::HeaderName, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn text(status: StatusCode, text: &str) -> Self {
        Self { status, headers: Vec::new(), body: json!({ "error": text }).to_string().into_bytes() }
    }

    fn send(self) -> Response<Body> {
        let length = self.body.len();
        let body = BodyExt::boxed(http_body_util::Full::new(Bytes::from(self.body)).map_err(|never| match never {}));
        respond(self.status, &self.headers, Some(length), body)
    }

    async fn send_with(mut self, fault: Fault) -> Response<Body> {
        match fault {
            Fault::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Self::text(status, "as the test asked").send()
            }
            Fault::Corrupt => {
                let middle = self.body.len() / 2;
                if let Some(byte) = self.body.get_mut(middle) {
                    *byte ^= 0x10;
                }
                self.send()
            }
            Fault::Truncate(bytes) => self.cut(bytes, false),
            Fault::Stall(bytes) => self.cut(bytes, true),
            Fault::Delay(duration) => {
                tokio::time::sleep(duration).await;
                self.send()
            }
            Fault::Redirect(location) => {
                let mut reply = Self::text(StatusCode::FOUND, "elsewhere");
                reply.headers.push((header::LOCATION, location));
                reply.send()
            }
            Fault::Encoding(encoding) => {
                self.headers.push((header::CONTENT_ENCODING, encoding.to_owned()));
                self.send()
            }
            Fault::Body(body) => Self { status: StatusCode::OK, headers: Vec::new(), body }.send(),
            Fault::Chunked => {
                let frames = stream::iter([Ok(Frame::data(Bytes::from(self.body)))]);
                respond(self.status, &self.headers, None, BodyExt::boxed(StreamBody::new(frames)))
            }
        }
    }

    /// The announced length is the whole body's; after `bytes` of it the body fails, or never goes on.
    fn cut(self, bytes: usize, stall: bool) -> Response<Body> {
        let length = self.body.len();
        let start = Bytes::copy_from_slice(&self.body[..bytes.min(length)]);
        let frames = stream::unfold(Some(start), move |next| async move {
            match next {
                Some(start) => Some((Ok(Frame::data(start)), None)),
                None if stall => std::future::pending().await,
                // Hyper flushes what it has only when the body is not ready: without this pause the client may see nothing.
                None => {
                    tokio::time::sleep(CUT_AFTER).await;
                    Some((Err(std::io::Error::other("cut")), None))
                }
            }
        });
        respond(self.status, &self.headers, Some(length), BodyExt::boxed(StreamBody::new(Box::pin(frames))))
    }
}

/// How long a truncated answer's bytes have to reach the client before the connection closes.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// An answer that says how long its body is, if that is known.
fn respond(
    status: StatusCode,
    headers: &[(header::HeaderName, String)],
    length: Option<usize>,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header made by the registry"));
    }
    if let Some(length) = length.filter(|_| status != StatusCode::NOT_MODIFIED) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

impl State {
    fn take_fault(&mut self, path: &str) -> Option<Fault> {
        let index = self.faults.iter().position(|(part, _, times)| *times > 0 && path.contains(part.as_str()))?;
        self.faults[index].2 -= 1;
        Some(self.faults[index].1.clone())
    }

    fn reply(&self, address: SocketAddr, path: &str, headers: &HeaderMap) -> Reply {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(token) = &self.token
            && authorization != Some(format!("Bearer {token}").as_str())
        {
            return Reply::text(StatusCode::UNAUTHORIZED, "a token is needed");
        }
        let path = path.trim_start_matches('/').replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
        match path.split_once("/-/") {
            Some((name, file)) => self.tarball(name, file),
            None => self.packument(address, &path, headers),
        }
    }

    fn tarball(&self, name: &str, file: &str) -> Reply {
        let found = self
            .packages
            .get(name)
            .and_then(|published| published.versions.iter().find(|packed| tarball_file(name, &packed.version) == file));
        match found {
            Some(packed) => Reply {
                status: StatusCode::OK,
                headers: vec![(header::CONTENT_TYPE, "application/octet-stream".to_owned())],
                body: packed.tarball.to_vec(),
            },
            None => Reply::text(StatusCode::NOT_FOUND, "no such tarball"),
        }
    }

    fn packument(&self, address: SocketAddr, name: &str, headers: &HeaderMap) -> Reply {
        let Some(published) = self.packages.get(name).filter(|published| !published.versions.is_empty()) else {
            return Reply::text(StatusCode::NOT_FOUND, "no such package");
        };
        let versions: Map<String, Value> = published
            .versions
            .iter()
            .map(|packed| {
                let url = format!("http://{address}/{name}/-/{}", tarball_file(name, &packed.version));
                (packed.version.clone(), packed.document(&url))
            })
            .collect();
        let document = json!({ "name": name, "dist-tags": published.tags, "versions": versions });
        let body = document.to_string().into_bytes();
        let etag = format!("\"{}\"", &sha1_integrity(&body)[5..]);
        if headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str()) {
            let headers = vec![(header::ETAG, etag)];
            return Reply { status: StatusCode::NOT_MODIFIED, headers, body: Vec::new() };
        }
        let mut reply_headers =
            vec![(header::ETAG, etag), (header::CONTENT_TYPE, "application/vnd.npm.install-v1+json".to_owned())];
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        if !accepted.is_some_and(|accepted| accepted.contains("gzip")) {
            return Reply { status: StatusCode::OK, headers: reply_headers, body };
        }
        reply_headers.push((header::CONTENT_ENCODING, "gzip".to_owned()));
        Reply { status: StatusCode::OK, headers: reply_headers, body: gzip(&body) }
    }
}

fn tarball_file(name: &str, version: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or(name);
    format!("{base}-{version}.tgz")
}
