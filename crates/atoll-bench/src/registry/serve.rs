//! The server: a thread per connection, and the kernel sends files from its cache to the socket.
//!
//! Package managers open some hundred connections at most. A thread that waits costs nothing, and a request costs a read, a
//! lookup, an open, a write and a `sendfile`: the server takes as little as possible of the processors that it shares with
//! what is measured.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::net::SendFlags;

use super::recording::{Blob, Entry, Recording};
use super::request::{self, Request, Wanted};
use super::shape::{Line, Network};
use super::upstream::Upstream;
use super::{PORT, RegistryError};

/// Stack of a connection's thread: it parses a head.
const STACK_BYTES: usize = 256 * 1024;
/// How long documents and tarballs hold, as the public registry says it.
const DOCUMENT_AGE: &str = "public, max-age=300";
const TARBALL_AGE: &str = "public, immutable, max-age=31557600";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) documents: u64,
    pub(crate) tarballs: u64,
    /// Of both, those that the client had already.
    pub(crate) not_modified: u64,
    /// What is not recorded.
    pub(crate) misses: u64,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
}

/// What was asked for and is not recorded: so many of the latest are remembered, to say what a recording lacks.
const MAX_REMEMBERED: usize = 3;

#[derive(Debug, Default)]
struct Counters {
    documents: AtomicU64,
    tarballs: AtomicU64,
    not_modified: AtomicU64,
    misses: AtomicU64,
    bytes: AtomicU64,
    connections: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    recording: RwLock<Recording>,
    upstream: Option<Upstream>,
    /// Taken by each connection when it begins.
    line: RwLock<Option<Arc<Line>>>,
    counters: Counters,
    missed: Mutex<VecDeque<String>>,
    ends: AtomicBool,
}

/// A running server. Connections that are open when it is dropped go on until their clients close them.
#[derive(Debug)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepts: Option<JoinHandle<()>>,
}

impl Registry {
    /// Serves a recording; with an upstream, what it lacks is recorded.
    pub(crate) fn start(recording: Recording, upstream: Option<Upstream>) -> Result<Self, RegistryError> {
        Self::start_on(PORT, recording, upstream)
    }

    fn start_on(port: u16, recording: Recording, upstream: Option<Upstream>) -> Result<Self, RegistryError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(RegistryError::Listen)?;
        let address = listener.local_addr().map_err(RegistryError::Listen)?;
        let shared = Arc::new(Shared {
            recording: RwLock::new(recording),
            upstream,
            line: RwLock::default(),
            counters: Counters::default(),
            missed: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let accepted = Arc::clone(&shared);
        let accepts = std::thread::spawn(move || accept(&listener, &accepted));
        Ok(Self { shared, address, accepts: Some(accepts) })
    }

    /// Connections that begin from now on are on this network; `None` is loopback as it is.
    pub(crate) fn shape(&self, network: Option<Network>) {
        let line = network.map(|network| Arc::new(Line::new(network)));
        *self.shared.line.write().unwrap_or_else(PoisonError::into_inner) = line;
    }

    /// What was asked for since the last time that somebody wanted to know.
    pub(crate) fn take_counts(&self) -> Counts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let counters = &self.shared.counters;
        Counts {
            documents: take(&counters.documents),
            tarballs: take(&counters.tarballs),
            not_modified: take(&counters.not_modified),
            misses: take(&counters.misses),
            bytes: take(&counters.bytes),
            connections: take(&counters.connections),
        }
    }

    /// The latest requests for what is not recorded.
    pub(crate) fn missed(&self) -> Vec<String> {
        self.shared.missed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Requests that were made to the upstream.
    pub(crate) fn upstream_requests(&self) -> u64 {
        self.shared.upstream.as_ref().map_or(0, Upstream::requests)
    }

    /// Writes the manifest of what was recorded.
    pub(crate) fn save(&self) -> Result<usize, RegistryError> {
        let recording = self.shared.recording.read().unwrap_or_else(PoisonError::into_inner);
        recording.save()?;
        Ok(recording.len())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        // It waits in accept; a connection wakes it. One that can't be made finds the listener closed already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepts) = self.accepts.take() {
            let _ = accepts.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ends.load(Ordering::Relaxed) {
            return;
        }
        // A client that left before it was accepted is none.
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        shared.counters.connections.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        // Without a thread the connection is closed, and its client says so.
        let _ = thread.spawn(move || {
            // An error is a client that left.
            let _ = converse(&stream, &shared);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

/// Answers the requests of a connection until its client has enough.
fn converse(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let line = shared.line.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(line) = &line {
        // A round trip for making the connection, which loopback did not take.
        std::thread::sleep(line.latency());
    }
    let mut reader = BufReader::new(stream);
    while let Some(request) = request::read(&mut reader)? {
        if let Some(line) = &line {
            std::thread::sleep(line.latency());
        }
        let answer = shared.answer(&request);
        answer.send(stream, line.as_deref())?;
        if !request.keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

/// A head and what follows it.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Option<(File, u64)>,
}

impl Answer {
    fn empty(status: &str, headers: &str) -> Self {
        let length = if status.starts_with("304") { "" } else { "content-length: 0\r\n" };
        Self { head: format!("HTTP/1.1 {status}\r\n{headers}{length}\r\n"), body: None }
    }

    fn send(&self, stream: &TcpStream, line: Option<&Line>) -> io::Result<()> {
        let more = self.body.as_ref().is_some_and(|(_, bytes)| *bytes > 0);
        let flags = SendFlags::NOSIGNAL | if more { SendFlags::MORE } else { SendFlags::empty() };
        let mut head = self.head.as_bytes();
        while !head.is_empty() {
            let sent = rustix::net::send(stream, head, flags)?;
            head = &head[sent..];
        }
        let Some((file, bytes)) = &self.body else { return Ok(()) };
        let mut left = *bytes;
        while left > 0 {
            let chunk = if line.is_some() { left.min(Network::CHUNK_BYTES) } else { left };
            if let Some(line) = line {
                let through = line.send(chunk, Instant::now());
                std::thread::sleep(through.saturating_duration_since(Instant::now()));
            }
            let mut unsent = chunk;
            while unsent > 0 {
                let sent = rustix::fs::sendfile(stream, file, None, usize::try_from(unsent).unwrap_or(usize::MAX))?;
                if sent == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                unsent -= sent as u64;
            }
            left -= chunk;
        }
        Ok(())
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Answer {
        let Some(wanted) = request.wanted.as_ref().filter(|_| request.is_get || request.is_head) else {
            return self.miss(request.wanted.as_ref().map_or_else(|| "no path".to_owned(), Wanted::key));
        };
        let kind = if wanted.is_tarball() { &self.counters.tarballs } else { &self.counters.documents };
        kind.fetch_add(1, Ordering::Relaxed);
        let recorded = {
            let recording = self.recording.read().unwrap_or_else(PoisonError::into_inner);
            recording.entry(&wanted.key()).cloned()
        };
        let entry = match (recorded, &self.upstream) {
            (Some(entry), _) => Ok(entry),
            (None, Some(upstream)) => upstream.record(wanted, &self.recording),
            (None, None) => return self.miss(wanted.key()),
        };
        let answer = entry.map_err(|error| error.to_string()).and_then(|entry| {
            self.answer_with(&entry, request, wanted).map_err(|error| format!("{}: {error}", wanted.key()))
        });
        answer.unwrap_or_else(|error| {
            eprintln!("registry: {error}");
            Answer::empty("502 Bad Gateway", "")
        })
    }

    fn miss(&self, what: String) -> Answer {
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.push_back(what);
        if missed.len() > MAX_REMEMBERED {
            missed.pop_front();
        }
        Answer::empty("404 Not Found", "")
    }

    fn answer_with(&self, entry: &Entry, request: &Request, wanted: &Wanted) -> io::Result<Answer> {
        let (blob, encoding) = match &entry.gzip {
            Some(gzip) if request.gzip => (gzip, "content-encoding: gzip\r\n"),
            _ => (&entry.plain, ""),
        };
        let age = if wanted.is_tarball() { TARBALL_AGE } else { DOCUMENT_AGE };
        let tag = tag(blob);
        let headers = format!("etag: {tag}\r\ncache-control: {age}\r\nvary: accept-encoding, accept\r\n");
        if entry.status == 200 && request.if_none_match.as_deref().is_some_and(|tags| holds(tags, entry)) {
            self.counters.not_modified.fetch_add(1, Ordering::Relaxed);
            return Ok(Answer::empty("304 Not Modified", &headers));
        }
        let path = self.recording.read().unwrap_or_else(PoisonError::into_inner).blob(blob);
        let body = if request.is_head {
            None
        } else {
            self.counters.bytes.fetch_add(blob.bytes, Ordering::Relaxed);
            Some((File::open(path)?, blob.bytes))
        };
        let status = match entry.status {
            200 => "200 OK",
            405 => "405 Method Not Allowed",
            _ => "404 Not Found",
        };
        let content_type = if entry.content_type.is_empty() { "application/json" } else { &entry.content_type };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n{encoding}{headers}\r\n",
            blob.bytes
        );
        Ok(Answer { head, body })
    }
}

/// The tag of an answer: its digest.
fn tag(blob: &Blob) -> String {
    format!("\"{}\"", &blob.sha256[..32.min(blob.sha256.len())])
}

/// Whether the client has the entry in one of its encodings.
fn holds(tags: &str, entry: &Entry) -> bool {
    let own: Vec<String> = std::iter::once(&entry.plain).chain(&entry.gzip).map(tag).collect();
    tags.split(',').any(|given| own.iter().any(|own| given.trim().trim_start_matches("W/") == own))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::{Duration, Instant};

    use flate2::read::GzDecoder;

    use super::super::recording::{Entry, Recording};
    use super::{Counts, Network, Registry};

    const ORIGIN: &str = "http://127.0.0.1:1/";

    /// A registry with the document of `a` and its tarball, and a recorded absence.
    fn registry(directory: &std::path::Path) -> Registry {
        let mut recording = Recording::open(directory, "https://up/", ORIGIN).expect("an empty one");
        let (plain, gzip) = recording.shelf().keep(br#"{"name":"a"}"#, 1).expect("written");
        let document = Entry { status: 200, content_type: "application/json".into(), plain, gzip: Some(gzip) };
        let (plain, _) = recording.shelf().keep(&vec![7; 100_000], 2).expect("written");
        let tarball = Entry { status: 200, content_type: "application/octet-stream".into(), plain, gzip: None };
        let (plain, _) = recording.shelf().keep(b"", 3).expect("written");
        let absent = Entry { status: 404, content_type: String::new(), plain, gzip: None };
        recording.insert("full a".into(), document);
        recording.insert("file a/-/a-1.tgz".into(), tarball);
        recording.insert("full absent".into(), absent);
        Registry::start_on(0, recording, None).expect("it starts")
    }

    fn ask(registry: &Registry, requests: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, registry.address.port())).expect("it listens");
        stream.write_all(requests.as_bytes()).expect("it reads");
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).expect("it closes");
        answers
    }

    fn get(path: &str, headers: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n")
    }

    fn text(answer: &[u8]) -> String {
        String::from_utf8_lossy(answer).into_owned()
    }

    #[test]
    fn what_is_recorded_is_served_and_what_is_not_is_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let registry = registry(directory.path());
        let both = format!("GET /a HTTP/1.1\r\n\r\n{}", get("/a/-/a-1.tgz", ""));
        let answers = ask(&registry, &both);
        assert!(answers.ends_with(&vec![7; 100_000]), "the second request on the same connection");
        let head = text(&answers[..600]);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n"),
            "{head}"
        );
        assert!(head.contains(r#"{"name":"a"}HTTP/1.1 200 OK"#), "{head}");
        let expected = Counts { documents: 1, tarballs: 1, bytes: 100_012, connections: 1, ..Counts::default() };
        assert_eq!(registry.take_counts(), expected);

        let head = text(&ask(&registry, "HEAD /a HTTP/1.1\r\nconnection: close\r\n\r\n"));
        assert!(head.contains("content-length: 12\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        let expected = Counts { documents: 1, connections: 1, ..Counts::default() };
        assert_eq!(registry.take_counts(), expected);

        assert!(text(&ask(&registry, &get("/absent", ""))).starts_with("HTTP/1.1 404"));
        assert_eq!(registry.take_counts().misses, 0, "that it is absent is recorded");
        assert!(text(&ask(&registry, &get("/b", ""))).starts_with("HTTP/1.1 404"));
        let audit = "POST /-/npm/v1/security/advisories/bulk HTTP/1.1\r\nconnection: close\r\n\r\n";
        assert!(text(&ask(&registry, audit)).starts_with("HTTP/1.1 404"));
        assert_eq!(registry.take_counts().misses, 2);
        assert_eq!(registry.missed(), ["full b", "file -/npm/v1/security/advisories/bulk"]);
        assert_eq!(registry.upstream_requests(), 0);
    }

    #[test]
    fn a_client_gets_gzip_if_it_takes_it_and_nothing_if_it_has_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let registry = registry(directory.path());
        let answer = ask(&registry, &get("/a", "accept-encoding: gzip, br\r\n"));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = text(&answer[..end]);
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        let mut document = String::new();
        GzDecoder::new(&answer[end..]).read_to_string(&mut document).expect("gzip");
        assert_eq!(document, r#"{"name":"a"}"#);

        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
        let answer = text(&ask(&registry, &get("/a", &format!("if-none-match: W/{tag}\r\n"))));
        assert!(answer.starts_with("HTTP/1.1 304") && answer.ends_with("\r\n\r\n"), "{answer}");
        let answer = text(&ask(&registry, &get("/a", "if-none-match: \"other\"\r\n")));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(registry.take_counts().not_modified, 1);
    }

    #[test]
    fn a_shaped_network_delays_answers() {
        let directory = tempfile::tempdir().expect("a directory");
        let registry = registry(directory.path());
        registry.shape(Some(Network { latency: Duration::from_millis(30), bytes_per_second: 1_000_000 }));
        let started = Instant::now();
        assert!(ask(&registry, &get("/a/-/a-1.tgz", "")).ends_with(&vec![7; 100_000]));
        // A round trip for the connection, one for the request, and the line.
        assert!(started.elapsed() >= Duration::from_millis(160), "{:?}", started.elapsed());
    }
}
