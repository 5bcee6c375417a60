//! Errors of the libraries, as a person in front of a terminal wants to read them: what, where, what to do.

use super::refused::Visible;
use super::text::{guest_text, without_controls};
use super::{BOLD, DIM, ERROR, Failure, HINT};
use atoll_engine::{Exception, Reason, Termination};
use atoll_node::loader::{CodeFrame, LoadError};
use atoll_npm::install::InstallError;
use atoll_npm::virtual_tree::VirtualTreeError;
use atoll_runtime::StartError;
use atoll_server::ServeError;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Frames of a stack that are shown.
const STACK_LINES_MAX: usize = 30;

/// Lines of a script's output that are shown, from its end.
const OUTPUT_LINES_MAX: usize = 30;

/// Where a guest's files are on this machine, as its operator would name them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    project: PathBuf,
    /// What a program is shown; of no use for apps that are served, whose mounts no flag changes.
    visible: Option<Visible>,
}

impl Places {
    /// `project` is what the guest sees as `/app`.
    pub(crate) fn new(project: &Path, working_directory: &Path) -> Self {
        let shown = project.strip_prefix(working_directory).unwrap_or(project);
        Self { project: shown.to_owned(), visible: None }
    }

    /// The same for a program that is shown this.
    pub(crate) fn of_program(self, visible: Visible) -> Self {
        Self { visible: Some(visible), ..self }
    }

    /// The path of a file of the guest on this machine; what is not the app's stays as it is.
    pub(crate) fn show(&self, guest_path: &str) -> String {
        let path = guest_path.strip_prefix("file://").unwrap_or(guest_path);
        match path.strip_prefix("/app/") {
            Some(below) => self.project.join(below).display().to_string(),
            None => path.to_owned(),
        }
    }
}

/// An app or a program that could not be started.
pub(crate) fn explain_start(error: &StartError, places: &Places) -> Failure {
    match error {
        StartError::Load(error) => explain_load(error, places),
        StartError::Threw(exception) => explain_exception(exception, places),
        StartError::NotAServer { entry, complaint } => Failure::new(format!(
            "{} can't serve: {complaint}",
            places.show(entry)
        ))
        .hint("a server exports its handler: export default { fetch(request, env, ctx) { return new Response('…') } }"),
        StartError::Stalled => Failure::new(error.to_string())
            .hint("no timer and no operation is left that could settle what the module awaits"),
        StartError::TooSlow { .. } => {
            Failure::new(error.to_string()).hint("look for an await that takes long; --startup-wall-ms allows more")
        }
        StartError::Terminated(reason) => {
            let failure = Failure::new(error.to_string());
            match startup_flag(*reason) {
                Some(flag) => failure.hint(format!("{flag} allows more")),
                None => failure,
            }
        }
        StartError::Stopping => Failure::new(error.to_string()),
    }
}

/// The flag that raises a limit of an app's start.
fn startup_flag(reason: Termination) -> Option<&'static str> {
    match reason.reason {
        Reason::Cpu => Some("--startup-cpu-ms"),
        Reason::Wall => Some("--startup-wall-ms"),
        _ => limit_flag(reason),
    }
}

/// The flag that raises a limit.
pub(crate) fn limit_flag(reason: Termination) -> Option<&'static str> {
    match reason.reason {
        Reason::Cpu => Some("--cpu-ms"),
        Reason::Wall => Some("--timeout-ms"),
        Reason::Heap => Some("--heap-mib"),
        Reason::External => Some("--external-mib"),
        // Programs meet neither of the first two.
        Reason::Deploy | Reason::Idle | Reason::Exit | Reason::Interrupt => None,
    }
}

fn explain_load(error: &LoadError, places: &Places) -> Failure {
    let mut failure = Failure::new(guest_text(error.message()));
    if let Some(at) = error.location() {
        failure.details.push(place(&places.show(&at.file), at.line, at.column));
    }
    if let Some(frame) = error.frame() {
        failure.details.extend(render_frame(frame));
    }
    failure.hint = error.help().map(str::to_owned);
    failure
}

fn explain_exception(exception: &Exception, places: &Places) -> Failure {
    let stack = guest_text(&exception.stack);
    let is_call = |line: &&str| line.trim_start().starts_with("at ");
    let mut lines = stack.lines();
    let message: Vec<&str> = lines.by_ref().take_while(|line| !is_call(line)).collect();
    let calls: Vec<&str> = stack.lines().skip(message.len()).take(STACK_LINES_MAX).collect();
    let mut failure = Failure::new(message.join("\n"));
    if calls.is_empty() {
        // V8's own complaints about a module have no stack, but a place.
        if let Some(at) = exception.position.as_ref().filter(|at| at.line > 0) {
            failure.details.push(place(&places.show(&at.file), at.line, at.column));
            if let Some(source) = &exception.source_line {
                failure.details.extend(render_frame(&CodeFrame {
                    first_line: at.line,
                    lines: vec![source.clone()],
                    line: at.line,
                    offset: at.column.saturating_sub(1) as usize,
                    length: 1,
                }));
            }
        }
    }
    if exception.code.as_deref() == Some("MODULE_NOT_FOUND") {
        failure = failure.hint("if it is a package, name it in package.json and run `atoll install`");
    }
    if let Some(hint) = places.visible.as_ref().and_then(|visible| visible.hint(exception)) {
        failure = failure.hint(hint);
    }
    failure.details(calls.into_iter().map(|line| format!("{DIM}{line}{DIM:#}")))
}

/// `  --> src/index.ts:3:7`
fn place(file: &str, line: u32, column: u32) -> String {
    format!("{HINT}  -->{HINT:#} {BOLD}{file}:{line}:{column}{BOLD:#}")
}

/// A place in a file of the operator's, with the lines around it.
pub(crate) fn point_at(file: &str, text: &str, span: &Range<usize>) -> Vec<String> {
    let frame = CodeFrame::new(text, span.start, span.len());
    let before = text.get(..span.start).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    let mut shown = vec![place(file, frame.line, u32::try_from(column).unwrap_or(u32::MAX))];
    shown.extend(render_frame(&frame));
    shown
}

/// The lines around a fault, numbered, and a caret under it.
fn render_frame(frame: &CodeFrame) -> Vec<String> {
    let last = frame.first_line as usize + frame.lines.len();
    let width = last.to_string().len().max(2);
    let mut shown = vec![format!("{DIM}{:width$} |{DIM:#}", "")];
    for (number, line) in (frame.first_line..).zip(&frame.lines) {
        shown.push(format!("{DIM}{number:width$} |{DIM:#} {}", visible(line)).trim_end().to_owned());
        if number == frame.line {
            let before: String = line.chars().take(frame.offset).collect();
            let indent = visible(&before).chars().count();
            let carets = "^".repeat(frame.length.max(1));
            shown.push(format!("{DIM}{:width$} |{DIM:#} {:indent$}{ERROR}{carets}{ERROR:#}", "", ""));
        }
    }
    shown
}

/// A line of source on a terminal: tabs of a known width, nothing that moves the cursor.
fn visible(line: &str) -> String {
    without_controls(&line.replace('\t', "    "))
}

/// A server that could not be started.
pub(crate) fn explain_serve(error: &ServeError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        ServeError::AddressInUse(address) => {
            let other = address.port().checked_add(1).unwrap_or(8080);
            failure.hint(format!("choose another with --port {other}, or any free one with --port 0"))
        }
        ServeError::Listen { address, error } => match error.kind() {
            std::io::ErrorKind::PermissionDenied if address.port() < 1024 => {
                failure.hint("ports below 1024 need a privilege; choose another with --port 8080")
            }
            std::io::ErrorKind::AddrNotAvailable => failure.hint("--host names an address of this machine, or 0.0.0.0"),
            _ => failure,
        },
        ServeError::Thread(_) => failure.hint("--threads asks for fewer"),
    }
}

/// An installation that ended without its result.
pub(crate) fn explain_install(error: &InstallError) -> Failure {
    let text = error.to_string();
    let (message, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut failure = Failure::new(without_controls(message));
    failure.details.extend(rest.lines().map(without_controls));
    match error {
        InstallError::Resolve(error) => failure.hint = error.hint(),
        InstallError::Script(script) => {
            let output: Vec<&str> = script.output.lines().collect();
            let shown = &output[output.len().saturating_sub(OUTPUT_LINES_MAX)..];
            failure.details.extend(shown.iter().map(|line| format!("{DIM}  {}{DIM:#}", without_controls(line))));
        }
        _ => {}
    }
    if failure.hint.is_none() {
        failure.hint = error.hint();
    }
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        let text = source.to_string();
        if !failure.message.contains(&text) && !failure.details.iter().any(|line| line.contains(&text)) {
            let mut line = String::from("  because: ");
            // Writing to a string can't fail.
            let _ = write!(line, "{}", without_controls(&text));
            failure.details.push(line);
        }
        cause = source.source();
    }
    failure
}

/// Packages that were installed and can't be shown.
pub(crate) fn explain_virtual_tree(error: &VirtualTreeError) -> Failure {
    Failure::new(without_controls(&error.to_string())).hint("run `atoll install`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(lines: &[String]) -> String {
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn a_frame_has_its_caret_under_the_fault() {
        let text = "import a from 'a';\n\tconst x = ;\nlet y;\n";
        let at = text.find("= ;").expect("it is there") + 2;
        assert_eq!(
            plain(&render_frame(&CodeFrame::new(text, at, 1))),
            "   |\n 1 | import a from 'a';\n 2 |     const x = ;\n   |               ^\n 3 | let y;"
        );
    }

    #[test]
    fn files_of_the_app_are_shown_where_they_are() {
        let places = Places::new(Path::new("/home/me/shop"), Path::new("/home/me"));
        assert_eq!(places.show("/app/src/index.ts"), "shop/src/index.ts");
        assert_eq!(places.show("file:///app/a.js"), "shop/a.js");
        assert_eq!(places.show("/tmp/x.js"), "/tmp/x.js");
        let elsewhere = Places::new(Path::new("/srv/shop"), Path::new("/home/me"));
        assert_eq!(elsewhere.show("/app/a.js"), "/srv/shop/a.js");
    }
}
