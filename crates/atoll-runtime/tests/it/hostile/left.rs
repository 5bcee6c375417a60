//! What a request leaves behind when it is over, and memory that V8 takes from elsewhere than our allocator.

use super::{Lab, Limit, MEMORY, ROOMY, Wanted, check};
use crate::harness::block_on;
use std::time::Duration;

#[test]
fn timers_end_with_their_request() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, _) = lab.deploy("left_timers", ROOMY);
        assert_eq!(lab.get(&deployment, "/attack").await.ok().as_deref(), Some("200 set"));
        let before = lab.get(&deployment, "/attack?fired").await.expect("a count");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(lab.get(&deployment, "/attack?fired").await.expect("a count"), before);
    });
}

#[test]
fn timers_end_when_the_client_leaves() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, _) = lab.deploy("left_pending", ROOMY);
        // More than the heap could hold together, were anything kept.
        for round in 0..40 {
            let waiting = tokio::time::timeout(Duration::from_millis(300), lab.get(&deployment, "/attack")).await;
            assert!(waiting.is_err(), "in round {round}: {waiting:?}");
        }
        assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"));
    });
}

#[test]
fn memory_beside_the_allocator_is_counted() {
    check(MEMORY, Wanted::Ended(Limit::Memory), &["outside_resizable", "outside_wasm"]);
}
