//! Bodies of requests and responses (WHATWG Fetch Standard, "body mixin") and MIME types, in JavaScript alone.

use atoll_engine::{Builtin, natives};

/// Their JavaScript; each before those that use it. The mixin itself uses blobs and forms.
pub(crate) const BUILTINS: &[Builtin] = &[
    Builtin { name: "web/body/bytes", source: include_str!("bytes.js"), natives: natives! {}, globals: &[] },
    Builtin { name: "web/body/mime", source: include_str!("mime.js"), natives: natives! {}, globals: &[] },
    Builtin { name: "web/body", source: include_str!("api.js"), natives: natives! {}, globals: &[] },
];
