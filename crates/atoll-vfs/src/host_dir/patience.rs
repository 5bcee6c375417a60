//! Whether the calls of a thread may wait for a disk.

use crate::Errno;
use std::cell::Cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Waits,
    MustNotWait,
    /// Something would have had to wait, and failed.
    WouldHaveWaited,
}

thread_local! {
    static PATIENCE: Cell<Patience> = const { Cell::new(Patience::Waits) };
}

/// Runs `work`, in which no path is opened that the kernel does not have in memory (`RESOLVE_CACHED`). `None` when one would
/// have had to be read: then `work` has failed, and is to be done again where there is time to wait. What happens to a
/// file once it is open may wait all the same.
pub fn without_waiting<R>(work: impl FnOnce() -> R) -> Option<R> {
    PATIENCE.set(Patience::MustNotWait);
    let result = work();
    (PATIENCE.replace(Patience::Waits) == Patience::MustNotWait).then_some(result)
}

/// That this thread may wait for a disk now. A layer asks before it reads something that it does not have in memory.
///
/// # Errors
/// `EAGAIN` within [`without_waiting`], which then knows that something would have had to wait.
pub fn may_wait() -> Result<(), Errno> {
    if is_short() {
        note_wait();
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

/// Whether this thread must not wait now.
pub(super) fn is_short() -> bool {
    PATIENCE.get() != Patience::Waits
}

/// Notes that something would have had to wait.
pub(super) fn note_wait() {
    PATIENCE.set(Patience::WouldHaveWaited);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_have_waited_is_told() {
        assert_eq!(without_waiting(is_short), Some(true));
        assert_eq!(without_waiting(note_wait), None);
        assert_eq!(without_waiting(may_wait), None);
        assert_eq!(may_wait(), Ok(()));
        assert!(!is_short());
    }
}
