//! Timers and microtasks (HTML, "Timers"; Node.js timers, whose `Timeout` objects and order of execution these have).
//!
//! All bookkeeping is in JavaScript. The worker's event loop reads [`TimerState`] after each turn and calls the
//! builtin's `fire(now)` when the deadline has come.

use crate::clock;
use crate::serve::ServeState;
use atoll_engine::{Builtin, Call, Global, NativeResult, Value, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/timers",
    source: include_str!("api.js"),
    natives: natives! {
        "now" => clock::now,
        "maxTimers" => max_timers,
        "runMicrotasks" => run_microtasks,
        "schedule" => schedule,
        "owner" => owner,
        "enterRequest" => enter_request,
    },
    globals: &[
        Global::eager("setTimeout"),
        Global::eager("setInterval"),
        Global::eager("clearTimeout"),
        Global::eager("clearInterval"),
        Global::eager("queueMicrotask"),
    ],
};

/// What the event loop must know about the timers of a worker. State of a worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimerState {
    /// When `fire(now)` is due, in milliseconds of [`ClockState::now_ms`](crate::ClockState::now_ms); `None` when no
    /// timer is active. A deadline of 0 means at once.
    pub next_deadline_ms: Option<f64>,
    /// On whose behalf the timer was set that is due then; 0 for nobody's.
    pub next_request: u64,
    max_timers: u32,
}

impl TimerState {
    /// No timers; at most this many may be set at a time.
    pub fn new(max_timers: u32) -> Self {
        Self { next_deadline_ms: None, next_request: 0, max_timers }
    }
}

/// `maxTimers()` → how many may be set at a time.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn max_timers(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::from(call.try_state::<TimerState>().map_or(u32::MAX, |timers| timers.max_timers)))
}

/// `schedule(deadlineMs, request)`: a negative deadline means that there is none.
fn schedule(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (deadline_ms, request) = (call.number(0)?, call.u64(1)?);
    if let Some(timers) = call.try_state::<TimerState>() {
        timers.next_deadline_ms = (deadline_ms >= 0.0).then_some(deadline_ms);
        timers.next_request = request;
    }
    Ok(Value::Undefined)
}

/// `owner()` → the request on whose behalf a timer is being set; 0 for nobody's, −1 for one that is over.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn owner(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.request();
    let is_over = request != 0 && call.try_state::<ServeState>().is_some_and(|serving| !serving.note_timer(request));
    Ok(Value::Number(if is_over { -1.0 } else { request as f64 }))
}

/// `enterRequest(request)`: what follows runs on its behalf.
fn enter_request(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.u64(0)?;
    call.enter_request(request);
    Ok(Value::Undefined)
}

/// `runMicrotasks()`: empties the microtask queue.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn run_microtasks(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.run_microtasks();
    Ok(Value::Undefined)
}
