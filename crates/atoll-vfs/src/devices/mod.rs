//! The devices that a guest gets: a `/dev` that is made up here and has nothing of the host's.
//!
//! | name | stat | reading gives | writing |
//! |---|---|---|---|
//! | `null` | 1:3 | the end | is dropped |
//! | `zero` | 1:5 | zeros without end | is dropped |
//! | `urandom` | 1:9 | the kernel's random bytes without end | is dropped; nothing is mixed in |
//! | `stdin` | 5:0 | what the embedder gives | `EACCES` |
//! | `stdout`, `stderr` | 5:0 | `EACCES` | goes to the embedder |
//!
//! Names can be neither made nor removed nor changed (`EROFS`). Writing is to a device, not to the layer, but a mount
//! that is read-only refuses to open anything for writing: mount it with [`Access::ReadWrite`](crate::Access).

mod file;
mod streams;

use crate::layer::{
    AccessMode, File, FileKind, FinalLink, Layer, LayerResult, Metadata, NewFile, OpenOptions, Statistics, Time,
};
use crate::memory::{TMPFS_MAGIC, next_device};
use crate::watch::{EventSink, Silent, Watch};
use crate::{Errno, LayerPath, Listing, MAX_NAME_BYTES};
use file::{DeviceDirectory, DeviceFile};
use std::sync::Arc;
pub use streams::{OutputStream, StandardStreams};

/// Preferred block for I/O, as the kernel says of its devices.
const BLOCK_BYTES: u32 = 4096;

/// The number of the directory; devices have the ones after.
const ROOT_INO: u64 = 1;

/// What a name of the directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Null,
    Zero,
    Random,
    Input,
    Output(OutputStream),
}

impl Device {
    const ALL: [(&'static str, Self); 6] = [
        ("null", Self::Null),
        ("zero", Self::Zero),
        ("urandom", Self::Random),
        ("stdin", Self::Input),
        ("stdout", Self::Output(OutputStream::Out)),
        ("stderr", Self::Output(OutputStream::Err)),
    ];

    /// Major and minor number as in Linux's devices.txt; streams are what a terminal would be.
    const fn numbers(self) -> (u64, u64) {
        match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Random => (1, 9),
            Self::Input | Self::Output(_) => (5, 0),
        }
    }

    const fn permissions(self) -> u32 {
        match self {
            Self::Null | Self::Zero | Self::Random => 0o666,
            Self::Input => 0o444,
            Self::Output(_) => 0o222,
        }
    }

    /// By permission bits, which are the same for all.
    fn allows(self, wanted: AccessMode) -> bool {
        let bits = self.permissions();
        !wanted.execute && (!wanted.read || bits & 0o4 != 0) && (!wanted.write || bits & 0o2 != 0)
    }

    const fn is_stream(self) -> bool {
        matches!(self, Self::Input | Self::Output(_))
    }
}

/// A `/dev` for one guest.
#[derive(Debug)]
pub struct Devices {
    device: u64,
    made: Time,
    streams: Option<Arc<dyn StandardStreams>>,
}

impl Devices {
    /// All devices, with these standard streams.
    pub fn new(streams: Arc<dyn StandardStreams>) -> Self {
        Self { streams: Some(streams), ..Self::without_streams() }
    }

    /// The devices without `stdin`, `stdout` and `stderr`, which then do not exist.
    pub fn without_streams() -> Self {
        let (seconds, _) = atoll_sys::clock::real_time();
        Self { device: next_device(), made: Time { seconds, nanoseconds: 0 }, streams: None }
    }

    fn all(&self) -> impl Iterator<Item = (u64, &'static str, Device)> {
        let numbered = Device::ALL.iter().zip(ROOT_INO + 1..);
        let with_streams = self.streams.is_some();
        numbered
            .filter(move |((_, device), _)| with_streams || !device.is_stream())
            .map(|((name, device), ino)| (ino, *name, *device))
    }

    /// The device that a path names; none for the directory.
    fn find(&self, path: LayerPath<'_>) -> Result<Option<(u64, Device)>, Errno> {
        let mut names = path.components();
        let Some(name) = names.next() else { return Ok(None) };
        if name.len() > MAX_NAME_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        let found = self.all().find(|(_, device, _)| device.as_bytes() == name);
        let (ino, _, device) = found.ok_or(Errno::ENOENT)?;
        if names.next().is_some() { Err(Errno::ENOTDIR) } else { Ok(Some((ino, device))) }
    }

    fn describe(&self, found: Option<(u64, Device)>) -> Metadata {
        let (ino, mode, rdev, nlink) = match found {
            None => (ROOT_INO, FileKind::Directory.mode_bits() | 0o755, 0, 2),
            Some((ino, device)) => {
                let (major, minor) = device.numbers();
                // The kernel's encoding of numbers below 256.
                (ino, FileKind::CharDevice.mode_bits() | device.permissions(), major << 8 | minor, 1)
            }
        };
        Metadata {
            dev: self.device,
            ino,
            mode,
            nlink,
            uid: 0,
            gid: 0,
            rdev,
            size: 0,
            block_size: BLOCK_BYTES,
            blocks: 0,
            accessed: self.made,
            modified: self.made,
            changed: self.made,
            born: self.made,
        }
    }
}

impl Layer for Devices {
    fn metadata(&self, path: LayerPath<'_>, _last: FinalLink) -> LayerResult<Metadata> {
        Ok(self.describe(self.find(path)?))
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        let found = match self.find(path) {
            Err(Errno::ENOENT) if options.create != NewFile::Never => return Err(Errno::EROFS.into()),
            found => found?,
        };
        if options.create == NewFile::Always {
            return Err(Errno::EEXIST.into());
        }
        let metadata = self.describe(found);
        let Some((_, device)) = found else {
            return if options.mutates() {
                Err(Errno::EISDIR.into())
            } else {
                Ok(Box::new(DeviceDirectory { metadata }))
            };
        };
        if options.directory {
            return Err(Errno::ENOTDIR.into());
        }
        let wanted = AccessMode { read: options.read, write: options.write || options.append, execute: false };
        if !device.allows(wanted) {
            return Err(Errno::EACCES.into());
        }
        // Emptying a device does nothing, as on Linux.
        Ok(Box::new(DeviceFile { device, metadata, wanted, streams: self.streams.clone() }))
    }

    /// The whole of an endless device is too long, whatever the limit.
    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        let file = self.open(path, &OpenOptions::READ)?;
        match self.find(path)? {
            None => Err(Errno::EISDIR.into()),
            Some((_, Device::Zero | Device::Random)) => Err(Errno::EFBIG.into()),
            Some(_) => Ok(file::to_the_end(&*file, limit)?),
        }
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        if self.find(path)?.is_some() {
            return Err(Errno::ENOTDIR.into());
        }
        let mut listing = Listing::default();
        self.all().for_each(|(_, name, _)| listing.push(name.as_bytes(), FileKind::CharDevice));
        Ok(listing)
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.find(path)?;
        Err(Errno::EINVAL.into())
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.find(path)?;
        Ok(path.as_bytes().to_vec())
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        match self.find(path)? {
            None if mode.write => Err(Errno::EROFS.into()),
            Some((_, device)) if !device.allows(mode) => Err(Errno::EACCES.into()),
            _ => Ok(()),
        }
    }

    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        self.find(path)?;
        let block_size = u64::from(BLOCK_BYTES);
        // The kernel's own `/dev` says that it is a tmpfs. There is no room for anything.
        Ok(Statistics { kind: TMPFS_MAGIC, block_size, ..Statistics::default() })
    }

    /// Nothing is ever told: names do not change, and nobody writes to what is kept.
    fn watch(&self, path: LayerPath<'_>, _sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        self.find(path)?;
        Ok(Box::new(Silent))
    }
}
