//! What a request has used of what it may.
//!
//! The account lies in the request's exchange and goes with it. JavaScript that runs on behalf of no request under way (the
//! app's start, what outlives its request) has an account of the worker's, which begins anew with each request: a worker
//! that is in use is never without means, and one that is left alone can't go on for ever.

use atoll_engine::JsError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

/// What one request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Outgoing requests.
    pub subrequests: u32,
    /// Outgoing requests at a time; further ones wait in line.
    pub concurrent_subrequests: u32,
    /// Bodies open at a time.
    pub open_streams: u32,
    /// Output to console and standard streams, bytes.
    pub log_bytes: usize,
    /// The response's header fields, bytes of names and values.
    pub response_header_bytes: usize,
    /// The response's body, bytes.
    pub response_body_bytes: u64,
}

impl RequestLimits {
    /// No limits but that of the line, which keeps a worker from opening more connections than peers like to see.
    pub const UNLIMITED: Self = Self {
        subrequests: u32::MAX,
        concurrent_subrequests: 64,
        open_streams: u32::MAX,
        log_bytes: usize::MAX,
        response_header_bytes: usize::MAX,
        response_body_bytes: u64::MAX,
    };
}

/// What becomes of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// It is written.
    Whole,
    /// It would exceed the limit, and is the first to do so: this many bytes are what may be written; a line says that.
    Last {
        /// The limit.
        limit_bytes: usize,
    },
    /// The limit was reached before.
    Dropped,
}

/// How a request's use stands.
#[derive(Debug, Default)]
pub(super) struct Account {
    subrequests: u32,
    share: Option<Share>,
    logged_bytes: usize,
    is_log_full: bool,
    response_bytes: u64,
}

/// The part of an account that outgoing requests hold while they are under way.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    slots: Arc<Semaphore>,
    slots_max: usize,
    streams: Arc<AtomicU32>,
    streams_max: u32,
}

/// A body that is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<AtomicU32>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        let slots_max = limits.concurrent_subrequests as usize;
        let slots = Arc::new(Semaphore::new(slots_max.min(Semaphore::MAX_PERMITS)));
        Self { slots, slots_max, streams: Arc::default(), streams_max: limits.open_streams }
    }

    /// Places of requests that are under way, and how many there are in all.
    pub(crate) fn slots(&self) -> (&Arc<Semaphore>, usize) {
        (&self.slots, self.slots_max)
    }

    /// Whether both are of the same account.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slots, &other.slots)
    }

    /// Opens a body, if one more may be open.
    pub(crate) fn open_stream(&self) -> Result<OpenStream, JsError> {
        // Turns of a worker and its operations run on one thread; the atomic is there because futures are `Send`.
        if self.streams.load(Ordering::Relaxed) >= self.streams_max {
            return Err(reached("open-streams", u64::from(self.streams_max)));
        }
        self.streams.fetch_add(1, Ordering::Relaxed);
        Ok(OpenStream(Arc::clone(&self.streams)))
    }
}

impl Account {
    /// Begins anew. What is under way stays counted.
    pub(super) fn refill(&mut self) {
        *self = Self { share: self.share.take(), ..Self::default() };
    }

    /// One more outgoing request.
    pub(super) fn subrequest(&mut self, limits: &RequestLimits) -> Result<Share, JsError> {
        if self.subrequests >= limits.subrequests {
            return Err(reached("subrequests", u64::from(limits.subrequests)));
        }
        self.subrequests += 1;
        Ok(self.share(limits))
    }

    pub(super) fn share(&mut self, limits: &RequestLimits) -> Share {
        self.share.get_or_insert_with(|| Share::new(limits)).clone()
    }

    /// Output of this many bytes.
    pub(super) fn log(&mut self, bytes: usize, limits: &RequestLimits) -> Logged {
        let limit_bytes = limits.log_bytes;
        if self.is_log_full {
            return Logged::Dropped;
        }
        if bytes > limit_bytes - self.logged_bytes {
            self.is_log_full = true;
            return Logged::Last { limit_bytes };
        }
        self.logged_bytes += bytes;
        Logged::Whole
    }

    /// This many bytes more of the response's body.
    pub(super) fn respond(&mut self, bytes: usize, limits: &RequestLimits) -> Result<(), JsError> {
        self.response_bytes = self.response_bytes.saturating_add(bytes as u64);
        if self.response_bytes > limits.response_body_bytes {
            return Err(reached("response-body-mib", limits.response_body_bytes >> 20));
        }
        Ok(())
    }
}

/// The error of a limit that throws: it names the limit, in the words of the configuration, and its number.
pub(super) fn reached(key: &'static str, limit: u64) -> JsError {
    JsError::range_error(format!("the limit {key} = {limit} is reached")).with("code", "ERR_LIMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits {
        subrequests: 2,
        open_streams: 1,
        log_bytes: 10,
        response_body_bytes: 3,
        ..RequestLimits::UNLIMITED
    };

    #[test]
    fn subrequests_are_counted_until_the_account_begins_anew() {
        let mut account = Account::default();
        let (first, second) = (account.subrequest(&LIMITS), account.subrequest(&LIMITS));
        assert!(first.expect("one").is_of(&second.expect("two")));
        let error = account.subrequest(&LIMITS).expect_err("three");
        assert_eq!(error.message, "the limit subrequests = 2 is reached");
        account.refill();
        assert!(account.subrequest(&LIMITS).is_ok());
    }

    #[test]
    fn a_stream_is_open_until_it_is_dropped() {
        let mut account = Account::default();
        let share = account.share(&LIMITS);
        let open = share.open_stream().expect("one");
        assert!(account.share(&LIMITS).open_stream().is_err());
        account.refill();
        assert!(account.share(&LIMITS).open_stream().is_err(), "it is still open");
        drop(open);
        assert!(share.open_stream().is_ok());
    }

    #[test]
    fn the_log_ends_once() {
        let mut account = Account::default();
        let logged: Vec<Logged> = [4, 6, 0, 1, 0, 1].map(|bytes| account.log(bytes, &LIMITS)).into();
        let last = Logged::Last { limit_bytes: 10 };
        assert_eq!(logged, [Logged::Whole, Logged::Whole, Logged::Whole, last, Logged::Dropped, Logged::Dropped]);
        assert_eq!(Account::default().log(usize::MAX, &LIMITS), last);
    }

    #[test]
    fn a_body_is_counted_over_its_chunks() {
        let mut account = Account::default();
        assert!(account.respond(3, &LIMITS).is_ok());
        assert!(account.respond(1, &LIMITS).is_err());
    }
}
