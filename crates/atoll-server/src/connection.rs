//! One connection: HTTP/1.1 or HTTP/2, each request to its deployment.

use crate::access::AccessRecord;
use crate::answer;
use crate::server::Shared;
use atoll_runtime::Pool;
use atoll_web::{BodyError, IncomingRequest, RequestBody, ResponseBody};
use futures_util::{StreamExt, TryStreamExt};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long a client may take to send a request's head, so that slow ones can't hold connections for ever.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs futures of HTTP/2 streams on the thread's own `LocalSet`.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Serves a connection in a task of its own, until it ends or `connections` shuts down.
pub(crate) fn spawn(
    stream: TcpStream,
    remote: SocketAddr,
    pool: Rc<Pool>,
    shared: Arc<Shared>,
    connections: &GracefulShutdown,
) {
    // Without it a response in two writes waits for the client's delayed acknowledgement. Failing costs only that.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (pool, shared) = (Rc::clone(&pool), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(answer_request(request, remote, &pool, &shared).await) }
    });
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let watched = connections.watch(connection);
    tokio::task::spawn_local(async move {
        // A broken connection is the client's affair, and a guest's if it asked for `request.signal`.
        let _ = watched.await;
    });
}

async fn answer_request(
    request: Request<Incoming>,
    remote: SocketAddr,
    pool: &Rc<Pool>,
    shared: &Shared,
) -> Response<ResponseBody> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let host = head.uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| {
        let host = head.headers.get(http::header::HOST)?;
        Some(host.to_str().ok()?.to_owned())
    });
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (response, termination) = match &host {
        None => (answer::bad_request("the request names no host"), None),
        Some(host) => {
            let deployment = shared.routes.borrow().find(host).cloned();
            match deployment {
                None => (answer::not_found(host), None),
                Some(deployment) => {
                    let url = format!("http://{host}{target}");
                    let body = request_body(body, shared.max_request_body_bytes);
                    let request = IncomingRequest { headers: head.headers, body };
                    let outcome = pool.fetch(&deployment, &head.method, &url, request).await;
                    answer::from_outcome(outcome)
                }
            }
        }
    };
    if let Some(log) = &shared.access_log {
        log.record(&AccessRecord {
            remote,
            method: &head.method,
            host: host.as_deref().unwrap_or(""),
            target: &target,
            status: response.status(),
            elapsed: started.elapsed(),
            termination,
        });
    }
    response
}

/// The body as the guest reads it: chunk by chunk when it asks, at most `limit_bytes` in all.
fn request_body(body: Incoming, limit_bytes: u64) -> Option<RequestBody> {
    if body.is_end_stream() {
        return None;
    }
    let mut left = limit_bytes;
    let chunks = body.into_data_stream().map_err(|_| BodyError::Disconnected).map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len() as u64).ok_or(BodyError::TooLong { limit_bytes })?;
        Ok(chunk)
    });
    Some(RequestBody::new(chunks))
}
