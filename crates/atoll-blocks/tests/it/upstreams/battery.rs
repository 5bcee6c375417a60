//! One battery that every upstream passes, whoever serves it.

use super::{bytes, content, error, part, read};
use crate::faulty_store::{FaultyStore, StoreFault};
use async_trait::async_trait;
use atoll_blocks::schedule::Ending;
use atoll_blocks::upstream::{Remote, UpstreamError, store_for};
use atoll_test::object_origin::{ObjectOrigin, Shape, Validator};
use futures_util::future::join_all;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// An object store, and how a test changes what is in it.
#[async_trait]
trait Upstream: Send + Sync {
    /// As users get at it.
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path);

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        let (store, location) = self.open(key);
        store.put(&location, bytes.into()).await.unwrap();
    }

    async fn remove(&self, key: &str) {
        let (store, location) = self.open(key);
        store.delete(&location).await.unwrap();
    }

    /// Whether an object that is replaced by another one of the same size, within the same second, looks like another.
    fn tells_versions(&self) -> bool {
        true
    }
}

const SIZE: u64 = 3_000_017;
/// A stall is one if nothing comes for so long.
const STALL: Duration = Duration::from_millis(50);

async fn check(upstream: &dyn Upstream) {
    whole_objects(upstream).await;
    ranges(upstream).await;
    names(upstream).await;
    other_versions(upstream).await;
    faults(upstream).await;
}

async fn open(upstream: &dyn Upstream, key: &str, prefix_bytes: u64) -> Result<(Remote, bytes::Bytes), UpstreamError> {
    let (store, location) = upstream.open(key);
    Remote::open(store, location, prefix_bytes).await
}

/// Whatever is asked for first, it comes, and the size with it.
async fn whole_objects(upstream: &dyn Upstream) {
    for size in [0, 1, 4096, SIZE] {
        let data = content(size as usize, size);
        upstream.put("whole", data.clone()).await;
        for prefix_bytes in [0, 1, 4095, 4096, 4097, SIZE - 1, SIZE, SIZE + 1, u64::MAX] {
            let (remote, prefix) = open(upstream, "whole", prefix_bytes).await.unwrap();
            assert_eq!(remote.size(), size, "{prefix_bytes}");
            assert_eq!(prefix, part(&data, 0..prefix_bytes.min(size)), "{size} {prefix_bytes}");
            if size > 0 {
                assert_eq!(bytes(&remote, 0..size).await, data, "{size} {prefix_bytes}");
            }
        }
    }
}

async fn ranges(upstream: &dyn Upstream) {
    let data = content(SIZE as usize, 1);
    upstream.put("ranges", data.clone()).await;
    let (remote, _) = open(upstream, "ranges", 128).await.unwrap();
    let edges = [0, 1, 4095, 4096, 4097, 131_071, 131_072, 262_144, 262_145, SIZE - 4096, SIZE - 1, SIZE];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end > start) {
            assert_eq!(bytes(&remote, start..end).await, part(&data, start..end), "{start}..{end}");
        }
    }

    // Many at once, of which some are given up.
    let step = SIZE.div_ceil(64);
    let pieces = (0..64).map(|index| {
        let (remote, range) = (remote.clone(), index * step..SIZE.min((index + 1) * step));
        async move {
            if index % 8 == 7 {
                drop(remote.get(range.clone()).await.unwrap());
            }
            bytes(&remote, range).await
        }
    });
    assert_eq!(join_all(pieces).await.concat(), data);
}

async fn names(upstream: &dyn Upstream) {
    for key in ["a/b/c.blocks", "with space", "plus+and&=", "ümlaut/日本", "100%"] {
        let data = content(1000, key.len() as u64);
        upstream.put(key, data.clone()).await;
        let (remote, _) = open(upstream, key, 1).await.unwrap();
        assert_eq!(bytes(&remote, 0..1000).await, data, "{key}");
    }
    let missing = open(upstream, "missing/ümlaut", 1).await.unwrap_err();
    assert!(matches!(missing, UpstreamError::NotFound { .. }), "{missing}");
    assert!(missing.to_string().contains("missing/ümlaut"), "{missing}");
    assert_eq!(missing.ending(), Ending::Refused);
}

/// What was opened is what is read, or an error is.
async fn other_versions(upstream: &dyn Upstream) {
    let (first, second) = (content(SIZE as usize, 2), content(SIZE as usize, 3));
    upstream.put("versions", first.clone()).await;
    let (remote, _) = open(upstream, "versions", 10).await.unwrap();
    assert_eq!(bytes(&remote, 5..50).await, part(&first, 5..50));
    let mut olds = vec![remote];
    if upstream.tells_versions() {
        upstream.put("versions", second.clone()).await;
        olds.push(open(upstream, "versions", 10).await.unwrap().0);
        let changed = last_error(&olds[0], 5..50).await;
        assert!(matches!(changed, UpstreamError::Changed { .. }), "{changed}");
        assert_eq!(changed.ending(), Ending::Refused);
        assert_eq!(bytes(&olds[1], 5..50).await, part(&second, 5..50));
    }
    upstream.put("versions", content(1000, 4)).await;
    for old in &olds {
        for range in [0..10, SIZE - 10..SIZE] {
            let changed = last_error(old, range).await;
            assert!(matches!(changed, UpstreamError::Changed { .. }), "{changed}");
        }
    }
    upstream.remove("versions").await;
    let gone = last_error(&olds[0], 5..50).await;
    assert!(matches!(gone, UpstreamError::NotFound { .. }), "{gone}");
}

/// As [`error`], for what does not go away: a server may close a connection at the moment when it is used again.
async fn last_error(remote: &Remote, range: Range<u64>) -> UpstreamError {
    let mut failed = error(remote, range.clone()).await;
    for _ in 0..3 {
        if !matches!(failed.ending(), Ending::Failed { .. }) {
            break;
        }
        failed = error(remote, range.clone()).await;
    }
    failed
}

/// The same through a store that fails.
async fn faults(upstream: &dyn Upstream) {
    let data = content(SIZE as usize, 5);
    upstream.put("faults", data.clone()).await;
    let (store, location) = upstream.open("faults");
    let faulty = Arc::new(FaultyStore::new(store));
    let store = Arc::clone(&faulty) as Arc<dyn ObjectStore>;
    let range = 1000..700_000;
    let wanted = part(&data, range.clone());

    let open = || Remote::open(Arc::clone(&store), location.clone(), 4096);
    for (fault, is_error) in [
        (StoreFault::ErrorAfter(4000), true),
        (StoreFault::Truncated(4000), true),
        (StoreFault::OtherRange, true),
        (StoreFault::TooLong(4000), false),
        (StoreFault::Slow(1000, Duration::ZERO), false),
    ] {
        faulty.then([fault.clone()]);
        assert_eq!(open().await.is_err(), is_error, "{fault:?}");
    }
    let (remote, _) = open().await.unwrap();

    let failed = Ending::Failed { retry_after: None };
    for (fault, received, ending) in [
        (StoreFault::Error, 0, failed),
        (StoreFault::ErrorAfter(0), 0, failed),
        (StoreFault::ErrorAfter(100_000), 100_000, failed),
        (StoreFault::Truncated(0), 0, failed),
        (StoreFault::Truncated(698_999), 698_999, failed),
        (StoreFault::OtherRange, 0, failed),
        (StoreFault::OtherVersion, 0, Ending::Refused),
        (StoreFault::OtherSize, 0, Ending::Refused),
    ] {
        faulty.then([fault.clone()]);
        let mut came = Vec::new();
        let error = match remote.get(range.clone()).await {
            Err(error) => error,
            Ok(mut body) => loop {
                match futures_util::StreamExt::next(&mut body).await.unwrap() {
                    Ok(bytes) => came.extend_from_slice(&bytes),
                    Err(error) => break error,
                }
            },
        };
        assert_eq!(error.ending(), ending, "{fault:?}: {error}");
        assert_eq!(came, wanted[..received], "{fault:?}");
        if matches!(fault, StoreFault::Truncated(_)) {
            assert!(
                matches!(error, UpstreamError::Short { received: found, .. } if found == received as u64),
                "{error}"
            );
        }
        assert_eq!(bytes(&remote, range.clone()).await, wanted, "after {fault:?}");
    }

    for fault in [StoreFault::Stall, StoreFault::StallAfter(0), StoreFault::StallAfter(698_999)] {
        faulty.then([fault.clone()]);
        assert!(timeout(STALL, read(&remote, range.clone())).await.is_err(), "{fault:?}");
        assert_eq!(bytes(&remote, range.clone()).await, wanted, "after {fault:?}");
    }

    // No more than was asked for, and what comes slowly comes too.
    for fault in
        [StoreFault::TooLong(1), StoreFault::TooLong(1 << 20), StoreFault::Slow(100_000, Duration::from_millis(1))]
    {
        faulty.then([fault.clone()]);
        assert_eq!(bytes(&remote, range.clone()).await, wanted, "{fault:?}");
    }

    // A byte that is wrong passes: that is what frames have digests for.
    faulty.then([StoreFault::Corrupt(5)]);
    let corrupt = bytes(&remote, range.clone()).await;
    let differing: Vec<usize> = (0..wanted.len()).filter(|at| corrupt[*at] != wanted[*at]).collect();
    assert_eq!(differing, [5]);

    // Answers in the opposite order.
    let gates: Vec<_> = (0..8).map(|_| Arc::new(Semaphore::new(0))).collect();
    faulty.then(gates.iter().map(|gate| StoreFault::Held(Arc::clone(gate))));
    let order = std::sync::Mutex::new(Vec::new());
    let reads = (0..8_u64).map(|index| {
        let (remote, order, gates, data) = (&remote, &order, &gates, &data);
        async move {
            let range = index * 100..index * 100 + 100;
            assert_eq!(bytes(remote, range.clone()).await, part(data, range), "{index}");
            order.lock().unwrap().push(index);
            if let Some(before) = index.checked_sub(1) {
                gates[before as usize].add_permits(1);
            }
        }
    });
    let release = async { gates[7].add_permits(1) };
    futures_util::future::join(join_all(reads), release).await;
    assert_eq!(*order.lock().unwrap(), [7, 6, 5, 4, 3, 2, 1, 0]);
}

struct Memory(Arc<InMemory>);

impl Upstream for Memory {
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path) {
        (Arc::clone(&self.0) as Arc<dyn ObjectStore>, Path::parse(key).unwrap())
    }
}

#[tokio::test]
async fn memory() {
    check(&Memory(Arc::default())).await;
}

struct Directory(TempDir);

impl Upstream for Directory {
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path) {
        store_for(self.0.path().join(key).to_str().unwrap(), []).unwrap()
    }
}

#[tokio::test]
async fn directory() {
    check(&Directory(tempfile::tempdir().unwrap())).await;
}

struct Http {
    origin: ObjectOrigin,
    validator: Validator,
}

/// A key as a path of a URL.
fn encoded(key: &str) -> String {
    let mut url = url::Url::parse("http://host").unwrap();
    url.path_segments_mut().unwrap().extend(key.split('/'));
    url.path()[1..].to_owned()
}

#[async_trait]
impl Upstream for Http {
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path) {
        store_for(&self.origin.url(&encoded(key)), []).unwrap()
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.origin.put_with(&encoded(key), bytes, self.validator);
    }

    async fn remove(&self, key: &str) {
        self.origin.remove(&encoded(key));
    }

    fn tells_versions(&self) -> bool {
        self.validator != Validator::None
    }
}

/// Versions of the origin's objects differ in their dates too.
#[tokio::test]
async fn http() {
    for validator in [Validator::Strong, Validator::Weak, Validator::Date, Validator::None] {
        let origin = ObjectOrigin::start(Shape::of(Duration::ZERO)).unwrap();
        check(&Http { origin, validator }).await;
    }
}

/// A server of S3 by the environment that points to it.
struct S3 {
    environment: Vec<(String, String)>,
}

impl S3 {
    fn at(address: SocketAddr, secret: &str) -> Self {
        let endpoint = format!("http://{address}");
        let environment =
            [("AWS_ENDPOINT", endpoint.as_str()), ("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", secret)];
        Self { environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() }
    }
}

impl Upstream for S3 {
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path) {
        store_for(&format!("s3://bucket/{key}"), self.environment.clone()).unwrap()
    }
}

/// An S3 server that checks signatures, and ignores `If-Match` of reads.
#[tokio::test]
async fn s3() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("bucket")).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // An error is a client that left.
                let _ = builder.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    let upstream = S3::at(address, "secret");
    check(&upstream).await;

    upstream.put("secret", content(10, 0)).await;
    let error = open(&S3::at(address, "wrong"), "secret", 10).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert_eq!(error.ending(), Ending::Refused);
    server.abort();
}

/// A server that is a process of its own, which ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that listens on a free port, or says why not and gives `None`. `command` gets the port.
#[expect(clippy::print_stderr, reason = "a test that tested nothing says why")]
async fn process(command: impl FnOnce(u16) -> Command) -> Option<(Process, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut command = command(address.port());
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(child) = started else {
        eprintln!("skipped: {} is not installed", command.get_program().display());
        return None;
    };
    let mut process = Process(child);
    while TcpStream::connect(address).is_err() {
        assert!(process.0.try_wait().unwrap().is_none(), "{command:?} ended at once");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some((process, address))
}

#[tokio::test]
async fn s3_by_moto() {
    let command = |port: u16| {
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    };
    let Some((_process, address)) = process(command).await else { return };
    // object_store makes no buckets, and moto asks for no signature.
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"PUT /bucket HTTP/1.1\r\nHost: moto\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    check(&S3::at(address, "secret")).await;
}

struct Nginx {
    root: TempDir,
    address: SocketAddr,
}

#[async_trait]
impl Upstream for Nginx {
    fn open(&self, key: &str) -> (Arc<dyn ObjectStore>, Path) {
        store_for(&format!("http://{}/{}", self.address, encoded(key)), []).unwrap()
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        let path = self.root.path().join("www").join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let temporary = self.root.path().join("temporary");
        std::fs::write(&temporary, bytes).unwrap();
        std::fs::rename(temporary, path).unwrap();
    }

    async fn remove(&self, key: &str) {
        std::fs::remove_file(self.root.path().join("www").join(key)).unwrap();
    }

    /// Its ETags are of the second of the last change, and the size.
    fn tells_versions(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn nginx() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("www")).unwrap();
    let command = |port: u16| {
        let path = root.path().display();
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log {path}/errors; events {{}}\n\
             http {{ access_log off; client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;\n\
             fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n\
             gzip on; gzip_types *; gzip_min_length 1;\n\
             server {{ listen 127.0.0.1:{port}; root {path}/www; location /forbidden {{ deny all; }} }} }}"
        );
        std::fs::write(root.path().join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-c").arg(root.path().join("nginx.conf"));
        command
    };
    let Some((_process, address)) = process(command).await else { return };
    let upstream = Nginx { root, address };
    check(&upstream).await;

    upstream.put("forbidden", content(10, 0)).await;
    let error = open(&upstream, "forbidden", 10).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Forbidden { .. }), "{error}");
}
