//! Any range of a remote object, as if it were local, every byte verified.
//!
//! * [`cache`]: what has come, on the local disk; valid whatever happens to the process.
//! * [`frames`]: how an object is made of frames, and how a frame is verified; hostile input ends here.
//! * [`limits`]: what no system can beat, to compare this one with.
//! * [`reader`]: all of it together: reads that are answered from the cache, or wait for the network.
//! * [`schedule`]: which bytes are asked for, when, and who is woken: pure decisions.
//! * [`simulate`]: the same decisions in virtual time, checked.
//! * [`upstream`]: where the bytes come from: one version of one object, by ranges.

#[expect(clippy::disallowed_methods, reason = "a cache owns its directory")]
pub mod cache;
pub mod frames;
pub mod limits;
pub mod reader;
pub mod schedule;
pub mod simulate;
pub mod upstream;
