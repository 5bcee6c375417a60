//! The smallest HTTP client that can tell a right answer from a wrong one.
//!
//! One request at a time per connection; bodies with a length, in chunks, or ended by the server's close.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::BenchError;

/// Longest wait for one read or write, unless a case has to wait longer.
pub(crate) const IO_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read: every answer of the benchmarks is far smaller.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    /// JSON that is sent by POST; without any, the request is a GET.
    pub(crate) json: Option<&'a [u8]>,
}

impl Request<'static> {
    /// `GET /` at the loopback address.
    pub(crate) const ROOT: Self = Request::to("127.0.0.1");
}

impl<'a> Request<'a> {
    /// `GET /` at a host.
    pub(crate) const fn to(host: &'a str) -> Self {
        Self { host, path: "/", json: None }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { host, path, json } = self;
        let method = if json.is_some() { "POST" } else { "GET" };
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
        if let Some(json) = json {
            let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", json.len());
            bytes.extend_from_slice(headers.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(json.unwrap_or_default());
        bytes
    }
}

/// An answer: its head as it came, its status and its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    head: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Whether this is the answer that was expected.
    pub(crate) fn check(&self, status: u16, body: &str) -> Result<(), BenchError> {
        if self.status == status && self.body == body.as_bytes() {
            return Ok(());
        }
        Err(BenchError::WrongAnswer {
            expected_status: status,
            expected: body.to_owned(),
            status: self.status,
            found: String::from_utf8_lossy(&self.body).into_owned(),
        })
    }
}

/// A connection to the server; it is kept open between requests.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Connects to the port on the loopback address. An error means that nobody listens yet.
    pub(crate) fn open(port: u16, timeout: Duration) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Result<Answer, BenchError> {
        self.stream.write_all(&request.bytes())?;
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while bytes.len() < MAX_ANSWER_BYTES {
            let count = self.stream.read(&mut buffer)?;
            bytes.extend_from_slice(&buffer[..count]);
            match parse(&bytes, count == 0) {
                Err(_) if count > 0 => {}
                result => return result,
            }
        }
        Err(BenchError::BadAnswer(format!("it is larger than {MAX_ANSWER_BYTES} bytes")))
    }
}

/// Asks over a connection of its own.
pub(crate) fn ask(port: u16, request: &Request<'_>, timeout: Duration) -> Result<Answer, BenchError> {
    Connection::open(port, timeout)?.ask(request)
}

/// Reads a whole answer; `ended` says that the server has closed the connection, which may be what ends the body.
fn parse(bytes: &[u8], ended: bool) -> Result<Answer, BenchError> {
    let bad = |what: &str| BenchError::BadAnswer(what.to_owned());
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(|| bad("no end of headers"))?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("headers are not text"))?;
    let rest = &bytes[end + 4..];
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|line| line.get(..3)?.parse().ok())
        .ok_or_else(|| bad("no HTTP/1.1 status line"))?;
    let body = if header(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        dechunk(rest).ok_or_else(|| bad("broken chunks"))?
    } else if let Some(length) = header(head, "content-length") {
        let length: usize = length.parse().map_err(|_| bad("content-length is not a number"))?;
        rest.get(..length).ok_or_else(|| bad("the body is shorter than its content-length"))?.to_vec()
    } else if ended {
        rest.to_vec()
    } else {
        return Err(bad("the body has no end yet"));
    };
    Ok(Answer { head: head.to_owned(), status, body })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The body in chunks, complete with the empty line that ends it: what is left of it would be taken for the next answer.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return rest.starts_with(b"\r\n").then_some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    use super::{Connection, IO_TIMEOUT, Request, parse};

    #[test]
    fn plain_and_chunked_answers_give_the_same_body() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nHello, \r\n6;x=y\r\nWorld!\r\n0\r\n\r\n";
        let closed = b"HTTP/1.1 200 OK\r\n\r\nHello, World!";
        for bytes in [&plain[..], &chunked[..], &closed[..]] {
            parse(bytes, true).and_then(|answer| answer.check(200, "Hello, World!")).expect("the right answer");
        }
    }

    #[test]
    fn only_the_end_of_the_connection_ends_a_body_without_a_length() {
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\nHello", false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello", false).is_ok());
    }

    #[test]
    fn truncated_answers_are_refused() {
        let broken: [&[u8]; 6] = [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nHello, \r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nHello",
            b"ICY 200 OK\r\n\r\n",
        ];
        for bytes in broken {
            assert!(parse(bytes, true).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_answer_is_right_only_with_status_and_body() {
        let answer = parse(b"HTTP/1.1 503 No\r\nAtoll-Termination: cpu\r\ncontent-length: 2\r\n\r\nno", false);
        let answer = answer.expect("an answer");
        assert!(answer.check(503, "no").is_ok());
        assert!(answer.check(200, "no").is_err());
        assert!(answer.check(503, "yes").is_err());
        assert_eq!(answer.header("atoll-termination"), Some("cpu"));
        assert_eq!(answer.header("http/1.1 503 no"), None);
    }

    #[test]
    fn a_request_with_json_is_a_post_with_its_length() {
        let json = Request { json: Some(b"{}"), path: "/x", ..Request::to("a.test") };
        let expected =
            "POST /x HTTP/1.1\r\nhost: a.test\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8_lossy(&json.bytes()), expected);
        assert_eq!(Request::ROOT.bytes(), b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    }

    #[test]
    fn a_connection_takes_one_request_after_the_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            for piece in ["5\r\nfirst\r\n0\r\n", "6\r\nsecond\r\n0\r\n"] {
                let mut request = [0; 256];
                let length = stream.read(&mut request).expect("a request");
                assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\nhost: "));
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}{piece}").as_bytes()).expect("the client reads");
                stream.write_all(b"\r\n").expect("the client reads");
            }
        });
        let mut connection = Connection::open(port, IO_TIMEOUT).expect("it listens");
        for expected in ["first", "second"] {
            let answer = connection.ask(&Request::to("a.test")).expect("an answer");
            answer.check(200, expected).expect("the right answer");
        }
        server.join().expect("the server saw two requests");
    }
}
