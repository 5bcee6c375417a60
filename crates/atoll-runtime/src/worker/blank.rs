//! What a worker needs before it is known whose it is.

use super::functions::Functions;
use crate::limits::Limits;
use atoll_engine::{Isolate, Realm};

/// A realm that is nobody's yet, in which the platform is ready to serve. A start that gets one has only the app to load.
#[derive(Debug)]
pub struct Blank {
    pub(super) realm: Realm,
    pub(super) functions: Functions,
}

impl Blank {
    /// Makes one.
    pub fn new(isolate: &Isolate) -> Self {
        let mut realm = Realm::new(isolate);
        let functions = realm.turn(Limits::SERVE.startup(), Functions::of);
        let functions = functions.expect("a realm without guest code hits no limit").value;
        Self { realm, functions }
    }

    /// The isolate that it is in.
    pub fn isolate(&self) -> &Isolate {
        self.realm.isolate()
    }
}
