//! The suite `blocks`: reading parts of remote objects, by policies that differ in what is asked for, and when.
//!
//! * [`origin`]: an object store with a given latency and bandwidth, a process of its own.
//! * [`content`]: what its objects contain.
//! * [`stack`]: a policy with its HTTP client and its cache directory.
//! * [`chunks`]: the policies that ours is compared with.
//! * [`callers`]: threads that read, and how long each of them waits.
//! * [`faults`]: cases about what is not there yet; the bound is [`atoll_blocks::limits`].
//! * [`cached`]: the case about what is.
//! * [`targets`]: what of this the product is to reach.

mod cached;
mod callers;
mod chunks;
mod content;
mod error;
mod faults;
mod origin;
mod stack;
mod targets;

pub(crate) use error::BlocksError;
pub(crate) use origin::{COMMAND as ORIGIN, serve as serve_origin};

use atoll_blocks::limits::Line;

use self::cached::{By, CACHED, Cached};
use self::faults::{Faults, Pattern};
use self::stack::Policy;
use super::{Plan, Selection, take_turns};
use crate::error::BenchError;
use crate::report::Report;
use crate::systems::Repository;

/// What no system could beat, as a column of the table.
const BOUND: &str = "bound";
/// The system call that a cached read comes down to, as a column.
const PREAD: &str = "pread";
/// Of places, moments and contents: in each turn the same.
const SEED: u64 = 42;
/// Threads of the runtime that carries out requests.
const RUNTIME_THREADS: usize = 2;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Frames of 4 KiB, 128 KiB and 256 KiB. The second are what objects have by default.
const SMALL: u8 = 12;
const DEFAULT: u8 = 17;
const LARGE: u8 = 18;

/// A case; the name of its target for bytes is made of its own.
macro_rules! case {
    ($name:literal, $line:expr, $is_shared:expr, $frame_bits:expr, $pattern:expr) => {
        Faults {
            name: $name,
            bytes_name: concat!($name, ": bytes"),
            pattern: $pattern,
            line: $line,
            is_shared: $is_shared,
            frame_bits: $frame_bits,
            is_compressed: $frame_bits == LARGE,
        }
    };
}

const ONE_4K: Pattern = Pattern::OneChunk { bytes: 4 * KIB };
const ONE_64K: Pattern = Pattern::OneChunk { bytes: 64 * KIB };
const THREE_4K: Pattern = Pattern::ThreeChunks { bytes: 4 * KIB };
const STAGGERED: Pattern = Pattern::Staggered { bytes: 64 * KIB };
const ALL_4M: Pattern = Pattern::Sequential { bytes: 4 * MIB };
const ALL_256M: Pattern = Pattern::Sequential { bytes: 256 * MIB };
const ONE_FRAME: Pattern = Pattern::OneFrame { bytes: 4 * KIB };

/// The cases about what is not there yet, each on both lines.
const FAULTS: [Faults; 18] = [
    case!("one chunk, 4 KiB, 20 ms", Line::REGION, false, SMALL, ONE_4K),
    case!("one chunk, 4 KiB, 1 ms", Line::NEARBY, false, SMALL, ONE_4K),
    case!("one chunk, 4 KiB, frames of 128 KiB, 20 ms", Line::REGION, false, DEFAULT, ONE_4K),
    case!("one chunk, 4 KiB, frames of 128 KiB, 1 ms", Line::NEARBY, false, DEFAULT, ONE_4K),
    case!("one chunk, 64 KiB, shared line, 20 ms", Line::REGION, true, SMALL, ONE_64K),
    case!("one chunk, 64 KiB, shared line, 1 ms", Line::NEARBY, true, SMALL, ONE_64K),
    case!("three chunks, 4 KiB, shared line, 20 ms", Line::REGION, true, SMALL, THREE_4K),
    case!("three chunks, 4 KiB, shared line, 1 ms", Line::NEARBY, true, SMALL, THREE_4K),
    case!("staggered, 64 KiB, 20 ms", Line::REGION, false, SMALL, STAGGERED),
    case!("staggered, 64 KiB, 1 ms", Line::NEARBY, false, SMALL, STAGGERED),
    case!("staggered, 64 KiB, shared line, 20 ms", Line::REGION, true, SMALL, STAGGERED),
    case!("staggered, 64 KiB, shared line, 1 ms", Line::NEARBY, true, SMALL, STAGGERED),
    case!("4 MiB sequential, 20 ms", Line::REGION, true, DEFAULT, ALL_4M),
    case!("4 MiB sequential, 1 ms", Line::NEARBY, true, DEFAULT, ALL_4M),
    case!("256 MiB sequential, 20 ms", Line::REGION, true, DEFAULT, ALL_256M),
    case!("256 MiB sequential, 1 ms", Line::NEARBY, true, DEFAULT, ALL_256M),
    case!("one compressed frame of 256 KiB, 20 ms", Line::REGION, true, LARGE, ONE_FRAME),
    case!("one compressed frame of 256 KiB, 1 ms", Line::NEARBY, true, LARGE, ONE_FRAME),
];

/// Measures the selected cases and adds them to the report.
pub(crate) fn measure(
    repository: &Repository,
    plan: &Plan,
    selection: &Selection,
    report: &mut Report,
) -> Result<(), BenchError> {
    selection.check(&FAULTS.iter().map(|case| case.name).chain([CACHED]).collect::<Vec<_>>())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(RUNTIME_THREADS).enable_all().build()?;
    let handle = runtime.handle();
    let directory = repository.work()?.join("blocks");
    for case in FAULTS.iter().filter(|case| selection.has(case.name)) {
        let mut prepared = case.prepare(plan, handle, directory.clone())?;
        let measure = |policy: &Policy| prepared.measure(*policy);
        take_turns(case.name, Faults::metrics(), &Policy::ALL, |policy| policy.name(), plan, report, measure);
    }
    if selection.has(CACHED) {
        let cached = Cached::prepare(handle, &directory)?;
        let measure = |by: &By| cached.measure(*by);
        take_turns(CACHED, Cached::metrics(), &By::ALL, |by| by.name(), plan, report, measure);
    }
    report.seed = Some(SEED);
    report.versions.insert(crate::report::OURS.to_owned(), version());
    report.targets = targets::targets()
        .iter()
        .filter(|target| selection.has(target.case))
        .map(|target| target.judge(report))
        .collect();
    Ok(())
}

/// What is measured is a part of this executable.
fn version() -> String {
    let optimised = if cfg!(debug_assertions) { ", without optimisation" } else { "" };
    format!("{}{optimised}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::cached::{CACHED, Cached};
    use super::faults::{BYTES, Faults, WAIT};
    use super::{FAULTS, targets::targets};

    #[test]
    fn every_target_is_about_a_metric_that_is_measured() {
        for target in targets() {
            let metrics = match target.case {
                CACHED => Cached::metrics(),
                name => {
                    assert!(FAULTS.iter().any(|case| case.name == name), "there is no case `{name}`");
                    Faults::metrics()
                }
            };
            assert!(metrics.iter().any(|metric| metric.name == target.metric), "{}: {}", target.case, target.metric);
        }
    }

    #[test]
    fn cases_have_different_names_and_say_what_they_are() {
        for (index, case) in FAULTS.iter().enumerate() {
            assert!(FAULTS[..index].iter().all(|other| other.name != case.name), "{}", case.name);
            let milliseconds = format!("{} ms", case.line.first_byte.as_millis());
            assert!(case.name.ends_with(&milliseconds), "{}", case.name);
            assert!(
                targets()
                    .iter()
                    .filter(|target| target.case == case.name)
                    .all(|target| [WAIT, BYTES].contains(&target.metric))
            );
        }
    }
}
