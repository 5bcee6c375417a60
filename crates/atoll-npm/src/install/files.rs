//! The project's files: as they are, and as they will be.

use std::{
    collections::HashSet,
    fs, io,
    path::Path,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{InstallError, InstallOptions, Request, Summary, request};
use crate::{
    fetch::{Eager, Fetcher, Following},
    link::commit::Journal,
    lock::{self, BadPlatform, InstallPath, LockEntry, Lockfile, Omit, Platform},
    manifest::{DependencyMap, Manifest},
    packument::Packument,
    registry::RegistryClient,
    report::{Reporter, Stage},
    resolve::{self, PackumentSource, ResolveError, SourceError, resolve},
};

/// The project's files as they are.
#[derive(Debug)]
pub(super) struct ProjectFiles {
    pub(super) manifest: String,
    pub(super) lock: Option<String>,
}

impl ProjectFiles {
    pub(super) fn read(dir: &Path) -> Result<Self, InstallError> {
        let read = |name: &str| match fs::read_to_string(dir.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(InstallError::Io { action: "read", path: dir.join(name), source }),
        };
        let manifest = read(MANIFEST)?.ok_or_else(|| InstallError::NoManifest { folder: dir.to_path_buf() })?;
        Ok(Self { manifest, lock: read(lock::FILE_NAME)? })
    }

    /// For an installation that changes neither.
    pub(super) fn as_they_are<'f>(&'f self, lock: &'f str) -> [ProjectFile<'f>; 2] {
        let file = |name, text| ProjectFile { name, before: Some(text), after: text };
        [file(MANIFEST, self.manifest.as_str()), file(lock::FILE_NAME, lock)]
    }
}

/// A file of the project's own, as it is and as it will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProjectFile<'a> {
    pub(super) name: &'static str,
    /// `None` when it is not there.
    pub(super) before: Option<&'a str>,
    pub(super) after: &'a str,
}

impl ProjectFile<'_> {
    /// Whether it has to be written.
    pub(super) fn changes(&self) -> bool {
        self.before != Some(self.after)
    }

    /// Has the journal rely on nobody else changing it meanwhile.
    pub(super) fn guard(&self, journal: &mut Journal) {
        journal.guard(self.name, self.before.map(str::as_bytes), Some(self.after.as_bytes()));
    }
}

/// File name of a project's manifest.
pub(super) const MANIFEST: &str = "package.json";

/// The project's files as they will be.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) manifest: Manifest,
    pub(super) manifest_text: String,
    pub(super) lock: Lockfile,
    /// The lockfile's text: as it is when it may not change, else as soon as it is asked for.
    lock_text: OnceLock<String>,
    /// The lockfile's text may be other than what we would write.
    is_foreign: bool,
    /// What `lock` has of it is only what is installed.
    is_part: bool,
}

impl Resolved {
    /// For files that are known to fit each other: `part` is what this machine installs of the lockfile.
    pub(super) fn settled(manifest: Manifest, files: &ProjectFiles, part: Lockfile) -> Self {
        let (manifest_text, lock_text) =
            (files.manifest.clone(), OnceLock::from(files.lock.clone().unwrap_or_default()));
        Self { manifest, manifest_text, lock: part, lock_text, is_foreign: false, is_part: true }
    }

    /// What belongs on this machine, without the project itself.
    ///
    /// # Errors
    /// When a package that is not optional does not run here.
    pub(super) fn wanted(
        &self,
        platform: &Platform,
        omit: Omit,
    ) -> Result<Vec<(&InstallPath, &LockEntry)>, BadPlatform> {
        if self.is_part {
            return Ok(self.lock.packages.iter().filter(|(path, _)| !path.is_root()).collect());
        }
        self.lock.wanted(platform, omit)
    }

    /// Whether `lock` is all of a lockfile whose text is what we would write.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_part && (!self.is_foreign || self.lock.to_text() == self.lock_text())
    }

    /// The project's own files.
    pub(super) fn project_files<'f>(&'f self, files: &'f ProjectFiles) -> [ProjectFile<'f>; 2] {
        let (manifest, lock) = (Some(files.manifest.as_str()), files.lock.as_deref());
        [
            ProjectFile { name: MANIFEST, before: manifest, after: &self.manifest_text },
            ProjectFile { name: lock::FILE_NAME, before: lock, after: self.lock_text() },
        ]
    }

    pub(super) fn changes_files(&self, files: &ProjectFiles) -> bool {
        self.project_files(files).iter().any(ProjectFile::changes)
    }

    /// The text of the lockfile. Asked for the first time it takes milliseconds: best while others work.
    pub(super) fn lock_text(&self) -> &str {
        self.lock_text.get_or_init(|| self.lock.to_text())
    }

    /// The text of the lockfile with these packages alone.
    pub(super) fn lock_text_of(&self, packages: &[(&InstallPath, &LockEntry)]) -> String {
        let wanted: HashSet<&str> = packages.iter().map(|(path, _)| path.as_str()).collect();
        let in_full = || {
            let parsed = self.is_part.then(|| Lockfile::parse(lock::FILE_NAME, self.lock_text()).ok()).flatten();
            let mut lock = parsed.unwrap_or_else(|| self.lock.clone());
            lock.packages.retain(|path, _| wanted.contains(path.as_str()));
            lock.to_text()
        };
        if self.is_foreign {
            return in_full();
        }
        let kept = lock::keep_packages(self.lock_text(), |path| wanted.contains(path)).unwrap_or_else(in_full);
        debug_assert_eq!(kept, in_full());
        kept
    }
}

/// From the project's files to what they will be. What is very likely needed is downloaded meanwhile, and the downloads that
/// have begun go on.
pub(super) async fn resolve_project<'f>(
    options: &'f InstallOptions,
    files: &ProjectFiles,
    client: &Arc<RegistryClient>,
    fetcher: &'f Fetcher<'_>,
    reporter: &dyn Reporter,
    summary: &mut Summary,
) -> Result<(Resolved, Following<'f>), InstallError> {
    let started = Instant::now();
    reporter.stage_started(Stage::Resolve, 0);
    let original = Manifest::parse(MANIFEST, &files.manifest)?;
    let requests: Vec<Request> = options.add.iter().map(|text| Request::parse(text)).collect::<Result<_, _>>()?;
    let mut text = files.manifest.clone();
    for request in &requests {
        let section = request::section(&original, &request.name, options.save_dev);
        text = request::write(&text, section, &request.name, &request.wanted);
    }
    let manifest = Manifest::parse(MANIFEST, &text)?;
    let mut existing = files.lock.as_deref().map(|text| Lockfile::parse(lock::FILE_NAME, text)).transpose()?;
    if let Some(existing) = &mut existing {
        // What is asked for anew is chosen anew.
        existing.packages.retain(|path, _| !requests.iter().any(|request| is_direct(path, &request.name)));
    }

    let rules = resolve::Options { node_version: options.node_version.clone(), ..resolve::Options::default() };
    let mut following = Following::default();
    let mut lock = if options.frozen {
        let Some(existing) = existing.as_ref() else {
            return Err(InstallError::FrozenWithoutLock { folder: options.project_dir.clone() });
        };
        let lock = frozen(&manifest, existing, &rules).await?;
        reporter.stage_finished(Stage::Resolve, started.elapsed());
        lock
    } else {
        let (source, guesses) = Eager::new(client, &manifest, reporter);
        // Guesses do not tell development dependencies apart.
        if !options.production && !options.lockfile_only {
            let asking = manifest.clone();
            following = fetcher.follow(guesses, move |name| asking.depends_on(name), &options.platform);
        }
        let resolving = async {
            let result = resolve(&manifest, existing.as_ref(), &source, &rules).await;
            drop(source);
            reporter.stage_finished(Stage::Resolve, started.elapsed());
            result
        };
        let mut resolving = pin!(resolving);
        loop {
            tokio::select! {
                biased;
                lock = &mut resolving => break lock?,
                () = following.end(), if following.is_going_on() => {}
            }
        }
    };

    for request in &requests {
        let version = lock.packages.iter().find(|(path, _)| is_direct(path, &request.name));
        let version = version.and_then(|(_, entry)| entry.version.clone()).unwrap_or_default();
        let saved = request.saved(&version);
        let section = request::section(&original, &request.name, options.save_dev);
        text = request::write(&text, section, &request.name, &saved);
        if let Some(root) = lock.packages.get_mut(&InstallPath::ROOT) {
            let map = match section {
                "devDependencies" => &mut root.dev_dependencies,
                "optionalDependencies" => &mut root.optional_dependencies,
                _ => &mut root.dependencies,
            };
            map.insert(request.name.clone(), saved.clone());
        }
        summary.saved.push((request.name.clone(), saved));
    }
    let lock_text = match &files.lock {
        Some(text) if options.frozen => OnceLock::from(text.clone()),
        _ => OnceLock::new(),
    };
    Ok((
        Resolved { manifest, manifest_text: text, lock, lock_text, is_foreign: options.frozen, is_part: false },
        following,
    ))
}

fn is_direct(path: &InstallPath, name: &str) -> bool {
    path.depth() == 1 && path.name() == name
}

/// The lockfile, when it needs no change.
async fn frozen(manifest: &Manifest, existing: &Lockfile, rules: &resolve::Options) -> Result<Lockfile, InstallError> {
    let differences = differences(manifest, existing);
    if !differences.is_empty() {
        return Err(InstallError::Frozen { differences });
    }
    match resolve(manifest, Some(existing), &Nothing, rules).await {
        Ok(lock) if lock.packages.keys().eq(existing.packages.keys()) => Ok(lock),
        Ok(lock) => {
            let missing = lock.packages.keys().filter(|path| !existing.packages.contains_key(*path));
            let unused = existing.packages.keys().filter(|path| !lock.packages.contains_key(*path));
            let lines = missing.map(|path| format!("{path} is missing from the lockfile"));
            let differences = lines.chain(unused.map(|path| format!("{path} is not needed"))).collect();
            Err(InstallError::Frozen { differences })
        }
        Err(ResolveError::Source { asker, source: SourceError::Failed(_) }) => {
            Err(InstallError::Frozen { differences: vec![format!("{asker}: missing from the lockfile")] })
        }
        Err(error) => Err(error.into()),
    }
}

/// A source for resolutions that must not need one.
struct Nothing;

impl PackumentSource for Nothing {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, SourceError> {
        Err(SourceError::Failed(Arc::new(io::Error::other(format!("{name} is not in the lockfile")))))
    }
}

/// What the project asks for, and what the lockfile says that it asks for.
fn differences(manifest: &Manifest, lock: &Lockfile) -> Vec<String> {
    let empty = lock::LockEntry::default();
    let root = lock.packages.get(&InstallPath::ROOT).unwrap_or(&empty);
    let mut found = Vec::new();
    let regular: DependencyMap = root
        .dependencies
        .iter()
        .filter(|(name, _)| !root.optional_dependencies.contains_key(*name))
        .map(|(name, wanted)| (name.clone(), wanted.clone()))
        .collect();
    for (section, asked, locked) in [
        ("dependencies", &manifest.dependencies, &regular),
        ("devDependencies", &manifest.dev_dependencies, &root.dev_dependencies),
        ("optionalDependencies", &manifest.optional_dependencies, &root.optional_dependencies),
        ("peerDependencies", &manifest.peer_dependencies, &root.peer_dependencies),
    ] {
        for (name, wanted) in asked {
            match locked.get(name) {
                Some(same) if same == wanted => {}
                Some(other) => {
                    found.push(format!("{section}: {name} is {wanted} in package.json and {other} in the lockfile"));
                }
                None => found.push(format!("{section}: {name} {wanted} is missing from the lockfile")),
            }
        }
        let gone = locked.keys().filter(|name| !asked.contains_key(*name));
        found.extend(gone.map(|name| format!("{section}: {name} is in the lockfile and not in package.json")));
    }
    found
}
