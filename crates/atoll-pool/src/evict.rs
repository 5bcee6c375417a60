//! Which idle isolate is worth least.
//!
//! A policy gives each idle isolate a value at the present moment; the least goes first. A [`Ranking`] values all of them
//! at once and remembers the few that are worth least, for the evictions of the next second. Between two evictions, uses
//! cost nothing here; and evictions are rare and slow beside a look at some thousand records.

use crate::ids::{IdMap, IsolateId};
use crate::memory::Shrunk;
use crate::pool::Isolate;
use crate::usage::Window;

use std::time::Duration;

/// Which idle isolate goes first. `docs/pool.md` compares them; [`EvictionPolicy::Density`] is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EvictionPolicy {
    /// The least recently used.
    Lru,
    /// The least recently used; but one that was used again after its first request counts as used
    /// [a minute](SECOND_CHANCE) later than it was, so that a scan doesn't displace it.
    SecondChance,
    /// The one whose deployment's last uses began longest ago, of those that had that many; before them, the least recently
    /// used of the others.
    LruK,
    /// The least frequently used since it started, with dynamic aging: what is started starts at the level of what was
    /// evicted last.
    Lfu,
    /// Greedy-Dual-Size-Frequency: uses since its start × the time a start takes ÷ bytes, with dynamic aging.
    Gdsf,
    /// The rate of the deployment's last uses × the time a start takes ÷ bytes: starting time that each byte is expected to
    /// save. Uses are remembered when the isolate has gone.
    #[default]
    Density,
}

/// How much longer a worker is kept that has proved useful, under [`EvictionPolicy::SecondChance`].
pub const SECOND_CHANCE: Duration = Duration::from_mins(1);

/// What policies judge by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worth {
    /// When it served its last request.
    pub(crate) last_used: Duration,
    /// Requests that it has served.
    pub(crate) uses: u32,
    /// The deployment's last uses, at `last_used`.
    pub(crate) window: Window,
    /// The ranking's age at `last_used`.
    pub(crate) age: f64,
    /// How long a start takes.
    pub(crate) start_cost: Duration,
    /// What it occupies.
    pub(crate) bytes: u64,
}

impl Worth {
    /// Starting time saved per byte and use, milliseconds per mebibyte.
    fn cost_density(&self) -> f64 {
        let milliseconds = self.start_cost.as_secs_f64().max(1e-6) * 1e3;
        milliseconds / (self.bytes.max(1) as f64 / f64::from(1 << 20))
    }
}

impl EvictionPolicy {
    pub(crate) fn value(self, now: Duration, worth: &Worth) -> f64 {
        let last_used = worth.last_used.as_secs_f64();
        match self {
            Self::Lru => last_used,
            Self::SecondChance => last_used + if worth.uses > 1 { SECOND_CHANCE.as_secs_f64() } else { 0.0 },
            Self::LruK if worth.window.is_full() => worth.window.since.as_secs_f64(),
            // Before all that have a full window, and in their own order.
            Self::LruK => last_used - 1e12,
            Self::Lfu => worth.age + f64::from(worth.uses),
            Self::Gdsf => worth.age + f64::from(worth.uses) * worth.cost_density(),
            Self::Density => worth.window.rate(now) * worth.cost_density(),
        }
    }
}

/// Isolates that a ranking remembers: looking at all is paid once for so many evictions.
const CANDIDATES: usize = 16;

/// How long it remembers them. Values change with time, and isolates fall idle that are worth less.
const LIFE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Candidate {
    value: f64,
    isolate: IsolateId,
    /// To notice that it was used since.
    last_used: Duration,
    uses: u32,
}

/// The idle isolates that are worth least. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Ranking {
    policy: EvictionPolicy,
    /// The greatest value evicted so far, for policies with dynamic aging.
    age: f64,
    /// The one that is worth least comes last.
    candidates: Vec<Candidate>,
    ranked_at: Duration,
}

impl Ranking {
    pub(crate) fn new(policy: EvictionPolicy) -> Self {
        Self { policy, age: 0.0, candidates: Vec::new(), ranked_at: Duration::ZERO }
    }

    pub(crate) fn age(&self) -> f64 {
        self.age
    }

    /// What an isolate of this worth is worth now.
    pub(crate) fn value(&self, now: Duration, worth: &Worth) -> f64 {
        self.policy.value(now, worth)
    }

    /// The idle isolate that is worth least, and its value. It stays in the ranking until it ends or is used.
    pub(crate) fn least(&mut self, now: Duration, isolates: &IdMap<IsolateId, Isolate>) -> Option<(IsolateId, f64)> {
        if now.saturating_sub(self.ranked_at) > LIFE {
            self.candidates.clear();
        }
        while let Some(candidate) = self.candidates.last() {
            let unchanged = isolates.get(&candidate.isolate).is_some_and(|isolate| {
                isolate.idle && isolate.worth.uses == candidate.uses && isolate.worth.last_used == candidate.last_used
            });
            if unchanged {
                return Some((candidate.isolate, candidate.value));
            }
            self.candidates.pop();
        }
        self.ranked_at = now;
        self.candidates =
            least_valued(self.policy, now, isolates.iter().filter(|(_, isolate)| isolate.idle), CANDIDATES);
        self.candidates.last().map(|candidate| (candidate.isolate, candidate.value))
    }

    /// The `count` idle isolates that are worth least, the least last, of those not yet shrunk and not used after
    /// `used_before`.
    pub(crate) fn unshrunk(
        &self,
        now: Duration,
        isolates: &IdMap<IsolateId, Isolate>,
        used_before: Duration,
        count: usize,
    ) -> impl Iterator<Item = IsolateId> {
        let unshrunk = isolates.iter().filter(|(_, isolate)| {
            isolate.idle && isolate.shrunk == Shrunk::No && isolate.worth.last_used <= used_before
        });
        least_valued(self.policy, now, unshrunk, count).into_iter().rev().map(|candidate| candidate.isolate)
    }

    /// Takes note that an idle isolate is evicted.
    pub(crate) fn evicted(&mut self, now: Duration, worth: &Worth) {
        self.age = self.age.max(self.policy.value(now, worth));
    }
}

/// The `count` isolates that are worth least, the least last; of equals, the oldest is less.
fn least_valued<'a>(
    policy: EvictionPolicy,
    now: Duration,
    isolates: impl Iterator<Item = (&'a IsolateId, &'a Isolate)>,
    count: usize,
) -> Vec<Candidate> {
    let candidate = |(id, isolate): (&IsolateId, &Isolate)| Candidate {
        value: policy.value(now, &isolate.worth),
        isolate: *id,
        last_used: isolate.worth.last_used,
        uses: isolate.worth.uses,
    };
    let order = |one: &Candidate, other: &Candidate| {
        one.value.total_cmp(&other.value).then_with(|| one.isolate.cmp(&other.isolate))
    };
    let mut all: Vec<_> = isolates.map(candidate).collect();
    if all.len() > count {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(|one, other| order(other, one));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    fn worth(uses_at_s: &[u64], start_ms: u64, bytes: u64) -> Worth {
        let mut usage = Usage::default();
        for second in uses_at_s {
            usage.note(Duration::from_secs(*second));
        }
        Worth {
            last_used: Duration::from_secs(uses_at_s[uses_at_s.len() - 1]),
            uses: uses_at_s.len() as u32,
            window: usage.window(),
            age: 0.0,
            start_cost: Duration::from_millis(start_ms),
            bytes,
        }
    }

    #[test]
    fn density_weighs_uses_cost_and_size() {
        let value = |worth: Worth| EvictionPolicy::Density.value(Duration::from_secs(100), &worth);
        let base = value(worth(&[60, 90], 10, 1 << 20));
        assert!(value(worth(&[80, 90], 10, 1 << 20)) > base);
        assert!(value(worth(&[60, 70, 90], 10, 1 << 20)) > base);
        assert!(value(worth(&[60, 90], 20, 1 << 20)) > base);
        assert!(value(worth(&[60, 90], 10, 2 << 20)) < base);
    }

    #[test]
    fn density_falls_while_nothing_comes() {
        let value = |now| EvictionPolicy::Density.value(Duration::from_secs(now), &worth(&[60, 61, 62], 10, 1 << 20));
        assert!(value(100) > value(101));
    }

    #[test]
    fn what_was_used_once_goes_before_what_is_used_again_and_again() {
        let regular = worth(&[0, 30, 60, 90, 120, 150, 180, 210], 10, 1 << 20);
        let once = worth(&[225], 10, 1 << 20);
        let now = Duration::from_secs(235);
        for policy in [EvictionPolicy::Density, EvictionPolicy::LruK, EvictionPolicy::SecondChance, EvictionPolicy::Lfu]
        {
            assert!(policy.value(now, &once) < policy.value(now, &regular), "{policy:?}");
        }
        assert!(EvictionPolicy::Lru.value(now, &once) > EvictionPolicy::Lru.value(now, &regular));
    }

    #[test]
    fn aging_lets_newcomers_in() {
        for policy in [EvictionPolicy::Lfu, EvictionPolicy::Gdsf] {
            let now = Duration::from_secs(100);
            let old = policy.value(now, &worth(&[1, 2, 3, 4, 5], 1, 1 << 20));
            assert!(policy.value(now, &worth(&[99], 1, 1 << 20)) < old);
            assert!(policy.value(now, &Worth { age: old, ..worth(&[99], 1, 1 << 20) }) > old);
        }
    }
}
