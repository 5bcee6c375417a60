//! The content of frames, kept on the local disk.
//!
//! A cache is a directory with a file `lock`, and two files for each object, named by its
//! [identity](crate::frames::Identity):
//!
//! * `….data` has the content, at its own offsets, and holes where frames are not there;
//! * `….map` says which frames are there, in [pages](PresenceMap) with a digest each.
//!
//! # What holds at all times
//!
//! * A frame is *there* only after all of its content was written; in the file with the map only after that has reached
//!   the disk. So whatever is cut off, and when, a map never names a frame that is not there. A page that was written
//!   half counts as empty.
//! * A frame that is evicted is taken out of the map, on the disk too, before its content goes.
//! * One process at a time owns the directory. The lock ends with the process, however that ends.
//! * The directory may be deleted at any moment that no process owns it: everything in it can be fetched again.
//! * The cache keeps within its limits by evicting what has not been read for longest, in pieces of a chunk. If that is
//!   not enough, or the disk does not take a write, [`CachedObject::store`] says so and the frame is simply not there:
//!   whoever has its content in memory passes it on.
//!
//! # Reading
//!
//! [`CachedObject::read`] looks at the map in memory and makes one `pread`. It takes no lock and allocates nothing: its
//! part of an object has no lock. Against an eviction at the same time it counts: a read during which anything of the
//! object was evicted is repeated.

mod directory;
mod object;
mod presence;

pub use directory::{Cache, CacheError, Limits};
pub use object::{CachedObject, Lookup, Stored};
pub use presence::PresenceMap;
