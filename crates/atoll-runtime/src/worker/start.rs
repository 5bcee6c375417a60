//! From an app to a worker that has evaluated it.

use super::Phase;
use super::event_loop::Alarm;
use super::{Blank, Worker};
use crate::app::App;
use crate::console::OutputRelay;
use crate::loader::EngineLoader;
use atoll_engine::{
    Argument, Binding, Evaluation, EvaluationState, Exception, Isolate, Reason, Resolved, Ripeness, State, Termination,
    Value,
};
use atoll_node::loader::LoadError;
use atoll_node::{FsState, OsState, ProcessState, WatchState};
use atoll_web::{ClockState, ConsoleSink, ConsoleState, EncodingState, FetchState, ServeState, TimerState};
use std::sync::Arc;
use std::time::Duration;

/// Why an app could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of it could not be found, read or compiled.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It threw while it was evaluated.
    #[error("{0}")]
    Threw(Exception),
    /// It hit a limit.
    #[error("it was ended by its limit while it started: {0}")]
    Terminated(Termination),
    /// It waits at a top-level `await` for something that can't come.
    #[error("a top-level await never settles: nothing is left that could")]
    Stalled,
    /// The process is ending.
    #[error("the process is ending")]
    Stopping,
    /// It took too long by the clock.
    #[error("it did not start within {} ms", .limit.as_millis())]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// It can't serve.
    #[error("{entry} can't serve: {complaint}")]
    NotAServer {
        /// The entry's guest path.
        entry: String,
        /// What it lacks.
        complaint: String,
    },
}

impl From<Termination> for StartError {
    fn from(reason: Termination) -> Self {
        Self::Terminated(reason)
    }
}

impl Worker {
    /// A blank in an isolate that has the limits of `app`: even without any code of a guest's, the smallest may be too low on
    /// a slow machine.
    fn blank(app: &App, isolate: &Isolate) -> Result<Blank, Termination> {
        Blank::new(isolate, app.limits.startup()).inspect_err(|termination| app.metrics.killed(termination.reason))
    }

    /// Binds a realm to `app`, or makes one for it, and begins nothing in it.
    pub(super) fn create(app: Arc<App>, blank: Option<Blank>) -> Result<(Self, Arc<EngineLoader>), Termination> {
        let clock = ClockState::start();
        let loader = Arc::new(EngineLoader::new(Arc::clone(&app.loader)));
        let mut state = State::default();
        state.insert(clock);
        state.insert(TimerState::new(app.limits.timers));
        let output = Arc::new(OutputRelay::new(&app));
        state.insert(EncodingState::default());
        state.insert(ConsoleState { sink: Arc::clone(&output) as Arc<dyn ConsoleSink> });
        state.insert(FetchState::new(app.fetch.clone()));
        state.insert(ServeState::new(app.limits.request()));
        state.insert(FsState::new(
            Arc::clone(&app.mounts),
            app.working_directory.clone(),
            app.limits.open_files as usize,
        ));
        state.insert(WatchState::new(app.limits.watches as usize));
        state.insert(OsState { uid: app.user.uid, gid: app.user.gid, ..OsState::default() });
        state.insert(ProcessState::new(app.process(output)));
        let Blank { mut realm, functions } = match blank {
            Some(blank) => blank,
            None => Self::blank(&app, &Isolate::new(atoll_snapshot::startup(), app.limits.memory()))?,
        };
        realm.bind(Binding {
            loader: Arc::clone(&loader) as Arc<dyn atoll_engine::ModuleLoader>,
            code_cache: app.code_cache.clone(),
            state,
            allow_eval: app.limits.allow_eval,
            allow_wasm: app.limits.allow_wasm,
        });
        Ok((
            Self { app, realm, functions, clock, failed: false, spent: (0, Duration::ZERO), is_program: false },
            loader,
        ))
    }

    /// Makes a worker that serves: its graph loaded and evaluated, its handler found. It has an isolate of its own: that of
    /// `spare` if that has the limits that the app wants.
    pub async fn start(app: Arc<App>, spare: Option<Blank>) -> Result<Self, StartError> {
        let fits = |spare: &Blank| spare.isolate().heap_bytes() == app.limits.heap_bytes;
        let spare = spare.filter(fits);
        if let Some(spare) = &spare {
            spare.isolate().set_external_bytes(app.limits.external_bytes);
        }
        let started = Self::start_serving(app, spare).await;
        started.inspect(|worker| worker.isolate().release())
    }

    /// As [`Worker::start`], in a new context of an isolate that serves this app already, on the isolate's own thread.
    pub async fn start_in(app: Arc<App>, isolate: &Isolate) -> Result<Self, StartError> {
        if let Some(termination) = isolate.termination() {
            return Err(StartError::Terminated(termination));
        }
        let blank = Self::blank(&app, isolate)?;
        Self::start_serving(app, Some(blank)).await
    }

    async fn start_serving(app: Arc<App>, blank: Option<Blank>) -> Result<Self, StartError> {
        let wall = app.limits.startup_wall;
        let metrics = Arc::clone(&app.metrics);
        let starting = Self::evaluate_handler(app, blank);
        tokio::time::timeout(wall, starting).await.unwrap_or_else(|_| {
            metrics.killed(Reason::Wall);
            Err(StartError::TooSlow { limit: wall })
        })
    }

    async fn evaluate_handler(app: Arc<App>, blank: Option<Blank>) -> Result<Self, StartError> {
        let (mut worker, loader) = Self::create(app, blank)?;
        let evaluation = worker.evaluate(&loader).await?;
        let env = worker.app.env.iter().flat_map(|(name, value)| [name.as_str().into(), value.as_str().into()]);
        let env = Value::List(env.collect());
        let complaint = worker.turn(0, worker.budget(Phase::Start, Duration::ZERO), |turn, functions| {
            let arguments = [Argument::Handle(&evaluation.namespace), Argument::Value(env)];
            turn.call(&functions.configure, &arguments)
        })?;
        match complaint.map_err(StartError::Threw)? {
            Value::String(complaint) if !complaint.is_empty() => {
                return Err(StartError::NotAServer { entry: worker.app.entry.to_string(), complaint });
            }
            _ => {}
        }
        Ok(worker)
    }

    /// Keeps compiled code for later starts, if the cache wants it. A limit that is hit meanwhile shows at the next turn.
    pub(super) fn store_code(&mut self, ripeness: Ripeness) {
        if self.app.code_cache.is_some() {
            let _: Result<(), Termination> =
                self.turn(0, self.budget(Phase::Start, Duration::ZERO), |turn, _| turn.store_code(ripeness));
        }
    }

    /// Evaluates the entry to its end, top-level awaits included.
    pub(super) async fn evaluate(&mut self, loader: &EngineLoader) -> Result<Evaluation, StartError> {
        let entry = Resolved::File(self.app.entry.to_string());
        let begun = self.turn(0, self.budget(Phase::Start, Duration::ZERO), |turn, _| {
            let begun = turn.import(entry);
            // Modules are evaluated in a microtask, so those that they start come before ticks.
            turn.checkpoint();
            begun
        })?;
        let evaluation = begun.map_err(|exception| failed(loader, exception))?;
        let mut alarm = Alarm::default();
        loop {
            let state =
                self.turn(0, self.budget(Phase::Start, Duration::ZERO), |turn, _| turn.evaluation_state(&evaluation))?;
            match state {
                EvaluationState::Done => return Ok(evaluation),
                EvaluationState::Failed(exception) => return Err(failed(loader, exception)),
                EvaluationState::Pending if self.is_idle() => return Err(StartError::Stalled),
                EvaluationState::Pending => {
                    let event = self.next_event(&mut alarm).await;
                    self.handle(event)?;
                }
            }
        }
    }

    /// Whether nothing is left that could make JavaScript run.
    pub(super) fn is_idle(&mut self) -> bool {
        !self.realm.has_operations() && self.next_timer().is_none()
    }
}

/// The loader's own error where it is the reason: it knows file, line and hint.
pub(super) fn failed(loader: &EngineLoader, exception: Exception) -> StartError {
    match loader.take_error(&exception) {
        Some(error) => StartError::Load(error),
        None => StartError::Threw(exception),
    }
}
