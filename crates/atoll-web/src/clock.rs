//! The clock that guests see: coarse, monotonic, counted from the worker's start.

use atoll_engine::{Call, JsError, NativeResult, Value};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Resolution of every clock a guest can read, in nanoseconds: 100 µs, too coarse to time the caches of the machine.
const RESOLUTION_NANOSECONDS: u128 = 100_000;

/// When a worker's time began. State of a worker; without it the clock throws.
#[derive(Debug, Clone, Copy)]
pub struct ClockState {
    /// The zero of `performance.now()` and of timers.
    pub origin: Instant,
    /// The same moment as time since the Unix epoch: `performance.timeOrigin`.
    pub origin_unix: Duration,
}

impl ClockState {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is where a guest's time begins")]
    pub fn start() -> Self {
        let origin_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), origin_unix }
    }

    /// Milliseconds since the origin, as guests see them.
    pub fn now_ms(&self) -> f64 {
        coarse_ms(self.origin.elapsed())
    }
}

/// `now()`: milliseconds since the worker's origin.
pub(crate) fn now(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let clock = clock(call)?;
    Ok(Value::Number(clock.now_ms()))
}

/// `timeOrigin()`: milliseconds between the Unix epoch and the worker's origin.
pub(crate) fn time_origin(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let clock = clock(call)?;
    Ok(Value::Number(coarse_ms(clock.origin_unix)))
}

fn clock(call: &mut Call<'_, '_, '_>) -> Result<ClockState, JsError> {
    call.try_state::<ClockState>().copied().ok_or_else(|| JsError::error("there is no clock here"))
}

fn coarse_ms(duration: Duration) -> f64 {
    const STEPS_PER_MS: f64 = 1_000_000.0 / RESOLUTION_NANOSECONDS as f64;
    (duration.as_nanos() / RESOLUTION_NANOSECONDS) as f64 / STEPS_PER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_tenths_of_a_millisecond() {
        assert_eq!(coarse_ms(Duration::from_nanos(99_999)).to_bits(), 0.0_f64.to_bits());
        assert_eq!(coarse_ms(Duration::from_nanos(1_299_999)).to_bits(), 1.2_f64.to_bits());
        assert_eq!(coarse_ms(Duration::from_millis(1_700_000_000_123)).to_bits(), 1_700_000_000_123.0_f64.to_bits());
    }
}
