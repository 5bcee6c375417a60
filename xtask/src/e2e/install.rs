//! What the installer leaves behind: a tree and a lockfile that npm agrees with.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{ensure, step};
use crate::repository::{capture, shelf};
use crate::steps::Steps;

/// Longest time for a second install that has nothing to do, start of the (unoptimised) process included.
const NOTHING_TO_DO: Duration = Duration::from_secs(1);

pub(super) fn run(steps: &mut Steps, atoll: &Path, project: &Path) {
    let install = |arguments: &[&str]| {
        let mut command = Command::new(atoll);
        command.arg("install").args(arguments).current_dir(project);
        capture(&mut command)
    };

    step(steps, "example: atoll install writes packages and lockfile", || {
        print!("{}", install(&[])?);
        ensure!(project.join("node_modules/hono/package.json").is_file(), "hono is not in node_modules");
        ensure!(project.join("package-lock.json").is_file(), "no package-lock.json was written");
        Ok(())
    });

    step(steps, "example: a second install has nothing to do", || {
        let lockfile = fs::read(project.join("package-lock.json"))?;
        let started = Instant::now();
        print!("{}", install(&[])?);
        let elapsed = started.elapsed();
        ensure!(elapsed < NOTHING_TO_DO, "it took {elapsed:?}, more than {NOTHING_TO_DO:?}");
        let unchanged = fs::read(project.join("package-lock.json"))? == lockfile;
        ensure!(unchanged, "it changed package-lock.json");
        Ok(())
    });

    step(steps, "example: npm ls --all finds no problem in the tree", || {
        let tree = capture(Command::new("npm").args(["ls", "--all", "--loglevel=error"]).current_dir(project))?;
        for problem in ["UNMET", "invalid", "extraneous"] {
            ensure!(!tree.contains(problem), "npm ls reports `{problem}`:\n{tree}");
        }
        Ok(())
    });

    step(steps, "example: npm ci accepts the lockfile", || {
        let copy = project.with_file_name("npm-ci");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        fs::create_dir_all(&copy)?;
        for name in ["package.json", "package-lock.json"] {
            fs::copy(project.join(name), copy.join(name))?;
        }
        capture(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&copy))?;
        Ok(())
    });

    if shelf().join("package-lock.json").is_file() {
        step(steps, "example: the lockfile in the repository agrees with package.json", || {
            fs::copy(shelf().join("package-lock.json"), project.join("package-lock.json"))?;
            print!("{}", install(&["--frozen"])?);
            Ok(())
        });
    }
}

/// The same packages, each of which finds what it depends on only.
pub(super) fn isolated(steps: &mut Steps, atoll: &Path, project: &Path) {
    step(steps, "example in pnpm's layout: atoll install makes links of the packages that package.json names", || {
        let mut command = Command::new(atoll);
        command.args(["install", "--linker", "isolated"]).current_dir(project);
        print!("{}", capture(&mut command)?);
        let link = fs::read_link(project.join("node_modules/hono"))?;
        ensure!(link.starts_with(".pnpm"), "node_modules/hono leads to {}", link.display());
        Ok(())
    });
}

/// The same packages, none of which is on the disk.
pub(super) fn without_files(steps: &mut Steps, atoll: &Path, project: &Path) {
    step(steps, "example without files: atoll install takes the packages off the disk", || {
        let mut command = Command::new(atoll);
        command.args(["install", "--linker", "virtual"]).current_dir(project);
        print!("{}", capture(&mut command)?);
        let left: Vec<_> = fs::read_dir(project.join("node_modules"))?.collect::<Result<_, _>>()?;
        let names: Vec<_> = left.iter().map(fs::DirEntry::file_name).collect();
        ensure!(names == [".atoll-state"], "node_modules has {names:?}");
        Ok(())
    });
}
