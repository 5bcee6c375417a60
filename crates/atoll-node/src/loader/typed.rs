//! What is typed into an interactive session: whether it is complete, and JavaScript from TypeScript.
//!
//! V8 evaluates it as a console does, so most of it stays as it is; V8 also says what is wrong with it. Only two things are
//! rewritten: what has types, and `{ a: 1 }`, which whoever types it means as an object and not as a block.

use super::arena;
use super::compile::{Form, Input, Language, TypeScriptOptions, parse_as, print, transform};
use super::stack::Need;
use oxc::ast::ast::TSTypeParameterInstantiation;
use oxc::ast_visit::Visit;
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::parser::ParserReturn;
use oxc_allocator::Allocator;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// The beginning of something: more is to come.
    Incomplete,
    /// JavaScript to be evaluated; perhaps none that V8 accepts.
    Complete(String),
}

/// How a text was understood.
enum Reading {
    /// As it is.
    JavaScript,
    /// Compiled to this.
    TypeScript(String),
    Incomplete,
    Invalid,
}

impl Typed {
    /// Reads what was typed so far.
    pub fn new(text: &str) -> Self {
        let trimmed = text.trim();
        if trimmed.starts_with('{') && !trimmed.ends_with(';') {
            let object = format!("({trimmed}\n)");
            match read(&object) {
                Reading::JavaScript => return Self::Complete(object),
                Reading::TypeScript(code) => return Self::Complete(code),
                Reading::Incomplete | Reading::Invalid => {}
            }
        }
        match read(text) {
            Reading::Incomplete => Self::Incomplete,
            Reading::TypeScript(code) => Self::Complete(code),
            Reading::JavaScript | Reading::Invalid => Self::Complete(text.to_owned()),
        }
    }
}

/// Reads it on a thread of its own; see [`super::stack`].
fn read(text: &str) -> Reading {
    let need = Need::of(text, true);
    need.run(|| read_here(text, need)).unwrap_or(Reading::Invalid)
}

fn read_here(text: &str, need: Need) -> Reading {
    let allocator = arena::for_text(text.len());
    let javascript = parse(&allocator, text, Language::JavaScript);
    // What JavaScript and TypeScript read differently are type arguments: `f<T>(x)`.
    if javascript.is_ok() && !text.contains('<') {
        return Reading::JavaScript;
    }
    let typescript = parse(&allocator, text, Language::TypeScript);
    match (javascript, typescript) {
        (Ok(_), Err(_)) => Reading::JavaScript,
        (Ok(_), Ok(parsed)) if !has_type_arguments(&parsed) => Reading::JavaScript,
        (_, Ok(parsed)) if need.is_exceeded_by(&parsed.program) => Reading::Invalid,
        (_, Ok(parsed)) => compile(&allocator, parsed, text).map_or(Reading::Invalid, Reading::TypeScript),
        (Err(_), Err(diagnostics)) if diagnostics.iter().flatten().any(|one| ends_too_early(text, one)) => {
            Reading::Incomplete
        }
        (Err(_), Err(_)) => Reading::Invalid,
    }
}

/// Parses as a script, else as a module: only there `await` may stand outside of functions.
fn parse<'a>(
    allocator: &'a Allocator,
    text: &'a str,
    language: Language,
) -> Result<ParserReturn<'a>, [Option<OxcDiagnostic>; 2]> {
    let source_type = language.source_type();
    let as_script = match parse_as(allocator, text, source_type.with_commonjs(true), false) {
        Ok(parsed) => return Ok(parsed),
        Err(diagnostics) => last(diagnostics),
    };
    let as_module = parse_as(allocator, text, source_type.with_module(true), false);
    as_module.map_err(|diagnostics| [as_script, last(diagnostics)])
}

/// The one that ended the parse.
fn last(diagnostics: Diagnostics) -> Option<OxcDiagnostic> {
    diagnostics.into_vec().pop()
}

/// Whether all that is wrong with a text is where it ends, or that something in it does not end.
fn ends_too_early(text: &str, diagnostic: &OxcDiagnostic) -> bool {
    let end = text.trim_end().len();
    let reaches_end = diagnostic.labels.iter().any(|label| (label.offset() + label.len()) as usize >= end);
    let begins_at_end = diagnostic.labels.iter().any(|label| label.offset() as usize >= end);
    // A string that has no end is no beginning of one, unless it is a template, or its line goes on.
    let goes_on = match &*diagnostic.message {
        "Unterminated multiline comment" => true,
        "Unterminated string" => {
            let opens_template = diagnostic.labels.iter().any(|label| {
                text.get(label.offset() as usize..).is_some_and(|rest| rest.starts_with('`') || rest.starts_with('}'))
            });
            opens_template || text.trim_end_matches(['\n', '\r']).ends_with('\\')
        }
        _ => false,
    };
    begins_at_end || reaches_end && goes_on
}

struct TypeArguments(bool);

impl<'a> Visit<'a> for TypeArguments {
    fn visit_ts_type_parameter_instantiation(&mut self, _arguments: &TSTypeParameterInstantiation<'a>) {
        self.0 = true;
    }
}

fn has_type_arguments(parsed: &ParserReturn<'_>) -> bool {
    let mut arguments = TypeArguments(false);
    arguments.visit_program(&parsed.program);
    arguments.0
}

/// JavaScript, if there are no errors.
fn compile<'a>(allocator: &'a Allocator, parsed: ParserReturn<'a>, text: &'a str) -> Option<String> {
    let options = TypeScriptOptions { verbatim_imports: true, ..TypeScriptOptions::default() };
    let input =
        Input { path: "[repl].ts", text, language: Language::TypeScript, form: Form::Unknown, options: &options };
    let mut program = parsed.program;
    transform(allocator, &mut program, &input).ok()?;
    let (code, _) = print(&program, &input).ok()?;
    // The compiler marks what was a module by its types alone.
    Some(code.trim_end().strip_suffix("export {};").unwrap_or(&code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::Typed;

    #[test]
    fn beginnings_are_incomplete() {
        for text in [
            "function f() {",
            "if (x) {\n  y();",
            "[1,",
            "[1, 2",
            "f(",
            "f(1,\n",
            "const x =",
            "1 +",
            "a ?",
            "a ? b :",
            "`a ${b}",
            "`a ${",
            "`a\nb",
            "`a ${f(`b",
            "/* a",
            "1; /* a\n b",
            "'a \\\n",
            "({ a: 1,",
            "{ a: 1,",
            "{",
            "class A {",
            "class A { m() {}",
            "async () => {",
            "await f(",
            "for await (const x of y) {",
            "const x: number =",
            "interface A {",
            "enum A {",
            "x = y as",
            "if (x)",
            "while (true)",
            "try {",
            "try { }",
            "switch (a) { case 1:",
            "a.",
            "new",
        ] {
            assert_eq!(Typed::new(text), Typed::Incomplete, "{text}");
        }
    }

    #[test]
    fn what_is_complete_or_wrong_is_left_to_v8() {
        for text in [
            "",
            "   ",
            "// nothing",
            "1",
            "1;",
            "function f() {}",
            "if (x) {}",
            "a < b",
            "a < b > c",
            "await f()",
            "for await (const x of y) {}",
            "var await = 1",
            "with (a) b",
            "010",
            "import a from 'b'",
            "'a",
            "\"a",
            "a b",
            "f(]",
            "}",
            "/a",
            "x = { a: 1 }",
            "{ a: 1 };",
            "{ let x = 1; x }",
            "`a ${b}`",
            "return 1",
            "/[/]/.test('`')",
            "/`/",
        ] {
            assert_eq!(Typed::new(text), Typed::Complete(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_object_is_no_block() {
        assert_eq!(Typed::new("{ a: 1 }"), Typed::Complete("({ a: 1 }\n)".to_owned()));
        assert_eq!(Typed::new(" {} "), Typed::Complete("({}\n)".to_owned()));
        assert_eq!(Typed::new("{ a: 1 } // one"), Typed::Complete("({ a: 1 } // one\n)".to_owned()));
    }

    #[test]
    fn types_go() {
        for (text, code) in [
            ("const x: number = 1", "const x = 1;"),
            ("let y = f<string>('a')", "let y = f(\"a\");"),
            ("x as unknown", "x;"),
            ("interface A { b: string }", ""),
            ("const a: A = await f<A>()", "const a = await f();"),
            ("import a = require('b')", "const a = require(\"b\");"),
            ("x!", "x;"),
        ] {
            let Typed::Complete(compiled) = Typed::new(text) else { panic!("{text} is complete") };
            assert_eq!(compiled.trim(), code, "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_no_danger() {
        for text in ["(".repeat(1 << 20), "`${".repeat(1 << 12), "a<".repeat(1 << 12)] {
            // Whether it is taken for incomplete or for wrong, it is answered.
            let _ = Typed::new(&text);
        }
    }
}
