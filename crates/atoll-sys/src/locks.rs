//! Who holds an advisory lock (`proc_locks(5)`).

use crate::counted;
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, fstat, major, minor};
use rustix::io::retry_on_intr;

/// The kernel's list is read up to this length: some ten thousand locks.
const MAX_LIST_BYTES: usize = 1 << 20;

/// The process that has a whole-file lock (`flock(2)`) on this file. `None` when nobody has, when the holder is in a place
/// that this process does not see, and where the kernel does not tell: without `/proc`, and on file systems such as btrfs whose
/// files have other device numbers than their locks.
pub fn flock_holder(file: impl AsFd) -> Option<u32> {
    counted!("fstat");
    let stat = fstat(file).ok()?;
    let wanted = format!("{:02x}:{:02x}:{}", major(stat.st_dev), minor(stat.st_dev), stat.st_ino);
    counted!("openat");
    let list = rustix::fs::open("/proc/locks", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    while text.len() < MAX_LIST_BYTES {
        text.reserve(16 << 10);
        counted!("read");
        if retry_on_intr(|| rustix::io::read(&list, rustix::buffer::spare_capacity(&mut text))).ok()? == 0 {
            break;
        }
    }
    holder(str::from_utf8(&text).ok()?, &wanted)
}

/// A line: number, kind, `ADVISORY`, `READ` or `WRITE`, process, device and inode, range. Those who wait have `->` behind the
/// number.
fn holder(list: &str, wanted: &str) -> Option<u32> {
    list.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (kind, process) = (fields.next()?, fields.by_ref().nth(2)?);
        let is_it = kind == "FLOCK" && fields.next()? == wanted;
        // Zero stands for a process of another namespace.
        process.parse().ok().filter(|process| is_it && *process > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(flock_holder(&file), None);
        file.lock().unwrap();
        assert_eq!(flock_holder(&file), Some(std::process::id()));
        file.unlock().unwrap();
        assert_eq!(flock_holder(&file), None);
    }

    #[test]
    fn other_lines_are_none() {
        let list = "1: POSIX  ADVISORY  WRITE 10 08:01:5 0 EOF\n2: FLOCK  ADVISORY  WRITE 11 08:01:6 0 EOF\n\
                    3: FLOCK  ADVISORY  WRITE 12 08:01:5 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 13 08:01:5 0 EOF\n\
                    4: FLOCK  ADVISORY  READ  0 08:01:7 0 EOF\nnonsense\n";
        assert_eq!(holder(list, "08:01:5"), Some(12));
        assert_eq!(holder(list, "08:01:7"), None);
        assert_eq!(holder(list, "08:01:8"), None);
    }
}
