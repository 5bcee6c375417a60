//! Which isolate a thread has locked and entered.
//!
//! Entering an isolate costs a fifth of a microsecond, and a thread that serves one app enters the same isolate again
//! and again. So a thread keeps the last isolate that it entered, until it needs another one, or gives a realm away
//! ([`release`]). An isolate's lock is never contended: a realm is used by one thread at a time, and a thread that hands
//! a realm over releases it first.

use super::isolate::Shell;
use crate::limits::HeapGuard;
use std::cell::Cell;
use std::sync::Arc;

/// The lock on an isolate, and what V8 has the address of while the isolate exists.
struct Held {
    locker: v8::Locker<'static>,
    shell: *const Shell,
    /// After the locker, which may be the last owner of the isolate.
    _heap_guard: Arc<HeapGuard>,
}

thread_local! {
    static HELD: Cell<Option<Box<Held>>> = const { Cell::new(None) };
}

/// Runs `body` with the isolate of `shell` locked and entered.
pub(super) fn with<R>(shell: &Shell, body: impl FnOnce(&mut v8::Isolate) -> R) -> R {
    let held = HELD.take().filter(|held| std::ptr::eq(held.shell, shell));
    // The box of another isolate was dropped by the filter, as V8 wants it: one entered isolate at a time.
    let mut held = held.unwrap_or_else(|| {
        #[expect(unsafe_code, reason = "the lock outlives the borrow of the isolate")]
        // SAFETY: `Locker`'s lifetime is that of a borrow of `SharedIsolate`; the lock itself owns what it needs.
        let locker = unsafe { std::mem::transmute::<v8::Locker<'_>, v8::Locker<'static>>(shell.shared.lock()) };
        Box::new(Held { locker, shell, _heap_guard: Arc::clone(&shell.heap_guard) })
    });
    let value = body(&mut held.locker);
    HELD.set(Some(held));
    value
}

/// Leaves the isolate that this thread entered last, so that another thread can enter it, or it can be disposed of.
pub(super) fn release() {
    drop(HELD.take());
}
