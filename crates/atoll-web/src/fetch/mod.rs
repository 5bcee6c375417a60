//! `fetch`: the client (WHATWG Fetch Standard without what only browsers have: no CORS, no cache, no cookies).
//!
//! The standard's steps, redirects among them, are JavaScript; Rust carries one hop: [`FetchClient`] holds the
//! connections and the [`NetRules`], [`FetchState`] a worker's exchanges. An exchange is opened, started, read chunk by
//! chunk as the guest asks, and cancelled at any point; its id is never used again. Connections are HTTP/1.1 or, by
//! ALPN, HTTP/2, kept alive, and compressed responses are decoded as they are read.

mod client;
mod download;
mod exchange;
mod rules;
#[cfg(test)]
mod tests;

pub use client::FetchClient;
pub use exchange::FetchState;
pub use rules::{NetRuleError, NetRules};

use crate::serve::ServeState;
use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use bytes::Bytes;
use exchange::{Outgoing, OutgoingBody};

/// Their JavaScript, natives and globals; each before those that use it.
pub(crate) const BUILTINS: &[Builtin] = &[
    Builtin { name: "web/fetch/data_url", source: include_str!("data_url.js"), natives: natives! {}, globals: &[] },
    Builtin {
        name: "web/fetch",
        source: include_str!("api.js"),
        natives: natives! {
            "open" => open,
            "start" => start,
            "readBody" => read_body,
            "writeBody" => write_body,
            "endBody" => end_body,
            "cancel" => cancel,
        },
        globals: &[Global::eager("fetch")],
    },
];

/// `open(streamed)` → the id of a new exchange; `streamed` says that `writeBody` will bring its body.
fn open(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let streamed = call.boolean(0);
    let no_network = || JsError::error("this worker has no network");
    let request = call.request();
    let share = call.try_state::<ServeState>().ok_or_else(no_network)?.subrequest(request)?;
    let state = call.try_state::<FetchState>().ok_or_else(no_network)?;
    Ok(Value::Number(state.open(streamed, share)? as f64))
}

/// `start(id, method, url, headers, body)` → promise of `{ status, statusText, headers, hasBody }`. `headers` is a flat
/// list; `body` is null, bytes, or `true` for one that `writeBody` brings.
fn start(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let (method, url, headers) = (call.string(1)?, call.string(2)?, call.string_list(3)?);
    let body = if call.is_nullish(4) {
        OutgoingBody::None
    } else if let Ok(bytes) = call.bytes(4) {
        OutgoingBody::Whole(Bytes::from(bytes))
    } else {
        OutgoingBody::Streamed
    };
    let response = call.state::<FetchState>().start(id, Outgoing { method, url, headers, body })?;
    call.spawn(response)
}

/// `readBody(id)` → promise of the next chunk, null at the end.
fn read_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let chunk = call.state::<FetchState>().read(id);
    call.spawn(chunk)
}

/// `writeBody(id, bytes)` → promise of whether the chunk was taken.
fn write_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let chunk = Bytes::from(call.bytes(1)?);
    let taken = call.state::<FetchState>().write(id, chunk);
    call.spawn(taken)
}

/// `endBody(id)`: `writeBody` has brought everything.
fn end_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    call.state::<FetchState>().end(id);
    Ok(Value::Undefined)
}

/// `cancel(id)`: ends the exchange; nothing when it is over.
fn cancel(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    if let Some(state) = call.try_state::<FetchState>() {
        state.cancel(id);
    }
    Ok(Value::Undefined)
}
