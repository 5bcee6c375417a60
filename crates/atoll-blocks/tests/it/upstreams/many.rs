//! Many readers of an origin that fails at random.

use super::{content, part, read};
use atoll_blocks::schedule::Ending;
use atoll_blocks::upstream::{Remote, store_for};
use atoll_test::object_origin::{Bandwidth, Fault, ObjectOrigin, Shape, When};
use futures_util::future::join_all;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

const SIZE: u64 = 8 << 20;
const READERS: u64 = 64;
const READS: u64 = 20;
/// An attempt that takes longer has met a stall.
const ATTEMPT: Duration = Duration::from_millis(500);
/// No read meets more faults than this: each has one with a probability of less than a half.
const ATTEMPTS_MAX: u32 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_get_their_bytes_whatever_fails() {
    let jitter = Duration::from_millis(1);
    let bandwidth = Bandwidth::Shared(1_000_000_000);
    let origin = ObjectOrigin::start(Shape { jitter, bandwidth, ..Shape::of(Duration::from_millis(1)) }).unwrap();
    let data = content(SIZE as usize, 11);
    origin.put("object", data.clone());
    let (store, location) = store_for(&origin.url("object"), []).unwrap();
    let (remote, _) = Remote::open(store, location, 4096).await.unwrap();
    let faults = [
        Fault::Status { status: 503, retry_after: Some(1) },
        Fault::Status { status: 500, retry_after: None },
        Fault::Reset,
        Fault::ResetInBody { after: 10_000 },
        Fault::Stall,
        Fault::StallInBody { after: 10_000 },
        Fault::Truncated { after: 10_000 },
        Fault::Shifted { by: 1 },
        Fault::IgnoreRange,
        Fault::ContentRange("bytes 0-0/*".to_owned()),
        Fault::Chunked,
        Fault::Drip { bytes: 10_000, every: Duration::from_millis(1) },
    ];
    for (seed, fault) in faults.into_iter().enumerate() {
        origin.fail(When::Chance { probability: 0.03, seed: seed as u64 }, fault);
    }

    let failures = AtomicU64::new(0);
    let readers = (0..READERS).map(|reader| {
        let (remote, data, failures) = (&remote, &data, &failures);
        async move {
            for index in 0..READS {
                let start = (reader * READS + index) * 6007 % (SIZE - 65_536);
                let range = start..start + 1 + (reader * 1009 + index * 4099) % 65_535;
                let mut attempts = 0;
                let bytes = loop {
                    attempts += 1;
                    assert!(attempts <= ATTEMPTS_MAX, "{range:?}");
                    match timeout(ATTEMPT, read(remote, range.clone())).await {
                        Ok(Ok(bytes)) => break bytes,
                        Ok(Err(error)) => assert!(matches!(error.ending(), Ending::Failed { .. }), "{error}"),
                        Err(_) => {}
                    }
                    failures.fetch_add(1, Ordering::Relaxed);
                };
                assert_eq!(bytes, part(data, range.clone()), "{range:?}");
            }
        }
    });
    join_all(readers).await;
    let (requests, failures) = (origin.counts().requests, failures.into_inner());
    assert!(failures > READERS, "{failures} failures");
    assert_eq!(requests, 1 + READERS * READS + failures);
}
