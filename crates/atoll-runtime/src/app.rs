//! What a worker is made of: an app's code, its mounts, environment, rules and limits. Immutable and shared.

use crate::limits::Limits;
use crate::metrics::AppMetrics;
use crate::report::Reporter;
use atoll_engine::CodeCache;
use atoll_node::loader::Loader;
use atoll_node::{InputSource, OutputSink, ProcessOptions};
use atoll_pool::Isolation;
use atoll_vfs::{GuestPath, MountTable};
use atoll_web::FetchClient;
use std::sync::Arc;

/// An app, ready to be instantiated as workers.
pub struct App {
    /// Shown in logs: the deployment's name or the program's file.
    pub name: String,
    /// Who owns it: apps of different tenants never share an isolate.
    pub tenant: String,
    /// What its requests share.
    pub isolation: Isolation,
    /// The module to evaluate, an absolute guest path.
    pub entry: GuestPath,
    /// What the guest sees as files.
    pub mounts: Arc<MountTable>,
    /// Where modules come from, over the same mounts.
    pub loader: Arc<Loader>,
    /// Environment variables: `process.env`, and `env` of the fetch handler.
    pub env: Vec<(String, String)>,
    /// `process.argv` from its third element on.
    pub arguments: Vec<String>,
    /// `process.stdin`, of a program; without it, it is at its end.
    pub input: Option<Arc<dyn InputSource>>,
    /// Who the guest is to itself.
    pub user: User,
    /// Working directory, an absolute guest path.
    pub working_directory: GuestPath,
    /// What sends the guest's `fetch` requests, by its rules for addresses.
    pub fetch: FetchClient,
    /// What a worker may use.
    pub limits: Limits,
    /// Compiled code across processes.
    pub code_cache: Option<Arc<dyn CodeCache>>,
    /// What is counted of it.
    pub metrics: Arc<AppMetrics>,
    /// Who hears what guests print and what goes wrong in them.
    pub reporter: Arc<dyn Reporter>,
}

/// Numbers of a user and a group: `process.getuid()`, `os.userInfo()`. What a guest makes in a directory of the host belongs
/// to the user that this process runs as, and should be the guest's own in its eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Default for User {
    /// The usual first user of a system.
    fn default() -> Self {
        Self { uid: 1000, gid: 1000 }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("App").field("name", &self.name).field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// `process.execPath` and `process.argv[0]`: guests can't start processes, so what is there is only to be found.
pub const EXEC_PATH: &str = "/usr/bin/atoll";

impl App {
    pub(crate) fn process(&self, output: Arc<dyn OutputSink>) -> ProcessOptions {
        let argv = [EXEC_PATH.to_owned(), self.entry.to_string()].into_iter().chain(self.arguments.iter().cloned());
        ProcessOptions {
            argv: argv.collect(),
            exec_path: EXEC_PATH.to_owned(),
            env: self.env.clone(),
            cwd: self.working_directory.to_string(),
            output: Some(output),
            input: self.input.clone(),
        }
    }
}
