//! Tests that run in processes of their own: they are killed, or have a disk of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Variable that says how often each test that kills a process does so.
const KILLS_VARIABLE: &str = "ATOLL_TEST_KILLS";
/// How often without it.
const KILLS: u64 = 24;

/// Times that a process is killed.
pub(crate) fn kills() -> u64 {
    std::env::var(KILLS_VARIABLE).map_or(KILLS, |number| number.parse().expect("a number"))
}

/// The folder that a parent's test has named.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os("TEST_CACHE").expect("set by the parent"))
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("TEST_CACHE", folder).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn arguments(test: &str) -> [&str; 4] {
    ["--exact", test, "--ignored", "--quiet"]
}

/// Starts a test in a process of its own.
pub(crate) fn spawn(test: &str, folder: &Path) -> Child {
    command(&std::env::current_exe().unwrap(), folder).args(arguments(test)).spawn().unwrap()
}

/// Runs a test where `script` has mounted something, if this machine lets anybody do that.
#[expect(clippy::print_stderr, reason = "a test that tested nothing says why")]
pub(crate) fn in_namespace(script: &str, test: &str, folder: &Path) {
    let unshare = || {
        let mut command = command(Path::new("unshare"), folder);
        command.args(["--mount", "--user", "--map-root-user", "sh", "-ec", &format!("{script}\nexec \"$@\""), "sh"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mount namespace can be made here, which takes root or unprivileged user namespaces");
        return;
    }
    let run = unshare().arg(std::env::current_exe().unwrap()).args(arguments(test)).stdout(Stdio::piped()).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{test}: {}\n{}", run.status, String::from_utf8_lossy(&run.stdout));
}
