//! Shortage of memory, as the kernel tells it.

use super::Pool;
use atoll_pool::Pressure;
use atoll_sys::cgroup::{PressureTrigger, Stall};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;

/// Without word from the kernel for this long there is no pressure any more. It tells of pressure that goes on every two
/// seconds.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// What the kernel said last, and how often it has said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    level: Pressure,
    count: u64,
}

/// Tells pools how short memory is: in the kernel's name, or in the stead of it by who knows better.
#[derive(Debug, Clone)]
pub struct PressureTeller(watch::Sender<Word>);

impl PressureTeller {
    /// Memory is this short now. It is taken for over when nothing more is told for some seconds.
    pub fn tell(&self, level: Pressure) {
        self.0.send_modify(|word| *word = Word { level, count: word.count + 1 });
    }
}

/// Hears the kernel for all pools of the process.
#[derive(Debug, Clone)]
pub struct PressureWatch(watch::Receiver<Word>);

impl PressureWatch {
    /// Starts a thread for each kind of pressure, which waits in the kernel; none where the kernel tells nothing.
    pub fn start() -> Self {
        let (teller, watch) = Self::told();
        for (stall, level) in [(Stall::Some, Pressure::Moderate), (Stall::Full, Pressure::Critical)] {
            let Ok(trigger) = PressureTrigger::new(stall) else { continue };
            let teller = teller.clone();
            let thread = std::thread::Builder::new().name("atoll-pressure".to_owned());
            let waits = move || {
                while trigger.wait().is_ok() {
                    teller.tell(level);
                }
            };
            // Without the thread pressure goes unnoticed, and the budget alone holds.
            let _ = thread.spawn(waits);
        }
        watch
    }

    /// Hears what is told by the first of both.
    pub fn told() -> (PressureTeller, Self) {
        let (sender, receiver) = watch::channel(Word { level: Pressure::None, count: 0 });
        (PressureTeller(sender), Self(receiver))
    }
}

impl Pool {
    /// Has the pool act on what the kernel says, as long as there is a pool.
    pub fn heed(self: &Rc<Self>, watch: PressureWatch) {
        let pool = Rc::downgrade(self);
        let mut words = watch.0;
        tokio::task::spawn_local(async move {
            let mut is_short = false;
            loop {
                let heard = if is_short {
                    tokio::time::timeout(OVER_AFTER, words.changed()).await
                } else {
                    Ok(words.changed().await)
                };
                let level = match heard {
                    Ok(Ok(())) => words.borrow_and_update().level,
                    // Nobody tells anything.
                    Ok(Err(_)) => return,
                    Err(_) => Pressure::None,
                };
                is_short = level != Pressure::None;
                let Some(pool) = pool.upgrade() else { return };
                pool.pressure(level);
            }
        });
    }
}
