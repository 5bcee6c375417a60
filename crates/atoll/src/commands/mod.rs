//! One file per command.

mod install;
mod run;
mod schema;
mod serve;
mod signals;
mod store;
mod watch;

pub(crate) use install::install;
pub(crate) use run::{ended_by, run};
pub(crate) use schema::schema;
pub(crate) use serve::serve;
pub(crate) use signals::{Ending, Signals};
pub(crate) use store::store;

use crate::apps::Surroundings;
use crate::directories::Directories;
use crate::terminal::{Audience, Failure, TerminalReporter};
use std::sync::Arc;

fn surroundings(audience: Audience) -> Result<Surroundings, Failure> {
    let working_directory = std::env::current_dir()
        .and_then(std::fs::canonicalize)
        .map_err(|error| Failure::new(format!("the working directory can't be found: {error}")))?;
    // Where no home is known (a container, a system service), there is no place for a cache either.
    let directories = Directories::find().ok();
    Ok(Surroundings {
        working_directory,
        cache: directories.as_ref().and_then(Directories::code_cache),
        directories,
        metrics: Arc::default(),
        reporter: Arc::new(TerminalReporter::new(audience)),
    })
}

/// The runtime of a command, on this thread: guests run on it, and an installation plans on it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the event loop can't be set up: {error}")))
}
