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
    /// `(error) => handled`.
    pub(super) uncaught: Option<Function>,
    /// `(promise, reason) => handled`.
    pub(super) unhandled_rejection: Option<Function>,
    /// `(namespace, env) => complaint`.
    pub(super) configure: Function,
    /// `(id, methodCode, hasBody)`.
    pub(super) dispatch: Function,
}

impl Functions {
    /// Looks them up.
    ///
    /// # Panics
    /// When the snapshot lacks one: it is part of this binary, and a test loads it.
    pub(super) fn of(turn: &mut Turn<'_, '_, '_>) -> Self {
        let mut required = |builtin: &str, export: &str| {
            let function = turn.function(builtin, export);
            function.unwrap_or_else(|| panic!("{builtin} exports no function {export}"))
        };
        Self {
            fire_timers: required("web/timers", "fire"),
            clear_timers: required("web/timers", "clearRequest"),
            has_refed_timers: required("web/timers", "hasRefed"),
            uncaught: Some(required("web/report", "uncaught")),
            unhandled_rejection: Some(required("web/report", "unhandledRejection")),
            configure: required("web/serve", "configure"),
            dispatch: required("web/serve", "dispatch"),
        }
    }
}
