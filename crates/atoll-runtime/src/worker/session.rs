//! An interactive session: a worker without an entry, into which somebody types.
//!
//! A session outlives what is typed: an entry that computes for too long, or is interrupted, is ended in the middle, and what
//! it left undone stays so, in heap and files. That is between the session and whoever types: no one else's code is in it. A
//! limit on memory ends the session, as it does programs.

use super::Worker;
use super::event_loop::{Alarm, Event};
use super::{Phase, program};
use crate::app::App;
use crate::report::Problem;
use atoll_engine::{
    Argument, Evaluated, EvaluationId, Exception, Function, Handle, Inspector, Interrupter, Reason, Termination, Value,
};
use program::Exit;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The file that what is typed seems to be in: what it imports is found relative to this.
const FILE: &str = "[repl]";

/// What may be used to find out which names could be typed next: nobody waits longer for that.
const NAMES_BUDGET: Duration = Duration::from_millis(200);

/// See the module's documentation.
#[derive(Debug)]
pub struct Session {
    /// Goes before the worker.
    inspector: Inspector,
    worker: Worker,
    functions: Functions,
}

/// The functions of the platform's JavaScript that only sessions call.
#[derive(Debug)]
struct Functions {
    start: Function,
    show: Function,
    show_error: Function,
    touch: Function,
    read: Function,
    recover: Function,
}

impl Functions {
    const fn new() -> Self {
        const fn export(name: &'static str) -> Function {
            Function::new("node/internal/repl", name)
        }
        Self {
            start: export("start"),
            show: export("show"),
            show_error: export("showError"),
            touch: export("touch"),
            read: export("read"),
            recover: export("recover"),
        }
    }
}

/// What became of something that was typed.
#[derive(Debug)]
pub enum Entry {
    /// Its value, as the console shows it.
    Value(String),
    /// What it threw, as the console shows it.
    Threw(String, Exception),
    /// It was ended before it had a value.
    Broken(Broken),
}

/// Why something ended before it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Whoever typed it wanted that.
    Interrupted,
    /// A limit on time.
    Limit(Termination),
    /// It awaits what nothing that is left could settle.
    Stalled,
}

impl Session {
    /// Starts one for `app`, whose entry is not looked at. `has_colours`: values are shown with them.
    pub fn start(app: Arc<App>, has_colours: bool) -> Result<Self, Exit> {
        let directory = app.working_directory.to_string();
        let file = format!("{}/{FILE}", directory.trim_end_matches('/'));
        let (mut worker, _) = Worker::create(app, None).map_err(Exit::Terminated)?;
        let inspector = worker.realm.inspect(file.clone());
        let mut session = Self { inspector, worker, functions: Functions::new() };
        let arguments = [Argument::from(file), Argument::from(has_colours)];
        let budget = session.worker.budget(Phase::Start, Duration::ZERO);
        let start = &session.functions.start;
        let started = session.worker.turn(0, budget, |turn, _| turn.call(start, &arguments));
        if let Err(exception) = started.map_err(Exit::Terminated)? {
            session.worker.report([Problem::Uncaught(exception)]);
        }
        Ok(session)
    }

    /// A way to end what runs from another thread. A session that was not asked for it is ended by every limit.
    pub fn interrupter(&self) -> Interrupter {
        self.worker.isolate().survive()
    }

    /// Evaluates what was typed: JavaScript. Ends early when `interrupted` is ready; what runs at that moment is ended by the
    /// session's interrupter. Errors: the session is over.
    pub async fn evaluate(&mut self, code: &str, interrupted: impl Future<Output = ()>) -> Result<Entry, Exit> {
        let begun = self.worker.spent.1;
        let wall = self.worker.app.limits.wall;
        let deadline = Instant::now().checked_add(wall);
        let Self { inspector, worker, .. } = self;
        let budget = worker.budget(Phase::Response, Duration::ZERO);
        let id = match worker.turn(0, budget, |turn, _| turn.evaluate(inspector, code)) {
            Ok(id) => id,
            Err(termination) => return self.broken(termination).map(Entry::Broken),
        };
        let mut interrupted = std::pin::pin!(interrupted);
        let mut alarm = Alarm::default();
        loop {
            match self.evaluated(id) {
                Ok(Some(evaluated)) => return self.shown(evaluated),
                Ok(None) => {}
                Err(termination) => return self.broken(termination).map(Entry::Broken),
            }
            let cpu = self.worker.spent.1.saturating_sub(begun);
            let limit = self.worker.app.limits.request_cpu;
            if cpu >= limit {
                return Ok(Entry::Broken(Broken::Limit(Termination::time(Reason::Cpu, limit, cpu))));
            }
            if self.worker.is_idle() {
                return Ok(Entry::Broken(Broken::Stalled));
            }
            let worker = &mut self.worker;
            let event = poll_fn(|context| match interrupted.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => worker.poll_event(&mut alarm, deadline, context).map(Some),
            });
            match event.await {
                None => return Ok(Entry::Broken(Broken::Interrupted)),
                Some(Event::DeadlinePassed) => {
                    return Ok(Entry::Broken(Broken::Limit(Termination::time(Reason::Wall, wall, wall))));
                }
                Some(event) => {
                    if let Err(termination) = self.worker.handle(event) {
                        return self.broken(termination).map(Entry::Broken);
                    }
                }
            }
        }
    }

    /// Waits for the next timer or operation and gives it its turn: what was started goes on while nobody types. Dropped while
    /// it waits, it has done nothing. Says what ended the turn early, if something did. Errors: the session is over.
    pub async fn idle(&mut self) -> Result<Option<Broken>, Exit> {
        let mut alarm = Alarm::default();
        let event = self.worker.next_event(&mut alarm).await;
        match self.worker.handle(event) {
            Ok(()) => Ok(None),
            Err(termination) => self.broken(termination).map(Some),
        }
    }

    /// The names that could stand behind a path of identifiers and a dot, or at the beginning. Runs nothing of the guest's.
    /// Errors: the session is over.
    pub fn names(&mut self, path: &[&str]) -> Result<Vec<String>, Exit> {
        let Self { inspector, worker, functions } = self;
        let mut budget = worker.budget(Phase::Response, Duration::ZERO);
        budget.cpu.limit = budget.cpu.limit.min(NAMES_BUDGET);
        let named = worker.turn(0, budget, |turn, _| {
            if let Some(first) = path.first() {
                // What goes wrong there is no concern of whoever asks for names.
                let _ = turn.call(&functions.touch, &[(*first).into()]);
            }
            turn.names(inspector, path)
        });
        match named {
            Ok(names) => Ok(names),
            Err(termination) => self.broken(termination).map(|_| Vec::new()),
        }
    }

    /// The text of a file that the guest can read, or what is said instead. Errors: the session is over.
    pub fn read(&mut self, path: &str) -> Result<Result<String, Entry>, Exit> {
        let budget = self.worker.budget(Phase::Response, Duration::ZERO);
        let read = &self.functions.read;
        match self.worker.turn(0, budget, |turn, _| turn.call(read, &[path.into()])) {
            Ok(Ok(Value::String(text))) => Ok(Ok(text)),
            Ok(Ok(_)) => Ok(Ok(String::new())),
            Ok(Err(exception)) => Ok(Err(Entry::Threw(exception.message.clone(), exception))),
            Err(termination) => self.broken(termination).map(|broken| Err(Entry::Broken(broken))),
        }
    }

    /// Ends it, as a program ends: listeners of `exit` are called. The exit code.
    pub fn end(mut self) -> Exit {
        match self.worker.emit("exit") {
            Ok(()) => Exit::Code(self.worker.exit_code()),
            Err(termination) => self.over(termination),
        }
    }

    fn evaluated(&mut self, id: EvaluationId) -> Result<Option<Evaluated>, Termination> {
        let Self { inspector, worker, .. } = self;
        let budget = worker.budget(Phase::Response, Duration::ZERO);
        worker.turn(0, budget, |turn, _| turn.evaluated(inspector, id))
    }

    fn shown(&mut self, evaluated: Evaluated) -> Result<Entry, Exit> {
        let (value, thrown) = match evaluated {
            Evaluated::Value(value) => (value, None),
            Evaluated::Threw(value, exception) => (value, Some(exception)),
            Evaluated::Nothing(_) => return Ok(Entry::Broken(Broken::Stalled)),
        };
        let shown = match self.inspect(&value, thrown.is_some()) {
            Ok(shown) => shown,
            Err(termination) => return self.broken(termination).map(Entry::Broken),
        };
        Ok(match (shown, thrown) {
            (Ok(text), None) => Entry::Value(text),
            (Ok(text), Some(exception)) => Entry::Threw(text, exception),
            // Showing runs code of the guest's that describes its own objects.
            (Err(exception), _) => Entry::Threw(exception.stack.clone(), exception),
        })
    }

    fn inspect(&mut self, value: &Handle, is_error: bool) -> Result<Result<String, Exception>, Termination> {
        let Self { worker, functions, .. } = self;
        let show = if is_error { &functions.show_error } else { &functions.show };
        let budget = worker.budget(Phase::Response, Duration::ZERO);
        let shown = worker.turn(0, budget, |turn, _| turn.call(show, &[Argument::Handle(value)]))?;
        Ok(shown.map(|value| if let Value::String(text) = value { text } else { String::new() }))
    }

    /// A turn was ended by force: the session goes on, unless it is over.
    fn broken(&mut self, termination: Termination) -> Result<Broken, Exit> {
        if let Some(termination) = self.worker.termination() {
            return Err(self.over(termination));
        }
        let Self { worker, functions, .. } = self;
        let budget = worker.budget(Phase::Response, Duration::ZERO);
        // Without it timers would stand still; should it be ended as well, the next one comes soon enough.
        let _ = worker.turn(0, budget, |turn, _| turn.call(&functions.recover, &[]).map(drop));
        if let Some(termination) = worker.termination() {
            return Err(self.over(termination));
        }
        Ok(match termination.reason {
            Reason::Interrupt => Broken::Interrupted,
            _ => Broken::Limit(termination),
        })
    }

    fn over(&mut self, termination: Termination) -> Exit {
        match termination.reason {
            Reason::Exit => Exit::Code(self.worker.exit_code()),
            _ => Exit::Terminated(termination),
        }
    }
}
