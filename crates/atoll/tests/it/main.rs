//! The binary as its users meet it: exit code, standard output, standard error.
#![expect(clippy::disallowed_methods, reason = "tests start the binary in directories of their own")]

mod bodies;
mod config;
mod harness;
mod install;
mod limits;
mod log;
mod metrics;
mod normal;
mod process;
mod registry;
mod repl;
mod run;
mod serve;
mod server;
mod store;
mod virtual_packages;
mod watch;
