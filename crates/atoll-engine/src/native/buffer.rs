//! Memory that Rust fills and JavaScript then owns, without a copy between the two.
//!
//! It is counted against the worker's budget from the moment it is allocated, on whatever thread that happens: what a
//! pending read holds is as much the guest's as what it has read.

use crate::limits::memory::{self, BudgetSlot, BufferBudget};
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// The budget of one worker's buffers, to allocate from. It may be kept, and used on other threads.
#[derive(Debug, Clone)]
pub struct GuestMemory(Arc<BufferBudget>);

impl GuestMemory {
    /// That of the isolate.
    pub(crate) fn of(isolate: &v8::Isolate) -> Option<Self> {
        isolate.get_slot::<BudgetSlot>().map(|slot| Self(Arc::clone(&slot.0)))
    }

    /// Zeroed memory; `None` when the worker's limit, or the system, does not admit as much.
    pub fn allocate(&self, bytes: usize) -> Option<GuestBuffer> {
        memory::allocate_counted(&self.0, bytes).map(|data| GuestBuffer { data, length: bytes })
    }

    /// Takes `bytes` of the budget for memory that is allocated in another way; `None` when the limit does not admit it.
    pub fn share(&self, bytes: usize) -> Option<GuestShare> {
        self.0.admit(bytes).then(|| GuestShare { budget: Arc::clone(&self.0), bytes })
    }
}

/// A part of a worker's budget that is taken for something of Rust's, until this is dropped.
#[derive(Debug)]
pub struct GuestShare {
    budget: Arc<BufferBudget>,
    bytes: usize,
}

impl Drop for GuestShare {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// Bytes that JavaScript takes over as they are: as an `ArrayBuffer`, or as a string's characters.
#[derive(Debug)]
pub struct GuestBuffer {
    /// Counted memory of at least `length` initialised bytes.
    data: NonNull<u8>,
    length: usize,
}

#[expect(unsafe_code, reason = "a raw pointer is not Send by itself")]
// SAFETY: the memory belongs to this value alone, and what counts it is atomic.
unsafe impl Send for GuestBuffer {}

/// Strings of so many bytes are made over the memory that was read into; to copy shorter ones is cheaper.
const EXTERNAL_STRING_BYTES: usize = 64 * 1024;

impl GuestBuffer {
    /// Forgets what is behind `length` bytes. The memory stays counted as it was allocated.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// A `Uint8Array` over this memory.
    pub(crate) fn into_v8<'s>(self, scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Uint8Array>> {
        let length = self.length;
        if length == 0 {
            let buffer = v8::ArrayBuffer::new(scope, 0);
            return v8::Uint8Array::new(scope, buffer, 0, 0);
        }
        memory::weigh(scope, length);
        let data = self.leak();
        #[expect(unsafe_code, reason = "V8 takes foreign memory by pointer")]
        // SAFETY: `length` bytes at `data` live until `free_store` is called, once, when V8 lets the memory go.
        let store = unsafe {
            v8::ArrayBuffer::new_backing_store_from_ptr(data.as_ptr().cast(), length, free_store, std::ptr::null_mut())
        };
        let buffer = v8::ArrayBuffer::with_backing_store(scope, &store.make_shared());
        v8::Uint8Array::new(scope, buffer, 0, length)
    }

    /// A string of what is taken for UTF-8. `None` when it is longer than a string can be.
    pub(crate) fn into_text<'s>(self, scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::String>> {
        if self.length < EXTERNAL_STRING_BYTES || self.length > v8::String::MAX_LENGTH || !is_ascii(&self) {
            return v8::String::new_from_utf8(scope, &self, v8::NewStringType::Normal);
        }
        let length = self.length;
        let data = self.leak();
        #[expect(unsafe_code, reason = "V8 takes foreign memory by pointer")]
        // SAFETY: `length` bytes of ASCII at `data` live, unchanged, until `free_text` is called, once, when V8 lets the
        // string go.
        unsafe {
            v8::String::new_external_onebyte_raw(scope, data.as_ptr().cast(), length, free_text)
        }
    }

    /// The memory, which somebody else has to free from here on.
    fn leak(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).data
    }
}

fn is_ascii(bytes: &[u8]) -> bool {
    v8::simdutf::validate_ascii(bytes)
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn free_store(data: *mut c_void, _length: usize, _nothing: *mut c_void) {
    if let Some(data) = NonNull::new(data.cast()) {
        // SAFETY: `into_v8` gave this memory to the backing store that is going.
        unsafe { memory::free_counted(data) };
    }
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn free_text(data: *mut std::ffi::c_char, _length: usize) {
    if let Some(data) = NonNull::new(data.cast()) {
        // SAFETY: `into_text` gave this memory to the string that is going.
        unsafe { memory::free_counted(data) };
    }
}

impl Deref for GuestBuffer {
    type Target = [u8];

    #[expect(unsafe_code, reason = "the memory is allocated by hand")]
    fn deref(&self) -> &[u8] {
        // SAFETY: `length` initialised bytes are at `data`.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.length) }
    }
}

impl DerefMut for GuestBuffer {
    #[expect(unsafe_code, reason = "the memory is allocated by hand")]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the unique borrow keeps others away.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.length) }
    }
}

impl Drop for GuestBuffer {
    #[expect(unsafe_code, reason = "the memory is allocated by hand")]
    fn drop(&mut self) {
        // SAFETY: this value owns the memory, and goes.
        unsafe { memory::free_counted(self.data) };
    }
}

impl PartialEq for GuestBuffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
