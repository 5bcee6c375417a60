//! Runtime helpers that compiled TypeScript needs: of decorators, and of classes whose fields are assigned.
//!
//! The transformer writes `babelHelpers.name(…)`. Code that uses a helper gets all of them before its first line, as a
//! module of its own could not be found from everywhere.

/// The object that holds the helpers in compiled code.
const OBJECT: &str = "babelHelpers.";

/// Its definition.
const DEFINITION: &str = include_str!("helpers.js");

/// The helpers that it has.
const NAMES: [&str; 17] = [
    "assertClassBrand",
    "checkInRHS",
    "classPrivateFieldGet2",
    "classPrivateFieldInitSpec",
    "classPrivateFieldSet2",
    "classPrivateMethodInitSpec",
    "decorate",
    "decorateMetadata",
    "decorateParam",
    "defineProperty",
    "extends",
    "readOnlyError",
    "superPropGet",
    "superPropSet",
    "toPropertyKey",
    "toSetter",
    "writeOnlyError",
];

/// Adds the helpers to code that uses them, and tells by how many lines that moved it. The error is the name of a helper
/// that there is not.
pub(super) fn add(code: String) -> Result<(String, u32), String> {
    let mut used = code.match_indices(OBJECT).map(|(at, _)| name(&code[at + OBJECT.len()..])).peekable();
    if used.peek().is_none() {
        return Ok((code, 0));
    }
    if let Some(unknown) = used.find(|name| !NAMES.contains(name)) {
        return Err(unknown.to_owned());
    }
    // A hashbang must stay the first line, and a directive the first statement.
    let body = if code.starts_with("#!") { code.find('\n').map_or(code.len(), |end| end + 1) } else { 0 };
    let (hashbang, rest) = code.split_at(body);
    let directive = if rest.starts_with("\"use strict\"") { "\"use strict\"; " } else { "" };
    let lines = DEFINITION.bytes().filter(|byte| *byte == b'\n').count();
    Ok((format!("{hashbang}{directive}{DEFINITION}{rest}"), u32::try_from(lines).unwrap_or(u32::MAX)))
}

fn name(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_definition() {
        for name in NAMES {
            let defined = ["(", ":", ","].iter().any(|after| DEFINITION.contains(&format!("    {name}{after}")));
            assert!(defined, "{name}");
        }
    }

    #[test]
    fn added_only_where_used() {
        assert_eq!(add("a.b".to_owned()), Ok(("a.b".to_owned(), 0)));
        assert_eq!(add("babelHelpers.none()".to_owned()), Err("none".to_owned()));
        let (code, lines) = add("#!x\n\"use strict\";\nbabelHelpers.decorate()".to_owned()).expect("known");
        assert!(code.starts_with("#!x\n\"use strict\"; const babelHelpers"), "{code}");
        assert_eq!(code.lines().nth(1 + lines as usize), Some("\"use strict\";"));
    }
}
