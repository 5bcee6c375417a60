//! Clocks, and memory that could be one.

use super::{Lab, ROOMY, Wanted, check};
use crate::harness::block_on;

/// As documented: no clock shows finer steps.
const RESOLUTION_NS: f64 = 100_000.0;

#[test]
fn no_clock_is_finer_than_documented() {
    block_on(async {
        let lab = Lab::new();
        let (answer, _) = {
            let (deployment, recorder) = lab.deploy("clocks", ROOMY);
            let answer = lab.get(&deployment, "/attack").await;
            (answer.unwrap_or_else(|error| panic!("{error}: {:?}", recorder.problems())), recorder)
        };
        let answer = answer.strip_prefix("200 ").expect("an answer");
        let mut moving = 0;
        for line in answer.lines() {
            let (clock, step) = line.split_once('=').expect("a clock and its step");
            let Ok(step) = step.parse::<f64>() else { continue };
            moving += 1;
            // Milliseconds in floating point are off by less than a microsecond from the tenths that they mean.
            let remainder = step % RESOLUTION_NS;
            assert!(!(1000.0..=RESOLUTION_NS - 1000.0).contains(&remainder), "{clock} moves by {step} ns:\n{answer}");
        }
        assert!(moving >= 8, "clocks that stand still show nothing:\n{answer}");
    });
}

#[test]
fn no_memory_is_shared() {
    check(ROOMY, Wanted::Answer("200 none"), &["no_shared_memory"]);
}
