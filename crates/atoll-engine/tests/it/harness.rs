//! A realm over files in memory.

use atoll_engine::{
    Allowance, Argument, Binding, Built, Builtin, Call, EvaluationState, Exception, Function, Global, ImportKind,
    Isolate, JsError, MemoryLimits, ModuleFormat, ModuleLoader, ModuleSource, NativeResult, Realm, Resolved, Snapshot,
    SourcePosition, State, Termination, TurnBudget, Value, natives, path_to_url,
};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

/// What guests of these tests `log`.
#[derive(Default)]
pub(crate) struct Log(pub(crate) Vec<String>);

fn log(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    call.state::<Log>().0.push(text);
    Ok(Value::Undefined)
}

fn later(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let fails = call.boolean(0);
    call.spawn(async move {
        if fails { Err(JsError::range_error("later").with("code", "LATE")) } else { Ok("done".into()) }
    })
}

fn sum(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let total = call.with_bytes(0, |bytes| bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>())?;
    Ok(total.into())
}

fn buffer(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let bytes = call.u32(0)? as usize;
    let memory = call.memory().expect("an isolate has a budget");
    memory.allocate(bytes).map(Value::Buffer).ok_or_else(|| JsError::range_error("no memory"))
}

/// Whether the budget has so much room.
fn has_room(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let bytes = call.u32(0)? as usize;
    let memory = call.memory().expect("an isolate has a budget");
    Ok(memory.share(bytes).is_some().into())
}

fn fault(_: &mut Call<'_, '_, '_>) -> NativeResult {
    panic!("a fault of ours");
}

fn echo(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (text, bytes) = (call.string(0)?, call.bytes(1)?);
    Ok(Value::Record(vec![("text", text.into()), ("bytes", bytes.into()), ("none", Value::Null)]))
}

const SOURCE: &str = "
const { ArrayPrototypeJoin, ObjectAssign } = primordials;
exports.log = (...values) => native.log(ArrayPrototypeJoin(values, ' '));
exports.later = (fails) => native.later(fails);
exports.sum = (bytes) => native.sum(bytes);
exports.buffer = (bytes) => native.buffer(bytes);
exports.hasRoom = (bytes) => native.hasRoom(bytes);
exports.fault = () => native.fault();
exports.echo = (text, bytes) => native.echo(text, bytes);
exports.default = ObjectAssign({}, exports);
";

const BUILTINS: &[Builtin] = &[
    atoll_engine::BUILTINS[0],
    atoll_engine::BUILTINS[1],
    atoll_engine::BUILTINS[2],
    Builtin {
        name: "test",
        source: SOURCE,
        natives: natives! {
            "log" => log, "later" => later, "sum" => sum, "echo" => echo, "buffer" => buffer, "hasRoom" => has_room,
            "fault" => fault
        },
        globals: &[
            Global::eager("log"),
            Global::eager("later"),
            Global::lazy("sum"),
            Global::lazy("buffer"),
            Global::lazy("hasRoom"),
            Global::lazy("fault"),
            Global::eager("echo"),
        ],
    },
];

fn snapshot() -> Snapshot {
    static BUILT: OnceLock<Built> = OnceLock::new();
    let Built { blob, script } =
        BUILT.get_or_init(|| atoll_engine::build_snapshot(BUILTINS, "").expect("the test's builtins are sound"));
    Snapshot { blob, script, builtins: BUILTINS }
}

struct Files(HashMap<String, String>);

impl ModuleLoader for Files {
    fn resolve(&self, specifier: &str, _referrer: &str, _kind: ImportKind) -> Result<Resolved, JsError> {
        if specifier == "test" {
            return Ok(Resolved::Builtin("test".to_owned()));
        }
        let path = format!("/{}", specifier.trim_start_matches("./").trim_start_matches('/'));
        if self.0.contains_key(&path) {
            Ok(Resolved::File(path))
        } else {
            Err(JsError::error(format!("no file {path}")).with("code", "ERR_MODULE_NOT_FOUND"))
        }
    }

    fn load(&self, path: &str) -> Result<ModuleSource, JsError> {
        let code = self.0.get(path).ok_or_else(|| JsError::error(format!("no file {path}")))?;
        let format = if path.rsplit('.').next() == Some("json") { ModuleFormat::Json } else { ModuleFormat::Module };
        Ok(ModuleSource { name: path_to_url(path), format, code: code.as_str().into(), digest: [0; 32] })
    }

    fn original_position(&self, name: &str, line: u32, column: u32) -> Option<SourcePosition> {
        name.contains("lib.ts").then(|| SourcePosition { file: format!("{name}.orig"), line: line + 100, column })
    }
}

pub(crate) const BUDGET: TurnBudget =
    TurnBudget { cpu: Allowance::new(Duration::from_millis(300)), wall: Allowance::new(Duration::from_secs(20)) };

pub(crate) const MEMORY: MemoryLimits = MemoryLimits { heap_bytes: 32 << 20, external_bytes: 16 << 20 };

pub(crate) fn isolate() -> Isolate {
    isolate_within(MEMORY)
}

pub(crate) fn isolate_within(memory: MemoryLimits) -> Isolate {
    Isolate::new(snapshot(), memory)
}

pub(crate) fn realm(files: &[(&str, &str)]) -> Realm {
    realm_on(&isolate(), files)
}

/// A realm on an isolate that may have others.
pub(crate) fn realm_on(isolate: &Isolate, files: &[(&str, &str)]) -> Realm {
    let mut realm = Realm::new(isolate);
    realm.bind(binding(files));
    realm
}

pub(crate) fn binding(files: &[(&str, &str)]) -> Binding {
    let files = files.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect();
    let mut state = State::default();
    state.insert(Log::default());
    Binding { loader: Arc::new(Files(files)), code_cache: None, state, allow_eval: true, allow_wasm: true }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Vec<String>),
    Threw(Exception),
    Stalled,
    Ended(Termination),
}

/// Evaluates `/main.js` and delivers operations until nothing is left.
pub(crate) fn run(files: &[(&str, &str)]) -> Outcome {
    run_within(files, BUDGET)
}

/// As [`run`], with another budget for each turn.
pub(crate) fn run_within(files: &[(&str, &str)], budget: TurnBudget) -> Outcome {
    let mut realm = realm(files);
    match drive(&mut realm, budget) {
        Ok(outcome) => outcome,
        Err(reason) => Outcome::Ended(reason),
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Wakes the thread that drives a realm.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Evaluates `/main.js` of a realm and delivers operations until nothing is left.
pub(crate) fn drive(realm: &mut Realm, budget: TurnBudget) -> Result<Outcome, Termination> {
    let begun = realm.turn(budget, |turn| {
        let begun = turn.import(Resolved::File("/main.js".to_owned()));
        turn.checkpoint();
        begun
    })?;
    let evaluation = match begun.value {
        Ok(evaluation) => evaluation,
        Err(exception) => return Ok(Outcome::Threw(exception)),
    };
    while realm.has_operations() {
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let Poll::Ready(settled) = realm.poll_operations(&mut Context::from_waker(&waker)) else {
            // What goes on in the background comes within seconds, or never.
            let parked = Instant::now();
            std::thread::park_timeout(PATIENCE);
            if parked.elapsed() >= PATIENCE {
                break;
            }
            continue;
        };
        realm.turn(budget, |turn| {
            turn.settle(settled);
            turn.checkpoint();
        })?;
    }
    let report = realm.turn(budget, |turn| {
        let state = turn.evaluation_state(&evaluation);
        let log = turn.state().get_mut::<Log>().map(|log| std::mem::take(&mut log.0)).unwrap_or_default();
        (state, log)
    })?;
    let (state, log) = report.value;
    Ok(match state {
        EvaluationState::Done => Outcome::Done(log),
        EvaluationState::Failed(exception) => Outcome::Threw(exception),
        EvaluationState::Pending => Outcome::Stalled,
    })
}

/// A program of one file ends having logged this.
#[track_caller]
pub(crate) fn check(code: &str, expected: &[&str]) {
    check_files(&[("/main.js", code)], expected);
}

/// A program ends having logged this.
#[track_caller]
pub(crate) fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    match run(files) {
        Outcome::Done(log) => assert_eq!(log, expected),
        other => panic!("wanted {expected:?}, got {other:?}"),
    }
}

/// A function of a builtin, called with values.
pub(crate) fn call<const N: usize>(
    realm: &mut Realm,
    export: &'static str,
    arguments: [Value; N],
) -> Result<Value, Exception> {
    let arguments = arguments.map(Argument::Value);
    let function = Function::new("test", export);
    let report = realm.turn(BUDGET, |turn| {
        assert!(turn.prepare(&function), "the test's builtin exports it");
        turn.call(&function, &arguments)
    });
    report.expect("within its limits").value
}
