//! What was typed in earlier sessions: a file of the user's own, an entry a line.
//!
//! Several sessions may append to it at a time: each entry is one write. It is read once, at a session's start; where it has
//! grown too long it is replaced then, by a new file that is renamed into its place. rustyline's own file is not used because
//! it changes the process's umask while it is written, which is also that of files which a guest makes meanwhile.

use crate::directories::Directories;
use crate::terminal::print_warning;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Entries that are kept.
pub(super) const MAX_ENTRIES: usize = 1000;

/// What of the file is read, from its end, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Only the user may read what was typed: it may contain secrets.
const MODE: u32 = 0o600;

/// The variable that names another file, or, empty, none.
const VARIABLE: &str = "ATOLL_REPL_HISTORY";

/// Where entries go.
pub(super) struct History {
    file: Option<File>,
    last: Option<String>,
}

impl History {
    /// The history, and what is in it, oldest first. Without a file, entries are forgotten with the session.
    pub(super) fn open(is_wanted: bool) -> (Self, Vec<String>) {
        let none = Self { file: None, last: None };
        let Some(path) = path().filter(|_| is_wanted) else { return (none, Vec::new()) };
        match open(&path) {
            Ok((file, entries)) => (Self { file: Some(file), last: entries.last().cloned() }, entries),
            Err(error) => {
                print_warning(format_args!("what is typed can't be kept in {}: {error}", path.display()));
                (none, Vec::new())
            }
        }
    }

    /// Adds an entry, unless it is the last one again, or begins with a space: that asks not to be kept.
    pub(super) fn add(&mut self, entry: &str) {
        if entry.starts_with(' ') || entry.trim().is_empty() || self.last.as_deref() == Some(entry) {
            return;
        }
        if let Some(file) = &mut self.file {
            // A disk that is full is no reason to disturb whoever types.
            let _ = file.write_all(line(entry).as_bytes());
        }
        self.last = Some(entry.to_owned());
    }
}

fn path() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(PathBuf::from(path)),
        None => Directories::find().ok().map(|directories| directories.state.join("repl-history")),
    }
}

fn open(path: &Path) -> io::Result<(File, Vec<String>)> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = appending(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    (&file).take(MAX_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line may be the end of a longer one.
    let lines: Vec<&str> = text.lines().skip(usize::from(start > 0)).collect();
    let entries: Vec<String> =
        lines.iter().skip(lines.len().saturating_sub(MAX_ENTRIES)).map(|line| entry(line)).collect();
    if start > 0 || lines.len() > 2 * MAX_ENTRIES {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = rewrite(&temporary, &entries).and_then(|()| std::fs::rename(&temporary, path));
        match written {
            Ok(()) => file = appending(path)?,
            Err(_) => drop(std::fs::remove_file(&temporary)),
        }
    }
    Ok((file, entries))
}

fn appending(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)
}

fn rewrite(path: &Path, entries: &[String]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(entries.iter().map(|entry| line(entry)).collect::<String>().as_bytes())
}

/// An entry as a line: its line ends and backslashes escaped.
fn line(entry: &str) -> String {
    let mut line = entry.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r");
    line.push('\n');
    line
}

fn entry(line: &str) -> String {
    let mut entry = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        entry.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::{MAX_ENTRIES, entry, line, open};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn entries_survive_being_lines() {
        for text in ["1", "a\nb", r"'\n'", "\\", "a\\\nb\r\n", r"\\n"] {
            let line = line(text);
            assert_eq!(line.matches('\n').count(), 1, "{text:?}");
            assert_eq!(entry(line.trim_end_matches('\n')), text);
        }
    }

    #[test]
    fn the_file_is_the_users_own_and_does_not_grow_without_end() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("state/repl-history");
        let (mut file, entries) = open(&path).expect("it can be made");
        assert_eq!(entries, Vec::<String>::new());
        for number in 0..3 * MAX_ENTRIES {
            file.write_all(line(&number.to_string()).as_bytes()).expect("there is room");
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
        let (_, entries) = open(&path).expect("it is there");
        assert_eq!((entries.len(), entries.last().map(String::as_str)), (MAX_ENTRIES, Some("2999")));
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert_eq!(text.lines().count(), MAX_ENTRIES);
        let metadata = std::fs::metadata(&path).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().expect("a directory")).expect("it is there").count(), 1);
    }
}
