//! What unit tests of this folder share: a tree in memory, `/tmp` to write in and `/app` to read.

use atoll_vfs::{Access, Errno, FsError, GuestPath, Memory, MountTable, Quota};

pub(super) fn tree() -> MountTable {
    MountTable::builder()
        .mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite)
        .and_then(|table| table.mount("/app", Memory::new(Quota::DEFAULT), Access::ReadOnly))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap()
}

pub(super) fn at(path: &str) -> GuestPath {
    GuestPath::new(path).unwrap()
}

pub(super) fn errno<T: std::fmt::Debug>(result: Result<T, FsError>) -> Errno {
    result.unwrap_err().errno
}
