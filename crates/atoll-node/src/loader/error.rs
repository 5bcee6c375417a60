//! What can go wrong between a specifier and a source text, in the words that Node's programs and users know.

use atoll_vfs::FsError;

/// Lines shown before and after the faulty one.
const FRAME_CONTEXT_LINES: u32 = 2;

/// Characters of a line that a frame keeps: minified files have lines of megabytes.
const FRAME_WIDTH: usize = 160;

/// What kind of fault a [`LoadError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// An import names a file or package that is not there.
    ImportNotFound,
    /// A `require` names a file or package that is not there.
    RequireNotFound,
    /// The package's `exports` has no such subpath for these conditions.
    PackagePathNotExported,
    /// The package's `imports` has no such `#name`.
    PackageImportNotDefined,
    /// An import names a directory where files must be named.
    DirectoryImport,
    /// Not a specifier: empty, with a null byte, too long, with an encoded slash.
    InvalidSpecifier,
    /// A `package.json` that is no JSON, too large, too deep or contradictory.
    InvalidPackageConfig,
    /// A target in `exports` or `imports` that leaves the package.
    InvalidPackageTarget,
    /// `node:` with a name that this runtime does not have.
    UnknownBuiltin,
    /// An import of a URL whose scheme is not `file:`, `data:` or `node:`.
    UnsupportedScheme,
    /// A `.node` file.
    NativeAddon,
    /// A file whose extension says nothing about how to run it.
    UnknownExtension,
    /// The source is not JavaScript, TypeScript or JSX.
    Syntax,
    /// The source is larger, or nested deeper, than may be compiled.
    TooComplex,
    /// Reading failed; the filesystem's own code is in the message.
    Io,
    /// The compiler failed on this file.
    Internal,
}

/// The class of the JavaScript exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// `Error`
    Error,
    /// `TypeError`
    TypeError,
    /// `RangeError`
    RangeError,
    /// `SyntaxError`
    SyntaxError,
}

impl LoadErrorKind {
    /// The usual `error.code` of the JavaScript exception; syntax errors have none. See [`LoadError::code`].
    pub const fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::ImportNotFound => "ERR_MODULE_NOT_FOUND",
            Self::RequireNotFound => "MODULE_NOT_FOUND",
            Self::PackagePathNotExported => "ERR_PACKAGE_PATH_NOT_EXPORTED",
            Self::PackageImportNotDefined => "ERR_PACKAGE_IMPORT_NOT_DEFINED",
            Self::DirectoryImport => "ERR_UNSUPPORTED_DIR_IMPORT",
            Self::InvalidSpecifier => "ERR_INVALID_MODULE_SPECIFIER",
            Self::InvalidPackageConfig => "ERR_INVALID_PACKAGE_CONFIG",
            Self::InvalidPackageTarget => "ERR_INVALID_PACKAGE_TARGET",
            Self::UnknownBuiltin => "ERR_UNKNOWN_BUILTIN_MODULE",
            Self::UnsupportedScheme => "ERR_UNSUPPORTED_ESM_URL_SCHEME",
            Self::NativeAddon => "ERR_DLOPEN_DISABLED",
            Self::UnknownExtension => "ERR_UNKNOWN_FILE_EXTENSION",
            Self::TooComplex => "ERR_SOURCE_TOO_COMPLEX",
            Self::Io => "EIO",
            Self::Internal => "ERR_INTERNAL_ASSERTION",
            Self::Syntax => return None,
        })
    }

    /// The class of the JavaScript exception.
    pub const fn class(self) -> ErrorClass {
        match self {
            Self::Syntax => ErrorClass::SyntaxError,
            Self::InvalidSpecifier | Self::UnknownExtension => ErrorClass::TypeError,
            Self::TooComplex => ErrorClass::RangeError,
            _ => ErrorClass::Error,
        }
    }
}

/// A place in a source file of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Guest path.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in UTF-16 code units, from 1.
    pub column: u32,
}

/// The lines around a fault, for whoever renders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFrame {
    /// Number of the first line in `lines`, from 1.
    pub first_line: u32,
    /// The lines, without their ends; of long lines the part around the fault.
    pub lines: Vec<String>,
    /// Number of the faulty line, from 1.
    pub line: u32,
    /// Characters of the faulty line, as it is in `lines`, before the fault.
    pub offset: usize,
    /// Characters that are at fault; at least 1, and never past the end of the line.
    pub length: usize,
}

impl CodeFrame {
    /// The frame for `length` bytes at a byte offset of a text.
    pub fn new(text: &str, start: usize, length: usize) -> Self {
        let start = floor_char_boundary(text, start);
        let end = floor_char_boundary(text, start.saturating_add(length)).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + count_lines(&text[..line_start]);
        let first_line = line.saturating_sub(FRAME_CONTEXT_LINES).max(1);
        let before = text[line_start..start].chars().count();
        let cut = before.saturating_sub(FRAME_WIDTH / 2);
        let lines: Vec<String> = text
            .lines()
            .skip(first_line as usize - 1)
            .take((line - first_line + FRAME_CONTEXT_LINES) as usize + 1)
            .map(|shown| shown.chars().skip(cut).take(FRAME_WIDTH).collect())
            .collect();
        let offset = before - cut;
        let rest =
            lines.get((line - first_line) as usize).map_or(0, |shown| shown.chars().count()).saturating_sub(offset);
        let length = text[start..end].chars().take_while(|character| *character != '\n').count();
        Self { first_line, lines, line, offset, length: length.min(rest).max(1) }
    }

    /// The frame at a line and a column (both from 1, the column in UTF-16 code units) of a text.
    pub fn at(text: &str, line: u32, column: u32) -> Self {
        let line_start = match line.checked_sub(2) {
            None => 0,
            Some(newline) => text.match_indices('\n').nth(newline as usize).map_or(text.len(), |(at, _)| at + 1),
        };
        let mut units = column.saturating_sub(1) as usize;
        let mut start = line_start;
        for character in text[line_start..].chars() {
            if units == 0 || character == '\n' {
                break;
            }
            units = units.saturating_sub(character.len_utf16());
            start += character.len_utf8();
        }
        Self::new(text, start, 1)
    }
}

/// Line and column (UTF-16), both from 1, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (u32, u32) {
    let offset = floor_char_boundary(text, offset);
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let column = 1 + text[line_start..offset].chars().map(char::len_utf16).sum::<usize>();
    (1 + count_lines(&text[..line_start]), u32::try_from(column).unwrap_or(u32::MAX))
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX - 1)
}

fn floor_char_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A module that can't be resolved, read or compiled.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct LoadError(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: LoadErrorKind,
    code: Option<&'static str>,
    message: String,
    location: Option<Location>,
    frame: Option<CodeFrame>,
    hint: Option<String>,
}

impl LoadError {
    pub(super) fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Details { kind, code: kind.code(), message, location: None, frame: None, hint: None }))
    }

    pub(super) fn io(error: &FsError) -> Self {
        let mut failed = Self::new(LoadErrorKind::Io, error.to_string());
        failed.0.code = Some(error.errno.name());
        failed
    }

    /// With the place of `length` bytes at a byte offset of the file's text.
    pub(super) fn at(mut self, file: &str, text: &str, start: usize, length: usize) -> Self {
        let (line, column) = position(text, start);
        self.0.location = Some(Location { file: file.to_owned(), line, column });
        self.0.frame = Some(CodeFrame::new(text, start, length));
        self
    }

    /// With advice for the user.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.0.hint = Some(match self.0.hint.take() {
            Some(first) => format!("{first}; {hint}"),
            None => hint,
        });
        self
    }

    /// `error.code` of the JavaScript exception: Node's, or the name of a filesystem's error (`EACCES`). Syntax errors
    /// have none.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// What kind of fault it is, with the [class](LoadErrorKind::class) of the exception.
    pub fn kind(&self) -> LoadErrorKind {
        self.0.kind
    }

    /// What happened, as Node words it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where: the import that failed, or the syntax error.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// The lines around [`LoadError::location`].
    pub fn frame(&self) -> Option<&CodeFrame> {
        self.0.frame.as_ref()
    }

    /// What the user can do.
    pub fn help(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}
