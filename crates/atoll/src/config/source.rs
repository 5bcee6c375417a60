//! A file's text, and how a place in it is shown.

use crate::terminal::{Failure, point_at};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The longest file that is read, bytes: some ten thousand deployments. An app's file is the app's.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// As the operator would name it.
    pub(crate) shown: String,
    path: PathBuf,
    /// The directory that it lies in.
    pub(crate) directory: PathBuf,
    pub(crate) text: String,
}

impl Source {
    /// Reads a file; `None` when there is none of that name. Only regular files are read: an app's directory may hold
    /// anything.
    pub(crate) fn read(path: &Path, shown: &str) -> Result<Option<Self>, Failure> {
        let failed = |why: String| Failure::new(format!("{shown}: {why}"));
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
            Ok(metadata) if !metadata.is_file() => return Err(failed("it is not a file".to_owned())),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(failed(format!("it is longer than {} MiB", FILE_BYTES_MAX >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Some(Self { shown: shown.to_owned(), path: path.to_owned(), directory, text }))
    }

    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        let path = PathBuf::from("atoll.toml");
        Self { shown: "atoll.toml".to_owned(), path, directory: PathBuf::new(), text: text.to_owned() }
    }

    /// Where it really lies, links resolved.
    pub(crate) fn real_path(&self) -> Option<PathBuf> {
        std::fs::canonicalize(&self.path).ok()
    }

    /// A mistake at a place.
    pub(crate) fn mistake(&self, span: &Range<usize>, message: impl Into<String>) -> Failure {
        self.place(span, Failure::new(message))
    }

    /// A failure for which a place is to blame.
    pub(crate) fn place(&self, span: &Range<usize>, mut failure: Failure) -> Failure {
        let place = point_at(&self.shown, &self.text, span);
        failure.details.splice(0..0, place);
        failure
    }
}
