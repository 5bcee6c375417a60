//! Descriptors 0, 1 and 2. What is written to 1 and 2 goes where `process.stdout` and `process.stderr` write, in the order of
//! the calls. All else is done with the guest's `/dev/stdin`, `/dev/stdout` and `/dev/stderr`; where a guest has no such
//! streams, as one that is served, with its `/dev/null`, as a daemon's are.

use super::FsState;
use crate::process::{OutputStream, Writer, writer};
use atoll_engine::Call;
use atoll_vfs::{Errno, GuestPath, MountTable, OpenFile, OpenOptions, PathError};
use std::sync::Arc;

/// The first number for another file.
pub(super) const COUNT: usize = 3;

const DEVICES: [(&str, bool); COUNT] = [("/dev/stdin", false), ("/dev/stdout", true), ("/dev/stderr", true)];

/// One of the three.
#[derive(Debug, Default)]
pub(super) enum Standard {
    /// Nobody has asked for it.
    #[default]
    Untouched,
    Open(Arc<OpenFile>),
    Closed,
}

fn open(mounts: &MountTable, index: usize) -> Result<Arc<OpenFile>, Errno> {
    let (device, writes) = DEVICES[index];
    let options = OpenOptions { read: !writes, write: writes, ..OpenOptions::READ };
    let open = |path: &str| {
        let path = GuestPath::new(path).map_err(PathError::errno)?;
        mounts.open(&path, &options).map_err(|error| error.errno)
    };
    open(device).or_else(|_| open("/dev/null")).map(Arc::new).map_err(|_| Errno::EBADF)
}

impl FsState {
    /// The open file of a standard stream.
    pub(super) fn standard(&mut self, index: usize) -> Result<Arc<OpenFile>, Errno> {
        if matches!(self.standard[index], Standard::Untouched) {
            self.standard[index] = Standard::Open(open(&self.mounts, index)?);
        }
        match &self.standard[index] {
            Standard::Open(file) => Ok(Arc::clone(file)),
            Standard::Untouched | Standard::Closed => Err(Errno::EBADF),
        }
    }

    /// Closes one for good: its number is not used again.
    pub(super) fn close_standard(&mut self, index: usize) -> Result<Arc<OpenFile>, Errno> {
        let file = self.standard(index)?;
        self.standard[index] = Standard::Closed;
        Ok(file)
    }
}

/// Whether a descriptor is the output's.
pub(super) fn is_output(descriptor: u32) -> bool {
    matches!(descriptor, 1 | 2)
}

/// Where `length` bytes go that are written to a descriptor, if it is the output's.
pub(super) fn output(call: &mut Call<'_, '_, '_>, descriptor: u32, length: usize) -> Option<Writer> {
    let stream = match descriptor {
        1 => OutputStream::Stdout,
        2 => OutputStream::Stderr,
        _ => return None,
    };
    if matches!(call.state::<FsState>().standard[descriptor as usize], Standard::Closed) {
        return None;
    }
    Some(writer(call, stream, length))
}
