//! On whose behalf JavaScript runs.
//!
//! The id of the request is V8's "continuation-preserved embedder data": V8 keeps it with every promise reaction and
//! restores it when the reaction runs, so that code behind an `await` belongs to the request that wrote it, whoever
//! settled the promise. Callbacks that the platform keeps by itself (timers) keep the id beside them.

/// The id of the request that runs; 0 for none.
pub(crate) fn current(scope: &mut v8::PinScope<'_, '_>) -> u64 {
    let data = scope.get_continuation_preserved_embedder_data();
    v8::Local::<v8::Number>::try_from(data).map_or(0, |id| id.value() as u64)
}

/// Changes it for what runs from now on.
pub(crate) fn enter(scope: &mut v8::PinScope<'_, '_>, id: u64) {
    let data = if id == 0 { v8::undefined(scope).into() } else { v8::Number::new(scope, id as f64).into() };
    scope.set_continuation_preserved_embedder_data(data);
}
