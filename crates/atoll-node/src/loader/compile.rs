//! One parse per file: whether it is a module, what a CommonJS file exports, and JavaScript from TypeScript and JSX.

use super::arena;
use super::error::{LoadError, LoadErrorKind};
use super::exports::{CommonJsExports, analyze};
use super::helpers;
use super::source_map::{Mapping, SourceMap};
use super::stack::{Need, StackError};
use oxc::allocator::Allocator;
use oxc::ast::ast::{Decorator, Program, Statement};
use oxc::ast_visit::Visit;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::parser::{ParseOptions, Parser, ParserReturn};
use oxc::semantic::SemanticBuilder;
use oxc::span::{SourceType, Span};
use oxc::transformer::{ClassPropertiesOptions, HelperLoaderMode, JsxRuntime, TransformOptions, Transformer};
use std::path::Path;

/// The language of a file, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    JavaScriptJsx,
    TypeScript,
    TypeScriptJsx,
}

impl Language {
    /// Whether it must be compiled before V8 understands it.
    pub(super) const fn needs_transpile(self) -> bool {
        !matches!(self, Self::JavaScript)
    }

    pub(super) fn source_type(self) -> SourceType {
        match self {
            Self::JavaScript => SourceType::mjs(),
            Self::JavaScriptJsx => SourceType::jsx(),
            Self::TypeScript => SourceType::ts(),
            Self::TypeScriptJsx => SourceType::tsx(),
        }
    }
}

/// What extension and package say about a file's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Module,
    CommonJs,
    /// Its syntax decides.
    Unknown,
}

/// What `tsconfig.json` says that changes the JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeScriptOptions {
    pub(super) jsx: JsxMode,
    pub(super) jsx_import_source: Option<String>,
    pub(super) jsx_factory: Option<String>,
    pub(super) jsx_fragment_factory: Option<String>,
    pub(super) experimental_decorators: bool,
    pub(super) decorator_metadata: bool,
    pub(super) strict_null_checks: bool,
    /// Fields are defined, as in JavaScript, rather than assigned.
    pub(super) define_class_fields: bool,
    /// Imports are kept unless they say `type`.
    pub(super) verbatim_imports: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsxMode {
    Automatic,
    AutomaticDevelopment,
    Classic,
}

impl Default for TypeScriptOptions {
    fn default() -> Self {
        Self {
            jsx: JsxMode::Automatic,
            jsx_import_source: None,
            jsx_factory: None,
            jsx_fragment_factory: None,
            experimental_decorators: false,
            decorator_metadata: false,
            strict_null_checks: true,
            define_class_fields: true,
            verbatim_imports: false,
        }
    }
}

impl TypeScriptOptions {
    pub(super) fn from_tsconfig(options: &oxc_resolver::CompilerOptions) -> Self {
        let old_target = options.target.as_deref().is_some_and(|target| {
            let target = target.to_ascii_lowercase();
            let year = target.strip_prefix("es").and_then(|year| year.parse::<u32>().ok());
            year.is_some_and(|year| year < 2022)
        });
        Self {
            jsx: match options.jsx.as_deref() {
                Some("react") => JsxMode::Classic,
                Some("react-jsxdev") => JsxMode::AutomaticDevelopment,
                _ => JsxMode::Automatic,
            },
            jsx_import_source: options.jsx_import_source.clone(),
            jsx_factory: options.jsx_factory.clone(),
            jsx_fragment_factory: options.jsx_fragment_factory.clone(),
            experimental_decorators: options.experimental_decorators.unwrap_or(false),
            decorator_metadata: options.emit_decorator_metadata.unwrap_or(false),
            strict_null_checks: options.strict_null_checks.or(options.strict).unwrap_or(true),
            define_class_fields: options.use_define_for_class_fields.unwrap_or(!old_target),
            verbatim_imports: options.verbatim_module_syntax.or(options.preserve_value_imports).unwrap_or(false),
        }
    }

    fn transform_options(&self) -> TransformOptions {
        let mut options = TransformOptions::default();
        options.typescript.only_remove_type_imports = self.verbatim_imports;
        options.jsx.runtime = if self.jsx == JsxMode::Classic { JsxRuntime::Classic } else { JsxRuntime::Automatic };
        options.jsx.development = self.jsx == JsxMode::AutomaticDevelopment;
        if self.jsx == JsxMode::Classic {
            options.jsx.pragma.clone_from(&self.jsx_factory);
            options.jsx.pragma_frag.clone_from(&self.jsx_fragment_factory);
            if let Some(factory) = &self.jsx_factory {
                options.typescript.jsx_pragma = factory.clone().into();
            }
            if let Some(factory) = &self.jsx_fragment_factory {
                options.typescript.jsx_pragma_frag = factory.clone().into();
            }
        } else {
            options.jsx.import_source.clone_from(&self.jsx_import_source);
        }
        options.decorator.legacy = self.experimental_decorators;
        options.decorator.emit_decorator_metadata = self.decorator_metadata;
        options.decorator.strict_null_checks = self.strict_null_checks;
        if !self.define_class_fields {
            options.assumptions.set_public_class_fields = true;
            options.typescript.remove_class_fields_without_initializer = true;
            options.env.es2022.class_properties = Some(ClassPropertiesOptions::default());
            options.env.es2022.class_static_block = true;
        }
        options.helper_loader.mode = HelperLoaderMode::External;
        options
    }
}

/// What to compile.
pub(super) struct Input<'a> {
    /// Guest path, for errors and the source map.
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) language: Language,
    pub(super) form: Form,
    pub(super) options: &'a TypeScriptOptions,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compiled {
    /// Never [`Form::Unknown`].
    pub(super) form: Form,
    /// JavaScript; none when the text is JavaScript already.
    pub(super) code: Option<String>,
    pub(super) map: Option<SourceMap>,
    /// Of a CommonJS file.
    pub(super) exports: CommonJsExports,
}

/// Compiles a file on its own thread; see [`super::stack`].
pub(super) fn compile(input: &Input<'_>) -> Result<Compiled, LoadError> {
    let need = Need::of(input.text, input.language.needs_transpile());
    need.run(|| compile_here(input, need)).unwrap_or_else(|error| {
        Err(match error {
            // The parser panics where its arena is full.
            StackError::TooComplex | StackError::Panicked => too_complex(input),
            StackError::NoThread => LoadError::new(
                LoadErrorKind::Internal,
                format!("{}: no address space for the compiler's stack", input.path),
            ),
        })
    })
}

fn too_complex(input: &Input<'_>) -> LoadError {
    let message = format!("{}: too large or nested too deeply to compile", input.path);
    LoadError::new(LoadErrorKind::TooComplex, message)
}

fn compile_here(input: &Input<'_>, need: Need) -> Result<Compiled, LoadError> {
    let allocator = arena::for_text(input.text.len());
    let (parsed, form) = parse(&allocator, input).map_err(|diagnostics| syntax_error(input, diagnostics))?;
    let mut program = parsed.program;
    if need.is_exceeded_by(&program) {
        return Err(too_complex(input));
    }
    if !input.language.needs_transpile() {
        let exports = if form == Form::CommonJs { analyze(&program) } else { CommonJsExports::default() };
        return Ok(Compiled { form, code: None, map: None, exports });
    }
    transform(&allocator, &mut program, input)?;
    let exports = if form == Form::CommonJs { analyze(&program) } else { CommonJsExports::default() };
    let (code, map) = print(&program, input)?;
    Ok(Compiled { form, code: Some(code), map: Some(map), exports })
}

/// Parses, and finds out the form. A file of unknown form is CommonJS unless it has the syntax of a module or is only
/// valid as one (`await` outside functions).
fn parse<'a>(allocator: &'a Allocator, input: &Input<'a>) -> Result<(ParserReturn<'a>, Form), Diagnostics> {
    let source_type = input.language.source_type();
    let as_commonjs = |source_type: SourceType| {
        // `with_commonjs` allows `return` at the top; TypeScript's own `export =` and `import = require` come with it.
        parse_as(allocator, input.text, source_type.with_commonjs(true), true)
    };
    let as_module = |source_type: SourceType| parse_as(allocator, input.text, source_type.with_module(true), false);
    match input.form {
        Form::Module => as_module(source_type).map(|parsed| (parsed, Form::Module)),
        Form::CommonJs => as_commonjs(source_type).map(|parsed| (parsed, Form::CommonJs)),
        Form::Unknown => {
            let first = parse_as(allocator, input.text, source_type.with_unambiguous(true), true);
            match first {
                Ok(parsed) if parsed.module_record.has_module_syntax => Ok((parsed, Form::Module)),
                Ok(parsed) if has_export_assignment(&parsed.program) => {
                    as_commonjs(source_type).map(|parsed| (parsed, Form::CommonJs))
                }
                Ok(parsed) => Ok((parsed, Form::CommonJs)),
                Err(diagnostics) => match (as_commonjs(source_type), as_module(source_type)) {
                    (Ok(parsed), _) => Ok((parsed, Form::CommonJs)),
                    (_, Ok(parsed)) => Ok((parsed, Form::Module)),
                    _ => Err(diagnostics),
                },
            }
        }
    }
}

fn has_export_assignment(program: &Program<'_>) -> bool {
    let is_commonjs = |statement: &Statement<'_>| {
        matches!(statement, Statement::TSExportAssignment(_) | Statement::TSImportEqualsDeclaration(_))
    };
    program.body.iter().any(is_commonjs)
}

pub(super) fn parse_as<'a>(
    allocator: &'a Allocator,
    text: &'a str,
    source_type: SourceType,
    returns: bool,
) -> Result<ParserReturn<'a>, Diagnostics> {
    let options =
        ParseOptions { allow_return_outside_function: returns, preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(allocator, text, source_type).with_options(options).parse();
    if parsed.panicked || parsed.diagnostics.has_errors() { Err(parsed.diagnostics) } else { Ok(parsed) }
}

/// Removes types and compiles JSX, in place.
pub(super) fn transform<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    input: &Input<'_>,
) -> Result<(), LoadError> {
    let analyzed = SemanticBuilder::new_compiler()
        .with_check_syntax_error(true)
        .with_enum_eval(true)
        .with_build_nodes(false)
        .build(program);
    if analyzed.diagnostics.has_errors() {
        return Err(syntax_error(input, analyzed.diagnostics));
    }
    if !input.options.experimental_decorators && input.text.contains('@') {
        refuse_decorators(program, input)?;
    }
    let scoping = analyzed.semantic.into_scoping();
    let options = input.options.transform_options();
    let transformed = Transformer::new(allocator, Path::new(input.path), &options).build_with_scoping(scoping, program);
    if transformed.diagnostics.has_errors() {
        return Err(syntax_error(input, transformed.diagnostics));
    }
    Ok(())
}

/// V8 doesn't know decorators yet, and only the older ones can be compiled.
fn refuse_decorators(program: &Program<'_>, input: &Input<'_>) -> Result<(), LoadError> {
    let mut decorators = FirstDecorator(None);
    decorators.visit_program(program);
    let Some(span) = decorators.0 else { return Ok(()) };
    let error =
        LoadError::new(LoadErrorKind::Syntax, "Decorators are not supported without \"experimentalDecorators\"");
    let error = error.at(input.path, input.text, span.start as usize, (span.end - span.start) as usize);
    Err(error.hint("set \"experimentalDecorators\": true in the \"compilerOptions\" of tsconfig.json"))
}

struct FirstDecorator(Option<Span>);

impl<'a> Visit<'a> for FirstDecorator {
    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.0.get_or_insert(decorator.span);
    }
}

pub(super) fn print(program: &Program<'_>, input: &Input<'_>) -> Result<(String, SourceMap), LoadError> {
    let options =
        CodegenOptions { source_map_path: Some(Path::new(input.path).to_path_buf()), ..CodegenOptions::default() };
    let printed = Codegen::new().with_options(options).build(program);
    let (code, added_lines) = helpers::add(printed.code).map_err(|name| {
        let message = format!("{}: uses syntax whose helper '{name}' is not supported", input.path);
        LoadError::new(LoadErrorKind::Internal, message)
    })?;
    let Some(map) = printed.map else {
        return Ok((code, SourceMap::new(input.path, Vec::new())));
    };
    let mappings = map.get_tokens().filter(|token| token.get_source_id().is_some()).map(|token| Mapping {
        line: token.get_dst_line() + added_lines,
        column: token.get_dst_col(),
        source_line: token.get_src_line(),
        source_column: token.get_src_col(),
    });
    Ok((code, SourceMap::new(input.path, mappings.collect())))
}

fn syntax_error(input: &Input<'_>, diagnostics: Diagnostics) -> LoadError {
    let diagnostics = diagnostics.into_vec();
    let Some(first) = diagnostics.iter().find(|one| one.severity == oxc::diagnostics::Severity::Error) else {
        return LoadError::new(LoadErrorKind::Syntax, format!("{}: not a valid program", input.path));
    };
    let error = LoadError::new(LoadErrorKind::Syntax, message(first));
    // A second declaration is labelled after the first one, which is not at fault.
    let is_duplicate = first.message.contains("has already been declared");
    let label = if is_duplicate { first.labels.last() } else { first.labels.first() };
    let error = match label {
        Some(label) => error.at(input.path, input.text, label.offset() as usize, label.len() as usize),
        None => error.at(input.path, input.text, 0, 0),
    };
    match &first.help {
        Some(help) => error.hint(help.clone()),
        None => error,
    }
}

fn message(diagnostic: &OxcDiagnostic) -> String {
    diagnostic.message.clone().into_owned()
}
