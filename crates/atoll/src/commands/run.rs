//! `atoll run`: a program from its start to its end.

use super::{runtime, surroundings};
use crate::apps::{Grants, Project};
use crate::cli;
use crate::terminal::{Audience, Failure, duration, explain_start, limit_flag};
use atoll_runtime::{Exit, Worker};
use std::process::ExitCode;
use std::time::Duration;
use tokio::task::LocalSet;

/// Runs it.
pub(crate) fn run(arguments: cli::Run) -> Result<ExitCode, Failure> {
    let surroundings = surroundings(Audience::Program)?;
    let timeout = arguments.timeout_ms.map(Duration::from_millis);
    let grants = Grants::of_program(&arguments.guest, &arguments.limits.0, timeout)?;
    let project = Project::of_program(&arguments.file, &surroundings)?;
    let app = project.app(arguments.arguments, &grants, &surroundings)?;
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
        Ok(Ok(Exit::Terminated(reason))) => {
            let failure = Failure::new(format!("the program was ended by its limit: {reason}")).ended_by_limit();
            Err(match limit_flag(reason) {
                Some(flag) => failure.hint(format!("{flag} allows more")),
                None => failure,
            })
        }
        Ok(Err(error)) => Err(explain_start(&error, &project.places(&surroundings))),
        Err(limit) => Err(Failure::new(format!("the program was not over after {}", duration(limit)))
            .hint("--timeout-ms allows more")
            .ended_by_limit()),
    }
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
