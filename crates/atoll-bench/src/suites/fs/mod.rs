//! The suite `fs`: what a program's work with files costs.
//!
//! * [`stage`]: a directory with a real `node_modules`, the scripts, and what they read.
//! * [`scripts`]: calls that read, calls that write, promises: a process each, which times itself.
//! * [`modules`]: what it takes to load modules, the first time and once more.
//! * [`targets`]: what of this the product is to reach.

mod modules;
mod scripts;
mod stage;
mod targets;

use std::path::PathBuf;

use super::{Case, Plan, Selection, run_all};
use crate::apps::Apps;
use crate::error::BenchError;
use crate::report::{Better, Metric, Report};
use crate::systems::{Repository, System};

/// Measures the selected cases and adds them to the report.
pub(crate) fn measure(
    systems: &[System],
    repository: &Repository,
    apps: &Apps,
    plan: &Plan,
    selection: &Selection,
    report: &mut Report,
) -> Result<(), BenchError> {
    let mut cases = cases(&repository.work()?.join("fs"));
    selection.check(&cases.iter().map(|case| case.name()).collect::<Vec<_>>())?;
    cases.retain(|case| selection.has(case.name()));
    stage::stage(repository)?;
    run_all(&cases, systems, apps, plan, report)?;
    let targets = targets::targets();
    report.targets =
        targets.iter().filter(|target| selection.has(target.case)).map(|target| target.judge(report)).collect();
    Ok(())
}

fn cases(staged: &std::path::Path) -> Vec<Box<dyn Case>> {
    let staged = || PathBuf::from(staged);
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    for script in scripts::SCRIPTS {
        cases.push(Box::new(scripts::Rows::new(script, staged())));
    }
    cases.push(Box::new(modules::Modules::new(staged())));
    cases
}

fn milliseconds(name: &'static str) -> Metric<'static> {
    Metric { name, unit: "ms", better: Better::Lower }
}

#[cfg(test)]
mod tests {
    use super::{cases, targets::targets};

    #[test]
    fn every_target_is_about_a_metric_that_is_measured() {
        let cases = cases(std::path::Path::new("/nowhere"));
        for target in targets() {
            let case = cases.iter().find(|case| case.name() == target.case);
            let case = case.unwrap_or_else(|| panic!("{}: there is no case `{}`", target.name, target.case));
            assert!(case.metrics().iter().any(|metric| metric.name == target.metric), "{}", target.name);
        }
    }
}
