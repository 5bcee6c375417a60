//! Where a file of an overlayfs lies.

use crate::{Errno, counted};
use rustix::fd::{AsFd, AsRawFd};

/// The type of an overlayfs, as [`Filesystem::kind`](crate::fs::Filesystem::kind) has it.
pub const KIND: u64 = 0x794c_7630;

/// Asks for a handle that identifies a file and need not open it again: overlayfs makes those without being mounted for
/// export, since Linux 6.6.
const AT_HANDLE_FID: libc::c_int = 0x200;
/// Most bytes that the kernel makes a handle of (`MAX_HANDLE_SZ`).
const HANDLE_BYTES: usize = 128;
/// The type of overlayfs's handles, and the second byte of what follows the padding in them.
const OVERLAY_TYPE: libc::c_int = 0xf8;
const OVERLAY_MAGIC: u8 = 0xfb;
/// The flag of files that lie in the upper layer and came from no other.
const IN_UPPER: u8 = 1 << 2;

#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    content: [u8; HANDLE_BYTES],
}

/// Whether a file, or a directory (`O_PATH` descriptors included), lies in the upper layer of an overlayfs, the one that is
/// written to, and has never been in a lower one. `None` when it is on no overlayfs.
///
/// Errors: `EOPNOTSUPP` or `EINVAL` where the kernel does not tell, as before Linux 6.6.
#[expect(unsafe_code, reason = "a system call that rustix does not offer")]
pub fn is_in_upper(file: impl AsFd) -> Result<Option<bool>, Errno> {
    let mut found = Handle { bytes: HANDLE_BYTES as libc::c_uint, kind: 0, content: [0; HANDLE_BYTES] };
    let mut mount: libc::c_int = 0;
    counted!("name_to_handle_at");
    // SAFETY: the path is a C string, `found` is laid out as `struct file_handle` with room for as many bytes as it says, and
    // `mount` is an int; all of them live until the call returns, and the kernel keeps none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            &raw mut found,
            &raw mut mount,
            libc::AT_EMPTY_PATH | AT_HANDLE_FID,
        )
    };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    // Three bytes of padding, then: version, magic, length, flags.
    let is_overlay = found.kind == OVERLAY_TYPE && found.content[4] == OVERLAY_MAGIC;
    Ok(is_overlay.then_some(found.content[6] & IN_UPPER != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_file_systems_are_no_overlayfs() {
        let file = tempfile::tempfile().unwrap();
        if crate::fs::filesystem(&file).unwrap().kind != KIND {
            assert!(matches!(is_in_upper(&file), Ok(None) | Err(Errno::OPNOTSUPP | Errno::INVAL)));
        }
    }
}
