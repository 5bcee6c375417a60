//! A server of apps that are made for a test.

use atoll_node::OutputStream;
use atoll_node::loader::{Loader, LoaderOptions};
use atoll_runtime::{
    App, Deployment, DeploymentId, Isolation, Limits, Metrics, PoolError, PressureTeller, PressureWatch, Problem,
    Reporter,
};
use atoll_server::{AccessLog, AccessRecord, HostPattern, PathPrefix, Route, Routes, Server, ServerOptions};
use atoll_vfs::{Access, GuestPath, HostDir, Memory, MountTable, Quota};
use atoll_web::{ConsoleLevel, FetchClient, NetRules};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// Hears everything, and keeps how guests ended.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn problems(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Log {
    fn console(&self, _: &str, _: ConsoleLevel, _: &str) {}

    fn output(&self, _: &str, _: OutputStream, _: &[u8]) {}

    fn problem(&self, app: &str, problem: &Problem) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{app}: {problem:?}"));
    }
}

impl AccessLog for Log {
    fn is_on(&self) -> bool {
        false
    }

    fn record(&self, _: &AccessRecord<'_>) {}

    fn unanswered(&self, _: &str, _: &PoolError) {}
}

/// A running server with one thread, and what was made for it.
pub(crate) struct Lab {
    server: Option<Server>,
    pub(crate) log: Arc<Log>,
    pub(crate) pressure: PressureTeller,
    metrics: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Lab {
    /// Serves each of these apps, a name and the text of its module, at `http://NAME.localhost`.
    pub(crate) fn new(apps: &[(&str, &str)], limits: Limits) -> Self {
        atoll_runtime::initialize();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = Arc::new(Log::default());
        let metrics = Arc::new(Metrics::default());
        let routes = (0..).map(DeploymentId).zip(apps).map(|(id, (name, code))| {
            let root = directory.path().join(name);
            std::fs::create_dir(&root).expect("a directory");
            std::fs::write(root.join("main.mjs"), code).expect("a file");
            let mounts = MountTable::builder()
                .mount("/app", HostDir::read_only(&root).expect("the directory is there"), Access::ReadOnly)
                .and_then(|builder| {
                    builder.mount("/tmp", Memory::new(Quota { bytes: 1 << 20, inodes: 64 }), Access::ReadWrite)
                })
                .and_then(atoll_vfs::MountTableBuilder::build);
            let mounts = Arc::new(mounts.expect("the mounts fit"));
            let options = LoaderOptions {
                conditions: Vec::new(),
                cache: None,
                tsconfig: true,
                builtins: atoll_runtime::builtin_names(),
            };
            let app = App {
                name: (*name).to_owned(),
                tenant: (*name).to_owned(),
                isolation: Isolation::Warm,
                entry: GuestPath::new("/app/main.mjs").expect("a path"),
                loader: Arc::new(Loader::new(Arc::clone(&mounts), options)),
                mounts,
                env: Vec::new(),
                arguments: Vec::new(),
                input: None,
                user: atoll_runtime::User::default(),
                working_directory: GuestPath::new("/app").expect("a path"),
                fetch: FetchClient::new(NetRules::new([]).expect("no rules")),
                limits,
                code_cache: None,
                metrics: metrics.of(name),
                reporter: Arc::clone(&log) as Arc<dyn Reporter>,
            };
            Route {
                host: HostPattern::Exact(format!("{name}.localhost")),
                path: PathPrefix::default(),
                deployment: Deployment { id, app: Arc::new(app) },
            }
        });
        let routes = Routes::new(routes.collect());
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (pressure, watch) = PressureWatch::told();
        let options = ServerOptions {
            address: any,
            threads: 1,
            access_log: Arc::clone(&log) as Arc<dyn AccessLog>,
            drain: Duration::from_secs(20),
            pressure: watch,
            metrics,
            metrics_address: Some(any),
            request_headers_max: 100,
        };
        let server = Server::start(options, routes, Vec::new()).expect("a free port");
        let metrics = server.metrics_address().expect("it was asked for");
        Self { server: Some(server), log, pressure, metrics, _directory: directory }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs until the test is over")
    }

    /// Sends a request, and gives the connection.
    pub(crate) fn send(&self, app: &str, request_line: &str, body: &str) -> TcpStream {
        send(self.server().address(), &format!("{app}.localhost"), request_line, body)
    }

    /// Status and body.
    pub(crate) fn get(&self, app: &str, path: &str) -> (u16, String) {
        let (head, body) = receive(self.send(app, &format!("GET {path}"), ""));
        (status(&head), body)
    }

    /// The sum of all samples of a metric that have these labels; of a metric that counts.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let (_, text) = receive(send(self.metrics, "x", "GET /metrics", ""));
        let is_wanted = |line: &&str| {
            let of_name = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            of_name && labels.iter().all(|label| line.contains(label))
        };
        let samples = text.lines().filter(is_wanted).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        samples.sum()
    }

    /// Waits until something holds.
    pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server, and waits for its end.
    pub(crate) fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

fn send(address: SocketAddr, host: &str, request_line: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    let length = body.len();
    let head =
        format!("{request_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it is sent");
    stream
}

/// Head and body; of a body in chunks, the chunks' content.
pub(crate) fn receive(mut stream: TcpStream) -> (String, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a whole answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return (head.to_owned(), body.to_owned());
    }
    let mut content = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        content.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    (head.to_owned(), content)
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}
