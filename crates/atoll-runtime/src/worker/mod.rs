//! A worker: one app instantiated in one realm.
//!
//! [`Worker::start`] makes the realm, loads and evaluates the app; it may run on any thread. What it returns is `Send`,
//! and is handed to the thread on which it stays: there [`Worker::pin`] makes it serve, or [`Worker::run`] runs it to its
//! end.

mod event_loop;
mod functions;
mod pinned;
mod program;
mod start;

pub use pinned::{PinnedWorker, RequestError};
pub use program::Exit;
pub use start::StartError;

use crate::app::App;
use crate::report::Problem;
use atoll_engine::{Realm, Termination, Turn, TurnBudget};
use atoll_node::ProcessState;
use atoll_web::{ClockState, TimerState};
use functions::Functions;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module's documentation.
#[derive(Debug)]
pub struct Worker {
    app: Arc<App>,
    realm: Realm,
    functions: Functions,
    clock: ClockState,
    /// Something was thrown that nobody caught: a program ends by it, a server goes on.
    failed: bool,
}

/// How often callbacks of one turn may throw before the rest waits for the next turn.
const MAX_FIRES_PER_TURN: usize = 64;

impl Worker {
    /// What the worker was made from.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Why the worker can't be used any more, if so.
    pub fn termination(&self) -> Option<Termination> {
        self.realm.termination()
    }

    /// One turn: `body`, then ticks and microtasks until there are none, then rejections nobody handled.
    fn turn<R>(
        &mut self,
        budget: TurnBudget,
        body: impl FnOnce(&mut Turn<'_, '_, '_>, &Functions) -> R,
    ) -> Result<R, Termination> {
        let functions = &self.functions;
        let report = self.realm.turn(budget, |turn| {
            let value = body(turn, functions);
            let mut problems = Vec::new();
            drain(turn, functions, &mut problems);
            (value, problems)
        });
        match report {
            Ok(report) => {
                let (value, problems) = report.value;
                self.report(problems);
                Ok(value)
            }
            Err(Termination::Exit) => Err(Termination::Exit),
            Err(reason) => {
                self.report([Problem::Terminated(reason)]);
                Err(reason)
            }
        }
    }

    fn report(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.failed |= matches!(problem, Problem::Uncaught(_));
            self.app.reporter.problem(&self.app.name, &problem);
        }
    }

    /// When the next timer is due.
    fn next_timer(&mut self) -> Option<Instant> {
        let deadline_ms = self.realm.state().get::<TimerState>()?.next_deadline_ms?;
        Some(self.clock.origin + Duration::from_secs_f64(deadline_ms.max(0.0) / 1000.0))
    }

    /// Runs the timers that are due.
    fn fire_timers(&mut self) -> Result<(), Termination> {
        let now_ms = self.clock.now_ms();
        let budget = self.app.limits.turn();
        let problems = self.turn(budget, |turn, functions| {
            let mut problems = Vec::new();
            for _ in 0..MAX_FIRES_PER_TURN {
                match turn.run_callbacks(&functions.fire_timers, &[now_ms.into()], functions.uncaught.as_ref()) {
                    Ok(()) => break,
                    Err(exception) => problems.push(Problem::Uncaught(exception)),
                }
                if turn.is_terminating() {
                    break;
                }
            }
            problems
        })?;
        self.report(problems);
        Ok(())
    }
}

/// Runs what the turn's JavaScript left to be done at once: ticks before microtasks, as Node.js does.
fn drain(turn: &mut Turn<'_, '_, '_>, functions: &Functions, problems: &mut Vec<Problem>) {
    loop {
        if !run_ticks(turn, functions, problems) {
            turn.checkpoint();
        }
        if turn.is_terminating() {
            return;
        }
        if turn.state().get::<ProcessState>().is_some_and(|process| process.ticks_wanted) {
            continue;
        }
        let unhandled = turn.report_rejections(functions.unhandled_rejection.as_ref());
        if unhandled.is_empty() {
            return;
        }
        problems.extend(unhandled.into_iter().map(Problem::Uncaught));
    }
}

/// Runs `process.nextTick` callbacks, each followed by microtasks, if there are any.
fn run_ticks(turn: &mut Turn<'_, '_, '_>, functions: &Functions, problems: &mut Vec<Problem>) -> bool {
    let wanted =
        turn.state().get_mut::<ProcessState>().is_some_and(|process| std::mem::take(&mut process.ticks_wanted));
    if wanted
        && let Some(run) = turn.function("node:process", "runTicks")
        && let Err(exception) = turn.run_callbacks(&run, &[], functions.uncaught.as_ref())
    {
        problems.push(Problem::Uncaught(exception));
    }
    wanted
}
