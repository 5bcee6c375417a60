//! Streams (WHATWG Streams Standard), in JavaScript alone.
//!
//! Public objects are thin shells around state objects that guests cannot reach: `core.js` holds what all readable
//! streams share, `default.js` and `byte.js` the two controllers, `byob.js` the guest's view of byte streams,
//! `tee.js`, `pipe.js` and `from.js` what their names say, `readable.js`, `writable.js` and `transform.js` the classes,
//! `api.js` the globals and what other builtins use.

use atoll_engine::{Builtin, Global, natives};

/// The JavaScript of streams; each before those that use it.
pub(crate) const BUILTINS: &[Builtin] = &[
    part("web/streams/common", include_str!("common.js")),
    part("web/streams/core", include_str!("core.js")),
    part("web/streams/default", include_str!("default.js")),
    part("web/streams/byte", include_str!("byte.js")),
    part("web/streams/byob", include_str!("byob.js")),
    part("web/streams/writable", include_str!("writable.js")),
    part("web/streams/tee", include_str!("tee.js")),
    part("web/streams/pipe", include_str!("pipe.js")),
    part("web/streams/from", include_str!("from.js")),
    part("web/streams/readable", include_str!("readable.js")),
    part("web/streams/transform", include_str!("transform.js")),
    BUILTIN,
];

/// The globals.
const BUILTIN: Builtin = Builtin {
    name: "web/streams",
    source: include_str!("api.js"),
    natives: natives! {},
    globals: &[
        Global::eager("ByteLengthQueuingStrategy"),
        Global::eager("CountQueuingStrategy"),
        Global::eager("ReadableByteStreamController"),
        Global::eager("ReadableStream"),
        Global::eager("ReadableStreamBYOBReader"),
        Global::eager("ReadableStreamBYOBRequest"),
        Global::eager("ReadableStreamDefaultController"),
        Global::eager("ReadableStreamDefaultReader"),
        Global::eager("TransformStream"),
        Global::eager("TransformStreamDefaultController"),
        Global::eager("WritableStream"),
        Global::eager("WritableStreamDefaultController"),
        Global::eager("WritableStreamDefaultWriter"),
    ],
};

/// An internal part, without natives and globals.
const fn part(name: &'static str, source: &'static str) -> Builtin {
    Builtin { name, source, natives: natives! {}, globals: &[] }
}
