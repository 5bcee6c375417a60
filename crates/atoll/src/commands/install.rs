//! `atoll install`: packages into a project.

use super::signals::{Ending, Questions, Signals};
use crate::cli;
use crate::directories::Directories;
use crate::terminal::{
    BOLD, DIM, Failure, GOOD, HINT, InstallProgress, bytes, counted, duration, explain_install, print_aside,
    print_line, print_warning,
};
use atoll_npm::install::{InstallOptions, LOCK_DEADLINE, Summary};
use atoll_npm::link::Method;
use atoll_npm::npmrc::Npmrc;
use atoll_npm::platform;
use atoll_npm::registry::Network;
use atoll_npm::waits::Waits;
use serde_json::json;
use std::io::{ErrorKind, IsTerminal};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Names of the variable that chooses the registry, as npm has them.
const REGISTRY_VARIABLES: [&str; 2] = ["npm_config_registry", "NPM_CONFIG_REGISTRY"];

/// Names of the variable that names the user's `.npmrc`, as npm has them.
const USER_CONFIG_VARIABLES: [&str; 2] = ["npm_config_userconfig", "NPM_CONFIG_USERCONFIG"];

/// Installs.
pub(crate) fn install(arguments: cli::Install) -> Result<ExitCode, Failure> {
    let directories = Directories::find()?;
    let project_dir = std::path::absolute(&arguments.dir)
        .map_err(|error| Failure::new(format!("{}: {error}", arguments.dir.display())))?;
    let npmrc = npmrc(&project_dir, &directories)?;
    for unset in npmrc.unset_variables() {
        print_warning(format_args!(
            "{}:{}: {} is not set, so the credential is left out",
            unset.file, unset.line, unset.variable
        ));
    }
    let linker = arguments.linker.or_else(|| npmrc.linker());
    let options = InstallOptions {
        project_dir,
        store_dir: directories.store,
        cache_dir: directories.cache,
        state_dir: directories.state,
        npmrc,
        platform: platform::detect(),
        node_version: atoll_node::NODE_VERSION.parse().ok(),
        add: arguments.packages,
        save_dev: arguments.save_dev,
        frozen: arguments.frozen,
        offline: arguments.offline,
        production: arguments.omit_dev,
        lockfile_only: arguments.lockfile_only,
        linker,
        ignore_scripts: arguments.ignore_scripts,
        script_environment: std::env::vars_os().collect(),
        script_deadline: arguments.script_timeout,
        lock_deadline: LOCK_DEADLINE.max(arguments.script_timeout.saturating_mul(2)),
        network: network(arguments.network_concurrency.map(NonZero::get)),
        waits: Waits::default(),
    };
    let waits = options.waits.clone();
    let progress = InstallProgress::new(!arguments.json && std::io::stderr().is_terminal())?;
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(async {
        let (mut signals, mut questions) = (Signals::listen()?, Questions::listen()?);
        let mut installing = Box::pin(atoll_npm::install::install(options, &progress));
        loop {
            tokio::select! {
                outcome = &mut installing => break Ok(Outcome::Over(outcome)),
                ending = signals.next() => break Ok::<_, Failure>(Outcome::Cancelled(ending)),
                () = questions.next() => progress.tell(&waits.describe()),
            }
        }
    });
    progress.clear();
    // What still downloads or unpacks is of no use any more.
    runtime.shutdown_background();
    match outcome? {
        Outcome::Over(Ok(summary)) => {
            if arguments.json {
                print_line(summary_json(&summary));
            } else {
                print_summary(&summary);
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Over(Err(error)) => Err(explain_install(&error)),
        Outcome::Cancelled(ending) => {
            print_aside(format_args!("{BOLD}cancelled{BOLD:#}: the project is as it was before"));
            Ok(ExitCode::from(ending.exit_code()))
        }
    }
}

enum Outcome {
    Over(Result<Summary, atoll_npm::install::InstallError>),
    Cancelled(Ending),
}

/// The user's `.npmrc`, the project's, and the environment, each over the one before.
fn npmrc(project_dir: &Path, directories: &Directories) -> Result<Npmrc, Failure> {
    let variable =
        |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
    let user = variable(USER_CONFIG_VARIABLES).map(|(_, path)| PathBuf::from(path));
    let mut npmrc = Npmrc::default();
    for path in [user.unwrap_or_else(|| directories.home.join(".npmrc")), project_dir.join(".npmrc")] {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
        };
        npmrc = with_text(npmrc, &path.display().to_string(), &text)?;
    }
    match variable(REGISTRY_VARIABLES) {
        Some((name, url)) => with_text(npmrc, name, &format!("registry={url}")),
        None => Ok(npmrc),
    }
}

/// Proxies by the variables that curl and npm know, too.
fn network(requests_max: Option<usize>) -> Network {
    let named = |lower: &str, upper: &str| {
        let values = [lower, upper].into_iter().filter_map(|name| std::env::var(name).ok());
        values.into_iter().find(|value| !value.is_empty())
    };
    Network {
        http_proxy: named("http_proxy", "HTTP_PROXY"),
        https_proxy: named("https_proxy", "HTTPS_PROXY"),
        no_proxy: named("no_proxy", "NO_PROXY"),
        requests_max,
        ..Network::default()
    }
}

fn with_text(npmrc: Npmrc, name: &str, text: &str) -> Result<Npmrc, Failure> {
    npmrc
        .with_file(name, text, |variable| std::env::var(variable).ok())
        .map_err(|error| Failure::new(error.to_string()))
}

fn print_summary(summary: &Summary) {
    for (name, wanted) in &summary.saved {
        print_line(format_args!("{GOOD}+{GOOD:#} {name} {DIM}{wanted}{DIM:#}"));
    }
    let elapsed = duration(summary.elapsed);
    let installed = counted(summary.installed, "package");
    if let Some(locked) = summary.locked {
        let locked = counted(locked, "package");
        if summary.lock_written {
            print_line(format_args!("{GOOD}wrote{GOOD:#} package-lock.json in {elapsed}: {locked}"));
        } else {
            print_line(format_args!("{GOOD}up to date{GOOD:#}: package-lock.json, {locked} {DIM}({elapsed}){DIM:#}"));
        }
    } else if summary.up_to_date {
        print_line(format_args!("{GOOD}up to date{GOOD:#}: {installed} {DIM}({elapsed}){DIM:#}"));
    } else {
        let counts = [("added", summary.added), ("changed", summary.changed), ("removed", summary.removed)];
        let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
        let mut parts: Vec<String> = counts.collect();
        if summary.downloaded > 0 {
            parts.push(format!("{} downloaded, {}", summary.downloaded, bytes(summary.bytes)));
        }
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        print_line(format_args!("{GOOD}installed{GOOD:#} {installed} in {elapsed}{parts}"));
    }
    if !summary.scripts_ran.is_empty() {
        print_line(format_args!("{DIM}ran scripts of{DIM:#} {}", summary.scripts_ran.join(", ")));
    }
    if !summary.scripts_skipped.is_empty() {
        print_warning(format_args!("scripts did not run: {}", summary.scripts_skipped.join(", ")));
        let names: Vec<&str> = summary.scripts_skipped.iter().map(|package| name_of(package)).collect();
        let allowed = json!({ "allowScripts": names });
        print_aside(format_args!(
            "{HINT}hint{HINT:#}: if their packages need them, add to package.json: \"atoll\": {allowed}"
        ));
    }
}

/// `@scope/name@1.0.0` → `@scope/name`.
fn name_of(package: &str) -> &str {
    package.rfind('@').filter(|at| *at > 0).map_or(package, |at| &package[..at])
}

fn summary_json(summary: &Summary) -> serde_json::Value {
    let method = summary.method.map(|method| match method {
        Method::Hardlink => "hardlink",
        Method::Reflink => "reflink",
        Method::Copy => "copy",
    });
    json!({
        "upToDate": summary.up_to_date,
        "installed": summary.installed,
        "locked": summary.locked,
        "added": summary.added,
        "changed": summary.changed,
        "removed": summary.removed,
        "downloaded": summary.downloaded,
        "bytes": summary.bytes,
        "method": method,
        "saved": summary.saved.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "lockWritten": summary.lock_written,
        "scriptsRan": summary.scripts_ran,
        "scriptsSkipped": summary.scripts_skipped,
        "ms": (summary.elapsed.as_secs_f64() * 1e4).round() / 10.0,
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn names() {
        assert_eq!(name_of("a@1.0.0"), "a");
        assert_eq!(name_of("@s/a@1.0.0"), "@s/a");
        assert_eq!(name_of("@s/a"), "@s/a");
    }
}
