//! Work on several threads at once.

use std::{
    future::Future,
    num::NonZero,
    panic,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

use tokio::task::JoinError;

/// Threads at most. Reading the store and making links is bound by the kernel's locks: more were measured to gain nothing.
const THREADS_MAX: usize = 4;

/// Items for which another thread is worth its start.
const SHARE_MIN: usize = 64;

/// Runs blocking work on a thread, from now on and to its end, also when nobody waits for it any more.
pub(crate) fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> impl Future<Output = R> {
    let working = tokio::task::spawn_blocking(work);
    async { result(working.await).await }
}

/// What a task came to, its panic included.
pub(crate) async fn result<R>(ended: Result<R, JoinError>) -> R {
    match ended {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // The runtime is shutting down: nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Drops something large on a thread of its own, which nobody waits for.
pub(crate) fn drop_elsewhere<T: Send + 'static>(value: T) {
    // Where there is no thread to be had, it is dropped here.
    let _ = thread::Builder::new().name("drop".to_owned()).spawn(move || drop(value));
}

/// What `work` makes of each item, in their order, on several threads where there are many.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: &(impl Fn(&T) -> R + Sync)) -> Vec<R> {
    let share = items.len().div_ceil(count()).max(SHARE_MIN);
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    let shares = items.chunks(share).zip(results.chunks_mut(share)).collect();
    share_out(count(), shares, &|(items, results): (&[T], &mut [Option<R>])| {
        for (item, result) in items.iter().zip(results) {
            *result = Some(work(item));
        }
    });
    results.into_iter().flatten().collect()
}

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
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, SHARE_MIN, 10 * SHARE_MIN + 1] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, &|item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

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
