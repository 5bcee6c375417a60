//! ECMAScript modules: which source belongs to a specifier is the loader's business, the rest is V8's.
//!
//! A graph is loaded breadth first before anything is instantiated: the guest filesystem is synchronous, so there is
//! nothing to wait for. CommonJS and JSON files and builtins take part as synthetic modules, whose exports are set when
//! their turn to be evaluated comes, so that order of evaluation is the specification's.

mod compile;
mod dynamic;
mod graph;
mod synthetic;

pub(crate) use compile::{compile_commonjs, store_code};
pub(crate) use dynamic::{import_dynamically, initialize_import_meta};
pub(crate) use graph::{ensure_evaluated, load_graph};
pub(crate) use synthetic::{builtin_default, call_builtin as call_builtin_in, use_builtin};

use crate::native::JsError;
use std::collections::HashMap;
use std::sync::Arc;

/// How a specifier was used; the conditions of `exports` depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// `import`, `export … from`, `import()`.
    Import,
    /// `require()`.
    Require,
}

/// What a specifier names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A builtin, by the name under which it is registered (`node:fs`).
    Builtin(String),
    /// Anything else, by an identity of the loader's: modules with the same identity are the same. It begins with the
    /// file's real guest path, followed, if there is more, by [`SUFFIX_MARK`] and the query and fragment of the import.
    File(String),
}

/// Ends the path in a module's identity; paths don't contain it.
pub const SUFFIX_MARK: char = '\0';

/// How a file takes part in the module graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleFormat {
    /// An ECMAScript module.
    Module,
    /// CommonJS, with the names that static analysis found exported (`default` and `module.exports` not among them).
    CommonJs {
        /// Exported names.
        exports: Vec<String>,
    },
    /// JSON, a default export.
    Json,
    /// Text, a default export.
    Text,
}

/// A file, ready to be compiled.
#[derive(Debug, Clone)]
pub struct ModuleSource {
    /// What stack traces and `import.meta.url` show: a `file:` URL for modules, a path for CommonJS.
    pub name: String,
    /// What it is.
    pub format: ModuleFormat,
    /// The JavaScript (or JSON) text.
    pub code: Arc<str>,
    /// Digest of everything that the code depends on: the key of its code cache.
    pub digest: [u8; 32],
}

/// A position in a source file, 1-based.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// Path or URL, as stack traces show it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// Where modules come from. Shared by all workers of a release; called on the thread that runs the worker.
pub trait ModuleLoader: Send + Sync {
    /// What `specifier` means in `referrer`, a name as in [`ModuleSource::name`] or a guest path.
    fn resolve(&self, specifier: &str, referrer: &str, kind: ImportKind) -> Result<Resolved, JsError>;

    /// The file with an identity that [`ModuleLoader::resolve`] returned.
    fn load(&self, identity: &str) -> Result<ModuleSource, JsError>;

    /// As [`ModuleLoader::load`], for `require`, which needs no names of exports.
    fn load_required(&self, identity: &str) -> Result<ModuleSource, JsError> {
        self.load(identity)
    }

    /// The position in the guest's own file for one in compiled code; `None` where they are the same.
    fn original_position(&self, name: &str, line: u32, column: u32) -> Option<SourcePosition>;
}

/// What has run of code that is to be kept. V8 compiles a function when it is first called, so the more has run, the less is
/// left to be compiled at the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ripeness {
    /// What runs first: the evaluation, and a request.
    First,
    /// What a number of requests has used.
    Settled,
}

/// Where compiled code is kept, for later starts in this process and in others. What it returns is believed, so it must be
/// authenticated: V8 does not verify bytecode.
pub trait CodeCache: Send + Sync {
    /// The code for a key, if it is there and is what this machine wrote.
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>>;

    /// Whether code so ripe should be made for a key: not if there is some, or somebody was told to make it.
    fn wants(&self, key: &[u8; 32], ripeness: Ripeness) -> bool;

    /// Keeps the code for a key; failures to do so are the cache's own business.
    fn put(&self, key: &[u8; 32], ripeness: Ripeness, code: &[u8]);

    /// V8 does not take what [`CodeCache::get`] returned: it is to be replaced.
    fn refuse(&self, key: &[u8; 32]);
}

/// Identity of a module: builtin or file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ModuleKey {
    Builtin(String),
    File(String),
}

impl From<Resolved> for ModuleKey {
    fn from(resolved: Resolved) -> Self {
        match resolved {
            Resolved::Builtin(name) => Self::Builtin(name),
            Resolved::File(path) => Self::File(path),
        }
    }
}

/// What the exports of a synthetic module are made from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// It is a source text module: its own code exports.
    SourceText,
    /// A builtin's `exports.default`.
    Builtin,
    /// What `require` of the file returns.
    CommonJs,
    /// The value of JSON text.
    Json(Arc<str>),
    /// The text.
    Text(Arc<str>),
}

/// A module of a realm.
pub(crate) struct ModuleRecord {
    pub(crate) key: ModuleKey,
    pub(crate) module: v8::Global<v8::Module>,
    /// What its exports are made from, if it is no source text module.
    pub(crate) content: Content,
    /// What each specifier in it means.
    pub(crate) requests: HashMap<String, ModuleKey>,
    /// Key of its code in the cache, as long as code may still be produced for it.
    pub(crate) code_key: Option<[u8; 32]>,
}

/// The most CommonJS files of one realm whose code is cached. What a guest writes to `/tmp` and requires, again and again,
/// would otherwise be remembered without end.
const MAX_CACHEABLE_FUNCTIONS: usize = 16_384;

/// What code is to be made of, by key.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) modules: Vec<([u8; 32], v8::Global<v8::Module>)>,
    pub(crate) functions: Vec<([u8; 32], v8::Global<v8::Function>)>,
}

/// Before a realm is anybody's.
struct NoModules;

impl ModuleLoader for NoModules {
    fn resolve(&self, specifier: &str, _referrer: &str, _kind: ImportKind) -> Result<Resolved, JsError> {
        Err(JsError::error(format!("there is no module {specifier} here")))
    }

    fn load(&self, identity: &str) -> Result<ModuleSource, JsError> {
        Err(JsError::error(format!("there is no module {identity} here")))
    }

    fn original_position(&self, _name: &str, _line: u32, _column: u32) -> Option<SourcePosition> {
        None
    }
}

pub(crate) struct ModuleMap {
    pub(crate) loader: Arc<dyn ModuleLoader>,
    pub(crate) code_cache: Option<Arc<dyn CodeCache>>,
    records: Vec<ModuleRecord>,
    by_key: HashMap<ModuleKey, usize>,
    /// V8's identity hashes are not unique, so each names candidates.
    by_hash: HashMap<i32, Vec<usize>>,
    /// CommonJS wrapper functions whose code may still be cached, by key; `None` when no more code will be asked for.
    functions: Option<HashMap<[u8; 32], v8::Global<v8::Function>>>,
}

impl Default for ModuleMap {
    fn default() -> Self {
        Self::new(Arc::new(NoModules), None)
    }
}

impl ModuleMap {
    pub(crate) fn new(loader: Arc<dyn ModuleLoader>, code_cache: Option<Arc<dyn CodeCache>>) -> Self {
        Self {
            loader,
            code_cache,
            records: Vec::new(),
            by_key: HashMap::new(),
            by_hash: HashMap::new(),
            functions: Some(HashMap::new()),
        }
    }

    pub(crate) fn get(&self, key: &ModuleKey) -> Option<&ModuleRecord> {
        self.by_key.get(key).map(|index| &self.records[*index])
    }

    pub(crate) fn insert(&mut self, hash: i32, record: ModuleRecord) {
        let index = self.records.len();
        self.by_key.insert(record.key.clone(), index);
        self.by_hash.entry(hash).or_default().push(index);
        self.records.push(record);
    }

    /// Forgets a module whose graph could not be loaded, so that a later import tries again.
    pub(crate) fn remove(&mut self, key: &ModuleKey) {
        self.by_key.remove(key);
    }

    /// The record of a module that V8 hands to a callback.
    pub(crate) fn find(&self, module: v8::Local<'_, v8::Module>) -> Option<&ModuleRecord> {
        let candidates = self.by_hash.get(&module.get_identity_hash().get())?;
        candidates.iter().map(|index| &self.records[*index]).find(|record| record.module == module)
    }

    /// Remembers a CommonJS wrapper function, so that its code can be cached.
    pub(crate) fn note_function(&mut self, key: [u8; 32], function: v8::Global<v8::Function>) {
        if let Some(functions) = &mut self.functions
            && functions.len() < MAX_CACHEABLE_FUNCTIONS
        {
            functions.entry(key).or_insert(function);
        }
    }

    /// The modules and functions for which the cache wants code of this ripeness.
    pub(crate) fn wanted(&mut self, cache: &dyn CodeCache, ripeness: Ripeness) -> Wanted {
        let mut wanted = Wanted::default();
        for record in &mut self.records {
            if let Some(key) = record.code_key.filter(|key| cache.wants(key, ripeness)) {
                wanted.modules.push((key, record.module.clone()));
            }
        }
        for (key, function) in self.functions.iter().flatten() {
            if cache.wants(key, ripeness) {
                wanted.functions.push((*key, function.clone()));
            }
        }
        if ripeness == Ripeness::Settled {
            self.functions = None;
            self.records.iter_mut().for_each(|record| record.code_key = None);
        }
        wanted
    }
}

/// Throws `error` in the current context.
pub(crate) fn throw(scope: &mut v8::PinScope<'_, '_>, error: &JsError) {
    let exception = error.to_exception(scope);
    scope.throw_exception(exception);
}
