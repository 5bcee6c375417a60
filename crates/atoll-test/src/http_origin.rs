//! An HTTP origin on loopback, for tests of HTTP clients.
//!
//! | route | answer |
//! |---|---|
//! | `/echo` | JSON: `{ method, path, query, headers: [[name, value], …], body }`; `body` as text, malformed UTF-8 replaced |
//! | `/mirror` | the request's body and Content-Type, streamed back chunk by chunk as it arrives |
//! | `/status/N` | status N; the body is `status N` unless the status forbids one |
//! | `/redirect/N?status=S&to=URL` | N > 0: redirects (S, default 302) to `/redirect/N-1`, then to `to`, default `/echo` |
//! | `/slow?chunks=C&delay=MS` | C chunks `chunk K\n`, MS milliseconds before each |
//! | `/gzip`, `/deflate` | `{"compressed":true}` in that Content-Encoding |
//! | `/headers` | two `set-cookie`, an `x-multi` twice, a Latin-1 value, an empty value |
//! | `/drip?bytes=N` | N single bytes `x`, each in a chunk of its own |
//! | `/endless` | bytes without end |
//! | `/hang` | accepts the request and never answers |
//! | `/close` | closes the connection without an answer |
//! | `/close?after=N` | promises 1000 bytes, sends N, closes |
//! | `/requests` | how many requests and connections there were so far: `{ requests, connections, open }` |
//!
//! Everything else is 404. Connections are HTTP/1.1, or HTTP/2 with prior knowledge, and kept alive.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// What `/close?after=N` promises to send.
const PROMISED_BYTES: usize = 1000;

type Body = BoxBody<Bytes, io::Error>;

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
}

/// A running origin; it ends with its connections when this is dropped.
#[derive(Debug)]
pub struct HttpOrigin {
    address: SocketAddr,
    counts: Arc<Counts>,
    server: JoinHandle<()>,
}

impl HttpOrigin {
    /// Starts on a free port of 127.0.0.1; needs a tokio runtime.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let server = tokio::spawn(serve(listener, Arc::clone(&counts)));
        Ok(Self { address, counts, server })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered or begun so far.
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }
}

impl Drop for HttpOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Counts an open connection as long as it lives.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(listener: TcpListener, counts: Arc<Counts>) {
    // Connections end with the set, and the set with the server.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&counts));
        let counts = Arc::clone(&counts);
        // A response head that is written at once arrives at once: tests measure when chunks come.
        let _ = socket.set_nodelay(true);
        connections.spawn(async move {
            let _open = open;
            let service = service_fn(move |request| answer(request, Arc::clone(&counts)));
            // An error is a client that left or was sent away: the test's doing.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>, counts: Arc<Counts>) -> Result<Response<Body>, io::Error> {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path().to_owned();
    let query = parse_query(request.uri().query().unwrap_or_default());
    let number = |name: &str, otherwise: u64| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["echo"] => echo(request).await,
        ["mirror"] => {
            let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
            let mut response = Response::new(request.into_body().map_err(io::Error::other).boxed());
            if let Some(content_type) = content_type {
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            }
            Ok(response)
        }
        ["status", status] => {
            let status = status.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok());
            let status = status.unwrap_or(StatusCode::BAD_REQUEST);
            let bodiless = matches!(status.as_u16(), 100..=199 | 204 | 304);
            let body = if bodiless { empty() } else { full(format!("status {}", status.as_u16())) };
            Ok(with_status(status, body))
        }
        ["redirect", left] => Ok(redirect(left.parse().unwrap_or(0), &query)),
        ["slow"] => {
            let delay = Duration::from_millis(number("delay", 10));
            let chunks = stream::iter(0..number("chunks", 3)).then(move |index| async move {
                tokio::time::sleep(delay).await;
                Bytes::from(format!("chunk {index}\n"))
            });
            Ok(Response::new(streamed(chunks)))
        }
        ["gzip"] => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(br#"{"compressed":true}"#)?;
            Ok(encoded("gzip", encoder.finish()?))
        }
        ["deflate"] => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(br#"{"compressed":true}"#)?;
            Ok(encoded("deflate", encoder.finish()?))
        }
        ["headers"] => Ok(many_headers()),
        ["drip"] => {
            let bytes = stream::iter(0..number("bytes", 10)).map(|_| Bytes::from_static(b"x"));
            Ok(Response::new(streamed(bytes)))
        }
        ["endless"] => Ok(Response::new(streamed(stream::repeat(Bytes::from_static(&[b'.'; 16 * 1024]))))),
        ["hang"] => std::future::pending().await,
        ["close"] => match query.get("after").and_then(|after| after.parse::<usize>().ok()) {
            None => Err(io::Error::other("closed as asked")),
            Some(after) => {
                let sent = stream::iter([
                    Ok(Frame::data(Bytes::from(vec![b'x'; after]))),
                    Err(io::Error::other("closed as asked")),
                ]);
                // The error must not overtake the bytes.
                let sent = sent.then(|item| async move {
                    if item.is_err() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    item
                });
                let mut response = Response::new(BodyExt::boxed(StreamBody::new(sent)));
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(PROMISED_BYTES));
                Ok(response)
            }
        },
        ["requests"] => {
            let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let numbers = json!({
                "requests": load(&counts.requests),
                "connections": load(&counts.connections),
                "open": load(&counts.open),
            });
            Ok(json_response(&numbers))
        }
        _ => Ok(with_status(StatusCode::NOT_FOUND, full("there is no such route"))),
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let latin1 = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>();
    let headers: Vec<_> = head.headers.iter().map(|(name, value)| json!([name.as_str(), latin1(value)])).collect();
    Ok(json_response(&json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    })))
}

fn redirect(left: u64, query: &HashMap<String, String>) -> Response<Body> {
    let status = query.get("status").and_then(|status| status.parse().ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::FOUND);
    let target = query.get("to").map_or("/echo", String::as_str);
    let location = if left <= 1 {
        target.to_owned()
    } else {
        format!("/redirect/{}?status={}&to={target}", left - 1, status.as_u16())
    };
    let mut response = with_status(status, full("elsewhere"));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn many_headers() -> Response<Body> {
    let mut response = Response::new(full("headers"));
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1; Path=/"));
    headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2, still b"));
    headers.append("x-multi", HeaderValue::from_static("one"));
    headers.append("x-multi", HeaderValue::from_static("two"));
    if let Ok(latin1) = HeaderValue::from_bytes(b"caf\xe9") {
        headers.append("x-latin1", latin1);
    }
    headers.append("x-empty", HeaderValue::from_static(""));
    response
}

/// `a=b&c=d`; values are taken as they are.
fn parse_query(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn encoded(encoding: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn json_response(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn streamed(chunks: impl Stream<Item = Bytes> + Send + Sync + 'static) -> Body {
    BodyExt::boxed(StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))))
}
