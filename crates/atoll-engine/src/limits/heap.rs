//! The heap limit.
//!
//! V8 asks near the limit whether it may go on. We end the guest there and give head room, because what runs at that
//! moment (a built-in that fills an array, a garbage collection) can't stop at once, and V8 ends the whole process when
//! it is refused memory. The head room is address space, not memory that anyone has.

use super::memory::BufferBudget;
use super::{Killer, Reason, Termination};
use std::ffi::c_void;
use std::sync::Arc;

/// The least head room beyond the limit, bytes. One built-in call can allocate this much before the termination is
/// seen: V8's largest string is 1 GiB (`v8::String::MAX_LENGTH`, two bytes a character) and its largest array backing
/// store 1 GiB.
const MIN_HEAD_ROOM_BYTES: usize = 2 << 30;

/// The head room is never less than this part of the limit.
const HEAD_ROOM_DIVISOR: usize = 4;

/// Watches one isolate's heap; must outlive the isolate.
pub(crate) struct HeapGuard {
    killer: Arc<Killer>,
    external: Arc<BufferBudget>,
    limit_bytes: usize,
}

impl HeapGuard {
    /// Starts to watch. The guard is kept at a stable address by its `Arc`.
    pub(crate) fn install(
        isolate: &mut v8::Isolate,
        killer: Arc<Killer>,
        external: Arc<BufferBudget>,
        limit_bytes: usize,
    ) -> Arc<Self> {
        let guard = Arc::new(Self { killer, external, limit_bytes });
        let data = Arc::as_ptr(&guard).cast_mut().cast::<c_void>();
        isolate.add_near_heap_limit_callback(near_limit, data);
        guard
    }
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn near_limit(data: *mut c_void, current: usize, _initial: usize) -> usize {
    // SAFETY: `data` is the address of the guard that `install` made, which lives longer than the isolate that calls.
    let guard = unsafe { &*data.cast::<HeapGuard>() };
    // V8 counts what objects hold outside of the heap among its reasons to collect, and calls this when that gave nothing
    // back: then the refused buffer is what the guest ran into.
    let reason = guard.external.refusal().unwrap_or_else(|| {
        // V8's own bound is that of the old generation, a part of ours.
        Termination::memory(Reason::Heap, guard.limit_bytes, current.max(guard.limit_bytes))
    });
    guard.killer.kill(reason);
    current + (current / HEAD_ROOM_DIVISOR).max(MIN_HEAD_ROOM_BYTES)
}
