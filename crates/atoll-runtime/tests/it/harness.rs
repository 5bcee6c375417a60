//! Apps made of files in memory, and what they print.

use atoll_node::OutputStream;
use atoll_node::loader::{Loader, LoaderOptions};
use atoll_runtime::{App, Exit, Isolation, Limits, Problem, Reporter, StartError, Worker};
use atoll_test::http_origin::HttpOrigin;
use atoll_vfs::{Access, GuestPath, HostDir, Memory, MountTable, Quota};
use atoll_web::{ConsoleLevel, FetchClient, NetRules};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps what guests say.
#[derive(Default)]
pub(crate) struct Recorder {
    lines: Mutex<Vec<String>>,
    problems: Mutex<Vec<Problem>>,
}

impl Recorder {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.iter().map(|problem| format!("{problem:?}")).collect()
    }

    fn push(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Reporter for Recorder {
    fn console(&self, _app: &str, _level: ConsoleLevel, text: &str) {
        self.push(text.to_owned());
    }

    fn output(&self, _app: &str, _stream: OutputStream, bytes: &[u8]) {
        self.push(String::from_utf8_lossy(bytes).into_owned());
    }

    fn problem(&self, _app: &str, problem: &Problem) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem.clone());
    }
}

fn quota() -> Quota {
    Quota { bytes: 16 << 20, inodes: 4096 }
}

/// The mounts of a guest: `/app` from a directory, `/tmp` in memory.
pub(crate) fn mounts(app: &Path) -> Arc<MountTable> {
    let app = HostDir::read_only(app).expect("the directory is there");
    let builder = MountTable::builder().mount("/app", app, Access::ReadOnly);
    let builder = builder.and_then(|builder| builder.mount("/tmp", Memory::new(quota()), Access::ReadWrite));
    Arc::new(builder.and_then(atoll_vfs::MountTableBuilder::build).expect("the mounts fit"))
}

/// An app over a directory of the host.
pub(crate) fn app(directory: &Path, entry: &str, limits: Limits) -> (Arc<App>, Arc<Recorder>) {
    app_with_origin(directory, entry, limits, None)
}

/// As [`app`], with an HTTP origin at `127.0.0.1:PORT` that it may fetch from and finds in its environment.
pub(crate) fn app_with_origin(
    directory: &Path,
    entry: &str,
    limits: Limits,
    origin: Option<&HttpOrigin>,
) -> (Arc<App>, Arc<Recorder>) {
    app_with(directory, entry, limits, origin, Isolation::Warm)
}

/// As [`app_with_origin`], with another isolation.
pub(crate) fn app_with(
    directory: &Path,
    entry: &str,
    limits: Limits,
    origin: Option<&HttpOrigin>,
    isolation: Isolation,
) -> (Arc<App>, Arc<Recorder>) {
    app_on(mounts(directory), entry, Options { origin, isolation, ..options_of(limits, &["one"]) })
}

/// What else an app may differ in.
pub(crate) struct Options<'a> {
    pub(crate) limits: Limits,
    pub(crate) arguments: Vec<String>,
    pub(crate) origin: Option<&'a HttpOrigin>,
    pub(crate) isolation: Isolation,
}

/// An app with these limits and arguments.
pub(crate) fn options_of(limits: Limits, arguments: &[&str]) -> Options<'static> {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Options { limits, arguments, origin: None, isolation: Isolation::Warm }
}

/// An app over any mounts, of which `/app` has the entry.
pub(crate) fn app_on(mounts: Arc<MountTable>, entry: &str, options: Options<'_>) -> (Arc<App>, Arc<Recorder>) {
    let Options { limits, arguments, origin, isolation } = options;
    let mut env = vec![("GREETING".to_owned(), "hello".to_owned())];
    env.extend(origin.map(|origin| ("ATOLL_TEST_ORIGIN".to_owned(), origin.url())));
    let port = origin.map(|origin| origin.address().port());
    let allowed: Vec<String> =
        port.iter().flat_map(|port| [format!("127.0.0.1:{port}"), format!("localhost:{port}")]).collect();
    let rules = NetRules::new(allowed.iter().map(String::as_str)).expect("addresses");
    let recorder = Arc::new(Recorder::default());
    let options =
        LoaderOptions { conditions: Vec::new(), cache: None, tsconfig: true, builtins: atoll_runtime::builtin_names() };
    let app = App {
        name: "test".to_owned(),
        tenant: "test".to_owned(),
        isolation,
        entry: GuestPath::new(format!("/app/{entry}")).expect("a path"),
        loader: Arc::new(Loader::new(Arc::clone(&mounts), options)),
        mounts,
        env,
        arguments,
        input: None,
        user: atoll_runtime::User::default(),
        working_directory: GuestPath::new("/app").expect("a path"),
        fetch: FetchClient::new(rules),
        limits,
        code_cache: None,
        metrics: Arc::default(),
        reporter: Arc::clone(&recorder) as Arc<dyn Reporter>,
    };
    (Arc::new(app), recorder)
}

/// Writes files into a fresh directory.
pub(crate) fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    }
    directory
}

/// Runs an async body as a thread that serves does.
pub(crate) fn block_on<R>(body: impl Future<Output = R>) -> R {
    atoll_runtime::initialize();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, body)
}

/// How a program ended and what it printed.
pub(crate) struct Ran {
    pub(crate) exit: Result<Exit, StartError>,
    pub(crate) recorder: Arc<Recorder>,
}

pub(crate) fn run_in(directory: &Path, entry: &str) -> Ran {
    let limits = Limits { request_cpu: std::time::Duration::from_mins(2), ..Limits::RUN };
    block_on(async {
        let origin = HttpOrigin::start().await.expect("a port");
        let (app, recorder) = app_with_origin(directory, entry, limits, Some(&origin));
        Ran { exit: Worker::run(app).await, recorder }
    })
}

/// A program made of these files, of which `main.mjs`, or the first, is the entry, ends with this code and output.
#[track_caller]
pub(crate) fn check(listed: &[(&str, &str)], code: i32, expected: &[&str]) -> Arc<Recorder> {
    let directory = files(listed);
    let entry = listed.first().map_or("main.mjs", |(name, _)| name);
    let ran = run_in(directory.path(), entry);
    let problems = ran.recorder.problems();
    match ran.exit {
        Ok(exit) => assert_eq!(exit, Exit::Code(code), "{:?} {problems:?}", ran.recorder.lines()),
        Err(error) => panic!("it did not start: {error:?} {problems:?}"),
    }
    assert_eq!(ran.recorder.lines(), expected, "{problems:?}");
    ran.recorder
}
