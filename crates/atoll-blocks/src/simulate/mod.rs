//! The scheduler in virtual time.
//!
//! * [`World`]: one scheduler, against an origin with a time to a first byte, a bandwidth, and faults. It carries out what
//!   is ordered, and keeps books of its own, by which it checks after each order that the scheduler's promises hold: it
//!   panics where one doesn't. So every simulation is a test as well.
//! * [`Fleet`]: many machines, each with a scheduler of its own, and one store.

mod fleet;
mod world;

pub use fleet::{Fleet, Outcome, Store};
pub use world::{Counts, Event, Fault, Link, Reply, World};
