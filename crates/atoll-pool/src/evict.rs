//! Which idle isolate is worth least.
//!
//! A policy gives each idle isolate a priority; the least goes first. Priorities are made such that time need not be told
//! to them: they are comparable whenever they were made, so that an isolate is rated when it falls idle, and not again.
//!
//! The [`Ranking`] is a heap that is wrong on purpose: while an isolate has an entry, later uses raise its priority in its
//! own record only. What is popped is compared with the record and put back where it belongs. A use thus costs no heap
//! operation, and there are far more uses than evictions.

use crate::ids::IsolateId;
use crate::memory::Shrunk;
use crate::pool::Isolate;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// Which idle isolate goes first. `docs/pool.md` compares them; [`EvictionPolicy::Density`] is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EvictionPolicy {
    /// The least recently used.
    Lru,
    /// The least recently used; but one that was used again after its first request counts as used
    /// [ten minutes](SECOND_CHANCE) later than it was, so that a scan doesn't displace it.
    SecondChance,
    /// The least frequently used since it started, with dynamic aging: what is started starts at the level of what was
    /// evicted last.
    Lfu,
    /// Greedy-Dual-Size-Frequency: uses since its start × the time a start takes ÷ bytes, with dynamic aging.
    Gdsf,
    /// The deployment's uses, halved every [ten minutes](USAGE_HALF_LIFE), × the time a start takes ÷ bytes: starting time
    /// that a byte is expected to save. Uses are remembered when the isolate has gone.
    #[default]
    Density,
}

/// How much longer a worker is kept that has proved useful, under [`EvictionPolicy::SecondChance`].
pub const SECOND_CHANCE: Duration = Duration::from_mins(10);

/// Time in which a deployment's past uses lose half of their weight, under [`EvictionPolicy::Density`].
pub const USAGE_HALF_LIFE: Duration = Duration::from_mins(10);

/// What policies judge by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worth {
    /// When it served its last request.
    pub(crate) last_used: Duration,
    /// Requests that it has served.
    pub(crate) uses: u32,
    /// The deployment's decayed uses, at `last_used`.
    pub(crate) frequency: f64,
    /// How long a start takes.
    pub(crate) start_cost: Duration,
    /// What it occupies.
    pub(crate) bytes: u64,
}

impl Worth {
    /// Starting time saved per byte and use, milliseconds per mebibyte. Never zero: what has cost nothing and takes
    /// nothing must still have a logarithm.
    fn cost_density(&self) -> f64 {
        let milliseconds = self.start_cost.as_secs_f64().max(1e-6) * 1e3;
        milliseconds / (self.bytes.max(1) as f64 / f64::from(1 << 20))
    }
}

impl EvictionPolicy {
    /// `age` is the greatest priority evicted so far, which policies with dynamic aging start from.
    fn priority(self, age: f64, worth: &Worth) -> f64 {
        let last_used = worth.last_used.as_secs_f64();
        match self {
            Self::Lru => last_used,
            Self::SecondChance => last_used + if worth.uses > 1 { SECOND_CHANCE.as_secs_f64() } else { 0.0 },
            Self::Lfu => age + f64::from(worth.uses),
            Self::Gdsf => age + f64::from(worth.uses) * worth.cost_density(),
            // The logarithm of `frequency × density × 2^(last_used ÷ half-life)`: all decay at the same pace, so the
            // common factor `2^(−now ÷ half-life)` can be left out.
            Self::Density => {
                (worth.frequency.max(1e-9) * worth.cost_density()).log2()
                    + worth.last_used.div_duration_f64(USAGE_HALF_LIFE)
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    priority: f64,
    isolate: IsolateId,
}

impl Ord for Entry {
    /// The least priority is the greatest entry, as heaps give the greatest; of equals, the oldest isolate.
    fn cmp(&self, other: &Self) -> Ordering {
        other.priority.total_cmp(&self.priority).then_with(|| other.isolate.cmp(&self.isolate))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// An isolate's place in the ranking, kept in its record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rank {
    /// Its priority, if it is idle.
    pub(crate) priority: f64,
    /// The priority of its entry in the heap; other entries of it are void.
    entry: Option<f64>,
}

/// The idle isolates by priority. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Ranking {
    policy: EvictionPolicy,
    age: f64,
    heap: BinaryHeap<Entry>,
}

/// Void entries that are tolerated beside one for each isolate, before the heap is cleared of them.
const VOID_ENTRIES_MAX: usize = 64;

impl Ranking {
    pub(crate) fn new(policy: EvictionPolicy) -> Self {
        Self { policy, age: 0.0, heap: BinaryHeap::new() }
    }

    /// Rates an idle isolate anew.
    pub(crate) fn rate(&mut self, id: IsolateId, isolate: &mut Isolate) {
        let priority = self.policy.priority(self.age, &isolate.worth);
        isolate.rank.priority = priority;
        // An entry that is too low is corrected when it is popped. One that is too high would hide the isolate.
        if isolate.rank.entry.is_none_or(|entry| priority < entry) {
            isolate.rank.entry = Some(priority);
            self.heap.push(Entry { priority, isolate: id });
        }
    }

    /// The idle isolate that is worth least. It stays in the ranking until it ends or is used.
    pub(crate) fn least(&mut self, isolates: &mut HashMap<IsolateId, Isolate>) -> Option<IsolateId> {
        loop {
            let Entry { priority, isolate: id } = *self.heap.peek()?;
            let record = isolates.get_mut(&id).filter(|isolate| isolate.rank.entry == Some(priority));
            let Some(isolate) = record else {
                self.heap.pop();
                continue;
            };
            if isolate.idle && isolate.rank.priority <= priority {
                return Some(id);
            }
            self.heap.pop();
            isolate.rank.entry = None;
            if isolate.idle {
                isolate.rank.entry = Some(isolate.rank.priority);
                self.heap.push(Entry { priority: isolate.rank.priority, isolate: id });
            }
        }
    }

    /// The priority that an isolate of this worth would have.
    pub(crate) fn priority_of(&self, worth: &Worth) -> f64 {
        self.policy.priority(self.age, worth)
    }

    /// Takes note that an idle isolate is evicted.
    pub(crate) fn evicted(&mut self, isolate: &Isolate) {
        self.age = self.age.max(isolate.rank.priority);
    }

    /// The `count` idle isolates that are worth least, the least first, of those not yet shrunk and not used after
    /// `used_before`. Looks at all isolates, so the caller asks rarely.
    pub(crate) fn unshrunk(
        isolates: &HashMap<IsolateId, Isolate>,
        used_before: Duration,
        count: usize,
    ) -> Vec<IsolateId> {
        let candidates = isolates.iter().filter(|(_, isolate)| {
            isolate.idle && isolate.shrunk == Shrunk::No && isolate.worth.last_used <= used_before
        });
        let mut entries: Vec<_> =
            candidates.map(|(id, isolate)| Entry { priority: isolate.rank.priority, isolate: *id }).collect();
        entries.sort_unstable_by(|one, other| other.cmp(one));
        entries.truncate(count);
        entries.into_iter().map(|entry| entry.isolate).collect()
    }

    /// Clears the heap of void entries when they are the greater part of it: constant time per entry ever pushed.
    pub(crate) fn tidy(&mut self, isolates: &HashMap<IsolateId, Isolate>) {
        if self.heap.len() > 2 * isolates.len() + VOID_ENTRIES_MAX {
            self.heap.retain(|entry| {
                isolates.get(&entry.isolate).is_some_and(|isolate| isolate.rank.entry == Some(entry.priority))
            });
        }
    }

    /// Entries, void ones included.
    pub(crate) fn entries(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(last_used_s: u64, uses: u32, frequency: f64, start_ms: u64, bytes: u64) -> Worth {
        let (last_used, start_cost) = (Duration::from_secs(last_used_s), Duration::from_millis(start_ms));
        Worth { last_used, uses, frequency, start_cost, bytes }
    }

    #[test]
    fn density_weighs_uses_cost_and_size() {
        let rate = |worth: Worth| EvictionPolicy::Density.priority(0.0, &worth);
        let base = rate(worth(100, 1, 4.0, 10, 1 << 20));
        assert!(rate(worth(100, 1, 8.0, 10, 1 << 20)) > base);
        assert!(rate(worth(100, 1, 4.0, 20, 1 << 20)) > base);
        assert!(rate(worth(100, 1, 4.0, 10, 2 << 20)) < base);
        // Half of the uses, a half-life later, weigh the same.
        let later = rate(worth(100 + USAGE_HALF_LIFE.as_secs(), 1, 2.0, 10, 1 << 20));
        assert!((later - base).abs() < 1e-9);
    }

    #[test]
    fn a_second_chance_outlasts_a_scan_but_not_for_ever() {
        let rate = |worth: Worth| EvictionPolicy::SecondChance.priority(0.0, &worth);
        let proven = rate(worth(0, 2, 2.0, 10, 1 << 20));
        assert!(proven > rate(worth(599, 1, 1.0, 10, 1 << 20)));
        assert!(proven < rate(worth(601, 1, 1.0, 10, 1 << 20)));
    }

    #[test]
    fn aging_lets_newcomers_in() {
        for policy in [EvictionPolicy::Lfu, EvictionPolicy::Gdsf] {
            let old = policy.priority(0.0, &worth(0, 5, 5.0, 1, 1 << 20));
            assert!(policy.priority(0.0, &worth(9, 1, 1.0, 1, 1 << 20)) < old);
            assert!(policy.priority(old, &worth(9, 1, 1.0, 1, 1 << 20)) > old);
        }
    }
}
