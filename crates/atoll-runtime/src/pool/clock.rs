//! The policy's deadlines.

use super::Pool;
use std::rc::Weak;

/// Calls the policy at each of its deadlines, as long as there is a pool.
pub(super) async fn run(pool: Weak<Pool>) {
    loop {
        let Some(strong) = pool.upgrade() else { return };
        let deadline = strong.state.borrow().policy.next_deadline();
        strong.armed.set(deadline);
        let due = deadline.map(|deadline| strong.origin + deadline);
        let passed = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = strong.changed.notified() => {}
            () = passed => {
                let now = strong.now();
                strong.state.borrow_mut().policy.tick(now);
                strong.act();
            }
        }
    }
}
