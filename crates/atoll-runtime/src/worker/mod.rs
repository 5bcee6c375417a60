//! A worker: one app instantiated in one realm.
//!
//! [`Worker::start`] loads and evaluates the app in a [`Blank`], which was made before or is made now; it may run on any
//! thread. What it returns is `Send`, and is handed to the thread on which it stays: there [`Worker::pin`] makes it serve,
//! or [`Worker::run`] runs it to its end.

mod blank;
mod deadlines;
mod event_loop;
mod functions;
mod pinned;
mod program;
mod session;
mod start;

pub use blank::Blank;
pub(crate) use pinned::Begun;
pub use pinned::{PinnedWorker, RequestError};
pub use program::Exit;
pub use session::{Broken, Entry, Session};
pub use start::StartError;

use crate::app::App;
use crate::report::Problem;
use atoll_engine::{Allowance, Isolate, Realm, Reason, Termination, Turn, TurnBudget};
use atoll_node::ProcessState;
use atoll_web::{ClockState, ServeState, TimerState};
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
    /// Turns, and their CPU time, that nobody has asked for yet.
    spent: (u32, Duration),
    /// It runs a program, which has its CPU time for all its turns together, as a request has.
    is_program: bool,
}

/// How often callbacks of one turn may throw before the rest waits for the next turn.
const MAX_FIRES_PER_TURN: usize = 64;

impl Worker {
    /// What the worker was made from.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The isolate that it is in.
    pub fn isolate(&self) -> &Isolate {
        self.realm.isolate()
    }

    /// Why the worker can't be used any more, if so.
    pub fn termination(&self) -> Option<Termination> {
        self.realm.termination()
    }

    /// One turn on behalf of a request (0 for none's): `body`, then ticks and microtasks until there are none, then
    /// rejections nobody handled. The request is charged with the CPU time.
    fn turn<R>(
        &mut self,
        request: u64,
        budget: TurnBudget,
        body: impl FnOnce(&mut Turn<'_, '_, '_>, &Functions) -> R,
    ) -> Result<R, Termination> {
        if budget.cpu.left().is_zero() {
            let termination = Termination::time(Reason::Cpu, budget.cpu.limit, budget.cpu.used);
            self.realm.isolate().terminator().terminate(termination);
        }
        // Another worker of the isolate may have met the limit: the CPU time was its.
        let was_spent = self.realm.termination().is_some();
        let functions = &self.functions;
        let report = self.realm.turn(budget, |turn| {
            turn.enter_request(request);
            let value = body(turn, functions);
            let mut problems = Vec::new();
            drain(turn, functions, &mut problems);
            (value, problems)
        });
        match report {
            Ok(report) => {
                let (value, problems) = report.value;
                self.computed(report.cpu);
                if request != 0
                    && let Some(serving) = self.realm.state().get_mut::<ServeState>()
                {
                    serving.charge(request, report.cpu);
                }
                if !problems.is_empty() {
                    self.report(problems);
                }
                Ok(value)
            }
            Err(termination) => {
                if termination.reason == Reason::Cpu && !was_spent {
                    let earlier = budget.cpu.used;
                    self.computed(Duration::from_millis(termination.amount).saturating_sub(earlier));
                }
                if termination.reason == Reason::Exit {
                    self.app.metrics.killed(Reason::Exit);
                } else {
                    self.report([Problem::Terminated(termination)]);
                }
                Err(termination)
            }
        }
    }

    /// A turn has used this CPU time.
    fn computed(&mut self, cpu: Duration) {
        self.spent = (self.spent.0 + 1, self.spent.1 + cpu);
        self.app.metrics.computed(cpu);
    }

    /// What a turn may use in a phase in which `used` is gone.
    fn budget(&self, phase: Phase, used: Duration) -> TurnBudget {
        let limits = &self.app.limits;
        // Nobody else asks for what a program has used.
        let used = if self.is_program { self.spent.1 } else { used };
        let (cpu, wall) = match phase {
            Phase::Start => (limits.startup_cpu, limits.startup_wall),
            // A request whose time by the clock is over is given up; only its CPU time ends the worker of the others.
            Phase::Response => (limits.request_cpu, limits.wall.max(limits.request_cpu)),
            Phase::Background => (limits.wait_until_cpu, limits.wait_until_wall.max(limits.wait_until_cpu)),
        };
        TurnBudget { cpu: Allowance { limit: cpu, used }, wall: Allowance::new(wall) }
    }

    /// What a turn on behalf of a request may use. Code that nobody's request keeps alive any more, and the app's own,
    /// has a request's budget for each turn.
    fn budget_of(&mut self, request: u64) -> TurnBudget {
        let used = self.realm.state().get::<ServeState>().and_then(|serving| serving.cpu(request));
        match used {
            Some((used, true)) => self.budget(Phase::Background, used),
            Some((used, false)) => self.budget(Phase::Response, used),
            None => self.budget(Phase::Response, Duration::ZERO),
        }
    }

    fn report(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            if let Problem::Terminated(termination) = problem {
                self.app.metrics.killed(termination.reason);
            }
            self.failed |= matches!(problem, Problem::Uncaught(_));
            self.app.reporter.problem(&self.app.name, &problem);
        }
    }

    /// When the next timer is due.
    fn next_timer(&mut self) -> Option<Instant> {
        let deadline_ms = self.realm.state().get::<TimerState>()?.next_deadline_ms?;
        Some(self.clock.origin + Duration::from_secs_f64(deadline_ms.max(0.0) / 1000.0))
    }

    /// Runs the timers that are due, of the request whose timer is due first.
    fn fire_timers(&mut self) -> Result<(), Termination> {
        let now_ms = self.clock.now_ms();
        let request = self.realm.state().get::<TimerState>().map_or(0, |timers| timers.next_request);
        let budget = self.budget_of(request);
        let problems = self.turn(request, budget, |turn, functions| {
            let mut problems = Vec::new();
            for _ in 0..MAX_FIRES_PER_TURN {
                match turn.run_callbacks(&functions.fire_timers, &[now_ms.into()], Some(&functions.uncaught)) {
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

    /// Clears the timers that were set on behalf of a request that is over.
    fn clear_timers(&mut self, request: u64) -> Result<(), Termination> {
        let budget = self.budget(Phase::Response, Duration::ZERO);
        let cleared = self.turn(0, budget, |turn, functions| {
            turn.call(&functions.clear_timers, &[(request as f64).into()]).map(drop)
        })?;
        if let Err(exception) = cleared {
            self.report([Problem::Uncaught(exception)]);
        }
        Ok(())
    }
}

/// What a worker is doing, by which its budget is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its app is being loaded and evaluated.
    Start,
    /// A response is awaited.
    Response,
    /// A request's `waitUntil` promises are awaited.
    Background,
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
        let unhandled = turn.report_rejections(Some(&functions.unhandled_rejection));
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
    if wanted && let Err(exception) = turn.run_callbacks(&functions.run_ticks, &[], Some(&functions.uncaught)) {
        problems.push(Problem::Uncaught(exception));
    }
    wanted
}
