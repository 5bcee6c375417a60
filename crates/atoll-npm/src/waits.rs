//! What an installation waits for at the moment, for somebody who asks why nothing goes on.
//!
//! Whatever may take long enough to be asked about is noted before it is begun, and crossed off when it is over, however that
//! comes about. A note is one lock that nobody holds for long, and is made for requests, packages that are unpacked, scripts
//! and stages; not for files. What threads are in is found out only when somebody asks.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The waits of one installation; clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<Vec<Arc<Wait>>>>);

/// Something that is waited for.
#[derive(Debug)]
pub struct Wait {
    what: What,
    unit: Unit,
    since: Instant,
    done: AtomicU64,
    /// 0 for as long as it is not known.
    total: AtomicU64,
}

/// What is waited for.
#[derive(Clone)]
pub(crate) enum What {
    /// In words.
    Text(Cow<'static, str>),
    /// What is done, and with what: there is no text of it until somebody asks.
    Doing(&'static str, Arc<dyn fmt::Display + Send + Sync>),
}

impl From<&'static str> for What {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for What {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Doing(doing, what) => write!(formatter, "{doing} {what}"),
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// What a wait's progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// It is over, or it is not.
    None,
    /// Bytes from the network.
    Bytes,
    /// Packages.
    Packages,
}

impl Waits {
    /// Something is waited for until the result is dropped. `what` says what, as in "unpacking a@1.0.0".
    #[must_use]
    pub(crate) fn begin(&self, what: impl Into<What>, unit: Unit) -> Waiting {
        let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
        let wait = Arc::new(Wait { what: what.into(), unit, since: Instant::now(), done, total });
        self.list().push(Arc::clone(&wait));
        Waiting { waits: self.clone(), wait }
    }

    /// What is waited for now, the longest first.
    pub fn now(&self) -> Vec<Arc<Wait>> {
        let mut waits = self.list().clone();
        waits.sort_by_key(|wait| wait.since);
        waits
    }

    /// What is waited for now, and which threads are in a call on a file: a line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.now().iter().map(ToString::to_string).collect();
        // Where the kernel does not tell, the rest is told.
        for call in atoll_sys::threads::in_file_calls().unwrap_or_default() {
            let mut line = format!("thread {} is in {}", call.thread, call.call);
            if let Some(path) = call.path {
                // Writing to a string cannot fail.
                let _ = write!(line, ": {}", String::from_utf8_lossy(&path));
            }
            lines.push(line);
        }
        if lines.is_empty() {
            lines.push("waiting for nothing: computing".to_owned());
        }
        lines
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Wait>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// For how long.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:.1} s", self.what, self.elapsed().as_secs_f64())?;
        let progress = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        match (self.unit, progress) {
            (Unit::None, _) => Ok(()),
            (Unit::Bytes, (done, 0)) => write!(formatter, ", {}", Bytes(done)),
            (Unit::Bytes, (done, total)) => write!(formatter, ", {} of {}", Bytes(done), Bytes(total)),
            (Unit::Packages, (done, total)) => write!(formatter, ", {done} of {total} packages"),
        }
    }
}

/// A wait that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    waits: Waits,
    wait: Arc<Wait>,
}

impl Waiting {
    /// How much there will be.
    pub(crate) fn expect(&self, total: u64) {
        self.wait.total.store(total, Ordering::Relaxed);
    }

    /// So much has come about.
    pub(crate) fn reach(&self, done: u64) {
        self.wait.done.store(done, Ordering::Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut list = self.waits.list();
        if let Some(at) = list.iter().position(|wait| Arc::ptr_eq(wait, &self.wait)) {
            list.swap_remove(at);
        }
    }
}

/// A number of bytes as people read it: powers of a thousand, as networks count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            count @ ..1000 => write!(formatter, "{count} B"),
            count @ ..999_500 => write!(formatter, "{:.0} kB", count as f64 / 1e3),
            count => write!(formatter, "{:.1} MB", count as f64 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_not_told() {
        let waits = Waits::default();
        let described = || waits.now().iter().map(|wait| wait.what.to_string()).collect::<Vec<_>>();
        let one = waits.begin("one", Unit::None);
        let two = waits.begin("two", Unit::None);
        let three = waits.clone().begin("three", Unit::None);
        assert_eq!(described(), ["one", "two", "three"]);
        drop(one);
        assert_eq!(described(), ["two", "three"]);
        drop((three, two));
        assert_eq!(described(), [""; 0]);
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        let waits = Waits::default();
        let line = || waits.now()[0].to_string();
        let waiting = waits.begin("downloading x", Unit::Bytes);
        assert_eq!(line(), "downloading x: 0.0 s, 0 B");
        waiting.reach(45_200);
        assert_eq!(line(), "downloading x: 0.0 s, 45 kB");
        waiting.expect(1_230_000);
        assert_eq!(line(), "downloading x: 0.0 s, 45 kB of 1.2 MB");
        drop(waiting);
        let waiting = waits.begin("linking 9 files", Unit::Packages);
        waiting.expect(3);
        waiting.reach(2);
        assert_eq!(line(), "linking 9 files: 0.0 s, 2 of 3 packages");
        drop(waiting);
        let _waiting = waits.begin("a script", Unit::None);
        assert_eq!(line(), "a script: 0.0 s");
    }
}
