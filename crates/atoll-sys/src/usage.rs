//! What ended processes have used: `getrusage(2)` of the children.

use crate::{Errno, counted};
use std::time::Duration;

/// Bytes that one unit of `ru_oublock` stands for (`include/linux/task_io_accounting_ops.h`).
const BLOCK_BYTES: u64 = 512;

/// What the children that were waited for have used, and what their own waited-for children have: a whole tree of
/// processes, as far as each waited for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildrenUsage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Resident memory of the largest one at its largest, in bytes.
    pub max_resident_bytes: u64,
    /// Times that one gave up its processor to wait.
    pub voluntary_switches: u64,
    /// Times that one lost its processor to another.
    pub involuntary_switches: u64,
    /// Bytes of the page cache that they made dirty, and so caused to be written to a disk sooner or later.
    pub written_bytes: u64,
}

/// Reads it. Errors: the kernel's; none are known.
#[expect(unsafe_code, reason = "a system call with an out parameter")]
pub fn of_children() -> Result<ChildrenUsage, Errno> {
    counted!("getrusage");
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // JUSTIFICATION: rustix has no getrusage.
    // SAFETY: the kernel writes one `rusage` to the pointer, which is valid for it.
    let status = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    if status != 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    // SAFETY: the call succeeded, so all of it was written.
    let usage = unsafe { usage.assume_init() };
    Ok(read(&usage))
}

fn read(usage: &libc::rusage) -> ChildrenUsage {
    let count = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    let time =
        |time: libc::timeval| Duration::from_secs(count(time.tv_sec)) + Duration::from_micros(count(time.tv_usec));
    ChildrenUsage {
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
        // Linux counts it in KiB.
        max_resident_bytes: count(usage.ru_maxrss) * 1024,
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
        written_bytes: count(usage.ru_oublock) * BLOCK_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_was_waited_for_is_counted() {
        let before = of_children().expect("the kernel answers");
        #[expect(clippy::disallowed_methods, reason = "a test of what children use")]
        let mut child = std::process::Command::new("sh");
        let status = child.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]).status();
        assert!(status.expect("sh runs").success());
        let after = of_children().expect("the kernel answers");
        assert!(after.user + after.system > before.user + before.system);
        assert!(after.max_resident_bytes > 0);
    }

    #[test]
    #[expect(unsafe_code, reason = "`rusage` has no constructor")]
    fn the_kernel_s_units_are_turned_into_ours() {
        // SAFETY: a `rusage` is integers only, for which zeros are a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        assert_eq!(read(&usage), ChildrenUsage::default());
        usage.ru_utime = libc::timeval { tv_sec: 2, tv_usec: 500_000 };
        usage.ru_stime = libc::timeval { tv_sec: 0, tv_usec: 7 };
        (usage.ru_maxrss, usage.ru_nvcsw, usage.ru_nivcsw, usage.ru_oublock) = (3, 4, 5, 6);
        let expected = ChildrenUsage {
            user: Duration::from_millis(2500),
            system: Duration::from_micros(7),
            max_resident_bytes: 3 * 1024,
            voluntary_switches: 4,
            involuntary_switches: 5,
            written_bytes: 6 * 512,
        };
        assert_eq!(read(&usage), expected);
    }
}
