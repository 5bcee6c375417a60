//! What the product is to reach in this suite.

use super::phases::{FLOOR, Phase, RESIDENT, VOLUNTARY, WALL};
use super::{PROJECTS, case_name};
use crate::targets::{Bound, Reference, Target};

const PEERS: Reference = Reference::Best(&["bun", "bun-global", "pnpm", "pnpm-global", "utoo", "npm"]);
const GLOBAL: Reference = Reference::Best(&["bun-global", "pnpm-global"]);
const BUN: Reference = Reference::Best(&["bun"]);

/// For each project, on loopback as it is.
pub(super) fn targets() -> Vec<Target> {
    PROJECTS.iter().flat_map(|(project, _)| of_project(project)).collect()
}

fn of_project(project: &'static str) -> Vec<Target> {
    let target = |phase: Phase, metric, must, of, aim: f64| Target {
        name: if metric == WALL { phase.label() } else { metric },
        case: case_name(project, phase, false),
        metric,
        must: Bound { limit: must, of },
        aim: Some(Bound { limit: aim, of }),
    };
    vec![
        target(Phase::Nothing, WALL, 1.0, PEERS, 0.7),
        target(Phase::LockOnly, WALL, 1.0, PEERS, 0.6),
        target(Phase::Locked, WALL, 1.0, PEERS, 0.7),
        target(Phase::Warm, WALL, 0.85, BUN, 0.65),
        Target {
            name: "p4 beside its system calls",
            // This is what would be good; there is nothing less that it must be.
            ..target(Phase::Warm, WALL, 1.15, Reference::Metric(FLOOR), 1.15)
        },
        Target {
            aim: Some(Bound { limit: 30.0, of: Reference::Absolute }),
            ..target(Phase::Shared, WALL, 0.5, GLOBAL, 0.5)
        },
        target(Phase::Done, WALL, 30.0, Reference::Absolute, 10.0),
        Target { name: "p4, voluntary switches", ..target(Phase::Warm, VOLUNTARY, 500.0, Reference::Absolute, 100.0) },
        Target { name: "p3, peak memory", ..target(Phase::Locked, RESIDENT, 250.0, Reference::Absolute, 120.0) },
        Target { name: "p4, peak memory", ..target(Phase::Warm, RESIDENT, 60.0, Reference::Absolute, 25.0) },
    ]
}
