//! `node:process` and the global `process`.
//!
//! The program sees the arguments, environment and working directory that its host gives it and a virtual machine
//! around them; nothing is read from the process that hosts it.

use crate::fs::thrown;
use crate::{FsState, OsState};
use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use atoll_vfs::FsError;
use atoll_web::{ClockState, Logged, ServeState, log_is_full};
use futures_util::future::{BoxFuture, Either, select};
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// `node:process`.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "node:process",
    source: include_str!("api.js"),
    natives: natives! {
        "info" => info,
        "argv" => argv,
        "environment" => environment,
        "chdir" => chdir,
        "cwd" => cwd,
        "now" => now,
        "wantTick" => want_tick,
        "runMicrotasks" => run_microtasks,
        "setExitCode" => set_exit_code,
        "exit" => exit,
        "write" => write,
        "readInput" => read_input,
        "stopInput" => stop_input,
        "umask" => umask,
    },
    globals: &[Global::lazy("process")],
};

/// A standard output stream of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// `process.stdout`.
    Stdout,
    /// `process.stderr`.
    Stderr,
}

/// Where `process.stdout` and `process.stderr` write to.
pub trait OutputSink: Send + Sync {
    /// Takes bytes as the guest wrote them: any length, not necessarily whole lines or UTF-8.
    fn write(&self, stream: OutputStream, bytes: &[u8]);
}

/// Where `process.stdin` reads from.
pub trait InputSource: Send + Sync {
    /// The next bytes, as many as there are; none at the end. A future that is dropped has taken nothing.
    fn read(&self) -> BoxFuture<'static, io::Result<Vec<u8>>>;
}

/// What a program is started with.
#[derive(Clone, Default)]
pub struct ProcessOptions {
    /// `process.argv`: the runtime, the entry's guest path, then the program's own arguments.
    pub argv: Vec<String>,
    /// `process.execPath`.
    pub exec_path: String,
    /// `process.env`.
    pub env: Vec<(String, String)>,
    /// `process.cwd()`: an absolute guest path.
    pub cwd: String,
    /// Where output goes; without it, output is dropped.
    pub output: Option<Arc<dyn OutputSink>>,
    /// Where input comes from; without it, it is at its end.
    pub input: Option<Arc<dyn InputSource>>,
}

impl std::fmt::Debug for ProcessOptions {
    /// Without the values of the environment, which may be secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("ProcessOptions")
            .field("argv", &self.argv)
            .field("exec_path", &self.exec_path)
            .field("env", &names)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// The process of a worker. State of a worker.
#[derive(Debug)]
pub struct ProcessState {
    options: ProcessOptions,
    /// Set by `process.nextTick` when its queue is no longer empty. The event loop takes it after a turn and then calls
    /// the builtin's `runTicks()`.
    pub ticks_wanted: bool,
    /// What `process.exit(code)` or `process.exitCode` asked for.
    pub exit_code: Option<i32>,
    /// Ends the read of the input that is under way.
    reading: Option<oneshot::Sender<()>>,
}

impl ProcessState {
    /// A process that has not begun.
    pub fn new(options: ProcessOptions) -> Self {
        Self { options, ticks_wanted: false, exit_code: None, reading: None }
    }
}

fn options<'call>(call: &'call mut Call<'_, '_, '_>) -> &'call ProcessOptions {
    &call.state::<ProcessState>().options
}

/// The processor's name in Node's words.
pub(crate) fn node_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `info()` → `{ version, nodeVersion, arch, execPath, uid, gid }`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn info(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let OsState { uid, gid, .. } = *call.state::<OsState>();
    Ok(Value::Record(vec![
        ("uid", uid.into()),
        ("gid", gid.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("nodeVersion", crate::NODE_VERSION.into()),
        ("arch", node_arch().into()),
        ("execPath", options(call).exec_path.as_str().into()),
    ]))
}

/// `argv()`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn argv(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::List(options(call).argv.iter().map(|argument| argument.as_str().into()).collect()))
}

/// `environment()` → names and values in turn.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn environment(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let pairs = options(call).env.iter();
    Ok(Value::List(pairs.flat_map(|(name, value)| [name.as_str().into(), value.as_str().into()]).collect()))
}

/// `cwd()`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn cwd(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(options(call).cwd.as_str().into())
}

/// `chdir(directory)`.
fn chdir(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let directory = call.with_utf8(0, <[u8]>::to_vec)?;
    let entered = call.state::<FsState>().enter(&directory).map(ToString::to_string);
    let process = call.state::<ProcessState>();
    match entered {
        Ok(path) => process.options.cwd = path,
        Err(errno) => {
            let error = FsError::new(errno, "chdir").with_path(process.options.cwd.as_str());
            return Err(thrown(&error.with_dest(&*String::from_utf8_lossy(&directory))));
        }
    }
    Ok(Value::Undefined)
}

/// `umask(mask)` → the one before; a negative mask changes nothing.
fn umask(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mask = call.number(0)?;
    let fs = call.state::<FsState>();
    let before = if mask < 0.0 { fs.umask() } else { fs.set_umask(mask as u32) };
    Ok(before.into())
}

/// `now()` → milliseconds since the worker's start, as coarse as every clock of a guest.
fn now(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let clock = call.try_state::<ClockState>().ok_or_else(|| JsError::error("there is no clock here"))?;
    Ok(Value::Number(clock.now_ms()))
}

/// `wantTick()`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn want_tick(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.state::<ProcessState>().ticks_wanted = true;
    Ok(Value::Undefined)
}

/// `runMicrotasks()`: empties the microtask queue.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn run_microtasks(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.run_microtasks();
    Ok(Value::Undefined)
}

/// `setExitCode(code)`.
fn set_exit_code(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let code = call.i32(0)?;
    call.state::<ProcessState>().exit_code = Some(code);
    Ok(Value::Undefined)
}

/// `exit()`: nothing of the guest's runs after it.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn exit(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.exit();
    Ok(Value::Undefined)
}

/// `readInput()` → a promise of the next bytes of the input, none at its end; of null if `stopInput()` comes first.
fn read_input(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let state = call.state::<ProcessState>();
    let Some(input) = state.options.input.clone() else {
        return call.spawn(std::future::ready(Ok(Value::Bytes(Vec::new()))));
    };
    let (stop, stopped) = oneshot::channel();
    state.reading = Some(stop);
    call.spawn(async move {
        match select(input.read(), stopped).await {
            Either::Left((Ok(bytes), _)) => Ok(Value::Bytes(bytes)),
            Either::Left((Err(error), _)) => Err(JsError::error(format!("EIO: {error}, read")).with("code", "EIO")),
            Either::Right(_) => Ok(Value::Null),
        }
    })
}

/// `stopInput()`: the read that is under way takes nothing, and no longer keeps the program alive.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
fn stop_input(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.state::<ProcessState>().reading = None;
    Ok(Value::Undefined)
}

/// Where a program's output goes, or some of it.
pub(crate) struct Writer {
    sink: Option<Arc<dyn OutputSink>>,
    stream: OutputStream,
    logged: Logged,
}

/// For `length` bytes of the program's output: they are counted as logged from here on.
pub(crate) fn writer(call: &mut Call<'_, '_, '_>, stream: OutputStream, length: usize) -> Writer {
    let request = call.request();
    let logged = call.try_state::<ServeState>().map_or(Logged::Whole, |serving| serving.log(request, length));
    Writer { sink: call.state::<ProcessState>().options.output.clone(), stream, logged }
}

impl Writer {
    /// Writes them.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let Some(sink) = &self.sink else { return };
        match self.logged {
            Logged::Whole => sink.write(self.stream, bytes),
            Logged::Last { limit_bytes } => {
                sink.write(OutputStream::Stderr, format!("{}\n", log_is_full(limit_bytes)).as_bytes());
            }
            Logged::Dropped => {}
        }
    }
}

/// `write(fd, bytes)`.
fn write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let stream = if call.u32(0)? == 2 { OutputStream::Stderr } else { OutputStream::Stdout };
    let length = call.with_bytes(1, <[u8]>::len)?;
    let writer = writer(call, stream, length);
    call.with_bytes(1, |bytes| writer.write(bytes))?;
    Ok(Value::Undefined)
}
