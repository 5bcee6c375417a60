//! Which deployment answers a request.
//!
//! A route fits a request when both its host and its path do. Of those that fit, an exact host comes before a wildcard,
//! a longer wildcard before a shorter one, and any wildcard before "all hosts"; among routes of one host the longest path
//! comes first. So a host of which only some paths are routed leaves the others to the routes behind it.

mod host;
mod path;
mod table;

pub use host::{BadHost, HostPattern};
pub use path::{BadPath, PathPrefix};

use atoll_runtime::Deployment;
use std::cell::{Ref, RefCell};
use std::sync::Arc;
use table::Table;
use tokio::sync::watch;

/// One way to a deployment.
#[derive(Debug, Clone)]
pub struct Route {
    /// Which hosts lead there.
    pub host: HostPattern,
    /// Which paths of these hosts.
    pub path: PathPrefix,
    /// Who answers.
    pub deployment: Deployment,
}

/// All ways.
#[derive(Debug, Clone, Default)]
pub struct Routes(Table<Deployment>);

impl Routes {
    /// Of two routes with the same host and path, the first one counts.
    pub fn new(routes: Vec<Route>) -> Self {
        let mut table = Table::default();
        for Route { host, path, deployment } in routes {
            table.add(&host, &path, deployment);
        }
        Self(table)
    }

    /// All deployments that routes lead to; one that several lead to as often.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.0.targets()
    }

    /// The deployment for a host, as a request names it (with or without port, in any case), and a path, which begins
    /// with a slash and has no query. Looks up hashes, as many as the routes have labels and segments, and allocates
    /// nothing.
    pub fn find(&self, host: &str, path: &str) -> Option<&Deployment> {
        self.0.find(host, path)
    }
}

/// The routes as one thread has them: to look at them touches nothing that other threads write, unless there are new ones.
pub(crate) struct LocalRoutes {
    incoming: RefCell<watch::Receiver<Arc<Routes>>>,
    current: RefCell<Arc<Routes>>,
}

impl LocalRoutes {
    pub(crate) fn new(mut incoming: watch::Receiver<Arc<Routes>>) -> Self {
        let current = Arc::clone(&incoming.borrow_and_update());
        Self { incoming: RefCell::new(incoming), current: RefCell::new(current) }
    }

    /// Those of now. Let go of them before the next look.
    pub(crate) fn current(&self) -> Ref<'_, Routes> {
        let mut incoming = self.incoming.borrow_mut();
        // When there is no sender any more, the last ones stay.
        if incoming.has_changed().unwrap_or(false) {
            *self.current.borrow_mut() = Arc::clone(&incoming.borrow_and_update());
        }
        Ref::map(self.current.borrow(), |routes| &**routes)
    }
}
