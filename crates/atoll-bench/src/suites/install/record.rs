//! Recording: every manager resolves, installs, and installs from its lockfile, while the registry keeps what it has to
//! fetch; with a lockfile, some ask for other things than without.

use std::fs;

use super::managers::{Step, command, lockfile};
use super::workspace::{Workspace, failed};
use super::{projects, recording};
use crate::error::BenchError;
use crate::measured;
use crate::registry::{Registry, Upstream};
use crate::systems::{Repository, System};

/// Where packages come from.
pub(super) const UPSTREAM: &str = "https://registry.npmjs.org/";
/// Most times that all managers install everything: what they ask for depends on what comes first, so they go on until a
/// time in which nothing new was asked for.
const MAX_PASSES: u32 = 4;

/// Records what `systems` ask for. What was recorded before stays as it is.
pub(crate) fn record(systems: &[System], repository: &Repository) -> Result<(), BenchError> {
    let upstream = Upstream::new(UPSTREAM);
    eprintln!("recording {}", upstream.url());
    let workspace = Workspace::new(repository.work()?.join("install"))?;
    let registry = Registry::start(recording(repository)?, Some(upstream))?;
    for pass in 1..=MAX_PASSES {
        let before = registry.upstream_requests();
        for project in projects(repository) {
            for system in systems {
                let place = workspace.place(project.name, system.name);
                let lock = place.project().join(lockfile(system));
                for (step, locked) in [(Step::Lock, false), (Step::Install, false), (Step::Install, true)] {
                    workspace.empty(&place, system, &project.manifest)?;
                    if locked {
                        fs::copy(place.kept_lock(), &lock).map_err(failed(&lock))?;
                    }
                    let usage = measured::run(&command(system, step, &place), &place.log())?;
                    let new = registry.upstream_requests() - before;
                    let (name, seconds) = (system.name, usage.wall_ms / 1e3);
                    eprintln!("pass {pass}, {}: {name}, {step:?}: {seconds:.1} s, {new} new", project.name);
                    registry.save()?;
                    if step == Step::Install {
                        fs::copy(&lock, place.kept_lock()).map_err(failed(&lock))?;
                    }
                }
                workspace.make_room()?;
            }
        }
        if registry.upstream_requests() == before {
            break;
        }
    }
    eprintln!("recorded {} answers", registry.save()?);
    Ok(())
}
