//! `node:util` and `node:util/types`.
use atoll_engine::{Builtin, Call, NativeResult, natives};

/// `util.inspect`: options, dispatch, properties.
pub(crate) const INSPECT: Builtin = Builtin {
    name: "node/internal/util/inspect",
    source: include_str!("inspect.js"),
    natives: natives! {},
    globals: &[],
};

/// The wording of each kind of object.
pub(crate) const KINDS: Builtin =
    Builtin { name: "node/internal/util/kinds", source: include_str!("kinds.js"), natives: natives! {}, globals: &[] };

/// The wording of errors.
pub(crate) const ERROR_TEXT: Builtin = Builtin {
    name: "node/internal/util/error_text",
    source: include_str!("error_text.js"),
    natives: natives! {},
    globals: &[],
};

/// Quoting, widths and line fitting.
pub(crate) const TEXT: Builtin =
    Builtin { name: "node/internal/util/text", source: include_str!("text.js"), natives: natives! {}, globals: &[] };

/// Type checks, with the natives that look into objects.
pub(crate) const TYPES_INTERNAL: Builtin = Builtin {
    name: "node/internal/util/types",
    source: include_str!("types.js"),
    natives: natives! {
        "typeTag" => type_tag,
        "promiseDetails" => promise_details,
        "proxyDetails" => proxy_details,
        "previewEntries" => preview_entries,
    },
    globals: &[],
};

/// The engine's name for the kind of object.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn type_tag(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(call.type_tag(0).into())
}

/// `[state, result]` of a promise.
fn promise_details(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.return_promise_details(0)
}

/// `[target, handler]` of a proxy.
fn proxy_details(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.return_proxy_details(0)
}

/// `[entries, keyed]` of a collection or of its iterator.
fn preview_entries(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.return_preview_entries(0)
}

/// `node:util`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:util", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// `node:util/types`.
pub(crate) const TYPES: Builtin = Builtin {
    name: "node:util/types",
    source: "exports.default = use('node/internal/util/types').types;",
    natives: natives! {},
    globals: &[],
};

/// `util.format`.
pub(crate) const FORMAT: Builtin = Builtin {
    name: "node/internal/util/format",
    source: include_str!("format.js"),
    natives: natives! {},
    globals: &[],
};

/// Deep equality.
pub(crate) const COMPARISONS: Builtin = Builtin {
    name: "node/internal/util/comparisons",
    source: include_str!("comparisons.js"),
    natives: natives! {},
    globals: &[],
};

/// `util.parseArgs`.
pub(crate) const PARSE_ARGS: Builtin = Builtin {
    name: "node/internal/util/parse_args",
    source: include_str!("parse_args.js"),
    natives: natives! {},
    globals: &[],
};

/// How objects of the web platform are shown.
pub(crate) const PLATFORM: Builtin = Builtin {
    name: "node/internal/util/platform",
    source: include_str!("platform.js"),
    natives: natives! {},
    globals: &[],
};

/// The options of `util.inspect`.
pub(crate) const OPTIONS: Builtin = Builtin {
    name: "node/internal/util/options",
    source: include_str!("options.js"),
    natives: natives! {},
    globals: &[],
};
