//! Any range of a remote object: the scheduler against any history.

mod policy;
mod scheduler;
