//! `console` (Console Standard), with the formatting of Node.js.

use crate::clock;
use crate::serve::{Logged, ServeState};
use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use std::sync::Arc;

/// Its JavaScript, natives and global.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/console",
    source: include_str!("api.js"),
    natives: natives! { "now" => clock::now, "write" => write },
    globals: &[Global::eager("console")],
};

/// How grave a guest thinks a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsoleLevel {
    /// `console.debug`.
    Debug,
    /// `console.log`, and whatever has no level of its own.
    Log,
    /// `console.info`.
    Info,
    /// `console.warn`, `console.assert`, and complaints of the console itself.
    Warn,
    /// `console.error`, `console.trace`.
    Error,
}

impl ConsoleLevel {
    /// Whether programs expect the message on standard error.
    pub fn is_error(self) -> bool {
        self >= Self::Warn
    }
}

/// Where the messages of a worker go. It decides how much a guest may write.
pub trait ConsoleSink: Send + Sync {
    /// Takes one message: formatted, indented, any number of lines, without a line feed at its end.
    fn write(&self, level: ConsoleLevel, text: &str);
}

/// The console of a worker. State of a worker; without it nothing is written.
#[derive(Clone)]
pub struct ConsoleState {
    /// Where messages go.
    pub sink: Arc<dyn ConsoleSink>,
}

impl std::fmt::Debug for ConsoleState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ConsoleState").finish_non_exhaustive()
    }
}

/// The line that ends what a request writes.
pub fn log_is_full(limit_bytes: usize) -> String {
    format!("the limit log-kib = {} is reached: what this request writes from here on is left out", limit_bytes >> 10)
}

/// `write(level, text)`: `level` counts from 0 (debug) to 4 (error).
fn write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    const LEVELS: [ConsoleLevel; 5] =
        [ConsoleLevel::Debug, ConsoleLevel::Log, ConsoleLevel::Info, ConsoleLevel::Warn, ConsoleLevel::Error];
    let level = call.u32(0)? as usize;
    let level = *LEVELS.get(level).ok_or_else(|| JsError::range_error("no such level"))?;
    let text = call.string(1)?;
    let request = call.request();
    let logged = call.try_state::<ServeState>().map_or(Logged::Whole, |serving| serving.log(request, text.len()));
    if let Some(console) = call.try_state::<ConsoleState>() {
        match logged {
            Logged::Whole => console.sink.write(level, &text),
            Logged::Last { limit_bytes } => console.sink.write(ConsoleLevel::Warn, &log_is_full(limit_bytes)),
            Logged::Dropped => {}
        }
    }
    Ok(Value::Undefined)
}
