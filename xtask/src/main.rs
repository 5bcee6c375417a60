//! The repository's commands, as plain Rust so that they need nothing but cargo:
//!
//! * `cargo xtask demo` ([`demo`]) builds Atoll, installs the example's packages with it and serves the example;
//! * `cargo xtask test` ([`test`]) runs every check there is, in the order of their cost;
//! * `cargo xtask e2e` ([`e2e`]) runs the last part of these alone;
//! * `cargo xtask soak` ([`soak`]) asks many apps in one server for long, limits hit on purpose included;
//! * `cargo xtask docs` ([`docs`]) writes the documents that are made from code anew;
//! * `cargo xtask bench` ([`bench`]) builds Atoll and hands over to `atoll-bench`.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool: it runs cargo, npm and the built binary, and writes below target/"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool: what it does is what it prints")]

mod bench;
mod client;
mod demo;
mod docs;
mod e2e;
mod packages;
mod repository;
mod server;
mod soak;
mod steps;
mod test;

use std::process::ExitCode;

/// Why a command did not come to its end: text for the terminal, of one or more lines.
pub(crate) type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--port N]       build Atoll, install the packages of examples/shelf with it, and serve it (port 8080)
  test [--quick]        all checks: format, lints, tests, doc tests, and the example from install to answer;
                        --quick leaves out doc tests and all that needs the npm registry
  e2e [ATOLL]           the last part of `test` alone, with a built binary [default: that of `cargo build`]
  soak [--minutes N] [--seed N] [--release]
                        many apps in one server under mixed load, with limits hit on purpose; half a minute of
                        it is a part of `test`
  docs                  write docs/limits.md and docs/atoll.schema.json anew, from the tables that they describe
  bench SUITE [OPTION…] build Atoll and measure it beside its peers; `cargo xtask bench --help` lists suites and options
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("demo") => demo::Options::parse(&arguments[1..]).and_then(|options| demo::run(&options)),
        Some("test") => test::Options::parse(&arguments[1..]).map(test::run),
        Some("e2e") => e2e::command(&arguments[1..]),
        Some("soak") => soak::command(&arguments[1..]),
        Some("docs") => docs::run(),
        Some("bench") => bench::run(&arguments[1..]),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("there is no command `{other}`\n\n{USAGE}").into()),
        None => Err(USAGE.into()),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
