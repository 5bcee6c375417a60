//! Where things are, and how cargo is run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The checkout that this tool was built from.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The directory of the example.
pub(crate) fn shelf() -> PathBuf {
    root().join("examples/shelf")
}

/// Cargo's target directory: this tool runs from `<target>/<profile>/xtask`.
pub(crate) fn target() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| root().join("target"))
}

/// The binary `atoll` of a profile's directory, `debug` or `release`.
pub(crate) fn atoll(profile: &str) -> PathBuf {
    target().join(profile).join("atoll")
}

/// The cargo that runs this tool, in the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end with this process's output; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = display(command);
    let status = command.status().map_err(|error| format!("can't start `{line}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed with {status}").into()) }
}

/// Runs a command to its end and gives its output, stdout before stderr; anything but success is a failure that shows it.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let line = display(command);
    let output = command.output().map_err(|error| format!("can't start `{line}`: {error}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!("`{line}` failed with {}:\n{text}", output.status).into())
    }
}

/// The command as one would type it.
pub(crate) fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str()).display().to_string();
    let arguments = command.get_args().map(|argument| argument.display().to_string());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
