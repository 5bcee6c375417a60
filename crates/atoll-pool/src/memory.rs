//! Bytes: counting them, and having fewer when they are short.
//!
//! An isolate that *rests*, that is has not been used for some seconds, is *shrunk* once, whether memory is short or not: V8
//! gives back garbage and unused pages, at the price of a collection, for which nobody waits then.
//!
//! Above seven eighths of the limit, idle isolates are shrunk sooner, those that are worth least first, one at a time. Above
//! the limit itself they are *evicted*, in the same order, each after it was shrunk and had time to report what is left:
//! often that is enough.
//!
//! The limit is the budget, unless the caller reports *pressure*, that is a shortage which the budget doesn't know of
//! (the host's, or the control group's). Then the limit is cut to a part of what is in use, at most once in a while, as it
//! takes time until freed memory shows; and it is restored step by step, when the shortage is over for a while. Without
//! that, the pool would fill again at once what was freed, and start for nothing what it has to evict next.

use crate::actions::{Action, EndReason};
use crate::config::Config;
use crate::ids::IsolateId;
use crate::pool::{Isolate, Pool};
use std::time::Duration;

/// How short memory is, as the caller observes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Pressure {
    /// It is not.
    #[default]
    None,
    /// The group is near its limit, or the kernel reclaims: nothing is made ahead, the limit falls by an eighth.
    Moderate,
    /// The process may be killed next: the limit falls by half, and isolates are evicted without being shrunk first, since
    /// a collection takes time and, for a while, memory.
    Critical,
}

/// Isolates that are shrunk in one go when the limit is exceeded: a collection takes some milliseconds, so this bounds the
/// thread's pause.
const SHRINK_BATCH: usize = 4;

/// Time between two isolates that are shrunk, one at a time, while only the soft limit is exceeded: a few hundredths of the
/// thread's time.
const SHRINK_INTERVAL: Duration = Duration::from_millis(100);

/// An isolate that was not used for this long is shrunk even if there is memory: whoever asks for its deployment again asks
/// so rarely that the collection, some milliseconds, is below a thousandth of the time.
const REST_MIN: Duration = Duration::from_secs(5);

/// Time between two isolates that are shrunk because they rest: a few hundredths of the thread's time.
const REST_INTERVAL: Duration = Duration::from_millis(50);

/// An isolate that was used less than this ago is probably used again soon, and would have its garbage back.
const SHRINK_IDLE_MIN: Duration = Duration::from_secs(1);

/// Time in which a shrunk isolate is measured again; it is not evicted before.
const SHRINK_SETTLES: Duration = Duration::from_millis(100);

/// Time between two cuts of the limit at the same level of pressure.
const CUT_INTERVAL: Duration = Duration::from_secs(1);

/// Time without pressure until the limit is restored, in steps of a sixteenth of the budget, as far apart as cuts are.
const CALM: Duration = Duration::from_secs(10);

/// The limit is never cut below this part of the budget: some isolate must be able to answer.
const FLOOR_DIVISOR: u64 = 16;

/// Whether an idle isolate was shrunk since its last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shrunk {
    #[default]
    No,
    /// It was asked to, then.
    Asked(Duration),
    /// It was, and what is left was measured.
    Measured,
}

/// The sums over all isolates, and the limit.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) bytes: u64,
    pub(crate) idle_bytes: u64,
    pub(crate) idle_count: usize,
    /// Idle isolates that were not shrunk since their last use.
    unshrunk_count: usize,
    pub(crate) limit_bytes: u64,
    level: Pressure,
    /// When the level was last above none.
    pressed_at: Duration,
    /// When the limit may be changed again.
    change_at: Duration,
    /// When the next isolate may be shrunk because of the soft limit.
    shrink_at: Duration,
    /// Before this no isolate is to be shrunk because it rests.
    rest_at: Duration,
    /// When the isolate that is to be evicted next has settled.
    evict_at: Option<Duration>,
}

impl Memory {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            bytes: 0,
            idle_bytes: 0,
            idle_count: 0,
            unshrunk_count: 0,
            limit_bytes,
            level: Pressure::None,
            pressed_at: Duration::ZERO,
            change_at: Duration::ZERO,
            shrink_at: Duration::ZERO,
            rest_at: Duration::ZERO,
            evict_at: None,
        }
    }

    /// An isolate has nothing under way.
    pub(crate) fn enter_idle(&mut self, isolate: &mut Isolate) {
        if self.unshrunk_count == 0 {
            self.rest_at = self.rest_at.max(isolate.worth.last_used + REST_MIN);
        }
        isolate.idle = true;
        isolate.shrunk = Shrunk::No;
        self.idle_bytes += isolate.worth.bytes;
        self.idle_count += 1;
        self.unshrunk_count += 1;
    }

    /// Something begins in an isolate, or it ends.
    pub(crate) fn leave_idle(&mut self, isolate: &mut Isolate) {
        if std::mem::take(&mut isolate.idle) {
            self.idle_bytes -= isolate.worth.bytes;
            self.idle_count -= 1;
            self.unshrunk_count -= usize::from(isolate.shrunk == Shrunk::No);
        }
    }

    fn over_soft_limit(&self) -> bool {
        self.bytes > Config::soft_bytes(self.limit_bytes)
    }
}

impl Pool {
    /// What an isolate occupies now: heap, buffers and code. Tell it after a [shrink](crate::Action::Shrink), and once in a
    /// while after requests. Nothing happens if the isolate has ended.
    pub fn measured(&mut self, now: Duration, isolate: IsolateId, bytes: u64) {
        self.advance(now);
        self.set_bytes(isolate, bytes);
        let Some(record) = self.isolates.get_mut(&isolate) else { return };
        if matches!(record.shrunk, Shrunk::Asked(_)) {
            record.shrunk = Shrunk::Measured;
        }
        self.settle();
    }

    /// How short memory is, apart from the budget. Report every observation while there is pressure, and its end.
    pub fn pressure(&mut self, now: Duration, level: Pressure) {
        self.advance(now);
        let now = self.now;
        let memory = &mut self.memory;
        let worse = level > memory.level;
        memory.level = level;
        if level == Pressure::None {
            return;
        }
        memory.pressed_at = now;
        if worse || now >= memory.change_at {
            let part = if level == Pressure::Critical { memory.bytes / 2 } else { memory.bytes - memory.bytes / 8 };
            let floor = self.config.budget_bytes / FLOOR_DIVISOR;
            memory.limit_bytes = memory.limit_bytes.min(part).max(floor);
            memory.change_at = now + CUT_INTERVAL;
        }
        self.settle();
    }

    /// Whether there is memory for what nobody waits for.
    pub(crate) fn may_work_ahead(&self) -> bool {
        !self.draining && self.memory.level == Pressure::None
    }

    pub(crate) fn over_soft_limit(&self) -> bool {
        self.memory.over_soft_limit()
    }

    /// Corrects what an isolate is believed to occupy.
    pub(crate) fn set_bytes(&mut self, id: IsolateId, bytes: u64) {
        let Some(isolate) = self.isolates.get_mut(&id) else { return };
        let old = std::mem::replace(&mut isolate.worth.bytes, bytes);
        self.memory.bytes = self.memory.bytes - old + bytes;
        if isolate.idle {
            self.memory.idle_bytes = self.memory.idle_bytes - old + bytes;
        }
        if isolate.building || isolate.retired.is_some() {
            return;
        }
        if let Some(deployment) = isolate.deployment.and_then(|owner| self.deployments.get_mut(&owner)) {
            deployment.isolate_bytes = bytes;
        }
    }

    /// Raises a limit that was cut, if memory has not been short for a while.
    pub(crate) fn recover(&mut self) {
        let budget = self.config.budget_bytes;
        while let Some(due) = self.next_recovery()
            && due <= self.now
        {
            let memory = &mut self.memory;
            memory.limit_bytes = (memory.limit_bytes + budget.div_ceil(FLOOR_DIVISOR)).min(budget);
            memory.change_at = due + CUT_INTERVAL;
        }
    }

    fn next_recovery(&self) -> Option<Duration> {
        let memory = &self.memory;
        let cut = memory.limit_bytes < self.config.budget_bytes && memory.level == Pressure::None;
        cut.then(|| (memory.pressed_at + CALM).max(memory.change_at))
    }

    pub(crate) fn next_memory_deadline(&self) -> Option<Duration> {
        let memory = &self.memory;
        let shrink_at = if memory.over_soft_limit() { memory.shrink_at.min(memory.rest_at) } else { memory.rest_at };
        let shrink = (memory.unshrunk_count > 0).then_some(shrink_at);
        [shrink, memory.evict_at, self.next_recovery()].into_iter().flatten().min()
    }

    /// Shrinks and evicts what has to be.
    pub(crate) fn reduce(&mut self) {
        self.memory.evict_at = None;
        while self.memory.bytes > self.memory.limit_bytes
            && let Some(spare) = self.spares.ready.pop_back()
        {
            self.end_isolate(spare, EndReason::Memory);
        }
        while self.memory.bytes > self.memory.limit_bytes
            && let Some((least, _)) = self.ranking.least(self.now, &self.isolates)
        {
            let settles_at = match self.isolates[&least].shrunk {
                _ if self.memory.level == Pressure::Critical => self.now,
                Shrunk::No => {
                    self.shrink(Duration::ZERO, SHRINK_BATCH);
                    self.now + SHRINK_SETTLES
                }
                Shrunk::Asked(at) => at + SHRINK_SETTLES,
                Shrunk::Measured => self.now,
            };
            if settles_at > self.now {
                self.memory.evict_at = Some(settles_at);
                break;
            }
            self.evict(least, EndReason::Memory);
        }
        if self.memory.over_soft_limit() && self.memory.unshrunk_count > 0 && self.now >= self.memory.shrink_at {
            let found = self.shrink(SHRINK_IDLE_MIN, 1);
            self.memory.shrink_at = self.now + if found { SHRINK_INTERVAL } else { SHRINK_IDLE_MIN };
        }
        if self.memory.unshrunk_count > 0 && self.now >= self.memory.rest_at {
            self.memory.rest_at = if self.shrink(REST_MIN, 1) {
                self.now + REST_INTERVAL
            } else {
                self.next_to_rest().map_or(self.now, |last_used| last_used + REST_MIN)
            };
        }
    }

    /// When the isolate was last used that will be the next to have rested.
    fn next_to_rest(&self) -> Option<Duration> {
        let unshrunk = self.isolates.values().filter(|isolate| isolate.idle && isolate.shrunk == Shrunk::No);
        unshrunk.map(|isolate| isolate.worth.last_used).min()
    }

    /// Has so many idle isolates shrunk, of those that were not used for `idle_min`. Returns whether there were any.
    fn shrink(&mut self, idle_min: Duration, count: usize) -> bool {
        let used_before = self.now.saturating_sub(idle_min);
        let batch: Vec<_> = self.ranking.unshrunk(self.now, &self.isolates, used_before, count).collect();
        for id in &batch {
            let isolate = self.isolates.get_mut(id).expect("listed just now");
            isolate.shrunk = Shrunk::Asked(self.now);
            self.memory.unshrunk_count -= 1;
            self.actions.push_back(Action::Shrink { isolate: *id });
        }
        !batch.is_empty()
    }
}
