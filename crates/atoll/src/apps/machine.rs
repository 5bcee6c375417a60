//! Files of the virtual machine that a guest sees around it, made up like its `/dev`: what programs for Linux look for.

use crate::terminal::Failure;
use atoll_node::OsState;
use atoll_runtime::EXEC_PATH;
use atoll_vfs::{Access, FsError, GuestPath, Layer, Memory, MountError, MountTable, Quota};
use std::sync::Arc;

/// The directory of `process.execPath`.
pub(super) const BINARIES: &str = "/usr/bin";

/// What these files need: some short texts.
const QUOTA: Quota = Quota { bytes: 4096, inodes: 16 };

const EXECUTABLE: u32 = 0o755;

/// A `/proc` with what `node:os` says of the kernel, and nothing of the host's.
pub(super) fn kernel() -> Result<Arc<dyn Layer>, Failure> {
    let OsState { hostname, release, .. } = OsState::default();
    made(|tree| {
        tree.create_dir(&at("/sys")?, EXECUTABLE)?;
        tree.create_dir(&at("/sys/kernel")?, EXECUTABLE)?;
        tree.write(&at("/sys/kernel/hostname")?, format!("{hostname}\n").as_bytes())?;
        tree.write(&at("/sys/kernel/osrelease")?, format!("{release}\n").as_bytes())?;
        tree.write(&at("/sys/kernel/ostype")?, b"Linux\n")
    })
}

/// The file that `process.execPath` names. A guest starts no processes, but finds it.
pub(super) fn binaries() -> Result<Arc<dyn Layer>, Failure> {
    made(|tree| {
        let name = at(EXEC_PATH.trim_start_matches(BINARIES))?;
        tree.write(&name, b"Programs run in atoll, and start no processes.\n")?;
        tree.set_permissions(&name, EXECUTABLE)
    })
}

fn at(path: &str) -> Result<GuestPath, FsError> {
    GuestPath::new(path).map_err(|error| FsError::new(error.errno(), "open").with_path(path))
}

/// A layer with what `fill` makes in it.
fn made(fill: impl FnOnce(&MountTable) -> Result<(), FsError>) -> Result<Arc<dyn Layer>, Failure> {
    let layer: Arc<dyn Layer> = Arc::new(Memory::new(QUOTA));
    let table = MountTable::builder().mount_shared("/", Arc::clone(&layer), Access::ReadWrite);
    let table = table
        .and_then(atoll_vfs::MountTableBuilder::build)
        .map_err(|error: MountError| Failure::new(error.to_string()))?;
    fill(&table).map_err(|error| Failure::new(error.to_string()))?;
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_fits_and_says_what_it_should() {
        let table = MountTable::builder()
            .mount_shared("/proc", kernel().ok().unwrap(), Access::ReadOnly)
            .and_then(|table| table.mount_shared(BINARIES, binaries().ok().unwrap(), Access::ReadOnly))
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        assert_eq!(table.read(&at("/proc/sys/kernel/hostname").unwrap(), 100).unwrap(), b"atoll\n");
        assert_eq!(table.metadata(&at(EXEC_PATH).unwrap()).unwrap().mode & 0o777, EXECUTABLE);
    }
}
