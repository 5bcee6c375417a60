//! How many requests a registry is sent at once.
//!
//! A resolution waits for round trips: thousands of small documents, some known only once others are here. So there should be
//! many under way. But small registries, and proxies before large ones, refuse connections or break down under a burst.
//! So it begins with [`START`], and goes by the answers: each makes room for one more, up to [`REQUESTS_MAX`], and one that
//! tells of strain (429, 5xx, a connection that is refused or breaks) halves the room, down to [`LEAST`]. Of requests that
//! were under way together one halves it: the others tell the same.
//!
//! `maxsockets` and `network-concurrency` of `.npmrc` are a limit that it never grows beyond.

use std::{
    cmp::min,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::REQUESTS_MAX;

/// How many there are at first.
const START: usize = 64;
/// How many there are at least, whatever fails.
const LEAST: usize = 4;

/// The limits of all registries.
#[derive(Debug)]
pub(super) struct Limits {
    max: usize,
    /// By scheme, host and port.
    of: Mutex<HashMap<String, Arc<Limit>>>,
}

impl Limits {
    /// With no more than `max` requests at once for each registry.
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.clamp(1, REQUESTS_MAX), of: Mutex::default() }
    }

    /// The limit of the registry that has this address.
    pub(super) fn of(&self, url: &Url) -> Arc<Limit> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = of.entry(url.origin().ascii_serialization()).or_insert_with(|| Arc::new(Limit::new(self.max)));
        Arc::clone(limit)
    }
}

/// The limit of one registry.
#[derive(Debug)]
pub(super) struct Limit {
    max: usize,
    /// A permit for each request that may be begun now.
    permits: Arc<Semaphore>,
    room: Mutex<Room>,
}

#[derive(Debug)]
struct Room {
    /// Requests that may be under way at once.
    size: usize,
    /// Of those that are under way, how many are too many: nobody takes their place.
    excess: usize,
    /// When it was halved last.
    halved: Option<Instant>,
}

/// A request that is under way. Dropping it lets the next one begin.
#[derive(Debug)]
pub(super) struct UnderWay {
    limit: Arc<Limit>,
    began: Instant,
    /// `None` once it is dropped.
    permit: Option<OwnedSemaphorePermit>,
}

impl Limit {
    fn new(max: usize) -> Self {
        let size = min(START, max);
        let room = Room { size, excess: 0, halved: None };
        Self { max, permits: Arc::new(Semaphore::new(size)), room: Mutex::new(room) }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may begin.
    pub(super) async fn begin(self: Arc<Self>) -> UnderWay {
        // It is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        UnderWay { limit: self, began: Instant::now(), permit }
    }
}

impl UnderWay {
    /// It was answered.
    pub(super) fn succeeded(&self) {
        let mut room = self.limit.room();
        if room.size == self.limit.max {
            return;
        }
        room.size += 1;
        if room.excess > 0 {
            room.excess -= 1;
        } else {
            self.limit.permits.add_permits(1);
        }
    }

    /// It was not, in a way that tells of strain.
    pub(super) fn failed(&self) {
        let mut room = self.limit.room();
        if room.halved.is_some_and(|halved| self.began <= halved) {
            return;
        }
        let size = (room.size / 2).max(min(LEAST, room.size));
        let taken = self.limit.permits.forget_permits(room.size - size);
        room.excess += room.size - size - taken;
        room.size = size;
        room.halved = Some(Instant::now());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut room = self.limit.room();
        if room.excess > 0
            && let Some(permit) = self.permit.take()
        {
            room.excess -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    /// Begins as many as there is room for.
    fn fill(limit: &Arc<Limit>, under_way: &mut Vec<UnderWay>) -> usize {
        let before = under_way.len();
        under_way.extend(std::iter::from_fn(|| Arc::clone(limit).begin().now_or_never()));
        under_way.len() - before
    }

    fn full(max: usize) -> (Arc<Limit>, Vec<UnderWay>) {
        let (limit, mut under_way) = (Arc::new(Limit::new(max)), Vec::new());
        fill(&limit, &mut under_way);
        (limit, under_way)
    }

    #[test]
    fn each_answer_makes_room_for_one_more_up_to_the_limit() {
        let (limit, mut under_way) = full(REQUESTS_MAX);
        assert_eq!(under_way.len(), START);
        under_way.pop().unwrap().succeeded();
        assert_eq!(fill(&limit, &mut under_way), 2);
        for _ in 0..2 * REQUESTS_MAX {
            under_way.pop().unwrap().succeeded();
            fill(&limit, &mut under_way);
        }
        assert_eq!(under_way.len(), REQUESTS_MAX);
    }

    #[test]
    fn what_the_user_allows_is_never_exceeded() {
        for max in [1, 3, START, START + 1] {
            let (limit, mut under_way) = full(max);
            assert_eq!(under_way.len(), max.min(START));
            for _ in 0..10 {
                under_way.pop().unwrap().succeeded();
                fill(&limit, &mut under_way);
                assert!(under_way.len() <= max);
            }
        }
    }

    #[test]
    fn a_burst_of_failures_halves_once() {
        let (limit, mut under_way) = full(REQUESTS_MAX);
        for failed in &under_way {
            failed.failed();
        }
        under_way.truncate(START / 2);
        assert_eq!(fill(&limit, &mut under_way), 0, "others take the places of half of them alone");
        under_way.truncate(START / 2 - 1);
        assert_eq!(fill(&limit, &mut under_way), 1);
    }

    #[test]
    fn who_fails_after_that_halves_again_but_a_few_are_always_let_go() {
        let (limit, mut under_way) = full(REQUESTS_MAX);
        let mut sizes = Vec::new();
        for _ in 0..6 {
            under_way[0].failed();
            under_way.clear();
            fill(&limit, &mut under_way);
            sizes.push(under_way.len());
        }
        assert_eq!(sizes, [32, 16, 8, LEAST, LEAST, LEAST]);
        let (limit, mut under_way) = full(2);
        under_way[0].failed();
        under_way.clear();
        assert_eq!(fill(&limit, &mut under_way), 2, "fewer than a few are not made more");
    }

    #[test]
    fn registries_have_limits_of_their_own() {
        let limits = Limits::new(2);
        let of = |url: &str| limits.of(&Url::parse(url).unwrap());
        let first = of("https://r.example/a");
        assert!(Arc::ptr_eq(&first, &of("https://r.example:443/b?c")));
        for other in ["http://r.example/a", "https://s.example/a", "https://r.example:444/a"] {
            assert!(!Arc::ptr_eq(&first, &of(other)), "{other}");
        }
    }

    proptest! {
        /// Whatever happens to requests, no more are under way than there is room for, and all of the room can be taken.
        #[test]
        fn room_is_neither_lost_nor_found(max in 1_usize..200, events in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 0..400)) {
            let (limit, mut under_way) = full(max);
            for (event, which) in events {
                let size = limit.room().size;
                prop_assert!((LEAST.min(max)..=max).contains(&size));
                if under_way.is_empty() {
                    prop_assert_eq!(fill(&limit, &mut under_way), size);
                }
                let at = which.index(under_way.len());
                match event {
                    0 => under_way[at].succeeded(),
                    1 => under_way[at].failed(),
                    2 => drop(under_way.swap_remove(at)),
                    _ => { fill(&limit, &mut under_way); }
                }
            }
            let before = under_way.len();
            let begun = fill(&limit, &mut under_way);
            prop_assert_eq!(begun, limit.room().size.saturating_sub(before));
        }
    }
}
