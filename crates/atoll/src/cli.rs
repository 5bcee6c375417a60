//! What can be typed.

use crate::apps::GrantedMount;
use crate::limit_flags::{RunLimits, ServeLimits};
use crate::units;
use atoll_npm::linker::Linker;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

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
    Store(Store),
    /// Print the JSON schema of atoll.toml
    Schema,
}

/// Install the packages that package.json names
///
/// Resolves as npm does, writes package-lock.json (version 3) and links node_modules. Lifecycle scripts of packages do
/// not run unless package.json allows them by name, as in `"atoll": {"allowScripts": ["esbuild"]}`.
///
/// Ctrl-\ (SIGQUIT) shows what is being waited for; the installation goes on.
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
    /// Write package-lock.json, and package.json where packages are added, and nothing else: no package is downloaded
    #[arg(long, visible_alias = "package-lock-only")]
    pub(crate) lockfile_only: bool,
    /// Where packages go: hoisted writes files into node_modules as npm does; isolated as pnpm does, so that packages find
    /// nothing but what they depend on; virtual writes none, and atoll run and atoll serve show programs the tree of
    /// hoisted from the package store. Without it, what node-linker of .npmrc says, else as the
    /// last installation was, else hoisted
    #[arg(long, value_name = "LINKER", value_parser = linker())]
    pub(crate) linker: Option<Linker>,
    /// Run no lifecycle scripts, not even allowed ones
    #[arg(long)]
    pub(crate) ignore_scripts: bool,
    /// End the installation when one lifecycle script runs for longer: 30s, 10m
    #[arg(long, value_name = "TIME", default_value = "1h", conflicts_with = "ignore_scripts", value_parser = units::time)]
    pub(crate) script_timeout: Duration,
    /// Requests under way at once to one registry, at most; otherwise what maxsockets or network-concurrency of .npmrc says,
    /// else up to 128, and fewer when the registry shows strain
    #[arg(long, value_name = "COUNT", visible_alias = "maxsockets")]
    pub(crate) network_concurrency: Option<NonZero<usize>>,
    /// The project's directory
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print a summary as JSON on standard output, and no progress
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run a program to its end, or what is typed
///
/// Without a program, in a terminal, it is an interactive session (REPL): each entry is evaluated in the same sandbox, and its
/// value shown. --cpu and --timeout are then for each entry and end it alone; a limit on memory ends the session.
///
/// The program sees its project read-only at /app and a memory filesystem at /tmp; no other file, no network and no
/// environment: --mount, --net and --env grant those. The exit code is the program's own; 124 when a limit ended it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  atoll run main.ts\n  atoll run --env API_KEY --net allow=api.example.org --timeout 5s job.mjs --dry-run\n  atoll run --mount /data=./data --mount /out=./out:rw convert.ts\n  atoll run -e 'console.log(process.cwd())'\n  atoll run --mount /data=./data   # an interactive session"
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Show a directory of the host to the program: at /app or anywhere else, read-only (ro), writable (rw), or with changes that
    /// are kept in memory and gone at the end (overlay)
    #[arg(long, value_name = "GUEST=HOST[:ro|:rw|:overlay]")]
    pub(crate) mount: Vec<GrantedMount>,
    #[command(flatten)]
    pub(crate) limits: RunLimits,
    /// Time by the clock for the whole program: 30s, 2m, 1500ms
    #[arg(long, value_name = "TIME", help_heading = "Limits", visible_alias = "timeout-ms", value_parser = units::time)]
    pub(crate) timeout: Option<Duration>,
    /// CPU time for the whole program: 30s, 2m, 1500ms
    #[arg(long, value_name = "TIME", help_heading = "Limits", conflicts_with = "cpu-ms", value_parser = units::time)]
    pub(crate) cpu: Option<Duration>,
    /// Run this text instead of a file; imports are resolved from the working directory
    #[arg(short = 'e', long, value_name = "CODE", allow_hyphen_values = true)]
    pub(crate) code: Option<String>,
    /// Start an interactive session though there is no terminal: entries are read line by line
    #[arg(short, long, conflicts_with_all = ["code", "file"])]
    pub(crate) interactive: bool,
    /// Keep nothing of what is typed in a session; without this it is in repl-history in the state directory (ATOLL_STATE_DIR), or
    /// in the file that ATOLL_REPL_HISTORY names
    #[arg(long)]
    pub(crate) no_history: bool,
    /// The JavaScript or TypeScript file to run; - for what comes on standard input, as without it, unless that is a terminal
    pub(crate) file: Option<PathBuf>,
    /// Arguments for the program: process.argv from its third element on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// Serve apps that `export default { fetch }` over HTTP
///
/// The entry is package.json's "main", or one of src/index, src/main, src/server, src/app, index, main, server, app with .ts, .tsx,
/// .mts, .js, .mjs or .cjs. With several directories, each is served at http://<directory name>.localhost, and the first one
/// wherever no other is. An app's own settings may be in atoll.toml in its directory.
///
/// Without DIR, an atoll.toml with [[deployments]] in the working directory says what is served, as one named by --config does; flags
/// come before what it says. `atoll schema` prints its schema.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  atoll serve\n  atoll serve ./shop --port 3000 --watch\n  atoll serve ./shop ./blog   # http://shop.localhost:8080, http://blog.localhost:8080\n  atoll serve --config /etc/atoll/atoll.toml --check"
)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) guest: Guest,
    #[command(flatten)]
    pub(crate) limits: ServeLimits,
    /// Directories of the apps; when not given, the working directory
    #[arg(value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// What to serve, in a file: listening address, deployments with their routes and limits
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["dirs", "entry"])]
    pub(crate) config: Option<PathBuf>,
    /// Say whether configuration and directories are in order, start nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// The module with the handler, relative to DIR
    #[arg(long, value_name = "FILE")]
    pub(crate) entry: Option<PathBuf>,
    /// Address to listen on; 0.0.0.0 for all [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<IpAddr>,
    /// Port to listen on; 0 for any free one [default: 8080]
    #[arg(short, long)]
    pub(crate) port: Option<u16>,
    /// Threads that serve; when not given one for each core, or a single one with --watch
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Start anew when a file changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// What is logged of requests [default: access]
    #[arg(long, value_enum)]
    pub(crate) log: Option<LogFormat>,
    /// Address and port at which GET /metrics is answered in Prometheus' text format, for the operator's monitoring
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Seconds that requests under way may take after SIGTERM or Ctrl-C [default: 10]
    #[arg(long)]
    pub(crate) drain_seconds: Option<u64>,
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

/// A linker by its name.
fn linker() -> impl TypedValueParser<Value = Linker> {
    PossibleValuesParser::new(Linker::ALL.map(Linker::name)).try_map(|name| name.parse::<Linker>())
}

/// Look after the packages that are kept on this machine
///
/// All projects of a user share one store: ATOLL_STORE_DIR, or atoll/store in the user's data directory. What is removed from it
/// is downloaded again when it is needed.
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Print the store's directory
    Path,
    /// Count what is in the store
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    Verify(StoreVerify),
    Gc(StoreGc),
}

/// Read every byte of the store, and remove the packages that are damaged
///
/// A package is also removed when it has no proof that this machine stored it, as in a store that was copied from elsewhere. The
/// exit code is 1 when anything was wrong.
#[derive(Debug, Args)]
pub(crate) struct StoreVerify {
    /// Only report
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print a summary as JSON on standard output, and no progress
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove packages that have not been used for long
///
/// What was used within the last two hours stays in any case, and what is served from the store, for as long as its project is
/// there. Files that are linked into projects take space until these are gone, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  atoll store gc --older-than 14d\n  atoll store gc --max-size 2G --dry-run")]
pub(crate) struct StoreGc {
    /// Packages that have not been used for this long: 12h, 30d [default: 30d, unless --max-size is given]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub(crate) older_than: Option<Duration>,
    /// The least recently used packages, until the rest has at most this many bytes: 500M, 2G
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) max_size: Option<u64>,
    /// Only report
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// `allow=ADDRESS`, as others write it, or the address alone.
#[expect(clippy::unnecessary_wraps, reason = "the type of clap's parsers; what an address may be is not theirs to say")]
fn allowed(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.strip_prefix("allow=").unwrap_or(text).to_owned())
}

/// What guests may use.
#[derive(Debug, Args)]
pub(crate) struct Guest {
    /// Environment variable for the guest: NAME=VALUE, or NAME to pass on the value it has here
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let fetch reach an address: HOST, HOST:PORT, a CIDR block, or public for the public internet, which apps that are
    /// served may reach anyway
    #[arg(long, value_name = "[allow=]HOST[:PORT]|CIDR|public", visible_alias = "allow-net", value_parser = allowed)]
    pub(crate) net: Vec<String>,
    /// Memory for the JavaScript heap, and as much again outside of it: 256M, 2G; --heap-mib and --external-mib in one
    #[arg(long, value_name = "SIZE", visible_alias = "memory-mib", value_parser = units::memory)]
    pub(crate) memory: Option<u64>,
}
