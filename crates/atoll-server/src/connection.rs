//! One connection: HTTP/1.1 or HTTP/2, each request to its deployment.

use crate::access::AccessRecord;
use crate::answer;
use crate::bounds::{self, Admitted, Overflow};
use crate::route::LocalRoutes;
use crate::server::Shared;
use crate::socket::Socket;
use crate::timer::ConnectionTimer;
use atoll_engine::Termination;
use atoll_runtime::{Answer, App, Pool};
use atoll_web::{RequestUrl, ResponseBody};
use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::Service;
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

/// Runs futures of HTTP/2 streams on the thread that has the connection.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// What the connections of one thread have in common.
pub(crate) struct Local {
    pub(crate) pool: Rc<Pool>,
    pub(crate) routes: LocalRoutes,
    pub(crate) shared: Arc<Shared>,
}

/// Serves a connection in a task of its own, until it ends or `connections` shuts down.
pub(crate) fn spawn(stream: TcpStream, remote: SocketAddr, local: Rc<Local>, connections: &GracefulShutdown) {
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(ConnectionTimer::default()).header_read_timeout(HEAD_TIMEOUT);
    if local.shared.request_headers_max > PARSED_HEADERS {
        builder.http1().max_headers(local.shared.request_headers_max);
    }
    builder.http2().max_header_list_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(Socket::new(stream), Answerer { remote, local }).into_owned();
    let watched = connections.watch(connection);
    tokio::task::spawn_local(async move {
        // A broken connection is the client's affair, and a guest's if it asked for `request.signal`.
        let _ = watched.await;
    });
}

/// Answers the requests of one connection.
struct Answerer {
    remote: SocketAddr,
    local: Rc<Local>,
}

type Answered = Result<Response<ResponseBody>, Infallible>;

impl Service<Request<Incoming>> for Answerer {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    /// Most requests are answered at once. Then the future is no more than the response, which costs less to move than
    /// what it takes to wait for one.
    type Future = Either<Ready<Answered>, LocalBoxFuture<'static, Answered>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Local { pool, routes, shared } = &*self.local;
        let (head, body) = request.into_parts();
        let logged = shared.access_log.is_on().then(|| Logged::new(&head, self.remote));
        let routes = routes.current();
        let host = requested_host(&head);
        let target = requested_target(&head.uri);
        let deployment = host.as_ref().and_then(|host| routes.find(host.to_str().ok()?, target.path()));
        let admitted = match (host, deployment) {
            _ if is_forbidden(&head.method) => Err(answer::method_not_supported()),
            (None, _) => Err(answer::bad_request("The request names no host.")),
            (Some(host), None) => Err(answer::not_found(host.to_str().unwrap_or(""))),
            (Some(host), Some(deployment)) => {
                let url = RequestUrl::Parts { scheme: "http", authority: host, target };
                let admitted = bounds::admit(head, url, body, &deployment.app.limits);
                admitted.map(|admitted| (deployment, admitted)).map_err(answer::too_large)
            }
        };
        let (deployment, Admitted { mut request, short, overflow }) = match admitted {
            Ok(admitted) => admitted,
            Err(response) => {
                let metrics = deployment.map_or(&shared.metrics.unrouted, |deployment| &deployment.app.metrics);
                metrics.responded(response.status());
                if let Some(logged) = logged {
                    logged.record(shared, deployment.map(|deployment| &*deployment.app), &response, None);
                }
                return Either::Left(ready(Ok(response)));
            }
        };
        let answering = match short {
            None => shared.lanes.fetch(pool, deployment, request),
            Some(short) => {
                let (local, deployment) = (Rc::clone(&self.local), deployment.clone());
                let answering = async move {
                    request.body = Some(short.await);
                    local.shared.lanes.fetch(&local.pool, &deployment, request).await
                };
                Either::Right(answering.boxed_local())
            }
        };
        match answering {
            Either::Left(answer) => {
                let response = conclude(shared, &deployment.app, logged, &overflow, answer.into_inner());
                Either::Left(ready(Ok(response)))
            }
            Either::Right(waiting) => {
                let (local, app) = (Rc::clone(&self.local), Arc::clone(&deployment.app));
                let answered = waiting.map(move |answer| Ok(conclude(&local.shared, &app, logged, &overflow, answer)));
                Either::Right(answered.boxed_local())
            }
        }
    }
}

/// What the client gets for what the pool gave; the log hears of it.
fn conclude(
    shared: &Shared,
    app: &App,
    logged: Option<Logged>,
    overflow: &Overflow,
    answer: Answer,
) -> Response<ResponseBody> {
    let (response, termination) = match answer {
        Ok(response) => (response, None),
        Err(error) => {
            shared.access_log.unanswered(&app.name, &error);
            app.metrics.unanswered(&error);
            match overflow.met() {
                Some(excess) => (answer::too_large(excess), None),
                None => answer::from_error(&error),
            }
        }
    };
    app.metrics.responded(response.status());
    if let Some(logged) = logged {
        logged.record(shared, Some(app), &response, termination);
    }
    response
}

/// What the log shows of a request; kept only for a log that shows it.
struct Logged {
    started: Instant,
    remote: SocketAddr,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
}

impl Logged {
    fn new(head: &Parts, remote: SocketAddr) -> Self {
        let (method, uri) = (head.method.clone(), head.uri.clone());
        Self { started: Instant::now(), remote, method, uri, host: requested_host(head) }
    }

    fn record(
        self,
        shared: &Shared,
        app: Option<&App>,
        response: &Response<ResponseBody>,
        termination: Option<Termination>,
    ) {
        shared.access_log.record(&AccessRecord {
            remote: self.remote,
            method: &self.method,
            host: self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or(""),
            target: requested_target(&self.uri).as_str(),
            app: app.map(|app| app.name.as_str()),
            status: response.status(),
            elapsed: self.started.elapsed(),
            termination,
        });
    }
}

/// Host and port as the request names them, if they can be part of a URL.
fn requested_host(head: &Parts) -> Option<HeaderValue> {
    let named = match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok()?,
        None => head.headers.get(http::header::HOST)?.clone(),
    };
    is_host(named.to_str().ok()?).then_some(named)
}

/// A host that is no host would put its text elsewhere in the URL that the guest sees.
fn is_host(named: &str) -> bool {
    // Names, IPv4 addresses, ports: what needs no closer look.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let (name, port) = named.split_once(':').unwrap_or((named, "0"));
    if !name.is_empty() && name.bytes().all(is_plain) && port.parse::<u16>().is_ok() {
        return true;
    }
    let Ok(authority) = named.parse::<Authority>() else { return false };
    let port = authority.as_str().strip_prefix(authority.host());
    let is_port =
        |port: &str| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    !named.contains('@') && !authority.host().is_empty() && port.is_some_and(is_port)
}

/// Path and query. `OPTIONS *` concerns the server as a whole, which is to say every path of it.
fn requested_target(uri: &Uri) -> PathAndQuery {
    match uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => target.clone(),
        _ => PathAndQuery::from_static("/"),
    }
}

/// Methods that no `Request` can have.
fn is_forbidden(method: &Method) -> bool {
    *method == Method::CONNECT || *method == Method::TRACE || method.as_str().eq_ignore_ascii_case("track")
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_perhaps() {
        for host in ["a.example", "a.example:80", "127.0.0.1:8080", "[::1]:80", "localhost"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", ":80", "a@b", "a/b", "a?b", "a.example:port", "a b", "a.example:99999"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
