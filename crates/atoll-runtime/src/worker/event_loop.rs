//! What a worker waits for between turns: operations and timers, each by its waker.

use super::Worker;
use atoll_engine::{Settled, Termination};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::Sleep;

/// What has happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Operations have finished.
    Settled(Settled),
    /// A timer is due.
    TimerDue,
    /// The deadline that the caller named has passed.
    DeadlinePassed,
}

/// Lets the thread's other tasks run first. tokio's own `yield_now` also has the system asked for events, which costs as much
/// as a short turn; the runtime does that often enough by itself.
pub(super) async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The timer that a loop sleeps on.
#[derive(Default)]
pub(super) struct Alarm(Option<(Instant, Pin<Box<Sleep>>)>);

impl Alarm {
    /// Ready when `deadline` has passed; pending without a deadline.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.0 = None;
            return Poll::Pending;
        };
        let (set, sleep) =
            self.0.get_or_insert_with(|| (deadline, Box::pin(tokio::time::sleep_until(deadline.into()))));
        if *set != deadline {
            *set = deadline;
            sleep.as_mut().reset(deadline.into());
        }
        sleep.as_mut().poll(context)
    }
}

impl Worker {
    /// Looks for an event without waiting for one. `deadline` is the caller's own.
    pub(super) fn poll_event(
        &mut self,
        alarm: &mut Alarm,
        deadline: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<Event> {
        if let Poll::Ready(settled) = self.realm.poll_operations(context) {
            return Poll::Ready(Event::Settled(settled));
        }
        let timer = self.next_timer();
        let first = match (timer, deadline) {
            (Some(timer), Some(deadline)) => Some(timer.min(deadline)),
            (timer, deadline) => timer.or(deadline),
        };
        alarm.poll(context, first).map(|()| if first == timer { Event::TimerDue } else { Event::DeadlinePassed })
    }

    /// Waits for an event.
    pub(super) async fn next_event(&mut self, alarm: &mut Alarm) -> Event {
        poll_fn(|context| self.poll_event(alarm, None, context)).await
    }

    /// Gives an event its turn.
    pub(super) fn handle(&mut self, event: Event) -> Result<(), Termination> {
        match event {
            Event::Settled(settled) => {
                let request = settled.request();
                let budget = self.budget_of(request);
                self.turn(request, budget, |turn, _| turn.settle(settled))
            }
            Event::TimerDue => self.fire_timers(),
            Event::DeadlinePassed => Ok(()),
        }
    }
}
