//! What is tried again, and when.
//!
//! Frames that wait for their next attempt count as under way: a fill does not try them before, and a further read of
//! them waits with the others.

use super::actions::{Class, ObjectId};
use super::config::Config;
use super::scheduler::{Scheduler, Task};
use std::ops::Range;
use std::time::Duration;

/// After so many failures in a row, without a frame between them, only demand is tried.
const FAILURES_MAX: u32 = 4;

/// Tasks that wait for their next attempt.
#[derive(Debug)]
pub(super) struct Retry {
    delayed: Vec<(Duration, Class, Task)>,
    /// Failures since the last frame.
    failures: u32,
    /// Nothing but demand before this, because of failures.
    background_at: Duration,
    /// Nor before this, since what came could not be kept.
    kept_at: Duration,
    random: u64,
}

impl Retry {
    pub(super) fn new(seed: u64) -> Self {
        Self { delayed: Vec::new(), failures: 0, background_at: Duration::ZERO, kept_at: Duration::ZERO, random: seed }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.delayed.is_empty()
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.delayed.iter().map(|(due, ..)| *due).min()
    }

    /// Somebody waits for these frames: they are tried at once, unless somebody waited already.
    pub(super) fn demand(&mut self, now: Duration, object: ObjectId, frames: &Range<u32>) {
        for (due, class, task) in &mut self.delayed {
            let overlaps = task.frames.start < frames.end && frames.start < task.frames.end;
            if task.object == object && overlaps && *class != Class::Demand {
                (*due, *class) = (now, Class::Demand);
            }
        }
    }

    /// Until when nothing but demand is asked for, if it is not already.
    pub(super) fn background_held_until(&self, now: Duration) -> Option<Duration> {
        Some(self.background_at.max(self.kept_at)).filter(|until| now < *until)
    }

    /// A frame arrived.
    pub(super) fn worked(&mut self) {
        self.failures = 0;
        self.background_at = Duration::ZERO;
    }

    fn failed(&mut self, now: Duration, config: &Config) {
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            self.background_at = now + self.pause(self.failures - FAILURES_MAX + 1, config);
        }
    }

    /// The pause after so many failed attempts: at least half of what the doubling gives.
    fn pause(&mut self, attempts: u32, config: &Config) -> Duration {
        let doubled = config.retry_base.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        doubled.min(config.retry_max).mul_f64(0.5 + self.chance() / 2.0)
    }

    /// A number from 0 to 1, by SplitMix64.
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Scheduler {
    /// What comes can't be kept: for a [while](Config::not_kept_pause) nothing is asked for that nobody waits for.
    pub fn hold_background(&mut self, now: Duration) {
        self.retry.kept_at = now + self.config.not_kept_pause;
    }

    /// The pause before something that is not a request of the scheduler's is tried again, after so many attempts.
    pub(crate) fn pause(&mut self, attempts: u32) -> Duration {
        self.retry.pause(attempts, &self.config)
    }

    /// A request ended before these frames of it had arrived; `attempts` ended so without any frame.
    pub(super) fn try_again(&mut self, now: Duration, class: Class, task: Task, retry_after: Option<Duration>) {
        self.retry.failed(now, &self.config);
        let class = match class {
            _ if self.is_waited_for(task.object, &task.frames) => Class::Demand,
            // Whoever waited has left.
            Class::Demand => Class::Fill,
            class => class,
        };
        if class != Class::Demand && task.attempts >= self.config.background_attempts_max {
            self.give_up(task.object, &task.frames);
            return;
        }
        let pause = match task.attempts {
            0 => Duration::ZERO,
            attempts => self.retry.pause(attempts, &self.config),
        };
        let pause = pause.max(retry_after.unwrap_or_default().min(self.config.retry_max));
        let Some(object) = self.objects.get_mut(&task.object) else { return };
        // Nobody else tries them before.
        object.claims.insert(task.frames.start, (task.frames.end, None));
        self.retry.delayed.push((now + pause, class, task));
    }

    /// Chunks with these frames are not filled until somebody reads from them again.
    pub(super) fn give_up(&mut self, id: ObjectId, frames: &Range<u32>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let mut frame = frames.start;
        while frame < frames.end {
            let chunk = object.layout.chunk_of(frame);
            object.fills.remove(&chunk.start);
            frame = chunk.end;
        }
    }

    /// Puts in line what is due.
    pub(super) fn take_due_retries(&mut self, now: Duration) {
        let due: Vec<_> = self.retry.delayed.extract_if(.., |(due, ..)| *due <= now).collect();
        for (_, class, task) in due {
            let Some(object) = self.objects.get_mut(&task.object) else { continue };
            object.claims.remove(&task.frames.start);
            match class {
                Class::Demand => self.demand.push_front(task),
                // A fill is known by its chunk; this is a part of one.
                Class::Fill => self.paced[Class::Prefetch as usize].push_back(task),
                class => self.paced[class as usize].push_front(task),
            }
        }
    }
}
