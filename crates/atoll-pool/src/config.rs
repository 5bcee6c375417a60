//! What a pool may use, and what a deployment asks for: the single source of the numbers.

use crate::evict::EvictionPolicy;
use crate::ids::{TenantId, Version};
use crate::isolation::Isolation;
use std::num::NonZeroU32;
use std::time::Duration;

/// One mebibyte, bytes.
const MIB: u64 = 1 << 20;

/// What 1,000 resident deployments take at 2 MiB each, bytes: the default budget must hold them without shrinking any.
const THOUSAND_RESIDENTS_BYTES: u64 = 1000 * 2 * MIB;

/// Limits of one pool, that is of one executor thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Bytes of all isolates together, those being made included.
    pub budget_bytes: u64,
    /// Isolates at once. A backstop, should sizes be measured wrongly: bytes are the limit that is meant to hold.
    pub isolates_max: usize,
    /// Isolates that may be started at the same time. More than there are cold-start threads only wait for them.
    pub starts_max: usize,
    /// Requests of one deployment that may wait.
    pub queue_deployment_max: usize,
    /// Requests of all deployments that may wait.
    pub queue_max: usize,
    /// How long a request waits before it is refused.
    pub wait_max: Duration,
    /// Spare isolates that are kept even when there is nothing to start. After the first start, one is kept in any case.
    pub spares_min: usize,
    /// Spare isolates that are kept at most.
    pub spares_max: usize,
    /// Started workers that are kept ahead for a deployment in [`Isolation::Isolate`] at most.
    pub spare_workers_max: usize,
    /// What is assumed of an isolate before it was measured, bytes.
    pub isolate_bytes: u64,
    /// Which idle isolate goes first.
    pub policy: EvictionPolicy,
}

impl Config {
    /// The default budget, bytes: a thousand deployments of 2 MiB, and the eighth above which idle isolates are shrunk.
    pub const BUDGET_BYTES: u64 = 2560 * MIB;

    /// The part of the limit above which idle isolates are shrunk: an eighth is left for what is freed by that to be of use
    /// before the first eviction.
    pub(crate) fn soft_bytes(limit_bytes: u64) -> u64 {
        limit_bytes - limit_bytes / 8
    }
}

const _: () = assert!(THOUSAND_RESIDENTS_BYTES <= Config::BUDGET_BYTES - Config::BUDGET_BYTES / 8);

impl Default for Config {
    fn default() -> Self {
        Self {
            budget_bytes: Self::BUDGET_BYTES,
            // Twice what the budget holds at the least size that an app was seen to have, 1 MiB.
            isolates_max: 5120,
            // A start computes for some milliseconds, and may then wait at a top-level `await`.
            starts_max: 8,
            // Half a second of work at 2,000 requests a second: what comes later would wait longer than clients do.
            queue_deployment_max: 1024,
            // Some 10 KiB of a parsed request each: 40 MiB.
            queue_max: 4096,
            // Browsers and proxies give up after 30 to 60 s; the answer should reach them with time left to retry.
            wait_max: Duration::from_secs(10),
            spares_min: 1,
            // Some 1 MiB each. At 3 ms each, one cold-start thread makes them anew in 24 ms.
            spares_max: 8,
            spare_workers_max: 4,
            isolate_bytes: 2 * MIB,
            policy: EvictionPolicy::default(),
        }
    }
}

/// What a deployment is and asks for. A change of any of it retires the deployment's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whose it is.
    pub tenant: TenantId,
    /// What to start.
    pub version: Version,
    /// What is made afresh for a request.
    pub isolation: Isolation,
    /// Requests at once: of one worker in [`Isolation::Warm`], of the deployment on this thread otherwise.
    pub concurrency_max: NonZeroU32,
    /// Requests that one isolate serves in its life, except in [`Isolation::Isolate`], where it is one.
    pub reuses_max: NonZeroU32,
    /// Workers at once on this thread in [`Isolation::Warm`]. They share one thread: a second one adds no computing
    /// power, but room for requests that wait.
    pub workers_max: NonZeroU32,
}

impl Settings {
    /// What a waiting request holds, its body's buffers included, is some 100 KiB: 256 of them fit a heap of 128 MiB.
    pub const CONCURRENCY_MAX: NonZeroU32 = NonZeroU32::new(256).expect("not zero");

    /// What a guest leaks goes with its isolate. A start of 10 ms each 10,000 requests costs a microsecond of each.
    pub const REUSES_MAX: NonZeroU32 = NonZeroU32::new(10_000).expect("not zero");

    /// The defaults.
    pub fn new(tenant: TenantId, version: Version, isolation: Isolation) -> Self {
        Self {
            tenant,
            version,
            isolation,
            concurrency_max: Self::CONCURRENCY_MAX,
            reuses_max: Self::REUSES_MAX,
            workers_max: NonZeroU32::MIN,
        }
    }

    /// How near its end a worker's successor is started, in requests: an eighth of its life, and no more than serve a
    /// slow start's time at full speed.
    pub(crate) fn succession(&self) -> u32 {
        (self.reuses_max.get() / 8).min(1024)
    }
}
