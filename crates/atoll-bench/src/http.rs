//! The smallest HTTP client that can tell a right answer from a wrong one.
//!
//! One request per connection; bodies with a length, in chunks, or ended by the server's close.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::BenchError;

/// Longest wait for one read or write of the probe.
const IO_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read: every answer of the benchmarks is far smaller.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// An answer: its status and its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Connects to the port on the loopback address. An error means that nobody listens yet.
pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), IO_TIMEOUT)?;
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// `GET /` over a fresh connection.
pub(crate) fn get(mut stream: TcpStream) -> Result<Answer, BenchError> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() < MAX_ANSWER_BYTES {
        let count = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..count]);
        match parse(&bytes, count == 0) {
            Err(_) if count > 0 => {}
            result => return result,
        }
    }
    Err(BenchError::BadAnswer(format!("it is larger than {MAX_ANSWER_BYTES} bytes")))
}

/// Reads a whole answer; `ended` says that the server has closed the connection, which may be what ends the body.
fn parse(bytes: &[u8], ended: bool) -> Result<Answer, BenchError> {
    let bad = |what: &str| BenchError::BadAnswer(what.to_owned());
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(|| bad("no end of headers"))?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("headers are not text"))?;
    let rest = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .ok_or_else(|| bad("no HTTP/1.1 status line"))?;
    let header = |name: &str| {
        lines.clone().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let body = if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        dechunk(rest).ok_or_else(|| bad("broken chunks"))?
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| bad("content-length is not a number"))?;
        rest.get(..length).ok_or_else(|| bad("the body is shorter than its content-length"))?.to_vec()
    } else if ended {
        rest.to_vec()
    } else {
        return Err(bad("the body has no end yet"));
    };
    Ok(Answer { status, body })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, parse};

    #[test]
    fn plain_and_chunked_answers_give_the_same_body() {
        let expected = Answer { status: 200, body: b"Hello, World!".to_vec() };
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nHello, \r\n6;x=y\r\nWorld!\r\n0\r\n\r\n";
        let closed = b"HTTP/1.1 200 OK\r\n\r\nHello, World!";
        for bytes in [&plain[..], &chunked[..], &closed[..]] {
            assert_eq!(parse(bytes, true).expect("an answer"), expected);
        }
    }

    #[test]
    fn only_the_end_of_the_connection_ends_a_body_without_a_length() {
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\nHello", false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello", false).is_ok());
    }

    #[test]
    fn truncated_answers_are_refused() {
        let broken: [&[u8]; 5] = [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nHello, \r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nHello",
            b"ICY 200 OK\r\n\r\n",
        ];
        for bytes in broken {
            assert!(parse(bytes, true).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
