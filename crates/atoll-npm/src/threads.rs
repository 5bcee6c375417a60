//! Work on several threads at once.

use std::{
    num::NonZero,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

/// Threads at most. Reading the store and making links is bound by the kernel's locks: more were measured to gain nothing.
const THREADS_MAX: usize = 4;

/// How many threads work at once: as many as there are processors, within bounds.
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    // Asked once: the answer takes a walk through the control groups.
    *COUNT.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX))
}

/// Does `work` with each share, on so many threads; the calling one is one of them, and each takes the next share when it
/// is done with one. Where the system has no more threads to give, those that there are do it all.
pub(crate) fn share_out<T: Send>(threads: usize, shares: Vec<T>, work: &(impl Fn(T) + Sync)) {
    let others = shares.len().min(threads).saturating_sub(1);
    let queue = Mutex::new(shares.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || {
        while let Some(share) = next() {
            work(share);
        }
    };
    thread::scope(|scope| {
        for _ in 0..others {
            if thread::Builder::new().name("install".to_owned()).spawn_scoped(scope, take).is_err() {
                break;
            }
        }
        take();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_share_is_worked_on_once() {
        let sum = AtomicUsize::new(0);
        for shares in [0, 1, 2, 9] {
            share_out(3, (1..=shares).collect(), &|share: usize| {
                sum.fetch_add(share, Ordering::Relaxed);
            });
        }
        assert_eq!(sum.into_inner(), 1 + 3 + 45);
    }
}
