//! How much memory the process holds, and giving back what it doesn't need.

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

/// Gives the system all pages that lie within freed memory, in every arena of the allocator: `malloc_trim(3)`, which walks the
/// free chunks of each arena with that arena's lock held. Other C libraries than GNU's have no such call, and nothing happens.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "a call of the C library")]
        // SAFETY: it takes a number, and only the allocator's own free memory is touched.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}

/// Blocks of up to so many bytes come from the allocator's arenas, and so can be used again without the kernel.
const KEPT_BLOCK_BYTES: i32 = 8 << 20;
/// What is free at an arena's end is given back from so many bytes on.
const KEPT_BYTES: i32 = 32 << 20;

/// Has the allocator keep what is freed for what is allocated next, up to a bound for each arena: `mallopt(3)` with
/// `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`. By itself it gives back all but 128 KiB, later twice the largest block that it has
/// seen; a guest that reads a file of 1 MiB after another then takes 256 page faults for each, which cost four times what
/// reading does. [`give_back`] gives that back too. To be called before there are threads; other C libraries than GNU's have no
/// such call, and nothing happens.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    for (parameter, bytes) in [(libc::M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES), (libc::M_TRIM_THRESHOLD, KEPT_BYTES)] {
        #[expect(unsafe_code, reason = "a call of the C library")]
        // SAFETY: it takes two numbers, and changes when the allocator calls the kernel.
        let _ = unsafe { libc::mallopt(parameter, bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// The resident size is the process's: who looks at it is alone with the memory.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_lies_freed_below_what_is_used_is_given_back() {
        const BLOCKS: usize = 4096;
        const BLOCK_BYTES: usize = 16 << 10;
        let _alone = ALONE.lock().unwrap();
        let mut blocks: Vec<_> = (0..BLOCKS).map(|_| std::hint::black_box(vec![1_u8; BLOCK_BYTES])).collect();
        let last = blocks.pop();
        drop(blocks);
        let before = resident_bytes().unwrap();
        give_back();
        let after = resident_bytes().unwrap();
        assert!(after + (BLOCKS * BLOCK_BYTES / 2) as u64 <= before, "{before} → {after}");
        drop(last);
    }

    /// Page faults of this thread so far that needed no disk: the tenth number of its `stat`, the eighth after its name.
    #[expect(clippy::disallowed_methods, reason = "a test looks at its own process")]
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let after_name = stat.rsplit_once(") ").unwrap().1;
        after_name.split(' ').nth(7).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_was_freed_is_used_again_without_the_kernel() {
        const BLOCKS: usize = 16;
        const BLOCK_BYTES: usize = 1 << 20;
        let _alone = ALONE.lock().unwrap();
        keep_freed();
        let use_all = || {
            let blocks: Vec<_> = (0..BLOCKS).map(|_| std::hint::black_box(vec![1_u8; BLOCK_BYTES])).collect();
            drop(blocks);
        };
        use_all();
        let before = faults();
        use_all();
        let pages = (BLOCKS * BLOCK_BYTES / rustix::param::page_size()) as u64;
        assert!(faults() - before < pages / 10, "{} of {pages} pages were made again", faults() - before);
    }

    #[test]
    fn touching_memory_raises_the_resident_size() {
        const TOUCHED: usize = 32 << 20;
        let _alone = ALONE.lock().unwrap();
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![1_u8; TOUCHED]);
        let after = resident_bytes().unwrap();
        assert!(after > before + (TOUCHED as u64 / 2), "{before} → {after}");
        drop(block);
    }
}
