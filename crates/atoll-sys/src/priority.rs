//! Scheduling priority.

use crate::{Errno, counted};

/// Makes the calling thread nicer than others by `by`, `nice(2)`'s way: on Linux the nice value is a thread's own
/// (`setpriority(2)`, "C library/kernel differences"). Errors: the kernel's.
pub fn lower_current_thread(by: i32) -> Result<(), Errno> {
    counted!("setpriority");
    let thread = rustix::thread::gettid();
    rustix::process::setpriority_process(Some(thread), by)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_can_be_made_nicer() {
        let (own, other) = std::thread::spawn(|| {
            super::lower_current_thread(5).expect("the kernel allows it");
            let own = rustix::process::getpriority_process(Some(rustix::thread::gettid()));
            (own.expect("a priority"), rustix::process::getpriority_process(None).expect("a priority"))
        })
        .join()
        .expect("no panic");
        assert_eq!(own, 5);
        assert_eq!(other, 5, "the calling thread is meant by none");
    }
}
