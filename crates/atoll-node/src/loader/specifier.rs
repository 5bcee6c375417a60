//! What a specifier looks like, before any file is looked at.

use super::error::{LoadError, LoadErrorKind};
use super::{ResolveKind, decode_text};

/// Longest specifier of a file or package in bytes: the longest path, and room for a query.
const MAX_SPECIFIER_BYTES: usize = 2 * atoll_vfs::MAX_PATH_BYTES;

/// Longest `data:` URL in bytes.
const MAX_DATA_URL_BYTES: usize = 8 << 20;

/// The names of Node's builtin modules, with and without `node:` (the last four only with). They tell a module that this
/// runtime lacks from a package that is not installed.
const NODE_NAMES: &[&str] = &[
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// Whether Node has a builtin module of that name, given without `node:`, subpaths as `fs/promises` included.
pub(super) fn is_node_name(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or(name);
    let known_subpath = matches!(
        name,
        "assert/strict"
            | "dns/promises"
            | "fs/promises"
            | "inspector/promises"
            | "path/posix"
            | "path/win32"
            | "readline/promises"
            | "stream/consumers"
            | "stream/promises"
            | "stream/web"
            | "timers/promises"
            | "util/types"
    );
    NODE_NAMES.contains(&first) && (first == name || known_subpath)
}

/// The form of a specifier.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Specifier<'a> {
    /// `node:fs`, `atoll:…`: a scheme that only builtins have.
    Builtin(&'a str),
    /// `./a`, `../a`, `/a`, or the path of a `file:` URL; decoded. `suffix` is the query and fragment of an import.
    Path { path: String, suffix: &'a str },
    /// `data:…`
    Data(&'a str),
    /// `#internal`, a package or a subpath of one.
    Bare(&'a str),
}

impl<'a> Specifier<'a> {
    pub(super) fn parse(text: &'a str, kind: ResolveKind) -> Result<Self, LoadError> {
        let invalid = |reason: &str| {
            let shown: String = text.chars().take(80).collect();
            LoadError::new(LoadErrorKind::InvalidSpecifier, format!("Invalid module {shown:?} {reason}"))
        };
        if text.is_empty() {
            return Err(invalid("is empty"));
        }
        if text.contains('\0') {
            return Err(invalid("must not contain a null byte"));
        }
        let is_data =
            kind == ResolveKind::Import && text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        if is_data {
            return if text.len() > MAX_DATA_URL_BYTES { Err(invalid("is too long")) } else { Ok(Self::Data(text)) };
        }
        if text.len() > MAX_SPECIFIER_BYTES {
            return Err(invalid("is too long"));
        }
        if text.starts_with("node:") || text.starts_with("atoll:") {
            return Ok(Self::Builtin(text));
        }
        if is_path(text) {
            if kind == ResolveKind::Require {
                return Ok(Self::Path { path: text.to_owned(), suffix: "" });
            }
            let (path, suffix) = split_suffix(text);
            return Ok(Self::Path { path: decode(path).ok_or_else(|| invalid(ENCODED_SLASH))?, suffix });
        }
        if kind == ResolveKind::Require {
            return Ok(Self::Bare(text));
        }
        match scheme(text) {
            None => Ok(Self::Bare(text)),
            Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
                let (rest, suffix) = split_suffix(&text[scheme.len() + 1..]);
                let path = match rest.strip_prefix("//") {
                    Some(after) => after.strip_prefix("localhost").unwrap_or(after),
                    None => rest,
                };
                if !path.starts_with('/') {
                    return Err(invalid("names another host: a file: URL here has none"));
                }
                Ok(Self::Path { path: decode(path).ok_or_else(|| invalid(ENCODED_SLASH))?, suffix })
            }
            Some(scheme) => Err(LoadError::new(
                LoadErrorKind::UnsupportedScheme,
                format!(
                    "Only URLs with a scheme in: file, data, and node are supported by the loader. \
                     Received protocol '{}:'",
                    scheme.to_ascii_lowercase()
                ),
            )),
        }
    }
}

const ENCODED_SLASH: &str = "must not include encoded \"/\" or \"\\\" characters or encode anything but UTF-8";

fn is_path(text: &str) -> bool {
    text.starts_with('/') || text == "." || text == ".." || text.starts_with("./") || text.starts_with("../")
}

fn split_suffix(text: &str) -> (&str, &str) {
    text.split_at(text.find(['?', '#']).unwrap_or(text.len()))
}

/// The scheme of a URL, without its colon.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some(scheme)
}

/// Percent-decodes the path of a URL; none when that makes a slash or no UTF-8.
fn decode(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let bytes = percent_decode(path.as_bytes(), |byte| matches!(byte, b'/' | b'\\' | 0))?;
    String::from_utf8(bytes).ok()
}

/// Decodes `%41`; a percent sign without two hexadecimal digits stands for itself. None when `forbidden` is encoded.
fn percent_decode(text: &[u8], forbidden: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let digits = (*byte == b'%').then(|| (hex(text.get(at + 1)), hex(text.get(at + 2))));
        if let Some((Some(high), Some(low))) = digits {
            let value = high << 4 | low;
            if forbidden(value) {
                return None;
            }
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    Some(decoded)
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    char::from(*digit?).to_digit(16).map(|value| value as u8)
}

/// Type (lower case, without parameters) and text of a `data:` URL.
pub(super) fn parse_data_url(url: &str) -> Result<(String, String), LoadError> {
    let invalid = || LoadError::new(LoadErrorKind::InvalidSpecifier, "Invalid data: URL");
    let (head, body) = url.get(5..).and_then(|rest| rest.split_once(',')).ok_or_else(invalid)?;
    let body = body.split('#').next().unwrap_or(body);
    let mut parts = head.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let bytes = percent_decode(body.as_bytes(), |_| false).ok_or_else(invalid)?;
    let bytes = if head.split(';').next_back().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64")) {
        decode_base64(&bytes).ok_or_else(invalid)?
    } else {
        bytes
    };
    Ok((media_type, decode_text(bytes)))
}

/// Forgiving base64: white space is skipped, padding optional, both alphabets allowed.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            decoded.push((buffer >> bits) as u8);
        }
    }
    // Six bits left over are no byte.
    (bits != 6).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(text: &str) -> Specifier<'_> {
        Specifier::parse(text, ResolveKind::Import).expect("a valid specifier")
    }

    #[test]
    fn forms() {
        let path = |path: &str, suffix| Specifier::Path { path: path.to_owned(), suffix };
        assert_eq!(import("./a%20b.js?x=1#y"), path("./a b.js", "?x=1#y"));
        assert_eq!(import("file:///app/%C3%A9.js"), path("/app/é.js", ""));
        assert_eq!(import("file:/app/a.js"), path("/app/a.js", ""));
        assert_eq!(import("FILE://localhost/app/a.js"), path("/app/a.js", ""));
        assert_eq!(import("#a/b"), Specifier::Bare("#a/b"));
        assert_eq!(import("@scope/name/sub"), Specifier::Bare("@scope/name/sub"));
        assert_eq!(import("node:fs"), Specifier::Builtin("node:fs"));
        assert_eq!(import("..."), Specifier::Bare("..."));
        let required = Specifier::parse("./a%20b?c", ResolveKind::Require).expect("valid");
        assert_eq!(required, path("./a%20b?c", ""));
    }

    #[test]
    fn refused() {
        let kind = |text: &str| Specifier::parse(text, ResolveKind::Import).expect_err("refused").kind();
        assert_eq!(kind(""), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind("./a\0b"), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind("./a%2fb.js"), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind("./%ff.js"), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind("file://elsewhere/a.js"), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind(&"a".repeat(10_000)), LoadErrorKind::InvalidSpecifier);
        assert_eq!(kind("https://example.com/a.js"), LoadErrorKind::UnsupportedScheme);
    }

    #[test]
    fn data_urls() {
        let parsed = |url| parse_data_url(url).expect("a data URL");
        assert_eq!(
            parsed("data:text/javascript,export%20default%201"),
            ("text/javascript".into(), "export default 1".into())
        );
        assert_eq!(
            parsed("data:application/json;base64,eyJhIjoxfQ=="),
            ("application/json".into(), "{\"a\":1}".into())
        );
        assert!(parse_data_url("data:nothing").is_err());
        assert!(parse_data_url("data:;base64,a").is_err());
    }

    #[test]
    fn node_names() {
        assert!(is_node_name("fs") && is_node_name("fs/promises") && is_node_name("child_process"));
        assert!(!is_node_name("fs/other") && !is_node_name("lodash") && !is_node_name("punycode/"));
    }
}
