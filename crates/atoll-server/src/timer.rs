//! A timer for timeouts that are set often and pass rarely.
//!
//! A connection sets a timeout before each request and takes it back a moment later. A timer of the runtime's is moved in
//! its wheel each time; this one only notes the new deadline when it is a later one, and looks at the note when the old
//! one has passed. A connection under load so sets one timer of the runtime's in thirty seconds.

use hyper::rt::{Sleep, Timer};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LazyTimer;

struct LazySleep {
    deadline: Instant,
    /// Set for `deadline` or an earlier moment.
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for LazySleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let deadline = self.deadline;
            if self.sleep.deadline().into_std() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline.into());
        }
    }
}

impl Sleep for LazySleep {}

impl Timer for LazyTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(LazySleep { deadline, sleep: Box::pin(tokio::time::sleep_until(deadline.into())) })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<LazySleep>() {
            Some(lazy) if deadline >= lazy.sleep.deadline().into_std() => lazy.get_mut().deadline = deadline,
            _ => *sleep = self.sleep_until(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_was_moved_is_kept() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let begin = tokio::time::Instant::now();
            let mut sleep = LazyTimer.sleep_until((begin + Duration::from_secs(10)).into_std());
            LazyTimer.reset(&mut sleep, (begin + Duration::from_secs(25)).into_std());
            sleep.as_mut().await;
            assert!(begin.elapsed() >= Duration::from_secs(25) && begin.elapsed() < Duration::from_secs(26));

            let begin = tokio::time::Instant::now();
            let mut sleep = LazyTimer.sleep_until((begin + Duration::from_secs(10)).into_std());
            LazyTimer.reset(&mut sleep, (begin + Duration::from_secs(5)).into_std());
            sleep.as_mut().await;
            assert!(begin.elapsed() >= Duration::from_secs(5) && begin.elapsed() < Duration::from_secs(6));
        });
    }
}
