//! Notes connections for as long as they come about.
//!
//! The HTTP client makes them of its own accord, and does not say to its connector for what. So a request has a name for
//! as long as it is polled, and a connection is noted by that of the request that it is begun for. It is kept until there is a
//! connection, even when that request meanwhile got another one that had become free.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::http_text;
use crate::waits::{Unit, Waits, What};

tokio::task_local! {
    static REQUEST: Arc<RequestName>;
}

/// Which request it is, for people.
#[derive(Debug)]
pub(super) struct RequestName {
    pub(super) url: String,
    /// The package that it is for.
    pub(super) package: String,
}

impl fmt::Display for RequestName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", http_text(&self.url), self.package)
    }
}

/// Awaits a request. `name` says which one it is.
pub(super) async fn named<F: Future>(name: Arc<RequestName>, request: F) -> F::Output {
    REQUEST.scope(name, request).await
}

/// Makes connectors that note what they wait for.
#[derive(Clone, Debug)]
pub(super) struct NoteConnections(pub(super) Waits);

impl<S> Layer<S> for NoteConnections {
    type Service = Connector<S>;

    fn layer(&self, inner: S) -> Connector<S> {
        Connector { inner, waits: self.0.clone() }
    }
}

/// A connector that notes what it waits for.
#[derive(Clone, Debug)]
pub(super) struct Connector<S> {
    inner: S,
    waits: Waits,
}

impl<S: Service<Target>, Target> Service<Target> for Connector<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let waiting = REQUEST.try_with(|name| {
            self.waits.begin(What::Doing("connecting to", Arc::<RequestName>::clone(name)), Unit::None)
        });
        let connecting = self.inner.call(target);
        Box::pin(async move {
            let connected = connecting.await;
            drop(waiting);
            connected
        })
    }
}
