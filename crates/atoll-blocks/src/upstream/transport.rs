//! The HTTP client beneath the stores.
//!
//! What is asked for comes as it is stored: nothing is decompressed, and compression is not asked for, since a range of
//! what a server compresses on the way is not a range of the object.
//!
//! Answers to requests for ranges are judged here, before the store sees them, so that all stores behave alike. What a
//! refusal says is read only as far as a person would.

use super::answer::{Answer, Unusable, asked_range, judge};
use async_trait::async_trait;
use atoll_http::{BadProxy, Proxies, Tls};
use bytes::{Buf, Bytes};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};
use http::uri::Scheme;
use http::{Method, StatusCode, response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use object_store::client::{HttpResponseBody, HttpService};
use reqwest::Client;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long a connection may take to be made: what S3's guide for requests that wait advises, in round numbers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections that are kept for each host: as many as the scheduler has requests.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// Bytes that are read of what a server says beside a refusal.
const REASON_BYTES_MAX: usize = 4096;

/// One client for a store and what gives it its credentials.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: Client,
    /// Why TLS can't be: it is an error where TLS is wanted.
    no_tls: Option<Arc<str>>,
}

impl Transport {
    /// # Errors
    /// A text that says which proxy's address is no URL, or that there can't be a client.
    pub(super) fn new(proxies: &Proxies) -> Result<Self, String> {
        let Tls { config, trusts_nobody: no_tls } = Tls::of_system().map_err(|error| error.to_string())?;
        let proxies = proxies.parse().map_err(|BadProxy { scheme }| {
            format!("the proxy's address in {}_PROXY is not a URL", scheme.to_ascii_uppercase())
        })?;
        let client = atoll_http::client(config, proxies)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, no_tls })
    }

    async fn send(&self, request: HttpRequest) -> Result<(response::Parts, reqwest::Body), HttpError> {
        let (parts, body) = request.into_parts();
        if let Some(reason) = self.no_tls.as_ref().filter(|_| parts.uri.scheme() == Some(&Scheme::HTTPS)) {
            return Err(HttpError::new(HttpErrorKind::Connect, NoTls(Arc::clone(reason))));
        }
        let mut request = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request = match body.as_bytes() {
            Some(bytes) if bytes.is_empty() => request,
            Some(bytes) => request.body(bytes.clone()),
            None => request.body(reqwest::Body::wrap(body)),
        };
        Ok(http::Response::from(request.send().await.map_err(broken)?).into_parts())
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let range = request.headers().get(RANGE).filter(|_| request.method() == Method::GET);
        let asked = range.and_then(|range| asked_range(range.to_str().ok()?));
        let (mut parts, body) = self.send(request).await?;
        let Some(asked) = asked else {
            let body = if parts.status.is_success() {
                HttpResponseBody::new(body.map_err(broken))
            } else {
                parts.headers.remove(CONTENT_LENGTH);
                reason(body).await.into()
            };
            return Ok(HttpResponse::from_parts(parts, body));
        };
        match judge(&asked, parts.status, &parts.headers) {
            Ok(Answer::Part { size }) => {
                describe(&mut parts, asked.start, asked.end.min(size), size);
                Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(broken))))
            }
            Ok(Answer::Whole { size }) => {
                let end = asked.end.min(size);
                describe(&mut parts, asked.start, end, size);
                let part = Part { body, before: asked.start, left: end - asked.start };
                Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(part)))
            }
            Err(Unusable::Status { status, retry_after, .. }) => {
                let reason = if status == parts.status { reason(body).await } else { String::new() };
                Err(HttpError::new(HttpErrorKind::Unknown, Unusable::Status { status, retry_after, reason }))
            }
            Err(unusable) => Err(HttpError::new(HttpErrorKind::Unknown, unusable)),
        }
    }
}

/// Says in the head what the store wants to find there.
fn describe(parts: &mut response::Parts, start: u64, end: u64, size: u64) {
    parts.status = StatusCode::PARTIAL_CONTENT;
    let range = format!("bytes {start}-{}/{size}", end - 1);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    parts.headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("digits are a header's value"));
}

/// What is wanted of the body of a whole object. What lies behind is not read.
struct Part {
    body: reqwest::Body,
    before: u64,
    left: u64,
}

impl Body for Part {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        while self.left > 0 {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { break };
            let Ok(mut bytes) = frame.map_err(broken)?.into_data() else { continue };
            let skipped = self.before.min(bytes.len() as u64);
            bytes.advance(skipped as usize);
            self.before -= skipped;
            bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !bytes.is_empty() {
                self.left -= bytes.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }
}

/// What a server says beside a refusal, in one line.
async fn reason(mut body: reqwest::Body) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < REASON_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
    }
    bytes.truncate(REASON_BYTES_MAX);
    String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A URL may have secrets in its query, and does not belong into errors.
fn broken(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Unknown };
    HttpError::new(kind, error.without_url())
}

/// TLS is wanted, and there is none.
#[derive(Debug, thiserror::Error)]
#[error("there can't be a connection by TLS: {0}")]
struct NoTls(Arc<str>);
