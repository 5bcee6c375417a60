//! Reading: from the cache what is there, and from the upstream what is not.
//!
//! A [`Reader`] belongs to one upstream. It carries out what the [scheduler](crate::schedule) decides: requests are tasks
//! of a tokio runtime, each of which takes a body apart into [frames](crate::frames), verifies them, and hands them to who
//! waits and to the [cache](crate::cache). An [`Object`] is read by threads and by tasks alike.
//!
//! # The way of a read
//!
//! * What is in the cache is read by the calling thread, by one `pread`: no lock, no allocation, nobody else.
//! * Else it asks the scheduler, which is behind one mutex, and the request is spawned on the way. It waits: this is the
//!   first change of threads. When the last byte of a frame has come, the task that takes it in verifies and decompresses
//!   it, and wakes who waits for it, the second and last one. The content goes from memory to memory.
//! * Storing comes after waking, and on another thread. So nobody waits for the disk, and what the disk does
//!   not take is read all the same.
//!
//! # What holds at all times
//!
//! * Only verified bytes are given to anybody, or stored.
//! * Each read is answered: with its bytes, or with a [`ReadError`], at the latest some [`read_timeout`]s after it came, or
//!   when the runtime ends. A panic in a request fails who waits for its frames.
//! * A read that is given up ends no request.
//! * No file is touched, nothing is hashed and nobody is woken under the mutex.
//! * What has come and is not stored is bounded, and so is what is kept in memory since the cache has no room for it.
//!   While the cache has none, nothing is fetched that nobody waits for.
//! * The scheduler's view of what is there is a hint: the cache may evict, and others may store. The frames of a read are
//!   looked up when the scheduler is asked for them, and a read whose frames were evicted while it waited asks again.
//! * A part of the disk that can't be read counts as missing, and is fetched anew.
//!
//! A process that is killed has lost what the cache had not written down.
//!
//! [`read_timeout`]: crate::schedule::Config::read_timeout

mod config;
mod driver;
mod error;
mod keep;
mod object;
mod open;
mod request;
mod trace;
mod wait;

pub use config::ReaderConfig;
pub use driver::ReaderStats;
pub use error::{Cause, OpenError, ReadError};
pub use object::Object;
pub use open::Reader;
pub use trace::{Trace, TraceError};
