//! The one script that all builtins are functions of.
//!
//! A closure is made of a builtin when it is evaluated, so those that a context never uses cost it nothing; the compiled
//! code belongs to the isolate. The text belongs to the process: isolates refer to it where it lies in the binary, since
//! a copy for each would be the largest object of most heaps. V8 takes such text as one byte per character.

use crate::native::Builtin;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::OnceLock;

/// The script's text, and what is where in it.
pub(super) struct Script {
    /// An expression: `(name) => [evaluate, primordials, their positions] | undefined`. ASCII.
    pub(super) text: String,
    /// The names of all primordials that builtins ask for, in the order of their positions.
    pub(super) primordials: Vec<&'static str>,
    /// The first line of each builtin, counted from 1.
    lines: Vec<(i32, &'static str)>,
}

impl Script {
    pub(super) fn new(builtins: &[Builtin]) -> Self {
        let all: BTreeSet<&'static str> = builtins.iter().flat_map(|builtin| primordials(builtin.source)).collect();
        let all: Vec<&'static str> = all.into_iter().collect();
        let mut text = String::from("(function (name) { 'use strict'; switch (name) {\n");
        let mut lines = Vec::with_capacity(builtins.len());
        let mut line = 2;
        for builtin in builtins {
            let wanted: BTreeSet<&'static str> = primordials(builtin.source).collect();
            let positions: Vec<usize> = wanted.iter().filter_map(|name| all.binary_search(name).ok()).collect();
            let wanted: Vec<&'static str> = wanted.into_iter().collect();
            lines.push((line, builtin.name));
            // Names of builtins and of primordials are ours, and Rust's literals of them are JavaScript's.
            let written = writeln!(
                text,
                "case {:?}: return [function (exports, native, use, primordials) {{{}\n}}, {wanted:?}, {positions:?}];",
                builtin.name,
                ascii(builtin.source)
            );
            assert_eq!(written, Ok(()), "writing to a string can't fail");
            line = 1 + i32::try_from(text.matches('\n').count()).unwrap_or(i32::MAX - 1);
        }
        text.push_str("} })");
        Self { text, primordials: all, lines }
    }

    /// The builtin that a line of the script belongs to, and the line in its own source.
    pub(super) fn locate(&self, line: i32) -> (&'static str, i32) {
        let after = self.lines.partition_point(|(first, _)| *first <= line);
        let (first, name) = after.checked_sub(1).map_or((1, "engine/script"), |index| self.lines[index]);
        (name, line - first + 1)
    }
}

/// A text of JavaScript that means the same, in ASCII: an escape is understood wherever sources have other characters, which
/// is in literals; in comments it makes no difference.
fn ascii(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for character in source.chars() {
        if character.is_ascii() {
            text.push(character);
            continue;
        }
        assert!(!text.ends_with('\\'), "{character:?} is escaped already, and needs not be: remove the backslash");
        for unit in character.encode_utf16(&mut [0; 2]) {
            let written = write!(text, "\\u{unit:04x}");
            assert_eq!(written, Ok(()), "writing to a string can't fail");
        }
    }
    text
}

/// What V8 knows the script's text by: always the same of a process, whose isolates refer to it.
pub(super) fn resource(text: &'static [u8]) -> &'static v8::OneByteConst {
    static RESOURCE: OnceLock<Resource> = OnceLock::new();
    let Resource(resource) = RESOURCE.get_or_init(|| Resource(v8::String::create_external_onebyte_const(text)));
    let known: &[u8] = resource.as_ref();
    assert!(std::ptr::eq(known, text), "a process has one snapshot");
    resource
}

struct Resource(v8::OneByteConst);

#[expect(unsafe_code, reason = "it has pointers, and so is bound to its thread in Rust's eyes")]
// SAFETY: what it points to is immutable and lives as long as the process; `v8` declares it `Sync` for that reason.
unsafe impl Send for Resource {}

/// The names that a source destructures from `primordials`.
fn primordials(source: &'static str) -> impl Iterator<Item = &'static str> {
    let mut names = Vec::new();
    let mut rest = source;
    while let Some(end) = rest.find("} = primordials;") {
        let start = rest[..end].rfind('{').map_or(end, |start| start + 1);
        let listed = rest[start..end].lines().flat_map(|line| line.split("//").next().unwrap_or("").split(','));
        names.extend(listed.map(str::trim).filter(|name| !name.is_empty()));
        rest = &rest[end + "} = primordials;".len()..];
    }
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn builtin(name: &'static str, source: &'static str) -> Builtin {
        Builtin { name, source, natives: &[], globals: &[] }
    }

    #[test]
    fn the_text_is_ascii_and_means_the_same() {
        let script = Script::new(&[builtin("a", "const dash = '\u{2013}', face = `\u{1f600}`; // \u{2026}")]);
        assert!(script.text.is_ascii());
        assert!(script.text.contains(r"const dash = '\u2013', face = `\ud83d\ude00`; // \u2026"), "{}", script.text);
    }

    #[test]
    fn builtins_know_what_they_ask_for_and_where_they_are() {
        let first = builtin("a", "// one\nconst {\n  B, // the second\n  A,\n} = primordials;\n");
        let second = builtin("b", "const { C, A } = primordials;");
        let script = Script::new(&[first, second]);
        assert_eq!(script.primordials, ["A", "B", "C"]);
        assert!(script.text.contains(r#"["A", "B"], [0, 1]]"#), "{}", script.text);
        assert!(script.text.contains(r#"["A", "C"], [0, 2]]"#), "{}", script.text);
        let line = |text: &str| 1 + script.text[..script.text.find(text).expect(text)].matches('\n').count() as i32;
        assert_eq!(script.locate(line("one")), ("a", 1));
        assert_eq!(script.locate(line("the second")), ("a", 3));
        assert_eq!(script.locate(line("{ C")), ("b", 1));
    }
}
