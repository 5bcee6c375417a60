//! Installs a project's packages: the operation that the other modules are the parts of.
//!
//! Cancel: dropping the future leaves the project as before. Up to the commit everything happens in the store, the cache
//! and a stage; the commit itself is a list of renames on a thread of its own, which runs to its end once begun.

mod building;
mod edit;
mod error;
mod files;
mod lockfile;
mod request;
mod settled;
mod tree;
mod virtually;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub use error::InstallError;
use files::{ProjectFiles, resolve_project};
use request::Request;
use tree::{Tree, warn_of_deprecated};
use virtually::Virtually;

use crate::{
    fetch::{Fetcher, Following},
    isolated::Layout,
    link::{
        Method, Project,
        state::{self, Installed},
    },
    linker::Linker,
    lock::{Omit, Platform},
    npmrc::Npmrc,
    plan::{Plan, PlanError},
    registry::{Network, RegistryClient},
    report::{Reporter, Warning},
    scripts::DEADLINE,
    store::{Form, MachineKey, Store},
    threads::{self, blocking},
    version::Version,
    waits::{Unit, Waits},
};

/// How long another installation of the same project is waited for, unless somebody says otherwise: time enough for two of its
/// scripts.
pub const LOCK_DEADLINE: Duration = Duration::from_hours(2);

/// What to install, where, and with what.
#[derive(Clone, Debug)]
pub struct InstallOptions {
    /// The project's folder.
    pub project_dir: PathBuf,
    /// The user's package store.
    pub store_dir: PathBuf,
    /// The user's cache; package documents are kept there.
    pub cache_dir: PathBuf,
    /// The user's state; the machine key is kept there. Not inside the store or the cache.
    pub state_dir: PathBuf,
    /// Registries and credentials.
    pub npmrc: Npmrc,
    /// The machine to install for.
    pub platform: Platform,
    /// The version of Node that packages' `engines` are compared with; `None` to leave them out of account.
    pub node_version: Option<Version>,
    /// Packages to add first: `name`, `name@range`.
    pub add: Vec<String>,
    /// Add them as development dependencies.
    pub save_dev: bool,
    /// Fail when the lockfile does not fit, instead of changing it.
    pub frozen: bool,
    /// Do not use the network.
    pub offline: bool,
    /// Leave out development dependencies.
    pub production: bool,
    /// Where the packages go; `None` leaves it as the last installation had it, and is hoisted at first.
    pub linker: Option<Linker>,
    /// Write the lockfile, and `package.json` where packages are added, and nothing else: no package is downloaded.
    pub lockfile_only: bool,
    /// Do not run scripts, not even those that `package.json` allows.
    pub ignore_scripts: bool,
    /// Environment of the scripts that are allowed, `PATH` included.
    pub script_environment: Vec<(OsString, OsString)>,
    /// How long one script may run.
    pub script_deadline: Duration,
    /// How long to wait for another installation of the same project.
    pub lock_deadline: Duration,
    /// How to reach the network.
    pub network: Network,
    /// Where it is noted what is waited for.
    pub waits: Waits,
}

impl InstallOptions {
    /// Options for a plain installation of the project in `project_dir`, with everything of the user's in folders under
    /// `home`: `store`, `cache` and `state`.
    pub fn new(project_dir: impl Into<PathBuf>, home: &Path, npmrc: Npmrc) -> Self {
        Self {
            project_dir: project_dir.into(),
            store_dir: home.join("store"),
            cache_dir: home.join("cache"),
            state_dir: home.join("state"),
            npmrc,
            platform: crate::platform::detect(),
            node_version: None,
            add: Vec::new(),
            save_dev: false,
            frozen: false,
            offline: false,
            production: false,
            lockfile_only: false,
            linker: None,
            ignore_scripts: false,
            script_environment: Vec::new(),
            script_deadline: DEADLINE,
            lock_deadline: LOCK_DEADLINE,
            network: Network::default(),
            waits: Waits::default(),
        }
    }
}

/// What an installation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// There was nothing to do.
    pub up_to_date: bool,
    /// Packages that are installed now.
    pub installed: usize,
    /// Packages in the lockfile, when that was all that was asked for.
    pub locked: Option<usize>,
    /// Of them, new ones.
    pub added: usize,
    /// Of them, ones that replaced another version.
    pub changed: usize,
    /// Packages that were taken away.
    pub removed: usize,
    /// Packages that were downloaded; the others came from the store.
    pub downloaded: usize,
    /// Bytes received from the network, package documents included.
    pub bytes: u64,
    /// How files got from the store into the project; `None` when none did.
    pub method: Option<Method>,
    /// Direct dependencies that were added to `package.json`, with what it says now.
    pub saved: Vec<(String, String)>,
    /// The lockfile was written.
    pub lock_written: bool,
    /// Name and version of packages whose scripts ran.
    pub scripts_ran: Vec<String>,
    /// Name and version of packages whose scripts did not run because they are not allowed.
    pub scripts_skipped: Vec<String>,
    /// From call to return.
    pub elapsed: Duration,
}

/// Installs. See the module's description for what happens when it is cancelled.
///
/// # Errors
/// See [`InstallError`]. The project is then as it was before.
pub async fn install(options: InstallOptions, reporter: &dyn Reporter) -> Result<Summary, InstallError> {
    let started = Instant::now();
    let summary = install_all(options, reporter).await?;
    Ok(Summary { elapsed: started.elapsed(), ..summary })
}

async fn install_all(mut options: InstallOptions, reporter: &dyn Reporter) -> Result<Summary, InstallError> {
    let key = open_key(&options.state_dir)?;
    let dir = std::path::absolute(&options.project_dir).unwrap_or_else(|_| options.project_dir.clone());
    let project = lock_project(&dir, &key, reporter, &options).await?;
    let files = ProjectFiles::read(&project.dir)?;

    let mut installed = if project.has_modules() { Installed::read_marker(&project.dir) } else { Installed::default() };
    let linker = options.linker.unwrap_or_else(|| installed.linker());
    options.linker = Some(linker);
    let inputs = |manifest: &str, lock: Option<&str>| inputs_digest(&options, manifest, lock);
    let before = inputs(&files.manifest, files.lock.as_deref());
    let virtually = |reporter| Virtually {
        options: &options,
        project: &project,
        key: &key,
        files: &files,
        installed: &installed,
        reporter,
    };
    if options.add.is_empty()
        && !options.lockfile_only
        && let Some(lock_text) = &files.lock
    {
        if linker == Linker::Virtual {
            if let Some(summary) = virtually(reporter).again(&before, lock_text).await? {
                return Ok(summary);
            }
        } else if let Some(marker) = installed.current(&project.dir, &before) {
            let installed = marker.packages.len();
            return Ok(Summary { up_to_date: true, installed, ..Summary::default() });
        }
    }

    let mut summary = Summary::default();
    let store = Store::open(&options.store_dir, key.clone())?;
    let (npmrc, network) = (options.npmrc.clone(), &options.network);
    let client = RegistryClient::new(npmrc, &options.cache_dir, key.clone(), network, options.offline, &options.waits)?;
    let form = if linker == Linker::Virtual { Form::Packed } else { Form::Unpacked };
    let fetcher = Fetcher::new(&client, &store, form, reporter);
    let settled = settled::find(&options, &files, &key, &before)?;
    let (resolved, mut following) = match settled {
        Some(resolved) => (resolved, Following::default()),
        None => resolve_project(&options, &files, &client, &fetcher, reporter, &mut summary).await?,
    };
    if options.lockfile_only {
        summary.lock_written = files.lock.as_deref() != Some(resolved.lock_text());
        lockfile::write(&project, &files, &resolved, &key)?;
        summary.up_to_date = !resolved.changes_files(&files);
        summary.locked = Some(resolved.lock.packages.keys().filter(|path| !path.is_root()).count());
        summary.bytes = client.bytes_received();
        threads::drop_elsewhere(resolved);
        return Ok(summary);
    }

    let omit = Omit { dev: options.production, ..Omit::default() };
    let wanted = resolved.wanted(&options.platform, omit)?;
    if linker == Linker::Virtual {
        let inputs = inputs(&resolved.manifest_text, Some(resolved.lock_text()));
        let done = virtually(reporter).install(&wanted, &resolved, &inputs, (&fetcher, &mut following), &store).await?;
        let (downloaded, bytes, saved) = (fetcher.stored(), client.bytes_received(), summary.saved);
        return Ok(Summary { downloaded, bytes, saved, ..done });
    }
    let plan = if linker == Linker::Isolated {
        installed.date_marker(&project.dir);
        let layout = Layout::new(&resolved.lock, &wanted, !options.production);
        layout.map_err(PlanError::from).and_then(|layout| {
            Plan::isolated(&project.dir, layout, &installed, &resolved.manifest).map_err(PlanError::from)
        })
    } else {
        if project.has_modules() {
            installed.read_lock(&project.dir);
        }
        Plan::hoisted(&project.dir, &resolved.lock, wanted, &installed, &resolved.manifest)
    };
    let plan = plan.map_err(|error| InstallError::of_plan(error, &project.dir))?;
    summary.count(&plan);
    summary.up_to_date = plan.is_empty() && !resolved.changes_files(&files);

    let mut tree = Tree::new(&project, &plan, &resolved, &options, &key)?;
    summary.method = tree.build((&fetcher, &mut following), &store, reporter).await?;
    drop(following);
    (summary.downloaded, summary.bytes) = (fetcher.stored(), client.bytes_received());
    tree.run_scripts(reporter, &mut summary).await?;
    summary.lock_written = files.lock.as_deref() != Some(resolved.lock_text());
    let inputs = inputs(&resolved.manifest_text, Some(resolved.lock_text()));
    tree.describe(&installed, &files, inputs, &mut summary)?;
    tree.commit(&files).await?;

    warn_of_deprecated(plan.build.iter().map(|package| (package.path, package.entry)), &resolved.lock, reporter);
    Ok(summary)
}

impl Summary {
    fn count(&mut self, plan: &Plan<'_>) {
        (self.added, self.changed, self.removed) = (plan.added, plan.replaced, plan.removed);
    }
}

fn open_key(state_dir: &Path) -> Result<MachineKey, InstallError> {
    MachineKey::open(state_dir).map_err(|source| InstallError::Io {
        action: "keep the machine key in",
        path: state_dir.to_path_buf(),
        source,
    })
}

/// Waits for other installations in this project, then finishes what a killed one left.
async fn lock_project(
    dir: &Path,
    key: &MachineKey,
    reporter: &dyn Reporter,
    options: &InstallOptions,
) -> Result<Arc<Project>, InstallError> {
    let InstallOptions { waits, lock_deadline, .. } = options;
    let wrap = |action: &'static str| {
        let path = dir.to_path_buf();
        move |source| InstallError::Io { action, path, source }
    };
    let project = if let Some(project) = Project::try_lock(dir).map_err(wrap("open"))? {
        project
    } else {
        let holder = Project::holder(dir);
        reporter.waiting_for_project(holder);
        let process = holder.map(|process| format!(" (process {process})")).unwrap_or_default();
        let what = format!("waiting for another installation in {}{process}", dir.display());
        let _waiting = waits.begin(what, Unit::None);
        // A plain thread, which a runtime that shuts down does not wait for.
        let (sender, receiver) = oneshot::channel();
        let folder = dir.to_path_buf();
        let waiting = move || {
            // Nobody wants the lock any more when the receiver is gone.
            let _ = sender.send(Project::lock(&folder));
        };
        thread::Builder::new().name("install-lock".to_owned()).spawn(waiting).map_err(wrap("lock"))?;
        let Ok(locked) = tokio::time::timeout(*lock_deadline, receiver).await else {
            return Err(InstallError::Busy { folder: dir.to_path_buf(), holder, waited: *lock_deadline });
        };
        let locked = locked.unwrap_or_else(|_| Err(io::Error::other("the waiting thread ended")));
        locked.map_err(wrap("lock"))?
    };
    let project = Arc::new(project);
    if project.has_leftovers().map_err(wrap("repair"))? {
        let waiting = waits.begin(format!("clearing up after a killed installation in {}", dir.display()), Unit::None);
        let (locked, key) = (Arc::clone(&project), key.clone());
        let is_repaired = blocking(move || locked.recover(&key)).await.map_err(wrap("repair"))?;
        drop(waiting);
        if is_repaired {
            reporter.warning(&Warning::Repaired);
        }
    }
    Ok(project)
}

/// A digest of all that decides what an installation does.
fn inputs_digest(options: &InstallOptions, manifest: &str, lock: Option<&str>) -> String {
    let Platform { os, cpu, libc } = &options.platform;
    let flags = [options.production, options.ignore_scripts, lock.is_some()].map(u8::from);
    let linker = options.linker.map_or("", Linker::name);
    let libc = libc.as_deref().unwrap_or_default();
    state::inputs_digest(&[
        manifest.as_bytes(),
        lock.unwrap_or_default().as_bytes(),
        os.as_bytes(),
        cpu.as_bytes(),
        libc.as_bytes(),
        linker.as_bytes(),
        &flags,
    ])
}
