//! What V8 calls back: rejections, dynamic imports, stack traces.

use crate::host::Host;
use crate::modules::{import_dynamically, initialize_import_meta};

/// Frames captured for errors; Node's default is 10, which async stacks of frameworks exceed.
const STACK_FRAMES: i32 = 20;

pub(crate) fn install(isolate: &mut v8::Isolate) {
    isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    isolate.set_capture_stack_trace_for_uncaught_exceptions(true, STACK_FRAMES);
    isolate.set_promise_reject_callback(promise_rejected);
    isolate.set_host_import_module_dynamically_callback(import_dynamically);
    isolate.set_host_initialize_import_meta_object_callback(initialize_import_meta);
    isolate.set_prepare_stack_trace_callback(prepare_stack_trace);
    isolate.set_allow_wasm_code_generation_callback(allow_wasm);
}

/// Asked before each compilation; refusing is a `CompileError` for the guest.
#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn allow_wasm(context: v8::Local<'_, v8::Context>, _source: v8::Local<'_, v8::String>) -> bool {
    // SAFETY: the context is entered while V8 calls this, and no other scope of it is used meanwhile.
    v8::callback_scope!(unsafe scope, context);
    Host::current(scope).is_some_and(|host| host.allow_wasm)
}

#[expect(unsafe_code, reason = "the callback's signature is V8's")]
unsafe extern "C" fn promise_rejected(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this with the promise's context entered, and no other scope of it is used meanwhile.
    v8::callback_scope!(unsafe scope, &message);
    let promise = v8::Global::new(scope, message.get_promise());
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => {
            let reason = message.get_value().unwrap_or_else(|| v8::undefined(scope).into());
            let reason = v8::Global::new(scope, reason);
            if let Some(host) = Host::current(scope) {
                host.note_rejection(promise, reason);
            }
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            if let Some(host) = Host::current(scope) {
                host.rejections.retain(|rejection| rejection.promise != promise);
            }
        }
        // Settling a settled promise again is legal and has no effect.
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}

fn prepare_stack_trace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    error: v8::Local<'s, v8::Value>,
    sites: v8::Local<'s, v8::Array>,
) -> v8::Local<'s, v8::Value> {
    let hook = Host::current(scope).and_then(|host| host.hooks.prepare_stack_trace.clone());
    let prepared = hook.and_then(|hook| {
        let hook = v8::Local::new(scope, hook);
        let receiver = v8::undefined(scope);
        hook.call(scope, receiver.into(), &[error, sites.into()])
    });
    // While the realm is being made, or ended, there is no one to ask.
    prepared.unwrap_or_else(|| {
        resume_termination(scope);
        v8::undefined(scope).into()
    })
}

/// Asks anew for the end of a guest that is being ended: where native code calls JavaScript that was terminated, and
/// returns a value or throws another exception, the termination would else be forgotten.
pub(crate) fn resume_termination(isolate: &mut v8::Isolate) {
    if Host::current(isolate).is_some_and(|host| host.killer.reason().is_some()) {
        isolate.terminate_execution();
    }
}
