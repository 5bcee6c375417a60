//! Raw system calls, and nothing but them: every function here is one call (or the bounded retry of one), with the
//! kernel's own semantics and the kernel's own error.
//!
//! This is the only crate, beside the FFI items of `atoll-engine`, that may say `unsafe`. Policy (what a guest may
//! open, how a path is confined, which error it sees) lives above, in `atoll-vfs` and its siblings.
//!
//! * [`fs`]: descriptors, directory entries, confined opens.
//! * [`clock`]: wall clock and CPU time; [`CpuClock`] reads another thread's CPU time.
//! * [`descriptors`]: how many descriptors the process may have.
//! * [`inotify`]: being told of changes of files.
//! * [`memory`]: how much memory the process holds, and giving back what it doesn't need; [`cgroup`]: how much it may, and
//!   when it runs short.
//! * [`mounts`]: what is mounted where. [`locks`]: who holds a lock. [`overlay`]: where a file of an overlayfs lies.
//! * [`process`]: whose the process is. [`priority`]: who goes first. [`readiness`]: waiting for a descriptor.
//! * [`terminal`]: a terminal's mode. [`timer`]: a timer that is a descriptor. [`usage`]: what ended processes have used.
//!   [`threads`]: what threads are in.
//! * `count` (feature): system calls made by this thread, for tests.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "Atoll runs on Linux: its guest filesystem is confined by openat2 and its CPU limits read thread clocks"
);

pub mod cgroup;
pub mod clock;
#[cfg(feature = "count")]
pub mod count;
mod cpu;
pub mod descriptors;
pub mod fs;
pub mod inotify;
pub mod locks;
pub mod memory;
pub mod mounts;
pub mod overlay;
pub mod priority;
pub mod process;
pub mod readiness;
pub mod terminal;
pub mod threads;
pub mod timer;
pub mod usage;

pub use cpu::CpuClock;
/// A kernel error number.
pub use rustix::io::Errno;

/// Notes one system call for tests; nothing at all without the feature `count`.
macro_rules! counted {
    ($name:literal) => {
        #[cfg(feature = "count")]
        $crate::count::note($name);
    };
}
pub(crate) use counted;
