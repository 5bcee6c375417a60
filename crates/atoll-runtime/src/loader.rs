//! The engine's view of the module loader: identities, source names, errors as exceptions.

use atoll_engine::{
    Exception, ImportKind, JsError, ModuleFormat, ModuleLoader, ModuleSource, Resolved, SUFFIX_MARK, SourcePosition,
    path_to_url,
};
use atoll_node::loader::{
    self, ErrorClass, ImportType, LoadError, LoadErrorKind, Loader, ResolveKind, Source, SourceKind,
};
use atoll_vfs::GuestPath;
use std::sync::{Arc, Mutex, PoisonError};

/// One worker's use of its release's loader.
pub(crate) struct EngineLoader {
    loader: Arc<Loader>,
    /// The last error, for whoever has to explain why an app can't start: it knows more than an exception can carry.
    last_error: Mutex<Option<LoadError>>,
}

impl EngineLoader {
    pub(crate) fn new(loader: Arc<Loader>) -> Self {
        Self { loader, last_error: Mutex::new(None) }
    }

    /// The error that `exception` was made from, if it was made from one of the loader's.
    pub(crate) fn take_error(&self, exception: &Exception) -> Option<LoadError> {
        let error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        exception.message.ends_with(error.message()).then_some(error)
    }

    /// Whether the file at a path is a CommonJS program.
    pub(crate) fn is_commonjs(&self, path: &str) -> Result<bool, LoadError> {
        Ok(matches!(self.source(path)?.kind, SourceKind::CommonJs { .. }))
    }

    fn exception(&self, error: LoadError) -> JsError {
        let message = match error.location() {
            Some(place) if error.kind() == LoadErrorKind::Syntax => {
                format!("{}:{}:{}: {}", place.file, place.line, place.column, error.message())
            }
            _ => error.message().to_owned(),
        };
        let exception = match error.kind().class() {
            ErrorClass::Error => JsError::error(message),
            ErrorClass::TypeError => JsError::type_error(message),
            ErrorClass::RangeError => JsError::range_error(message),
            ErrorClass::SyntaxError => JsError::syntax_error(message),
        };
        let exception = match error.code() {
            Some(code) => exception.with("code", code),
            None => exception,
        };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        exception
    }

    fn source(&self, identity: &str) -> Result<Source, LoadError> {
        if identity.starts_with("data:") {
            return self.loader.load_data(identity, ImportType::Auto);
        }
        let path = identity.split(SUFFIX_MARK).next().unwrap_or(identity);
        self.loader.load(&guest_path(path), ImportType::Auto)
    }
}

/// A path that the loader gave, or the root for what is none: then nothing is found.
fn guest_path(path: &str) -> GuestPath {
    GuestPath::new(path).unwrap_or_else(|_| GuestPath::root())
}

/// The file that a referrer names: an identity, a path, or the `file:` URL that a module's code is compiled under.
fn referrer_path(referrer: &str) -> GuestPath {
    match referrer.strip_prefix("file://") {
        Some(encoded) => guest_path(&percent_decode(encoded)),
        None => guest_path(referrer.split(SUFFIX_MARK).next().unwrap_or(referrer)),
    }
}

fn percent_decode(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match tail {
            [high, low, ..] if *first == b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low)
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl ModuleLoader for EngineLoader {
    fn resolve(&self, specifier: &str, referrer: &str, kind: ImportKind) -> Result<Resolved, JsError> {
        let kind = match kind {
            ImportKind::Import => ResolveKind::Import,
            ImportKind::Require => ResolveKind::Require,
        };
        let resolved = self.loader.resolve(specifier, &referrer_path(referrer), kind);
        Ok(match resolved.map_err(|error| self.exception(error))? {
            loader::Resolved::Builtin(name) => Resolved::Builtin(name),
            loader::Resolved::File { path, suffix } if suffix.is_empty() => Resolved::File(path.to_string()),
            loader::Resolved::File { path, suffix } => Resolved::File(format!("{path}{SUFFIX_MARK}{suffix}")),
            loader::Resolved::Data(url) => Resolved::File(url),
        })
    }

    fn load(&self, identity: &str) -> Result<ModuleSource, JsError> {
        let source = self.source(identity).map_err(|error| self.exception(error))?;
        let format = match &source.kind {
            SourceKind::Module => ModuleFormat::Module,
            SourceKind::CommonJs { .. } => ModuleFormat::CommonJs { exports: self.loader.export_names(&source) },
            SourceKind::Json => ModuleFormat::Json,
            SourceKind::Text => ModuleFormat::Text,
        };
        let name = match (&format, source.path.starts_with("data:")) {
            (ModuleFormat::CommonJs { .. }, _) | (_, true) => source.path,
            _ => path_to_url(&source.path),
        };
        Ok(ModuleSource { name, format, code: source.code, digest: source.hash })
    }

    fn load_required(&self, identity: &str) -> Result<ModuleSource, JsError> {
        let source = self.loader.load_required(&guest_path(identity)).map_err(|error| self.exception(error))?;
        let format = match &source.kind {
            SourceKind::Module => ModuleFormat::Module,
            SourceKind::CommonJs { .. } => ModuleFormat::CommonJs { exports: Vec::new() },
            SourceKind::Json => ModuleFormat::Json,
            SourceKind::Text => ModuleFormat::Text,
        };
        Ok(ModuleSource { name: source.path, format, code: source.code, digest: source.hash })
    }

    fn original_position(&self, name: &str, line: u32, column: u32) -> Option<SourcePosition> {
        let location = self.loader.original_position(name, line, column)?;
        // Keep the form in which the frame named the file.
        let file = if name.starts_with("file://") { path_to_url(&location.file) } else { location.file };
        Some(SourcePosition { file, line: location.line, column: location.column })
    }
}
