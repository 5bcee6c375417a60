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
