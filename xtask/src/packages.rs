//! Programs that cargo can't bring: Debian packages, installed only where the program is missing.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::repository::run;

/// A program and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) needed_for: &'static str,
}

/// npm and, with it, Node.js: the second opinion on what our installer wrote.
pub(crate) const NPM: Program =
    Program { name: "npm", package: "npm", needed_for: "checking our lockfile and our tree of packages" };
/// The load generator of the benchmarks.
pub(crate) const WRK: Program = Program { name: "wrk", package: "wrk", needed_for: "putting load on servers" };

/// Makes sure that all `programs` are there. What is missing is installed by apt, with sudo unless this is root.
pub(crate) fn ensure(programs: &[Program]) -> Result<(), Failure> {
    let missing: Vec<&Program> = programs.iter().filter(|program| !is_present(program.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for program in &missing {
        println!("`{}` is missing; it is needed for {}", program.name, program.needed_for);
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    if !is_present("apt-get") {
        let packages = packages.join(", ");
        return Err(format!("there is no apt-get here: please install {packages} and run this command again").into());
    }
    println!("installing with apt: {}", packages.join(" "));
    run(&mut apt(&["update", "-qq"]))?;
    let mut install = apt(&["install", "--yes", "--no-install-recommends"]);
    run(install.args(&packages))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.arg("apt-get");
        command
    };
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_present(program: &str) -> bool {
    // Whatever the program makes of the option: that it could be started is what counts.
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
