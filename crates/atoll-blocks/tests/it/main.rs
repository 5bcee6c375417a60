//! Any range of a remote object: the scheduler against any history, and frames against any bytes.

mod frames;
mod policy;
mod scheduler;
