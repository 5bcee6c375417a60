//! Many clients at a time, each with its own sequence of requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::apps::{App, Deployment};
use super::random::Random;
use super::requests::{self, Expected, Request};
use super::upstream::Upstream;
use crate::Failure;
use crate::client::{Answer, Client};
use crate::e2e::ensure;

/// Clients, each with a request at a time.
const CLIENTS: u64 = 12;
/// One request in so many makes its app do what it must not, where there is something of that kind.
const ONE_ABUSES_IN: u64 = 4;
/// One request in so many is left alone: in the middle of being sent, or of being answered.
const ONE_LEAVES_IN: u64 = 16;
/// One request in so many comes over a new connection, and perhaps to another thread.
const ONE_RECONNECTS_IN: u64 = 16;

/// How many requests ended in which way.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    fn count(&mut self, label: &'static str) {
        *self.0.entry(label).or_default() += 1;
    }

    /// A failure if something did not happen at all that was to be withstood.
    pub(super) fn check_all_provoked(&self) -> Result<(), Failure> {
        for label in ["answered", "cpu", "heap", "external", "exit", "wall", "failed", "too large", "left"] {
            ensure!(self.0.contains_key(label), "no request was {label}: {self}");
        }
        Ok(())
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (label, count) in &other.0 {
            *self.0.entry(label).or_default() += count;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} requests", self.0.values().sum::<u64>())?;
        for (number, (label, count)) in self.0.iter().enumerate() {
            write!(formatter, "{} {label} {count}", if number == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// Whom to ask.
pub(super) struct Load<'a> {
    pub(super) port: u16,
    pub(super) deployments: &'a [Deployment],
    pub(super) upstream: &'a Upstream,
}

/// What the clients of one run share.
struct Run<'a> {
    load: &'a Load<'a>,
    until: Instant,
    seed: u64,
    /// Who abuses a deployment is alone there: a limit ends all requests of a worker, and each answer is to be foreseen.
    alone: Vec<RwLock<()>>,
    failed: AtomicBool,
}

impl Load<'_> {
    /// Asks each deployment from each client, and then any for as long as is left of `duration`. Errors: the first answer that was not as expected.
    pub(super) fn run(&self, duration: Duration, seed: u64) -> Result<Counts, Failure> {
        let run = Run {
            load: self,
            until: Instant::now() + duration,
            seed,
            alone: self.deployments.iter().map(|_| RwLock::new(())).collect(),
            failed: AtomicBool::new(false),
        };
        let sums = Mutex::new((Counts::default(), None));
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (run, sums) = (&run, &sums);
                scope.spawn(move || {
                    let mut counts = Counts::default();
                    let result = run.client(number, &mut counts);
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    sums.0.add(&counts);
                    if let Err(failure) = result {
                        run.failed.store(true, Ordering::Relaxed);
                        sums.1.get_or_insert(failure.to_string());
                    }
                });
            }
        });
        let (counts, failure) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(counts), |failure| Err(failure.into()))
    }
}

impl Run<'_> {
    fn client(&self, number: u64, counts: &mut Counts) -> Result<(), Failure> {
        let mut random = Random::new(self.seed, number);
        let mut connection = None;
        let all = self.load.deployments.len() as u64;
        for count in 0_u64.. {
            let once_around = count < all;
            if (!once_around && Instant::now() >= self.until) || self.failed.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("{}-{number}-{count}", self.seed);
            // Each deployment once, each client beginning elsewhere; then any.
            let index = if once_around { (count + number * all / CLIENTS) % all } else { random.below(all) } as usize;
            let deployment = &self.load.deployments[index];
            if random.one_in(ONE_RECONNECTS_IN) {
                connection = None;
            }
            let abuse = if random.one_in(ONE_ABUSES_IN) { requests::abuse(deployment, &id, &mut random) } else { None };
            let asked = if let Some(abuse) = abuse {
                let _alone = self.alone[index].write().unwrap_or_else(PoisonError::into_inner);
                self.ask(&abuse, &mut connection).map(|()| counts.count(abuse.expected.label()))
            } else {
                let request = requests::ordinary(deployment, &id, &mut random);
                let _together = self.alone[index].read().unwrap_or_else(PoisonError::into_inner);
                if random.one_in(ONE_LEAVES_IN) {
                    leave(&request, connection.take().map_or_else(|| self.connect(), Ok)?, &mut random);
                    counts.count("left");
                    Ok(())
                } else {
                    self.ask(&request, &mut connection).map(|()| {
                        if deployment.app == App::Later {
                            self.load.upstream.promise(&id);
                        }
                        counts.count(request.expected.label());
                    })
                }
            };
            asked.map_err(|failure| format!("{deployment:?}, request {id}: {failure}"))?;
        }
        Ok(())
    }

    fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(self.load.port)?)
    }

    /// Sends a request and checks its answer. The connection is kept where both sides can.
    fn ask(&self, request: &Request, connection: &mut Option<Client>) -> Result<(), Failure> {
        let mut client = connection.take().map_or_else(|| self.connect(), Ok)?;
        client.write(&request.bytes)?;
        let answer = client.receive()?;
        request.check(&answer)?;
        if matches!(request.expected, Expected::Answer { .. } | Expected::Count { .. }) && !closes(&answer) {
            *connection = Some(client);
        }
        Ok(())
    }
}

fn closes(answer: &Answer) -> bool {
    answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// Sends a part of a request, or all of it, reads at most the beginning of the answer, and goes. What comes of that is nobody's
/// concern: the server may have been faster.
fn leave(request: &Request, mut client: Client, random: &mut Random) {
    let all = request.bytes.len();
    let sent = if random.one_in(2) { random.below(all as u64) as usize } else { all };
    if client.write(&request.bytes[..sent]).is_err() || sent < all || random.one_in(2) {
        return;
    }
    if let Ok(mut answer) = client.head() {
        let _ = client.piece(&mut answer);
    }
}
