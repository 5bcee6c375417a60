//! Gives memory that workers have freed back to the system.
//!
//! The allocator keeps what is freed, page by page, below anything that is still used. After a busy hour that is a third of what
//! it has, and no quiet hour changes it. To look for it costs milliseconds, so it is done once for many workers: when none was
//! disposed of or shrunk for a moment, or, where that never comes, from time to time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Without anything freed for this long, no more is expected: resting isolates are shrunk at shorter intervals.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// The longest wait for that moment. Milliseconds a minute are nothing, also for whoever waits for the allocator's locks.
const PATIENCE: Duration = Duration::from_mins(1);

/// Nothing was freed since the last time.
const CLEAN: u8 = 0;
/// Something was, and the moment is waited for.
const WAITING: u8 = 1;
/// Something was since it is waited for.
const FREED: u8 = 2;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Trimmer {
    state: AtomicU8,
    begun: Notify,
}

impl Trimmer {
    /// Something big was freed: an isolate, or a part of its heap. On any thread.
    pub(crate) fn freed(&self) {
        if self.state.swap(FREED, Ordering::Relaxed) == CLEAN {
            self.begun.notify_one();
        }
    }

    /// Calls `give_back` whenever it is time, for ever.
    pub(crate) async fn run(&self, give_back: impl Fn()) {
        loop {
            self.begun.notified().await;
            let begun = Instant::now();
            loop {
                self.state.store(WAITING, Ordering::Relaxed);
                tokio::time::sleep(SETTLED_AFTER).await;
                let settled = self.state.compare_exchange(WAITING, CLEAN, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                if settled {
                    break;
                }
                if begun.elapsed() >= PATIENCE {
                    self.state.store(CLEAN, Ordering::Relaxed);
                    break;
                }
            }
            give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, SETTLED_AFTER, Trimmer};
    use std::cell::Cell;
    use std::time::Duration;

    /// How often memory is given back within `time`, if something is freed every `interval` until `last`.
    async fn check(interval: Duration, last: Duration, time: Duration) -> usize {
        let (trimmer, count) = (Trimmer::default(), Cell::new(0));
        let frees = async {
            let begun = tokio::time::Instant::now();
            while begun.elapsed() <= last {
                trimmer.freed();
                tokio::time::sleep(interval).await;
            }
            tokio::time::sleep_until(begun + time).await;
        };
        tokio::select! {
            () = trimmer.run(|| count.set(count.get() + 1)) => {}
            () = frees => {}
        }
        count.get()
    }

    #[tokio::test(start_paused = true)]
    async fn once_after_the_last_of_many() {
        let often = SETTLED_AFTER / 20;
        assert_eq!(check(often, Duration::ZERO, 10 * PATIENCE).await, 1);
        assert_eq!(check(often, PATIENCE / 2, 10 * PATIENCE).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn once_for_each_of_few() {
        assert_eq!(check(10 * SETTLED_AFTER, 35 * SETTLED_AFTER, 10 * PATIENCE).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn from_time_to_time_under_load_without_end() {
        let given = check(SETTLED_AFTER / 20, 10 * PATIENCE, 10 * PATIENCE).await;
        assert!((9..=10).contains(&given), "{given}");
    }
}
