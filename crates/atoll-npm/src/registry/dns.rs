//! Looks each host up once.
//!
//! A pool that opens dozens of connections at once would otherwise send as many identical queries, each on a thread of its
//! own, and a single lost answer would hold the process up for the resolver's whole timeout.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;

type Addresses = Arc<OnceCell<Vec<SocketAddr>>>;

/// Answers from memory after the first query. It lives as long as its client: one installation.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    hosts: Mutex<HashMap<String, Addresses>>,
    /// Where the next connection starts in a host's list, so that all of its addresses are used.
    turn: AtomicUsize,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let addresses = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host.clone()).or_default())
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let found = addresses
                .get_or_try_init(async || Ok::<_, io::Error>(tokio::net::lookup_host((host, 0)).await?.collect()))
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
