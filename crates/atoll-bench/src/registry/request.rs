//! The head of a request, and what of a registry it names.

use std::io::{self, BufRead, ErrorKind};
use std::path::Path;

/// Most bytes of a request's head, and of a body that is read past: package managers send a few hundred, and an audit's
/// body, which nobody should send here, some ten thousand.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) is_get: bool,
    /// Only what comes before the body is wanted.
    pub(super) is_head: bool,
    pub(super) wanted: Option<Wanted>,
    /// Whether the answer may be compressed by gzip.
    pub(super) gzip: bool,
    pub(super) if_none_match: Option<String>,
    pub(super) keep_alive: bool,
}

/// A thing of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A package's document by the package's name: all of it, or what installing needs.
    Packument { name: String, form: Form },
    /// A tarball, or anything else, by its path without the first slash.
    File { path: String },
}

/// The two forms of a package's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Full,
    Abbreviated,
}

/// The media type of the abbreviated form.
pub(super) const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

impl Wanted {
    /// What a request's target means; `None` for one that no registry has.
    fn of(target: &str, accept: &str) -> Option<Self> {
        let path = decode(target.split(['?', '#']).next()?.strip_prefix('/')?)?;
        let segments: Vec<&str> = path.split('/').collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return None;
        }
        let is_name = match segments[..] {
            [name] => name != "-" && !name.starts_with('@'),
            [scope, _] => scope.starts_with('@'),
            _ => false,
        };
        if !is_name {
            return Some(Self::File { path });
        }
        let form = if accept.contains(ABBREVIATED) { Form::Abbreviated } else { Form::Full };
        Some(Self::Packument { name: path, form })
    }

    /// The key in the manifest.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Packument { name, form: Form::Full } => format!("full {name}"),
            Self::Packument { name, form: Form::Abbreviated } => format!("abbreviated {name}"),
            Self::File { path } => format!("file {path}"),
        }
    }

    /// The path at the upstream, without the first slash.
    pub(super) fn upstream_path(&self) -> String {
        match self {
            Self::Packument { name, .. } => name.replace('/', "%2f"),
            Self::File { path } => path.clone(),
        }
    }

    pub(super) fn is_tarball(&self) -> bool {
        matches!(self, Self::File { path } if Path::new(path).extension() == Some("tgz".as_ref()))
    }
}

/// Undoes percent encoding; `None` where that leaves something that is in no path of a registry.
fn decode(path: &str) -> Option<String> {
    let mut text = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        };
        let is_usual = byte.is_ascii_alphanumeric() || b"@/._-~+^*".contains(&byte);
        text.push(is_usual.then_some(char::from(byte))?);
    }
    Some(text)
}

/// Reads a request with its body, which is not kept; `None` at the end of the connection.
pub(super) fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let too_large = || io::Error::new(ErrorKind::InvalidData, "too large a request");
    let mut line = String::new();
    let mut left = MAX_HEAD_BYTES;
    let mut next = |line: &mut String| -> io::Result<usize> {
        line.clear();
        let count = io::Read::take(&mut *stream, left as u64).read_line(line)?;
        left -= count;
        if count > 0 && !line.ends_with('\n') { Err(too_large()) } else { Ok(count) }
    };
    if next(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (is_get, is_head, target) = (method == "GET", method == "HEAD", target.to_owned());
    let mut keep_alive = words.next() == Some("HTTP/1.1");
    let (mut accept, mut gzip, mut if_none_match, mut body_bytes) = (String::new(), false, None, 0);
    while next(&mut line)? > 0 {
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "accept" => value.clone_into(&mut accept),
            "accept-encoding" => gzip = value.split(',').any(|coding| coding.trim().starts_with("gzip")),
            "if-none-match" => if_none_match = Some(value.to_owned()),
            "connection" => keep_alive = keep_alive && !value.eq_ignore_ascii_case("close"),
            "content-length" => body_bytes = value.parse().map_err(|_| ErrorKind::InvalidData)?,
            _ => {}
        }
    }
    if body_bytes > MAX_BODY_BYTES {
        return Err(too_large());
    }
    io::copy(&mut io::Read::take(stream, body_bytes as u64), &mut io::sink())?;
    Ok(Some(Request { is_get, is_head, wanted: Wanted::of(&target, &accept), gzip, if_none_match, keep_alive }))
}

#[cfg(test)]
mod tests {
    use super::{ABBREVIATED, Form, Wanted, read};

    fn wanted(target: &str) -> Option<String> {
        Wanted::of(target, "application/json").map(|wanted| wanted.key())
    }

    #[test]
    fn a_target_names_a_document_or_a_file() {
        assert_eq!(wanted("/zod").as_deref(), Some("full zod"));
        assert_eq!(wanted("/@babel%2fcore").as_deref(), Some("full @babel/core"));
        assert_eq!(wanted("/@babel/core?write=true").as_deref(), Some("full @babel/core"));
        assert_eq!(wanted("/%40babel%2Fcore").as_deref(), Some("full @babel/core"));
        assert_eq!(wanted("/zod/-/zod-4.0.0.tgz").as_deref(), Some("file zod/-/zod-4.0.0.tgz"));
        assert_eq!(wanted("/@a/b/-/b-1.0.0.tgz").as_deref(), Some("file @a/b/-/b-1.0.0.tgz"));
        assert_eq!(wanted("/-/ping").as_deref(), Some("file -/ping"));
        assert_eq!(wanted("/zod/4.0.0").as_deref(), Some("file zod/4.0.0"));
        assert!(Wanted::of("/zod/-/zod-4.0.0.tgz", "").expect("a tarball").is_tarball());
        let scoped = Wanted::of("/@babel/core", "").expect("a package");
        assert_eq!(scoped.upstream_path(), "@babel%2fcore");
    }

    #[test]
    fn what_no_registry_has_is_refused() {
        for target in ["/", "", "zod", "//", "/../etc/passwd", "/a/%2e%2e/b", "/a%00", "/a%2", "/a b", "/a\u{e9}"] {
            assert_eq!(wanted(target), None, "{target:?}");
        }
    }

    #[test]
    fn requests_follow_each_other_on_a_connection() {
        let text = format!(
            "GET /zod HTTP/1.1\r\nHost: a\r\nAccept: {ABBREVIATED}; q=1.0, */*\r\naccept-encoding: br, gzip\r\n\
             If-None-Match: \"x\"\r\n\r\n\
             POST /-/audit HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello\
             HEAD /zod HTTP/1.1\r\nconnection: close\r\n\r\n"
        );
        let mut stream = text.as_bytes();
        let first = read(&mut stream).expect("readable").expect("a request");
        let packument = Wanted::Packument { name: "zod".into(), form: Form::Abbreviated };
        assert_eq!(first.wanted, Some(packument));
        assert!(first.is_get && first.gzip && first.keep_alive);
        assert_eq!(first.if_none_match.as_deref(), Some("\"x\""));
        let second = read(&mut stream).expect("readable").expect("a request");
        assert!(!second.is_get && !second.is_head && second.keep_alive && !second.gzip);
        let third = read(&mut stream).expect("readable").expect("a request");
        assert!(third.is_head && !third.is_get && !third.keep_alive);
        assert_eq!(read(&mut stream).expect("the end"), None);
    }

    #[test]
    fn a_head_without_end_is_an_error() {
        let endless = format!("GET /{} HTTP/1.1\r\n", "a".repeat(100_000));
        assert!(read(&mut endless.as_bytes()).is_err());
    }
}
