//! What requests go through, set up with the first of them.
//!
//! An installation whose packages are all in the store asks nobody anything. It has no use for the system's certificates
//! (reading them takes longer than planning a tree), for connections, or for threads that drive them. So neither the HTTP
//! client nor its threads exist before a request does.
//!
//! The threads are a runtime of their own: encryption and decompression then use several processors although the caller's
//! runtime is usually a single thread.

use std::{future::Future, pin::pin, sync::Arc, sync::OnceLock, task::Poll};

use atoll_http::{BadProxy, Proxies, Tls};
use reqwest::{Client, Proxy};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use super::{Network, REQUESTS_MAX, RegistryError, connecting::NoteConnections, dns, http_text};
use crate::{threads, waits::Waits};

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
        let tls = Tls::of_system().map_err(|error| RegistryError::Tls(error.to_string()))?;
        if let Some(reason) = tls.trusts_nobody {
            return Err(RegistryError::Tls(reason.to_string()));
        }
        let http = atoll_http::client(tls.config, self.proxies.iter().cloned())
            .connect_timeout(self.network.connection())
            .connector_layer(NoteConnections(self.waits.clone()))
            .read_timeout(self.network.stall)
            .dns_resolver(Arc::new(dns::Lookup::new(self.network.connect, self.waits.clone())))
            .pool_max_idle_per_host(REQUESTS_MAX)
            .build()
            .map_err(|error| RegistryError::Tls(error.to_string()))?;
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
    let Network { http_proxy, https_proxy, no_proxy, .. } = network;
    let proxies = Proxies { http: http_proxy.clone(), https: https_proxy.clone(), except: no_proxy.clone() };
    proxies.parse().map_err(|BadProxy { scheme }| {
        let url = if scheme == "https" { https_proxy } else { http_proxy };
        RegistryError::BadProxy { url: http_text(url.as_deref().unwrap_or_default()) }
    })
}
