//! `performance` (High Resolution Time, Performance Timeline, User Timing).

use crate::clock;
use atoll_engine::{Builtin, Global, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/performance",
    source: include_str!("api.js"),
    natives: natives! { "now" => clock::now, "timeOrigin" => clock::time_origin },
    globals: &[
        Global::eager("performance"),
        Global::eager("Performance"),
        Global::lazy("PerformanceEntry"),
        Global::lazy("PerformanceMark"),
        Global::lazy("PerformanceMeasure"),
    ],
};
