//! What requests go through, set up with the first of them.
//!
//! An installation whose packages are all in the store asks nobody anything. It has no use for the system's certificates
//! (reading them takes longer than planning a tree), for connections, or for threads that drive them. So neither the HTTP
//! client nor its threads exist before a request does.
//!
//! The threads are a runtime of their own: encryption and decompression then use several processors although the caller's
//! runtime is usually a single thread.

use std::{future::Future, pin::pin, sync::Arc, sync::OnceLock, task::Poll};

use reqwest::{Client, NoProxy, Proxy, redirect};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use super::{Network, REQUESTS_MAX, RegistryError, connecting::NoteConnections, dns, http_text};
use crate::{threads, waits::Waits};

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Transport {
    network: Network,
    waits: Waits,
    proxies: Vec<Proxy>,
    http: OnceLock<Client>,
    /// `None` when there are no threads to be had; the caller's runtime then does it all.
    runtime: OnceLock<Option<Runtime>>,
}

impl Transport {
    /// # Errors
    /// When a proxy's address is none.
    pub(super) fn new(network: &Network, waits: &Waits) -> Result<Self, RegistryError> {
        let (http, runtime) = (OnceLock::new(), OnceLock::new());
        let (waits, proxies) = (waits.clone(), proxies(network)?);
        Ok(Self { network: network.clone(), waits, proxies, http, runtime })
    }

    /// The client.
    ///
    /// # Errors
    /// When TLS cannot be set up, for instance because the system has no root certificates.
    pub(super) fn http(&self) -> Result<&Client, RegistryError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let mut http = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .http1_only()
            .user_agent(concat!("atoll/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.network.connection())
            .connector_layer(NoteConnections(self.waits.clone()))
            .read_timeout(self.network.stall)
            .dns_resolver(Arc::new(dns::Lookup::new(self.network.connect, self.waits.clone())))
            .pool_max_idle_per_host(REQUESTS_MAX)
            .redirect(redirect::Policy::custom(follow))
            // Bodies are hashed and kept as they are sent, and decompressed on other threads than the one that asks.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .no_proxy();
        for proxy in &self.proxies {
            http = http.proxy(proxy.clone());
        }
        let http = http.build().map_err(|error| RegistryError::Tls(error.to_string()))?;
        Ok(self.http.get_or_init(|| http))
    }

    /// Polls `future`, which makes requests, where the client's threads are: what it starts, they go on with.
    pub(super) async fn within<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| -> Poll<F::Output> {
            let _inside = self.runtime().map(Runtime::enter);
            future.as_mut().poll(context)
        })
        .await
    }

    /// Has `future`, which makes requests, polled by the client's threads: the connections are theirs, so between a request's
    /// beginning and its result nobody else is woken. It ends when the caller does not wait any more.
    pub(super) async fn spawn<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> F::Output {
        let Some(runtime) = self.runtime() else { return future.await };
        // A set of one: unlike a task, it ends what is in it when it is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(future, runtime.handle());
        match task.join_next().await {
            Some(ended) => threads::result(ended).await,
            None => std::future::pending().await,
        }
    }

    fn runtime(&self) -> Option<&Runtime> {
        let start = || {
            let workers = threads::count();
            Builder::new_multi_thread().worker_threads(workers).thread_name("network").enable_all().build().ok()
        };
        self.runtime.get_or_init(start).as_ref()
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take().flatten() {
            // What still downloads is of no use any more, and waiting for it would hold the caller's runtime up.
            runtime.shutdown_background();
        }
    }
}

fn proxies(network: &Network) -> Result<Vec<Proxy>, RegistryError> {
    let exceptions = network.no_proxy.as_deref().and_then(NoProxy::from_string);
    let http = network.http_proxy.as_deref().map(|url| (url, Proxy::http(url)));
    let https = network.https_proxy.as_deref().map(|url| (url, Proxy::https(url)));
    let made = [http, https].into_iter().flatten().map(|(url, proxy)| match proxy {
        Ok(proxy) => Ok(proxy.no_proxy(exceptions.clone())),
        Err(_) => Err(RegistryError::BadProxy { url: http_text(url) }),
    });
    made.collect()
}

/// Root certificates of the system, verified by rustls with ring.
fn tls() -> Result<rustls::ClientConfig, RegistryError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let fail = |error: rustls::Error| RegistryError::Tls(error.to_string());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(fail)?;
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fail)?
        .dangerous() // "Dangerous" is any verifier of one's own; this one is the platform's.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Follows a redirect unless it would go on for ever or drop encryption. Credentials are dropped by the client when the
/// origin changes.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("too many redirects");
    }
    let was_encrypted = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if was_encrypted && attempt.url().scheme() != "https" {
        return attempt.error("a redirect from https to http");
    }
    attempt.follow()
}
