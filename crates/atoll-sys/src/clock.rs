//! Wall clock and CPU time. For the CPU time of another thread see [`CpuClock`](crate::CpuClock).

use crate::counted;
use rustix::time::ClockId;
use std::time::Duration;

/// Time since 1970-01-01T00:00:00Z as (seconds, nanoseconds below 10⁹); seconds are negative before.
pub fn real_time() -> (i64, u32) {
    counted!("clock_gettime");
    let now = rustix::time::clock_gettime(ClockId::Realtime);
    (now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// CPU time, user and system, that the calling thread has used since it started.
pub fn thread_cpu_time() -> Duration {
    counted!("clock_gettime");
    let used = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    duration(used.tv_sec, used.tv_nsec)
}

/// CPU time, user and system, that all threads of this process have used.
pub fn process_cpu_time() -> Duration {
    counted!("clock_gettime");
    let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    duration(used.tv_sec, used.tv_nsec)
}

fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuClock;
    use std::sync::mpsc;

    fn burn(at_least: Duration) {
        let start = thread_cpu_time();
        let mut number = 1_u64;
        while thread_cpu_time().saturating_sub(start) < at_least {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }

    #[test]
    fn a_thread_reads_the_cpu_time_of_another() {
        let (clock_sender, clock) = mpsc::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let busy = std::thread::spawn(move || {
            clock_sender.send(CpuClock::of_current_thread()).unwrap();
            burn(Duration::from_millis(60));
            clock_sender.send(CpuClock::of_current_thread()).unwrap();
            finished.recv().unwrap();
        });
        let own = thread_cpu_time();
        let clock_of_busy = clock.recv().unwrap();
        clock.recv().unwrap();
        assert!(clock_of_busy.now() >= Duration::from_millis(60));
        assert!(thread_cpu_time().saturating_sub(own) < Duration::from_millis(60), "its work is not ours");
        finish.send(()).unwrap();
        busy.join().unwrap();
    }

    #[test]
    fn the_wall_clock_is_after_this_was_written() {
        assert!(real_time().0 > 1_700_000_000);
        assert!(process_cpu_time() >= Duration::ZERO);
    }
}
