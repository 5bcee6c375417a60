//! The suites, and the plan that each of them follows: rounds, turns, warm-up.

pub(crate) mod runtime;

use std::collections::BTreeMap;

use crate::error::BenchError;
use crate::report::{Failure, Metric, Report};
use crate::systems::System;

/// How long and how often to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Counted rounds. One more runs first and is not counted: it fills the page cache and wakes the processor up.
    pub(crate) rounds: u32,
    /// Seconds of load before each measured load, for the compilers of the systems to finish.
    pub(crate) warm_up_seconds: u64,
    /// Seconds of each measured load.
    pub(crate) load_seconds: u64,
    /// Process starts per round; the round's figure is their median.
    pub(crate) starts: u32,
}

impl Plan {
    /// For figures that are to be compared.
    pub(crate) const FULL: Self = Self { rounds: 5, warm_up_seconds: 1, load_seconds: 5, starts: 5 };
    /// To see whether everything works.
    pub(crate) const QUICK: Self = Self { rounds: 1, warm_up_seconds: 1, load_seconds: 1, starts: 3 };

    /// The rounds, the warm-up first: number and whether the systems take their turns in the reverse order.
    fn rounds(self) -> impl Iterator<Item = (u32, bool)> {
        (0..=self.rounds).map(|round| (round, round % 2 == 1))
    }
}

/// A case: something that each system does once per round, for one figure per metric.
trait Case {
    /// Its name in the report.
    fn name(&self) -> &'static str;
    /// The metrics, in the order of the figures that `measure` gives.
    fn metrics(&self) -> Vec<Metric>;
    /// Measures one system once.
    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError>;
}

/// Runs `case` for all systems, interleaved, and adds its rows to the report. A failure is recorded, and the system takes
/// no more turns in this case: its figures would be of a selection of good runs.
fn run(case: &dyn Case, systems: &[System], plan: &Plan, report: &mut Report) {
    let metrics = case.metrics();
    let mut runs: Vec<BTreeMap<&'static str, Vec<f64>>> = vec![BTreeMap::new(); metrics.len()];
    let mut standing: Vec<&System> = systems.iter().collect();
    for (round, reversed) in plan.rounds() {
        let turns: Vec<&System> = if reversed { standing.iter().rev().copied().collect() } else { standing.clone() };
        for system in turns {
            match case.measure(system, plan) {
                Ok(figures) => {
                    progress(case.name(), round, plan, system.name, &metrics, &figures);
                    if round == 0 {
                        continue;
                    }
                    for (runs, figure) in runs.iter_mut().zip(figures) {
                        runs.entry(system.name).or_default().push(figure);
                    }
                }
                Err(error) => {
                    let error = error.chain();
                    eprintln!("{}: {} failed: {error}", case.name(), system.name);
                    report.failures.push(Failure {
                        system: system.name.to_owned(),
                        case: case.name().to_owned(),
                        round,
                        error,
                    });
                    standing.retain(|other| other.name != system.name);
                    for runs in &mut runs {
                        runs.remove(system.name);
                    }
                }
            }
        }
    }
    for (metric, runs) in metrics.into_iter().zip(&runs) {
        report.add(case.name(), metric, runs);
    }
}

fn progress(case: &str, round: u32, plan: &Plan, system: &str, metrics: &[Metric], figures: &[f64]) {
    let label = if round == 0 { "warm-up".to_owned() } else { format!("round {round} of {}", plan.rounds) };
    let figures: Vec<String> = metrics
        .iter()
        .zip(figures)
        .map(|(metric, figure)| format!("{} {figure:.2} {}", metric.name, metric.unit))
        .collect();
    eprintln!("{case}, {label}: {system:8} {}", figures.join(", "));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::PathBuf;

    use super::{Case, Plan, run};
    use crate::error::BenchError;
    use crate::machine;
    use crate::report::{Better, Metric, Report};
    use crate::systems::{Repository, System, parse_peers};

    /// A case that notes whose turn it is, and fails in the `fails_at`th turn of `node`.
    struct Notes {
        turns: RefCell<Vec<&'static str>>,
        fails_at: usize,
    }

    impl Case for Notes {
        fn name(&self) -> &'static str {
            "notes"
        }

        fn metrics(&self) -> Vec<Metric> {
            vec![Metric { name: "turn", unit: "1", better: Better::Lower }]
        }

        fn measure(&self, system: &System, _plan: &Plan) -> Result<Vec<f64>, BenchError> {
            let mut turns = self.turns.borrow_mut();
            turns.push(system.name);
            let own = turns.iter().filter(|name| **name == system.name).count();
            if system.name == "node" && own == self.fails_at {
                return Err(BenchError::Load("refused".into()));
            }
            Ok(vec![own as f64])
        }
    }

    fn run_notes(fails_at: usize) -> (Vec<&'static str>, Report) {
        let repository = Repository { root: PathBuf::from("/nowhere") };
        let systems = System::all(&repository, None, &parse_peers("bun,node").expect("known").0);
        let mut report = Report::new("test", Vec::new(), machine::describe().expect("a machine"));
        let case = Notes { turns: RefCell::default(), fails_at };
        run(&case, &systems, &Plan { rounds: 2, ..Plan::FULL }, &mut report);
        (case.turns.into_inner(), report)
    }

    #[test]
    fn systems_take_turns_and_every_other_round_is_reversed() {
        let (turns, report) = run_notes(usize::MAX);
        assert_eq!(turns, ["atoll", "bun", "node", "node", "bun", "atoll", "atoll", "bun", "node"]);
        let runs = &report.results[0].systems["bun"].runs;
        assert_eq!(*runs, [2.0, 3.0], "the warm-up is not counted");
    }

    #[test]
    fn a_system_that_fails_has_no_figure_and_the_others_go_on() {
        let (turns, report) = run_notes(2);
        assert_eq!(turns, ["atoll", "bun", "node", "node", "bun", "atoll", "atoll", "bun"]);
        let names: Vec<&String> = report.results[0].systems.keys().collect();
        assert_eq!(names, ["atoll", "bun"]);
        assert_eq!((report.failures[0].system.as_str(), report.failures[0].round), ("node", 1));
        assert!(report.failures[0].error.contains("refused"));
    }
}
