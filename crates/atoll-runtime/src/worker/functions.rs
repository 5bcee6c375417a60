//! The functions of the platform's JavaScript that the host calls.

use atoll_engine::{Function, Turn};

#[derive(Debug)]
pub(super) struct Functions {
    /// `(nowMs)`: runs due timers.
    pub(super) fire_timers: Function,
    /// `(request)`: clears the timers of a request that is over.
    pub(super) clear_timers: Function,
    /// `() => boolean`: whether a timer keeps the program alive.
    pub(super) has_refed_timers: Function,
    /// Runs `process.nextTick` callbacks.
    pub(super) run_ticks: Function,
    /// `(error) => handled`.
    pub(super) uncaught: Function,
    /// `(promise, reason) => handled`.
    pub(super) unhandled_rejection: Function,
    /// `(namespace, env) => complaint`.
    pub(super) configure: Function,
    /// `(id, methodCode, bodyCode)`.
    pub(super) dispatch: Function,
}

impl Functions {
    /// Those of a realm. What every worker needs is looked up now, the rest when it is needed.
    ///
    /// # Panics
    /// When the snapshot lacks one: it is part of this binary, and a test loads it.
    pub(super) fn of(turn: &mut Turn<'_, '_, '_>) -> Self {
        let functions = Self {
            fire_timers: Function::new("web/timers", "fire"),
            clear_timers: Function::new("web/timers", "clearRequest"),
            has_refed_timers: Function::new("web/timers", "hasRefed"),
            run_ticks: Function::new("node:process", "runTicks"),
            uncaught: Function::new("web/report", "uncaught"),
            unhandled_rejection: Function::new("web/report", "unhandledRejection"),
            configure: Function::new("web/serve", "configure"),
            dispatch: Function::new("web/serve", "dispatch"),
        };
        // The builtin that reports errors gives the global object its `onerror` and the like, which guests set.
        for function in [&functions.configure, &functions.dispatch, &functions.uncaught] {
            assert!(turn.prepare(function), "a builtin lacks {function:?}");
        }
        functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use atoll_engine::{Isolate, Realm};

    #[test]
    fn the_snapshot_has_those_that_need_no_state() {
        let isolate = Isolate::new(atoll_snapshot::startup(), Limits::SERVE.memory());
        let all = |turn: &mut Turn<'_, '_, '_>| {
            let found = Functions::of(turn);
            let late = [&found.fire_timers, &found.clear_timers, &found.has_refed_timers];
            let reports = [&found.uncaught, &found.unhandled_rejection];
            let missing = late.into_iter().chain(reports).find(|function| !turn.prepare(function));
            missing.map(|function| format!("{function:?}"))
        };
        let found = Realm::new(&isolate).turn(Limits::SERVE.startup(), all).expect("no limit is hit");
        assert_eq!(found.value, None);
    }
}
