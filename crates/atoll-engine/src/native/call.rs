//! One call of a native function: its arguments, the worker's state, its way to return.

use super::{GuestMemory, JsError, NativeFunction, NativeResult, Value, text, to_v8};
use crate::host::Host;
use crate::limits::{Termination, memory};
use crate::request;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One call of a native function from the platform's JavaScript. Arguments are counted from 0; a missing one is
/// `undefined`. Reading an argument never runs guest code: a value of another type than asked for is a `TypeError`.
pub struct Call<'a, 's, 'i> {
    pub(crate) scope: &'a mut v8::PinScope<'s, 'i>,
    pub(crate) arguments: v8::FunctionCallbackArguments<'s>,
    pub(crate) returned: v8::ReturnValue<'s, v8::Value>,
}

impl std::fmt::Debug for Call<'_, '_, '_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Call").field("arguments", &self.arguments.length()).finish_non_exhaustive()
    }
}

/// The V8 callback for `F`.
pub(crate) fn callback<F: NativeFunction>() -> v8::FunctionCallback {
    use v8::MapFnTo;
    enter::<F>.map_fn_to()
}

fn enter<'s, F: NativeFunction>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    returned: v8::ReturnValue<'s, v8::Value>,
) {
    let mut call = Call { scope, arguments, returned };
    // A panic can't unwind through V8's frames: uncaught it would end the process, and every other guest with this one.
    // What it may have left half done is this worker's own state.
    let result = catch_unwind(AssertUnwindSafe(|| F::call(&mut call)));
    let result = result.unwrap_or_else(|_| Err(JsError::error("an internal fault of the runtime")));
    call.finish(result);
}

impl<'s> Call<'_, 's, '_> {
    fn finish(&mut self, result: NativeResult) {
        let value = match result {
            Ok(Value::Returned | Value::Undefined) => return,
            Ok(Value::Bool(value)) => return self.returned.set_bool(value),
            Ok(Value::Number(value)) => return self.returned.set_double(value),
            Ok(Value::Null) => return self.returned.set_null(),
            Ok(value) => to_v8(self.scope, value),
            Err(error) => Err(error),
        };
        match value {
            Ok(value) => self.returned.set(value),
            Err(error) => {
                let exception = error.to_exception(self.scope);
                self.scope.throw_exception(exception);
            }
        }
    }

    pub(crate) fn argument(&self, index: usize) -> v8::Local<'s, v8::Value> {
        self.arguments.get(i32::try_from(index).unwrap_or(i32::MAX))
    }

    /// Hands `value` to JavaScript.
    #[expect(clippy::unnecessary_wraps, reason = "it is a native's last line")]
    pub(crate) fn give(&mut self, value: v8::Local<'s, v8::Value>) -> NativeResult {
        self.returned.set(value);
        Ok(Value::Returned)
    }

    /// Returns a string from UTF-8 that the native keeps; bytes that are none become U+FFFD.
    pub fn give_utf8(&mut self, utf8: &[u8]) -> NativeResult {
        let text = text(self.scope, utf8)?;
        self.give(text.into())
    }

    /// How many arguments were passed.
    pub fn arg_count(&self) -> usize {
        usize::try_from(self.arguments.length()).unwrap_or(0)
    }

    /// Whether an argument is `undefined` or `null`.
    pub fn is_nullish(&self, index: usize) -> bool {
        self.argument(index).is_null_or_undefined()
    }

    /// The truth value of an argument (ECMAScript ToBoolean).
    pub fn boolean(&self, index: usize) -> bool {
        self.argument(index).boolean_value(self.scope)
    }

    /// A number argument.
    pub fn number(&mut self, index: usize) -> Result<f64, JsError> {
        let argument = self.argument(index);
        v8::Local::<v8::Number>::try_from(argument).map(|number| number.value()).map_err(|_| wrong(index, "a number"))
    }

    /// A number argument that is an integer in 0..=2³²−1.
    pub fn u32(&mut self, index: usize) -> Result<u32, JsError> {
        u32::try_from(self.u64(index)?).map_err(|_| wrong(index, "an integer below 2**32"))
    }

    /// A number argument that is an integer in −2³¹..2³¹.
    pub fn i32(&mut self, index: usize) -> Result<i32, JsError> {
        let number = self.number(index)?;
        if number.fract().abs() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
            Ok(number as i32)
        } else {
            Err(wrong(index, "a 32-bit integer"))
        }
    }

    /// A number argument that is an integer in 0..2⁵³.
    pub fn u64(&mut self, index: usize) -> Result<u64, JsError> {
        const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
        let number = self.number(index)?;
        if number.fract().abs() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(&number) {
            Ok(number as u64)
        } else {
            Err(wrong(index, "a non-negative safe integer"))
        }
    }

    /// A string argument; lone surrogates become U+FFFD.
    pub fn string(&mut self, index: usize) -> Result<String, JsError> {
        let argument = self.argument(index);
        match v8::Local::<v8::String>::try_from(argument) {
            Ok(text) => Ok(text.to_rust_string_lossy(self.scope)),
            Err(_) => Err(wrong(index, "a string")),
        }
    }

    /// Gives `read` the UTF-8 of a string argument, or the bytes of an `ArrayBuffer` or a view of one. Nothing is copied
    /// where the string is ASCII. Lone surrogates are U+FFFD.
    pub fn with_utf8<R>(&mut self, index: usize, read: impl FnOnce(&[u8]) -> R) -> Result<R, JsError> {
        let argument = self.argument(index);
        match v8::Local::<v8::String>::try_from(argument) {
            // The view forbids allocating on V8's heap; `read` has no way to it.
            Ok(text) => Ok(read(v8::ValueView::new(self.scope, text).to_cow_lossy().as_bytes())),
            Err(_) => memory::with_bytes_mut(argument, |bytes| read(bytes)).ok_or_else(|| wrong(index, "a string")),
        }
    }

    /// A string argument, or `None` for `undefined` and `null`.
    pub fn optional_string(&mut self, index: usize) -> Result<Option<String>, JsError> {
        if self.is_nullish(index) { Ok(None) } else { self.string(index).map(Some) }
    }

    /// An argument that is an array of strings. Elements are read as own data; holes are a `TypeError`.
    pub fn string_list(&mut self, index: usize) -> Result<Vec<String>, JsError> {
        let Ok(array) = v8::Local::<v8::Array>::try_from(self.argument(index)) else {
            return Err(wrong(index, "an array of strings"));
        };
        let mut strings = Vec::with_capacity(array.length().min(1024) as usize);
        for position in 0..array.length() {
            let element = array.get_index(self.scope, position);
            let text = element.and_then(|element| v8::Local::<v8::String>::try_from(element).ok());
            let text = text.ok_or_else(|| wrong(index, "an array of strings"))?;
            strings.push(text.to_rust_string_lossy(self.scope));
        }
        Ok(strings)
    }

    /// A copy of the bytes of an `ArrayBuffer` or a view of one.
    pub fn bytes(&mut self, index: usize) -> Result<Vec<u8>, JsError> {
        self.with_bytes(index, <[u8]>::to_vec)
    }

    /// Reads the bytes of an `ArrayBuffer` or a view of one in place. A detached buffer has no bytes.
    pub fn with_bytes<R>(&mut self, index: usize, read: impl FnOnce(&[u8]) -> R) -> Result<R, JsError> {
        self.with_bytes_mut(index, |bytes| read(bytes))
    }

    /// As [`Call::with_bytes`], writable. `edit` can't reach JavaScript, so the memory stays where it is meanwhile.
    pub fn with_bytes_mut<R>(&mut self, index: usize, edit: impl FnOnce(&mut [u8]) -> R) -> Result<R, JsError> {
        let argument = self.argument(index);
        memory::with_bytes_mut(argument, edit).ok_or_else(|| wrong(index, "an ArrayBuffer or a view of one"))
    }

    /// Gives `edit` the bytes of each element of an array of views, in order, with the element's index. Errors: it is no
    /// such array.
    pub fn with_each_bytes(
        &mut self,
        index: usize,
        mut edit: impl FnMut(usize, &mut [u8]) -> Result<bool, JsError>,
    ) -> Result<(), JsError> {
        let Ok(array) = v8::Local::<v8::Array>::try_from(self.argument(index)) else {
            return Err(wrong(index, "an array of buffers"));
        };
        for position in 0..array.length() {
            let element = array.get_index(self.scope, position);
            let edited = element.and_then(|view| memory::with_bytes_mut(view, |bytes| edit(position as usize, bytes)));
            if !edited.ok_or_else(|| wrong(index, "an array of buffers"))?? {
                break;
            }
        }
        Ok(())
    }

    /// What the worker's buffers may take, to allocate some of it in Rust. `None` while the startup snapshot is built.
    pub fn memory(&mut self) -> Option<GuestMemory> {
        GuestMemory::of(self.scope)
    }

    /// Has garbage collected, because memory that is counted has run out.
    pub fn collect_garbage(&mut self) {
        self.scope.low_memory_notification();
    }

    /// The worker's state of type `T`.
    ///
    /// # Panics
    /// When the host of this worker did not provide it: a wiring fault, not a guest's.
    pub fn state<T: Send + 'static>(&mut self) -> &mut T {
        let name = std::any::type_name::<T>();
        self.try_state().unwrap_or_else(|| panic!("no state of type {name} in this worker"))
    }

    /// The worker's state of type `T`, where there is one: there is none while the startup snapshot is built.
    pub fn try_state<T: Send + 'static>(&mut self) -> Option<&mut T> {
        Host::current(self.scope)?.state.get_mut::<T>()
    }

    /// Ends the guest at its own wish, as `process.exit()` does: no more of its JavaScript runs.
    pub fn exit(&mut self) {
        if let Some(host) = Host::current(self.scope) {
            host.killer.kill(Termination::EXIT);
        }
    }

    /// The request on whose behalf the JavaScript that called runs, as [`Turn::enter_request`](crate::Turn::enter_request)
    /// named it; 0 for none, as while a module is evaluated. It follows promises: code behind an `await` runs for the
    /// request that it waited for.
    pub fn request(&mut self) -> u64 {
        request::current(self.scope)
    }

    /// From now on the calling JavaScript runs on behalf of another request; 0 for none.
    pub fn enter_request(&mut self, id: u64) {
        request::enter(self.scope, id);
    }

    /// Starts an asynchronous operation and returns its promise to JavaScript; usually a native's last line. The
    /// future is polled by the worker's event loop, and its result delivered in a turn of its own.
    pub fn spawn<F>(&mut self, future: F) -> NativeResult
    where
        F: Future<Output = NativeResult> + Send + 'static,
    {
        self.start(future, true)
    }

    /// As [`Call::spawn`], for an operation that a program does not wait for before it ends.
    pub fn spawn_unref<F>(&mut self, future: F) -> NativeResult
    where
        F: Future<Output = NativeResult> + Send + 'static,
    {
        self.start(future, false)
    }

    fn start<F>(&mut self, future: F, keeps_alive: bool) -> NativeResult
    where
        F: Future<Output = NativeResult> + Send + 'static,
    {
        let Some(resolver) = v8::PromiseResolver::new(self.scope) else { return Ok(Value::Undefined) };
        let promise = resolver.get_promise(self.scope);
        let resolver = v8::Global::new(self.scope, resolver);
        let request = self.request();
        let host =
            Host::current(self.scope).ok_or_else(|| JsError::error("no asynchronous operation can start here"))?;
        host.ops.start(request, keeps_alive, resolver, Box::pin(future))?;
        self.give(promise.into())
    }
}

fn wrong(index: usize, wanted: &str) -> JsError {
    JsError::type_error(format!("argument {} must be {wanted}", index + 1))
}
