//! What the operator's monitoring reads: `GET /metrics`, in Prometheus' text format, on an address of its own.
//!
//! No guest is reachable there and no guest's thread works for it: a thread of its own waits for whoever asks, adds up what
//! deployments have counted, and asks the threads that serve what their pools hold.

mod exposition;

use atoll_runtime::{Metrics, PoolReport};
use exposition::Exposition;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// Connections at a time: monitoring has a few, each with one request now and then.
const CONNECTIONS_MAX: usize = 16;

/// How long a client may take to send a request's head, and an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a thread that serves has to say what its pool holds. One that computes for a guest answers when it is done with
/// that; Prometheus waits ten seconds by default.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long accepting pauses when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where metrics can be read.
#[derive(Debug)]
pub(crate) struct Endpoint {
    metrics: Arc<Metrics>,
    /// What pools said last, for those that say nothing now.
    last: Mutex<Vec<PoolReport>>,
}

impl Endpoint {
    /// Serves in a thread of its own, for as long as the process lives.
    pub(crate) fn start(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<()> {
        let endpoint = Arc::new(Self { metrics, last: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("atoll-metrics".to_owned());
        thread.spawn(move || LocalSet::new().block_on(&runtime, endpoint.serve(listener)))?;
        Ok(())
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let endpoint = Arc::clone(&self);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| {
                    let endpoint = Arc::clone(&endpoint);
                    async move { Ok::<_, Infallible>(endpoint.answer(&request).await) }
                });
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                // A broken connection is the client's affair.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                drop(place);
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            return text(StatusCode::NOT_FOUND, "Metrics are at /metrics.\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Metrics can be read only.\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match self.exposition().await.encode() {
            Ok(metrics) => {
                let mut response = Response::new(Full::from(metrics));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::CONTENT_TYPE));
                response
            }
            Err(std::fmt::Error) => text(StatusCode::INTERNAL_SERVER_ERROR, "Metrics can't be written.\n"),
        }
    }

    async fn exposition(&self) -> Exposition {
        let asked = self.metrics.pools(PATIENCE).await;
        let computing = asked.iter().filter(|report| report.is_none()).count();
        let threads = asked.len();
        let pools = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.resize_with(threads, PoolReport::default);
            for (known, report) in last.iter_mut().zip(asked) {
                if let Some(report) = report {
                    *known = report;
                }
            }
            last.clone()
        };
        Exposition {
            apps: self.metrics.apps(),
            metrics: Arc::clone(&self.metrics),
            pools,
            threads,
            computing,
            resident_bytes: atoll_sys::memory::resident_bytes().ok(),
        }
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
