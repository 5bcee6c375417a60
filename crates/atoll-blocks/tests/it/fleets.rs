//! Many machines at once: what they do to their store is bounded.

use atoll_blocks::schedule::Layout;
use atoll_blocks::simulate::{Fleet, Outcome, Store};
use std::time::Duration;

const FRAME: u64 = 128 << 10;
/// 24 frames of 5 chunks, with some in a row.
const READS: [u32; 24] =
    [0, 1, 40, 41, 42, 7, 300, 301, 60, 8, 310, 9, 1000, 1001, 1002, 1003, 61, 311, 312, 10, 11, 1010, 50, 1030];
const CHUNKS: u64 = 5 * (4 << 20);

fn start(machines: u64, store: Store) -> Outcome {
    let outcome = Fleet::new(machines as usize, store, Layout::uniform(256 << 20, FRAME, 32), &READS).run();
    assert_eq!(outcome.failed_reads, 0);
    assert_eq!((outcome.first_reads.len(), outcome.all_reads.len()), (machines as usize, machines as usize));
    outcome
}

#[test]
fn a_few_machines_stand_in_nobody_s_way() {
    let outcome = start(10, Store::default());
    assert_eq!(outcome.refused, 0);
    // Some frames in a row are read ahead of.
    assert!(outcome.bytes <= 10 * CHUNKS * 2, "{}", outcome.bytes);
    assert!(outcome.requests <= 10 * 100, "{}", outcome.requests);
    // The time to a first byte, and one frame.
    let first = outcome.first_reads.iter().max().unwrap();
    assert!(*first <= Duration::from_millis(25), "{first:?}");
}

#[test]
fn machines_that_the_store_can_t_keep_up_with_ask_for_less() {
    // As a thousand are to a large store.
    let store = Store { requests_per_second: 550.0, bandwidth: 1.25e9, ..Store::default() };
    let outcome = start(100, store);
    assert!(outcome.bytes <= 100 * CHUNKS * 3 / 2, "{}", outcome.bytes);
    assert!(outcome.requests <= 100 * 80, "{}", outcome.requests);
}
