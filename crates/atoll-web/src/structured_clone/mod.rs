//! `structuredClone` (HTML, "Safe passing of structured data").

use atoll_engine::{Builtin, Call, Global, NativeResult, Value, natives};

/// Its JavaScript, natives and global.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/structured-clone",
    source: include_str!("api.js"),
    natives: natives! { "classify" => classify, "typeTag" => type_tag },
    globals: &[Global::lazy("structuredClone")],
};

/// What `classify` answers with: positions in this list. The JavaScript has the same one.
const CLASSES: [&str; 13] = [
    "",
    "Arguments",
    "NativeError",
    "ArrayBuffer",
    "Map",
    "Set",
    "Date",
    "RegExp",
    "BoxedNumber",
    "BoxedString",
    "BoxedBoolean",
    "BoxedBigInt",
    "other",
];

/// `classify(value)`: how an object is cloned, as a number; by its internal slots, which guests can't forge.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn classify(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let tag = call.type_tag(0);
    let class = CLASSES.iter().position(|class| *class == tag).unwrap_or(CLASSES.len() - 1);
    Ok(Value::Number(class as f64))
}

/// `typeTag(value)`: the name for an error message.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn type_tag(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::from(call.type_tag(0)))
}
