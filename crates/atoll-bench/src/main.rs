//! atoll-bench: measures Atoll beside its peers, in the same run, on the same machine.
//!
//! A suite ([`suites`]) stages what is served ([`apps`]), starts each system ([`systems`]) as a process of its own
//! ([`process`]), puts load on it ([`wrk`], [`http`]), and gives its figures to [`report`], which has one JSON shape and one
//! table for all suites; [`targets`] says which of the product's promises they keep. Systems take turns within
//! a round, and every other round runs in the reverse order, so that a machine that warms up or is disturbed for a while
//! favours nobody.
#![expect(clippy::disallowed_methods, reason = "a tool: it starts the programs that it measures and writes its report")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool: the table goes to stdout, progress to stderr")]

mod apps;
mod deployments;
mod error;
mod http;
mod machine;
mod measured;
mod npm;
mod process;
mod registry;
mod report;
mod stats;
mod suites;
mod systems;
mod targets;
mod wrk;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::apps::Apps;
use crate::error::BenchError;
use crate::report::Report;
use crate::suites::{Plan, Selection};
use crate::systems::{Peer, Repository, System};

/// Measures Atoll beside its peers and prints a table.
#[derive(Debug, Parser)]
#[command(name = "atoll-bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// What to measure.
    #[arg(value_enum)]
    suite: Suite,
    /// Counted rounds [default: 5, with --quick 1]; one more runs before them and is not counted.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// The peers to measure, separated by commas; all of them by default, `none` for Atoll alone.
    #[arg(long, value_name = "PEERS", default_value = "all", value_parser = systems::parse_peers)]
    peers: systems::PeerList,
    /// The executable of Atoll [default: target/release/atoll]
    #[arg(long, value_name = "FILE")]
    atoll: Option<PathBuf>,
    /// Only the cases with this in their names; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    case: Vec<String>,
    /// The executable of the runtime's in-engine benchmark; without it that case is skipped.
    #[arg(long, value_name = "FILE")]
    engine_bench: Option<PathBuf>,
    /// Only records what the suite `install` needs from the npm registry, and measures nothing.
    #[arg(long)]
    record: bool,
    /// Short measurements: to see whether everything works, not to compare.
    #[arg(long)]
    quick: bool,
    /// Also writes the result as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Served apps: start-up and cold starts, requests per second, latency, CPU per request, memory, noisy neighbours.
    Runtime,
    /// Programs that work with files: calls that read and that write, promises, modules.
    Fs,
    /// Package managers with a frozen registry: from nothing, from a lockfile, from a warm cache, with everything there.
    Install,
    /// Reading parts of remote objects: by whole chunks, streamed, and by the product, beside what is possible at all.
    Blocks,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Fs => "fs",
            Self::Install => "install",
            Self::Blocks => "blocks",
        }
    }

    fn peers(self) -> &'static [Peer] {
        match self {
            Self::Runtime => Peer::SERVERS,
            Self::Fs => Peer::PROGRAMS,
            Self::Install => Peer::INSTALLERS,
            // What it measures is a part of this executable, and so is what that is compared with.
            Self::Blocks => &[],
        }
    }
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [first, rest @ ..] = &words[..] {
        if first == measured::COMMAND {
            return measured::in_between(rest);
        }
        if first == suites::blocks::ORIGIN {
            return suites::blocks::serve_origin(rest);
        }
    }
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => {
            println!("{}", report.table());
            if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("atoll-bench: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, BenchError> {
    let repository = Repository::find()?;
    let mut report = Report::new(arguments.suite.name(), std::env::args().skip(1).collect(), machine::describe()?);
    let apps = Apps::of(&repository)?;
    let peers = arguments.peers.of(arguments.suite.peers())?;
    let present = match arguments.suite {
        Suite::Blocks => Vec::new(),
        _ => present(arguments, &repository, &apps, &peers, &mut report)?,
    };

    let mut plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    plan.rounds = arguments.rounds.unwrap_or(plan.rounds);
    let selection = Selection(arguments.case.clone());
    match arguments.suite {
        Suite::Install if arguments.record => suites::install::record(&present, &repository)?,
        Suite::Install => suites::install::measure(&present, &repository, &plan, &selection, &mut report)?,
        Suite::Fs => suites::fs::measure(&present, &repository, &apps, &plan, &selection, &mut report)?,
        Suite::Runtime => {
            let engine_bench = arguments.engine_bench.as_deref();
            suites::runtime::measure(&present, &apps, &plan, &selection, engine_bench, &mut report)?;
        }
        Suite::Blocks => suites::blocks::measure(&repository, &plan, &selection, &mut report)?,
    }
    if let Some(path) = &arguments.json {
        report.write(path)?;
    }
    Ok(report)
}

/// The systems that are programs and that are there; the report has their versions.
fn present(
    arguments: &Arguments,
    repository: &Repository,
    apps: &Apps,
    peers: &[Peer],
    report: &mut Report,
) -> Result<Vec<System>, BenchError> {
    systems::install_peers(repository, peers)?;
    let mut present = Vec::new();
    for system in System::all(repository, apps, arguments.atoll.as_deref(), peers) {
        match system.version() {
            Ok(version) => {
                report.versions.insert(system.name.to_owned(), version);
                present.push(system);
            }
            Err(error) => {
                eprintln!("{}: skipped: {}", system.name, error.chain());
                report.skipped.insert(system.name.to_owned(), error.chain());
            }
        }
    }
    Ok(present)
}
