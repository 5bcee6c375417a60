//! Runtime helpers that compiled TypeScript needs: of decorators, and of class fields that are assigned.
//!
//! The transformer writes `babelHelpers.name(…)`. The helpers that a file uses are put on one line before its code.

/// The object that holds the helpers in compiled code.
const OBJECT: &str = "babelHelpers.";

/// A helper: its name, and the value of a property of that name.
type Helper = (&'static str, &'static str);

/// All helpers. Each may use others only through `this` object's name.
const HELPERS: &[Helper] = &[
    (
        "decorate",
        "(decorators, target, key, descriptor) => { \
         const isMember = descriptor !== undefined; \
         let result = !isMember ? target : descriptor === null ? (descriptor = Object.getOwnPropertyDescriptor(target, key)) : descriptor; \
         if (!isMember && key !== undefined) result = undefined; \
         for (let index = decorators.length - 1; index >= 0; index--) { const decorator = decorators[index]; if (decorator) \
         result = (!isMember && key === undefined ? decorator(result) : isMember && descriptor !== undefined ? decorator(target, key, result) : decorator(target, key)) || result; } \
         if (isMember && result) Object.defineProperty(target, key, result); \
         return result; }",
    ),
    ("decorateParam", "(index, decorator) => (target, key) => decorator(target, key, index)"),
    (
        "decorateMetadata",
        "(key, value) => typeof Reflect === 'object' && typeof Reflect.metadata === 'function' ? Reflect.metadata(key, value) : undefined",
    ),
];

/// Adds the helpers that `code` uses, and tells by how many lines that moved it.
pub(super) fn add(code: String) -> (String, u32) {
    if !code.contains(OBJECT) {
        return (code, 0);
    }
    let used = HELPERS.iter().filter(|(name, _)| uses(&code, name));
    let properties: Vec<String> = used.map(|(name, value)| format!("{name}: {value}")).collect();
    let object = OBJECT.trim_end_matches('.');
    // A hashbang must stay first, and so must directives.
    let strict = if code.trim_start().starts_with("\"use strict\"") { "\"use strict\"; " } else { "" };
    if let Some((hashbang, rest)) = code.split_once('\n').filter(|(first, _)| first.starts_with("#!")) {
        return (format!("{hashbang}\n{strict}const {object} = {{ {} }};\n{rest}", properties.join(", ")), 1);
    }
    (format!("{strict}const {object} = {{ {} }};\n{code}", properties.join(", ")), 1)
}

fn uses(code: &str, name: &str) -> bool {
    code.match_indices(OBJECT).any(|(at, _)| {
        let rest = &code[at + OBJECT.len()..];
        rest.strip_prefix(name).is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    })
}
