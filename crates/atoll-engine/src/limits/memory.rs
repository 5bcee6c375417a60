//! `ArrayBuffer` memory: counted, bounded, and reached from Rust.
//!
//! V8 allocates most `ArrayBuffer`s through our [`allocator`], which refuses what is over the limit. What has its memory from the
//! system, WebAssembly's memories and resizable buffers, V8 only counts: the limit holds for both together, but the sum is looked at
//! every now and then ([`check_external`]), not at each allocation. A refusal makes V8 collect garbage and try again, and in the
//! end throw a `RangeError`; a guest that catches it would go on at its limit, so a refusal that no retry mended ends
//! the guest.

use super::{Killer, Reason, Termination};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// V8 wants what `malloc` gives: memory aligned for any type.
const ALIGNMENT: usize = 16;

/// How long V8's threads may take to give back what a collection let go, before an allocation is refused again: freeing
/// even gigabytes takes less, unless these threads have other work. A guest that has really used up its memory is kept from going
/// on for three times this.
const SWEEP_MAX: Duration = Duration::from_millis(10);

/// The budget of one isolate.
#[derive(Debug)]
pub(crate) struct BufferBudget {
    /// What V8 counts in an isolate that nobody has used: the builtins' text, of which the process has one.
    baseline: AtomicUsize,
    used: AtomicUsize,
    limit: AtomicUsize,
    /// What would have been in use with the allocation that was refused.
    wanted: AtomicUsize,
    /// An allocation was refused, and none has succeeded since.
    refused: AtomicBool,
    /// An allocation waits for memory to be given back, which this tells.
    waits: AtomicBool,
    given_back: (Mutex<()>, Condvar),
    /// What V8 was given for buffers since the heap was last made to feel it, bytes.
    handed_over: AtomicUsize,
    killer: std::sync::OnceLock<Arc<Killer>>,
}

/// The isolate slot that lets natives ask for the budget.
pub(crate) struct BudgetSlot(pub(crate) Arc<BufferBudget>);

impl BufferBudget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            baseline: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            wanted: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            given_back: Default::default(),
            handed_over: AtomicUsize::new(0),
            killer: std::sync::OnceLock::new(),
        })
    }

    /// Bytes that may be in use.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit, for an isolate that was made before it was known whose it would be.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What the last allocation met, if it was refused.
    pub(super) fn refusal(&self) -> Option<Termination> {
        let refused = self.refused.load(Ordering::Relaxed);
        refused.then(|| Termination::memory(Reason::External, self.limit(), self.wanted.load(Ordering::Relaxed)))
    }

    /// Takes what V8 counts now for nobody's.
    pub(crate) fn set_baseline(&self, isolate: &mut v8::Isolate) {
        self.baseline.store(counted(isolate), Ordering::Relaxed);
    }

    /// What of V8's count of memory outside of the heap is the guest's, bytes.
    pub(crate) fn external(&self, isolate: &mut v8::Isolate) -> usize {
        counted(isolate).saturating_sub(self.baseline.load(Ordering::Relaxed))
    }

    /// Names whom a refusal ends.
    pub(crate) fn set_killer(&self, killer: Arc<Killer>) {
        let _ = self.killer.set(killer);
    }

    fn reserve(&self, bytes: usize) -> bool {
        let admitted = self.admit(bytes) || self.refused.load(Ordering::Relaxed) && self.admit_soon(bytes);
        if !admitted {
            self.wanted.store(self.used().saturating_add(bytes), Ordering::Relaxed);
        }
        admitted
    }

    /// Takes `bytes` of the budget, if there are as many.
    pub(crate) fn admit(&self, bytes: usize) -> bool {
        let admitted = self.used.try_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.limit())
        });
        admitted.is_ok()
    }

    /// Waits for room. V8 has collected garbage since it was refused, and its own threads are giving back what that let go.
    fn admit_soon(&self, bytes: usize) -> bool {
        if bytes > self.limit() {
            return false;
        }
        let (lock, told) = &self.given_back;
        let waiting = lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever gives back from here on tells; what was given back before is seen by the first look.
        self.waits.store(true, Ordering::SeqCst);
        let waited = told.wait_timeout_while(waiting, SWEEP_MAX, |()| !self.admit(bytes));
        self.waits.store(false, Ordering::SeqCst);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Gives back what `admit` has taken.
    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        if self.waits.load(Ordering::SeqCst) {
            let (lock, told) = &self.given_back;
            drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
            told.notify_all();
        }
    }
}

/// Whether `bytes` more fit into the budget of this isolate. To be asked before Rust makes an `ArrayBuffer`: V8 ends
/// the process when an allocation that did not come from JavaScript fails.
pub(crate) fn admits(isolate: &mut v8::Isolate, bytes: usize) -> bool {
    isolate.get_slot::<BudgetSlot>().is_none_or(|slot| slot.0.used().saturating_add(bytes) <= slot.0.limit())
}

/// Copies `data` into a backing store; what does not fit is left out.
pub(crate) fn write(store: &v8::BackingStore, offset: usize, data: &[u8]) {
    for (cell, byte) in store.iter().skip(offset).zip(data) {
        cell.set(*byte);
    }
}

/// Gives `edit` the bytes of an `ArrayBuffer` or a view; `None` for other values.
#[expect(unsafe_code, reason = "guest memory is reached without a copy")]
pub(crate) fn with_bytes_mut<R>(value: v8::Local<'_, v8::Value>, edit: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    let (data, length) = if let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) {
        (view.data().cast::<u8>(), view.byte_length())
    } else if let Ok(buffer) = v8::Local::<v8::ArrayBuffer>::try_from(value) {
        (buffer.data().map_or(std::ptr::null_mut(), |data| data.as_ptr().cast::<u8>()), buffer.byte_length())
    } else {
        return None;
    };
    if length == 0 || data.is_null() {
        return Some(edit(&mut []));
    }
    // SAFETY: V8 keeps `length` bytes at `data` while the handle lives; `edit` can't run JavaScript, so nothing detaches
    // or resizes the buffer meanwhile, and shared buffers don't exist in our contexts, so no other thread writes.
    Some(edit(unsafe { std::slice::from_raw_parts_mut(data, length) }))
}

/// The allocator for one isolate.
#[expect(unsafe_code, reason = "V8 calls an allocator through a table of C functions")]
pub(crate) fn allocator(budget: &Arc<BufferBudget>) -> v8::UniqueRef<v8::Allocator> {
    static TABLE: v8::RustAllocatorVtable<BufferBudget> =
        v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: drop_budget };
    // SAFETY: the handle is an `Arc` made into a raw pointer, which `drop_budget` takes back once, as the table asks.
    unsafe { v8::new_rust_allocator(Arc::into_raw(Arc::clone(budget)), &TABLE) }
}

/// What lies before memory that is counted by itself: whoever lets it go knows no more than where it is.
#[repr(C, align(16))]
struct Header {
    budget: Arc<BufferBudget>,
    /// Bytes behind the header.
    bytes: usize,
}

const _: () = assert!(align_of::<Header>() == ALIGNMENT && size_of::<Header>().is_multiple_of(ALIGNMENT));

/// Zeroed memory counted against a budget, for [`free_counted`]. Unlike an allocation of V8's, a refusal ends nobody: the
/// caller may have garbage collected and try again.
#[expect(clippy::cast_ptr_alignment, reason = "the layout has the header's alignment")]
pub(crate) fn allocate_counted(budget: &Arc<BufferBudget>, bytes: usize) -> Option<NonNull<u8>> {
    let layout = layout(bytes.checked_add(size_of::<Header>())?)?;
    if !budget.admit(bytes) {
        return None;
    }
    #[expect(unsafe_code, reason = "allocation by layout")]
    // SAFETY: the layout's size is at least that of a header, whose alignment is the layout's; the header is written before
    // anything reads it, and what lies behind it is within the same allocation.
    let memory = unsafe {
        NonNull::new(alloc_zeroed(layout).cast::<Header>()).map(|header| {
            header.write(Header { budget: Arc::clone(budget), bytes });
            header.add(1).cast::<u8>()
        })
    };
    if memory.is_none() {
        budget.release(bytes);
    }
    memory
}

/// So many bytes outside of the heap...
const WEIGHED_BYTES: usize = 1 << 20;
/// ... weigh as much as so many in it.
const WEIGHT_BYTES: usize = 64 << 10;

/// What is heavier than a full young heap makes no difference: 64 weights are 4 MiB.
const WEIGHTS_MAX: usize = 64;

/// To be called when V8 is given `bytes` of memory from [`allocate_counted`] for an `ArrayBuffer`.
///
/// V8 collects young garbage when the heap's young part is full, whatever memory its buffers hold; of that it takes notice at
/// 64 MiB, by marking everything, in steps that come with allocations in the heap. A program that reads files allocates next to
/// nothing there, and would hold several times as much, all of it pages that the kernel has to make. So the heap is made to
/// feel what lies outside: buffers weigh a sixteenth of their size.
pub(crate) fn weigh(scope: &mut v8::PinScope<'_, '_>, bytes: usize) {
    static WEIGHT: [u8; WEIGHT_BYTES] = [0; WEIGHT_BYTES];
    let Some(BudgetSlot(budget)) = scope.get_slot::<BudgetSlot>() else { return };
    let total = budget.handed_over.load(Ordering::Relaxed) + bytes;
    budget.handed_over.store(total % WEIGHED_BYTES, Ordering::Relaxed);
    // A large buffer alone fills no more than what makes V8 look.
    for _ in 0..(total / WEIGHED_BYTES).min(WEIGHTS_MAX) {
        v8::scope!(let scope, scope);
        let _ = v8::String::new_from_one_byte(scope, &WEIGHT, v8::NewStringType::Normal);
    }
}

/// Gives back what [`allocate_counted`] gave.
///
/// # Safety
/// `data` came from there, and nobody refers to it any more.
#[expect(unsafe_code, reason = "memory by pointer")]
pub(crate) unsafe fn free_counted(data: NonNull<u8>) {
    // SAFETY: the header was written before `data` was handed out; it is read once, here.
    let (header, place) = unsafe {
        let place = data.cast::<Header>().sub(1);
        (place.read(), place)
    };
    let Header { budget, bytes } = header;
    budget.release(bytes);
    let Some(layout) = layout(bytes.saturating_add(size_of::<Header>())) else { return };
    // SAFETY: the allocation began at the header, and had this layout.
    unsafe {
        dealloc(place.as_ptr().cast(), layout);
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
}

/// What runs at the guest's next safe point after a refusal, when V8 has made its retries.
#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn judge_refusal(_isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: `data` is the budget that the isolate's allocator holds, so it lives at least as long as the isolate
    // that runs this.
    let budget = unsafe { &*data.cast::<BufferBudget>() };
    if let Some(termination) = budget.refusal()
        && let Some(killer) = budget.killer.get()
    {
        killer.kill(termination);
    }
}

/// What the guest has outside of its heap, whoever gave it, bytes. V8 counts all of it, but buffers that it has let go some
/// time later, and those that are being made not yet.
fn outside(isolate: &mut v8::Isolate, budget: &BufferBudget) -> usize {
    budget.external(isolate).max(budget.used())
}

/// Memory outside of the heap, by V8's own count, bytes.
fn counted(isolate: &mut v8::Isolate) -> usize {
    usize::try_from(isolate.adjust_amount_of_external_allocated_memory(0)).unwrap_or(0)
}

/// Ends the guest if its memory outside of the heap is over the limit, and is no garbage.
pub(crate) fn check_external(isolate: &mut v8::Isolate, budget: &BufferBudget) {
    if outside(isolate, budget) <= budget.limit() {
        return;
    }
    // Garbage is no use of memory; V8 hears of it only when there is much more of it. With this it also counts what it let go.
    isolate.memory_pressure_notification(v8::MemoryPressureLevel::Critical);
    let used = outside(isolate, budget);
    if used > budget.limit()
        && let Some(killer) = budget.killer.get()
    {
        killer.kill(Termination::memory(Reason::External, budget.limit(), used));
    }
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn interrupt_for_external(isolate: v8::UnsafeRawIsolatePtr, _data: *mut c_void) {
    // SAFETY: V8 runs this on the isolate's thread, at a safe point of its JavaScript, with the isolate it belongs to.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    if let Some(BudgetSlot(budget)) = isolate.get_slot::<BudgetSlot>() {
        let budget = Arc::clone(budget);
        check_external(&mut isolate, &budget);
    }
}

/// As [`check_external`], at the guest's next safe point; from any thread.
pub(super) fn check_external_soon(killer: &Killer) {
    killer.handle().request_interrupt(interrupt_for_external, std::ptr::null_mut());
}

fn refuse(budget: &BufferBudget) -> *mut c_void {
    if !budget.refused.swap(true, Ordering::Relaxed)
        && let Some(killer) = budget.killer.get()
    {
        let data = std::ptr::from_ref(budget).cast_mut().cast::<c_void>();
        killer.handle().request_interrupt(judge_refusal, data);
    }
    std::ptr::null_mut()
}

fn take(budget: &BufferBudget, bytes: usize) -> *mut c_void {
    let Some(layout) = layout(bytes) else {
        budget.wanted.store(bytes, Ordering::Relaxed);
        return refuse(budget);
    };
    if !budget.reserve(bytes) {
        return refuse(budget);
    }
    budget.refused.store(false, Ordering::Relaxed);
    #[expect(unsafe_code, reason = "allocation by layout")]
    // SAFETY: the layout's size is at least one byte.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        budget.release(bytes);
        return refuse(budget);
    }
    memory.cast()
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn allocate(budget: &BufferBudget, bytes: usize) -> *mut c_void {
    take(budget, bytes)
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn allocate_uninitialized(budget: &BufferBudget, bytes: usize) -> *mut c_void {
    // Guests could read what an earlier owner left behind, so nothing is ever handed out uninitialised.
    take(budget, bytes)
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn free(budget: &BufferBudget, data: *mut c_void, bytes: usize) {
    if data.is_null() {
        return;
    }
    let Some(layout) = layout(bytes) else { return };
    budget.release(bytes);
    // SAFETY: V8 gives back what `take` gave it, with the same length, hence the same layout.
    unsafe { dealloc(data.cast(), layout) };
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn drop_budget(budget: *const BufferBudget) {
    // SAFETY: the pointer is the one that `allocator` made by `Arc::into_raw`; V8 calls this once.
    drop(unsafe { Arc::from_raw(budget) });
}
