//! How each package manager is told what to do, and what it keeps where.

use std::path::PathBuf;
use std::process::Command;

use crate::error::BenchError;
use crate::registry;
use crate::systems::{Peer, System};

/// What a package manager is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A lockfile and nothing else.
    Lock,
    /// All of it.
    Install,
    /// The same with packages that projects share: Atoll's virtual linker. Managers that have a store for that are systems of their
    /// own, of which this is asked as well.
    InstallShared,
}

/// The directories of one manager with one project.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The project, with `package.json`.
    pub(super) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    pub(super) fn node_modules(&self) -> PathBuf {
        self.project().join("node_modules")
    }

    /// The user's home: everything that a manager keeps between runs is below it.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A kept copy of the lockfile.
    pub(super) fn kept_lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("output.log")
    }
}

/// The name of the lockfile.
pub(super) fn lockfile(system: &System) -> &'static str {
    match system.peer() {
        Some(Peer::Bun | Peer::BunGlobal) => "bun.lock",
        Some(Peer::Pnpm | Peer::PnpmGlobal) => "pnpm-lock.yaml",
        _ => "package-lock.json",
    }
}

/// The command, with an environment of its own: nothing of this machine's settings is in it.
pub(super) fn command(system: &System, step: Step, place: &Place) -> Command {
    let (home, origin) = (place.home(), registry::origin());
    let mut command = Command::new(system.executable());
    command.current_dir(place.project()).env("HOME", &home);
    // Node.js and npm are found by it, and managers look for them.
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("npm_config_registry", &origin).env("NO_COLOR", "1");
    let lock_only = step == Step::Lock;
    match system.peer() {
        Some(peer @ (Peer::Bun | Peer::BunGlobal)) => {
            command.args(["install", "--ignore-scripts", "--no-progress", "--registry", &origin]);
            command.args(lock_only.then_some("--lockfile-only"));
            command.env("BUN_INSTALL_CACHE_DIR", home.join("cache"));
            if peer == Peer::BunGlobal {
                command.arg("--linker=isolated").env("BUN_INSTALL_GLOBAL_STORE", "1");
            } else {
                command.arg("--linker=hoisted");
            }
        }
        Some(peer @ (Peer::Pnpm | Peer::PnpmGlobal)) => {
            command.args(["install", "--ignore-scripts", "--reporter=append-only"]);
            command.arg(format!("--registry={origin}")).arg(format!("--store-dir={}", home.join("store").display()));
            command.args(lock_only.then_some("--lockfile-only"));
            if peer == Peer::PnpmGlobal {
                command.arg("--config.enableGlobalVirtualStore=true");
            }
        }
        Some(Peer::Utoo) => {
            command.arg(if lock_only { "deps" } else { "install" });
            command.args((!lock_only).then_some("--ignore-scripts"));
            command.args(["--registry", &origin]).arg("--cache-dir").arg(home.join("cache"));
        }
        None => {
            command.args(["install", "--ignore-scripts"]);
            command.args(lock_only.then_some("--lockfile-only"));
            command.args((step == Step::InstallShared).then_some("--linker=virtual"));
        }
        Some(_) => {
            command.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]);
            command.args(["--no-update-notifier", "--loglevel=error"]);
            command.args(lock_only.then_some("--package-lock-only"));
        }
    }
    command
}

/// A program that prints how many packages a guest of Atoll finds in the project, as [`tree::packages`](super::tree::packages)
/// counts them.
const COUNT: &str = r"
import fs from 'node:fs';
const found = new Set();
const visit = (folder, isScope) => {
  for (const entry of fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : []) {
    const path = `${folder}/${entry.name}`;
    if (entry.name.startsWith('@') && !isScope) visit(path, true);
    else if (!entry.name.startsWith('.') && !entry.isFile()) {
      if (fs.existsSync(`${path}/package.json`)) {
        const { name, version } = JSON.parse(fs.readFileSync(`${path}/package.json`, 'utf8'));
        if (typeof name === 'string' && typeof version === 'string') found.add(`${name}@${version}`);
      }
      visit(`${path}/node_modules`, false);
    }
  }
};
visit('/app/node_modules', false);
console.log(found.size);
";

/// How many packages Atoll shows to a program in the project.
pub(super) fn packages_shown(atoll: &System, place: &Place) -> Result<usize, BenchError> {
    let mut command = Command::new(atoll.executable());
    command.args(["run", "-e", COUNT]).current_dir(place.project()).env("HOME", place.home());
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| BenchError::Command {
        command: "atoll run -e …".to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Place, Step, command, lockfile};
    use crate::apps::Apps;
    use crate::registry;
    use crate::systems::{Peer, Repository, System};

    #[test]
    fn no_manager_runs_scripts_or_asks_another_registry() {
        let repository = Repository::find().expect("the checkout");
        let apps = Apps::of(&repository).expect("a directory");
        let place = Place::new(PathBuf::from("/nowhere"));
        for system in System::all(&repository, &apps, None, Peer::INSTALLERS) {
            let command = command(&system, Step::Install, &place);
            let arguments: Vec<String> = command.get_args().map(|word| word.display().to_string()).collect();
            assert!(arguments.iter().any(|word| word == "--ignore-scripts"), "{}: {arguments:?}", system.name);
            let environment: Vec<_> = command.get_envs().collect();
            let has = |name: &str, value: &std::ffi::OsStr| environment.contains(&(name.as_ref(), Some(value)));
            assert!(has("npm_config_registry", registry::origin().as_ref()), "{}", system.name);
            assert!(has("HOME", "/nowhere/home".as_ref()), "{}", system.name);
        }
    }

    #[test]
    fn managers_with_a_lockfile_of_their_own_keep_it() {
        let repository = Repository::find().expect("the checkout");
        let apps = Apps::of(&repository).expect("a directory");
        let names: Vec<&str> = System::all(&repository, &apps, None, Peer::INSTALLERS).iter().map(lockfile).collect();
        let (npm, bun, pnpm) = ("package-lock.json", "bun.lock", "pnpm-lock.yaml");
        assert_eq!(names, [npm, bun, bun, pnpm, pnpm, npm, npm]);
    }
}
