//! Lifecycle scripts of dependencies: not run, unless the project allows the package by name.
//!
//! A script that is allowed runs in its package's folder in the stage, before anything of the project changes, with the
//! variables that npm gives it and the commands of the tree on its `PATH`. Its output is captured. Its time is limited,
//! generously: compiling takes what it takes. Which script runs, and for how long, is told all the while. With the limit or a cancelled installation its whole process group ends. The package's files are private copies:
//! a script cannot write into the store.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::{io::AsyncReadExt, process::Command};

use crate::{
    lock::{InstallPath, LockEntry, Lockfile},
    report::Reporter,
    waits::{Unit, Waits},
};

/// The lifecycle scripts of an installation, in order.
const EVENTS: [&str; 3] = ["preinstall", "install", "postinstall"];
/// How long one script may run, unless somebody says otherwise.
pub const DEADLINE: Duration = Duration::from_hours(1);
/// How often it is told that a script still runs.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How much of a script's output is kept, from its end: 64 KiB.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// How long a killed script's output may stay open, in case a process left its group.
const DRAIN: Duration = Duration::from_secs(2);

/// A script that failed.
#[derive(Debug, thiserror::Error)]
#[error("the {event} script of {package} {problem}: {command}")]
pub struct ScriptError {
    /// Name and version.
    pub package: String,
    /// `preinstall`, `install` or `postinstall`.
    pub event: String,
    /// The command line.
    pub command: String,
    /// What happened, as a phrase: how it ended, or why it could not start.
    pub problem: String,
    /// The end of what it wrote, standard output and error together in the order of arrival.
    pub output: String,
}

/// A package whose scripts run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runner<'a> {
    /// Where it is, relative to the tree.
    pub(crate) place: &'a str,
    /// Its key in the lockfile.
    pub(crate) path: &'a InstallPath,
    pub(crate) entry: &'a LockEntry,
}

/// Where and how scripts run.
pub(crate) struct Surroundings<'a> {
    /// The folder that stands for the project.
    pub(crate) tree: &'a Path,
    /// The project itself.
    pub(crate) project: &'a Path,
    /// The environment to start from; its `PATH` comes last.
    pub(crate) environment: &'a [(OsString, OsString)],
    /// How long one script may run.
    pub(crate) deadline: Duration,
    /// Hears which one runs.
    pub(crate) reporter: &'a dyn Reporter,
    /// What is waited for.
    pub(crate) waits: &'a Waits,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Surroundings").field("tree", &self.tree).finish_non_exhaustive()
    }
}

/// Orders packages so that each comes after everything that it depends on, as far as cycles allow.
pub(crate) fn in_dependency_order<'a>(
    lock: &'a Lockfile,
    packages: &[(&'a InstallPath, &'a LockEntry)],
) -> Vec<(&'a InstallPath, &'a LockEntry)> {
    let chosen: HashMap<&str, (&InstallPath, &LockEntry)> =
        packages.iter().map(|(path, entry)| (path.as_str(), (*path, *entry))).collect();
    let mut ordered = Vec::new();
    let mut seen = HashSet::new();
    for (path, _) in packages {
        // Depth first, without recursion: a package is taken when all that it needs has been.
        let mut stack = vec![(*path, false)];
        while let Some((path, is_ready)) = stack.pop() {
            if is_ready {
                ordered.extend(chosen.get(path.as_str()));
                continue;
            }
            if !seen.insert(path.as_str()) {
                continue;
            }
            stack.push((path, true));
            let Some(entry) = lock.packages.get(path) else { continue };
            let needed = entry.edge_names().filter_map(|name| lock.lookup(path, name));
            stack.extend(needed.map(|(needed, _)| (needed, false)));
        }
    }
    ordered
}

/// Runs what one package wants to run. `Ok(false)` when that is nothing.
pub(crate) async fn run_package(runner: Runner<'_>, surroundings: &Surroundings<'_>) -> Result<bool, ScriptError> {
    let Runner { place, path, entry } = runner;
    let package = format!("{}@{}", entry.package_name(path), entry.version.as_deref().unwrap_or_default());
    let folder = surroundings.tree.join(place);
    let scripts = scripts_of(&folder);
    for (event, command) in &scripts {
        let fail = |problem: String, output: String| ScriptError {
            package: package.clone(),
            event: (*event).to_owned(),
            command: command.clone(),
            problem,
            output,
        };
        let mut process = Command::new("/bin/sh");
        process.arg("-c").arg(command).current_dir(&folder).env_clear();
        process.envs(environment(runner, event, command, surroundings));
        let waiting = surroundings.waits.begin(format!("script {event} of {package}"), Unit::None);
        let told = |elapsed| surroundings.reporter.script_running(&package, event, elapsed);
        let ended = run(process, surroundings.deadline, &told).await;
        drop(waiting);
        let (status, output) = ended.map_err(|error| fail(format!("could not start ({error})"), String::new()))?;
        match status {
            Some(status) if status.success() => {}
            Some(status) => return Err(fail(format!("failed ({status})"), output)),
            None => {
                let limit = surroundings.deadline.as_secs_f64();
                return Err(fail(format!("ran longer than {limit} s, which is its limit"), output));
            }
        }
    }
    Ok(!scripts.is_empty())
}

/// The scripts in the package's own `package.json`; a package with a `binding.gyp` and no script of its own is built.
fn scripts_of(folder: &Path) -> Vec<(&'static str, String)> {
    let text = fs::read(folder.join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
    let script = |event: &str| manifest["scripts"][event].as_str().filter(|text| !text.trim().is_empty());
    let builds = folder.join("binding.gyp").exists() && script("preinstall").is_none() && script("install").is_none();
    EVENTS
        .into_iter()
        .filter_map(|event| {
            let implied = (event == "install" && builds).then_some("node-gyp rebuild");
            Some((event, script(event).or(implied)?.to_owned()))
        })
        .collect()
}

fn environment(
    runner: Runner<'_>,
    event: &str,
    command: &str,
    surroundings: &Surroundings<'_>,
) -> Vec<(OsString, OsString)> {
    let Runner { place, path, entry } = runner;
    let folder = surroundings.tree.join(place);
    // The package's own folder, and those around it that can have a `node_modules`.
    let can_have = |folder: &&Path| {
        folder.file_name().is_none_or(|name| name != "node_modules" && !name.as_encoded_bytes().starts_with(b"@"))
    };
    let around = Path::new(place).ancestors().skip(1).filter(can_have);
    let folders = std::iter::once(Path::new(place)).chain(around);
    let mut search: Vec<PathBuf> =
        folders.map(|folder| surroundings.tree.join(folder).join("node_modules/.bin")).collect();
    search.push(surroundings.project.join("node_modules/.bin"));
    let is_path = |name: &OsStr| name == "PATH";
    let given = surroundings.environment.iter().find(|(name, _)| is_path(name)).map(|(_, value)| value);
    search.extend(given.iter().flat_map(|value| std::env::split_paths(value)));

    let mut variables: Vec<(OsString, OsString)> =
        surroundings.environment.iter().filter(|(name, _)| !is_path(name)).cloned().collect();
    // Folders with a colon in their name cannot be searched; the given PATH is better than none.
    let joined = std::env::join_paths(search).unwrap_or_else(|_| given.cloned().unwrap_or_default());
    variables.push(("PATH".into(), joined));
    let agent = concat!("atoll/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("npm_lifecycle_event", OsStr::new(event)),
        ("npm_lifecycle_script", OsStr::new(command)),
        ("npm_package_name", OsStr::new(entry.package_name(path))),
        ("npm_package_version", OsStr::new(entry.version.as_deref().unwrap_or_default())),
        ("npm_package_json", folder.join("package.json").as_os_str()),
        ("npm_config_user_agent", OsStr::new(agent)),
        ("npm_command", OsStr::new("install")),
        ("INIT_CWD", surroundings.project.as_os_str()),
    ] {
        variables.push((name.into(), value.to_owned()));
    }
    variables
}

/// Ends a process group unless told that it has ended.
struct Group(Option<Pid>);

impl Group {
    fn end(&mut self) {
        if let Some(pid) = self.0.take() {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a process to its end or to the deadline (`None`); with it the end of its output. `told` hears at first and then every
/// [`TOLD_EVERY`] for how long it has been running.
async fn run(
    mut process: Command,
    deadline: Duration,
    told: &dyn Fn(Duration),
) -> io::Result<(Option<ExitStatus>, String)> {
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
    let mut child = process.spawn()?;
    let mut group = Group(child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())));
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = Vec::new();
    let mut chunks = (vec![0; 8192], vec![0; 8192]);
    let timeout = tokio::time::sleep(deadline);
    tokio::pin!(timeout);
    let (started, mut clock) = (Instant::now(), tokio::time::interval(TOLD_EVERY));
    let mut status = None;
    let mut is_late = false;
    // Until the process has ended and nobody holds its output open any more.
    while !is_late && (status.is_none() || stdout.is_some() || stderr.is_some()) {
        tokio::select! {
            count = read_some(&mut stdout, &mut chunks.0), if stdout.is_some() => {
                append(&mut output, &chunks.0[..count]);
                stdout = stdout.filter(|_| count > 0);
            }
            count = read_some(&mut stderr, &mut chunks.1), if stderr.is_some() => {
                append(&mut output, &chunks.1[..count]);
                stderr = stderr.filter(|_| count > 0);
            }
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                // What it started in the background is over, too, and with it what would keep the output open.
                group.end();
                timeout.as_mut().reset(tokio::time::Instant::now() + DRAIN);
            }
            () = &mut timeout => is_late = true,
            _ = clock.tick() => told(started.elapsed()),
        }
    }
    group.end();
    Ok((status, String::from_utf8_lossy(&output).into_owned()))
}

/// Bytes read; 0 at the end, and when reading fails, which for a pipe comes to the same.
async fn read_some(pipe: &mut Option<impl tokio::io::AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// Appends, and forgets the beginning when there is too much.
fn append(output: &mut Vec<u8>, bytes: &[u8]) {
    output.extend_from_slice(bytes);
    if output.len() > OUTPUT_BYTES_MAX {
        output.drain(..output.len() - OUTPUT_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(command: &str) -> Command {
        let mut process = Command::new("/bin/sh");
        process.arg("-c").arg(command);
        process
    }

    #[tokio::test]
    async fn output_and_status_are_kept() {
        let (status, output) = run(shell("echo out; echo err >&2; exit 3"), DEADLINE, &|_| {}).await.unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(3));
        assert!(output.contains("out") && output.contains("err"), "{output}");
        let (_, output) = run(shell("yes | head -c 1000000"), DEADLINE, &|_| {}).await.unwrap();
        assert_eq!(output.len(), OUTPUT_BYTES_MAX);
    }

    #[tokio::test]
    async fn the_deadline_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alive");
        let started = std::time::Instant::now();
        let command = format!("(sleep 1; touch {}) & sleep 30", file.display());
        let (status, _) = run(shell(&command), Duration::from_millis(200), &|_| {}).await.unwrap();
        assert!(status.is_none() && started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(!file.exists(), "what the script started has ended with it");
    }

    #[tokio::test]
    async fn what_stays_in_the_background_does_not_hold_us_up() {
        let started = std::time::Instant::now();
        let (status, _) = run(shell("sleep 30 & exit 0"), DEADLINE, &|_| {}).await.unwrap();
        assert!(status.is_some_and(|status| status.success()));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn dependencies_come_first() {
        let path = |text: &str| InstallPath::parse(text).unwrap();
        let mut lock = Lockfile::default();
        for (at, needs) in [("node_modules/a", "b"), ("node_modules/b", "c"), ("node_modules/c", "a")] {
            let mut entry = LockEntry::default();
            entry.dependencies.insert(needs.to_owned(), "*".to_owned());
            lock.packages.insert(path(at), entry);
        }
        let all: Vec<_> = lock.packages.iter().collect();
        let order: Vec<&str> = in_dependency_order(&lock, &all).iter().map(|(path, _)| path.name()).collect();
        assert_eq!(order, ["c", "b", "a"]);
    }
}
