//! What `util.inspect` and `util.types` can learn only from the engine.

use super::{Call, NativeResult, Value};

type TypeTest = fn(&v8::Value) -> bool;

impl Call<'_, '_, '_> {
    /// Which internal slots an argument has, as a name: `Promise`, `Map`, `Proxy`, …; empty for ordinary objects and
    /// primitives. Guests can't forge it.
    pub fn type_tag(&self, index: usize) -> &'static str {
        let value = self.argument(index);
        if !value.is_object() {
            return "";
        }
        // Proxies first: nothing else may be asked about what they hide.
        let tags: &[(TypeTest, &'static str)] = &[
            (v8::Value::is_proxy, "Proxy"),
            (v8::Value::is_async_function, "AsyncFunction"),
            (v8::Value::is_generator_function, "GeneratorFunction"),
            (v8::Value::is_promise, "Promise"),
            (v8::Value::is_map, "Map"),
            (v8::Value::is_set, "Set"),
            (v8::Value::is_date, "Date"),
            (v8::Value::is_reg_exp, "RegExp"),
            (v8::Value::is_native_error, "NativeError"),
            (v8::Value::is_array_buffer, "ArrayBuffer"),
            (v8::Value::is_shared_array_buffer, "SharedArrayBuffer"),
            (v8::Value::is_data_view, "DataView"),
            (v8::Value::is_map_iterator, "MapIterator"),
            (v8::Value::is_set_iterator, "SetIterator"),
            (v8::Value::is_weak_map, "WeakMap"),
            (v8::Value::is_weak_set, "WeakSet"),
            (v8::Value::is_generator_object, "GeneratorObject"),
            (v8::Value::is_arguments_object, "Arguments"),
            (v8::Value::is_module_namespace_object, "ModuleNamespace"),
            (v8::Value::is_number_object, "BoxedNumber"),
            (v8::Value::is_string_object, "BoxedString"),
            (v8::Value::is_boolean_object, "BoxedBoolean"),
            (v8::Value::is_big_int_object, "BoxedBigInt"),
            (v8::Value::is_symbol_object, "BoxedSymbol"),
            (v8::Value::is_external, "External"),
        ];
        tags.iter().find(|(is, _)| is(&value)).map_or("", |(_, tag)| tag)
    }

    /// Returns `[state, value]` of a promise to JavaScript; state 0 pending, 1 fulfilled, 2 rejected. Others: undefined.
    pub fn return_promise_details(&mut self, index: usize) -> NativeResult {
        let Ok(promise) = v8::Local::<v8::Promise>::try_from(self.argument(index)) else { return Ok(Value::Undefined) };
        let (state, value) = match promise.state() {
            v8::PromiseState::Pending => (0, v8::undefined(self.scope).into()),
            v8::PromiseState::Fulfilled => (1, promise.result(self.scope)),
            v8::PromiseState::Rejected => (2, promise.result(self.scope)),
        };
        let state = v8::Integer::new(self.scope, state).into();
        let pair = v8::Array::new_with_elements(self.scope, &[state, value]);
        self.give(pair.into())
    }

    /// Returns `[target, handler]` of a proxy to JavaScript, nulls when it is revoked. Others: undefined.
    pub fn return_proxy_details(&mut self, index: usize) -> NativeResult {
        let Ok(proxy) = v8::Local::<v8::Proxy>::try_from(self.argument(index)) else { return Ok(Value::Undefined) };
        let (target, handler) = (proxy.get_target(self.scope), proxy.get_handler(self.scope));
        let pair = v8::Array::new_with_elements(self.scope, &[target, handler]);
        self.give(pair.into())
    }

    /// Returns `[entries, isKeyValue]` of a Map, Set, WeakMap, WeakSet or one of their iterators to JavaScript, without
    /// moving an iterator. Others: undefined.
    pub fn return_preview_entries(&mut self, index: usize) -> NativeResult {
        let Ok(object) = v8::Local::<v8::Object>::try_from(self.argument(index)) else { return Ok(Value::Undefined) };
        let (Some(entries), key_value) = object.preview_entries(self.scope) else { return Ok(Value::Undefined) };
        let key_value = v8::Boolean::new(self.scope, key_value).into();
        let pair = v8::Array::new_with_elements(self.scope, &[entries.into(), key_value]);
        self.give(pair.into())
    }

    /// Runs microtasks until there are none, as between two timers.
    pub fn run_microtasks(&mut self) {
        let context = self.scope.get_current_context();
        if let Some(queue) = context.get_microtask_queue() {
            queue.perform_checkpoint(self.scope);
        }
    }
}
