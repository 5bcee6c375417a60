//! How an installation tells the outside how it is going. Nothing here prints; the binary draws.

use std::time::Duration;

/// The stages of an installation, in the order of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Asking registries which versions exist and deciding which go where. Counts package documents.
    Resolve,
    /// Downloading, verifying and storing tarballs. Counts packages and downloaded bytes. It can begin while resolving
    /// goes on, and does not happen when the store has everything.
    Fetch,
    /// Building the new `node_modules`. Counts packages.
    Link,
    /// Running lifecycle scripts that are allowed. Counts packages.
    Scripts,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: usize,
    /// Units known of so far; it can grow while resolving.
    pub total: usize,
    /// Bytes received from the network.
    pub bytes: u64,
}

/// Something that went differently than wished, without failing the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A version that its author advises against. Only direct dependencies are reported.
    Deprecated {
        /// Name and version.
        package: String,
        /// The author's words.
        message: String,
    },
    /// An optional dependency's script failed, so the package was left out.
    OptionalDropped {
        /// Name and version.
        package: String,
        /// What happened.
        reason: String,
    },
    /// The kernel refuses to share files between the store and the project, so every file is copied.
    Copying {
        /// Why, in the kernel's words.
        reason: String,
    },
    /// Packages have scripts that are allowed, and no files on the disk that these could run on: they did not run.
    ScriptsNeedFiles {
        /// Names and versions.
        packages: Vec<String>,
    },
    /// An earlier installation was killed while it put its result in place; its work was completed.
    Repaired,
}

/// Receives what an installation reports. Called from several threads, often; implementations must be quick.
pub trait Reporter: Send + Sync {
    /// A stage begins.
    fn stage_started(&self, stage: Stage, total: usize) {
        let _ = (stage, total);
    }

    /// A stage moved on.
    fn progressed(&self, stage: Stage, progress: Progress) {
        let _ = (stage, progress);
    }

    /// A stage ended well.
    fn stage_finished(&self, stage: Stage, elapsed: Duration) {
        let _ = (stage, elapsed);
    }

    /// Something to know.
    fn warning(&self, warning: &Warning) {
        let _ = warning;
    }

    /// Another process, this one where that is known, is installing into the same project; this one goes on when that one
    /// is done.
    fn waiting_for_project(&self, holder: Option<u32>) {
        let _ = holder;
    }

    /// This lifecycle script (`postinstall`, say) of this package (name and version) runs: told when it starts, and every
    /// second from then on.
    fn script_running(&self, package: &str, event: &str, elapsed: Duration) {
        let _ = (package, event, elapsed);
    }
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {}
