//! Any range of a remote object: the scheduler against any history, frames against any bytes, the cache against any end
//! of its process.

#![expect(clippy::disallowed_methods, reason = "tests work on the host's files")]

mod cache;
mod children;
mod faulty_store;
mod fleets;
mod frames;
mod policy;
mod reading;
mod scheduler;
mod upstreams;

#[global_allocator]
static ALLOCATOR: atoll_sys::count::Allocator = atoll_sys::count::Allocator;
