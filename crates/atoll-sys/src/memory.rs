//! How much memory the process holds.

use crate::{Errno, counted};
use rustix::fs::{Mode, OFlags};

/// `/proc/self/statm` is seven decimal numbers; 256 bytes hold them at any size.
const STATM_BYTES: usize = 256;

/// Resident set size of this process, in bytes.
///
/// Errors: the kernel's, where `/proc` is not mounted; `EINVAL` when its text is not understood.
pub fn resident_bytes() -> Result<u64, Errno> {
    counted!("openat");
    let file = rustix::fs::open("/proc/self/statm", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    counted!("read");
    let mut text = [0_u8; STATM_BYTES];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut text))?;
    let resident = text[..length].split(|byte| *byte == b' ').nth(1).ok_or(Errno::INVAL)?;
    let pages: u64 = std::str::from_utf8(resident).ok().and_then(|text| text.parse().ok()).ok_or(Errno::INVAL)?;
    Ok(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_memory_raises_the_resident_size() {
        const TOUCHED: usize = 32 << 20;
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![1_u8; TOUCHED]);
        let after = resident_bytes().unwrap();
        assert!(after > before + (TOUCHED as u64 / 2), "{before} → {after}");
        drop(block);
    }
}
