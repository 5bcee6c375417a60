//! From a specifier to JavaScript that V8 can compile.
//!
//! ```text
//! specifier ─► specifier (form) ─► resolve (which file?) ─► scope (which format?) ─► compile (one parse) ─► Source
//!                                       │ oxc_resolver           │ package.json          │ stack · arena · exports · helpers
//!                                       └ files (bounds)                                 └ cache · source_map
//! ```
//!
//! A [`Loader`] belongs to one release of an app and is shared by all of its workers. It knows nothing of V8.
//!
//! # Formats
//!
//! * `.mjs`, `.mts` are modules, `.cjs`, `.cts` CommonJS, `.json` JSON.
//! * `.js`, `.jsx`, `.ts`, `.tsx` and files without extension are what `type` of the nearest `package.json` says. Without
//!   `type`, a file with the syntax of a module is one, and everything else is CommonJS. TypeScript and JSX with the
//!   syntax of a module are modules also where `type` is `commonjs`.
//! * `.node` is refused: native addons can't run in an isolate.
//!
//! # TypeScript and JSX
//!
//! Types are removed as `isolatedModules` describes; enums, namespaces, parameter properties and, where `tsconfig.json`
//! asks for them, the older decorators are compiled; the decorators of TC39 are not supported. JSX becomes calls of the
//! automatic runtime, of `react` unless `jsxImportSource` says otherwise. Nothing is checked but the syntax. Code is
//! compiled for the newest ECMAScript. JavaScript is never rewritten.
//!
//! # Caches
//!
//! Nothing that was read is remembered but by its content: compiled files by the digest of everything that they depend
//! on, in memory and in the host's [`TextCache`]. The resolver and the package scopes remember paths, which is right for
//! a release, where files don't change; below writable mounts, what was not found is looked for again, and scopes are
//! not remembered.

mod arena;
mod cache;
mod compile;
mod error;
mod exports;
mod files;
mod helpers;
mod prescan;
mod resolve;
mod scope;
mod source_map;
mod specifier;
mod stack;
mod typed;

pub use cache::TextCache;
pub use error::{CodeFrame, ErrorClass, LoadError, LoadErrorKind, Location};
pub use source_map::SourceMap;
pub use typed::Typed;

use atoll_vfs::{Errno, GuestPath, MountTable};
use cache::{Memory, Shared};
use compile::{Compiled, Form, Input, Language, TypeScriptOptions};
use exports::CommonJsExports;
use resolve::Resolvers;
use scope::{PackageType, Scopes};
use specifier::Specifier;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// Largest source file, in bytes. V8's own limit for a string is half a gigabyte; generated bundles reach 20 MiB.
pub const MAX_SOURCE_BYTES: u64 = 64 << 20;

/// Files whose source maps are remembered for stack traces; all are forgotten when there are more.
const MAX_SOURCE_MAPS: usize = 16_384;

/// CommonJS files that one list of reexported names may be collected from.
const MAX_REEXPORTING_FILES: usize = 4_096;

/// How a module is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResolveKind {
    /// By `import`, `export … from` or `import()`.
    Import,
    /// By `require()`.
    Require,
}

/// What a specifier means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A builtin, by the name in [`LoaderOptions::builtins`].
    Builtin(String),
    /// A file.
    File {
        /// Its real path: no links, it exists.
        path: GuestPath,
        /// Query and fragment of the import (`?a#b`), or empty. Node makes a module of its own for each.
        suffix: String,
    },
    /// A `data:` URL, for [`Loader::load_data`].
    Data(String),
}

/// How an import wants a file read: `with { type: … }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ImportType {
    /// As its extension and package say.
    #[default]
    Auto,
    /// As JSON.
    Json,
    /// As text, whatever it is.
    Text,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// An ECMAScript module.
    Module,
    /// The body of a CommonJS function.
    CommonJs {
        /// Names that `module.exports` will have, as far as analysis can tell, without `default`. Empty when the file was
        /// loaded by [`Loader::load_required`], which doesn't need them.
        exports: Vec<String>,
        /// Specifiers of modules whose names it has, too; [`Loader::export_names`] follows them.
        reexports: Vec<String>,
    },
    /// JSON text.
    Json,
    /// Text that is the default export.
    Text,
}

/// A file, ready to be compiled by V8.
#[derive(Debug, Clone)]
pub struct Source {
    /// Guest path, or the URL of a `data:` import.
    pub path: String,
    /// What it is.
    pub kind: SourceKind,
    /// JavaScript, JSON or text; without a byte order mark.
    pub code: Arc<str>,
    /// Where the code comes from, if it was compiled.
    pub source_map: Option<Arc<SourceMap>>,
    /// Digest of the code and of everything that it was made from.
    pub hash: [u8; 32],
}

/// How a [`Loader`] works.
#[derive(Clone)]
pub struct LoaderOptions {
    /// Conditions of `exports` and `imports` beside the usual ones, first in order.
    pub conditions: Vec<String>,
    /// Keeps compiled files for later processes.
    pub cache: Option<Arc<dyn TextCache>>,
    /// Whether `tsconfig.json` files of the app are read.
    pub tsconfig: bool,
    /// Builtins that guests may import, by full name (`node:fs`); those of `node:` also without it.
    pub builtins: Vec<String>,
}

impl std::fmt::Debug for LoaderOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LoaderOptions").field("conditions", &self.conditions).finish_non_exhaustive()
    }
}

/// Resolves and loads the modules of one release.
pub struct Loader {
    mounts: Arc<MountTable>,
    options: LoaderOptions,
    builtins: HashSet<String>,
    resolvers: RwLock<Arc<Resolvers>>,
    scopes: Scopes,
    memory: Memory,
    maps: RwLock<HashMap<String, Arc<SourceMap>>>,
    /// A file that is not among the guest's: its path, and its text.
    program: Option<(GuestPath, String)>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Loader").field("mounts", &self.mounts).finish_non_exhaustive()
    }
}

/// How a file is going to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Import(ImportType),
    Require,
}

impl Loader {
    /// A loader over the files of a guest.
    pub fn new(mounts: Arc<MountTable>, options: LoaderOptions) -> Self {
        Self {
            builtins: options.builtins.iter().cloned().collect(),
            resolvers: RwLock::new(Arc::new(Resolvers::new(&mounts, &options))),
            scopes: Scopes::new(Arc::clone(&mounts)),
            memory: Memory::default(),
            maps: RwLock::default(),
            program: None,
            mounts,
            options,
        }
    }

    /// The same with the text of a program that lies in no file, such as one of the command line. It is loaded by `path`,
    /// and what it imports is resolved from there; no import finds it.
    #[must_use]
    pub fn with_program(mut self, path: GuestPath, text: String) -> Self {
        self.program = Some((path, text));
        self
    }

    /// The text of [`Loader::with_program`], if this is its path.
    fn given_text(&self, path: &GuestPath) -> Option<&str> {
        self.program.as_ref().filter(|(program, _)| program == path).map(|(_, text)| text.as_str())
    }

    fn resolvers(&self) -> Arc<Resolvers> {
        let current = Arc::clone(&self.resolvers.read().unwrap_or_else(PoisonError::into_inner));
        if !current.are_full() {
            return current;
        }
        let mut slot = self.resolvers.write().unwrap_or_else(PoisonError::into_inner);
        if slot.are_full() {
            *slot = Arc::new(Resolvers::new(&self.mounts, &self.options));
        }
        Arc::clone(&slot)
    }

    /// What `specifier` means in the file `referrer`, which need not exist (`createRequire`).
    pub fn resolve(&self, specifier: &str, referrer: &GuestPath, kind: ResolveKind) -> Result<Resolved, LoadError> {
        if let Some(name) = self.builtin(specifier) {
            return Ok(Resolved::Builtin(name));
        }
        let parsed = Specifier::parse(specifier, kind).map_err(|error| self.locate(error, specifier, referrer))?;
        match parsed {
            Specifier::Builtin(name) => {
                let error = LoadError::new(LoadErrorKind::UnknownBuiltin, format!("No such built-in module: {name}"));
                let known = name.strip_prefix("node:").is_some_and(specifier::is_node_name);
                let error = if known { error.hint("Node.js has it, but Atoll does not provide it") } else { error };
                Err(self.locate(error, specifier, referrer))
            }
            Specifier::Data(url) => Ok(Resolved::Data(url.to_owned())),
            Specifier::Path { path, suffix } => {
                let path = self.find_file(&path, referrer, kind, true)?;
                Ok(Resolved::File { path, suffix: suffix.to_owned() })
            }
            Specifier::Bare(name) => {
                let path = self.find_file(name, referrer, kind, false)?;
                Ok(Resolved::File { path, suffix: String::new() })
            }
        }
    }

    /// The full name of a builtin, given with or without `node:`.
    pub fn builtin(&self, specifier: &str) -> Option<String> {
        if self.builtins.contains(specifier) && specifier.contains(':') {
            return Some(specifier.to_owned());
        }
        let name = format!("node:{specifier}");
        let bare = specifier::is_node_name(specifier) && self.builtins.contains(&name);
        bare.then_some(name)
    }

    /// Reads a file that is imported: detects its format, compiles it, and lists what a CommonJS file exports.
    pub fn load(&self, path: &GuestPath, import_type: ImportType) -> Result<Source, LoadError> {
        self.load_for(path, Use::Import(import_type))
    }

    /// Reads a file that is required: as [`Loader::load`], without the names of exports, and files with an unknown
    /// extension are JavaScript.
    pub fn load_required(&self, path: &GuestPath) -> Result<Source, LoadError> {
        self.load_for(path, Use::Require)
    }

    /// Decodes the module in a `data:` URL: JavaScript, JSON, or text when the import asks for it.
    pub fn load_data(&self, url: &str, import_type: ImportType) -> Result<Source, LoadError> {
        let (media_type, text) = specifier::parse_data_url(url)?;
        let kind = match (import_type, media_type.as_str()) {
            (ImportType::Text, _) => SourceKind::Text,
            (ImportType::Json, _) | (_, "application/json") => SourceKind::Json,
            (_, "text/javascript" | "application/javascript") => SourceKind::Module,
            _ => {
                let message = format!("Unknown module format: {media_type} for a data: URL");
                return Err(LoadError::new(LoadErrorKind::UnknownExtension, message));
            }
        };
        Ok(plain(url.to_owned(), kind, text))
    }

    fn load_for(&self, path: &GuestPath, purpose: Use) -> Result<Source, LoadError> {
        let name = path.to_string();
        let text = self.read(path, purpose)?;
        let extension = extension(path);
        let kind = match (purpose, extension) {
            (Use::Import(ImportType::Text), _) => Some(SourceKind::Text),
            (Use::Import(ImportType::Json), _) | (_, "json") => Some(SourceKind::Json),
            _ => None,
        };
        if let Some(kind) = kind {
            return Ok(plain(name, kind, text));
        }
        let language = match extension {
            "js" | "mjs" | "cjs" | "" => Language::JavaScript,
            "jsx" => Language::JavaScriptJsx,
            "ts" | "mts" | "cts" => Language::TypeScript,
            "tsx" => Language::TypeScriptJsx,
            "node" => {
                let message = format!("Cannot load native addon {name}: native code can't run inside an isolate");
                let error = LoadError::new(LoadErrorKind::NativeAddon, message);
                return Err(error.hint("look for a variant of the package in JavaScript or WebAssembly"));
            }
            _ if purpose == Use::Require => Language::JavaScript,
            other => {
                let message = format!("Unknown file extension \".{other}\" for {name}");
                let error = LoadError::new(LoadErrorKind::UnknownExtension, message);
                return Err(error.hint("import it with { type: 'text' }, or read it with node:fs"));
            }
        };
        let form = self.form(path, extension, language);
        match (language, form, purpose) {
            (Language::JavaScript, Form::Module, _) => Ok(plain(name, SourceKind::Module, text)),
            (Language::JavaScript, Form::CommonJs, Use::Require) => Ok(plain(name, commonjs(), text)),
            (Language::JavaScript, Form::Unknown, Use::Require) if !prescan::may_be_module(&text) => {
                Ok(plain(name, commonjs(), text))
            }
            _ => self.compiled(path, name, text, language, form),
        }
    }

    fn read(&self, path: &GuestPath, purpose: Use) -> Result<String, LoadError> {
        if let Some(text) = self.given_text(path) {
            return Ok(text.to_owned());
        }
        let bytes = self.mounts.read(path, MAX_SOURCE_BYTES).map_err(|error| match error.errno {
            Errno::EFBIG => {
                let message = format!("{path}: larger than {MAX_SOURCE_BYTES} bytes, the most that may be compiled");
                LoadError::new(LoadErrorKind::TooComplex, message)
            }
            Errno::ENOENT => {
                let required = purpose == Use::Require;
                let kind = if required { LoadErrorKind::RequireNotFound } else { LoadErrorKind::ImportNotFound };
                LoadError::new(kind, format!("Cannot find module '{path}'"))
            }
            _ => LoadError::io(&error),
        })?;
        Ok(decode_text(bytes))
    }

    fn form(&self, path: &GuestPath, extension: &str, language: Language) -> Form {
        match extension {
            "mjs" | "mts" => Form::Module,
            "cjs" | "cts" => Form::CommonJs,
            // A package's `type` is about its files.
            _ if self.given_text(path).is_some() => Form::Unknown,
            _ => match self.scopes.package_type(&path.parent()) {
                PackageType::Module => Form::Module,
                PackageType::CommonJs if !language.needs_transpile() => Form::CommonJs,
                PackageType::CommonJs | PackageType::Unspecified => Form::Unknown,
            },
        }
    }

    /// A file that must be parsed: from memory, from the host's cache, or now.
    fn compiled(
        &self,
        path: &GuestPath,
        name: String,
        text: String,
        language: Language,
        form: Form,
    ) -> Result<Source, LoadError> {
        let options = self.compiler_options(path, language);
        let hash = digest(&name, &text, language, form, &options);
        let shared = if let Some(shared) = self.memory.get(&hash) {
            shared
        } else {
            let input = Input { path: &name, text: &text, language, form, options: &options };
            let shared = Arc::new(Shared::from(self.compile_or_recall(&hash, &input)?));
            self.memory.put(hash, Arc::clone(&shared));
            shared
        };
        if let Some(map) = &shared.map {
            self.remember_map(&name, map);
        }
        let kind = match shared.form {
            Form::Module => SourceKind::Module,
            Form::CommonJs | Form::Unknown => {
                let CommonJsExports { names, reexports } = shared.exports.clone();
                SourceKind::CommonJs { exports: names, reexports }
            }
        };
        let code = shared.code.clone().unwrap_or_else(|| Arc::from(text));
        Ok(Source { path: name, kind, code, source_map: shared.map.clone(), hash })
    }

    fn compile_or_recall(&self, hash: &[u8; 32], input: &Input<'_>) -> Result<Compiled, LoadError> {
        let cache = self.options.cache.as_deref();
        let kept = cache.and_then(|cache| cache.get(hash)).and_then(|bytes| cache::decode(input.path, &bytes));
        if let Some(compiled) = kept.filter(|compiled| compiled.code.is_some() == input.language.needs_transpile()) {
            return Ok(compiled);
        }
        let compiled = compile::compile(input)?;
        if let Some(cache) = cache {
            cache.put(hash, &cache::encode(&compiled));
        }
        Ok(compiled)
    }

    fn compiler_options(&self, path: &GuestPath, language: Language) -> TypeScriptOptions {
        if !self.options.tsconfig || !language.needs_transpile() || scope::is_installed(path) {
            return TypeScriptOptions::default();
        }
        match self.resolvers().tsconfig(path) {
            Ok(Some(tsconfig)) => TypeScriptOptions::from_tsconfig(&tsconfig.compiler_options),
            // A file that no tsconfig covers, or a broken one: see `resolve`.
            Ok(None) | Err(_) => TypeScriptOptions::default(),
        }
    }

    fn remember_map(&self, name: &str, map: &Arc<SourceMap>) {
        let known = |maps: &HashMap<String, Arc<SourceMap>>| maps.get(name).is_some_and(|old| Arc::ptr_eq(old, map));
        if known(&self.maps.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if maps.len() >= MAX_SOURCE_MAPS {
            maps.clear();
        }
        maps.insert(name.to_owned(), Arc::clone(map));
    }

    /// The place in the author's file of a place in compiled code, both counted from 1, columns in UTF-16 code units.
    /// `path` is a guest path or a `file:` URL. None when the file was not compiled.
    pub fn original_position(&self, path: &str, line: u32, column: u32) -> Option<Location> {
        let Specifier::Path { path, .. } = Specifier::parse(path, ResolveKind::Import).ok()? else { return None };
        let map = self.maps.read().unwrap_or_else(PoisonError::into_inner).get(&path).cloned()?;
        let (file, line, column) = map.lookup(line, column)?;
        Some(Location { file: file.to_owned(), line, column })
    }

    /// The lines around a place in a guest's file, if it can be read.
    pub fn code_frame(&self, location: &Location) -> Option<CodeFrame> {
        let path = GuestPath::new(&location.file).ok()?;
        if let Some(text) = self.given_text(&path) {
            return Some(CodeFrame::at(text, location.line, location.column));
        }
        let text = self.mounts.read_to_string(&path, MAX_SOURCE_BYTES).ok()?;
        Some(CodeFrame::at(&text, location.line, location.column))
    }

    /// All names that a CommonJS source exports, those of the modules that it reexports included; `default` and doubles
    /// are not among them. What can't be resolved or loaded adds nothing.
    pub fn export_names(&self, source: &Source) -> Vec<String> {
        let SourceKind::CommonJs { exports, reexports } = &source.kind else { return Vec::new() };
        let mut names = Names::default();
        names.extend(exports.clone());
        let mut seen = HashSet::from([source.path.clone()]);
        let mut waiting: Vec<(String, String)> =
            reexports.iter().map(|specifier| (source.path.clone(), specifier.clone())).collect();
        while let Some((referrer, specifier)) = waiting.pop() {
            if seen.len() >= MAX_REEXPORTING_FILES {
                break;
            }
            let Ok(referrer) = GuestPath::new(&referrer) else { continue };
            let Ok(Resolved::File { path, .. }) = self.resolve(&specifier, &referrer, ResolveKind::Require) else {
                continue;
            };
            if !seen.insert(path.to_string()) {
                continue;
            }
            let Ok(Source { path, kind: SourceKind::CommonJs { exports, reexports }, .. }) =
                self.load(&path, ImportType::Auto)
            else {
                continue;
            };
            names.extend(exports);
            waiting.extend(reexports.into_iter().map(|specifier| (path.clone(), specifier)));
        }
        names.ordered
    }
}

/// Names in the order found, each once.
#[derive(Default)]
struct Names {
    ordered: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    fn extend(&mut self, names: Vec<String>) {
        for name in names {
            if self.ordered.len() < cache::MAX_NAMES && name != "default" && self.known.insert(name.clone()) {
                self.ordered.push(name);
            }
        }
    }
}

fn commonjs() -> SourceKind {
    SourceKind::CommonJs { exports: Vec::new(), reexports: Vec::new() }
}

/// A source that is used as it was written.
fn plain(path: String, kind: SourceKind, text: String) -> Source {
    let hash = *blake3::hash(text.as_bytes()).as_bytes();
    Source { path, kind, code: Arc::from(text), source_map: None, hash }
}

/// The extension of a path without its dot; empty for none and for names that only begin with a dot.
fn extension(path: &GuestPath) -> &str {
    path.as_path().extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default()
}

/// Text of a file as Node decodes it: UTF-8, faults replaced, without a byte order mark.
fn decode_text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// Everything that compiling depends on.
fn digest(name: &str, text: &str, language: Language, form: Form, options: &TypeScriptOptions) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let settings = format!("{language:?} {form:?} {options:?}");
    for part in [cache::VERSION, &settings, name, text] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
