//! `atoll serve` as a child process.

use crate::harness::Scene;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest wait for anything. The binary is not optimised, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server has printed so far.
#[derive(Default)]
struct Printed {
    text: Mutex<(String, String)>,
    grown: Condvar,
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    printed: Arc<Printed>,
    collectors: Vec<JoinHandle<()>>,
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Why the worker was ended by force.
    pub(crate) fn termination(&self) -> Option<&str> {
        self.header("atoll-termination")?.split(';').next()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Server {
    /// Serves with these arguments on a free port, and waits until it is open.
    pub(crate) fn start(scene: &Scene, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let mut command = scene.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let printed = Arc::new(Printed::default());
        let collectors = vec![
            collect(child.stdout.take().expect("it is piped"), &printed, |text| &mut text.0),
            collect(child.stderr.take().expect("it is piped"), &printed, |text| &mut text.1),
        ];
        let mut server = Self { child, port: 0, printed, collectors };
        let out = server.wait_for(|out, _| url_port(out).is_some());
        server.port = url_port(&out.0).expect("it was found");
        server
    }

    /// Waits until what was printed satisfies a condition; standard output and standard error.
    pub(crate) fn wait_for(&self, is_there: impl Fn(&str, &str) -> bool) -> (String, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.printed.text.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_there(&text.0, &text.1) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it was not printed:\n{}\n{}", text.0, text.1);
            text = self.printed.grown.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        text.clone()
    }

    /// Waits for a text on either stream.
    pub(crate) fn wait_for_text(&self, wanted: &str) {
        self.wait_for(|out, errors| out.contains(wanted) || errors.contains(wanted));
    }

    /// Standard output and standard error so far.
    pub(crate) fn printed(&self) -> (String, String) {
        self.printed.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request for a host on a connection of its own.
    pub(crate) fn send(&self, host: &str, request_line: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the port is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        write!(stream, "{request_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").expect("it is sent");
        BufReader::new(stream)
    }

    /// Sends a whole request, byte by byte as it is given, on a connection of its own.
    pub(crate) fn send_bytes(&self, request: &[u8]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the port is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        // A server that has seen enough may close before everything is sent.
        let _ = stream.write_all(request);
        BufReader::new(stream)
    }

    pub(crate) fn get_from(&self, host: &str, path: &str) -> Answer {
        receive(self.send(host, &format!("GET {path}")))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_from("127.0.0.1", path)
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        signal(&self.child, Signal::TERM);
    }

    /// Waits for the end of the process and of its output.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String, String) {
        let status = self.child.wait().expect("it is a child");
        for collector in self.collectors.drain(..) {
            collector.join().expect("the collector ends with its stream");
        }
        let (out, errors) = self.printed();
        (status, out, errors)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a response to its end.
pub(crate) fn receive(mut stream: BufReader<TcpStream>) -> Answer {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).expect("a line") > 0, "the head ends early: {head:?}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let mut body = String::new();
    let answer = Answer { status, head, body: String::new() };
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).expect("a chunk's size");
            let size = usize::from_str_radix(size.trim(), 16).expect("a hexadecimal number");
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).expect("a chunk");
            body.push_str(&String::from_utf8_lossy(&chunk[..size]));
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_string(&mut body).expect("a body");
    }
    Answer { body, ..answer }
}

/// The answer to a request, given as request line and headers, at another address.
pub(crate) fn get_at(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    write!(stream, "{request}\r\nconnection: close\r\n\r\n").expect("it is sent");
    receive(BufReader::new(stream))
}

/// As Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    signal(child, Signal::INT);
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
    kill_process(pid, signal).expect("it is ours");
}

fn collect(
    stream: impl Read + Send + 'static,
    printed: &Arc<Printed>,
    field: impl Fn(&mut (String, String)) -> &mut String + Send + 'static,
) -> JoinHandle<()> {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
            field(&mut printed.text.lock().unwrap_or_else(PoisonError::into_inner)).push_str(&line);
            line.clear();
            printed.grown.notify_all();
        }
    })
}

fn url_port(out: &str) -> Option<u16> {
    let (_, rest) = out.split_once("http://")?;
    let digits = rest.split_once(':')?.1;
    let end = digits.find(|character: char| !character.is_ascii_digit())?;
    digits[..end].parse().ok()
}
