//! The guest filesystem: what a worker's programs see as files.
//!
//! A guest's tree is a [`MountTable`]: absolute guest paths on the left, [`Layer`]s on the right, longest prefix wins.
//! Calls are synchronous and made on the isolate's own thread; everything here is `Send + Sync` and shared.
//!
//! ```text
//! GuestPath ─► MountTable (which mount? writable?) ─► Layer (LayerPath, below its own root) ─► bytes or Errno
//!                    ▲                                   │
//!                    └────── LayerError::Leaves ◄────────┘   a symbolic link led out of the layer
//! ```
//!
//! ```
//! use atoll_vfs::{Access, GuestPath, Memory, MountTable, Quota};
//!
//! let table = MountTable::builder().mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite)?.build()?;
//! let note = GuestPath::new("/tmp/note")?;
//! table.write(&note, b"hello")?;
//! assert_eq!(table.read_to_string(&note, 1024)?, "hello");
//!
//! let error = table.metadata(&GuestPath::new("/etc/passwd")?).unwrap_err();
//! assert_eq!(error.to_string(), "ENOENT: no such file or directory, stat '/etc/passwd'");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//!
//! * A layer answers for paths below its own root and for nothing else. It never follows a link out: it says
//!   [`LayerError::Leaves`], and the mount table resolves the link **in the guest's namespace**, from the guest's `/`.
//!   A link to `/etc/passwd` therefore means the guest's `/etc/passwd`, which no mount provides, and never the host's.
//! * A guest error names an [`Errno`], a system call and guest paths. Host paths never appear in one.
//! * Read-only mounts refuse mutation with `EROFS` before anything is resolved, so that what a link points to, or
//!   whether it exists, makes no difference. Renames and hard links never cross mounts (`EXDEV`), even where two mounts
//!   show the same host directory: rights belong to the mount.
//! * A watch ([`MountTable::watch`]) is on an object that was opened within its layer, never on a path.
//! * Devices, FIFOs and sockets of the host are listed and described but never opened (`EACCES`). The devices that a
//!   guest can open are those that [`Devices`] makes up.

mod devices;
mod errno;
mod error;
mod host_dir;
mod layer;
mod listing;
mod memory;
mod overlay;
mod path;
mod table;
mod watch;

pub use devices::{Devices, OutputStream, StandardStreams};
pub use errno::Errno;
pub use error::FsError;
pub use host_dir::{Confinement, HostDir, HostDirError, may_wait, without_waiting};
pub use layer::{
    AccessMode, Directory, File, FileKind, FinalLink, Layer, LayerError, LayerResult, Metadata, NewFile, OpenOptions,
    Owner, Statistics, Time,
};
pub use listing::{DirEntry, Listing};
pub use memory::{Memory, Quota, next_device};
pub use overlay::{Overlay, OverlayError};
pub use path::{Ending, GuestPath, LayerPath, MAX_NAME_BYTES, MAX_PATH_BYTES, PathError};
pub use table::{Access, MountError, MountTable, MountTableBuilder, OpenFile, Step};
pub use watch::{Event, EventBudget, EventKind, EventQueue, EventSink, QueuedEvent, Silent, Watch};
