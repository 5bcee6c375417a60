//! The suite `install`: package managers with a frozen registry.
//!
//! * [`workspace`]: the directories, and what becomes of old ones.
//! * [`managers`]: the commands.
//! * [`phases`]: what is there before a run, the run, and how it is checked.
//! * [`tree`]: what an installer left.
//! * [`floor`]: the system calls alone.
//! * [`record`]: asks every manager for everything while the registry records.
//! * [`targets`]: what of this the product is to reach.

mod floor;
mod managers;
mod phases;
mod record;
mod targets;
mod tree;
mod workspace;

use std::path::PathBuf;
use std::rc::Rc;

pub(crate) use record::record;

use self::floor::Floor;
use self::phases::{Installing, Phase, Project, Shared};
use self::workspace::Workspace;
use super::{Case, Plan, Selection};
use crate::error::BenchError;
use crate::registry::{self, Network, Recording, Registry};
use crate::report::Report;
use crate::systems::{Repository, System};

/// The projects, each a folder in `bench/install`, and the least number of packages that a manager has to install.
const PROJECTS: [(&str, usize); 2] = [("ant-design", 900), ("next-app", 350)];

/// The names of cases: they live as long as the program, as reports need them.
const NAMES: [[&str; 9]; PROJECTS.len()] = [
    [
        "ant-design: p0, nothing",
        "ant-design: p1, resolve only",
        "ant-design: p3, lockfile",
        "ant-design: p4, lockfile and cache",
        "ant-design: p4, shared packages",
        "ant-design: p5, everything there",
        "ant-design, 20 ms and 500 Mbit/s: p0, nothing",
        "ant-design, 20 ms and 500 Mbit/s: p1, resolve only",
        "ant-design, 20 ms and 500 Mbit/s: p3, lockfile",
    ],
    [
        "next-app: p0, nothing",
        "next-app: p1, resolve only",
        "next-app: p3, lockfile",
        "next-app: p4, lockfile and cache",
        "next-app: p4, shared packages",
        "next-app: p5, everything there",
        "next-app, 20 ms and 500 Mbit/s: p0, nothing",
        "next-app, 20 ms and 500 Mbit/s: p1, resolve only",
        "next-app, 20 ms and 500 Mbit/s: p3, lockfile",
    ],
];
const FLOOR: &str = "ant-design: system calls alone";

/// Measures the selected cases and adds them to the report.
pub(crate) fn measure(
    systems: &[System],
    repository: &Repository,
    plan: &Plan,
    selection: &Selection,
    report: &mut Report,
) -> Result<(), BenchError> {
    let names: Vec<&'static str> = NAMES.iter().flatten().copied().chain([FLOOR]).collect();
    selection.check(&names)?;
    let recording = recording(repository)?;
    if recording.is_empty() {
        let hint = "cargo xtask bench install --record makes it, from the npm registry".to_owned();
        return Err(BenchError::Missing { program: "target/bench/registry".into(), hint });
    }
    eprintln!("checking {} recorded answers", recording.len());
    recording.verify()?;
    let workspace = Workspace::new(repository.work()?.join("install"))?;
    let shared = Rc::new(Shared::new(workspace, Registry::start(recording, None)?));
    for case in cases(repository, &shared).iter().filter(|case| selection.has(case.name())) {
        super::run(&**case, systems, plan, report);
    }
    shared.workspace.clear()?;
    let targets = targets::targets();
    report.targets =
        targets.iter().filter(|target| selection.has(target.case)).map(|target| target.judge(report)).collect();
    Ok(())
}

fn recording(repository: &Repository) -> Result<Recording, BenchError> {
    Ok(Recording::open(&repository.work()?.join("registry"), record::UPSTREAM, &registry::origin())?)
}

fn projects(repository: &Repository) -> Vec<Project> {
    let manifest = |name: &str| -> PathBuf { repository.root.join("bench/install").join(name).join("package.json") };
    PROJECTS.iter().map(|&(name, min_packages)| Project { name, manifest: manifest(name), min_packages }).collect()
}

fn cases(repository: &Repository, shared: &Rc<Shared>) -> Vec<Box<dyn Case>> {
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for (index, project) in projects(repository).into_iter().enumerate() {
        let mut add = |phase, network: Option<Network>| {
            let name = case_name(project.name, phase, network.is_some());
            cases.push(Box::new(Installing {
                name,
                project: project.clone(),
                phase,
                network,
                shared: Rc::clone(shared),
            }));
        };
        for phase in Phase::ALL {
            add(phase, None);
        }
        for phase in Phase::COLD {
            add(phase, Some(Network::SHAPED));
        }
        if index == 0 {
            cases.push(Box::new(Floor { name: FLOOR, project, shared: Rc::clone(shared) }));
        }
    }
    cases
}

/// The name of a phase of a project; empty for one that there is not.
fn case_name(project: &str, phase: Phase, shaped: bool) -> &'static str {
    let is_it = |name: &&&'static str| {
        name.split_once(": ").is_some_and(|(head, label)| {
            label == phase.label() && head.split(", ").next() == Some(project) && head.contains("Mbit") == shaped
        })
    };
    NAMES.iter().flatten().find(is_it).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::phases::{Phase, metrics};
    use super::{NAMES, PROJECTS, case_name, targets::targets};

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut found = Vec::new();
        for (project, _) in PROJECTS {
            found.extend(Phase::ALL.map(|phase| case_name(project, phase, false)));
            found.extend(Phase::COLD.map(|phase| case_name(project, phase, true)));
        }
        assert_eq!(found, NAMES.concat());
    }

    #[test]
    fn every_target_is_about_a_metric_that_is_measured() {
        for target in targets() {
            let phase = Phase::ALL.into_iter().find(|phase| target.case.ends_with(phase.label()));
            let phase = phase.unwrap_or_else(|| panic!("{}: there is no case `{}`", target.name, target.case));
            assert!(metrics(phase).iter().any(|metric| metric.name == target.metric), "{}", target.name);
        }
    }
}
