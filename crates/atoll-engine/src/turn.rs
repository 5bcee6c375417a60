//! What the host does inside a turn.

use crate::exception::Exception;
use crate::host::{Host, State};
use crate::modules::{
    ModuleKey, Resolved, Ripeness, call_builtin_in, ensure_evaluated, load_graph, store_code, use_builtin,
};
use crate::native::{Value, copied_to_v8, to_v8};
use crate::ops::OpResult;
use crate::request;
use std::cell::OnceCell;

/// One uninterrupted stretch of JavaScript; see [`crate::Realm::turn`].
pub struct Turn<'a, 's, 'i> {
    scope: &'a mut v8::PinScope<'s, 'i>,
    queue: &'a v8::MicrotaskQueue,
}

impl std::fmt::Debug for Turn<'_, '_, '_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Turn").finish_non_exhaustive()
    }
}

/// Finished operations, to be delivered by [`Turn::settle`].
#[derive(Default)]
pub struct Settled {
    pub(crate) request: u64,
    pub(crate) results: Vec<OpResult>,
}

impl Settled {
    /// The request whose operations they were; 0 for none's.
    pub fn request(&self) -> u64 {
        self.request
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Settled").field("request", &self.request).field("results", &self.results.len()).finish()
    }
}

/// What a function of the platform's JavaScript takes at most when the host calls it. They are kept on the stack: a call
/// for each request allocates nothing.
pub const MAX_ARGUMENTS: usize = 4;

/// A function that a builtin of the platform's exports, for use in one realm. It is looked up, and the builtin evaluated,
/// when it is first called.
#[derive(Debug)]
pub struct Function {
    builtin: &'static str,
    export: &'static str,
    found: OnceCell<v8::Global<v8::Function>>,
}

impl Function {
    /// The function that `builtin` exports under the name `export`.
    pub const fn new(builtin: &'static str, export: &'static str) -> Self {
        Self { builtin, export, found: OnceCell::new() }
    }

    /// `None` when there is none of that name, or an exception is pending.
    fn get<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Function>> {
        if let Some(found) = self.found.get() {
            return Some(v8::Local::new(scope, found));
        }
        let exports = use_builtin(scope, self.builtin)?;
        let key = v8::String::new(scope, self.export)?;
        let function = v8::Local::<v8::Function>::try_from(exports.get(scope, key.into())?).ok()?;
        let kept = v8::Global::new(scope, function);
        self.found.get_or_init(|| kept);
        Some(function)
    }
}

/// A JavaScript value that the host keeps, of the realm in which it was made.
#[derive(Debug)]
pub struct Handle(pub(crate) v8::Global<v8::Value>);

/// What is passed to a function.
#[derive(Debug)]
pub enum Argument<'a> {
    /// A value made by Rust.
    Value(Value),
    /// A value kept from an earlier turn.
    Handle(&'a Handle),
}

impl<T: Into<Value>> From<T> for Argument<'_> {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// A module whose evaluation has begun.
#[derive(Debug)]
pub struct Evaluation {
    promise: v8::Global<v8::Promise>,
    /// The module's namespace object.
    pub namespace: Handle,
}

/// How far an [`Evaluation`] is.
#[derive(Debug)]
pub enum EvaluationState {
    /// It waits at a top-level `await`.
    Pending,
    /// It is done.
    Done,
    /// It threw.
    Failed(Exception),
}

impl<'a, 's, 'i> Turn<'a, 's, 'i> {
    pub(crate) fn new(scope: &'a mut v8::PinScope<'s, 'i>, queue: &'a v8::MicrotaskQueue) -> Self {
        Self { scope, queue }
    }

    /// What V8 is called with.
    pub(crate) fn scope(&mut self) -> &mut v8::PinScope<'s, 'i> {
        self.scope
    }

    /// From now on `eval` and `new Function` throw in this realm.
    pub(crate) fn forbid_eval(&mut self) {
        self.scope.get_current_context().set_allow_generation_from_strings(false);
    }

    /// State of the worker.
    pub fn state(&mut self) -> &mut State {
        &mut Host::current(self.scope).expect("a turn has its host").state
    }

    /// From now on what runs does so on behalf of a request; 0 for none, with which every turn begins.
    pub fn enter_request(&mut self, id: u64) {
        request::enter(self.scope, id);
    }

    /// Whether the guest is being ended by force.
    pub fn is_terminating(&mut self) -> bool {
        // V8 forgets once the JavaScript that it stopped has been left.
        let is_ended = Host::current(self.scope).is_some_and(|host| host.killer.reason().is_some());
        is_ended || self.scope.is_execution_terminating()
    }

    /// Looks a function up before it is called; whether there is one of that name.
    pub fn prepare(&mut self, function: &Function) -> bool {
        v8::tc_scope!(let scope, self.scope);
        function.get(scope).is_some()
    }

    /// Calls a function with at most [`MAX_ARGUMENTS`] arguments. Its value comes back as a primitive; objects come back
    /// as `Undefined`.
    pub fn call(&mut self, function: &Function, arguments: &[Argument<'_>]) -> Result<Value, Exception> {
        self.run(|scope| {
            let function = function.get(scope)?;
            let receiver = v8::undefined(scope);
            let mut values: [v8::Local<'_, v8::Value>; MAX_ARGUMENTS] = [receiver.into(); MAX_ARGUMENTS];
            for (slot, argument) in values.iter_mut().zip(arguments) {
                *slot = match argument {
                    Argument::Value(value) => match copied_to_v8(scope, value) {
                        Ok(value) => value,
                        Err(error) => {
                            let exception = error.to_exception(scope);
                            scope.throw_exception(exception);
                            return None;
                        }
                    },
                    Argument::Handle(handle) => v8::Local::new(scope, &handle.0),
                };
            }
            let value = function.call(scope, receiver.into(), &values[..arguments.len()])?;
            Some(from_v8(scope, value))
        })
    }

    /// Calls a function that runs guest callbacks. What one of them throws is passed to `handler`, an
    /// `(error) => handled`; an error that it does not handle comes back.
    pub fn run_callbacks(
        &mut self,
        function: &Function,
        arguments: &[Value],
        handler: Option<&Function>,
    ) -> Result<(), Exception> {
        v8::tc_scope!(let scope, self.scope);
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.extend(copied_to_v8(scope, argument).ok());
        }
        let receiver = v8::undefined(scope);
        let called = function.get(scope).and_then(|function| function.call(scope, receiver.into(), &values));
        if called.is_some() || scope.has_terminated() {
            return Ok(());
        }
        let thrown = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
        let message = scope.message();
        scope.reset();
        let handled = handler.is_some_and(|handler| {
            let answer = handler.get(scope).and_then(|handler| handler.call(scope, receiver.into(), &[thrown]));
            answer.is_some_and(|answer| answer.is_true())
        });
        if handled { Ok(()) } else { Err(Exception::describe(scope, thrown, message)) }
    }

    /// Calls an exported function of a builtin by name, as [`Turn::call`] does.
    pub fn call_builtin(&mut self, builtin: &str, export: &str, arguments: &[Value]) -> Result<Value, Exception> {
        self.run(|scope| {
            let mut values = Vec::with_capacity(arguments.len());
            for argument in arguments {
                values.push(copied_to_v8(scope, argument).ok()?);
            }
            let value = call_builtin_in(scope, builtin, export, &values)?;
            Some(from_v8(scope, value))
        })
    }

    /// Loads a module graph and begins to evaluate it.
    pub fn import(&mut self, module: Resolved) -> Result<Evaluation, Exception> {
        self.run(|scope| {
            let module = load_graph(scope, &ModuleKey::from(module))?;
            let promise = ensure_evaluated(scope, module)?;
            // A rejection is reported by whoever asks for the evaluation's state.
            promise.mark_as_handled();
            let promise = v8::Global::new(scope, promise);
            if let Some(host) = Host::current(scope) {
                host.rejections.retain(|rejection| rejection.promise != promise);
            }
            let namespace = module.get_module_namespace();
            Some(Evaluation { promise, namespace: Handle(v8::Global::new(scope, namespace)) })
        })
    }

    /// How far an evaluation is.
    pub fn evaluation_state(&mut self, evaluation: &Evaluation) -> EvaluationState {
        let promise = v8::Local::new(self.scope, &evaluation.promise);
        match promise.state() {
            v8::PromiseState::Pending => EvaluationState::Pending,
            v8::PromiseState::Fulfilled => EvaluationState::Done,
            v8::PromiseState::Rejected => {
                let reason = promise.result(self.scope);
                EvaluationState::Failed(Exception::describe(self.scope, reason, None))
            }
        }
    }

    /// Settles the promises of finished operations; their reactions run at the next [`Turn::checkpoint`].
    pub fn settle(&mut self, settled: Settled) {
        for OpResult { resolver, result, .. } in settled.results {
            let resolver = v8::Local::new(self.scope, resolver);
            let value = result.and_then(|value| to_v8(self.scope, value));
            match value {
                Ok(value) => resolver.resolve(self.scope, value),
                Err(error) => {
                    let exception = error.to_exception(self.scope);
                    resolver.reject(self.scope, exception)
                }
            };
        }
    }

    /// Runs microtasks until there are none.
    pub fn checkpoint(&mut self) {
        self.queue.perform_checkpoint(self.scope);
    }

    /// Passes promises that were rejected without a handler to `(promise, reason) => handled`; those that it does not
    /// handle come back.
    pub fn report_rejections(&mut self, handler: Option<&Function>) -> Vec<Exception> {
        let rejections = Host::current(self.scope).map(|host| std::mem::take(&mut host.rejections)).unwrap_or_default();
        let mut unhandled = Vec::new();
        for rejection in rejections {
            let promise = v8::Local::new(self.scope, rejection.promise);
            let reason = v8::Local::new(self.scope, rejection.reason);
            let handled = handler.is_some_and(|handler| {
                v8::tc_scope!(let scope, self.scope);
                let receiver = v8::undefined(scope);
                let arguments = [promise.into(), reason];
                let answer = handler.get(scope).and_then(|handler| handler.call(scope, receiver.into(), &arguments));
                answer.is_some_and(|answer| answer.is_true())
            });
            if !handled {
                unhandled.push(Exception::describe(self.scope, reason, None));
            }
        }
        unhandled
    }

    /// Keeps the compiled code of what was loaded, functions that have run included, where the cache wants it.
    pub fn store_code(&mut self, ripeness: Ripeness) {
        store_code(self.scope, ripeness);
    }

    /// Runs `body`, turning what it throws into an error.
    fn run<R>(&mut self, body: impl FnOnce(&mut v8::PinScope<'_, '_>) -> Option<R>) -> Result<R, Exception> {
        v8::tc_scope!(let scope, self.scope);
        if let Some(value) = body(scope) {
            return Ok(value);
        }
        let thrown = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
        let message = scope.message();
        scope.reset();
        Err(Exception::describe(scope, thrown, message))
    }
}

fn from_v8(scope: &mut v8::PinScope<'_, '_>, value: v8::Local<'_, v8::Value>) -> Value {
    if value.is_null() {
        Value::Null
    } else if value.is_boolean() {
        Value::Bool(value.is_true())
    } else if let Ok(number) = v8::Local::<v8::Number>::try_from(value) {
        Value::Number(number.value())
    } else if let Ok(text) = v8::Local::<v8::String>::try_from(value) {
        Value::String(text.to_rust_string_lossy(scope))
    } else {
        Value::Undefined
    }
}
