//! `atoll`: from `package.json` to a served deployment. The only crate that prints, reads the environment and decides on
//! exit codes.
#![expect(clippy::disallowed_methods, reason = "the binary owns the environment, the working directory and its output")]

mod apps;
mod cli;
mod commands;
mod config;
mod directories;
mod limit_flags;
mod repl;
mod sites;
mod terminal;
mod units;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Threads that run JavaScript must be younger than V8's initialisation, so it comes before any thread.
    let arguments = cli::Arguments::parse();
    if matches!(arguments.command, cli::Command::Run(_) | cli::Command::Serve(_)) {
        atoll_sys::memory::keep_freed();
        atoll_engine::initialize();
    }
    let outcome = match arguments.command {
        cli::Command::Install(install) => commands::install(install),
        cli::Command::Run(run) => commands::run(run),
        cli::Command::Serve(serve) => commands::serve(&serve),
        cli::Command::Store(store) => commands::store(&store.command),
        cli::Command::Schema => Ok(commands::schema()),
    };
    outcome.unwrap_or_else(|failure| {
        terminal::print_failure(&failure);
        ExitCode::from(failure.exit_code)
    })
}
