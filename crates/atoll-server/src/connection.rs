//! One connection: HTTP/1.1 or HTTP/2, each request to its deployment.

use crate::access::AccessRecord;
use crate::answer;
use crate::bounds;
use crate::server::Shared;
use crate::timer::LazyTimer;
use atoll_engine::Termination;
use atoll_runtime::Pool;
use atoll_web::{RequestUrl, ResponseBody};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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
    builder.http1().timer(LazyTimer).header_read_timeout(HEAD_TIMEOUT);
    if headers_max > PARSED_HEADERS {
        builder.http1().max_headers(headers_max);
    }
    builder.http2().timer(LazyTimer).max_header_list_size(HEAD_BYTES_MAX);
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
    // What the log shows of the request is kept only for a log that shows it.
    let logged = shared.access_log.is_on().then(|| (Instant::now(), request.method().clone(), request.uri().clone()));
    let (head, body) = request.into_parts();
    let host = requested_host(&head);
    let name = host.as_ref().and_then(|host| host.to_str().ok());
    let target = requested_target(&head.uri);
    let deployment = name.and_then(|host| shared.routes.borrow().find(host, target.path()).cloned());
    let (response, termination): (_, Option<Termination>) = match (&host, &deployment) {
        _ if is_forbidden(&head.method) => (answer::method_not_supported(), None),
        (None, _) => (answer::bad_request("The request names no host."), None),
        (Some(_), None) => (answer::not_found(name.unwrap_or("")), None),
        (Some(host), Some(deployment)) => {
            let url = RequestUrl::Parts { scheme: "http", authority: host.clone(), target };
            match bounds::admit(head, url, body, &deployment.app.limits) {
                Ok((request, overflow)) => match shared.lanes.fetch(pool, deployment, request).await {
                    Ok(response) => (response, None),
                    Err(error) => {
                        shared.access_log.unanswered(&deployment.app.name, &error);
                        deployment.app.metrics.unanswered(&error);
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
    let metrics = deployment.as_ref().map_or(&shared.metrics.unrouted, |deployment| &deployment.app.metrics);
    metrics.responded(response.status());
    if let Some((started, method, uri)) = logged {
        shared.access_log.record(&AccessRecord {
            remote,
            method: &method,
            host: name.unwrap_or(""),
            target: requested_target(&uri).as_str(),
            app: deployment.as_ref().map(|deployment| deployment.app.name.as_str()),
            status: response.status(),
            elapsed: started.elapsed(),
            termination,
        });
    }
    response
}

/// Host and port as the request names them, if they can be part of a URL.
fn requested_host(head: &http::request::Parts) -> Option<HeaderValue> {
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
fn requested_target(uri: &http::Uri) -> PathAndQuery {
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
