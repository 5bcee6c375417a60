//! What an HTTP server's answer to a request for a range is worth, by its head.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use std::ops::Range;
use std::time::Duration;

/// A server that knows no ranges is read nevertheless if the whole object has no more bytes than this: so many are thrown
/// away for each request at most.
pub(super) const WHOLE_BYTES_MAX: u64 = 1 << 20;

/// An answer that has what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The range, of an object of so many bytes.
    Part { size: u64 },
    /// All of an object of so many bytes, where a part of it was asked for.
    Whole { size: u64 },
}

/// Why an answer can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// The server says no.
    #[error("the server answered {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Status { status: StatusCode, retry_after: Option<Duration>, reason: String },
    /// It sends the whole of a large object.
    #[error(
        "the server answered with all {size} bytes to a request for a range: it must serve ranges (or the object have no \
         more than {WHOLE_BYTES_MAX} bytes)"
    )]
    Whole { size: u64 },
    /// Nobody knows when it is over.
    #[error("the server answered with a whole object and did not say how long it is: it must serve ranges")]
    Endless,
    /// It sends something else.
    #[error("asked for bytes {} to {}, the server answered with {found}", asked.start, asked.end)]
    Range { asked: Range<u64>, found: String },
}

/// Looks at the head of an answer to a request for `asked`, which is not empty.
///
/// # Errors
/// For a status other than 200 and 206, [`Unusable::Status`] without a reason: that is in the body.
pub(super) fn judge(asked: &Range<u64>, status: StatusCode, headers: &HeaderMap) -> Result<Answer, Unusable> {
    let length = number(headers, &CONTENT_LENGTH);
    match status {
        StatusCode::PARTIAL_CONTENT => {
            let found = |found: String| Unusable::Range { asked: asked.clone(), found };
            let text = text(headers, &CONTENT_RANGE).ok_or_else(|| found("no Content-Range".to_owned()))?;
            let (range, size) = content_range(text).ok_or_else(|| found(format!("Content-Range {text:?}")))?;
            if range != (asked.start..asked.end.min(size)) {
                return Err(found(format!("Content-Range {text:?}")));
            }
            match length {
                Some(length) if length != range.end - range.start => {
                    Err(found(format!("Content-Range {text:?} and a Content-Length of {length}")))
                }
                _ => Ok(Answer::Part { size }),
            }
        }
        StatusCode::OK => match length {
            None => Err(Unusable::Endless),
            // There is no such range, which is what a server of ranges would say.
            Some(size) if size <= asked.start => Err(Unusable::Status {
                status: StatusCode::RANGE_NOT_SATISFIABLE,
                retry_after: None,
                reason: String::new(),
            }),
            Some(size) if size <= WHOLE_BYTES_MAX || (asked.start == 0 && size <= asked.end) => {
                Ok(Answer::Whole { size })
            }
            Some(size) => Err(Unusable::Whole { size }),
        },
        status => Err(Unusable::Status {
            status,
            retry_after: number(headers, &RETRY_AFTER).map(Duration::from_secs),
            reason: String::new(),
        }),
    }
}

/// `bytes=START-END` of a request; what we ask for has both.
pub(super) fn asked_range(text: &str) -> Option<Range<u64>> {
    span(text.strip_prefix("bytes=")?)
}

/// `bytes START-END/SIZE`, where the range is not empty and within the object. A size of `*` is none.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (range, size) = (span(range.trim())?, digits(size.trim())?);
    (range.end <= size).then_some((range, size))
}

/// `START-END`, where both are in it.
fn span(text: &str) -> Option<Range<u64>> {
    let (start, last) = text.split_once('-')?;
    let range = digits(start)?..digits(last)?.checked_add(1)?;
    (range.start < range.end).then_some(range)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    digits(text(headers, name)?.trim())
}

/// A number without a sign.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(asked: Range<u64>, status: u16, headers: &[(&'static str, &str)]) -> Result<Answer, Unusable> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        judge(&asked, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn a_part_is_the_range_that_was_asked_for() {
        let part = |asked, value| check(asked, 206, &[("content-range", value)]);
        assert_eq!(part(0..10, "bytes 0-9/100"), Ok(Answer::Part { size: 100 }));
        assert_eq!(part(0..10, "bytes 0-3/4"), Ok(Answer::Part { size: 4 }));
        assert_eq!(part(99..100, "bytes 99-99/100"), Ok(Answer::Part { size: 100 }));
        assert_eq!(part(0..u64::MAX, "bytes 0-99/100"), Ok(Answer::Part { size: 100 }));
        for value in [
            "bytes 0-0/*",
            "bytes 0-9/*",
            "bytes 0-8/100",
            "bytes 1-10/100",
            "bytes 0-9/9",
            "bytes 0-9/5",
            "bytes */100",
            "bytes 0-9",
            "bytes 9-0/100",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes +0-9/100",
            "bytes -9/100",
            "items 0-9/100",
            "",
        ] {
            assert!(matches!(part(0..10, value), Err(Unusable::Range { .. })), "{value}");
        }
        assert!(matches!(check(0..10, 206, &[]), Err(Unusable::Range { .. })));
        let lie = [("content-range", "bytes 0-9/100"), ("content-length", "9")];
        assert!(matches!(check(0..10, 206, &lie), Err(Unusable::Range { .. })));
    }

    #[test]
    fn a_whole_object_is_used_if_little_of_it_is_thrown_away() {
        let whole = |asked, length: u64| check(asked, 200, &[("content-length", &length.to_string())]);
        assert_eq!(whole(5..10, 100), Ok(Answer::Whole { size: 100 }));
        assert_eq!(whole(5..10, WHOLE_BYTES_MAX), Ok(Answer::Whole { size: WHOLE_BYTES_MAX }));
        assert_eq!(whole(5..10, WHOLE_BYTES_MAX + 1), Err(Unusable::Whole { size: WHOLE_BYTES_MAX + 1 }));
        assert_eq!(whole(0..1 << 40, 1 << 40), Ok(Answer::Whole { size: 1 << 40 }));
        assert_eq!(whole(0..u64::MAX, 1 << 40), Ok(Answer::Whole { size: 1 << 40 }));
        for (asked, length) in [(5..10, 5), (0..1, 0)] {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let error = Unusable::Status { status, retry_after: None, reason: String::new() };
            assert_eq!(whole(asked, length), Err(error));
        }
        assert_eq!(check(0..10, 200, &[]), Err(Unusable::Endless));
    }

    #[test]
    fn another_status_says_when_to_come_again() {
        let after = |value| match check(0..1, 503, &[("retry-after", value)]) {
            Err(Unusable::Status { status: StatusCode::SERVICE_UNAVAILABLE, retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("-7"), None);
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }

    proptest! {
        #[test]
        fn no_header_panics(asked in any::<(u64, u64)>(), range in "(bytes )?[0-9*]{0,21}-?[0-9]{0,21}/?[0-9*]{0,21}") {
            let asked = asked.0.min(asked.1)..asked.0.max(asked.1).max(1);
            if let Ok(Answer::Part { size }) = check(asked.clone(), 206, &[("content-range", &range)]) {
                prop_assert!(asked.start < size);
            }
        }
    }
}
