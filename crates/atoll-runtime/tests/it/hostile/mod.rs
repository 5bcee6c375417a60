//! Guests that attack. Each is a file in `guests/`: an app whose `/attack` does its worst, and which answers `alive`
//! with a count to everything else.
//!
//! [`check`] shows after each attack that the attacker got what it should, that the process lives, that a neighbour on
//! the same thread kept its state, and that the attacker's app is served again, by a worker of its own or a fresh one.

mod clocks;
mod depth;
mod killers;
mod left;
mod limits;
mod pollution;
mod reach;
mod requests;
mod termination;

use crate::harness::{Recorder, app, block_on};
use atoll_runtime::{ColdStarter, Deployment, DeploymentId, Limits, Pool, PoolConfig, PoolError, RequestError};
use atoll_web::{IncomingRequest, RequestBody};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const fn limits(heap_mib: usize, external_mib: usize, request_cpu: Duration, wall: Duration) -> Limits {
    Limits {
        heap_bytes: heap_mib << 20,
        external_bytes: external_mib << 20,
        request_cpu,
        startup_cpu: Duration::from_mins(1),
        startup_wall: Duration::from_mins(4),
        wall,
        ..Limits::SERVE
    }
}

/// Small enough that attacks end soon, large enough that none ends by accident.
pub(crate) const LIMITS: Limits = limits(32, 16, Duration::from_millis(300), Duration::from_mins(1));

/// For attacks on memory: the CPU limit is too far away to be the one that is hit.
pub(crate) const MEMORY: Limits = limits(32, 16, Duration::from_mins(2), Duration::from_mins(4));

/// For attacks on the clock.
pub(crate) const WALL: Limits = limits(32, 16, Duration::from_mins(1), Duration::from_millis(400));

/// For attacks that are no attack on a limit: what they do takes its time on a busy machine.
pub(crate) const ROOMY: Limits = limits(128, 64, Duration::from_mins(2), Duration::from_mins(4));

/// The limit that ended a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Cpu,
    Memory,
    Wall,
}

impl Limit {
    fn of(outcome: &Result<String, PoolError>) -> Option<Self> {
        let Err(PoolError::Request(RequestError::Terminated(termination))) = outcome else { return None };
        match termination.name() {
            "cpu" => Some(Self::Cpu),
            "heap" | "external" => Some(Self::Memory),
            "wall" => Some(Self::Wall),
            _ => None,
        }
    }
}

/// What an attacker should get.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// Its end.
    Ended(Limit),
    /// This response, status and body.
    Answer(&'static str),
    /// Its end or this response: which of the two depends on the order in which the engine does things.
    EndedOr(Limit, &'static str),
    /// The error of a handler that threw.
    Failure,
    /// The same or this response.
    FailureOr(&'static str),
}

impl Wanted {
    fn is_met_by(self, outcome: &Result<String, PoolError>) -> bool {
        let ended = |limit| Limit::of(outcome) == Some(limit);
        let failed = matches!(outcome, Err(PoolError::Request(RequestError::Failed)));
        let answered = |wanted: &str| outcome.as_ref().is_ok_and(|answer| answer == wanted);
        match self {
            Self::Ended(limit) => ended(limit),
            Self::Answer(answer) => answered(answer),
            Self::EndedOr(limit, answer) => ended(limit) || answered(answer),
            Self::Failure => failed,
            Self::FailureOr(answer) => failed || answered(answer),
        }
    }
}

/// A thread that serves: one pool, and a neighbour that must never notice what the others do.
pub(crate) struct Lab {
    pub(crate) pool: Rc<Pool>,
    neighbour: Deployment,
    neighbours_requests: Cell<u32>,
    next_id: Cell<u64>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        let (neighbour, _) = app(&guests(), "lib/neighbour.mjs", LIMITS);
        let neighbour = Deployment { id: DeploymentId(0), app: neighbour };
        Self { pool, neighbour, neighbours_requests: Cell::new(0), next_id: Cell::new(1) }
    }

    /// An app from `guests/`, under an id of its own.
    pub(crate) fn deploy(&self, guest: &str, limits: Limits) -> (Deployment, Arc<Recorder>) {
        let (app, recorder) = app(&guests(), &format!("{guest}.mjs"), limits);
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        (Deployment { id: DeploymentId(id), app }, recorder)
    }

    /// Status and body of a GET request.
    pub(crate) async fn get(&self, deployment: &Deployment, path: &str) -> Result<String, PoolError> {
        self.send(deployment, path, HeaderMap::new(), None).await
    }

    /// Status and body of a request with these headers and this body.
    pub(crate) async fn send(
        &self,
        deployment: &Deployment,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<String, PoolError> {
        let url = format!("http://hostile.localhost{path}");
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = body.map(|body| RequestBody::new(futures_util::stream::iter([Ok(body)])));
        let request = IncomingRequest { headers, body, ..IncomingRequest::new(method, url) };
        let response = self.pool.fetch(deployment, request).await?;
        let status = response.status().as_u16();
        Ok(match response.into_body().collect().await {
            Ok(body) => format!("{status} {}", String::from_utf8_lossy(&body.to_bytes())),
            Err(error) => format!("{status} and a body that ends early: {error}"),
        })
    }

    /// The neighbour answers, by the same worker as always.
    pub(crate) async fn assert_neighbour(&self, after: &str) {
        let count = self.neighbours_requests.get() + 1;
        self.neighbours_requests.set(count);
        let answer = self.get(&self.neighbour, "/").await;
        assert_eq!(answer.ok(), Some(format!("200 quiet {count} hello")), "the neighbour, after {after}");
    }

    /// Attacks, and shows what must hold afterwards. Returns the attack's answer and what the app reported.
    pub(crate) async fn attack(&self, guest: &str, limits: Limits, wanted: Wanted) -> (String, Arc<Recorder>) {
        let (deployment, recorder) = self.deploy(guest, limits);
        self.assert_neighbour("another app was deployed").await;
        let before = self.get(&deployment, "/").await;
        assert_eq!(before.ok().as_deref(), Some("200 alive 1"), "{guest}: {:?}", recorder.problems());
        let outcome = self.get(&deployment, "/attack").await;
        assert!(wanted.is_met_by(&outcome), "{guest}: {outcome:?}, wanted {wanted:?}; {:?}", recorder.problems());
        self.assert_neighbour(guest).await;
        let after = self.get(&deployment, "/").await.unwrap_or_else(|error| panic!("after {guest}: {error}"));
        let fresh = Limit::of(&outcome).is_some();
        let served = after == "200 alive 2" || fresh && after == "200 alive 1";
        assert!(served, "after {guest}: {after}; {:?}", recorder.problems());
        let (twin, _) = self.deploy(guest, limits);
        let answer = self.get(&twin, "/").await;
        assert_eq!(answer.ok().as_deref(), Some("200 alive 1"), "a fresh worker, after {guest}");
        self.assert_neighbour(guest).await;
        (outcome.unwrap_or_default(), recorder)
    }
}

fn guests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/hostile/guests"))
}

/// Attacks with each of these guests, one after the other, on one thread.
#[track_caller]
pub(crate) fn check(limits: Limits, wanted: Wanted, attackers: &[&str]) {
    block_on(async {
        let lab = Lab::new();
        for attacker in attackers {
            lab.attack(attacker, limits, wanted).await;
        }
    });
}
