//! What is asked of each app, and what comes back.

use std::fmt::Write as _;

use super::apps::{App, Deployment, Isolation};
use super::random::Random;
use crate::client::Answer;

/// Most bytes of a body that is sent.
const BODY_BYTES_MAX: u64 = 200_000;
/// Most pieces of a streamed response.
const PIECES_MAX: u64 = 20;
/// What a request to `large` says that it has; its limit is 1 MiB.
const ANNOUNCED_BYTES: u64 = 5 << 20;

/// A request, byte by byte, and how its answer is judged.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) expected: Expected,
}

#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// This status and this body.
    Answer { status: u16, body: Vec<u8> },
    /// How often the worker has answered, and then this. A worker that is nobody else's has answered once.
    Count { only_once: bool, rest: String },
    /// The worker's end, for this reason.
    End { status: u16, reason: &'static str },
    /// This status from the server, and the end of nobody.
    Failure { status: u16 },
}

impl Expected {
    /// For the sums at the end.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Answer { .. } | Self::Count { .. } => "answered",
            Self::End { reason, .. } => reason,
            Self::Failure { status: 413 } => "too large",
            Self::Failure { .. } => "failed",
        }
    }
}

impl Request {
    /// Whether the answer is the expected one; else says what is wrong with it.
    pub(super) fn check(&self, answer: &Answer) -> Result<(), String> {
        let reason = answer.header("atoll-termination").and_then(|value| value.split(';').next());
        let body = answer.bytes();
        let is_right = match &self.expected {
            Expected::Answer { status, body: expected } => {
                answer.status == *status && reason.is_none() && body == *expected
            }
            Expected::Count { only_once, rest } => {
                let text = String::from_utf8_lossy(&body);
                let count = text.strip_suffix(rest.as_str()).and_then(|count| count.trim_end().parse::<u64>().ok());
                answer.status == 200 && count.is_some_and(|count| count == 1 || (count > 1 && !only_once))
            }
            Expected::End { status, reason: expected } => answer.status == *status && reason == Some(expected),
            Expected::Failure { status } => answer.status == *status && reason.is_none(),
        };
        if is_right {
            return Ok(());
        }
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        Err(format!(
            "status {}, ended by {reason:?}, {} bytes {:?}; expected {}; asked {:?}",
            answer.status,
            body.len(),
            shown(&body),
            match &self.expected {
                Expected::Answer { status, body } => format!("{status}, {} bytes {:?}", body.len(), shown(body)),
                other => format!("{other:?}"),
            },
            shown(&self.bytes)
        ))
    }
}

/// A request that the app answers.
pub(super) fn ordinary(deployment: &Deployment, id: &str, random: &mut Random) -> Request {
    let simple = |name: &str| get(deployment, &format!("/?id={id}"), text(format!("{name} {id}")));
    match deployment.app {
        App::Hello => simple("hello"),
        App::Counter => {
            let only_once = deployment.isolation != Isolation::Warm;
            get(deployment, &format!("/?id={id}"), Expected::Count { only_once, rest: id.to_owned() })
        }
        App::Json => json(deployment, id, random),
        App::Stream => stream(deployment, id, random.below(PIECES_MAX)),
        App::Echo => echo(deployment, id, random),
        App::Later => simple("later"),
        App::Timers => get(deployment, &format!("/?id={id}&ms={}", random.below(30)), text(format!("timers {id}"))),
        App::Proxy => get(deployment, &format!("/?id={id}"), text(format!("{id}-one {id}-two"))),
        App::Files => get(deployment, &format!("/?id={id}"), text(base64(&format!("file {id} ").repeat(200)))),
        App::Cpu => simple("cpu"),
        App::Heap => simple("heap"),
        App::External => simple("external"),
        App::Exit => simple("exit"),
        App::Throw => simple("throw"),
        App::Large => simple("large"),
        App::Background => simple("background"),
        App::Wall => {
            let target = format!("/?id={id}&how={}", random.below(2));
            get(deployment, &target, Expected::End { status: 504, reason: "wall" })
        }
    }
}

/// A request that makes the app do what it must not, if there is one.
pub(super) fn abuse(deployment: &Deployment, id: &str, random: &mut Random) -> Option<Request> {
    let how = random.below(3);
    let expected = match deployment.app {
        App::Cpu => Expected::End { status: 503, reason: "cpu" },
        App::Heap => Expected::End { status: 503, reason: "heap" },
        App::External => Expected::End { status: 503, reason: "external" },
        App::Exit => Expected::End { status: 500, reason: "exit" },
        App::Large if how == 2 => {
            let head = format!("POST /?id={id} HTTP/1.1\r\nhost: {}\r\n", deployment.host);
            let bytes = format!("{head}content-length: {ANNOUNCED_BYTES}\r\n\r\n").into_bytes();
            return Some(Request { bytes, expected: Expected::Failure { status: 413 } });
        }
        App::Throw | App::Large => Expected::Failure { status: 500 },
        _ => return None,
    };
    Some(get(deployment, &format!("/abuse?id={id}&how={how}"), expected))
}

/// A request for so many pieces.
pub(super) fn stream(deployment: &Deployment, id: &str, pieces: u64) -> Request {
    let mut body = String::new();
    for piece in 0..pieces {
        let _ = writeln!(body, "{id}:{piece}");
    }
    get(deployment, &format!("/?id={id}&pieces={pieces}"), text(body))
}

fn json(deployment: &Deployment, id: &str, random: &mut Random) -> Request {
    let prices: Vec<u64> = (0..random.below(200)).map(|_| random.below(10_000)).collect();
    let order = serde_json::json!({ "id": id, "prices": prices }).to_string();
    let total: u64 = prices.iter().sum();
    let body = format!("{{\"id\":\"{id}\",\"count\":{},\"total\":{total}}}", prices.len()).into_bytes();
    post(deployment, id, order.as_bytes(), Expected::Answer { status: 201, body })
}

fn echo(deployment: &Deployment, id: &str, random: &mut Random) -> Request {
    let size = random.below(BODY_BYTES_MAX);
    let body = random.bytes(size);
    let expected = Expected::Answer { status: 200, body: body.clone() };
    if random.one_in(2) {
        return post(deployment, id, &body, expected);
    }
    let head = format!("POST /?id={id} HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n", deployment.host);
    let mut bytes = head.into_bytes();
    let chunk_bytes = usize::try_from(1 + random.below(BODY_BYTES_MAX)).unwrap_or(1);
    for chunk in body.chunks(chunk_bytes) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    Request { bytes, expected }
}

fn text(body: String) -> Expected {
    Expected::Answer { status: 200, body: body.into_bytes() }
}

fn get(deployment: &Deployment, target: &str, expected: Expected) -> Request {
    let bytes = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", deployment.host).into_bytes();
    Request { bytes, expected }
}

fn post(deployment: &Deployment, id: &str, body: &[u8], expected: Expected) -> Request {
    let (host, length) = (&deployment.host, body.len());
    let head = format!("POST /?id={id} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
    Request { bytes: [head.as_bytes(), body].concat(), expected }
}

/// RFC 4648, section 4.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * position)) as usize & 63];
            encoded.push(if position <= group.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        assert_eq!(base64(""), "");
        assert_eq!(base64("f"), "Zg==");
        assert_eq!(base64("fo"), "Zm8=");
        assert_eq!(base64("foobar"), "Zm9vYmFy");
    }
}
