//! Threads that unpack packages, fed by the one that downloads them.
//!
//! A thread takes the next piece of work as soon as it is done with one, without asking whoever downloads. Results are kept
//! for a moment, so that a number of them wake that one once: a thread tells what it has when it has nothing else to do, or
//! when that are as many as it may keep.

use std::{
    collections::VecDeque,
    fmt, io, mem,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::inflate::Inflater;

/// Sends a result to who waits for it.
type Tell = Box<dyn FnOnce() + Send>;

/// Up to a number of threads. Dropping this [ends](Unpackers::end) them.
pub(super) struct Unpackers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    threads_max: usize,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Results that a thread tells at once, at most.
    told_max: usize,
    niceness: i32,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Threads that have nothing to do.
    idle: usize,
    is_closed: bool,
}

type Work = Box<dyn FnOnce(&mut Inflater) -> Tell + Send>;

impl Unpackers {
    /// None yet: threads come when there is work. Each tells so many results at once, and is so much nicer than others.
    pub(super) fn new(threads_max: usize, told_max: usize, niceness: i32) -> Self {
        let shared = Shared { queue: Mutex::default(), changed: Condvar::new(), told_max, niceness };
        Self { shared: Arc::new(shared), threads: Mutex::default(), threads_max }
    }

    /// Runs `work` on one of the threads, to its end, also when nobody waits for it any more.
    ///
    /// # Errors
    /// When there is no thread and the system gives none.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inflater) -> R + Send + 'static,
    ) -> io::Result<R> {
        let (sender, receiver) = oneshot::channel();
        let run = move |inflater: &mut Inflater| -> Tell {
            let result = panic::catch_unwind(AssertUnwindSafe(|| work(inflater)));
            Box::new(move || {
                // Nobody wants the result any more when the receiver is gone.
                let _ = sender.send(result);
            })
        };
        self.push(Box::new(run))?;
        match receiver.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => panic::resume_unwind(panic),
            Err(_) => Err(io::Error::other("the threads that unpack ended")),
        }
    }

    /// Waits until the threads have done what they have begun; what waits they forget, and nothing else is done any more.
    pub(super) fn end(&self) {
        let mut queue = self.shared.queue();
        queue.is_closed = true;
        let forgotten = mem::take(&mut queue.waiting);
        drop(queue);
        drop(forgotten);
        self.shared.changed.notify_all();
        let threads = mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // Panics of the work were caught, and are the business of who waits for it.
            let _ = thread.join();
        }
    }

    fn push(&self, work: Work) -> io::Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = self.shared.queue();
        if queue.is_closed {
            return Err(io::Error::other("the threads that unpack have ended"));
        }
        // Each that is idle will take one of those that wait already.
        if queue.idle <= queue.waiting.len() && threads.len() < self.threads_max {
            let shared = Arc::clone(&self.shared);
            match thread::Builder::new().name("unpack".to_owned()).spawn(move || shared.work()) {
                Ok(thread) => threads.push(thread),
                // Those that there are do it.
                Err(_) if !threads.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        queue.waiting.push_back(work);
        let is_wanted = queue.idle > 0;
        drop(queue);
        if is_wanted {
            self.shared.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Unpackers {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Unpackers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unpackers").field("threads_max", &self.threads_max).finish_non_exhaustive()
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does.
    fn work(&self) {
        if self.niceness > 0 {
            // Without it the order is another one, and nothing else.
            let _ = atoll_sys::priority::lower_current_thread(self.niceness);
        }
        let mut inflater = Inflater::new();
        let mut done: Vec<Tell> = Vec::new();
        while let Some(work) = self.next(&mut done) {
            done.push(work(&mut inflater));
            if done.len() == self.told_max {
                tell(&mut done);
            }
        }
    }

    /// The next piece of work, when there is one; `None` at the end. Results are told before waiting.
    fn next(&self, done: &mut Vec<Tell>) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.waiting.pop_front() {
                return Some(work);
            }
            if !done.is_empty() {
                drop(queue);
                tell(done);
                queue = self.queue();
            } else if queue.is_closed {
                return None;
            } else {
                queue.idle += 1;
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        }
    }
}

fn tell(done: &mut Vec<Tell>) {
    for tell in done.drain(..) {
        tell();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        time::Duration,
    };

    use futures_util::{future::join_all, poll};

    use super::*;

    /// So that a test that waits for what does not come ends.
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn everything_is_done_once_on_a_few_threads() {
        for told_max in [1, 8] {
            let unpackers = Unpackers::new(3, told_max, 5);
            let count = Arc::new(AtomicUsize::new(0));
            let results = join_all((0..100).map(|index| {
                let count = Arc::clone(&count);
                unpackers.run(move |_| (index, count.fetch_add(1, Ordering::Relaxed)).0)
            }));
            let results: Vec<i32> = results.await.into_iter().map(Result::unwrap).collect();
            assert_eq!(results, (0..100).collect::<Vec<_>>());
            assert_eq!(count.load(Ordering::Relaxed), 100);
            assert!((1..=3).contains(&unpackers.threads.lock().unwrap().len()));
        }
    }

    /// Results that are told while a further piece of work runs on the only thread, of three that were done before.
    async fn told_before(told_max: usize) -> usize {
        let unpackers = Unpackers::new(1, told_max, 0);
        let (all_wait, go_on) = mpsc::channel::<()>();
        let first = unpackers.run(move |_| go_on.recv_timeout(LONG).is_ok());
        let others = join_all((0..2).map(|_| unpackers.run(|_| true)));
        let (began, mut has_begun) = oneshot::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let last = unpackers.run(move |_| {
            began.send(()).unwrap();
            may_end.recv_timeout(LONG).is_ok()
        });
        let (mut first, mut others, mut last) = (Box::pin(first), Box::pin(others), Box::pin(last));
        assert!(poll!(&mut first).is_pending() && poll!(&mut others).is_pending() && poll!(&mut last).is_pending());
        all_wait.send(()).unwrap();
        (&mut has_begun).await.unwrap();
        let told = usize::from(poll!(&mut first).is_ready()) + 2 * usize::from(poll!(&mut others).is_ready());
        end.send(()).unwrap();
        assert!(last.await.unwrap());
        told
    }

    #[tokio::test]
    async fn results_are_told_several_at_once() {
        assert_eq!(told_before(1).await, 3);
        assert_eq!(told_before(3).await, 3);
        assert_eq!(told_before(4).await, 0);
    }

    #[tokio::test]
    async fn a_panic_is_of_who_waits_for_the_work() {
        let unpackers = Arc::new(Unpackers::new(1, 1, 0));
        let others = Arc::clone(&unpackers);
        let task = tokio::spawn(async move { others.run(|_| panic!("a fault")).await });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(unpackers.run(|_| 1).await.unwrap(), 1, "the thread goes on");
    }

    #[tokio::test]
    async fn the_end_waits_for_what_has_begun_alone() {
        let unpackers = Unpackers::new(1, 1, 0);
        let (began, has_begun) = mpsc::channel();
        let (sender, go_on) = mpsc::channel();
        let count = Arc::new(AtomicUsize::new(0));
        {
            let (first, second) = (Arc::clone(&count), Arc::clone(&count));
            let first = unpackers.run(move |_| {
                began.send(()).unwrap();
                go_on.recv_timeout(LONG).unwrap();
                first.fetch_add(1, Ordering::Relaxed)
            });
            let second = unpackers.run(move |_| second.fetch_add(1, Ordering::Relaxed));
            let mut both = Box::pin(async { tokio::join!(first, second) });
            assert!(poll!(&mut both).is_pending());
        }
        has_begun.recv_timeout(LONG).unwrap();
        let shared = Arc::clone(&unpackers.shared);
        let ending = thread::spawn(move || drop(unpackers));
        while !shared.queue().is_closed {
            thread::yield_now();
        }
        sender.send(()).unwrap();
        ending.join().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
