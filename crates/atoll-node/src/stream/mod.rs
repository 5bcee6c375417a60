//! `node:stream` and its subpaths, in JavaScript alone.
//!
//! * `state.js`: what can be said of a stream of any make. `legacy.js`: the class beneath all. `lifecycle.js`: how streams
//!   come up and go down.
//! * `readable.js` with `queue.js` and `pipe.js`, `writable.js`, `duplex.js`, `transform.js`: the classes; `facts.js`: what
//!   they tell of their state.
//! * `finished.js`, `pipeline.js`, `abort.js`: watching streams and connecting them.
//! * What few programs need is loaded with its first call: `iterate.js`, `from.js`, `wrap.js`, `operators.js` (whose methods
//!   `operator_methods.js` puts in place), `compose.js` and `duplex_from.js` over `relay.js`, `duplex_pair.js`,
//!   `web_adapters.js` and `web_state.js`.

use atoll_engine::{Builtin, natives};

/// `node:stream`.
pub(crate) const BUILTIN: Builtin = part("node:stream", include_str!("api.js"));

/// `node:stream/promises`.
pub(crate) const PROMISES: Builtin = part("node:stream/promises", include_str!("promises.js"));

/// `node:stream/consumers`.
pub(crate) const CONSUMERS: Builtin = part("node:stream/consumers", include_str!("consumers.js"));

/// `node:stream/web`: the globals of the Streams Standard under another name.
pub(crate) const WEB: Builtin = part("node:stream/web", include_str!("web.js"));

// The parts: what is in which is said above.
pub(crate) const STATE: Builtin = part("node/internal/stream/state", include_str!("state.js"));
pub(crate) const LEGACY: Builtin = part("node/internal/stream/legacy", include_str!("legacy.js"));
pub(crate) const FACTS: Builtin = part("node/internal/stream/facts", include_str!("facts.js"));
pub(crate) const LIFECYCLE: Builtin = part("node/internal/stream/lifecycle", include_str!("lifecycle.js"));
pub(crate) const QUEUE: Builtin = part("node/internal/stream/queue", include_str!("queue.js"));
pub(crate) const PIPE: Builtin = part("node/internal/stream/pipe", include_str!("pipe.js"));
pub(crate) const OPERATOR_METHODS: Builtin =
    part("node/internal/stream/operator_methods", include_str!("operator_methods.js"));
pub(crate) const READABLE: Builtin = part("node/internal/stream/readable", include_str!("readable.js"));
pub(crate) const WRITABLE: Builtin = part("node/internal/stream/writable", include_str!("writable.js"));
pub(crate) const DUPLEX: Builtin = part("node/internal/stream/duplex", include_str!("duplex.js"));
pub(crate) const TRANSFORM: Builtin = part("node/internal/stream/transform", include_str!("transform.js"));
pub(crate) const ABORT: Builtin = part("node/internal/stream/abort", include_str!("abort.js"));
pub(crate) const FINISHED: Builtin = part("node/internal/stream/finished", include_str!("finished.js"));
pub(crate) const PIPELINE: Builtin = part("node/internal/stream/pipeline", include_str!("pipeline.js"));
pub(crate) const ITERATE: Builtin = part("node/internal/stream/iterate", include_str!("iterate.js"));
pub(crate) const FROM: Builtin = part("node/internal/stream/from", include_str!("from.js"));
pub(crate) const WRAP: Builtin = part("node/internal/stream/wrap", include_str!("wrap.js"));
pub(crate) const OPERATORS: Builtin = part("node/internal/stream/operators", include_str!("operators.js"));
pub(crate) const RELAY: Builtin = part("node/internal/stream/relay", include_str!("relay.js"));
pub(crate) const COMPOSE: Builtin = part("node/internal/stream/compose", include_str!("compose.js"));
pub(crate) const DUPLEX_FROM: Builtin = part("node/internal/stream/duplex_from", include_str!("duplex_from.js"));
pub(crate) const DUPLEX_PAIR: Builtin = part("node/internal/stream/duplex_pair", include_str!("duplex_pair.js"));
pub(crate) const WEB_ADAPTERS: Builtin = part("node/internal/stream/web_adapters", include_str!("web_adapters.js"));
pub(crate) const WEB_STATE: Builtin = part("node/internal/stream/web_state", include_str!("web_state.js"));

/// One without natives and globals.
const fn part(name: &'static str, source: &'static str) -> Builtin {
    Builtin { name, source, natives: natives! {}, globals: &[] }
}
