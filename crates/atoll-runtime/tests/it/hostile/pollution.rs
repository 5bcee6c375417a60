//! Guests that change the language under the platform's feet.

use super::{Lab, ROOMY, Wanted, check};
use crate::harness::block_on;

/// Each use of an API gives the same answer whatever was replaced meanwhile, and shows no internals to it.
fn uses_are_right(guest: &str) {
    block_on(async {
        let lab = Lab::new();
        let (deployment, recorder) = lab.deploy(guest, ROOMY);
        let answer = lab.get(&deployment, "/attack").await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {:?}", recorder.problems()));
        assert!(answer.starts_with("200 right: true "), "{guest}:\n{answer}");
        let uses = answer.rsplit(' ').next().and_then(|count| count.parse::<u32>().ok());
        assert!(uses.is_some_and(|uses| uses > 90), "{answer}");
        assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"), "{:?}", recorder.problems());
        lab.assert_neighbour(guest).await;
    });
}

#[test]
fn methods_and_accessors() {
    uses_are_right("pollution_methods");
}

#[test]
fn keys_that_objects_inherit() {
    uses_are_right("pollution_keys");
}

#[test]
fn for_good() {
    check(ROOMY, Wanted::Answer("200 poisoned"), &["pollution_for_good_keys", "pollution_for_good_methods"]);
}
