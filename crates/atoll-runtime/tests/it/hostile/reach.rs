//! What guests can get hold of.

use super::{Lab, ROOMY, Wanted, check};
use crate::harness::block_on;
use bytes::Bytes;
use http::HeaderMap;
use std::fmt::Write;

/// The exports that only other builtins may have, by builtin, as JSON.
fn exports() -> String {
    let mut json = String::from("{");
    for builtin in atoll_runtime_builtins() {
        let mut names: Vec<&str> = builtin
            .source
            .match_indices("exports.")
            .filter_map(|(at, mark)| {
                let rest = &builtin.source[at + mark.len()..];
                let end = rest.find(|unit: char| !unit.is_alphanumeric() && unit != '_')?;
                rest[end..].starts_with(" = ").then_some(&rest[..end])
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        if !names.is_empty() {
            let separator = if json.len() > 1 { "," } else { "" };
            write!(json, "{separator}{:?}:{names:?}", builtin.name).expect("a string takes text");
        }
    }
    json + "}"
}

fn atoll_runtime_builtins() -> &'static [atoll_engine::Builtin] {
    atoll_snapshot::startup().builtins
}

#[test]
fn no_native_and_no_builtin_is_in_reach() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, recorder) = lab.deploy("reach", ROOMY);
        let natives: usize = atoll_runtime_builtins().iter().map(|builtin| builtin.natives.len()).sum();
        assert!(natives > 100, "the table of builtins has natives");
        let answer = lab.send(&deployment, "/attack", HeaderMap::new(), Some(Bytes::from(exports()))).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {:?}", recorder.problems()));
        let (verdict, count) = answer.rsplit_once(' ').expect("a verdict and a count");
        assert_eq!(verdict, "200 nothing in reach of");
        assert!(count.parse::<u32>().expect("a count") > 2000, "the walk saw {count} objects");
    });
}

#[test]
fn all_globals_gone_or_replaced() {
    check(ROOMY, Wanted::Answer("200 done"), &["globals_deleted", "globals_replaced", "globals_frozen"]);
}
