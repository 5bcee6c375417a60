//! The pool's policy: which worker serves a request, what is started for it, and what has to go.
//!
//! Pure decisions. Nothing here knows V8, threads, sockets or clocks; the caller says what happened and when, and carries
//! out what is decided. So the policy can be tested with any history, and simulated for days in seconds, and the simulation
//! (`examples/simulate`) runs the code that serves.
//!
//! # The contract
//!
//! A [`Pool`] belongs to one executor thread, as its isolates do. It is told
//!
//! * which deployments there are: [`Pool::deploy`], [`Pool::remove`];
//! * that a request has come, has left, or is over: [`Pool::acquire`], [`Pool::cancel`], [`Pool::release`];
//! * what has become of its orders: [`Pool::started`], [`Pool::start_failed`], [`Pool::isolate_made`],
//!   [`Pool::isolate_failed`];
//! * what it can't see: [`Pool::measured`], [`Pool::pressure`], [`Pool::limit_hit`];
//! * that time has passed: [`Pool::tick`], due at [`Pool::next_deadline`].
//!
//! After each of these calls the caller takes the [actions](Action) and carries them out in their order. Moments are durations
//! since any fixed moment, by a clock that doesn't go backwards.
//!
//! ```
//! use atoll_pool::*;
//! use std::time::Duration;
//!
//! let mut pool = Pool::new(Config::default());
//! let version = Version { release: ReleaseId(1), env: EnvVersion(0) };
//! let at = Duration::from_millis;
//! pool.deploy(at(0), DeploymentId(7), Settings::new(TenantId(1), version, Isolation::Warm));
//!
//! // The first request waits for a start.
//! let Acquired::Queued(request) = pool.acquire(at(1), DeploymentId(7)) else { panic!() };
//! let start = std::iter::from_fn(|| pool.next_action()).find_map(|action| match action {
//!     Action::Start(start) => Some(start),
//!     _ => None,
//! });
//! pool.started(at(9), start.unwrap().worker, 2 << 20);
//! let granted = std::iter::from_fn(|| pool.next_action()).find_map(|action| match action {
//!     Action::Grant { request: granted, lease } if granted == request => Some(lease),
//!     _ => None,
//! });
//! pool.release(at(10), granted.unwrap(), Outcome::Healthy);
//!
//! // The second doesn't.
//! let Acquired::Granted(lease) = pool.acquire(at(20), DeploymentId(7)) else { panic!() };
//! pool.release(at(21), lease, Outcome::Healthy);
//! ```
//!
//! # The order of an acquisition
//!
//! 1. A ready worker of the deployment, at its present version. Always when there is one: this is the way of warm requests,
//!    and of those that find a spare context or a spare worker.
//! 2. Otherwise the request waits, in order, if the queues have room; else it is refused. Then, whatever is missing is started:
//!    nothing, if a start that it can share is under way; a new context, if its mode wants one and there is a home for it;
//!    else an isolate, in line with other deployments that want one: a spare, or a new one within the limits, or in place
//!    of idle ones that are worth least.
//!
//! # What holds at all times
//!
//! * An isolate has one tenant, and one version of one deployment, for its whole life as somebody's.
//! * A lease's worker is of the version that its deployment had when the lease was given.
//! * No worker has more leases than its settings allow, at once or in its life.
//! * At most one start of an isolate is under way for a deployment, except where every request needs its own.
//! * A request that waits is answered once, at the latest after [`Config::wait_max`] by [`Pool::tick`].
//! * An isolate is ordered only if the bytes of all, this one's included as far as they are known, stay within the limit,
//!   and their number within the ceiling. Isolates may grow beyond the limit afterwards, also by further contexts; then
//!   idle ones are shrunk and evicted.
//! * Every worker and isolate that was ordered ends once, and when nothing is under way in it.
//! * With equal histories, decisions are equal.
//!
//! # Cost
//!
//! A warm request takes constant time and no allocation: an acquisition and a release look up a worker, an isolate and a
//! deployment each. Evicting looks at all idle isolates, once for a number of evictions.
//!
//! # Lanes
//!
//! [`Lanes`] is apart from the pools and shared by all threads: it decides which deployments are served on a thread of their
//! own because they compute for long.

mod acquire;
mod actions;
mod config;
mod decay;
mod deploy;
mod evict;
mod holdings;
mod ids;
mod isolation;
mod lanes;
mod memory;
mod pool;
mod queue;
mod release;
mod spares;
mod start;
mod usage;

pub use actions::{Acquired, Action, EndReason, Lease, Outcome, Place, Refusal, Start, Urgency};
pub use config::{Config, Settings};
pub use evict::{EvictionPolicy, SECOND_CHANCE};
pub use holdings::Holding;
pub use ids::{
    DeploymentId, EnvVersion, IdHasher, IdMap, IsolateId, ReleaseId, RequestId, TenantId, Version, WorkerId,
};
pub use isolation::{Isolation, UnknownIsolation};
pub use lanes::{LaneConfig, LaneId, Lanes, Move, Placement, Spent};
pub use memory::Pressure;
pub use pool::{Pool, Stats};
