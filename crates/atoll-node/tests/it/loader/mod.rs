//! Resolution and compilation over a guest's files.

mod compile;
mod exports;
mod hostile;
mod package_json;
mod resolve;

use atoll_node::loader::{ImportType, LoadError, Loader, LoaderOptions, ResolveKind, Resolved, Source, SourceKind};
use atoll_vfs::{Access, GuestPath, Layer, Memory, MountTable, Quota};
use std::sync::Arc;

/// An app below `/app` (read-only to the guest) and an empty `/tmp`, from pairs of path and text.
pub(crate) struct App {
    pub(crate) loader: Loader,
    pub(crate) mounts: Arc<MountTable>,
}

pub(crate) fn options() -> LoaderOptions {
    let builtins = ["node:fs", "node:path", "node:test", "node/internal/cjs", "atoll:kv"];
    LoaderOptions {
        conditions: Vec::new(),
        cache: None,
        tsconfig: true,
        builtins: builtins.map(str::to_owned).to_vec(),
    }
}

/// Tables that show the app's files: one for writing them, one as the guest has it.
pub(crate) fn tables() -> (MountTable, Arc<MountTable>) {
    let quota = || Quota { bytes: 512 << 20, inodes: 100_000 };
    let files: Arc<dyn Layer> = Arc::new(Memory::new(quota()));
    let host = MountTable::builder().mount_shared("/app", Arc::clone(&files), Access::ReadWrite).expect("a mount");
    let guest = MountTable::builder()
        .mount_shared("/app", files, Access::ReadOnly)
        .and_then(|table| table.mount("/tmp", Memory::new(quota()), Access::ReadWrite))
        .expect("mounts");
    (host.build().expect("a table"), Arc::new(guest.build().expect("a table")))
}

pub(crate) fn write(table: &MountTable, path: &str, text: &str) {
    let path = guest(path);
    let mut missing = Vec::new();
    let mut directory = path.parent();
    while table.metadata(&directory).is_err() {
        missing.push(directory.clone());
        directory = directory.parent();
    }
    for directory in missing.iter().rev() {
        table.create_dir(directory, 0o755).expect("a directory");
    }
    table.write(&path, text.as_bytes()).expect("a file");
}

impl App {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, &[], options())
    }

    pub(crate) fn with(files: &[(&str, &str)], links: &[(&str, &str)], options: LoaderOptions) -> Self {
        let (host, mounts) = tables();
        for (path, text) in files {
            write(&host, path, text);
        }
        for (path, target) in links {
            host.symlink(target.as_bytes(), &guest(path)).expect("a link");
        }
        Self { loader: Loader::new(Arc::clone(&mounts), options), mounts }
    }

    pub(crate) fn import(&self, specifier: &str, referrer: &str) -> Result<String, LoadError> {
        self.loader.resolve(specifier, &guest(referrer), ResolveKind::Import).map(shown)
    }

    pub(crate) fn require(&self, specifier: &str, referrer: &str) -> Result<String, LoadError> {
        self.loader.resolve(specifier, &guest(referrer), ResolveKind::Require).map(shown)
    }

    pub(crate) fn load(&self, path: &str) -> Source {
        self.try_load(path).expect("a source")
    }

    pub(crate) fn try_load(&self, path: &str) -> Result<Source, LoadError> {
        self.loader.load(&guest(path), ImportType::Auto)
    }
}

pub(crate) fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).expect("a path")
}

/// A result in one string: a path with its suffix, or a builtin's name.
fn shown(resolved: Resolved) -> String {
    match resolved {
        Resolved::Builtin(name) => name,
        Resolved::File { path, suffix } => format!("{path}{suffix}"),
        Resolved::Data(url) => url,
    }
}

/// The kind of a source in one word.
pub(crate) fn word(source: &Source) -> &'static str {
    match source.kind {
        SourceKind::Module => "module",
        SourceKind::CommonJs { .. } => "commonjs",
        SourceKind::Json => "json",
        SourceKind::Text => "text",
    }
}
