//! What the process's threads are in at the moment: system calls on files, and where (`proc_pid_syscall(5)`).
//!
//! For somebody who asks why nothing goes on. It costs nothing before it is asked for.

use crate::{Errno, counted};
use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::io::retry_on_intr;

/// The files of a thread that are read here are shorter.
const FILE_BYTES: usize = 512;

/// Calls that can be held up by a file system, whose first argument is a descriptor: of the file, or of a directory that
/// the file is named relative to.
const CALLS: &[(i64, &str)] = &[
    (libc::SYS_close, "close"),
    (libc::SYS_copy_file_range, "copy_file_range"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_pread64, "pread64"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_read, "read"),
    (libc::SYS_readlinkat, "readlinkat"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_sendfile, "sendfile"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
];

/// The same without a descriptor: what they are about is named by a path in memory, which is not read here.
#[cfg(target_arch = "x86_64")]
const CALLS_ON_PATHS: &[(i64, &str)] = &[
    (libc::SYS_link, "link"),
    (libc::SYS_lstat, "lstat"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_open, "open"),
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_stat, "stat"),
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_unlink, "unlink"),
];
#[cfg(not(target_arch = "x86_64"))]
const CALLS_ON_PATHS: &[(i64, &str)] = &[];

/// A thread of this process that is in a system call on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InCall {
    /// The thread's name, as far as the kernel keeps it: 15 bytes.
    pub thread: String,
    /// The call.
    pub call: &'static str,
    /// The file, or the directory that it is named relative to, where the call has a descriptor of one.
    pub path: Option<Vec<u8>>,
}

/// The threads that are in a call on a file, the calling one left out. Those that compute, sleep, or wait for a socket or
/// a pipe are not among them. Errors: what listing `/proc/self/task` gives.
pub fn in_file_calls() -> Result<Vec<InCall>, Errno> {
    let own = rustix::thread::gettid().as_raw_nonzero().get().to_string();
    counted!("openat");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut found = Vec::new();
    for entry in Dir::new(rustix::fs::open("/proc/self/task", flags, Mode::empty())?)? {
        let entry = entry?;
        let Ok(id) = entry.file_name().to_str() else { continue };
        if id.starts_with(|first: char| first.is_ascii_digit()) && id != own {
            // One that has ended meanwhile is in no call.
            found.extend(in_file_call(id));
        }
    }
    Ok(found)
}

fn in_file_call(id: &str) -> Option<InCall> {
    // `257 0xffffff9c 0x7f…`: number and arguments; `running` for a thread that computes.
    let state = read(&format!("/proc/self/task/{id}/syscall"))?;
    let mut fields = state.split_ascii_whitespace();
    let number: i64 = fields.next()?.parse().ok()?;
    let descriptor = fields.next()?.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok())?;
    let named = |calls: &[(i64, &'static str)]| calls.iter().find(|call| call.0 == number).map(|call| call.1);
    let thread = || Some(read(&format!("/proc/self/task/{id}/comm"))?.trim_end().to_owned());
    if let Some(call) = named(CALLS_ON_PATHS) {
        return Some(InCall { thread: thread()?, call, path: None });
    }
    let call = named(CALLS)?;
    counted!("readlinkat");
    // The kernel shows all of a register; a descriptor is its lower half. What is no descriptor, such as `AT_FDCWD`, has no link.
    let link = format!("/proc/self/fd/{}", descriptor as u32 as i32);
    let path = rustix::fs::readlinkat(CWD, link, Vec::new()).ok().map(std::ffi::CString::into_bytes);
    // Sockets, pipes and the like have names that are no paths.
    let is_file = path.as_ref().is_none_or(|path| path.starts_with(b"/"));
    is_file.then_some(InCall { thread: thread()?, call, path })
}

fn read(path: &str) -> Option<String> {
    counted!("openat");
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = vec![0; FILE_BYTES];
    counted!("read");
    let length = retry_on_intr(|| rustix::io::read(&file, &mut bytes)).ok()?;
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_that_a_file_holds_up_is_found() {
        let held = tempfile::NamedTempFile::new().unwrap();
        let wanted = held.reopen().unwrap();
        let held = held.as_file();
        held.lock().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
            named("wants-lock").spawn_scoped(scope, || wanted.lock().unwrap()).unwrap();
            named("reads-pipe").spawn_scoped(scope, || reader.read_to_end(&mut Vec::new()).unwrap()).unwrap();
            let expected = InCall {
                thread: "wants-lock".to_owned(),
                call: "flock",
                path: Some(crate::mounts::path_of(held.as_fd()).unwrap()),
            };
            let started = Instant::now();
            let found = loop {
                let found = in_file_calls().unwrap();
                if found.contains(&expected) || started.elapsed() > Duration::from_secs(10) {
                    break found;
                }
                std::thread::yield_now();
            };
            held.unlock().unwrap();
            drop(writer);
            assert!(found.contains(&expected), "{found:?}");
            assert!(!found.iter().any(|call| call.thread == "reads-pipe"), "a pipe is no file: {found:?}");
        });
    }
}
