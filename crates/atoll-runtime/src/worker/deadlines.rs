//! When what a worker has under way must be over.

use super::Worker;
use crate::report::Problem;
use atoll_engine::{Reason, Termination};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The deadlines of one worker.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Of exchanges' background work, in the order in which it began.
    background: VecDeque<(Instant, u64)>,
    /// When streamed bodies are looked at next: before that moment none can have stood still for too long.
    streams: Option<Instant>,
    /// Of all that is under way.
    notice: Option<Notice>,
}

/// That a worker is to be over.
#[derive(Debug, Clone, Copy)]
struct Notice {
    given: Instant,
    time: Duration,
}

impl Notice {
    fn due(self) -> Instant {
        self.given + self.time
    }
}

impl Deadlines {
    /// The next one.
    pub(super) fn next(&self) -> Option<Instant> {
        let background = self.background.front().map(|(deadline, _)| *deadline);
        [background, self.streams, self.notice.map(Notice::due)].into_iter().flatten().min()
    }

    /// The background work of an exchange has begun.
    pub(super) fn answered(&mut self, id: u64, time: Duration) {
        self.background.push_back((Instant::now() + time, id));
    }

    /// A streamed body has begun; whether that brings a deadline.
    pub(super) fn streams(&mut self, idle: Duration) -> bool {
        if self.streams.is_none() {
            self.streams = Some(Instant::now() + idle);
            return true;
        }
        false
    }

    /// All is to be over in so much time. Of two notices the one that is due first counts.
    pub(super) fn give_notice(&mut self, time: Duration) {
        let notice = Notice { given: Instant::now(), time };
        if self.notice.is_none_or(|earlier| notice.due() < earlier.due()) {
            self.notice = Some(notice);
        }
    }

    /// Ends what has taken too long. Whether a request's background work was among it: then the worker may be stuck, and the
    /// next requests are better given to a fresh one.
    pub(super) fn enforce(&mut self, worker: &mut Worker) -> bool {
        let now = Instant::now();
        let overdue = self.end_background(worker, now);
        self.cut_off_streams(worker, now);
        if let Some(notice) = self.notice.take_if(|notice| notice.due() <= now)
            && worker.serving().is_some_and(|serving| serving.active() > 0)
        {
            let termination = Termination::time(Reason::Deploy, notice.time, now - notice.given);
            worker.isolate().terminator().terminate(termination);
            worker.report([Problem::Terminated(termination)]);
        }
        overdue
    }

    fn end_background(&mut self, worker: &mut Worker, now: Instant) -> bool {
        let mut overdue = false;
        while let Some((_, id)) = self.background.pop_front_if(|(deadline, _)| *deadline <= now) {
            let wall = worker.app.limits.wait_until_wall;
            if let Some(serving) = worker.serving()
                && serving.cpu(id).is_some()
            {
                serving.abandon(id);
                worker.report([Problem::Terminated(Termination::time(Reason::Wall, wall, wall))]);
                overdue = true;
            }
        }
        overdue
    }

    fn cut_off_streams(&mut self, worker: &mut Worker, now: Instant) {
        if self.streams.take_if(|due| *due <= now).is_none() {
            return;
        }
        let idle = worker.app.limits.idle;
        while let Some((id, moved_at)) = worker.serving().and_then(|serving| serving.stillest()) {
            if moved_at + idle > now {
                self.streams = Some(moved_at + idle);
                return;
            }
            if let Some(serving) = worker.serving() {
                serving.cut_off(id);
            }
            worker.report([Problem::Terminated(Termination::time(Reason::Idle, idle, now - moved_at))]);
        }
    }
}
