//! A program that is measured from its start to its end: time, and what its processes used.
//!
//! Between this tool and the program stands a process of its own, this executable with [`COMMAND`] as its first argument.
//! The kernel counts what children used only for all children of a process together, and lets a new program begin with the
//! largest memory of the process that started it: in a process that does nothing else, the first is the program's alone,
//! and the second is small.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::error::BenchError;

/// The first argument of the process in between.
pub(crate) const COMMAND: &str = "measure-child";
/// Longest that a program may take: everything measured ends within seconds, the slowest within two minutes.
const DEADLINE: Duration = Duration::from_mins(10);
/// Characters of a program's output that an error shows.
const MAX_LOG_CHARACTERS: usize = 2000;

/// What a program used, with all processes that it started and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// From before the start to after the end.
    pub(crate) wall_ms: f64,
    pub(crate) user_ms: f64,
    pub(crate) system_ms: f64,
    /// Of its largest process, at its largest.
    pub(crate) max_resident_bytes: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    /// Bytes that it made dirty in the page cache.
    pub(crate) written_bytes: u64,
}

/// Runs a program to its successful end, with its output in `log`.
pub(crate) fn run(command: &Command, log: &Path) -> Result<Usage, BenchError> {
    let name = command.get_program().display().to_string();
    let file_error = |source| BenchError::File { path: log.to_owned(), source };
    let output = File::create(log).map_err(file_error)?;
    let own = std::env::current_exe().map_err(|source| BenchError::File { path: "/proc/self/exe".into(), source })?;
    let mut between = Command::new(own);
    between.arg(COMMAND).arg(command.get_program()).args(command.get_args()).env_clear();
    between.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        between.current_dir(directory);
    }
    between.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output).process_group(0);
    let mut child = between.spawn().map_err(|source| BenchError::Start { command: name.clone(), source })?;
    let group = Pid::from_child(&child);
    let mut figures = child.stdout.take();
    let (ended, end) = mpsc::channel::<()>();
    let status = std::thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                // It may have ended meanwhile: then there is nothing to kill.
                let _ = kill_process_group(group, Signal::KILL);
            }
        });
        let mut text = String::new();
        // What can't be read is no figures, which is found out below.
        let _ = figures.as_mut().map(|figures| figures.read_to_string(&mut text));
        let status = child.wait();
        // The watcher waits for as long as this end is open.
        drop(ended);
        status.map(|status| (status, text))
    });
    let (status, text) = status.map_err(|source| BenchError::Start { command: name.clone(), source })?;
    if !status.success() {
        return Err(BenchError::Command { command: name, status: status.to_string(), output: tail(log) });
    }
    serde_json::from_str(&text).map_err(|_| BenchError::Void(format!("{name}: no figures but {text:?}")))
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let skip = text.chars().count().saturating_sub(MAX_LOG_CHARACTERS);
    text.chars().skip(skip).collect()
}

/// What the process in between does: it runs the program, and prints what that used.
pub(crate) fn in_between(arguments: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = arguments.split_first() else { return ExitCode::FAILURE };
    let mut command = Command::new(program);
    // Its output goes where errors go: what this process prints are figures.
    command.args(arguments).stdout(std::io::stderr());
    let started = Instant::now();
    let status = command.status();
    let wall = started.elapsed();
    match (status, atoll_sys::usage::of_children()) {
        (Ok(status), Ok(usage)) if status.success() => {
            let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
            let usage = Usage {
                wall_ms: milliseconds(wall),
                user_ms: milliseconds(usage.user),
                system_ms: milliseconds(usage.system),
                max_resident_bytes: usage.max_resident_bytes,
                voluntary_switches: usage.voluntary_switches,
                involuntary_switches: usage.involuntary_switches,
                written_bytes: usage.written_bytes,
            };
            println!("{}", serde_json::json!(usage));
            ExitCode::SUCCESS
        }
        (Ok(status), _) => {
            eprintln!("it ended with {status}");
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        (Err(error), _) => {
            eprintln!("can't start {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
