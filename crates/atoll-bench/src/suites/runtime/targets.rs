//! The product's targets, row by row.

use super::engine::IN_ENGINE;
use super::load::{HELLO_ON_ALL, HELLO_ON_ONE, ORDERS};
use super::memory::{IDLE, RETIRING};
use super::neighbour::NEIGHBOUR;
use super::start::{COLD_HELLO, COLD_LARGE, PROCESS_START};
use crate::targets::{Bound, Reference, Target};

const ALL: Reference = Reference::Best(&["workerd", "deno", "bun", "node"]);
/// Those that run the same JavaScript engine.
const WITH_V8: Reference = Reference::Best(&["node", "deno", "workerd"]);

const fn bound(limit: f64, of: Reference) -> Bound {
    Bound { limit, of }
}

const fn absolute(limit: f64) -> Bound {
    bound(limit, Reference::Absolute)
}

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "hello, CPU per request, one core",
        case: HELLO_ON_ONE,
        metric: "CPU per request",
        must: bound(1.05, ALL),
        aim: Some(bound(0.75, ALL)),
    },
    Target {
        name: "hello, requests per second, all cores",
        case: HELLO_ON_ALL,
        metric: "requests",
        must: bound(1.0, ALL),
        aim: Some(bound(1.3, ALL)),
    },
    Target {
        name: "order with zod, CPU per request, one core",
        case: ORDERS,
        metric: "CPU per request",
        must: bound(1.0, WITH_V8),
        aim: None,
    },
    Target { name: "warm turn", case: IN_ENGINE, metric: "warm turn", must: absolute(2.0), aim: Some(absolute(1.0)) },
    Target {
        name: "new context on a warm isolate",
        case: IN_ENGINE,
        metric: "new context",
        must: bound(1.5, Reference::Metric("bare context")),
        aim: Some(bound(1.1, Reference::Metric("bare context"))),
    },
    Target {
        name: "checkout in context mode",
        case: IN_ENGINE,
        metric: "checkout",
        must: absolute(20.0),
        aim: Some(absolute(5.0)),
    },
    Target {
        name: "cold deployment, hello",
        case: COLD_HELLO,
        metric: "first answer",
        must: absolute(3.0),
        aim: Some(absolute(0.5)),
    },
    Target {
        name: "cold deployment, 300 KB",
        case: COLD_LARGE,
        metric: "first answer",
        must: absolute(6.0),
        aim: Some(absolute(3.0)),
    },
    Target {
        name: "process start",
        case: PROCESS_START,
        metric: "start",
        must: bound(0.7, Reference::Best(&["workerd"])),
        aim: Some(bound(1.0, Reference::Best(&["bun"]))),
    },
    Target {
        name: "memory per idle deployment",
        case: IDLE,
        metric: "resident, per deployment",
        must: absolute(2.0),
        aim: Some(absolute(1.2)),
    },
    Target {
        name: "idle deployments that stay resident",
        case: IDLE,
        metric: "still resident",
        must: absolute(100.0),
        aim: None,
    },
    Target {
        name: "memory after retired workers",
        case: RETIRING,
        metric: "all / first",
        must: absolute(1.15),
        aim: Some(absolute(1.03)),
    },
    Target {
        name: "p99 beside a neighbour that burns CPU",
        case: NEIGHBOUR,
        metric: "worst / alone",
        must: absolute(3.0),
        aim: Some(absolute(1.5)),
    },
];
