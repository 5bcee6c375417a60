//! CPU clocks of threads.

use crate::counted;
use std::time::Duration;

/// A thread's CPU clock, readable from any thread of the process (`pthread_getcpuclockid(3)`).
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of the calling thread.
    #[expect(unsafe_code, reason = "a C library call with an out parameter")]
    pub fn of_current_thread() -> Self {
        let mut clock: libc::clockid_t = 0;
        // SAFETY: `pthread_self` names a living thread, and `clock` outlives the call.
        let status = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        assert_eq!(status, 0, "the calling thread exists, so it has a CPU clock");
        Self(clock)
    }

    /// The CPU time that the thread has used; zero once it has ended.
    #[expect(unsafe_code, reason = "a system call with an out parameter")]
    pub fn now(self) -> Duration {
        counted!("clock_gettime");
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` outlives the call; an unknown clock gives an error, which leaves it zero.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}
