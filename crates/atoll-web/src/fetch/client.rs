//! The HTTP client behind `fetch`, and how its errors look to guests.

use super::rules::NetRules;
use atoll_engine::JsError;
use atoll_http::{Tls, TlsError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time for name resolution, TCP and TLS together: longer than any healthy handshake, with TCP's retries at 1, 3 and
/// 7 seconds in it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections kept for each host: enough for a burst to be repeated, few enough for a worker with many hosts.
const IDLE_CONNECTIONS_PER_HOST: usize = 16;

/// How long a connection is kept idle: below the minute after which common servers and balancers close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// What requests say they come from, unless the guest says otherwise: one product token.
const USER_AGENT: &str = concat!("Atoll/", env!("CARGO_PKG_VERSION"));

/// Connections to the outside under one set of rules. Clones share the connections; it belongs on one executor thread,
/// whose runtime drives them. The clients are made for the first request: reading the system's certificates takes longer
/// than all else that a worker needs to start.
#[derive(Debug, Clone)]
pub struct FetchClient {
    rules: Arc<NetRules>,
    clients: Arc<OnceLock<Result<Clients, SetupError>>>,
}

#[derive(Debug)]
struct Clients {
    /// For hosts that the allow list names: connects wherever they resolve to.
    named: reqwest::Client,
    /// For all others: connects only to addresses that the rules admit.
    guarded: reqwest::Client,
    /// Why no server can be trusted, where the system has no certificates.
    trusts_nobody: Option<Arc<str>>,
}

/// Why the clients can't be made.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    /// The TLS provider can't be used.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] TlsError),
    /// The HTTP client refused its configuration.
    #[error("the HTTP client can't be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl Clients {
    fn new(rules: &Arc<NetRules>) -> Result<Self, SetupError> {
        let tls = Tls::of_system()?.with_http2();
        let named = builder(&tls).dns_resolver(Resolver { rules: None }).build()?;
        let guarded = builder(&tls).dns_resolver(Resolver { rules: Some(Arc::clone(rules)) }).build()?;
        Ok(Self { named, guarded, trusts_nobody: tls.trusts_nobody })
    }
}

impl FetchClient {
    /// A client that has connected to nothing yet.
    pub fn new(rules: NetRules) -> Self {
        Self { rules: Arc::new(rules), clients: Arc::default() }
    }

    /// The client for a URL's host and port, after the check of a host that is an address: those never reach the
    /// resolver.
    pub(super) fn for_url(&self, url: &reqwest::Url) -> Result<&reqwest::Client, JsError> {
        let clients = match self.clients.get_or_init(|| Clients::new(&self.rules)) {
            Ok(clients) => clients,
            Err(error) => return Err(JsError::error(error.to_string()).with("code", "ERR_NETWORK")),
        };
        if let Some(reason) = clients.trusts_nobody.as_ref().filter(|_| url.scheme() == "https") {
            return Err(JsError::error(format!("TLS can't be set up: {reason}")).with("code", "ERR_NETWORK"));
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if self.rules.names_host(host, port) {
            return Ok(&clients.named);
        }
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) | None => None,
        };
        match literal {
            Some(address) if !self.rules.admits(address) => Err(denied(url)),
            None if !self.rules.admits_some() => Err(denied(url)),
            _ => Ok(&clients.guarded),
        }
    }
}

fn builder(tls: &Tls) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.config.clone())
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .pool_idle_timeout(IDLE_TIMEOUT)
}

/// Resolves by the system; with rules, to those addresses alone that they admit.
struct Resolver {
    rules: Option<Arc<NetRules>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0))
                .await
                .map_err(|source| NotFound { host: host.to_owned(), source })?
                .collect();
            let admitted: Vec<SocketAddr> = match &rules {
                None => found.clone(),
                Some(rules) => found.iter().copied().filter(|address| rules.admits(address.ip())).collect(),
            };
            if admitted.is_empty() && !found.is_empty() {
                return Err(Denied { host: host.to_owned() }.into());
            }
            let addresses: Addrs = Box::new(admitted.into_iter());
            Ok(addresses)
        })
    }
}

/// The rules do not admit a host's addresses. Which addresses those are is not said: it would tell guests about the
/// network they must not see.
#[derive(Debug, Clone, thiserror::Error)]
#[error("connecting to {host} is not allowed")]
pub(super) struct Denied {
    host: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{host} can't be resolved")]
struct NotFound {
    host: String,
    source: std::io::Error,
}

/// The error that becomes the `cause` of a guest's TypeError: message, and a `code` in the style of Node.js.
pub(super) fn describe(error: &reqwest::Error, url: &reqwest::Url) -> JsError {
    let mut current: Option<&(dyn Error + 'static)> = Some(error);
    let mut innermost: &dyn Error = error;
    let mut timed_out = error.is_timeout();
    let mut io = None;
    let mut cut_off = false;
    while let Some(source) = current {
        if source.is::<Denied>() {
            return denied(url);
        }
        if let Some(not_found) = source.downcast_ref::<NotFound>() {
            return JsError::error(format!("getaddrinfo ENOTFOUND {}", not_found.host)).with("code", "ENOTFOUND");
        }
        if let Some(http) = source.downcast_ref::<hyper::Error>() {
            // The connection ended within a message: no fault of its encoding, whatever the decoder around it says.
            cut_off |= http.is_incomplete_message() || http.is_body_write_aborted() || error.is_decode();
        }
        if let Some(found) = source.downcast_ref::<std::io::Error>() {
            timed_out |= found.kind() == std::io::ErrorKind::TimedOut;
            io = Some(found.kind());
        }
        innermost = source;
        current = source.source();
    }
    let place = Place(url);
    let code = match io {
        _ if timed_out => "ETIMEDOUT",
        Some(std::io::ErrorKind::ConnectionRefused) => "ECONNREFUSED",
        Some(std::io::ErrorKind::ConnectionReset) => "ECONNRESET",
        Some(std::io::ErrorKind::HostUnreachable) => "EHOSTUNREACH",
        Some(std::io::ErrorKind::NetworkUnreachable) => "ENETUNREACH",
        _ if cut_off => "ECONNRESET",
        _ if error.is_connect() => "ERR_CONNECT",
        _ if error.is_decode() => "ERR_CONTENT_DECODING",
        _ => "ERR_NETWORK",
    };
    let message = if timed_out { format!("{place}: timed out") } else { format!("{place}: {innermost}") };
    JsError::error(message).with("code", code)
}

/// The error for an address that the rules deny.
fn denied(url: &reqwest::Url) -> JsError {
    let place = Place(url);
    JsError::error(format!("connecting to {place} is not allowed; start with --net allow={place} to allow it"))
        .with("code", "ERR_ACCESS_DENIED")
}

/// A URL's `host:port`.
struct Place<'a>(&'a reqwest::Url);

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(formatter, "{}:{port}", self.0.host_str().unwrap_or_default())
    }
}
