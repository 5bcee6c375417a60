//! What is made before somebody needs it.
//!
//! A *spare isolate* belongs to nobody. The first start of any tenant takes it, and spares that tenant's request the time
//! that making an isolate takes; from then on it is that tenant's until its end. As many are kept as are started in the
//! time that it takes to make them anew, so they follow the rate of starts, between two bounds. They may displace idle
//! workers, but only within a small part of the limit.
//!
//! *Spare workers* are started ahead for deployments that need a fresh context or isolate for each request. They are kept
//! for deployments in use only, as they are ordered when one is taken, and they displace only what is worth less.

use crate::actions::{Action, EndReason};
use crate::decay::Decayed;
use crate::ids::IsolateId;
use crate::isolation::Isolation;
use crate::pool::{Deployment, Pool};
use std::collections::VecDeque;
use std::time::Duration;

/// Time in which past starts lose half of their weight for the number of spares: a burst's length.
const BUILDS_HALF_LIFE: Duration = Duration::from_secs(10);

/// For how much of the future spares are kept. Making one takes some milliseconds; starts come in bursts.
const HORIZON: Duration = Duration::from_millis(250);

/// Spares being made at once, so that the starts that requests wait for find a thread.
const MAKING_MAX: usize = 2;

/// The part of the limit that spares may take, as a divisor: enough for the 8 of the default in its budget.
const SHARE_DIVISOR: u64 = 32;

/// Time until the next try, after an isolate could not be made.
const RETRY: Duration = Duration::from_secs(1);

/// The isolates that nobody owns.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    pub(crate) ready: VecDeque<IsolateId>,
    pub(crate) making: usize,
    builds: Decayed,
    not_before: Duration,
}

impl Spares {
    /// Takes note that an isolate was started for a deployment.
    pub(crate) fn note_build(&mut self, now: Duration) {
        self.builds.add(now, 1.0, BUILDS_HALF_LIFE);
    }
}

impl Pool {
    /// A spare isolate is there; it occupies `bytes`.
    ///
    /// # Panics
    /// If it was not ordered, or was reported before.
    pub fn isolate_made(&mut self, now: Duration, isolate: IsolateId, bytes: u64) {
        self.advance(now);
        self.note_made(isolate);
        self.set_bytes(isolate, bytes);
        if self.draining {
            self.end_isolate(isolate, EndReason::Drained);
        } else {
            self.spares.ready.push_back(isolate);
        }
        self.settle();
    }

    /// A spare isolate could not be made.
    ///
    /// # Panics
    /// If it was not ordered, or was reported before.
    pub fn isolate_failed(&mut self, now: Duration, isolate: IsolateId) {
        self.advance(now);
        self.note_made(isolate);
        self.spares.not_before = self.now + RETRY;
        self.end_isolate(isolate, EndReason::StartFailed);
        self.settle();
    }

    fn note_made(&mut self, isolate: IsolateId) {
        let record = self.isolates.get_mut(&isolate).filter(|record| record.deployment.is_none() && record.building);
        record.expect("the pool ordered this isolate, once").building = false;
        self.spares.making -= 1;
    }

    /// Orders spare isolates that are missing.
    pub(crate) fn refill(&mut self) {
        let bytes = self.config.isolate_bytes;
        while self.may_work_ahead()
            && self.memory.bytes <= self.memory.limit_bytes
            && self.line.is_empty()
            && self.spares.making < MAKING_MAX
            && self.starts < self.config.starts_max / 2
            && self.now >= self.spares.not_before
        {
            let count = self.spares.ready.len() + self.spares.making;
            let rate = self.spares.builds.per_second(self.now, BUILDS_HALF_LIFE);
            let expected = (rate * HORIZON.as_secs_f64()).ceil() as usize;
            let wanted = expected.max(self.config.spares_min).min(self.config.spares_max);
            let share = self.memory.limit_bytes / SHARE_DIVISOR;
            if count >= wanted || (count as u64 + 1) * bytes > share {
                return;
            }
            if !self.make_room(bytes, 1, self.spares.ready.len(), f64::INFINITY) {
                return;
            }
            let isolate = self.ids.isolate();
            self.insert_isolate(isolate, bytes);
            self.isolates.get_mut(&isolate).expect("inserted just now").building = true;
            self.spares.making += 1;
            self.actions.push_back(Action::MakeIsolate { isolate });
        }
    }

    /// Ends spares that are no longer needed.
    pub(crate) fn drop_surplus(&mut self) {
        while self.next_surplus().is_some_and(|due| due <= self.now)
            && let Some(spare) = self.spares.ready.pop_back()
        {
            self.end_isolate(spare, EndReason::Surplus);
        }
    }

    /// When there is a spare too many: when three quarters of the others would do, so that a rate that varies doesn't make
    /// and drop the same one.
    pub(crate) fn next_surplus(&self) -> Option<Duration> {
        let count = self.spares.ready.len();
        if count <= self.config.spares_min.max(1) {
            return None;
        }
        let would_do = 0.75 * (count - 1) as f64;
        Some(self.spares.builds.falls_to(would_do / HORIZON.as_secs_f64(), BUILDS_HALF_LIFE))
    }

    /// How many workers to keep started ahead for a deployment.
    pub(crate) fn spare_workers(&self, deployment: &Deployment) -> usize {
        match deployment.settings.isolation {
            Isolation::Warm => 0,
            Isolation::Context => 1,
            Isolation::Isolate => {
                let rate = deployment.usage.window().rate(self.now);
                let during_a_start = (rate * deployment.start_cost.as_secs_f64()).ceil() as usize;
                during_a_start.max(1).min(self.config.spare_workers_max)
            }
        }
    }
}
