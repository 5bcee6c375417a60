//! An open device.

use super::{Device, StandardStreams};
use crate::Errno;
use crate::layer::{AccessMode, File, Metadata};
use std::sync::Arc;

/// How much is read of a stream at a time when all of it is wanted.
const READ_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct DeviceFile {
    pub(super) device: Device,
    pub(super) metadata: Metadata,
    /// How it was opened.
    pub(super) wanted: AccessMode,
    pub(super) streams: Option<Arc<dyn StandardStreams>>,
}

impl File for DeviceFile {
    fn read_at(&self, buffer: &mut [u8], _offset: u64) -> Result<usize, Errno> {
        if !self.wanted.read && self.wanted.write {
            return Err(Errno::EBADF);
        }
        match self.device {
            Device::Null => Ok(0),
            Device::Zero => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            Device::Random => match getrandom::fill(buffer) {
                Ok(()) => Ok(buffer.len()),
                Err(_) => Err(Errno::EIO),
            },
            Device::Input => self.streams.as_ref().map_or(Ok(0), |streams| streams.read(buffer)),
            Device::Output(_) => Err(Errno::EBADF),
        }
    }

    fn write_at(&self, data: &[u8], _offset: u64) -> Result<usize, Errno> {
        if !self.wanted.write {
            return Err(Errno::EBADF);
        }
        match (self.device, &self.streams) {
            (Device::Input, _) => Err(Errno::EBADF),
            (Device::Output(stream), Some(streams)) => streams.write(stream, data),
            _ => Ok(data.len()),
        }
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.metadata)
    }

    /// The kernel has nothing to store of its devices either, and says so.
    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

/// The directory of devices.
#[derive(Debug)]
pub(super) struct DeviceDirectory {
    pub(super) metadata: Metadata,
}

impl File for DeviceDirectory {
    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EISDIR)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.metadata)
    }
}

/// All that comes; `EFBIG` when it is more than `limit` bytes.
pub(super) fn to_the_end(file: &dyn File, limit: u64) -> Result<Vec<u8>, Errno> {
    let mut content = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read_at(&mut buffer, 0)? {
            0 => return Ok(content),
            count if content.len() as u64 + count as u64 > limit => return Err(Errno::EFBIG),
            count => {
                content.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
                content.extend_from_slice(&buffer[..count]);
            }
        }
    }
}
