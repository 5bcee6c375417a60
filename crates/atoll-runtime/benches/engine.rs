//! What the engine itself costs: `cargo bench -p atoll-runtime --bench engine [-- --json]`.
//!
//! * `warm turn`: a request is dispatched to a warm worker, whose handler returns a response that it made before, until
//!   the response is in the host's hands. No HTTP. `warm turn, hello`: the handler returns
//!   `new Response('Hello, World!')`.
//! * `new context`: [`Realm::new`] and [`Realm::bind`] on a warm isolate that has evaluated the app, and dropping it.
//!   `context with app`: the app's module is evaluated in it as well.
//! * `bare context`: V8's own context, from a snapshot of nothing, on an isolate of its own. A process can't hold two
//!   different snapshots, so a child process measures it.
//! * `start to response`: an isolate, a context and the app are made, and one request is answered.
//! * `checkout`: a worker that was started ahead is pinned to this thread. Its start is not part of it.
//!
//! Each run is the median of many batches, and the batches are short: on a machine that does other things as well, most
//! of them are undisturbed. The runs of all metrics alternate.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a benchmark writes its fixtures and starts itself again")]

use atoll_engine::{
    Binding, EvaluationState, ImportKind, Isolate, JsError, ModuleFormat, ModuleLoader, ModuleSource, Realm, Resolved,
    SourcePosition, State,
};
use atoll_node::OutputStream;
use atoll_node::loader::{Loader, LoaderOptions};
use atoll_runtime::{App, ColdStarter, Isolation, Limits, PinnedWorker, Problem, Reporter, Worker};
use atoll_vfs::{Access, GuestPath, HostDir, Memory, MountTable, Quota};
use atoll_web::{ConsoleLevel, FetchClient, IncomingRequest, NetRules, RequestUrl};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

type Failure = Box<dyn Error>;

/// How often each metric is measured.
const RUNS: usize = 7;

/// Requests of a run, and of a batch.
const TURNS: usize = 100_000;
const TURNS_OF_A_BATCH: usize = 500;

/// Contexts of a run, and of a batch.
const CONTEXTS: usize = 300;
const CONTEXTS_OF_A_BATCH: usize = 5;

/// Workers that are started in a run.
const SPARES: usize = 20;

/// Turns and contexts before the first measurement: by then V8 has optimised what it will.
const WARM_UP_TURNS: usize = 200_000;
const WARM_UP_CONTEXTS: usize = 300;

const EMPTY: &str = "const response = new Response(null); export default { fetch() { return response; } };";
const HELLO: &str = "export default { fetch() { return new Response('Hello, World!'); } };";

/// The argument with which the benchmark starts itself to measure bare contexts.
const BARE: &str = "--bare";

fn main() -> Result<(), Failure> {
    atoll_runtime::initialize();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == BARE) {
        println!("{}", bare_context()?);
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let metrics = tokio::task::LocalSet::new().block_on(&runtime, measure())?;
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", json(&metrics));
    } else {
        table(&metrics);
    }
    Ok(())
}

/// Microseconds by metric, in the order of the documentation.
type Metrics = Vec<(&'static str, Vec<f64>)>;

async fn measure() -> Result<Metrics, Failure> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("empty.mjs"), EMPTY)?;
    std::fs::write(directory.path().join("hello.mjs"), HELLO)?;
    let empty_app = app(directory.path(), "empty.mjs")?;
    let hello_app = app(directory.path(), "hello.mjs")?;
    let empty = Worker::start(Arc::clone(&empty_app), None).await?.pin(starter()?);
    let hello = Worker::start(Arc::clone(&hello_app), None).await?.pin(starter()?);
    let contexts = Contexts::new()?;

    turns(&empty, WARM_UP_TURNS).await?;
    turns(&hello, WARM_UP_TURNS).await?;
    batches(WARM_UP_CONTEXTS, CONTEXTS_OF_A_BATCH, || contexts.with_app());

    let mut metrics: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    let order = [
        "warm turn",
        "warm turn, hello",
        "new context",
        "context with app",
        "bare context",
        "start to response",
        "checkout",
    ];
    for _ in 0..RUNS {
        let runs = [
            turns(&empty, TURNS).await?,
            turns(&hello, TURNS).await?,
            batches(CONTEXTS, CONTEXTS_OF_A_BATCH, || drop(contexts.realm())),
            batches(CONTEXTS, CONTEXTS_OF_A_BATCH, || contexts.with_app()),
            bare_context_in_a_child()?,
            start(&hello_app).await?,
            checkout(&hello_app).await?,
        ];
        for (name, microseconds) in order.into_iter().zip(runs) {
            metrics.entry(name).or_default().push(microseconds);
        }
    }
    empty.retire();
    hello.retire();
    Ok(order.into_iter().filter_map(|name| Some((name, metrics.remove(name)?))).collect())
}

/// The median of batches of `size`, microseconds for one call of `work`.
fn batches(count: usize, size: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..count / size).map(|_| {
        let start = Instant::now();
        for _ in 0..size {
            work();
        }
        microseconds(start.elapsed()) / size as f64
    });
    median(times.collect())
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Has the worker answer `count` requests, one after the other.
async fn turns(worker: &Rc<PinnedWorker>, count: usize) -> Result<f64, Failure> {
    let authority = HeaderValue::from_static("127.0.0.1:8080");
    let target = PathAndQuery::from_static("/");
    let mut times = Vec::with_capacity(count / TURNS_OF_A_BATCH);
    for _ in 0..count / TURNS_OF_A_BATCH {
        let start = Instant::now();
        for _ in 0..TURNS_OF_A_BATCH {
            let url = RequestUrl::Parts { scheme: "http", authority: authority.clone(), target: target.clone() };
            let request = IncomingRequest { method: Method::GET, url, headers: HeaderMap::new(), body: None };
            let response = worker.fetch(request).await?;
            assert_eq!(response.status(), 200, "the handler is a fixture of this file");
        }
        times.push(microseconds(start.elapsed()) / TURNS_OF_A_BATCH as f64);
        // The worker's event loop has its turn, as between the requests of a server.
        tokio::task::yield_now().await;
    }
    Ok(median(times))
}

/// A warm isolate and what is needed for another realm on it.
struct Contexts {
    isolate: Isolate,
    loader: Arc<dyn ModuleLoader>,
    _first: Realm,
}

impl Contexts {
    fn new() -> Result<Self, Failure> {
        let memory = atoll_engine::MemoryLimits {
            heap_bytes: Limits::SERVE.heap_bytes,
            external_bytes: Limits::SERVE.external_bytes,
        };
        let isolate = Isolate::new(atoll_snapshot::startup(), memory);
        let loader: Arc<dyn ModuleLoader> = Arc::new(OneFile(HELLO));
        let mut first = realm(&isolate, &loader);
        evaluate(&mut first)?;
        Ok(Self { isolate, loader, _first: first })
    }

    fn realm(&self) -> Realm {
        realm(&self.isolate, &self.loader)
    }

    fn with_app(&self) {
        evaluate(&mut self.realm()).expect("the app was evaluated before");
    }
}

fn realm(isolate: &Isolate, loader: &Arc<dyn ModuleLoader>) -> Realm {
    let mut realm = Realm::new(isolate);
    realm.bind(Binding {
        loader: Arc::clone(loader),
        code_cache: None,
        state: State::default(),
        allow_eval: true,
        allow_wasm: true,
    });
    realm
}

fn evaluate(realm: &mut Realm) -> Result<(), Failure> {
    let budget = atoll_engine::TurnBudget {
        cpu: atoll_engine::Allowance::new(Limits::SERVE.startup_cpu),
        wall: atoll_engine::Allowance::new(Limits::SERVE.startup_wall),
    };
    let state = realm.turn(budget, |turn| {
        let evaluation = turn.import(Resolved::File("/app/hello.mjs".to_owned()))?;
        turn.checkpoint();
        Ok::<_, atoll_engine::Exception>(turn.evaluation_state(&evaluation))
    });
    match state.map_err(|ended| ended.to_string())?.value? {
        EvaluationState::Done => Ok(()),
        other => Err(format!("the app was not evaluated: {other:?}").into()),
    }
}

/// The loader of an app that is one file.
struct OneFile(&'static str);

impl ModuleLoader for OneFile {
    fn resolve(&self, specifier: &str, _referrer: &str, _kind: ImportKind) -> Result<Resolved, JsError> {
        Ok(Resolved::File(specifier.to_owned()))
    }

    fn load(&self, identity: &str) -> Result<ModuleSource, JsError> {
        Ok(ModuleSource {
            name: atoll_engine::path_to_url(identity),
            format: ModuleFormat::Module,
            code: self.0.into(),
            digest: [0; 32],
        })
    }

    fn original_position(&self, _name: &str, _line: u32, _column: u32) -> Option<SourcePosition> {
        None
    }
}

fn bare_context_in_a_child() -> Result<f64, Failure> {
    let child = std::process::Command::new(std::env::current_exe()?).arg(BARE).output()?;
    if !child.status.success() {
        return Err(format!("{}: {}", child.status, String::from_utf8_lossy(&child.stderr)).into());
    }
    Ok(String::from_utf8(child.stdout)?.trim().parse()?)
}

fn bare_context() -> Result<f64, Failure> {
    let mut creator = v8::Isolate::snapshot_creator(None, None);
    {
        v8::scope!(let scope, &mut creator);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        scope.set_default_context(context);
    }
    let blob = creator.create_blob(v8::FunctionCodeHandling::Keep).ok_or("V8 made no snapshot")?;
    let parameters = v8::CreateParams::default().snapshot_blob(blob).heap_limits(0, Limits::SERVE.heap_bytes);
    let mut isolate = v8::Isolate::new(parameters);
    // One context lives on, as the app's first does.
    let _first = {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        v8::Global::new(scope, context)
    };
    let mut context = || {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        drop(v8::Global::new(scope, context));
    };
    batches(WARM_UP_CONTEXTS, CONTEXTS_OF_A_BATCH, &mut context);
    Ok(batches(CONTEXTS, CONTEXTS_OF_A_BATCH, context))
}

/// Starts workers on this thread, each until it has answered once.
async fn start(app: &Arc<App>) -> Result<f64, Failure> {
    let mut times = Vec::with_capacity(SPARES);
    for _ in 0..SPARES {
        let start = Instant::now();
        let worker = Worker::start(Arc::clone(app), None).await?.pin(starter()?);
        let response = worker.fetch(IncomingRequest::new(Method::GET, "http://127.0.0.1:8080/")).await?;
        times.push(microseconds(start.elapsed()));
        assert_eq!(response.status(), 200, "the handler is a fixture of this file");
        worker.retire();
        worker.ended().await;
    }
    Ok(median(times))
}

/// Takes workers that are ready, one by one; each has an isolate of its own.
async fn checkout(app: &Arc<App>) -> Result<f64, Failure> {
    let mut spares = Vec::with_capacity(SPARES);
    for _ in 0..SPARES {
        spares.push(Worker::start(Arc::clone(app), None).await?);
    }
    let mut times = Vec::with_capacity(SPARES);
    let mut taken = Vec::with_capacity(SPARES);
    while let Some(spare) = spares.pop() {
        let start = Instant::now();
        let worker = spare.pin(starter()?);
        times.push(microseconds(start.elapsed()));
        taken.push(worker);
    }
    for worker in taken {
        worker.retire();
        worker.ended().await;
    }
    Ok(median(times))
}

/// Who disposes of workers.
fn starter() -> Result<Arc<ColdStarter>, Failure> {
    static STARTER: OnceLock<Arc<ColdStarter>> = OnceLock::new();
    if let Some(starter) = STARTER.get() {
        return Ok(Arc::clone(starter));
    }
    let starter = ColdStarter::new(1)?;
    Ok(Arc::clone(STARTER.get_or_init(|| starter)))
}

struct Silent;

impl Reporter for Silent {
    fn console(&self, _app: &str, _level: ConsoleLevel, _text: &str) {}

    fn output(&self, _app: &str, _stream: OutputStream, _bytes: &[u8]) {}

    fn problem(&self, app: &str, problem: &Problem) {
        panic!("{app}: {problem:?}");
    }
}

fn app(directory: &Path, entry: &str) -> Result<Arc<App>, Failure> {
    let mounts = MountTable::builder().mount("/app", HostDir::read_only(directory)?, Access::ReadOnly)?;
    let quota = Quota { bytes: 16 << 20, inodes: 4096 };
    let mounts = Arc::new(mounts.mount("/tmp", Memory::new(quota), Access::ReadWrite)?.build()?);
    let options =
        LoaderOptions { conditions: Vec::new(), cache: None, tsconfig: true, builtins: atoll_runtime::builtin_names() };
    Ok(Arc::new(App {
        name: entry.to_owned(),
        tenant: entry.to_owned(),
        isolation: Isolation::Warm,
        entry: GuestPath::new(format!("/app/{entry}"))?,
        loader: Arc::new(Loader::new(Arc::clone(&mounts), options)),
        mounts,
        env: Vec::new(),
        arguments: Vec::new(),
        input: None,
        user: atoll_runtime::User::default(),
        working_directory: GuestPath::new("/app")?,
        fetch: FetchClient::new(NetRules::new(std::iter::empty())?),
        limits: Limits::SERVE,
        code_cache: None,
        metrics: Arc::default(),
        reporter: Arc::new(Silent),
    }))
}

/// Names are of this file, so nothing in them needs escaping.
fn json(metrics: &Metrics) -> String {
    let fields = metrics.iter().map(|(name, runs)| {
        let runs: Vec<String> = runs.iter().map(|run| format!("{run:.3}")).collect();
        format!(r#""{name}": {{"unit": "µs", "runs": [{}]}}"#, runs.join(", "))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn table(metrics: &Metrics) {
    println!("{:<18} {:>10} {:>10} {:>10}", "µs", "median", "lowest", "highest");
    for (name, runs) in metrics {
        let lowest = runs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = runs.iter().copied().fold(0.0, f64::max);
        println!("{name:<18} {:>10.2} {lowest:>10.2} {highest:>10.2}", median(runs.clone()));
    }
}
