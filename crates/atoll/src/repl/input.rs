//! Where lines come from: an editor on a terminal, anything else as it comes.

use super::command::{COMMANDS, Command};
use super::complete::{is_identifier, wanted};
use super::history::{History, MAX_ENTRIES};
use super::screen::Screen;
use super::{CONTINUATION, PROMPT};
use crate::terminal::Failure;
use atoll_node::OutputStream;
use atoll_node::loader::{MAX_SOURCE_BYTES, Typed};
use rustyline::completion::Completer;
use rustyline::config::Config;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Editor, Helper};
use std::cell::Cell;
use std::io::{BufRead, IsTerminal, Read};
use std::sync::Arc;

/// Something that was typed, or was not.
#[derive(Debug)]
pub(super) enum Input {
    /// Complete, or all that comes.
    Text(String),
    /// Ctrl-C; whether the line had something in it.
    Interrupted { had_text: bool },
    /// There is no more.
    End,
}

/// Names that could stand behind a path.
pub(super) type Names = Box<dyn Fn(&[&str]) -> Vec<String> + Send>;

/// See the module's documentation.
pub(super) enum Source {
    Editor { editor: Box<Editor<Help, MemHistory>>, history: History },
    Lines,
}

/// Whether a text can be evaluated, or is a command.
fn is_complete(text: &str) -> bool {
    Command::parse(text).is_some() || matches!(Typed::new(text), Typed::Complete(_))
}

impl Source {
    /// An editor where there is a terminal that can have one, and what its output goes through.
    pub(super) fn open(names: Names, keeps_history: bool) -> Result<(Self, Arc<Screen>), Failure> {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Ok((Self::Lines, Arc::new(Screen::plain())));
        }
        let failed = |error: ReadlineError| Failure::new(format!("the terminal can't be used: {error}"));
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(MAX_ENTRIES)
            .map_err(failed)?
            .history_ignore_space(true)
            .build();
        let entries = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, entries).map_err(failed)?;
        editor.set_helper(Some(Help { names, had_text: Cell::new(false) }));
        // There is none for terminals that can't move their cursor.
        let Ok(printer) = editor.create_external_printer() else {
            return Ok((Self::Lines, Arc::new(Screen::plain())));
        };
        let (history, entries) = History::open(keeps_history);
        for entry in entries {
            // Nothing but memory is written.
            let _ = editor.add_history_entry(entry);
        }
        Ok((Self::Editor { editor: Box::new(editor), history }, Screen::with_printer(printer)))
    }

    /// Waits for something.
    pub(super) fn read(&mut self, screen: &Screen) -> Input {
        match self {
            Self::Editor { editor, history } => {
                if let Some(help) = editor.helper() {
                    help.had_text.set(false);
                }
                screen.set_editing(true);
                let read = editor.readline(PROMPT);
                screen.set_editing(false);
                match read {
                    Ok(text) => {
                        history.add(&text);
                        // Nothing but memory is written.
                        let _ = editor.add_history_entry(text.as_str());
                        Input::Text(text)
                    }
                    Err(ReadlineError::Interrupted) => {
                        Input::Interrupted { had_text: editor.helper().is_some_and(|help| help.had_text.get()) }
                    }
                    // A terminal that is gone has no more input either.
                    Err(_) => Input::End,
                }
            }
            Self::Lines => lines(screen),
        }
    }
}

/// Reads lines until they are complete.
fn lines(screen: &Screen) -> Input {
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() { PROMPT } else { CONTINUATION };
        screen.write(OutputStream::Stdout, prompt.as_bytes());
        let mut line = Vec::new();
        let room = MAX_SOURCE_BYTES.saturating_sub(text.len() as u64);
        let read = std::io::stdin().lock().take(room).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return if text.is_empty() { Input::End } else { Input::Text(text) };
        }
        let line = String::from_utf8_lossy(&line);
        if Command::parse(&line) == Some(Command::Break) {
            text.clear();
            continue;
        }
        text.push_str(&line);
        if is_complete(&text) {
            text.truncate(text.trim_end_matches(['\n', '\r']).len());
            return Input::Text(text);
        }
    }
}

/// What the editor asks while a line is edited.
pub(super) struct Help {
    names: Names,
    had_text: Cell<bool>,
}

impl Helper for Help {}

impl Highlighter for Help {}

impl Hinter for Help {
    type Hint = String;

    /// Called whenever the line changes, so this is where it is known whether there is something in it.
    fn hint(&self, line: &str, _position: usize, _context: &Context<'_>) -> Option<String> {
        self.had_text.set(!line.is_empty());
        None
    }
}

impl Validator for Help {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_complete = is_complete(context.input());
        Ok(if is_complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Help {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..position).unwrap_or(line);
        if before.starts_with('.') {
            let names = COMMANDS.iter().map(|(name, _)| (*name).to_owned());
            return Ok((0, names.filter(|name| name.starts_with(before)).collect()));
        }
        let Some(wanted) = wanted(before) else { return Ok((position, Vec::new())) };
        let mut names = (self.names)(&wanted.path);
        names.retain(|name| name.starts_with(wanted.prefix) && is_identifier(name));
        names.sort_unstable();
        names.dedup();
        Ok((wanted.start, names))
    }
}
