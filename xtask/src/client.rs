//! A small HTTP/1.1 client that keeps its connection and notes when each piece of a body arrived.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Failure;

/// Longest wait for the next bytes of an answer: longer than anything takes on a busy machine.
const IO_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest accepted line of a head or a chunk's size, in bytes.
const MAX_LINE_BYTES: u64 = 16 * 1024;
/// Largest accepted piece of a body, in bytes.
const MAX_PIECE_BYTES: usize = 16 * 1024 * 1024;

/// One connection. All its requests are answered by the same executor thread of the server, so by the same worker.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The pieces of the body, each with the moment at which it was complete here.
    pub(crate) pieces: Vec<(Instant, Vec<u8>)>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), IO_TIMEOUT)?;
        stream.set_read_timeout(Some(IO_TIMEOUT))?;
        stream.set_write_timeout(Some(IO_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send("GET", path, None)?;
        self.receive()
    }

    pub(crate) fn delete(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send("DELETE", path, None)?;
        self.receive()
    }

    pub(crate) fn post_json(&mut self, path: &str, json: &str) -> Result<Answer, Failure> {
        self.send("POST", path, Some(json))?;
        self.receive()
    }

    /// Sends a request; its answer is to be read with [`Client::receive`] or piece by piece.
    pub(crate) fn send(&mut self, method: &str, path: &str, json: Option<&str>) -> Result<(), Failure> {
        let body = json.unwrap_or_default();
        let length = match json {
            Some(_) => format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
            None => String::new(),
        };
        self.write(format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{length}\r\n{body}").as_bytes())
    }

    /// Sends bytes as they are: a request, or a part of one.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.reader.get_mut().write_all(bytes)?)
    }

    /// Reads an answer to its end.
    pub(crate) fn receive(&mut self) -> Result<Answer, Failure> {
        let mut answer = self.head()?;
        while let Some(piece) = self.piece(&mut answer)? {
            answer.pieces.push((Instant::now(), piece));
        }
        Ok(answer)
    }

    /// Reads an answer's head.
    pub(crate) fn head(&mut self) -> Result<Answer, Failure> {
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| format!("not a status line: {line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Answer { status, headers, pieces: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| format!("not a header: {line:?}"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the next piece of an answer's body: a chunk, or all of a body with a length. `None` at the end.
    pub(crate) fn piece(&mut self, answer: &mut Answer) -> Result<Option<Vec<u8>>, Failure> {
        if answer.status == 204 || answer.status == 304 {
            return Ok(None);
        }
        if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| format!("not a chunk's size: {line:?}"))?;
            let chunk = self.exactly(size)?;
            if !self.line()?.is_empty() {
                return Err("a chunk does not end with its line".into());
            }
            return Ok(if size == 0 { None } else { Some(chunk) });
        }
        let length = answer.header("content-length").ok_or("an answer with neither length nor chunks")?;
        let length: usize = length.parse().map_err(|_| format!("not a length: {length:?}"))?;
        if length == 0 || !answer.pieces.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.exactly(length)?))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None if line.is_empty() => Err("the server closed the connection".into()),
            None => Err(format!("a line without its end: {:?}", String::from_utf8_lossy(&line)).into()),
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        if length > MAX_PIECE_BYTES {
            return Err(format!("a piece of {length} bytes").into());
        }
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(crate) fn json(&self) -> Result<serde_json::Value, Failure> {
        let text = self.text();
        serde_json::from_str(&text).map_err(|error| format!("not JSON ({error}): {text:?}").into())
    }

    /// A failure unless the status is the expected one; it shows the body.
    pub(crate) fn expect_status(&self, status: u16) -> Result<(), Failure> {
        if self.status == status {
            return Ok(());
        }
        Err(format!("expected status {status}, found {}: {}", self.status, self.text()).into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::Client;

    #[test]
    fn two_answers_are_read_from_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).expect("a request");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").expect("written");
            let _ = stream.read(&mut request).expect("a request");
            stream
                .write_all(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
                .expect("written");
        });
        let mut client = Client::connect(port).expect("connected");
        let answer = client.get("/").expect("an answer");
        assert_eq!((answer.status, answer.header("content-length"), answer.text().as_str()), (200, Some("2"), "{}"));
        let answer = client.post_json("/", "{}").expect("an answer");
        assert_eq!((answer.status, answer.pieces.len(), answer.text().as_str()), (201, 2, "abcd"));
        assert!(client.get("/").is_err(), "the server has closed the connection");
        server.join().expect("the server ends");
    }
}
