//! What the product is to reach in this suite.

use super::modules::{LOADS, MODULES};
use super::scripts::{PROMISES, READS};
use crate::targets::{Bound, Reference, Target};

const RUNTIMES: Reference = Reference::Best(&["deno", "bun", "node"]);
const NODE: Reference = Reference::Best(&["node"]);
const BUN: Reference = Reference::Best(&["bun"]);
const SECURE_EXEC: Reference = Reference::Best(&["secure-exec"]);
/// Rows that are compared with secure-exec, too.
const BESIDE_SECURE_EXEC: [&str; 3] = ["walk", "stat", "read text"];

/// Each row beside Node.js, the synchronous ones beside Bun, some beside secure-exec; modules at the second start.
pub(super) fn targets() -> Vec<Target> {
    let mut targets = Vec::new();
    for case in super::cases(std::path::Path::new("")) {
        let name = case.name();
        if name == MODULES {
            continue;
        }
        for metric in case.metrics() {
            let row = |limit, of, aim| Target {
                name: metric.name,
                case: name,
                metric: metric.name,
                must: Bound { limit, of },
                aim,
            };
            targets.push(row(1.0, NODE, Some(Bound { limit: 0.9, of: RUNTIMES })));
            if name != PROMISES {
                targets.push(row(1.2, BUN, None));
            }
            if name == READS && BESIDE_SECURE_EXEC.contains(&metric.name) {
                targets.push(row(0.05, SECURE_EXEC, Some(Bound { limit: 0.02, of: SECURE_EXEC })));
            }
        }
    }
    targets.extend(LOADS.iter().map(|(_, _, second)| Target {
        name: second,
        case: MODULES,
        metric: second,
        must: Bound { limit: 1.2, of: NODE },
        aim: Some(Bound { limit: 0.8, of: NODE }),
    }));
    targets
}
