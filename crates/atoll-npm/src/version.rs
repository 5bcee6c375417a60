//! Versions and ranges by npm's rules.
//!
//! Built on `js-semver`. Three crates claim to follow npm's `semver`; they were run over a table of 234 ranges and 79
//! versions that npm's own implementation had evaluated in its loose mode, which is the mode that installers use (the
//! table is `tests/it/fixtures/semver.json`). `node-semver` 2.2 disagrees on 65 ranges and panics on `~x`; `nodejs-semver`
//! 7.0 disagrees on 60, among them `<1 >1` (matches everything), `^x`, `1 ||` and every open range at the largest major
//! version. `js-semver` 1.0 disagrees on 17, all of them spellings that only the loose mode accepts (`1.2.3beta`,
//! `01.2.3`, stray words and commas), and never gives a wrong answer to what it accepts. [`Range::parse`] adds those.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A version such as `1.2.3-beta.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(js_semver::Version);

impl Version {
    /// Parses a version, strictly at first and then as loosely as npm does (`v1.2.3`, `1.2.3beta`, `01.2.3`). `None`
    /// when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        js_semver::Version::parse(text)
            .ok()
            .or_else(|| {
                let loose = loosened(text.trim_start_matches(['=', 'v', ' ']))?;
                js_semver::Version::parse(&loose).ok()
            })
            .map(Self)
    }

    /// Whether it has a pre-release part.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre_release.is_empty()
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By precedence; build metadata breaks ties, so that the order is total.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_build(&other.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        Self::parse(text).ok_or(NotAVersion)
    }
}

/// The text is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a semantic version")]
pub struct NotAVersion;

/// A range such as `^1.2.3 || >=2.5`.
#[derive(Clone, Debug)]
pub struct Range {
    inner: js_semver::Range,
    is_any: bool,
}

/// Longest range that is looked at, in bytes, as in npm's `semver`.
const RANGE_BYTES_MAX: usize = 256 * 16;

impl Range {
    /// Parses a range, strictly at first and then as loosely as npm does. `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > RANGE_BYTES_MAX {
            return None;
        }
        let inner =
            js_semver::Range::parse(text).ok().or_else(|| js_semver::Range::parse(&loosened_range(text)?).ok())?;
        Some(Self { inner, is_any: matches!(text, "" | "*") })
    }

    /// Whether the version is in the range. Pre-releases are only in ranges that name a pre-release of the same version.
    pub fn contains(&self, version: &Version) -> bool {
        self.is_any && !version.is_prerelease() || self.inner.satisfies(&version.0)
    }

    /// `*` or nothing.
    pub fn is_any(&self) -> bool {
        self.is_any
    }
}

/// A version in a loose spelling as the strict one: leading zeros dropped, a hyphen put before a pre-release.
fn loosened(text: &str) -> Option<String> {
    let mut rest = text;
    let mut numbers = Vec::with_capacity(3);
    for position in 0..3 {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        numbers.push(without_leading_zeros(&rest[..end]));
        rest = &rest[end..];
        if position < 2 {
            rest = rest.strip_prefix('.')?;
        }
    }
    let (pre_release, build) = match rest.find('+') {
        Some(plus) => (&rest[..plus], &rest[plus..]),
        None => (rest, ""),
    };
    let pre_release = pre_release.strip_prefix('-').filter(|after| !after.is_empty()).unwrap_or(pre_release);
    let core = numbers.join(".");
    if pre_release.is_empty() {
        return Some(format!("{core}{build}"));
    }
    let identifiers: Vec<&str> = pre_release
        .split('.')
        .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { without_leading_zeros(part) } else { part })
        .collect();
    Some(format!("{core}-{}{build}", identifiers.join(".")))
}

fn without_leading_zeros(digits: &str) -> &str {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() && !digits.is_empty() { "0" } else { trimmed }
}

/// In loose mode, words that are no comparators are skipped and an alternative made of nothing else is dropped.
fn loosened_range(text: &str) -> Option<String> {
    let alternatives: Vec<String> = text
        .split("||")
        .filter_map(|alternative| {
            if js_semver::Range::parse(alternative).is_ok() {
                return Some(alternative.trim().to_owned());
            }
            let words: Vec<String> = glued(alternative).iter().filter_map(|word| loosened_comparator(word)).collect();
            (!words.is_empty()).then(|| words.join(" "))
        })
        .collect();
    (!alternatives.is_empty()).then(|| alternatives.join(" || "))
}

/// Words of one alternative, with operators put in front of what they apply to.
fn glued(alternative: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in alternative.split_whitespace() {
        match words.last_mut() {
            Some(last) if last.bytes().all(|b| b"<>=~^".contains(&b)) => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn loosened_comparator(word: &str) -> Option<String> {
    if js_semver::Range::parse(word).is_ok() {
        return Some(word.to_owned());
    }
    let start = word.find(|c: char| !"<>=~^v ".contains(c))?;
    let operator = match word[..start].trim_end_matches('v') {
        "==" => "=",
        operator @ ("" | "=" | "<" | ">" | "<=" | ">=" | "~" | "^" | "~>") => operator,
        _ => return None,
    };
    let rest = &word[start..];
    let loose = loosened(rest).unwrap_or_else(|| {
        let parts: Vec<&str> = rest.split('.').map(without_leading_zeros).collect();
        parts.join(".")
    });
    let comparator = format!("{operator}{loose}");
    js_semver::Range::parse(&comparator).is_ok().then_some(comparator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_spellings_become_strict() {
        for (loose, strict) in [("v1.2.3", "1.2.3"), ("1.2.3beta", "1.2.3-beta"), ("01.02.3-01", "1.2.3-1")] {
            assert_eq!(Version::parse(loose).map(|version| version.to_string()).as_deref(), Some(strict), "{loose}");
        }
        assert_eq!(Version::parse("1.2"), None);
        assert_eq!(Version::parse("latest"), None);
    }
}
