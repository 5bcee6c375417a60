//! The server's memory while nothing is under way.

use std::fs;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::server::Server;

/// The kernel's unit of CPU time (`proc(5)`, `sysconf(_SC_CLK_TCK)` on all its architectures).
const TICK: Duration = Duration::from_millis(10);
/// Longer than workers are idle before they begin to be shrunk.
const IDLE: Duration = Duration::from_secs(6);
/// A server is at rest when it used no more than two ticks of CPU time within this: then all of them are shrunk, and what that
/// freed has been given back, which comes a second later.
const REST: Duration = Duration::from_secs(3);
const REST_TICKS: u64 = 2;
/// The longest wait for that.
const PATIENCE: Duration = Duration::from_mins(2);
/// Pause between two looks at the CPU time.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// The kernel's page.
const PAGE_BYTES: u64 = 4096;

/// Growth that is none: an eighth for what differs by chance (which deployments have a worker on which thread, or a successor
/// ahead; how far heaps had grown when load ended), and this for the allocator's own grain. A single worker that is not
/// disposed of takes some 2 MiB, and there are hundreds of each kind of end in half a minute.
const CHANCE_DIVISOR: u64 = 8;
const GRAIN_BYTES: u64 = 24 << 20;

/// Resident memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resident(u64);

impl Resident {
    pub(super) fn mebibytes(self) -> u64 {
        self.0 >> 20
    }
}

/// Waits until the server is at rest, and reads what it has.
pub(super) fn at_rest(server: &Server) -> Result<Resident, Failure> {
    let begun = Instant::now();
    std::thread::sleep(IDLE);
    let (mut since, mut ticks) = (Instant::now(), cpu_ticks(server.id())?);
    while since.elapsed() < REST {
        std::thread::sleep(LOOK_PAUSE);
        let now = cpu_ticks(server.id())?;
        if now > ticks + REST_TICKS {
            (since, ticks) = (Instant::now(), now);
        }
        if begun.elapsed() > PATIENCE {
            return Err(
                format!("the server does not come to rest: {:?} of CPU time", TICK * u32::try_from(now)?).into()
            );
        }
    }
    let statm = fs::read_to_string(format!("/proc/{}/statm", server.id()))?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm is not as expected")?.parse()?;
    Ok(Resident(pages * PAGE_BYTES))
}

/// A failure if memory has grown.
pub(super) fn check_growth(before: Resident, after: Resident) -> Result<(), Failure> {
    let bound = before.0 + before.0 / CHANCE_DIVISOR + GRAIN_BYTES;
    if after.0 <= bound {
        return Ok(());
    }
    let (before, after, bound) = (before.mebibytes(), after.mebibytes(), bound >> 20);
    Err(format!("memory at rest has grown from {before} to {after} MiB; up to {bound} MiB is chance").into())
}

/// CPU time of a process, user's and system's: the 14th and 15th field, counted behind the name, which may have spaces.
fn cpu_ticks(process: u32) -> Result<u64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").ok_or("stat is not as expected")?.1.split(' ');
    let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::{Resident, check_growth, cpu_ticks};

    #[test]
    fn growth_beyond_chance_is_a_failure() {
        assert!(check_growth(Resident(200 << 20), Resident(210 << 20)).is_ok());
        assert!(check_growth(Resident(200 << 20), Resident(260 << 20)).is_err());
        assert!(check_growth(Resident(200 << 20), Resident(100 << 20)).is_ok());
    }

    #[test]
    fn cpu_time_is_read() {
        assert!(cpu_ticks(std::process::id()).is_ok());
    }
}
