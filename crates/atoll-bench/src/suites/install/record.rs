//! Recording: every manager is asked for everything, twice, while the registry keeps what it has to fetch.

use super::managers::{Step, can_lock, command};
use super::workspace::Workspace;
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
                let place = workspace.place(project.name, system);
                for step in [Step::Lock, Step::Install] {
                    if step == Step::Lock && !can_lock(system) {
                        continue;
                    }
                    workspace.empty(&place, system, &project.manifest)?;
                    let usage = measured::run(&command(system, step, &place), &place.log())?;
                    let new = registry.upstream_requests() - before;
                    let (name, seconds) = (system.name, usage.wall_ms / 1e3);
                    eprintln!("pass {pass}, {}: {name}, {step:?}: {seconds:.1} s, {new} new", project.name);
                    registry.save()?;
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
