//! The timer of a connection, for a timeout that is set before each request and taken back a moment later.
//!
//! HTTP/1.1 waits for one thing at a time, so a connection needs one timer of the runtime's, whatever it waits for. It is
//! not moved in the runtime's wheel when a new deadline is later than the one that it is set for: when the old one has passed
//! it is set anew. A connection under load so sets one timer of the runtime's in thirty seconds.

use hyper::rt::{Sleep, Timer};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// See the module's documentation. Not for HTTP/2, where several things are waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionTimer(Arc<Alarm>);

/// Set for the deadline that is waited for or an earlier moment; nobody but its connection's task has it at any time.
type Alarm = Mutex<Option<Pin<Box<tokio::time::Sleep>>>>;

struct Deadline {
    deadline: Instant,
    alarm: Arc<Alarm>,
}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(self.deadline);
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

impl Sleep for Deadline {}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { deadline, alarm: Arc::clone(&self.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deadline_is_kept_whatever_came_before_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let timer = ConnectionTimer::default();
            // In ms: how long to wait for each deadline, and after how long that is given up.
            for (after, given_up) in
                [(10_000, 3), (20_000, u64::MAX), (5000, u64::MAX), (50_000, 1), (10, u64::MAX), (70_000, u64::MAX)]
            {
                let begin = tokio::time::Instant::now();
                let sleep = timer.sleep_until((begin + Duration::from_millis(after)).into_std());
                let over = tokio::time::timeout(Duration::from_millis(given_up.min(1 << 40)), sleep).await;
                let expected = Duration::from_millis(after.min(given_up));
                assert_eq!(over.is_ok(), given_up == u64::MAX, "{after}");
                assert!(
                    begin.elapsed() >= expected && begin.elapsed() < expected + Duration::from_millis(5),
                    "{after}"
                );
            }
        });
    }
}
