//! The suites, and the plan that each of them follows: rounds, turns, warm-up.

pub(crate) mod blocks;
pub(crate) mod fs;
pub(crate) mod install;
pub(crate) mod runtime;

use std::collections::{BTreeMap, BTreeSet};

use crate::apps::{App, Apps};
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
    /// Deployments whose first request is measured in one server.
    pub(crate) cold_deployments: u32,
    /// Deployments that are to stay resident in one server.
    pub(crate) idle_deployments: u32,
    /// Workers that are made and retired, and how many of them before the level that memory is compared with.
    pub(crate) retired: Retired,
    /// Objects that are read from in a turn, one after another; the turn's figure is the mean of all waits.
    pub(crate) faults: u32,
}

/// Workers of one server, each for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retired {
    pub(crate) level: u32,
    pub(crate) all: u32,
}

impl Plan {
    /// For figures that are to be compared.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        warm_up_seconds: 1,
        load_seconds: 5,
        starts: 5,
        cold_deployments: 128,
        idle_deployments: 1000,
        retired: Retired { level: 500, all: 10_000 },
        faults: 24,
    };
    /// To see whether everything works.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        warm_up_seconds: 1,
        load_seconds: 1,
        starts: 3,
        cold_deployments: 50,
        idle_deployments: 100,
        retired: Retired { level: 200, all: 1000 },
        faults: 4,
    };

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
    fn metrics(&self) -> Vec<Metric<'static>>;
    /// The apps that have to be staged.
    fn apps(&self) -> &'static [App];
    /// Whether the system has what the case is about.
    fn includes(&self, _system: &System) -> bool {
        true
    }
    /// Measures one system once. Systems that have no figure for the last metrics give fewer.
    fn measure(&self, system: &System, plan: &Plan) -> Result<Vec<f64>, BenchError>;
}

/// Which cases to run: those whose name has one of the patterns in it, in any case of letters; all where there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection(pub(crate) Vec<String>);

impl Selection {
    pub(crate) fn has(&self, case: &str) -> bool {
        let case = case.to_lowercase();
        self.0.is_empty() || self.0.iter().any(|pattern| case.contains(&pattern.to_lowercase()))
    }

    /// Refuses a pattern that none of the cases has in its name: it is a mistake, and nothing would be measured.
    fn check(&self, names: &[&'static str]) -> Result<(), BenchError> {
        let unknown = |pattern: &&String| {
            let alone = Self(vec![(*pattern).clone()]);
            !names.iter().any(|name| alone.has(name))
        };
        match self.0.iter().find(unknown) {
            Some(pattern) => Err(BenchError::NoCase { pattern: pattern.clone(), names: names.to_vec() }),
            None => Ok(()),
        }
    }
}

/// Stages what `cases` need, then runs one after the other.
fn run_all(
    cases: &[Box<dyn Case>],
    systems: &[System],
    apps: &Apps,
    plan: &Plan,
    report: &mut Report,
) -> Result<(), BenchError> {
    let needed: BTreeSet<App> = cases.iter().flat_map(|case| case.apps()).copied().collect();
    apps.stage(&needed.into_iter().collect::<Vec<_>>())?;
    for case in cases {
        run(&**case, systems, plan, report);
    }
    Ok(())
}

/// Runs `case` for all systems, interleaved, and adds its rows to the report.
fn run(case: &dyn Case, systems: &[System], plan: &Plan, report: &mut Report) {
    let systems: Vec<&System> = systems.iter().filter(|system| case.includes(system)).collect();
    let measure = |system: &&System| Ok(vec![(system.name, case.measure(system, plan)?)]);
    take_turns(case.name(), case.metrics(), &systems, |system| system.name, plan, report, measure);
}

/// What a turn found out: for each column of the table, a figure per metric. Columns that have no figure for the last
/// metrics give fewer.
type Figures = Vec<(&'static str, Vec<f64>)>;

/// Has all systems take their turns in each round, every other round in the reverse order, and adds the rows of the case to
/// the report. A failure is recorded, and the system takes no more turns in this case: its figures would be of a selection
/// of good runs. A system that does not take what it is told is skipped.
fn take_turns<S>(
    case: &str,
    metrics: Vec<Metric<'_>>,
    systems: &[S],
    name_of: impl Fn(&S) -> &'static str,
    plan: &Plan,
    report: &mut Report,
    mut measure: impl FnMut(&S) -> Result<Figures, BenchError>,
) {
    let mut runs: Vec<BTreeMap<&'static str, Vec<f64>>> = vec![BTreeMap::new(); metrics.len()];
    let mut standing: Vec<&S> = systems.iter().collect();
    for (round, reversed) in plan.rounds() {
        let turns: Vec<&S> = if reversed { standing.iter().rev().copied().collect() } else { standing.clone() };
        for system in turns {
            match measure(system) {
                Ok(figures) => {
                    for (name, figures) in figures {
                        progress(case, round, plan, name, &metrics, &figures);
                        if round == 0 {
                            continue;
                        }
                        for (runs, figure) in runs.iter_mut().zip(figures) {
                            runs.entry(name).or_default().push(figure);
                        }
                    }
                }
                Err(error) => {
                    let name = name_of(system);
                    record(report, case, name, round, &error);
                    standing.retain(|other| name_of(other) != name);
                    for runs in &mut runs {
                        runs.remove(name);
                    }
                }
            }
        }
    }
    for (metric, runs) in metrics.into_iter().zip(&runs) {
        report.add(case, metric, runs);
    }
}

fn record(report: &mut Report, case: &str, system: &str, round: u32, error: &BenchError) {
    let text = error.chain();
    if matches!(error, BenchError::Refused { .. }) {
        eprintln!("{case}: {system} skipped: {text}");
        report.skipped.insert(format!("{system}, {case}"), text);
        return;
    }
    eprintln!("{case}: {system} failed: {text}");
    report.failures.push(Failure { system: system.to_owned(), case: case.to_owned(), round, error: text });
}

fn progress(case: &str, round: u32, plan: &Plan, system: &str, metrics: &[Metric<'_>], figures: &[f64]) {
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

    use super::{Case, Plan, Selection, run};
    use crate::apps::{App, Apps};
    use crate::error::BenchError;
    use crate::machine;
    use crate::report::{Better, Metric, Report};
    use crate::systems::{Peer, Repository, System};

    /// A case that notes whose turn it is, and fails in the `fails_at`th turn of `node`.
    struct Notes {
        turns: RefCell<Vec<&'static str>>,
        fails_at: usize,
        failure: fn() -> BenchError,
    }

    const BROKEN: fn() -> BenchError = || BenchError::Load("broken".into());

    impl Case for Notes {
        fn name(&self) -> &'static str {
            "notes"
        }

        fn metrics(&self) -> Vec<Metric<'static>> {
            let turn = Metric { name: "turn", unit: "1", better: Better::Lower };
            vec![turn, Metric { name: "of ours", ..turn }]
        }

        fn apps(&self) -> &'static [App] {
            &[]
        }

        fn includes(&self, system: &System) -> bool {
            system.name != "deno"
        }

        fn measure(&self, system: &System, _plan: &Plan) -> Result<Vec<f64>, BenchError> {
            let mut turns = self.turns.borrow_mut();
            turns.push(system.name);
            let own = turns.iter().filter(|name| **name == system.name).count();
            if system.name == "node" && own == self.fails_at {
                return Err((self.failure)());
            }
            let figures = if system.is_atoll() { 2 } else { 1 };
            Ok(vec![own as f64; figures])
        }
    }

    fn run_notes(fails_at: usize, failure: fn() -> BenchError) -> (Vec<&'static str>, Report) {
        let repository = Repository::find().expect("the checkout");
        let apps = Apps::of(&repository).expect("a directory");
        let systems = System::all(&repository, &apps, None, &[Peer::Bun, Peer::Deno, Peer::Node]);
        let mut report = Report::new("test", Vec::new(), machine::describe().expect("a machine"));
        let case = Notes { turns: RefCell::default(), fails_at, failure };
        run(&case, &systems, &Plan { rounds: 2, ..Plan::FULL }, &mut report);
        (case.turns.into_inner(), report)
    }

    #[test]
    fn systems_take_turns_and_every_other_round_is_reversed() {
        let (turns, report) = run_notes(usize::MAX, BROKEN);
        assert_eq!(turns, ["atoll", "bun", "node", "node", "bun", "atoll", "atoll", "bun", "node"]);
        let runs = &report.results[0].systems["bun"].runs;
        assert_eq!(*runs, [2.0, 3.0], "the warm-up is not counted");
    }

    #[test]
    fn a_system_that_fails_has_no_figure_and_the_others_go_on() {
        let (turns, report) = run_notes(2, BROKEN);
        assert_eq!(turns, ["atoll", "bun", "node", "node", "bun", "atoll", "atoll", "bun"]);
        let names: Vec<&String> = report.results[0].systems.keys().collect();
        assert_eq!(names, ["atoll", "bun"]);
        assert_eq!((report.failures[0].system.as_str(), report.failures[0].round), ("node", 1));
        assert!(report.failures[0].error.contains("broken"));
    }

    #[test]
    fn a_system_that_refuses_is_skipped_and_not_a_failure() {
        let (_, report) = run_notes(1, || BenchError::Refused { code: 2, output: "unknown key".into() });
        assert!(report.failures.is_empty());
        assert!(report.skipped["node, notes"].contains("unknown key"));
        assert!(!report.is_complete());
        assert!(!report.results[0].systems.contains_key("node"));
    }

    #[test]
    fn a_system_without_a_figure_for_a_metric_has_none_in_its_row() {
        let (_, report) = run_notes(usize::MAX, BROKEN);
        let names: Vec<&str> = report.results[1].systems.keys().map(String::as_str).collect();
        assert_eq!((report.results[1].metric.as_str(), names), ("of ours", vec!["atoll"]));
    }

    #[test]
    fn a_case_is_selected_by_a_part_of_its_name() {
        let selection = |patterns: &[&str]| Selection(patterns.iter().map(|&pattern| pattern.to_owned()).collect());
        assert!(selection(&[]).has("hello, all cores"));
        assert!(selection(&["start", "ALL"]).has("hello, all cores"));
        assert!(!selection(&["start"]).has("hello, all cores"));

        let names = ["hello, all cores", "in engine"];
        assert!(selection(&["Engine", "hello"]).check(&names).is_ok());
        assert!(selection(&[]).check(&names).is_ok());
        let error = selection(&["hello", "helo"]).check(&names).expect_err("a typing mistake");
        assert_eq!(error.to_string(), "no case has \"helo\" in its name; there are: hello, all cores; in engine");
    }
}
