//! What the product is to reach in this suite.

use super::cached::{CACHED, READ};
use super::faults::{BYTES, Faults, Pattern, WAIT};
use super::{BOUND, FAULTS, PREAD};
use crate::targets::{Bound, Reference, Target};

const OF_BOUND: Reference = Reference::Best(&[BOUND]);
const ABSOLUTE: Reference = Reference::Absolute;

/// Each case beside its bound; nothing is fetched twice, and nothing that was not wanted.
pub(super) fn targets() -> Vec<Target> {
    let mut targets: Vec<Target> = FAULTS.iter().filter_map(wait).collect();
    targets.extend(FAULTS.iter().map(|case| Target {
        name: case.bytes_name,
        case: case.name,
        metric: BYTES,
        must: Bound { limit: 1.0, of: ABSOLUTE },
        aim: Some(Bound { limit: 1.0, of: ABSOLUTE }),
    }));
    let of = Reference::Best(&[PREAD]);
    let (must, aim) = (Bound { limit: 1.3, of }, Some(Bound { limit: 1.1, of }));
    targets.push(Target { name: CACHED, case: CACHED, metric: READ, must, aim });
    targets
}

fn wait(case: &Faults) -> Option<Target> {
    let is_nearby = case.line == atoll_blocks::limits::Line::NEARBY;
    let (of, must, aim) = match case.pattern {
        // In frames of another size there is no target.
        Pattern::OneChunk { bytes } if bytes < 1 << case.frame_bits => return None,
        Pattern::OneChunk { .. } if case.is_shared => (OF_BOUND, 1.15, 1.05),
        Pattern::OneChunk { .. } if is_nearby => (ABSOLUTE, 1.5, 1.15),
        Pattern::OneChunk { .. } => (ABSOLUTE, 22.0, 20.6),
        Pattern::ThreeChunks { .. } | Pattern::Staggered { .. } => (OF_BOUND, 1.2, 1.05),
        Pattern::Sequential { .. } => (OF_BOUND, 1.1, 1.03),
        Pattern::OneFrame { .. } => (OF_BOUND, 1.2, 1.1),
    };
    let (must, aim) = (Bound { limit: must, of }, Some(Bound { limit: aim, of }));
    Some(Target { name: case.name, case: case.name, metric: WAIT, must, aim })
}
