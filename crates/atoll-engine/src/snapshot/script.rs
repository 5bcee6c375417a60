//! The one script that all builtins are functions of.
//!
//! A closure is made of a builtin when it is evaluated, so those that a context never uses cost it nothing; the compiled
//! code belongs to the isolate. The script's text belongs to the process: V8 reads it where it lies ([`SharedText`]), as
//! long as a character is a byte. So what is not ASCII in a comment is replaced, and elsewhere refused.

use super::{SnapshotError, failed};
use crate::native::Builtin;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Text in ASCII that all isolates of a process share, and that snapshots refer to rather than contain.
#[derive(Debug)]
pub struct SharedText(v8::OneByteConst);

impl SharedText {
    /// Shares a text.
    ///
    /// # Panics
    /// When it is not ASCII; at compile time for a static.
    pub const fn new(text: &'static str) -> Self {
        Self(v8::String::create_external_onebyte_const(text.as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn to_v8<'s>(&'static self, scope: &v8::PinScope<'s, '_>) -> v8::Local<'s, v8::String> {
        let text = v8::String::new_from_onebyte_const(scope, &self.0);
        text.expect("the platform's own text is far below V8's longest string")
    }

    /// What stands for the text in a snapshot.
    pub(super) fn reference(&'static self) -> v8::ExternalReference {
        v8::ExternalReference { pointer: std::ptr::from_ref(&self.0).cast_mut().cast() }
    }
}

/// The script's text, and what is where in it.
pub(super) struct Script {
    /// An expression: `(name) => [evaluate, primordials, their positions] | undefined`.
    pub(super) text: String,
    /// The names of all primordials that builtins ask for, in the order of their positions.
    pub(super) primordials: Vec<&'static str>,
    /// The first line of each builtin, counted from 1.
    lines: Vec<(i32, &'static str)>,
}

impl Script {
    pub(super) fn new(builtins: &[Builtin]) -> Result<Self, SnapshotError> {
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
                ascii(builtin)?
            );
            assert_eq!(written, Ok(()), "writing to a string can't fail");
            line = 1 + i32::try_from(text.matches('\n').count()).unwrap_or(i32::MAX - 1);
        }
        text.push_str("} })");
        Ok(Self { text, primordials: all, lines })
    }

    /// The builtin that a line of the script belongs to, and the line in its own source.
    pub(super) fn locate(&self, line: i32) -> (&'static str, i32) {
        let after = self.lines.partition_point(|(first, _)| *first <= line);
        let (first, name) = after.checked_sub(1).map_or((1, "engine/script"), |index| self.lines[index]);
        (name, line - first + 1)
    }
}

/// A builtin's source with another character in place of each that is not ASCII: positions stay what they are.
fn ascii(builtin: &Builtin) -> Result<Cow<'static, str>, SnapshotError> {
    if builtin.source.is_ascii() {
        return Ok(Cow::Borrowed(builtin.source));
    }
    for (index, line) in builtin.source.lines().enumerate() {
        let Some(position) = line.find(|character: char| !character.is_ascii()) else { continue };
        let before = line[..position].trim_start();
        if !(before.starts_with("//") || before.starts_with("/*") || before.starts_with('*') || before.contains(" // "))
        {
            let message = format!("line {} has a character that is not ASCII: write its escape", index + 1);
            return Err(failed(builtin.name, &message));
        }
    }
    Ok(Cow::Owned(builtin.source.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()))
}

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
    fn builtins_know_what_they_ask_for_and_where_they_are() {
        let first = builtin("a", "// one\nconst {\n  B, // the second\n  A,\n} = primordials;\n");
        let second = builtin("b", "const { C, A } = primordials;");
        let script = Script::new(&[first, second]).expect("it is sound");
        assert_eq!(script.primordials, ["A", "B", "C"]);
        assert!(script.text.contains(r#"["A", "B"], [0, 1]]"#), "{}", script.text);
        assert!(script.text.contains(r#"["A", "C"], [0, 2]]"#), "{}", script.text);
        let line = |text: &str| 1 + script.text[..script.text.find(text).expect(text)].matches('\n').count() as i32;
        assert_eq!(script.locate(line("one")), ("a", 1));
        assert_eq!(script.locate(line("the second")), ("a", 3));
        assert_eq!(script.locate(line("{ C")), ("b", 1));
    }

    #[test]
    fn what_is_not_ascii_may_be_in_comments() {
        let builtin = |source| [builtin("a", source)];
        let script = Script::new(&builtin("// a → b\n/* a → b\n * → */ const a = 1; // →\n")).expect("comments");
        assert!(script.text.contains("// a ? b\n/* a ? b\n * ? */ const a = 1; // ?\n"), "{}", script.text);
        let refused = Script::new(&builtin("\nconst a = '→';")).err().expect("a literal");
        assert!(refused.to_string().contains("line 2"), "{refused}");
    }
}
