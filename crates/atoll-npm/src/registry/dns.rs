//! Looks each host up once.
//!
//! A pool that opens dozens of connections at once would otherwise send as many identical queries, each on a thread of its
//! own, and a single lost answer would hold the process up for the resolver's whole timeout. The system's resolver cannot be
//! told to give up, so it is left alone after a while: its thread ends when it does.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{sync::OnceCell, time::timeout};

use crate::waits::{Unit, Waits};

type Addresses = Arc<OnceCell<Vec<SocketAddr>>>;

/// Answers from memory after the first query. It lives as long as its client: one installation.
#[derive(Debug)]
pub(super) struct Lookup {
    deadline: Duration,
    waits: Waits,
    hosts: Mutex<HashMap<String, Addresses>>,
    /// Where the next connection starts in a host's list, so that all of its addresses are used.
    turn: AtomicUsize,
}

impl Lookup {
    /// Answers, or errors, within the deadline.
    pub(super) fn new(deadline: Duration, waits: Waits) -> Self {
        Self { deadline, waits, hosts: Mutex::default(), turn: AtomicUsize::new(0) }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let addresses = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host.clone()).or_default())
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (deadline, waits) = (self.deadline, self.waits.clone());
        Box::pin(async move {
            let found = addresses
                .get_or_try_init(async || {
                    let _waiting = waits.begin(format!("looking up the address of {host}"), Unit::None);
                    let found = tokio::net::lookup_host((host.as_str(), 0));
                    within(deadline, &host, found).await.map(Iterator::collect)
                })
                .await?;
            let mut list = found.clone();
            if !list.is_empty() {
                let start = turn % list.len();
                list.rotate_left(start);
            }
            Ok(Box::new(list.into_iter()) as Addrs)
        })
    }
}

/// An answer of the system's resolver, if it comes in time.
async fn within<T>(deadline: Duration, host: &str, answer: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(deadline, answer).await.unwrap_or_else(|_| {
        let problem = format!("no name server told the address of {host} within {} s", deadline.as_secs_f64());
        Err(io::Error::other(problem))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_server_that_is_silent_is_named_with_its_host() {
        let silent = std::future::pending::<io::Result<()>>();
        let error = within(Duration::from_millis(20), "registry.example", silent).await.unwrap_err();
        assert_eq!(error.to_string(), "no name server told the address of registry.example within 0.02 s");
        assert_eq!(within(Duration::from_secs(9), "x", async { Ok(1) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_host_is_looked_up_once() {
        let (waits, name) = (Waits::default(), || "localhost".parse::<Name>().unwrap());
        let lookup = Lookup::new(Duration::from_secs(9), waits.clone());
        let first: Vec<SocketAddr> = lookup.resolve(name()).await.unwrap().collect();
        assert!(first.iter().all(|address| address.ip().is_loopback()) && !first.is_empty());
        assert!(lookup.hosts.lock().unwrap()["localhost"].initialized());
        assert!(waits.now().is_empty());
    }
}
