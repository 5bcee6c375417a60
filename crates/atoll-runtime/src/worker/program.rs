//! Running a program to its end.

use super::Phase;
use super::Worker;
use super::event_loop::Alarm;
use super::start::{StartError, failed};
use crate::app::App;
use crate::loader::EngineLoader;
use atoll_engine::{Reason, Ripeness, Termination, Value};
use atoll_node::ProcessState;
use std::sync::Arc;
use std::time::Duration;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By force.
    Terminated(Termination),
}

/// The code of a program that ended by an exception nobody caught.
const UNCAUGHT: i32 = 1;

impl Worker {
    /// Runs `app` as a program: until nothing is left that keeps it alive, it exits, or it throws what nobody catches.
    pub async fn run(app: Arc<App>) -> Result<Exit, StartError> {
        let (mut worker, loader) = match Self::create(app, None) {
            Ok(created) => created,
            Err(termination) => return Ok(Exit::Terminated(termination)),
        };
        worker.is_program = true;
        let ended = match worker.begin(&loader).await {
            Ok(()) => {
                worker.store_code(Ripeness::First);
                worker.run_to_end().await
            }
            Err(StartError::Terminated(reason)) => Err(reason),
            Err(error) => return Err(error),
        };
        Ok(match ended {
            Ok(code) => Exit::Code(code),
            Err(Termination { reason: Reason::Exit, .. }) => Exit::Code(worker.exit_code()),
            Err(reason) => Exit::Terminated(reason),
        })
    }

    /// Runs the main file: CommonJS as `require.main`, anything else as a module.
    async fn begin(&mut self, loader: &EngineLoader) -> Result<(), StartError> {
        let entry = self.app.entry.to_string();
        if !loader.is_commonjs(&entry)? {
            return self.evaluate(loader).await.map(drop);
        }
        let main = Value::String(entry);
        let ran = self.turn(0, self.budget(Phase::Start, Duration::ZERO), |turn, _| {
            turn.call_builtin("node/internal/cjs", "loadMain", &[main])
        })?;
        ran.map(drop).map_err(|exception| failed(loader, exception))
    }

    async fn run_to_end(&mut self) -> Result<i32, Termination> {
        let mut alarm = Alarm::default();
        loop {
            while self.is_alive()? && !self.failed {
                let event = self.next_event(&mut alarm).await;
                self.handle(event)?;
            }
            if !self.failed {
                self.emit("beforeExit")?;
            }
            if self.failed || !self.is_alive()? {
                self.emit("exit")?;
                return Ok(if self.failed { UNCAUGHT } else { self.exit_code() });
            }
        }
    }

    /// Whether an operation or a timer keeps the program alive.
    fn is_alive(&mut self) -> Result<bool, Termination> {
        if self.realm.is_kept_alive() {
            return Ok(true);
        }
        let answer = self.turn(0, self.budget(Phase::Response, Duration::ZERO), |turn, functions| {
            turn.call(&functions.has_refed_timers, &[])
        })?;
        Ok(matches!(answer, Ok(Value::Bool(true))))
    }

    /// Lets listeners of `process` know; without any, `node:process` was perhaps never evaluated.
    pub(super) fn emit(&mut self, event: &'static str) -> Result<(), Termination> {
        let emitted = self.turn(0, self.budget(Phase::Response, Duration::ZERO), |turn, _| {
            turn.call_builtin("node:process", "emitLifecycle", &[event.into()])
        })?;
        if let Err(exception) = emitted {
            self.report([crate::report::Problem::Uncaught(exception)]);
        }
        Ok(())
    }

    /// What `process.exit` or `process.exitCode` asked for, else 0.
    pub(super) fn exit_code(&mut self) -> i32 {
        self.realm.state().get::<ProcessState>().and_then(|process| process.exit_code).unwrap_or(0)
    }
}
