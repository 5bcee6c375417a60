//! A project, a home and a registry of their own for each test.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use atoll_npm::{
    install::{InstallError, InstallOptions, Summary, install},
    lock::Platform,
    npmrc::Npmrc,
    registry::Network,
    report::{Progress, Reporter, Silent, Stage, Warning},
};
use atoll_test::npm_registry::NpmRegistry;
use tempfile::TempDir;

/// A project beside a user's folders.
pub(crate) struct Scene {
    /// Where packages come from.
    pub(crate) registry: NpmRegistry,
    folder: TempDir,
    /// Lines added to `.npmrc`.
    pub(crate) npmrc: String,
}

impl Scene {
    /// A project with this `package.json`.
    pub(crate) fn new(manifest: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        let scene = Self { registry: NpmRegistry::start(), folder, npmrc: String::new() };
        scene.write("package.json", manifest);
        scene
    }

    /// The project's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Where store, cache and state are.
    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// Options with little patience, for a Linux machine with glibc.
    pub(crate) fn options(&self) -> InstallOptions {
        options(&self.dir(), self.home(), &self.registry.url(), &self.npmrc)
    }

    /// Installs.
    pub(crate) async fn install(&self) -> Result<Summary, InstallError> {
        install(self.options(), &Silent).await
    }

    /// Installs with options changed.
    pub(crate) async fn install_with(&self, change: impl FnOnce(&mut InstallOptions)) -> Result<Summary, InstallError> {
        let mut options = self.options();
        change(&mut options);
        install(options, &Silent).await
    }

    /// Installs packages by name.
    pub(crate) async fn add(&self, packages: &[&str]) -> Result<Summary, InstallError> {
        self.install_with(|options| options.add = packages.iter().map(|name| (*name).to_owned()).collect()).await
    }

    /// Every file and link of the project with its content or target.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        snapshot(&self.dir())
    }

    /// Number of directories in the making that the store has.
    pub(crate) fn store_leftovers(&self) -> usize {
        fs::read_dir(self.home().join("store/v1/stage")).unwrap().count()
    }

    /// Number of entries that the store has.
    pub(crate) fn store_entries(&self) -> usize {
        let folders = fs::read_dir(self.home().join("store/v1")).unwrap().flatten();
        folders
            .filter(|folder| folder.file_name() != "stage")
            .map(|folder| fs::read_dir(folder.path()).unwrap().count())
            .sum()
    }
}

/// See [`Scene::options`].
pub(crate) fn options(dir: &Path, home: &Path, registry: &str, npmrc: &str) -> InstallOptions {
    let text = format!("registry={registry}\n{npmrc}");
    let npmrc = Npmrc::default().with_file(".npmrc", &text, |_| None).unwrap();
    let mut options = InstallOptions::new(dir, home, npmrc);
    options.platform = Platform { os: "linux".to_owned(), cpu: "x64".to_owned(), libc: Some("glibc".to_owned()) };
    options.script_environment = vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
    options.network = Network {
        attempts: 3,
        first_pause: Duration::from_millis(5),
        connect: Duration::from_secs(2),
        stall: Duration::from_secs(1),
        ..Network::default()
    };
    options
}

/// Every file and link under a folder, with its content or target.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.insert(name, format!("-> {}", target.display()).into_bytes());
            } else {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Collects warnings.
#[derive(Default)]
pub(crate) struct Warnings(Mutex<Vec<Warning>>);

impl Warnings {
    pub(crate) fn all(&self) -> Vec<Warning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Warnings {
    fn warning(&self, warning: &Warning) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(warning.clone());
    }
}

/// Bytes that do not compress; the same ones every time (xorshift).
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = Vec::with_capacity(bytes);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

/// Collects progress.
#[derive(Default)]
pub(crate) struct Steps(Mutex<Vec<(Stage, Progress)>>);

impl Steps {
    pub(crate) fn all(&self) -> Vec<(Stage, Progress)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Steps {
    fn progressed(&self, stage: Stage, progress: Progress) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((stage, progress));
    }
}

/// Runs an ignored test, by its whole path, in a process that may mount what it likes without anybody else seeing it. Says so,
/// and does nothing, when this machine lets nobody do that.
#[expect(clippy::print_stderr, reason = "a test that tested nothing says why")]
pub(crate) fn in_namespace(test: &str, variables: &[(&str, &Path)]) {
    let unshare = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user"]).arg(program).args(arguments);
        command.envs(variables.iter().copied()).status().is_ok_and(|status| status.success())
    };
    if !unshare(Path::new("mount"), &["-t", "tmpfs", "none", "/tmp"]) {
        eprintln!("skipped: no mount namespace can be made here, which takes root or unprivileged user namespaces");
        return;
    }
    assert!(unshare(&env::current_exe().unwrap(), &["--exact", test, "--ignored", "--quiet"]), "{test}");
}

/// Something that is mounted until this is dropped, in a process that may.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// What `mount` does with these arguments and the folder.
    pub(crate) fn new(arguments: &[&str], folder: &Path) -> Self {
        mount(arguments, folder);
        Self(folder.to_path_buf())
    }

    /// The folder as it is, read-only from now on.
    pub(crate) fn read_only(folder: &Path) -> Self {
        let mounted = Self::new(&["--bind", folder.to_str().unwrap()], folder);
        mount(&["-o", "remount,bind,ro"], folder);
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The namespace's end would do it, but folders have to be removed before.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// What `mount` does with these arguments and the folder.
pub(crate) fn mount(arguments: &[&str], folder: &Path) {
    assert!(Command::new("mount").args(arguments).arg(folder).status().unwrap().success(), "{arguments:?}");
}
