//! timerfd_create(2): a timer that is a descriptor, as precise as the kernel's clock.

use crate::{Errno, counted};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

/// A timer by the monotonic clock, set for one moment at a time. Its descriptor is readable from then on; reading it
/// does not wait.
#[derive(Debug)]
pub struct Timer(OwnedFd);

impl Timer {
    /// A timer that is not set, closed on exec.
    pub fn new() -> Result<Self, Errno> {
        counted!("timerfd_create");
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags).map(Self)
    }

    /// Sets it for a moment from now on, which may be now, in place of the one that it was set for. Errors: `EINVAL` for
    /// more than 2⁶³ seconds.
    pub fn set(&self, after: Duration) -> Result<(), Errno> {
        counted!("timerfd_settime");
        // Zero would mean never.
        let after = Timespec::try_from(after.max(Duration::from_nanos(1))).map_err(|_| Errno::INVAL)?;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Itimerspec { it_interval: never, it_value: after };
        rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value).map(drop)
    }

    /// Whether the moment has come; it is told once. Errors: none that a timer gives.
    pub fn take(&self) -> Result<bool, Errno> {
        counted!("read");
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut [0; 8])) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(feature = "tokio")]
impl Timer {
    /// Has the current runtime's event loop wait for it.
    ///
    /// # Panics
    /// Outside of a runtime, and in one without I/O.
    pub fn register(self) -> std::io::Result<tokio::io::unix::AsyncFd<Self>> {
        #[expect(unsafe_code, reason = "tokio has no safe way for descriptors of other kinds than its own")]
        // SAFETY: a timer owns its descriptor, always names the same one, and closes it only when it is dropped.
        let registered =
            unsafe { tokio::io::unix::AsyncFd::register_with_interest(self, tokio::io::Interest::READABLE) };
        Ok(registered?)
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Timer;
    use crate::readiness::wait_readable;
    use std::time::{Duration, Instant};

    #[test]
    fn it_tells_once_and_not_before_its_moment() {
        let timer = Timer::new().unwrap();
        assert_eq!(timer.take(), Ok(false));
        let begun = Instant::now();
        timer.set(Duration::from_hours(1)).unwrap();
        timer.set(Duration::from_micros(300)).unwrap();
        assert!(wait_readable(&timer, Duration::from_mins(1)).unwrap());
        assert!(begun.elapsed() >= Duration::from_micros(300));
        assert_eq!((timer.take(), timer.take()), (Ok(true), Ok(false)));
        timer.set(Duration::ZERO).unwrap();
        assert!(wait_readable(&timer, Duration::from_mins(1)).unwrap());
        assert!(timer.set(Duration::MAX).is_err());
    }
}
