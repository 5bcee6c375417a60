//! Any range of a remote object, as if it were local, every byte verified.
//!
//! * [`frames`]: how an object is made of frames, and how a frame is verified; hostile input ends here.
//! * [`schedule`]: which bytes are asked for, when, and who is woken: pure decisions.
//! * [`simulate`]: the same decisions in virtual time, checked.

pub mod frames;
pub mod schedule;
pub mod simulate;
