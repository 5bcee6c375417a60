//! `node:module`, and the CommonJS machinery that the engine calls (`node/internal/cjs`).
//!
//! Files are found, read and compiled by the release's loader; see [`crate::loader`]. Which module is in which cache, the
//! `require` functions, and what a guest may patch (`Module._load`, `Module._extensions`, …) is JavaScript.

use atoll_engine::{
    Builtin, Call, ImportKind, JsError, ModuleFormat, ModuleSource, NativeResult, Resolved, Value, natives,
};

/// `node:module`: the `Module` class.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:module", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// What the engine calls: `loadMain(path)`, `requireFromEsm(path)`, `createRequire(path)`.
pub(crate) const CJS: Builtin = Builtin {
    name: "node/internal/cjs",
    source: include_str!("cjs.js"),
    natives: natives! {
        "resolve" => resolve,
        "load" => load,
        "text" => text,
        "compileText" => compile_text,
        "requireModule" => require_module,
        "builtin" => builtin,
        "builtinNames" => builtin_names,
    },
    globals: &[],
};

/// `(specifier, referrer)` → a file's path, or the name of a builtin (it has a colon and no leading slash).
fn resolve(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let specifier = call.string(0)?;
    let referrer = call.string(1)?;
    Ok(Value::String(match call.resolve_module(&specifier, &referrer, ImportKind::Require)? {
        Resolved::Builtin(name) => name,
        Resolved::File(path) => path,
    }))
}

/// `(path)` → the wrapper function of a CommonJS file, the text of a JSON file, or `undefined` for a module.
fn load(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let path = call.string(0)?;
    let source = call.load_source(&path)?;
    match source.format {
        ModuleFormat::CommonJs { .. } => call.compile_commonjs(&source),
        ModuleFormat::Json => Ok(Value::String(source.code.to_string())),
        _ => Ok(Value::Undefined),
    }
}

/// `(path)` → the JavaScript of a CommonJS file, for programs that compile it themselves.
fn text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let path = call.string(0)?;
    Ok(Value::String(call.load_source(&path)?.code.to_string()))
}

/// `(text, name)` → the wrapper function of this text.
fn compile_text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let code = call.string(0)?;
    let name = call.string(1)?;
    let digest = *blake3::hash(code.as_bytes()).as_bytes();
    let format = ModuleFormat::CommonJs { exports: Vec::new() };
    call.compile_commonjs(&ModuleSource { name, format, code: code.into(), digest })
}

/// `(path)` → the namespace of an ECMAScript module, evaluated.
fn require_module(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let path = call.string(0)?;
    call.require_module(&path)
}

/// `(name)` → what `require` of a builtin returns.
fn builtin(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let name = call.string(0)?;
    if !name.contains(':') {
        return Err(JsError::error(format!("{name} is no builtin for programs")));
    }
    call.builtin(&name)
}

/// The names of all builtins of Node that there are, in order.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn builtin_names(_call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mut names: Vec<&str> =
        crate::BUILTINS.iter().map(|builtin| builtin.name).filter(|name| name.starts_with("node:")).collect();
    names.sort_unstable();
    Ok(Value::List(names.into_iter().map(|name| Value::String(name.to_owned())).collect()))
}
