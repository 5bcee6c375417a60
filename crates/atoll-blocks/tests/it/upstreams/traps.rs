//! What servers answer that is not what they were asked for.

use super::{bytes, content, error, part, read};
use atoll_blocks::schedule::Ending;
use atoll_blocks::upstream::{Remote, UpstreamError, store_for};
use atoll_test::object_origin::{Fault, ObjectOrigin, Shape, When};
use std::time::Duration;
use tokio::time::timeout;

const SIZE: u64 = 3_000_017;
const FAILED: Ending = Ending::Failed { retry_after: None };

fn origin(size: u64) -> (ObjectOrigin, Vec<u8>) {
    let (origin, data) = (ObjectOrigin::start(Shape::of(Duration::ZERO)).unwrap(), content(size as usize, 7));
    origin.put("object", data.clone());
    (origin, data)
}

async fn open(origin: &ObjectOrigin, prefix_bytes: u64) -> Result<Remote, UpstreamError> {
    let (store, location) = store_for(&origin.url("object"), []).unwrap();
    let (remote, prefix) = Remote::open(store, location, prefix_bytes).await?;
    assert_eq!(prefix.len() as u64, prefix_bytes.min(remote.size()));
    Ok(remote)
}

/// With this fault an open object's part is an error of this ending that says this; without it, the part comes.
async fn check(fault: Fault, ending: Ending, says: &str) {
    let (origin, data) = origin(SIZE);
    let remote = open(&origin, 4096).await.unwrap();
    origin.fail(When::Request(0), fault.clone());
    let failed = error(&remote, 1000..700_000).await;
    assert_eq!(failed.ending(), ending, "{fault:?}: {failed}");
    let text = failed.to_string();
    assert!(text.contains(says), "{fault:?}: {text}");
    assert!(text.starts_with(&origin.url("object")), "{text}");
    assert_eq!(bytes(&remote, 1000..700_000).await, part(&data, 1000..700_000), "after {fault:?}");
}

/// With this fault it can't be opened.
async fn check_opening(fault: Fault, says: &str) {
    let (origin, _) = origin(SIZE);
    origin.fail(When::Always, fault.clone());
    for prefix_bytes in [0, 4096] {
        let failed = open(&origin, prefix_bytes).await.unwrap_err().to_string();
        assert!(failed.contains(says), "{fault:?}: {failed}");
    }
}

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after }
}

#[tokio::test]
async fn a_status_says_whether_another_attempt_may_help() {
    for refused in [400, 401, 403, 404, 405, 407, 410, 412, 416, 451] {
        check(status(refused, None), Ending::Refused, "").await;
    }
    for failed in [408, 425, 429, 500, 502, 503, 504, 507] {
        check(status(failed, None), FAILED, &format!("the origin answers {failed}")).await;
    }
    let retry_after = Some(Duration::from_secs(7));
    check(status(503, Some(7)), Ending::Failed { retry_after }, "503").await;
    check(status(429, Some(7)), Ending::Failed { retry_after }, "429").await;
    check(status(304, None), Ending::Refused, "304").await;
    check(status(204, None), Ending::Refused, "204").await;
    check_opening(status(403, None), "may not be read with the credentials there are: the server answered 403").await;
    check_opening(status(503, Some(1)), "503 Service Unavailable: the origin answers 503").await;
}

#[tokio::test]
async fn the_size_is_in_the_first_answer_or_it_is_an_error() {
    for value in ["bytes 0-0/*", "bytes 0-4095/*", "bytes */3000017", "bytes 0-4095", "4096", "bytes 0-4095/4000"] {
        check_opening(Fault::ContentRange(value.to_owned()), value).await;
    }
    check_opening(Fault::Shifted { by: 1 }, "the server answered with Content-Range").await;
    check_opening(Fault::IgnoreRange, "it must serve ranges").await;
}

#[tokio::test]
async fn an_answer_that_is_another_range_is_none() {
    check(Fault::Shifted { by: 1 }, FAILED, "asked for bytes 1000 to 700000").await;
    check(Fault::Shifted { by: SIZE }, FAILED, "asked for bytes 1000 to 700000").await;
    for value in ["bytes 1000-699998/3000017", "bytes 0-0/*", "bytes 1000-699999/*", "bytes 1000-699999", "junk"] {
        check(Fault::ContentRange(value.to_owned()), FAILED, value).await;
    }
    let other_size = Fault::ContentRange("bytes 1000-699999/3000018".to_owned());
    check(other_size, Ending::Refused, "it had 3000017 bytes and has 3000018").await;
    for length in [1, 698_999, 699_001] {
        check(Fault::ContentLength(length), FAILED, &format!("a Content-Length of {length}")).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_an_error() {
    for after in [0, 1, 500_000, 698_999] {
        check(Fault::ResetInBody { after }, FAILED, "could not be read").await;
        check(Fault::Truncated { after }, FAILED, "could not be read").await;
    }
    check(Fault::Reset, FAILED, "could not be read").await;
}

#[tokio::test]
async fn a_body_without_a_length_is_as_long_as_the_range() {
    let (origin, data) = origin(SIZE);
    let remote = open(&origin, 4096).await.unwrap();
    let range = 1000..700_000;
    for (kind, truncated) in [(Fault::Chunked, "could not be read"), (Fault::CloseDelimited, "only 5000 came")] {
        origin.fail(When::Request(0), kind.clone());
        assert_eq!(bytes(&remote, range.clone()).await, part(&data, range.clone()), "{kind:?}");
        origin.heal();

        // One that is longer gives what was asked for.
        for by in [1, 100_000] {
            origin.fail(When::Request(0), kind.clone());
            origin.fail(When::Request(0), Fault::TooLong { by });
            assert_eq!(bytes(&remote, range.clone()).await, part(&data, range.clone()), "{kind:?} {by}");
            origin.heal();
        }

        origin.fail(When::Request(0), kind.clone());
        origin.fail(When::Request(0), Fault::Truncated { after: 5000 });
        let short = error(&remote, range.clone()).await;
        assert!(short.to_string().contains(truncated), "{kind:?}: {short}");
        assert_eq!(short.ending(), FAILED);
        origin.heal();

        origin.fail(When::Always, kind);
        assert_eq!(open(&origin, 4096).await.unwrap().size(), SIZE);
        origin.fail(When::Always, Fault::IgnoreRange);
        let endless = open(&origin, 4096).await.unwrap_err().to_string();
        assert!(endless.contains("did not say how long it is"), "{endless}");
        origin.heal();
    }
}

/// A server that knows no ranges serves what is small, and what is asked for as a whole. No more is read than that.
#[tokio::test]
async fn a_whole_object_in_place_of_a_range() {
    let (origin, data) = origin(1 << 20);
    origin.fail(When::Always, Fault::IgnoreRange);
    let remote = open(&origin, 4096).await.unwrap();
    for range in [0..1, 0..1 << 20, 5..10, (1 << 20) - 1..1 << 20, 100_000..700_000] {
        assert_eq!(bytes(&remote, range.clone()).await, part(&data, range.clone()), "{range:?}");
    }

    let large = content(64 << 20, 1);
    origin.put("object", large.clone());
    let before = origin.counts().bytes;
    let refused = open(&origin, 4096).await.unwrap_err();
    assert!(refused.to_string().contains("all 67108864 bytes"), "{refused}");
    // What lies in the buffers of two sockets was sent.
    let sent = origin.counts().bytes - before;
    assert!(sent < 32 << 20, "{sent} bytes were sent for nothing");

    let remote = open(&origin, 64 << 20).await.unwrap();
    assert_eq!(bytes(&remote, 0..64 << 20).await, large);
    assert_eq!(open(&origin, u64::MAX).await.unwrap().size(), 64 << 20);
    let failed = error(&remote, 5..10).await;
    assert!(failed.to_string().contains("it must serve ranges"), "{failed}");
}

#[tokio::test]
async fn a_stall_is_given_up_by_dropping_it() {
    let (origin, data) = origin(SIZE);
    let remote = open(&origin, 4096).await.unwrap();
    for fault in [Fault::Stall, Fault::StallInBody { after: 0 }, Fault::StallInBody { after: 5000 }] {
        origin.fail(When::Request(0), fault.clone());
        let read = timeout(Duration::from_millis(50), read(&remote, 0..10_000)).await;
        assert!(read.is_err(), "{fault:?}");
        assert_eq!(bytes(&remote, 0..10_000).await, part(&data, 0..10_000), "after {fault:?}");
    }
    // The connections of what was given up are closed, so their answers don't come any more.
    while origin.open_connections() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let every = Duration::from_millis(1);
    origin.fail(When::Request(0), Fault::Drip { bytes: 100, every });
    assert_eq!(bytes(&remote, 0..2000).await, part(&data, 0..2000));
    origin.fail(When::Request(0), Fault::Late(Duration::from_millis(20)));
    assert_eq!(bytes(&remote, 0..2000).await, part(&data, 0..2000));
}

#[tokio::test]
async fn an_object_that_is_replaced_is_never_mixed() {
    for ignored in [false, true] {
        for size in [SIZE, SIZE + 1, 100] {
            let (origin, _) = origin(SIZE);
            let other = content(size as usize, 8);
            let remote = open(&origin, 4096).await.unwrap();
            origin.fail(When::Request(0), Fault::ReplaceBefore(other.into()));
            if ignored {
                origin.fail(When::Always, Fault::IgnoreConditions);
            }
            for range in [0..10, 1000..700_000, SIZE - 1..SIZE] {
                let changed = error(&remote, range).await;
                assert!(matches!(changed, UpstreamError::Changed { .. }), "{ignored} {size}: {changed}");
                assert_eq!(changed.ending(), Ending::Refused);
            }
            assert_eq!(open(&origin, 4096).await.unwrap().size(), size);
        }
    }

    // A server that changes the body under way sends what no client can tell from what was there; the next answer is
    // another version's.
    let (origin, data) = origin(SIZE);
    let other = content(SIZE as usize, 8);
    let remote = open(&origin, 4096).await.unwrap();
    origin.fail(When::Request(0), Fault::ReplaceInBody { after: 300_000, bytes: other.clone().into() });
    let mixed = bytes(&remote, 0..700_000).await;
    assert_eq!((&mixed[..300_000], &mixed[300_000..]), (&data[..300_000], &other[300_000..700_000]));
    assert!(matches!(error(&remote, 0..10).await, UpstreamError::Changed { .. }));

    // One that says no longer which version it is might be any.
    let (origin, _) = super::traps::origin(SIZE);
    let remote = open(&origin, 4096).await.unwrap();
    origin.fail(When::Request(0), Fault::NoValidator);
    let changed = error(&remote, 0..10).await;
    assert!(changed.to_string().contains("its ETag was \"v1\" and is none"), "{changed}");
}

/// Each request is one of a range, with the version that was opened, of bytes as they are; and connections are used again.
#[tokio::test]
async fn requests_are_what_they_should_be() {
    let (origin, data) = origin(SIZE);
    let remote = open(&origin, 4096).await.unwrap();
    for range in [0..100, 5000..6000, 1_000_000..3_000_000] {
        assert_eq!(bytes(&remote, range.clone()).await, part(&data, range));
    }
    let seen = origin.take_seen();
    let ranges: Vec<_> = seen.iter().map(|seen| seen.range.clone().unwrap()).collect();
    assert_eq!(ranges, [0..4096, 0..100, 5000..6000, 1_000_000..3_000_000]);
    let conditions: Vec<_> = seen.iter().map(|seen| seen.if_match.as_deref()).collect();
    assert_eq!(conditions, [None, Some("\"v1\""), Some("\"v1\""), Some("\"v1\"")]);
    for seen in &seen {
        assert_eq!((seen.method.as_str(), seen.accept_encoding.as_deref()), ("GET", Some("identity")));
    }
    assert_eq!(origin.counts().connections, 1);
    assert_eq!(origin.counts().bytes, 4096 + 100 + 1000 + 2_000_000);
}

#[tokio::test]
async fn nothing_is_decompressed() {
    for encoding in ["gzip", "br", "deflate", "zstd", "aws-chunked"] {
        let (origin, data) = origin(5000);
        origin.fail(When::Always, Fault::ContentEncoding(encoding.to_owned()));
        let remote = open(&origin, 10).await.unwrap();
        assert_eq!(bytes(&remote, 5..4000).await, part(&data, 5..4000), "{encoding}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_with_the_range() {
    let ((first, _), (second, data)) = (origin(10), origin(SIZE));
    first.fail(When::Always, Fault::Redirect(second.url("object")));
    let remote = open(&first, 4096).await.unwrap();
    assert_eq!(bytes(&remote, 1000..5000).await, part(&data, 1000..5000));
    let around = format!("{}?again", first.url("object"));
    first.heal();
    first.fail(When::Always, Fault::Redirect(around));
    let error = error(&remote, 1000..5000).await;
    assert!(error.to_string().contains("too many redirects"), "{error}");
}
