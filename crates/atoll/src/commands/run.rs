//! `atoll run`: a program from its start to its end, or an interactive session.

use super::{runtime, surroundings};
use crate::apps::{Grants, Project};
use crate::cli;
use crate::repl;
use crate::terminal::{Audience, Failure, Visible, duration, explain_start, limit_flag};
use atoll_engine::Termination;
use atoll_node::loader::MAX_SOURCE_BYTES;
use atoll_runtime::{Exit, Worker};
use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use tokio::task::LocalSet;

/// Runs it.
pub(crate) fn run(mut arguments: cli::Run) -> Result<ExitCode, Failure> {
    let surroundings = surroundings(Audience::Program)?;
    let timeout = arguments.timeout;
    let grants = Grants::of_program(&arguments)?;
    let is_nothing_named = arguments.code.is_none() && arguments.file.is_none();
    if arguments.interactive || is_nothing_named && std::io::stdin().is_terminal() {
        let project = Project::of_text("repl", String::new(), &surroundings);
        return repl::run(&arguments, &project, grants, &surroundings);
    }
    let project = match (arguments.code.take(), arguments.file.take()) {
        (Some(text), first) => {
            // Then there is no file, and what stands in its place is the program's first argument.
            let first = first.map(|first| first.to_string_lossy().into_owned());
            arguments.arguments.splice(0..0, first);
            Project::of_text("eval", text, &surroundings)
        }
        (None, Some(file)) if file.as_os_str() != "-" => Project::of_program(&file, &grants, &surroundings)?,
        (None, _) => Project::of_text("stdin", program_of_input()?, &surroundings),
    };
    let app = project.app(arguments.arguments, &grants, &surroundings)?;
    let visible = Visible::new(app.mounts.mounts().map(|(point, _)| point.to_string()).filter(|point| point != "/"));
    surroundings.reporter.shows(visible.clone());
    let runtime = runtime()?;
    let ended = LocalSet::new().block_on(&runtime, async {
        let running = Box::pin(Worker::run(app));
        match timeout {
            Some(limit) => tokio::time::timeout(limit, running).await.map_err(|_| limit),
            None => Ok(running.await),
        }
    });
    match ended {
        Ok(Ok(Exit::Code(code))) => Ok(ExitCode::from(exit_status(code))),
        Ok(Ok(Exit::Terminated(reason))) => Err(ended_by(reason)),
        Ok(Err(error)) => Err(explain_start(&error, &project.places(&surroundings).of_program(visible))),
        Err(limit) => Err(Failure::new(format!("the program was not over after {}", duration(limit)))
            .hint("--timeout allows more")
            .ended_by_limit()),
    }
}

/// What is said of a program that a limit ended.
pub(crate) fn ended_by(reason: Termination) -> Failure {
    let failure = Failure::new(format!("the program was ended by its limit: {reason}")).ended_by_limit();
    match limit_flag(reason) {
        Some(flag) => failure.hint(format!("{flag} allows more")),
        None => failure,
    }
}

/// The program that comes on standard input.
fn program_of_input() -> Result<String, Failure> {
    let input = std::io::stdin().lock();
    let mut text = String::new();
    let read = input.take(MAX_SOURCE_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("the program on standard input can't be read: {error}")))?;
    if text.len() as u64 > MAX_SOURCE_BYTES {
        return Err(Failure::new(format!("the program on standard input has more than {MAX_SOURCE_BYTES} bytes")));
    }
    Ok(text)
}

/// What the system keeps of an exit code: its lowest eight bits, as for every process.
fn exit_status(code: i32) -> u8 {
    code.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::exit_status;

    #[test]
    fn the_lowest_eight_bits_remain() {
        for (code, status) in [(0, 0), (3, 3), (255, 255), (256, 0), (-1, 255)] {
            assert_eq!(exit_status(code), status);
        }
    }
}
