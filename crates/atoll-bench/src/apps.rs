//! The apps that systems serve, staged: each is a directory of sources in `bench/runtime`, and its bundle where it has one.
//!
//! A staged app is `target/bench/apps/<name>` with two directories in it. `atoll` is the app as Atoll serves it, with its
//! package.json; `peers` has the servers of the others, without a package.json for them to read. Both have the same
//! bundle, made once for all systems by esbuild from the packages that `bench/bundles` pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;
use crate::npm;
use crate::systems::Repository;

/// The bundler, below `bench/bundles/node_modules`.
const ESBUILD: &str = "@esbuild/linux-x64/bin/esbuild";
/// Sizes of the bundle that is to have 300 KB, in bytes: a new version of a package may move it by a tenth.
const LARGE_BUNDLE_BYTES: std::ops::RangeInclusive<u64> = 270_000..=330_000;
/// The file of the app's own module, and Atoll's entry.
const MODULE: &str = "app.js";
/// The file of the bundle, where there is one.
const BUNDLE: &str = "bundle.js";

/// An app. Its name is that of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum App {
    /// Answers `Hello, World!`.
    Hello,
    /// Reads an order as JSON, validates it with zod, answers its total as JSON.
    Orders,
    /// 300 KB of hono, zod and others, which it answers with.
    Large,
    /// Answers how often its worker has answered.
    Counter,
    /// Never answers, and uses all the CPU time that it gets.
    Burner,
}

impl App {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Orders => "orders",
            Self::Large => "large",
            Self::Counter => "counter",
            Self::Burner => "burner",
        }
    }

    /// What its bundle is made from, in `bench/bundles`.
    fn bundled_from(self) -> Option<&'static str> {
        match self {
            Self::Orders => Some("orders.js"),
            Self::Large => Some("large.js"),
            Self::Hello | Self::Counter | Self::Burner => None,
        }
    }
}

/// Where the staged apps are.
#[derive(Debug, Clone)]
pub(crate) struct Apps {
    sources: PathBuf,
    bundles: PathBuf,
    staged: PathBuf,
}

impl Apps {
    pub(crate) fn of(repository: &Repository) -> Result<Self, BenchError> {
        Ok(Self {
            sources: repository.root.join("bench/runtime"),
            bundles: repository.root.join("bench/bundles"),
            staged: repository.work()?.join("apps"),
        })
    }

    /// The app as Atoll serves it.
    pub(crate) fn for_atoll(&self, app: App) -> PathBuf {
        self.staged.join(app.name()).join("atoll")
    }

    /// The app as the others serve it.
    pub(crate) fn for_peers(&self, app: App) -> PathBuf {
        self.staged.join(app.name()).join("peers")
    }

    /// A file beside the app's sources, such as an answer.
    pub(crate) fn file(&self, app: App, name: &str) -> PathBuf {
        self.sources.join(app.name()).join(name)
    }

    /// The text of a file beside the app's sources.
    pub(crate) fn text(&self, app: App, name: &str) -> Result<String, BenchError> {
        let path = self.file(app, name);
        fs::read_to_string(&path).map_err(|source| BenchError::File { path, source })
    }

    /// A file that several apps have in common.
    pub(crate) fn shared_file(&self, name: &str) -> PathBuf {
        self.sources.join(name)
    }

    /// Stages `apps` anew, with what their bundles need from npm.
    pub(crate) fn stage(&self, apps: &[App]) -> Result<(), BenchError> {
        if apps.iter().any(|app| app.bundled_from().is_some()) {
            npm::ensure(&self.bundles, &[ESBUILD])?;
        }
        for &app in apps {
            let directory = self.staged.join(app.name());
            // Nothing is there at the first time; what else goes wrong shows when the directories are made.
            let _ = fs::remove_dir_all(&directory);
            let (atoll, peers) = (self.for_atoll(app), self.for_peers(app));
            for made in [&atoll, &peers] {
                fs::create_dir_all(made).map_err(|source| BenchError::File { path: made.clone(), source })?;
            }
            self.copy_sources(app, &atoll, &peers)?;
            if let Some(source) = app.bundled_from() {
                self.bundle(source, &peers.join(BUNDLE))?;
                copy(&peers.join(BUNDLE), &atoll.join(BUNDLE))?;
            }
            if app == App::Large {
                check_size(&peers.join(BUNDLE))?;
            }
        }
        Ok(())
    }

    fn copy_sources(&self, app: App, atoll: &Path, peers: &Path) -> Result<(), BenchError> {
        let sources = self.sources.join(app.name());
        let failed = |source| BenchError::File { path: sources.clone(), source };
        for entry in fs::read_dir(&sources).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name() else { continue };
            if name == "package.json" || name == MODULE {
                copy(&path, &atoll.join(name))?;
            }
            if name != "package.json" {
                copy(&path, &peers.join(name))?;
            }
        }
        Ok(())
    }

    /// Bundles for systems that have no more in common than the web's APIs, minified as for a deployment.
    fn bundle(&self, source: &str, to: &Path) -> Result<(), BenchError> {
        let mut command = Command::new(self.bundles.join("node_modules").join(ESBUILD));
        command.arg(source).args(["--bundle", "--minify", "--format=esm", "--legal-comments=none"]);
        command.args(["--platform=neutral", "--main-fields=module,main", "--log-level=warning"]);
        command.arg(format!("--outfile={}", to.display())).current_dir(&self.bundles);
        npm::run(command, "esbuild")
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BenchError> {
    fs::copy(from, to).map(drop).map_err(|source| BenchError::File { path: from.to_owned(), source })
}

fn check_size(bundle: &Path) -> Result<(), BenchError> {
    let metadata = fs::metadata(bundle).map_err(|source| BenchError::File { path: bundle.to_owned(), source })?;
    if LARGE_BUNDLE_BYTES.contains(&metadata.len()) {
        return Ok(());
    }
    let (least, most) = LARGE_BUNDLE_BYTES.into_inner();
    Err(BenchError::BundleSize { path: bundle.to_owned(), bytes: metadata.len(), least, most })
}

#[cfg(test)]
mod tests {
    use super::{App, Apps};
    use crate::systems::Repository;

    #[test]
    fn atoll_gets_its_package_json_and_the_others_their_servers() {
        let directory = std::env::temp_dir().join(format!("atoll-bench-apps-{}", std::process::id()));
        let repository = Repository::find().expect("the checkout");
        let apps = Apps { staged: directory.clone(), ..Apps::of(&repository).expect("a directory") };
        apps.stage(&[App::Hello]).expect("staged");
        let names = |path: std::path::PathBuf| {
            let entries = std::fs::read_dir(path).expect("a directory");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(apps.for_atoll(App::Hello)), ["app.js", "package.json"]);
        let peers = names(apps.for_peers(App::Hello));
        assert_eq!(peers, ["app.js", "bun.js", "cluster.mjs", "deno.js", "node.mjs", "workerd.capnp"]);
        std::fs::remove_dir_all(directory).expect("it is there");
    }
}
