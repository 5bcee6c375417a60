//! The phases: from nothing to everything, and how each is prepared and checked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use super::floor::{self, Plan as Tree};
use super::managers::{Step, command, lockfile, packages_shown};
use super::tree::{self, Entries};
use super::workspace::{Workspace, failed};
use crate::apps::App;
use crate::error::BenchError;
use crate::measured::{self, Usage};
use crate::registry::{Counts, Network, Registry};
use crate::report::{Better, Metric};
use crate::suites::{Case, Plan};
use crate::systems::{Peer, System};

/// The least that a manager may install of what the first one did: managers differ in which optional and peer
/// dependencies they take.
const MIN_SHARE: f64 = 0.75;
/// The least that a cold run may fetch of what the run that made the lockfile fetched.
const COLD_SHARE: f64 = 0.9;
/// A lockfile may differ from the first one by this share of its bytes, and a tree by this share of its packages: some managers
/// leave out packages of the tree that they made without a lockfile when they make it again with theirs.
const LOCK_SHARE: f64 = 0.02;
/// A cold run may be told of this share of its documents that it knows them: some managers ask for one twice.
const KNOWN_SHARE: f64 = 0.01;

/// How much is there before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing.
    Nothing,
    /// Nothing, and a lockfile is all that is wanted.
    LockOnly,
    /// A lockfile.
    Locked,
    /// A lockfile, and all packages in the manager's cache.
    Warm,
    /// The same, and the packages need not be this project's own: where projects share them.
    Shared,
    /// Everything.
    Done,
}

impl Phase {
    pub(super) const ALL: [Self; 6] =
        [Self::Nothing, Self::LockOnly, Self::Locked, Self::Warm, Self::Shared, Self::Done];
    /// Those that ask the registry.
    pub(super) const COLD: [Self; 3] = [Self::Nothing, Self::LockOnly, Self::Locked];

    /// The label, as benchmarks of package managers have it, and what it means.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Nothing => "p0, nothing",
            Self::LockOnly => "p1, resolve only",
            Self::Locked => "p3, lockfile",
            Self::Warm => "p4, lockfile and cache",
            Self::Shared => "p4, shared packages",
            Self::Done => "p5, everything there",
        }
    }

    fn step(self) -> Step {
        match self {
            Self::LockOnly => Step::Lock,
            Self::Shared => Step::InstallShared,
            _ => Step::Install,
        }
    }

    fn is_cold(self) -> bool {
        Self::COLD.contains(&self)
    }
}

/// A project: the folder in `bench/install`, and the least number of packages that it has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) name: &'static str,
    pub(super) manifest: PathBuf,
    pub(super) min_packages: usize,
}

/// What a manager made of a project when it was asked for the first time.
#[derive(Debug, Clone)]
struct Prepared {
    packages: usize,
    lock_bytes: u64,
    tarballs: u64,
}

/// What all cases share.
pub(super) struct Shared {
    pub(super) workspace: Workspace,
    pub(super) registry: Registry,
    /// Project and system → what was prepared.
    prepared: RefCell<BTreeMap<(&'static str, &'static str), Prepared>>,
}

impl Shared {
    pub(super) fn new(workspace: Workspace, registry: Registry) -> Self {
        Self { workspace, registry, prepared: RefCell::default() }
    }
}

/// A phase of a project on a network.
pub(super) struct Installing {
    pub(super) name: &'static str,
    pub(super) project: Project,
    pub(super) phase: Phase,
    pub(super) network: Option<Network>,
    pub(super) shared: Rc<Shared>,
}

/// The place of Atoll where the packages of the project are on no disk.
const VIRTUAL: &str = "atoll-virtual";

pub(super) const WALL: &str = "wall";
pub(super) const RESIDENT: &str = "peak memory";
pub(super) const VOLUNTARY: &str = "voluntary switches";
/// The same directories and links without an installer.
pub(super) const FLOOR: &str = "mkdir and link alone";
/// Threads of that.
const FLOOR_THREADS: usize = 2;

pub(super) fn metrics(phase: Phase) -> Vec<Metric<'static>> {
    let metric = |name, unit| Metric { name, unit, better: Better::Lower };
    let mut metrics = vec![
        metric(WALL, "ms"),
        metric("user", "ms"),
        metric("system", "ms"),
        metric(RESIDENT, "MB"),
        metric(VOLUNTARY, ""),
        metric("involuntary switches", ""),
        metric("written", "MB"),
        metric("new entries", ""),
        metric("requests", ""),
    ];
    if phase == Phase::Warm {
        metrics.push(metric(FLOOR, "ms"));
    }
    metrics
}

impl Case for Installing {
    fn name(&self) -> &'static str {
        self.name
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        metrics(self.phase)
    }

    fn apps(&self) -> &'static [App] {
        &[]
    }

    fn includes(&self, system: &System) -> bool {
        let shares = system.is_atoll() || matches!(system.peer(), Some(Peer::BunGlobal | Peer::PnpmGlobal));
        self.phase != Phase::Shared || shares
    }

    fn measure(&self, system: &System, _plan: &Plan) -> Result<Vec<f64>, BenchError> {
        let Shared { workspace, registry, .. } = &*self.shared;
        let place = self.place(system);
        workspace.make_room()?;
        let prepared = self.prepared(system)?;
        self.make_ready(system)?;
        let before = self.made(&place)?;
        workspace.sync()?;

        registry.shape(self.network);
        registry.take_counts();
        let usage = measured::run(&command(system, self.phase.step(), &place), &place.log());
        registry.shape(None);
        let (usage, counts) = (usage?, registry.take_counts());
        if counts.misses > 0 {
            return Err(not_recorded(&counts, &registry.missed()));
        }
        check_requests(self.phase, &counts, prepared.tarballs)?;
        self.check_result(system, &prepared)?;

        let new = self.made(&place)?.saturating_sub(before);
        if self.phase.is_cold() {
            workspace.is_done_with(&place);
        }
        let mut figures = figures(&usage, new, &counts);
        if self.phase == Phase::Warm && system.is_atoll() {
            figures.push(self.floor(&place.node_modules())?);
        }
        Ok(figures)
    }
}

impl Installing {
    /// Whether the packages of the project are on no disk.
    fn is_virtual(&self, system: &System) -> bool {
        self.phase == Phase::Shared && system.is_atoll()
    }

    fn place(&self, system: &System) -> super::managers::Place {
        let name = if self.is_virtual(system) { VIRTUAL } else { system.name };
        self.shared.workspace.place(self.project.name, name)
    }

    /// How many packages the project has.
    fn packages(&self, system: &System) -> Result<usize, BenchError> {
        let place = self.place(system);
        if self.is_virtual(system) {
            return packages_shown(system, &place);
        }
        Ok(tree::packages(&place.node_modules())?.len())
    }

    /// The manager's own lockfile, and what it installs; made when they are asked for the first time.
    fn prepared(&self, system: &System) -> Result<Prepared, BenchError> {
        let Shared { workspace, registry, prepared } = &*self.shared;
        let key = (self.project.name, if self.is_virtual(system) { VIRTUAL } else { system.name });
        if let Some(found) = prepared.borrow().get(&key) {
            return Ok(found.clone());
        }
        let place = self.place(system);
        workspace.empty(&place, system, &self.project.manifest)?;
        registry.take_counts();
        let step = if self.is_virtual(system) { Step::InstallShared } else { Step::Install };
        measured::run(&command(system, step, &place), &place.log())?;
        let counts = registry.take_counts();
        if counts.misses > 0 {
            return Err(not_recorded(&counts, &registry.missed()));
        }
        let lock = place.project().join(lockfile(system));
        let lock_bytes = fs::copy(&lock, place.kept_lock()).map_err(failed(&lock))?;
        let packages = self.packages(system)?;
        let others = prepared
            .borrow()
            .iter()
            .filter(|((project, _), _)| *project == self.project.name)
            .fold(0, |most, (_, other)| most.max(other.packages));
        let least = ((others as f64 * MIN_SHARE) as usize).max(self.project.min_packages);
        eprintln!("{}, {}: {packages} packages, {} tarballs", self.project.name, system.name, counts.tarballs);
        if packages < least {
            return Err(BenchError::Void(format!("{packages} packages were installed, not {least}")));
        }
        workspace.is_done_with(&place);
        let found = Prepared { packages, lock_bytes, tarballs: counts.tarballs };
        prepared.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// Puts away what the phase begins without, and sees to what it begins with.
    fn make_ready(&self, system: &System) -> Result<(), BenchError> {
        let workspace = &self.shared.workspace;
        let place = self.place(system);
        let lock = place.project().join(lockfile(system));
        if self.phase.is_cold() {
            workspace.empty(&place, system, &self.project.manifest)?;
        }
        if matches!(self.phase, Phase::Locked | Phase::Warm | Phase::Shared | Phase::Done) {
            fs::copy(place.kept_lock(), &lock).map_err(failed(&lock))?;
        }
        if matches!(self.phase, Phase::Warm | Phase::Shared | Phase::Done) {
            // The run before may have been one that left less; where everything is there, this changes nothing.
            measured::run(&command(system, self.phase.step(), &place), &place.log())?;
        }
        if matches!(self.phase, Phase::Warm | Phase::Shared) {
            workspace.move_aside(&place.node_modules())?;
        }
        Ok(())
    }

    fn check_result(&self, system: &System, prepared: &Prepared) -> Result<(), BenchError> {
        let place = self.place(system);
        if self.phase == Phase::LockOnly {
            let lock = place.project().join(lockfile(system));
            let bytes = fs::metadata(&lock).map_err(failed(&lock))?.len();
            if bytes.abs_diff(prepared.lock_bytes) as f64 > prepared.lock_bytes as f64 * LOCK_SHARE {
                let text = format!("the lockfile has {bytes} bytes, the first had {}", prepared.lock_bytes);
                return Err(BenchError::Void(text));
            }
            return Ok(());
        }
        let packages = self.packages(system)?;
        if packages.abs_diff(prepared.packages) as f64 > prepared.packages as f64 * LOCK_SHARE {
            let text = format!("{packages} packages are there, not {}", prepared.packages);
            return Err(BenchError::Void(text));
        }
        Ok(())
    }

    /// Entries of the project, and of the manager's cache where the phase fills that.
    fn made(&self, place: &super::managers::Place) -> Result<u64, BenchError> {
        let kept = if self.phase.is_cold() { tree::count(&place.home())? } else { Entries::default() };
        Ok(tree::count(&place.project())?.sum() + kept.sum())
    }

    /// The least time in which these directories and links can be made here.
    fn floor(&self, node_modules: &std::path::Path) -> Result<f64, BenchError> {
        let workspace = &self.shared.workspace;
        let into = workspace.root().join("floor");
        workspace.sync()?;
        let times = floor::link(&Tree::of(node_modules)?, node_modules, &into, FLOOR_THREADS)?;
        workspace.move_aside(&into)?;
        Ok((times.directories + times.files).as_secs_f64() * 1e3)
    }
}

fn figures(usage: &Usage, new_entries: u64, counts: &Counts) -> Vec<f64> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    vec![
        usage.wall_ms,
        usage.user_ms,
        usage.system_ms,
        megabytes(usage.max_resident_bytes),
        usage.voluntary_switches as f64,
        usage.involuntary_switches as f64,
        megabytes(usage.written_bytes),
        new_entries as f64,
        (counts.documents + counts.tarballs) as f64,
    ]
}

fn not_recorded(counts: &Counts, missed: &[String]) -> BenchError {
    BenchError::Void(format!("{} requests for what is not recorded, such as {}", counts.misses, missed.join(", ")))
}

/// That a cold run was cold, and a warm one warm.
fn check_requests(phase: Phase, counts: &Counts, tarballs: u64) -> Result<(), BenchError> {
    let least = (tarballs as f64 * COLD_SHARE) as u64;
    let wrong = match phase {
        Phase::Nothing | Phase::Locked if counts.tarballs < least => {
            format!("{} tarballs were fetched, not {least}: the cache was not empty", counts.tarballs)
        }
        Phase::Nothing | Phase::LockOnly if counts.documents == 0 => {
            "no document was asked for: the cache was not empty".to_owned()
        }
        Phase::Nothing | Phase::LockOnly | Phase::Locked
            if counts.not_modified as f64 > counts.documents as f64 * KNOWN_SHARE =>
        {
            format!("{} answers were known already: the cache was not empty", counts.not_modified)
        }
        Phase::Warm | Phase::Shared | Phase::Done if counts.tarballs > 0 => {
            format!("{} tarballs were fetched: the cache was not full", counts.tarballs)
        }
        _ => return Ok(()),
    };
    Err(BenchError::Void(wrong))
}

#[cfg(test)]
mod tests {
    use super::{Phase, check_requests, figures, metrics};
    use crate::measured::Usage;
    use crate::registry::Counts;

    #[test]
    fn a_run_is_of_its_phase_or_none() {
        let counts = |documents, tarballs| Counts { documents, tarballs, ..Counts::default() };
        let check = |phase, counts: Counts| check_requests(phase, &counts, 1000).map_err(|error| error.to_string());
        assert_eq!(check(Phase::Nothing, counts(800, 950)), Ok(()));
        assert!(check(Phase::Nothing, counts(800, 850)).expect_err("cached").contains("850 tarballs"));
        assert!(check(Phase::Nothing, counts(0, 1000)).is_err());
        assert_eq!(check(Phase::LockOnly, counts(800, 0)), Ok(()));
        assert_eq!(check(Phase::LockOnly, Counts { not_modified: 8, ..counts(800, 0) }), Ok(()));
        assert!(check(Phase::LockOnly, Counts { not_modified: 9, ..counts(800, 0) }).is_err());
        assert!(check(Phase::Locked, Counts { not_modified: 1, ..counts(0, 1000) }).is_err());
        assert_eq!(check(Phase::Locked, counts(0, 1000)), Ok(()));
        assert_eq!(check(Phase::Warm, counts(3, 0)), Ok(()));
        assert!(check(Phase::Warm, counts(0, 1)).is_err());
        assert!(check(Phase::Done, counts(0, 1)).is_err());
        let missed = Counts { misses: 2, ..Counts::default() };
        let error = super::not_recorded(&missed, &["full a".to_owned()]).to_string();
        assert_eq!(error, "no measurement: 2 requests for what is not recorded, such as full a");
    }

    #[test]
    fn every_figure_has_its_metric() {
        let usage = Usage {
            wall_ms: 1.0,
            user_ms: 2.0,
            system_ms: 3.0,
            max_resident_bytes: 4_000_000,
            voluntary_switches: 5,
            involuntary_switches: 6,
            written_bytes: 7_000_000,
        };
        let counts = Counts { documents: 4, tarballs: 5, ..Counts::default() };
        let figures = figures(&usage, 8, &counts);
        assert_eq!(figures, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(metrics(Phase::Nothing).len(), figures.len());
        assert_eq!(metrics(Phase::Warm).len(), figures.len() + 1, "and the floor, for Atoll alone");
    }
}
