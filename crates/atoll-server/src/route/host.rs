//! Host names: what a configuration says, and what requests say.

use std::fmt;
use std::str::FromStr;

/// The longest host name, bytes (RFC 1035, section 2.3.4, as text and without the dot at its end).
pub(super) const HOST_BYTES_MAX: usize = 253;

/// The longest part of a name between dots, bytes (as above).
const LABEL_BYTES_MAX: usize = 63;

/// Which hosts a route is for. Names are in lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This one.
    Exact(String),
    /// All names below this one, at any depth: `*.shop.example`.
    Below(String),
}

/// What is wrong with a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// It names a port, a path or a scheme.
    #[error("{0:?} is more than a host name: leave out scheme, port and path")]
    NotAName(String),
    /// Not ASCII.
    #[error("{0:?} is not in the form that requests use: write it in ASCII (xn--…)")]
    NotAscii(String),
    /// A star somewhere else than as the first label.
    #[error("{0:?}: a star stands for the first labels of a name only, as in *.shop.example")]
    Star(String),
    /// Empty or overlong labels, or characters that no name has.
    #[error("{0:?} is not a host name")]
    Malformed(String),
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        if name.contains('*') {
            return Err(BadHost::Star(text.to_owned()));
        }
        if !name.is_ascii() {
            return Err(BadHost::NotAscii(text.to_owned()));
        }
        let is_address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = is_address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
        if !is_address && name.contains([':', '/', '?', '#', '@']) {
            return Err(BadHost::NotAName(text.to_owned()));
        }
        if name.len() > HOST_BYTES_MAX || !(is_address || name.split('.').all(is_label)) {
            return Err(BadHost::Malformed(text.to_owned()));
        }
        let name = name.to_ascii_lowercase();
        Ok(if text.starts_with('*') { Self::Below(name) } else { Self::Exact(name) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(name) => write!(formatter, "*.{name}"),
        }
    }
}

/// Underscores are in use, though not in names of hosts.
fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The name that a request means: without port and without the root's dot, in lower case. `None` for one that is longer
/// than names are. `buffer` is where it is put if it is not like that already.
pub(super) fn requested<'a>(host: &'a str, buffer: &'a mut [u8; HOST_BYTES_MAX]) -> Option<&'a str> {
    let name = without_port(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > HOST_BYTES_MAX {
        return None;
    }
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(name);
    }
    let lower = &mut buffer[..name.len()];
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    // Only ASCII letters have changed, so it is UTF-8 as before.
    std::str::from_utf8(lower).ok()
}

/// `[::1]:80` → `[::1]`, `a.example:80` → `a.example`.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_hosts_in_many_ways() {
        for (host, name) in [
            ("a.example:80", "a.example"),
            ("a.example", "a.example"),
            ("A.Example.:8080", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("[FE80::A]", "[fe80::a]"),
            ("", ""),
        ] {
            assert_eq!(requested(host, &mut [0; HOST_BYTES_MAX]), Some(name));
        }
        assert_eq!(requested(&"a".repeat(HOST_BYTES_MAX + 1), &mut [0; HOST_BYTES_MAX]), None);
    }

    #[test]
    fn patterns() {
        let exact = |name: &str| Ok(HostPattern::Exact(name.to_owned()));
        assert_eq!("*".parse(), Ok(HostPattern::Any));
        assert_eq!("Shop.Example".parse(), exact("shop.example"));
        assert_eq!("_acme.shop.example".parse(), exact("_acme.shop.example"));
        assert_eq!("[::1]".parse(), exact("[::1]"));
        assert_eq!("127.0.0.1".parse(), exact("127.0.0.1"));
        assert_eq!("*.shop.example".parse(), Ok(HostPattern::Below("shop.example".to_owned())));
        let refused = |text: &str| text.parse::<HostPattern>().expect_err(text);
        for text in ["shop.example:80", "http://shop.example", "shop.example/api", "me@shop.example", "::1"] {
            assert!(matches!(refused(text), BadHost::NotAName(_)), "{text}");
        }
        for text in ["a.*.example", "*shop.example", "*.*"] {
            assert!(matches!(refused(text), BadHost::Star(_)), "{text}");
        }
        for text in ["", "a..b", ".a", "a.", "*.", "a b", &"a".repeat(64), &["a"; 200].join(".")] {
            assert!(matches!(refused(text), BadHost::Malformed(_)), "{text}");
        }
        assert!(matches!(refused("bücher.example"), BadHost::NotAscii(_)));
    }

    #[test]
    fn patterns_are_shown_as_they_are_written() {
        for text in ["*", "*.shop.example", "shop.example"] {
            assert_eq!(text.parse::<HostPattern>().map(|pattern| pattern.to_string()), Ok(text.to_owned()));
        }
    }
}
