//! Counts the system calls that this crate makes on the current thread. Closing a descriptor is not counted: that
//! happens in `Drop`, once for each open. And counts the allocations of a test binary that has [`Allocator`] as its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

thread_local! {
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
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

/// The system's allocator, counting: `#[global_allocator] static ALLOCATOR: Allocator = Allocator;`.
#[derive(Debug)]
pub struct Allocator;

#[expect(unsafe_code, reason = "an allocator is one by contract")]
// SAFETY: every call goes to the system's allocator as it is; the counter is a thread's own and allocates nothing.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is this one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; what is freed came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Runs `work` and returns its result with the number of allocations it made on this thread, growing included.
pub fn allocations_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let result = work();
    (result, ALLOCATIONS.get() - before)
}
