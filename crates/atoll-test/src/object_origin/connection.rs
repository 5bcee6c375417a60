//! One connection: requests are read, and answered by the shape and the faults.

use super::faults::Fault;
use super::pace::{Alarm, sleep_until, wake_exactly};
use super::{Object, Seen, Shared, Validator};
use bytes::Bytes;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};
use socket2::SockRef;
use std::fmt::Write as _;
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A head of a request that is longer is none.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// A stamp that is older is of a clock that was set meanwhile.
const STAMP_AGE_MAX: Duration = Duration::from_millis(10);
/// Bytes that are late are written together, up to so many.
const WRITE_BYTES_MAX: u64 = 256 << 10;
/// The first bytes of a body that are sent as one.
const FIRST_CHUNK_BYTES: u64 = 4096;
/// A write that takes longer waits for the client to read. A shorter one is late by the machine's doing, and what follows
/// is not later for that.
const WRITE_TIME_MAX: Duration = Duration::from_millis(5);
/// A head and what follows it within this time are written together.
const TOGETHER: Duration = Duration::from_micros(20);

/// What of an object is asked for.
enum Asked {
    All,
    Range(Range<u64>),
    /// A range that is not in it.
    Outside,
}

/// An answer whose head is made.
struct Answer {
    head: String,
    object: Bytes,
    /// What of the object is the body.
    body: Range<u64>,
    faults: Vec<Fault>,
    name: String,
    closes: bool,
    is_chunked: bool,
}

/// Serves until the client or a fault ends the connection.
pub(super) fn serve(mut socket: TcpStream, connection: u64, shared: &Shared) -> io::Result<()> {
    wake_exactly();
    socket.set_nodelay(true)?;
    // A request comes when the kernel has it, and not when this thread is awake.
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    let (mut unread, mut alarm) = (Vec::new(), Alarm::default());
    while let Some((head, came)) = read_head(&socket, &mut unread)? {
        let (number, answer) = answer(&head, connection, shared)?;
        let mut begin = came + shared.shape.first_byte_of(number);
        for fault in &answer.faults {
            match fault {
                Fault::Late(delay) => begin += *delay,
                Fault::Reset => return reset(&socket),
                Fault::Stall => return stall(&mut socket),
                _ => {}
            }
        }
        alarm.wait_until(begin);
        send(&mut socket, begin, &answer, shared)?;
        if answer.closes {
            return socket.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

/// The next request's head and when the last of it came, or `None` when the client has closed. What follows stays in
/// `unread`.
fn read_head(socket: &TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<(String, Instant)>> {
    let mut came = Instant::now();
    loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&unread[..end]).into_owned();
            unread.drain(..end + 4);
            return Ok(Some((head, came)));
        }
        let mut buffer = [0; 4096];
        let mut pieces = [IoSliceMut::new(&mut buffer)];
        let mut control = nix::cmsg_space!(TimeSpec);
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut pieces, Some(&mut control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
            _ => None,
        });
        let read = message.bytes;
        came = stamp.map_or_else(Instant::now, instant);
        if read == 0 || unread.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
        unread.extend_from_slice(&buffer[..read]);
    }
}

/// The moment of a stamp by the clock of the day, which was just now.
fn instant(stamp: TimeSpec) -> Instant {
    let now = clock_gettime(ClockId::Realtime);
    let nanoseconds = (now.tv_sec - stamp.tv_sec()) * 1_000_000_000 + (now.tv_nsec - stamp.tv_nsec());
    let age = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)).min(STAMP_AGE_MAX);
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}

/// What a head asks for, the request's number, and the answer to it.
fn answer(head: &str, connection: u64, shared: &Shared) -> io::Result<(u64, Answer)> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
    };
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let name = path.trim_start_matches('/').to_owned();

    let mut state = shared.state();
    let number = state.requests;
    state.requests += 1;
    let faults: Vec<Fault> =
        state.rules.iter().filter(|rule| rule.is_for(number)).map(|rule| rule.fault.clone()).collect();
    for fault in &faults {
        if let Fault::ReplaceBefore(bytes) = fault {
            state.versions += 1;
            let (version, bytes, validator) = (state.versions, bytes.clone(), Validator::Strong);
            state.objects.insert(name.clone(), Object { bytes, validator, version });
        }
    }
    let object = state.objects.get(&name).cloned();
    let size = object.as_ref().map_or(0, |object| object.bytes.len() as u64);
    let asked = match header("range") {
        Some(value) => range(&value, size).map_or(Asked::Outside, Asked::Range),
        None => Asked::All,
    };
    let seen = Seen {
        connection,
        method: method.to_owned(),
        object: name.clone(),
        range: if let Asked::Range(range) = &asked { Some(range.clone()) } else { None },
        if_match: header("if-match"),
        if_unmodified_since: header("if-unmodified-since"),
        accept_encoding: header("accept-encoding"),
        authorization: header("authorization"),
        query,
    };
    let mut answer = decide(&seen, asked, object, faults);
    answer.name = name;
    state.seen.push(seen);
    drop(state);
    answer.closes |= header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if method == "HEAD" {
        answer.body = 0..0;
        answer.is_chunked = false;
    }
    Ok((number, answer))
}

/// The range of an object of `size` bytes that a header's value names, if there is one.
fn range(value: &str, size: u64) -> Option<Range<u64>> {
    let (start, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (start.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) => start..size.min(last.saturating_add(1)),
        (Ok(start), Err(_)) if last.is_empty() => start..size,
        (Err(_), Ok(suffix)) if start.is_empty() => size.saturating_sub(suffix)..size,
        _ => return None,
    };
    (range.start < range.end).then_some(range)
}

fn decide(seen: &Seen, asked: Asked, object: Option<Object>, faults: Vec<Fault>) -> Answer {
    let has = |fault: &Fault| faults.contains(fault);
    let refusal = faults.iter().find_map(|fault| match fault {
        Fault::Status { status, retry_after } => {
            Some((*status, retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"))))
        }
        Fault::Redirect(url) => Some((302, Some(format!("Location: {url}\r\n")))),
        _ => None,
    });
    if let Some((status, header)) = refusal {
        return plain(status, &header.unwrap_or_default(), faults);
    }
    let Some(object) = object else { return plain(404, "", faults) };
    let (etag, date) = (object.etag(), object.last_modified());
    if !has(&Fault::IgnoreConditions) {
        // A weak ETag never matches.
        let strong = etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        let differs = match (&seen.if_match, &seen.if_unmodified_since) {
            (Some(wanted), _) => Some(wanted.as_str()) != strong,
            (None, Some(wanted)) => Some(wanted) != date.as_ref(),
            (None, None) => false,
        };
        if differs {
            return plain(412, "", faults);
        }
    }
    let size = object.bytes.len() as u64;
    let (status, mut body) = match asked {
        Asked::Outside => return plain(416, &format!("Content-Range: bytes */{size}\r\n"), faults),
        Asked::Range(range) if !has(&Fault::IgnoreRange) => (206, range),
        _ => (200, 0..size),
    };
    let (mut closes, mut is_chunked, mut length, mut content_range) = (false, false, None, None);
    let (mut validated, mut encoding) = (true, None);
    for fault in &faults {
        match fault {
            Fault::Shifted { by } => body = size.min(body.start + by)..size.min(body.end + by),
            Fault::ContentRange(value) => content_range = Some(value.clone()),
            Fault::ContentLength(value) => length = Some(*value),
            Fault::Chunked => is_chunked = true,
            Fault::CloseDelimited => closes = true,
            Fault::NoValidator => validated = false,
            Fault::ContentEncoding(value) => encoding = Some(value.clone()),
            _ => {}
        }
    }
    let mut head = format!("HTTP/1.1 {status} {}\r\nAccept-Ranges: bytes\r\n", text(status));
    if status == 206 {
        let value = content_range.unwrap_or_else(|| format!("bytes {}-{}/{size}", body.start, body.end.max(1) - 1));
        let _ = write!(head, "Content-Range: {value}\r\n");
    }
    if let Some(length) = length {
        body.end = size.min(body.start + length);
    }
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    };
    line("ETag", etag.filter(|_| validated));
    line("Last-Modified", date.filter(|_| validated));
    line("Content-Encoding", encoding);
    line("Transfer-Encoding", is_chunked.then(|| "chunked".to_owned()));
    line("Connection", closes.then(|| "close".to_owned()));
    line("Content-Length", (!is_chunked && !closes).then(|| length.unwrap_or(body.end - body.start).to_string()));
    head.push_str("\r\n");
    Answer { head, object: object.bytes, body, faults, name: String::new(), closes, is_chunked }
}

/// An answer without an object.
fn plain(status: u16, headers: &str, faults: Vec<Fault>) -> Answer {
    let object = Bytes::from(format!("the origin answers {status}\n"));
    let body = 0..object.len() as u64;
    let head = format!("HTTP/1.1 {status} {}\r\n{headers}Content-Length: {}\r\n\r\n", text(status), body.end);
    Answer { head, object, body, faults, name: String::new(), closes: false, is_chunked: false }
}

fn text(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}

/// Writes an answer that begins at `begin`, which is now.
fn send(socket: &mut TcpStream, begin: Instant, answer: &Answer, shared: &Shared) -> io::Result<()> {
    let mut sender = Sender::new(socket, answer, shared);
    let length = answer.body.end - answer.body.start;
    let (mut chunk_bytes, mut pause) = (shared.line.chunk_bytes(), Duration::ZERO);
    let mut stops = Vec::new();
    for fault in &answer.faults {
        match fault {
            Fault::Drip { bytes, every } => (chunk_bytes, pause) = (*bytes, *every),
            Fault::ResetInBody { after }
            | Fault::StallInBody { after }
            | Fault::Truncated { after }
            | Fault::ReplaceInBody { after, .. } => stops.push((*after, fault)),
            Fault::Corrupt { at } => sender.corrupt = Some(answer.body.start + at),
            _ => {}
        }
    }
    stops.sort_by_key(|(after, _)| *after);

    let (mut through, mut sent) = (begin, 0);
    loop {
        while let Some((_, fault)) = stops.first().filter(|(after, _)| *after == sent) {
            sender.flush()?;
            match fault {
                Fault::ResetInBody { .. } => return reset(sender.socket),
                Fault::StallInBody { .. } => return stall(sender.socket),
                Fault::ReplaceInBody { bytes, .. } => {
                    shared.put(&answer.name, bytes.clone(), Validator::Strong);
                    sender.object = bytes.clone();
                }
                _ => return sender.socket.shutdown(Shutdown::Both),
            }
            stops.remove(0);
        }
        if sent == length {
            break;
        }
        let next_stop = stops.first().map_or(length, |(after, _)| (*after).min(length));
        // The first ones are shorter: what is little comes sooner.
        let bytes = chunk_bytes.min(sent.max(FIRST_CHUNK_BYTES)).min(next_stop - sent);
        if std::mem::take(&mut sender.was_blocked) {
            through = through.max(Instant::now());
        }
        through = shared.line.pass(through + pause, bytes);
        sender.reach(through, begin)?;
        sender.append(bytes)?;
        sent += bytes;
    }
    sender.finish()
}

/// Writes what is due, in as few pieces as that allows.
struct Sender<'a> {
    socket: &'a mut TcpStream,
    shared: &'a Shared,
    answer: &'a Answer,
    object: Bytes,
    /// The head, as long as it is not written.
    head: Option<&'a str>,
    /// What of the object is due and not written.
    due: Range<u64>,
    corrupt: Option<u64>,
    /// The client did not read, so that the line was idle.
    was_blocked: bool,
}

impl<'a> Sender<'a> {
    fn new(socket: &'a mut TcpStream, answer: &'a Answer, shared: &'a Shared) -> Self {
        let due = answer.body.start..answer.body.start;
        let (object, head) = (answer.object.clone(), Some(answer.head.as_str()));
        Self { socket, shared, answer, object, head, due, corrupt: None, was_blocked: false }
    }

    /// Waits for a moment. What is due before is written before.
    fn reach(&mut self, moment: Instant, begin: Instant) -> io::Result<()> {
        if moment > Instant::now() {
            let is_soon = self.due.is_empty() && moment.saturating_duration_since(begin) <= TOGETHER;
            if !is_soon {
                self.flush()?;
            }
            sleep_until(moment);
        }
        Ok(())
    }

    fn append(&mut self, bytes: u64) -> io::Result<()> {
        self.due.end += bytes;
        if self.due.end - self.due.start >= WRITE_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let size = self.object.len() as u64;
        let range = self.due.start.min(size) as usize..self.due.end.min(size) as usize;
        let mut piece = self.object.slice(range.clone());
        if let Some(at) = self.corrupt.map(|at| at as usize).filter(|at| range.contains(at)) {
            let mut bytes = piece.to_vec();
            bytes[at - range.start] ^= 0xff;
            piece = bytes.into();
        }
        self.due.start = self.due.end;
        let mut framed = self.head.take().unwrap_or_default().to_owned();
        if self.answer.is_chunked && !piece.is_empty() {
            let _ = write!(framed, "{:x}\r\n", piece.len());
        }
        // Counted before: who has got the bytes finds them counted.
        self.shared.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        let begun = Instant::now();
        if framed.is_empty() {
            self.socket.write_all(&piece)?;
        } else {
            write_both(self.socket, framed.as_bytes(), &piece)?;
        }
        if self.answer.is_chunked && !piece.is_empty() {
            self.socket.write_all(b"\r\n")?;
        }
        self.was_blocked |= begun.elapsed() > WRITE_TIME_MAX;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        for fault in &self.answer.faults {
            if let Fault::TooLong { by } = fault {
                let more = vec![b'+'; *by as usize];
                if self.answer.is_chunked {
                    self.socket.write_all(format!("{by:x}\r\n").as_bytes())?;
                    self.socket.write_all(&more)?;
                    self.socket.write_all(b"\r\n")?;
                } else {
                    self.socket.write_all(&more)?;
                }
            }
        }
        if self.answer.is_chunked { self.socket.write_all(b"0\r\n\r\n") } else { Ok(()) }
    }
}

/// Writes two pieces by one system call where the socket takes them.
fn write_both(socket: &mut TcpStream, first: &[u8], second: &[u8]) -> io::Result<()> {
    let written = socket.write_vectored(&[io::IoSlice::new(first), io::IoSlice::new(second)])?;
    match first.get(written..) {
        Some(rest) => {
            socket.write_all(rest)?;
            socket.write_all(second)
        }
        None => socket.write_all(&second[written - first.len()..]),
    }
}

/// Has the client get a reset when the connection is closed, which the error leads to. What the client has not read yet
/// may be lost too.
fn reset(socket: &TcpStream) -> io::Result<()> {
    SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Waits until the client closes.
fn stall(socket: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}
