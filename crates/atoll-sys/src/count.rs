//! Counts the system calls that this crate makes on the current thread. Closing a descriptor is not counted: that
//! happens in `Drop`, once for each open.

use std::cell::RefCell;

thread_local! {
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn note(name: &'static str) {
    CALLS.with(|calls| calls.borrow_mut().push(name));
}

/// Runs `work` and returns its result with the names of the system calls it made on this thread, in order.
pub fn of<R>(work: impl FnOnce() -> R) -> (R, Vec<&'static str>) {
    CALLS.with(|calls| calls.borrow_mut().clear());
    let result = work();
    (result, CALLS.with(RefCell::take))
}
