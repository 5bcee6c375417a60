//! Recursion, length and hostile errors, at every place where the platform calls guest code or takes its values.

use super::{LIMITS, Lab, Limit, MEMORY, ROOMY, Wanted, check};
use crate::harness::block_on;
use std::time::Duration;

#[test]
fn recursion_through_the_platform_is_the_guests_own_error() {
    check(
        ROOMY,
        Wanted::Answer("200 own error"),
        &[
            "deep_getters",
            "deep_to_string",
            "deep_to_primitive",
            "deep_proxy",
            "deep_inspect",
            "deep_events",
            "deep_emitter",
            "deep_abort",
            "deep_compare",
            "deep_graph",
            "deep_bottom",
            "deep_async",
            "deep_streams",
            "deep_node_streams",
            "deep_tee",
            "deep_causes",
        ],
    );
}

#[test]
fn long_texts_and_many_headers() {
    // A text that is made flat is longer than the heap's limit.
    check(MEMORY, Wanted::EndedOr(Limit::Memory, "200 survived"), &["long_strings"]);
    check(ROOMY, Wanted::Answer("200 odd"), &["odd_headers"]);
    check(ROOMY, Wanted::FailureOr("200 large"), &["long_header_value"]);
    check(ROOMY, Wanted::FailureOr("200 many"), &["long_header_repeated"]);
}

#[test]
fn more_headers_than_http_can_carry() {
    check(ROOMY, Wanted::Failure, &["long_header_list"]);
}

#[test]
fn floods_of_imports() {
    check(ROOMY, Wanted::Answer("200 6000 6000"), &["import_flood"]);
}

#[test]
fn what_waited_for_a_client_that_left_is_gone() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, _) = lab.deploy("pending_flood", ROOMY);
        // More than the heap could hold together, were anything kept.
        for round in 0..40 {
            let waiting = tokio::time::timeout(Duration::from_millis(400), lab.get(&deployment, "/attack")).await;
            assert!(waiting.is_err(), "in round {round}: {waiting:?}");
        }
        assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"));
        lab.assert_neighbour("clients that left").await;
    });
}

#[test]
fn hostile_errors_are_described() {
    block_on(async {
        let lab = Lab::new();
        for guest in ["error_newlines", "error_hostile_getters", "error_symbol", "error_revoked", "error_prepared"] {
            let (_, recorder) = lab.attack(guest, ROOMY, Wanted::Failure).await;
            assert!(!recorder.problems().is_empty(), "{guest} leaves a trace in the log");
        }
        let (_, recorder) = lab.attack("error_long", ROOMY, Wanted::Failure).await;
        let longest = recorder.problems().iter().map(String::len).max();
        assert!(longest.is_some_and(|bytes| bytes > 0), "{longest:?}");
    });
}

#[test]
fn errors_whose_description_never_ends() {
    check(LIMITS, Wanted::Ended(Limit::Cpu), &["error_endless_getters", "error_endless_stack"]);
}

#[test]
fn no_end_is_forgotten() {
    // By chance an end comes outside of what is attacked, so each is tried more than once.
    for _ in 0..3 {
        let attackers = ["error_lost_termination", "error_lost_in_dom_exception", "error_lost_in_native"];
        check(LIMITS, Wanted::Ended(Limit::Cpu), &attackers);
    }
}
