//! `node:test`: tests and suites with hooks and mocks, one after the other, told as TAP.
//!
//! * `api.js`: what programs call. `run.js`: tests and suites, and how they run. `report.js`: what is told of them.
//! * `mock.js`: functions and methods that note their calls.
use atoll_engine::{Builtin, natives};

/// `node:test`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:test", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// Tests and suites.
pub(crate) const RUN: Builtin =
    Builtin { name: "node/internal/test/run", source: include_str!("run.js"), natives: natives! {}, globals: &[] };

/// What is told of them.
pub(crate) const REPORT: Builtin = Builtin {
    name: "node/internal/test/report",
    source: include_str!("report.js"),
    natives: natives! {},
    globals: &[],
};

/// Mocks.
pub(crate) const MOCK: Builtin =
    Builtin { name: "node/internal/test/mock", source: include_str!("mock.js"), natives: natives! {}, globals: &[] };
