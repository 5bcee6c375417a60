//! The web platform's APIs, one folder per API: its JavaScript (`api.js`), its native functions (`mod.rs`) and its guest
//! tests (`test.mjs`).
//!
//! The JavaScript is evaluated at build time into the startup snapshot. What natives keep per worker is in plain structs
//! that the worker's host provides: [`ClockState`], [`TimerState`], [`EncodingState`], [`ConsoleState`].

mod abort;
mod base64;
mod blob;
mod body;
mod clock;
mod console;
mod crypto;
mod dom_exception;
mod encoding;
mod events;
mod fetch;
mod form_data;
mod headers;
mod navigator;
mod performance;
mod report;
mod request;
mod response;
mod serve;
mod streams;
mod structured_clone;
mod timers;
mod url;
mod webidl;

pub use clock::ClockState;
pub use console::{ConsoleLevel, ConsoleSink, ConsoleState, log_is_full};
pub use encoding::EncodingState;
pub use fetch::{FetchClient, FetchState, NetRuleError, NetRules};
pub use serve::{
    BodyError, Change, Failure, IncomingRequest, Logged, Outcome, RequestBody, RequestChunks, RequestLimits,
    RequestUrl, ResponseBody, ServeState,
};
pub use timers::TimerState;

use atoll_engine::Builtin;

/// The builtins by API, each after those that it uses while it is evaluated.
const GROUPS: &[&[Builtin]] = &[
    &[webidl::BUILTIN, dom_exception::BUILTIN, events::BUILTIN, events::CLASSES],
    &[abort::BUILTIN, timers::BUILTIN, report::BUILTIN],
    &[url::SEARCH_PARAMS, url::BUILTIN, encoding::BUILTIN, base64::BUILTIN, console::BUILTIN],
    &[structured_clone::BUILTIN, performance::BUILTIN, navigator::BUILTIN, crypto::BUILTIN, crypto::SUBTLE],
    streams::BUILTINS,
    &[encoding::STREAMS],
    headers::BUILTINS,
    &[blob::BUILTIN],
    form_data::BUILTINS,
    body::BUILTINS,
    &[request::BUILTIN, response::BUILTIN],
    fetch::BUILTINS,
    &[serve::BUILTIN],
];

/// All builtins, in an order in which they can be evaluated.
pub const BUILTINS: &[Builtin] = &flatten::<{ count(GROUPS) }>(GROUPS);

const fn count(groups: &[&[Builtin]]) -> usize {
    let mut total = 0;
    let mut group = 0;
    while group < groups.len() {
        total += groups[group].len();
        group += 1;
    }
    total
}

const fn flatten<const COUNT: usize>(groups: &[&[Builtin]]) -> [Builtin; COUNT] {
    let mut all = [groups[0][0]; COUNT];
    let (mut next, mut group) = (0, 0);
    while group < groups.len() {
        let mut index = 0;
        while index < groups[group].len() {
            all[next] = groups[group][index];
            next += 1;
            index += 1;
        }
        group += 1;
    }
    all
}
