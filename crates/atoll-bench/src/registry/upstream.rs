//! What is not recorded yet, from the registry that is recorded.
//!
//! curl asks: this tool has no TLS of its own, and recording is done once.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;

use super::recording::{Entry, Recording, Shelf};
use super::request::{ABBREVIATED, Form, Wanted};
use super::{RegistryError, packument};

/// Seconds for one answer, and attempts after the first.
const TIMEOUT_SECONDS: &str = "120";
const RETRIES: &str = "3";

/// The registry that is recorded.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Its URL, with a slash at the end.
    url: String,
    requests: AtomicU64,
    /// By key: whoever asks for the same thing waits for the first.
    asked: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Upstream {
    pub(crate) fn new(url: &str) -> Self {
        let url = format!("{}/", url.trim_end_matches('/'));
        Self { url, requests: AtomicU64::new(0), asked: Mutex::default() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Requests made.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The answer to what is wanted, recorded by now.
    pub(super) fn record(&self, wanted: &Wanted, recording: &RwLock<Recording>) -> Result<Entry, RegistryError> {
        // Both forms of a document come from one answer.
        let single = match wanted {
            Wanted::Packument { name, .. } => format!("packument {name}"),
            Wanted::File { .. } => wanted.key(),
        };
        let turn = Arc::clone(self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(single).or_default());
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = {
            let recording = recording.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = recording.entry(&wanted.key()) {
                return Ok(entry.clone());
            }
            recording.shelf()
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let path = shelf.scratch(number);
        let fetched = self.fetch(wanted, &path)?;
        let entries = match wanted {
            Wanted::Packument { name, .. } if fetched.status == 200 => {
                self.documents(name, &path, number, &shelf, recording)?
            }
            _ => {
                let plain = shelf.keep_file(&path)?;
                let content_type = fetched.content_type;
                vec![(wanted.key(), Entry { status: fetched.status, content_type, plain, gzip: None })]
            }
        };
        let mut recording = recording.write().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().find(|(key, _)| *key == wanted.key()).map(|(_, entry)| entry.clone());
        for (key, entry) in entries {
            recording.insert(key, entry);
        }
        found.ok_or_else(|| RegistryError::Upstream { url: self.url_of(wanted), reason: "nothing was recorded".into() })
    }

    /// Both forms of the document that lies at `path`.
    fn documents(
        &self,
        name: &str,
        path: &Path,
        number: u64,
        shelf: &Shelf,
        recording: &RwLock<Recording>,
    ) -> Result<Vec<(String, Entry)>, RegistryError> {
        let wanted = |form| Wanted::Packument { name: name.to_owned(), form };
        let content = fs::read(path).map_err(|source| RegistryError::File { path: path.to_owned(), source })?;
        let not_a_document = |source| RegistryError::Document { url: self.url_of(&wanted(Form::Full)), source };
        let mut full: Value = serde_json::from_slice(&content).map_err(not_a_document)?;
        let origin = recording.read().unwrap_or_else(PoisonError::into_inner).origin().to_owned();
        packument::rewrite(&mut full, &self.url, &origin);
        let short = packument::abbreviated(&full);
        let mut entries = Vec::new();
        for (form, document, content_type) in
            [(Form::Full, full, "application/json"), (Form::Abbreviated, short, ABBREVIATED)]
        {
            let text = serde_json::to_vec(&document).map_err(not_a_document)?;
            let (plain, gzip) = shelf.keep(&text, number)?;
            let entry = Entry { status: 200, content_type: content_type.to_owned(), plain, gzip: Some(gzip) };
            entries.push((wanted(form).key(), entry));
        }
        Ok(entries)
    }

    fn url_of(&self, wanted: &Wanted) -> String {
        format!("{}{}", self.url, wanted.upstream_path())
    }

    fn fetch(&self, wanted: &Wanted, into: &Path) -> Result<Fetched, RegistryError> {
        let url = self.url_of(wanted);
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--location", "--globoff"]);
        command.args(["--max-time", TIMEOUT_SECONDS, "--retry", RETRIES, "--retry-all-errors"]);
        // An empty answer makes no file otherwise.
        fs::write(into, b"").map_err(|source| RegistryError::File { path: into.to_owned(), source })?;
        command.arg("--output").arg(into).args(["--write-out", "%{http_code} %{content_type}", &url]);
        let output = command.output().map_err(RegistryError::Curl)?;
        let written = String::from_utf8_lossy(&output.stdout);
        let parsed = Fetched::parse(&written).filter(|fetched| output.status.success() && fetched.is_final());
        parsed.ok_or_else(|| {
            let reason = format!("{written}; {}", String::from_utf8_lossy(&output.stderr));
            RegistryError::Upstream { url, reason }
        })
    }
}

/// What curl says of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Fetched {
    status: u16,
    content_type: String,
}

impl Fetched {
    fn parse(written: &str) -> Option<Self> {
        let (status, content_type) = written.split_once(' ')?;
        Some(Self { status: status.parse().ok()?, content_type: content_type.trim().to_owned() })
    }

    /// Whether the registry would say the same again: it has the thing, or it has no such thing.
    fn is_final(&self) -> bool {
        matches!(self.status, 200 | 404 | 405)
    }
}

#[cfg(test)]
mod tests {
    use super::Fetched;

    #[test]
    fn only_answers_that_last_are_recorded() {
        let fetched = Fetched::parse("200 application/json; charset=utf-8").expect("an answer");
        assert_eq!(fetched.content_type, "application/json; charset=utf-8");
        assert!(fetched.is_final());
        assert!(Fetched::parse("404 ").expect("an answer").is_final());
        assert!(!Fetched::parse("503 text/html").expect("an answer").is_final());
        assert!(!Fetched::parse("000 ").expect("no connection").is_final());
        assert_eq!(Fetched::parse(""), None);
    }
}
