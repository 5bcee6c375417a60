//! Timers and microtasks (HTML, "Timers"; Node.js timers, whose `Timeout` objects and order of execution these have).
//!
//! All bookkeeping is in JavaScript. The worker's event loop reads [`TimerState`] after each turn and calls the
//! builtin's `fire(now)` when the deadline has come.

use crate::clock;
use atoll_engine::{Builtin, Call, Global, NativeResult, Value, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/timers",
    source: include_str!("api.js"),
    natives: natives! { "now" => clock::now, "runMicrotasks" => run_microtasks, "schedule" => schedule },
    globals: &[
        Global::eager("setTimeout"),
        Global::eager("setInterval"),
        Global::eager("clearTimeout"),
        Global::eager("clearInterval"),
        Global::eager("queueMicrotask"),
    ],
};

/// What the event loop must know about the timers of a worker. State of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TimerState {
    /// When `fire(now)` is due, in milliseconds of [`ClockState::now_ms`](crate::ClockState::now_ms); `None` when no
    /// timer is active. A deadline of 0 means at once.
    pub next_deadline_ms: Option<f64>,
}

/// `schedule(deadlineMs)`: a negative deadline means that there is none.
fn schedule(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let deadline_ms = call.number(0)?;
    if let Some(timers) = call.try_state::<TimerState>() {
        timers.next_deadline_ms = (deadline_ms >= 0.0).then_some(deadline_ms);
    }
    Ok(Value::Undefined)
}

/// `runMicrotasks()`: empties the microtask queue.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn run_microtasks(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.run_microtasks();
    Ok(Value::Undefined)
}
