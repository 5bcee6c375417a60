//! Any range of a remote object, as if it were local, every byte verified.
//!
//! * [`schedule`]: which bytes are asked for, when, and who is woken: pure decisions.
//! * [`simulate`]: the same decisions in virtual time, checked.

pub mod schedule;
pub mod simulate;
