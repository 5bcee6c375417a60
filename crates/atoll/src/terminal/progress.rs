//! How far an installation is: one line that changes, on a terminal only.

use super::text::{bytes, counted, duration, without_controls};
use super::{Failure, print_aside, print_warning};
use atoll_npm::report::{Progress, Reporter, Stage, Warning};
use atoll_npm::store::VerifyProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Draws on standard error; where that is no terminal, nothing but warnings is written.
pub(crate) struct InstallProgress {
    bar: ProgressBar,
    stage: Mutex<Option<Stage>>,
    /// Where no line is drawn: how long the script that runs must have been running to be told of.
    told_after: Mutex<Duration>,
}

/// How long a script runs before it is told of where no line is drawn; then twice as long each time.
const SCRIPT_TOLD_AFTER: Duration = Duration::from_secs(10);

/// Times per second that the line is drawn at most.
const DRAWS_PER_SECOND: u8 = 15;

/// A line with a bar, or with nothing where it is not shown.
fn bar(is_shown: bool) -> Result<ProgressBar, Failure> {
    let target =
        if is_shown { ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{prefix:>9.cyan.bold} {bar:28.cyan/dim} {msg}")
        .map_err(|error| Failure::new(format!("the progress bar's template: {error}")))?;
    Ok(ProgressBar::with_draw_target(None, target).with_style(style.progress_chars("━━╌")))
}

/// How far a verification of the store is.
pub(crate) struct ReadProgress(ProgressBar);

impl ReadProgress {
    pub(crate) fn new(is_shown: bool) -> Result<Self, Failure> {
        Ok(Self(bar(is_shown)?.with_prefix("Reading")))
    }

    /// Draws.
    pub(crate) fn show(&self, progress: VerifyProgress) {
        // Nothing of nothing would be drawn as all.
        self.0.set_length(progress.total.max(1) as u64);
        self.0.set_position(progress.done as u64);
        let VerifyProgress { done, total, bytes: read } = progress;
        self.0.set_message(format!("{done}/{total} packages, {}", bytes(read)));
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl InstallProgress {
    pub(crate) fn new(is_shown: bool) -> Result<Self, Failure> {
        Ok(Self { bar: bar(is_shown)?, stage: Mutex::new(None), told_after: Mutex::new(SCRIPT_TOLD_AFTER) })
    }

    /// Writes what is waited for, a line each.
    pub(crate) fn tell(&self, lines: &[String]) {
        self.bar.suspend(|| lines.iter().for_each(|line| print_aside(without_controls(line))));
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether `stage` is the one that is shown; the first to report of a later stage moves on to it.
    fn moves_to(&self, stage: Stage) -> bool {
        let mut shown = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let is_later = shown.is_none_or(|shown| order(shown) < order(stage));
        if is_later {
            *shown = Some(stage);
            self.bar.set_message("");
            self.bar.set_prefix(name(stage));
        }
        is_later || *shown == Some(stage)
    }
}

fn order(stage: Stage) -> u8 {
    match stage {
        Stage::Resolve => 0,
        Stage::Fetch => 1,
        Stage::Link => 2,
        Stage::Scripts => 3,
    }
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "Resolving",
        Stage::Fetch => "Fetching",
        Stage::Link => "Linking",
        Stage::Scripts => "Building",
    }
}

impl Reporter for InstallProgress {
    fn stage_started(&self, stage: Stage, total: usize) {
        self.progressed(stage, Progress { done: 0, total, bytes: 0 });
    }

    fn progressed(&self, stage: Stage, progress: Progress) {
        // Stages overlap: packages are fetched while others are still resolved.
        if !self.moves_to(stage) {
            return;
        }
        // Nothing of nothing would be drawn as all.
        self.bar.set_length(progress.total.max(1) as u64);
        self.bar.set_position(progress.done as u64);
        let Progress { done, total, .. } = progress;
        self.bar.set_message(match stage {
            Stage::Resolve => counted(done, "package"),
            Stage::Fetch if progress.bytes > 0 => format!("{done}/{total} packages, {}", bytes(progress.bytes)),
            Stage::Fetch | Stage::Link | Stage::Scripts => format!("{done}/{total} packages"),
        });
    }

    fn warning(&self, warning: &Warning) {
        self.bar.suspend(|| match warning {
            Warning::Deprecated { package, message } => {
                print_warning(format_args!("{package} is deprecated: {message}"));
            }
            Warning::OptionalDropped { package, reason } => {
                print_warning(format_args!("{package} is optional and was left out: {reason}"));
            }
            Warning::Copying { reason } => print_warning(format_args!(
                "files are copied, not linked, because the store and the project can't share them ({reason}); \
                 ATOLL_STORE_DIR names a store on the project's filesystem"
            )),
            Warning::ScriptsNeedFiles { packages } => print_warning(format_args!(
                "scripts that package.json allows did not run, because the virtual linker writes no files that they \
                 could change: {}; --linker hoisted runs them",
                packages.join(", ")
            )),
            Warning::Repaired => print_warning("an earlier installation was interrupted; its work was completed"),
            other => print_warning(format_args!("{other:?}")),
        });
    }

    fn waiting_for_project(&self, holder: Option<u32>) {
        let process = holder.map(|process| format!(" (process {process})")).unwrap_or_default();
        self.bar.suspend(|| print_aside(format_args!("Waiting for another installation into this project{process} …")));
    }

    fn script_running(&self, package: &str, event: &str, elapsed: Duration) {
        let text = format!("{event} of {}: {}", without_controls(package), duration(elapsed));
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
            return;
        }
        let mut told_after = self.told_after.lock().unwrap_or_else(PoisonError::into_inner);
        if elapsed < SCRIPT_TOLD_AFTER {
            *told_after = SCRIPT_TOLD_AFTER;
        } else if elapsed >= *told_after {
            *told_after *= 2;
            print_aside(format_args!("still running: {text}"));
        }
    }
}
