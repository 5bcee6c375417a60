//! An object store on loopback: byte objects over HTTP/1.1 with ranges and preconditions, with the latency and bandwidth of
//! a given network, which can fail in all the ways that stores do.
//!
//! ```
//! use atoll_test::object_origin::{Bandwidth, Fault, ObjectOrigin, Shape, When};
//! use std::time::Duration;
//!
//! let shape = Shape { bandwidth: Bandwidth::Shared(500_000_000), ..Shape::of(Duration::from_millis(1)) };
//! let origin = ObjectOrigin::start(shape).unwrap();
//! origin.put("image", vec![7; 1 << 20]);
//! origin.fail(When::Request(3), Fault::Truncated { after: 1000 });
//! let url = origin.url("image");
//! // … requests …
//! assert_eq!(origin.counts().requests, 0);
//! ```
//!
//! What is sent and when is written byte by byte by a thread for each connection: a library for servers would neither
//! send what is wrong, nor at an exact moment. Bodies are *paced*: each byte has a moment by the shape, and the moment of
//! one does not depend on how late another was written, so that delays of the machine don't add up.

mod connection;
mod faults;
mod pace;

pub use faults::{Fault, When};
pub use pace::{Bandwidth, Shape};

use bytes::Bytes;
use faults::Rule;
use pace::Line;
use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an object's versions are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validator {
    /// A strong ETag and a date.
    Strong,
    /// A weak ETag and a date.
    Weak,
    /// A date alone.
    Date,
    /// Nothing.
    None,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which connection it came by, counted from 0.
    pub connection: u64,
    /// `GET` or `HEAD`.
    pub method: String,
    /// The object's name.
    pub object: String,
    /// The range that was asked for, as it is in the object; `None` when no range was, or none that is in it.
    pub range: Option<Range<u64>>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<String>,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// What follows the `?` in the target.
    pub query: Option<String>,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Requests whose head was read.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Bytes of objects that were written to a socket.
    pub bytes: u64,
}

/// A running origin. It ends with its connections when this is dropped.
#[derive(Debug)]
pub struct ObjectOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    validator: Validator,
    /// Counted over all objects, so that no two have the same.
    version: u64,
}

impl Object {
    fn etag(&self) -> Option<String> {
        match self.validator {
            Validator::Strong => Some(format!("\"v{}\"", self.version)),
            Validator::Weak => Some(format!("W/\"v{}\"", self.version)),
            Validator::Date | Validator::None => None,
        }
    }

    /// A second later for each version.
    fn last_modified(&self) -> Option<String> {
        let (minutes, seconds) = (self.version / 60, self.version % 60);
        let date = format!("Thu, 01 Jan 2026 {:02}:{:02}:{seconds:02} GMT", minutes / 60 % 24, minutes % 60);
        (self.validator != Validator::None).then_some(date)
    }
}

#[derive(Debug)]
struct Shared {
    shape: Shape,
    line: Line,
    state: Mutex<State>,
    bytes: AtomicU64,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<String, Object>,
    versions: u64,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    requests: u64,
    connections: u64,
    /// Those that are open, by their numbers.
    sockets: HashMap<u64, TcpStream>,
}

impl ObjectOrigin {
    /// Starts on a free port of 127.0.0.1, without objects.
    ///
    /// # Errors
    /// When there is no port or no thread to be had.
    pub fn start(shape: Shape) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let line = Line::new(shape.bandwidth);
        let (state, bytes, is_over) = (Mutex::default(), AtomicU64::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { shape, line, state, bytes, is_over });
        let origin = Self { address, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name("origin".to_owned()).spawn(move || accept(&listener, &shared))?;
        Ok(origin)
    }

    /// `http://127.0.0.1:PORT/NAME`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts an object there, or another version in its place. Answers that are under way go on with the old one.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) {
        self.put_with(name, bytes, Validator::Strong);
    }

    /// As [`Self::put`], with another way to tell versions apart.
    pub fn put_with(&self, name: &str, bytes: impl Into<Bytes>, validator: Validator) {
        self.shared.put(name, bytes.into(), validator);
    }

    /// Takes an object away.
    pub fn remove(&self, name: &str) {
        self.shared.state().objects.remove(name);
    }

    /// From now on these requests meet this fault. Several for the same request come together, where that makes sense.
    pub fn fail(&self, when: When, fault: Fault) {
        let mut state = self.shared.state();
        let from = state.requests;
        state.rules.push(Rule { from, when, fault });
    }

    /// No request that comes from now on meets a fault.
    pub fn heal(&self) {
        self.shared.state().rules.clear();
    }

    /// The requests in the order in which they came, since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.state().seen)
    }

    /// What has happened since the start.
    pub fn counts(&self) -> Counts {
        let state = self.shared.state();
        let bytes = self.shared.bytes.load(Ordering::Relaxed);
        Counts { requests: state.requests, connections: state.connections, bytes }
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.shared.state().sockets.len()
    }
}

impl Drop for ObjectOrigin {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for socket in self.shared.state().sockets.values() {
            // One that the client has closed is over as well.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // The thread that accepts looks whether it is over when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, name: &str, bytes: Bytes, validator: Validator) {
        let mut state = self.state();
        state.versions += 1;
        let version = state.versions;
        state.objects.insert(name.to_owned(), Object { bytes, validator, version });
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(kept) = socket.try_clone() else { continue };
        let number = {
            let mut state = shared.state();
            let number = state.connections;
            state.connections += 1;
            state.sockets.insert(number, kept);
            number
        };
        let (of_thread, name) = (Arc::clone(shared), format!("origin {number}"));
        let started = std::thread::Builder::new().name(name).spawn(move || {
            // An error is a client that left, or one that was sent away.
            let _ = connection::serve(socket, number, &of_thread);
            of_thread.state().sockets.remove(&number);
        });
        if started.is_err() {
            shared.state().sockets.remove(&number);
        }
    }
}
