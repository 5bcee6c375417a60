//! Opening an object: one request, and nothing is believed.

use super::origin::{Fault, Origin};
use super::{FRAME, MIB, PACKING, ROOMY, Reply, Scene, config, content, packed, patient, runtime};
use atoll_blocks::cache::Cache;
use atoll_blocks::frames::Identity;
use atoll_blocks::reader::{OpenError, Reader, ReaderConfig};
use std::sync::Arc;

/// Opens an object of 1 MiB that is changed by `change`, by an origin that answers by `plan`; how many requests that took.
fn open(
    identity: Option<Identity>,
    change: impl FnOnce(&mut Vec<u8>),
    plan: impl Fn(usize, &std::ops::Range<u64>) -> Reply + Send + Sync + 'static,
) -> (Result<(), OpenError>, usize) {
    let (mut object, header) = packed(&content(MIB), PACKING);
    change(&mut object);
    let origin = Origin::new(object, plan);
    let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let cache = Cache::open(folder.path(), ROOMY).unwrap();
    let reader = Reader::new(runtime.handle().clone(), Arc::clone(&origin) as _, cache, config()).unwrap();
    let opened = runtime.block_on(reader.open("object".into(), identity.unwrap_or(header.identity())));
    (opened.map(drop), origin.requests().len())
}

#[test]
fn a_table_that_comes_with_the_header_takes_one_request_and_a_longer_one_two() {
    // 64 entries of 36 bytes.
    for (prefix_bytes, requests) in
        [(128 + 64 * 36, 1), (128 + 64 * 36 - 1, 2), (0, 2), (5 * FRAME as u64, 1), (1 << 40, 1)]
    {
        let config = ReaderConfig { prefix_bytes, ..patient() };
        let scene = Scene::with(MIB, ROOMY, config, |_, _| Reply::default());
        assert_eq!(scene.origin.requests().len(), requests, "{prefix_bytes}");
        scene.read(0..MIB);
        scene.settle();
        // Frames that came with the table do not come again, but one that came in part.
        scene.assert_nothing_twice();
        let asked: u64 = scene.origin.requests().iter().map(|range| range.end - range.start).sum();
        let twice = if prefix_bytes == 5 * FRAME as u64 { FRAME as u64 } else { 0 };
        assert!(asked <= scene.header.object_bytes() + twice, "{asked} with {prefix_bytes}");
    }
}

#[test]
fn what_was_not_asked_for_is_not_opened() {
    let check = |identity, change: fn(&mut Vec<u8>), expected: &str, requests| {
        let (opened, asked) = open(identity, change, |_, _| Reply::default());
        let error = opened.unwrap_err().to_string();
        assert!(error.starts_with("Origin/object ") && error.contains(expected), "{error}");
        assert_eq!(asked, requests, "{error}");
    };
    // Where it may have been damaged on its way it is read again: three times the header, or header and table.
    check(Some(Identity([7; 32])), |_| (), "is not the one that was asked for", 3);
    check(None, |object| object[3] ^= 1, "not a framed object", 3);
    check(None, |object| object[128 + 77] ^= 1, "the table's digest is not the one in the header", 6);
    check(None, |object| object.truncate(object.len() - 1), "it was not uploaded as a whole", 1);
    check(None, |object| object.push(0), "it was not uploaded as a whole", 1);
}

#[test]
fn what_may_pass_is_tried_again() {
    for fault in [Fault::Break, Fault::Truncate, Fault::Damage, Fault::Hang] {
        for after in [0, 100, 2000] {
            let (opened, requests) =
                open(None, |_| (), move |nth, _| if nth < 2 { Reply::with(after, fault) } else { Reply::default() });
            opened.unwrap();
            assert!((3..=6).contains(&requests), "{fault:?} after {after}: {requests}");
        }
    }
    let (opened, requests) = open(None, |_| (), |_, _| Reply::with(0, Fault::Refuse));
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
    assert_eq!(requests, 1);
    let (opened, _) = open(None, |_| (), |_, _| Reply::with(0, Fault::Panic));
    assert!(matches!(opened, Err(OpenError::Closed { .. })));
}

#[test]
fn what_the_cache_has_from_earlier_is_not_fetched() {
    let first = Scene::new(2 * MIB, |_, _| Reply::default());
    first.read(0..2 * MIB);
    first.settle();
    let Scene { object, reader, folder, runtime, .. } = first;
    drop((object, reader));
    drop(runtime);
    let second = Scene::in_folder(folder, 2 * MIB, ROOMY, config(), |_, _| Reply::default());
    second.read(0..2 * MIB);
    second.settle();
    assert_eq!(second.requests(), []);
    assert_eq!(second.reader.stats().waited_reads, 0);
}
