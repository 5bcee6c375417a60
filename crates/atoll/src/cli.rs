//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// Run server-side JavaScript and TypeScript that you do not fully trust, in V8 isolates.
#[derive(Debug, Parser)]
#[command(name = "atoll", version, about, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(Install),
    Run(Run),
    Serve(Serve),
}

/// Install the packages that package.json names
///
/// Resolves as npm does, writes package-lock.json (version 3) and links node_modules. Lifecycle scripts of packages do
/// not run unless package.json allows them by name, as in `"atoll": {"allowScripts": ["esbuild"]}`.
#[derive(Debug, Args)]
#[command(
    visible_alias = "i",
    visible_alias = "add",
    after_help = "Examples:\n  atoll install\n  atoll install hono zod@^4\n  atoll install --frozen --omit-dev   # in CI"
)]
pub(crate) struct Install {
    /// Packages to add, as NAME, NAME@RANGE or ALIAS@npm:NAME@RANGE; without any, what package.json names
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<String>,
    /// Add the packages to devDependencies
    #[arg(short = 'D', long, requires = "packages")]
    pub(crate) save_dev: bool,
    /// Fail if package-lock.json and package.json disagree, and never change either
    #[arg(long, conflicts_with = "packages", visible_alias = "frozen-lockfile")]
    pub(crate) frozen: bool,
    /// Leave devDependencies out
    #[arg(long, visible_alias = "production")]
    pub(crate) omit_dev: bool,
    /// Use only what is in the cache and the store
    #[arg(long)]
    pub(crate) offline: bool,
    /// Run no lifecycle scripts, not even allowed ones
    #[arg(long)]
    pub(crate) ignore_scripts: bool,
    /// The project's directory
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print a summary as JSON on standard output, and no progress
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run a program to its end
///
/// The program sees its project read-only at /app, a memory filesystem at /tmp, no environment but what --env names,
/// and public internet addresses only. The exit code is the program's own; 124 when a limit ended it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  atoll run main.ts\n  atoll run --env API_KEY --timeout-ms 5000 job.mjs --dry-run")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// The JavaScript or TypeScript file to run
    pub(crate) file: PathBuf,
    /// Arguments for the program: process.argv from its third element on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// Serve apps that `export default { fetch }` over HTTP
///
/// The entry is package.json's "main", or one of src/index, src/main, src/server, src/app, index, main, server, app with .ts, .tsx,
/// .mts, .js, .mjs or .cjs. With several directories, each is served at http://<directory name>.localhost.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  atoll serve\n  atoll serve ./shop --port 3000 --watch\n  atoll serve ./shop ./blog   # http://shop.localhost:8080, http://blog.localhost:8080"
)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Directories of the apps
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dirs: Vec<PathBuf>,
    /// The module with the handler, relative to DIR
    #[arg(long, value_name = "FILE")]
    pub(crate) entry: Option<PathBuf>,
    /// Address to listen on; 0.0.0.0 for all
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Port to listen on; 0 for any free one
    #[arg(short, long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Threads that serve; when not given one for each core, or a single one with --watch
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Start anew when a file changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// What is logged of requests
    #[arg(long, value_enum, default_value_t = LogFormat::Access)]
    pub(crate) log: LogFormat,
    /// Seconds that requests under way may take after SIGTERM or Ctrl-C
    #[arg(long, default_value_t = 10)]
    pub(crate) drain_seconds: u64,
    /// Longest request body, MiB
    #[arg(long, default_value_t = 100)]
    pub(crate) max_body_mib: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for each request
    Access,
    /// A JSON object for each request
    Json,
    /// Nothing
    Off,
}

/// What guests may use.
#[derive(Debug, Args)]
pub(crate) struct Guest {
    /// Environment variable for the guest: NAME=VALUE, or NAME to pass on the value it has here
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let fetch reach an address that is not public: HOST, HOST:PORT or a CIDR block
    #[arg(long, value_name = "HOST[:PORT]|CIDR")]
    pub(crate) allow_net: Vec<String>,
    /// Memory for the JavaScript heap, and as much again for ArrayBuffers, MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<usize>,
    /// CPU time until the guest has to wait for something, milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) cpu_ms: Option<u64>,
    /// Time by the clock for a request, or for a program, milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u64>,
}
