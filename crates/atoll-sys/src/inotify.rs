//! inotify(7): being told of changes of files and directories.

use crate::{Errno, counted};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

pub use rustix::fs::inotify::ReadFlags as EventFlags;

/// What is told of: what a program may do about names and contents, and no reading.
const WATCHED: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);

/// Room for the events of one read: some two thousand with names of common length.
const BUFFER_BYTES: usize = 64 * 1024;

/// `inotify_init1(2)`: a queue of events, closed on exec. Reading it waits.
pub fn new() -> Result<OwnedFd, Errno> {
    counted!("inotify_init1");
    inotify::init(CreateFlags::CLOEXEC)
}

/// `inotify_add_watch(2)` for the very object that a descriptor is for, which may be one of `O_PATH`: no name is looked up,
/// but that of the descriptor in `/proc/self/fd`. `ENOENT` says that there is no `/proc`.
pub fn add_watch(queue: impl AsFd, object: impl AsFd) -> Result<i32, Errno> {
    counted!("inotify_add_watch");
    let link = format!("/proc/self/fd/{}", object.as_fd().as_raw_fd());
    inotify::add_watch(queue, link, WATCHED)
}

/// `inotify_rm_watch(2)`; `EINVAL` where the kernel has ended the watch by itself.
pub fn remove_watch(queue: impl AsFd, watch: i32) -> Result<(), Errno> {
    counted!("inotify_rm_watch");
    inotify::remove_watch(queue, watch)
}

/// Reads events for as long as there is a queue: `each` gets the watch's number, what has happened, and the name in the watched
/// directory, if it happened to one. Returns when reading fails.
pub fn read_events(queue: impl AsFd, mut each: impl FnMut(i32, EventFlags, Option<&[u8]>)) -> Errno {
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
    let mut reader = Reader::new(queue, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => each(event.wd(), event.events(), event.file_name().map(std::ffi::CStr::to_bytes)),
            Err(Errno::INTR) => {}
            Err(errno) => return errno,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Mode, OFlags, make_dir_at, open_at, open_root, rename_at};

    #[test]
    fn a_watch_is_on_the_object_behind_the_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let root = open_root(directory.path()).unwrap();
        make_dir_at(&root, b"watched", Mode::from_raw_mode(0o755)).unwrap();
        let object = open_at(&root, b"watched", OFlags::PATH, Mode::empty()).unwrap();
        rename_at(&root, b"watched", &root, b"moved").unwrap();
        let queue = new().unwrap();
        let watch = add_watch(&queue, &object).unwrap();
        drop(object);
        let moved = open_at(&root, b"moved", OFlags::PATH, Mode::empty()).unwrap();
        make_dir_at(&moved, b"new", Mode::from_raw_mode(0o755)).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            read_events(&queue, |watch, events, name| {
                // The receiver may be gone: the test is over then.
                let _ = sender.send((watch, events, name.map(<[u8]>::to_vec)));
            })
        });
        assert_eq!(receiver.recv().unwrap(), (watch, EventFlags::CREATE | EventFlags::ISDIR, Some(b"new".to_vec())));
    }

    #[test]
    fn a_watch_that_is_no_more_cannot_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        let queue = new().unwrap();
        let watch = add_watch(&queue, open_root(directory.path()).unwrap()).unwrap();
        remove_watch(&queue, watch).unwrap();
        assert_eq!(remove_watch(&queue, watch), Err(Errno::INVAL));
    }
}
