//! How much memory the process may have, and word from the kernel when it runs short.
//!
//! The limit is the lowest of the control groups that the process is in, of either version (the kernel's
//! `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/memory.rst`), and of the machine's memory. Shortage is told by
//! pressure stall information (`Documentation/accounting/psi.rst`): one waits for it, nothing is polled by timer.

use crate::{Errno, counted};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::sync::atomic::{AtomicU64, Ordering};

/// The files read here are shorter; what comes after is not needed.
const FILE_BYTES: usize = 16 << 10;

/// The deepest group that is looked at; containers nest some ten deep.
const MAX_DEPTH: usize = 64;

/// Where the memory controllers are mounted: version 2, and version 1's memory controller.
const MOUNTS: [(&str, &str); 2] =
    [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];

fn open(path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    counted!("openat");
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

fn read(path: &str) -> Result<String, Errno> {
    let file = open(path, OFlags::RDONLY)?;
    let mut bytes = vec![0; FILE_BYTES];
    counted!("read");
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut bytes))?;
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(|_| Errno::INVAL)
}

/// The group of the process in a version's hierarchy, from `/proc/self/cgroup`: `0::/path`, or `4:memory:/path`.
fn group(groups: &str, is_version_2: bool) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let is_wanted = if is_version_2 {
            number == "0" && controllers.is_empty()
        } else {
            controllers.split(',').any(|name| name == "memory")
        };
        is_wanted.then_some(path)
    })
}

/// A group's directory and those above it, from the innermost to the hierarchy's root.
fn ancestors(mount: &str, group: &str) -> Vec<String> {
    let mut group = group.trim_end_matches('/');
    let mut directories = Vec::new();
    while directories.len() < MAX_DEPTH {
        directories.push(format!("{mount}{group}"));
        let Some(slash) = group.rfind('/') else { break };
        group = &group[..slash];
    }
    directories
}

/// Bytes of memory that this process may have: the machine's, or what its control groups leave of it.
///
/// Errors: the kernel's, where `/proc` is not mounted; `EINVAL` when its text is not understood.
pub fn memory_limit_bytes() -> Result<u64, Errno> {
    let total = read("/proc/meminfo")?;
    let total =
        total.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let mut limit = total.ok_or(Errno::INVAL)?.saturating_mul(1024);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    for (version, (mount, file)) in MOUNTS.into_iter().enumerate() {
        let Some(group) = group(&groups, version == 0) else { continue };
        for directory in ancestors(mount, group) {
            // `max` is no number, and no limit; a missing file is a group without the controller.
            let bytes = read(&format!("{directory}/{file}")).ok().and_then(|text| text.trim().parse::<u64>().ok());
            limit = limit.min(bytes.unwrap_or(u64::MAX));
        }
    }
    Ok(limit)
}

/// The machine's pressure.
const MACHINE: &str = "/proc/pressure/memory";

/// How much of the time tasks stall for want of memory before it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// Some task stalls for 5 % of the time.
    Some,
    /// All tasks stall for 5 % of the time.
    Full,
}

/// How long tasks stall within a window before it is told, microseconds.
const STALL_US: u64 = 100_000;

impl Stall {
    fn name(self) -> &'static str {
        match self {
            Self::Some => "some",
            Self::Full => "full",
        }
    }

    /// What a trigger says: the kind, the stall, and the window, 2 s, the only one that processes without privileges may ask for.
    fn trigger(self) -> String {
        format!("{} {STALL_US} 2000000\0", self.name())
    }

    /// How long tasks have stalled in all, microseconds: `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`.
    fn total_us(self, text: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(self.name()))?;
        line.split_ascii_whitespace().find_map(|field| field.strip_prefix("total=")?.parse().ok())
    }
}

/// The kernel's word on memory pressure of one kind.
///
/// The kernel also speaks once without a reason: its first comparison is with a sum that may be from before the trigger was
/// set. So its word is believed only with as much stall as was asked for since the last.
#[derive(Debug)]
pub struct PressureTrigger {
    file: OwnedFd,
    path: String,
    stall: Stall,
    /// What it was at the last word that was believed.
    total_us: AtomicU64,
}

impl PressureTrigger {
    /// A trigger for the process's control group, or else the whole machine.
    ///
    /// Errors: the kernel has no pressure information, or doesn't let this process ask for it.
    pub fn new(stall: Stall) -> Result<Self, Errno> {
        let groups = read("/proc/self/cgroup").unwrap_or_default();
        let own =
            group(&groups, true).map(|group| format!("/sys/fs/cgroup{}/memory.pressure", group.trim_end_matches('/')));
        let flags = OFlags::RDWR | OFlags::NONBLOCK;
        let own = own.and_then(|path| Some((open(&path, flags).ok()?, path)));
        let (file, path) = match own {
            Some(own) => own,
            None => (open(MACHINE, flags)?, MACHINE.to_owned()),
        };
        let total_us = stall.total_us(&read(&path)?).ok_or(Errno::INVAL)?;
        counted!("write");
        rustix::io::write(&file, stall.trigger().as_bytes())?;
        Ok(Self { file, path, stall, total_us: total_us.into() })
    }

    /// Waits until memory is short; at most once in two seconds. Errors: the group is gone.
    pub fn wait(&self) -> Result<(), Errno> {
        loop {
            let mut watched = [PollFd::new(&self.file, PollFlags::PRI)];
            counted!("poll");
            rustix::io::retry_on_intr(|| poll(&mut watched, None))?;
            if watched[0].revents().contains(PollFlags::ERR) {
                return Err(Errno::NODEV);
            }
            let total_us = self.stall.total_us(&read(&self.path)?).ok_or(Errno::INVAL)?;
            if total_us.saturating_sub(self.total_us.load(Ordering::Relaxed)) >= STALL_US {
                self.total_us.store(total_us, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found() {
        let groups = "4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/d\n";
        assert_eq!(group(groups, false), Some("/a/b"));
        assert_eq!(group(groups, true), Some("/d"));
        assert_eq!(group("1:cpu:/c\n", true), None);
        assert_eq!(ancestors("/m", "/a/b"), ["/m/a/b", "/m/a", "/m"]);
        assert_eq!(ancestors("/m", "/"), ["/m"]);
    }

    #[test]
    fn the_sum_of_stalls_is_read() {
        let text = "some avg10=0.00 avg60=0.02 avg300=0.09 total=827894\nfull avg10=0.00 avg60=0.00 avg300=0.07 total=675881\n";
        assert_eq!(Stall::Some.total_us(text), Some(827_894));
        assert_eq!(Stall::Full.total_us(text), Some(675_881));
        assert_eq!(Stall::Full.total_us("some avg10=0.00 total=1"), None);
        assert_eq!(Stall::Some.trigger(), "some 100000 2000000\0");
    }

    #[test]
    fn a_process_may_have_some_memory_and_no_more_than_the_machine() {
        let limit = memory_limit_bytes().expect("/proc is mounted");
        assert!((1 << 26..1 << 50).contains(&limit), "{limit}");
    }
}
