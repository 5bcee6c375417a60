//! One connection: HTTP/1.1 or HTTP/2, each request to its deployment.

use crate::access::AccessRecord;
use crate::answer;
use crate::bounds;
use crate::server::Shared;
use atoll_runtime::Pool;
use atoll_web::ResponseBody;
use http::uri::Authority;
use http::{Method, Request, Response};
use hyper::body::Incoming;
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

/// Header fields that the HTTP/1.1 parser takes without being told: room for more costs it an allocation for each request,
/// so it is asked for only where a deployment admits more.
const PARSED_HEADERS: usize = 100;

/// The longest head of an HTTP/2 request that is received at all, bytes as HTTP/2 counts them (RFC 9113, section 6.5.2):
/// what the largest limits on bytes and number of fields admit together. The parser of HTTP/1.1 stops at 400 KB by itself.
const HEAD_BYTES_MAX: u32 = (256 << 10) + 32 * 1024;

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
    let headers_max = shared.request_headers_max;
    let service = service_fn(move |request| {
        let (pool, shared) = (Rc::clone(&pool), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(answer_request(request, remote, &pool, &shared).await) }
    });
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if headers_max > PARSED_HEADERS {
        builder.http1().max_headers(headers_max);
    }
    builder.http2().timer(TokioTimer::new()).max_header_list_size(HEAD_BYTES_MAX);
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
    let host = requested_host(&head);
    // `OPTIONS *` concerns the server as a whole, which is to say every path of it.
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let target = if target.starts_with('/') { target.to_owned() } else { "/".to_owned() };
    let path = target.split('?').next().unwrap_or("/");
    let deployment = host.as_deref().and_then(|host| shared.routes.borrow().find(host, path).cloned());
    let (response, termination) = match (&host, &deployment) {
        _ if is_forbidden(&head.method) => (answer::method_not_supported(), None),
        (None, _) => (answer::bad_request("The request names no host."), None),
        (Some(host), None) => (answer::not_found(host), None),
        (Some(host), Some(deployment)) => {
            let url = format!("http://{host}{target}");
            match bounds::admit(head.headers, body, &deployment.app.limits) {
                Ok((request, overflow)) => match pool.fetch(deployment, &head.method, &url, request).await {
                    Ok(response) => (response, None),
                    Err(error) => {
                        shared.access_log.unanswered(&deployment.app.name, &error);
                        match overflow.met() {
                            Some(excess) => (answer::too_large(excess), None),
                            None => answer::from_error(&error),
                        }
                    }
                },
                Err(excess) => (answer::too_large(excess), None),
            }
        }
    };
    shared.access_log.record(&AccessRecord {
        remote,
        method: &head.method,
        host: host.as_deref().unwrap_or(""),
        target: &target,
        app: deployment.as_ref().map(|deployment| deployment.app.name.as_str()),
        status: response.status(),
        elapsed: started.elapsed(),
        termination,
    });
    response
}

/// Host and port as the request names them, if they can be part of a URL.
fn requested_host(head: &http::request::Parts) -> Option<String> {
    let named = head.uri.authority().map(Authority::as_str);
    let named = named.or_else(|| head.headers.get(http::header::HOST)?.to_str().ok())?;
    // A host that is no host would put its text elsewhere in the URL that the guest sees.
    let authority = named.parse::<Authority>().ok()?;
    (!named.contains('@') && !authority.host().is_empty()).then(|| named.to_owned())
}

/// Methods that no `Request` can have.
fn is_forbidden(method: &Method) -> bool {
    *method == Method::CONNECT || *method == Method::TRACE || method.as_str().eq_ignore_ascii_case("track")
}
