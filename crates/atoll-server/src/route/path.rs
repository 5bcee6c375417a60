//! Paths that a configuration names.

use std::fmt;
use std::str::FromStr;

/// The beginning of a path, which ends where a segment does: `/api` is for `/api` and `/api/books`, not for `/apiary`.
/// Compared byte by byte with the path as it was sent, without decoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PathPrefix(String);

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// No slash at its beginning.
    #[error("{0:?} is not a path: it begins with no slash")]
    NoSlash(String),
    /// Segments that no request has once its URL was parsed.
    #[error("{0:?} has an empty segment, or one of dots, which URLs don't keep")]
    Segment(String),
    /// A query, a fragment, or characters that a request's path can't have.
    #[error("{0:?} has characters that a request's path doesn't have; write them percent-encoded")]
    Character(String),
}

impl PathPrefix {
    /// The prefix; the empty one is that of all paths.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let Some(rest) = text.strip_prefix('/') else { return Err(BadPath::NoSlash(text.to_owned())) };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() && text.len() < 3 && text != "//" {
            return Ok(Self::default());
        }
        if rest.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(BadPath::Segment(text.to_owned()));
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\')) {
            return Err(BadPath::Character(text.to_owned()));
        }
        Ok(Self(format!("/{rest}")))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        for (text, prefix) in [("/", ""), ("/api", "/api"), ("/api/", "/api"), ("/a/b%20c", "/a/b%20c")] {
            assert_eq!(text.parse(), Ok(PathPrefix(prefix.to_owned())), "{text}");
        }
        let refused = |text: &str| text.parse::<PathPrefix>().expect_err(text);
        for text in ["", "api", "*"] {
            assert!(matches!(refused(text), BadPath::NoSlash(_)), "{text}");
        }
        for text in ["//", "/a//b", "/a/../b", "/.", "//a", "/a//"] {
            assert!(matches!(refused(text), BadPath::Segment(_)), "{text}");
        }
        for text in ["/a?b", "/a#b", "/a b", "/ü", "/a\\b"] {
            assert!(matches!(refused(text), BadPath::Character(_)), "{text}");
        }
    }
}
