//! What a worker needs before it is known whose it is.

use super::functions::Functions;
use atoll_engine::{Isolate, Realm, Termination, TurnBudget};

/// A realm that is nobody's yet, in which the platform is ready to serve. A start that gets one has only the app to load.
#[derive(Debug)]
pub struct Blank {
    pub(super) realm: Realm,
    pub(super) functions: Functions,
}

impl Blank {
    /// Makes one. Errors: the isolate's memory, or `budget`, is not enough even for that.
    pub fn new(isolate: &Isolate, budget: TurnBudget) -> Result<Self, Termination> {
        let mut realm = Realm::new(isolate);
        let functions = realm.turn(budget, Functions::of)?.value;
        Ok(Self { realm, functions })
    }

    /// The isolate that it is in.
    pub fn isolate(&self) -> &Isolate {
        self.realm.isolate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// What a spare isolate may have on its heap, bytes. A copy of the platform's text alone would be 800 KB more.
    const MAX_HEAP_BYTES: usize = 1_100_000;

    #[test]
    fn a_spare_isolate_is_small() {
        let isolate = Isolate::new(atoll_snapshot::startup(), Limits::SERVE.memory());
        let blank = Blank::new(&isolate, Limits::SERVE.startup()).expect("the limits are enough");
        let used = blank.isolate().memory().heap_used;
        assert!(used < MAX_HEAP_BYTES, "{used} bytes");
    }
}
