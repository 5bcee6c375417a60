//! From a directory or a file of the operator to an app that can be started: which project, which entry, which mounts.

mod entry;
mod grants;
mod machine;
mod mounts;
mod packages;
mod streams;

pub(crate) use grants::{Grants, flag_settings};
pub(crate) use mounts::GrantedMount;

use crate::directories::Directories;
use crate::terminal::{Failure, Places, TerminalReporter};
use atoll_node::loader::{Loader, LoaderOptions};
use atoll_runtime::{App, Metrics, SealedCache, User};
use atoll_vfs::{Access, Devices, GuestPath, HostDir, Layer, Memory, MountTable, Quota, StandardStreams};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a guest sees its project.
const APP: &str = "/app";

/// Where it sees the project's packages.
const PACKAGES: &str = "/app/node_modules";

/// Files that a guest may keep in `/tmp`: each costs up to a kilobyte beside its content, so that all of them together
/// stay below half of what their content may take by default.
const TMP_FILES_MAX: u64 = 65_536;

/// What all apps of this process share.
pub(crate) struct Surroundings {
    pub(crate) working_directory: PathBuf,
    /// The user's, where there is a home. That is never taken for a project unless it is named.
    pub(crate) directories: Option<Directories>,
    pub(crate) cache: Option<Arc<SealedCache>>,
    /// What is counted of apps.
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reporter: Arc<TerminalReporter>,
}

/// Where an app's files are.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// What becomes `/app`, absolute and without links.
    pub(crate) root: PathBuf,
    /// The module to evaluate, relative to the root.
    entry: PathBuf,
    /// The working directory that the guest sees, relative to the root.
    directory: PathBuf,
    /// The entry is in a package that is on no disk: it may be a link, such as those of `.bin`.
    is_in_packages: bool,
    /// Shown in logs: the deployment's name, or the directory's.
    pub(crate) name: String,
    /// The entry's text, where it is no file.
    text: Option<String>,
}

impl Project {
    /// The project of an app to serve: `directory`, or the nearest one above with a `package.json`.
    pub(crate) fn of_directory(
        directory: &Path,
        entry: Option<&Path>,
        surroundings: &Surroundings,
    ) -> Result<Self, Failure> {
        let found = real_path(directory)?;
        if !found.is_dir() {
            let failure = Failure::new(format!("{} is not a directory", directory.display()));
            return Err(failure.hint(format!(
                "atoll serve takes the app's directory; --entry names a module in it, and atoll run {} runs a program",
                directory.display()
            )));
        }
        let root = surroundings.project_of(&found);
        let entry = match entry {
            Some(named) => {
                let path = real_path(&directory.join(named))?;
                below(&root, &path).ok_or_else(|| outside(&path, &root))?
            }
            None => entry::find(&root, &found)?,
        };
        let (name, directory) = (name_of(&found), below(&root, &found).unwrap_or_default());
        Ok(Self { name, directory, root, entry, is_in_packages: false, text: None })
    }

    /// The project of a program: the directory that is mounted at `/app`, if it lies in that; else the nearest directory
    /// above it with a `package.json`, else the one it lies in.
    pub(crate) fn of_program(file: &Path, grants: &Grants, surroundings: &Surroundings) -> Result<Self, Failure> {
        let path = match real_path(file) {
            Err(missing) => return Self::of_package(file, surroundings).ok_or(missing),
            Ok(path) => path,
        };
        if path.is_dir() {
            let failure = Failure::new(format!("{} is a directory", file.display()));
            return Err(failure
                .hint(format!("name the program's file, or serve the app in it: atoll serve {}", file.display())));
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let root = match grants.mount_at(APP) {
            // A directory that isn't there is an error of the mount's.
            Some(mount) => std::fs::canonicalize(surroundings.working_directory.join(&mount.host)).ok(),
            None => None,
        };
        let root = root.filter(|root| path.starts_with(root)).unwrap_or_else(|| surroundings.project_of(folder));
        let entry = below(&root, &path).ok_or_else(|| outside(&path, &root))?;
        let directory = below(&root, &surroundings.working_directory).unwrap_or_default();
        Ok(Self { name: file.display().to_string(), root, entry, directory, is_in_packages: false, text: None })
    }

    /// The project of a program in one of its packages that is on no disk, as in `atoll run node_modules/.bin/tool`.
    fn of_package(file: &Path, surroundings: &Surroundings) -> Option<Self> {
        let path = surroundings.working_directory.join(file);
        let modules =
            path.ancestors().filter(|folder| folder.file_name() == Some(OsStr::new(packages::MODULES))).last()?;
        let root = real_path(modules.parent()?).ok()?;
        if !packages::are_virtual(&root) {
            return None;
        }
        let entry = Path::new(packages::MODULES).join(path.strip_prefix(modules).ok()?);
        let directory = below(&root, &surroundings.working_directory).unwrap_or_default();
        let name = file.display().to_string();
        Some(Self { name, root, entry, directory, is_in_packages: true, text: None })
    }

    /// The project of a program that lies in no file: the nearest directory above the working directory with a
    /// `package.json`, else the working directory. `name` is what stack traces call it.
    pub(crate) fn of_text(name: &str, text: String, surroundings: &Surroundings) -> Self {
        let root = surroundings.project_of(&surroundings.working_directory);
        let directory = below(&root, &surroundings.working_directory).unwrap_or_default();
        // Without types it is JavaScript, which TypeScript is a superset of.
        let entry = directory.join(format!("[{name}].ts"));
        Self { name: name.to_owned(), root, entry, directory, is_in_packages: false, text: Some(text) }
    }

    /// How paths of the guest are shown.
    pub(crate) fn places(&self, surroundings: &Surroundings) -> Places {
        Places::new(&self.root, &surroundings.working_directory)
    }

    /// The entry as the operator would name it.
    pub(crate) fn shown_entry(&self, surroundings: &Surroundings) -> String {
        self.places(surroundings).show(&format!("{APP}/{}", self.entry.display()))
    }

    /// The app, ready to be started. Modules are read when it starts.
    pub(crate) fn app(
        &self,
        arguments: Vec<String>,
        grants: &Grants,
        surroundings: &Surroundings,
    ) -> Result<Arc<App>, Failure> {
        let mounts = Arc::new(self.mounts(grants, surroundings)?);
        let cache = surroundings.cache.as_ref();
        let options = LoaderOptions {
            conditions: Vec::new(),
            cache: cache.map(|cache| Arc::clone(cache) as _),
            tsconfig: true,
            builtins: atoll_runtime::builtin_names(),
        };
        let mut entry = guest_path(&self.entry)?;
        if self.is_in_packages {
            entry = mounts.canonicalize(&entry).map_err(|_| Failure::new(format!("there is no {}", self.name)))?;
        }
        let loader = Loader::new(Arc::clone(&mounts), options);
        let loader = match &self.text {
            Some(text) => loader.with_program(entry.clone(), text.clone()),
            None => loader,
        };
        Ok(Arc::new(App {
            name: self.name.clone(),
            tenant: grants.tenant.clone(),
            isolation: grants.isolation,
            entry,
            loader: Arc::new(loader),
            mounts,
            env: grants.env.clone(),
            arguments,
            input: grants.input.clone(),
            user: user(),
            working_directory: guest_path(&self.directory)?,
            fetch: grants.fetch.clone(),
            limits: grants.limits,
            code_cache: cache.map(|cache| Arc::clone(cache) as _),
            metrics: surroundings.metrics.of(&self.name),
            reporter: Arc::clone(&surroundings.reporter) as _,
        }))
    }

    fn mounts(&self, grants: &Grants, surroundings: &Surroundings) -> Result<MountTable, Failure> {
        let app = HostDir::read_only(&self.root).map_err(|error| Failure::new(error.to_string()))?;
        let quota = Quota { bytes: grants.limits.tmp_bytes, inodes: TMP_FILES_MAX };
        let own: [(&str, Arc<dyn Layer>, Access); 5] = [
            (APP, Arc::new(app), Access::ReadOnly),
            ("/tmp", Arc::new(Memory::new(quota)), Access::ReadWrite),
            // Read-only, `/dev/null` could not be written to.
            ("/dev", Arc::new(devices(grants.streams.clone())), Access::ReadWrite),
            ("/proc", machine::kernel()?, Access::ReadOnly),
            (machine::BINARIES, machine::binaries()?, Access::ReadOnly),
        ];
        let mut builder = MountTable::builder();
        for (point, layer, access) in own {
            // What is granted at the same place comes in its stead: a project that may be changed, for instance.
            if grants.mount_at(point).is_none() {
                builder = builder.mount_shared(point, layer, access).map_err(|error| mounts::explain(&error))?;
            }
        }
        for mount in &grants.mounts {
            builder = mount.add_to(builder, &surroundings.working_directory, quota)?;
        }
        if grants.mount_at(PACKAGES).is_none() {
            let shown = grants.mount_at(APP).map(|mount| surroundings.working_directory.join(&mount.host));
            let project = shown.as_deref().unwrap_or(&self.root);
            // Programs may be tools that write there. Of an app that is served, no request leaves code for the next ones.
            let (access, changes) = match grants.streams {
                Some(_) => (Access::ReadWrite, Some(quota)),
                None => (Access::ReadOnly, None),
            };
            if let Some(layer) = packages::layer(project, surroundings.directories.as_ref(), changes)? {
                builder = builder.mount_shared(PACKAGES, layer, access).map_err(|error| mounts::explain(&error))?;
            }
        }
        builder.build().map_err(|error| mounts::explain(&error))
    }
}

/// The user that this process runs as, who owns what a guest makes in directories of the host.
fn user() -> User {
    let (uid, gid) = atoll_sys::process::effective_user();
    User { uid, gid }
}

fn devices(streams: Option<Arc<dyn StandardStreams>>) -> Devices {
    streams.map_or_else(Devices::without_streams, Devices::new)
}

impl Surroundings {
    /// The nearest directory with a `package.json`, from `folder` up, else `folder`. The search ends below the user's home:
    /// a stray file there must not hand all of it to a guest.
    fn project_of(&self, folder: &Path) -> PathBuf {
        let is_too_high = |path: &Path| {
            path.parent().is_none() || self.directories.as_ref().is_some_and(|directories| directories.home == path)
        };
        let candidates = folder.ancestors().take_while(|path| *path == folder || !is_too_high(path));
        let mut projects = candidates.filter(|path| path.join("package.json").is_file());
        projects.next().unwrap_or(folder).to_owned()
    }
}

fn real_path(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!("there is no {}", path.display())),
        _ => Failure::new(format!("{}: {error}", path.display())),
    })
}

fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    path.strip_prefix(root).ok().map(Path::to_owned)
}

fn outside(path: &Path, root: &Path) -> Failure {
    Failure::new(format!("{} is not in the project {}", path.display(), root.display()))
        .hint("a guest sees the files of its project only; name a module in it")
}

fn guest_path(relative: &Path) -> Result<GuestPath, Failure> {
    let path = Path::new(APP).join(relative);
    GuestPath::new(&path)
        .map_err(|error| Failure::new(format!("{} can't be a path of a guest: {error}", path.display())))
}

fn name_of(directory: &Path) -> String {
    directory.file_name().and_then(OsStr::to_str).unwrap_or("app").to_lowercase()
}
