//! What the product is to reach, and whether it does in one run.
//!
//! A target is a bound on our median, by itself or beside another figure of the same run. Nothing is asserted: a run on a
//! busy machine is not a defect. A bound whose reference was not measured in full says so instead of holding by luck.

use serde::Serialize;

use crate::report::{Better, OURS, Report, Row, number};

/// What our figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reference {
    /// Nothing: the bound is in the metric's unit.
    Absolute,
    /// The best of these peers; all of them have to be there.
    Best(&'static [&'static str]),
    /// Our own figure of another metric of the same case.
    Metric(&'static str),
}

/// How far our figure may go, in the direction in which it gets worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    pub(crate) limit: f64,
    pub(crate) of: Reference,
}

/// A row of the product's targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) case: &'static str,
    pub(crate) metric: &'static str,
    /// What has to hold.
    pub(crate) must: Bound,
    /// What would be good.
    pub(crate) aim: Option<Bound>,
}

/// A target and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    name: &'static str,
    case: &'static str,
    metric: &'static str,
    /// Our median; `None` where there is none.
    measured: Option<f64>,
    unit: String,
    must: Verdict,
    aim: Option<Verdict>,
}

/// A bound and whether it holds.
#[derive(Debug, Serialize)]
struct Verdict {
    /// The bound: `≤ 1.05× deno`.
    bound: String,
    /// Our median, divided by the reference where there is one.
    compared: Option<f64>,
    /// The peer or the metric that it was compared with.
    reference: Option<String>,
    holds: Option<bool>,
}

impl Target {
    /// What the report's figures say about this target.
    pub(crate) fn judge(&self, report: &Report) -> Outcome {
        let row = report.row(self.case, self.metric);
        let ours = row.and_then(|row| Some(row.systems.get(OURS)?.median));
        let judge = |bound: &Bound| bound.judge(report, self.case, row, ours);
        Outcome {
            name: self.name,
            case: self.case,
            metric: self.metric,
            measured: ours,
            unit: row.map(|row| row.unit.clone()).unwrap_or_default(),
            must: judge(&self.must),
            aim: self.aim.as_ref().map(judge),
        }
    }
}

impl Bound {
    fn judge(&self, report: &Report, case: &str, row: Option<&Row>, ours: Option<f64>) -> Verdict {
        let times = if self.of == Reference::Absolute { "" } else { "×" };
        let Some(row) = row else {
            let bound = format!("{}{times}", self.limit);
            return Verdict { bound, compared: None, reference: None, holds: None };
        };
        let sign = if row.better == Better::Higher { '≥' } else { '≤' };
        let bound = format!("{sign} {}{times}", self.limit);
        let (reference, divisor) = match self.of {
            Reference::Absolute => (None, Some(1.0)),
            Reference::Best(peers) => {
                let best = best(row, peers);
                (best.map(|(name, _)| name), best.map(|(_, median)| median))
            }
            Reference::Metric(name) => {
                let other = report.row(case, name).and_then(|row| Some(row.systems.get(OURS)?.median));
                (Some(name), other)
            }
        };
        let compared = ours.zip(divisor).filter(|(_, divisor)| *divisor > 0.0).map(|(ours, divisor)| ours / divisor);
        let holds = compared.map(|compared| match row.better {
            Better::Higher => compared >= self.limit,
            Better::Lower => compared <= self.limit,
        });
        Verdict { bound, compared, reference: reference.map(str::to_owned), holds }
    }
}

/// The best of `peers` and its median; `None` where one of them is missing.
fn best<'a>(row: &Row, peers: &[&'a str]) -> Option<(&'a str, f64)> {
    let medians: Option<Vec<(&str, f64)>> =
        peers.iter().map(|&name| Some((name, row.systems.get(name)?.median))).collect();
    let medians = medians?.into_iter();
    match row.better {
        Better::Higher => medians.max_by(|first, second| first.1.total_cmp(&second.1)),
        Better::Lower => medians.min_by(|first, second| first.1.total_cmp(&second.1)),
    }
}

impl Outcome {
    /// The columns' names.
    pub(crate) const HEAD: [&'static str; 4] = ["", "measured", "must reach", "aim"];

    /// The cells of the target's line.
    pub(crate) fn cells(&self) -> Vec<String> {
        let measured = self.measured.map_or_else(|| "–".to_owned(), |value| format!("{} {}", number(value), self.unit));
        let aim = self.aim.as_ref().map(|verdict| verdict.text(&self.unit)).unwrap_or_default();
        vec![self.name.to_owned(), measured.trim_end().to_owned(), self.must.text(&self.unit), aim]
    }
}

impl Verdict {
    fn text(&self, unit: &str) -> String {
        let mark = match self.holds {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "not measured",
        };
        match (&self.reference, self.compared) {
            (Some(reference), Some(compared)) => format!("{compared:.2}× {reference} {} {mark}", self.bound),
            (None, Some(_)) => format!("{} {unit} {mark}", self.bound),
            _ => format!("{} {mark}", self.bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Bound, Reference, Target};
    use crate::machine;
    use crate::report::{Better, Metric, Report};

    fn report() -> Report {
        let mut report = Report::new("runtime", Vec::new(), machine::describe().expect("a machine"));
        let rate = Metric { name: "requests", unit: "1/s", better: Better::Higher };
        report.add("hello", rate, &BTreeMap::from([("atoll", vec![90.0]), ("deno", vec![100.0]), ("bun", vec![60.0])]));
        let time = Metric { name: "new", unit: "µs", better: Better::Lower };
        report.add("engine", time, &BTreeMap::from([("atoll", vec![3.0])]));
        report.add("engine", Metric { name: "bare", ..time }, &BTreeMap::from([("atoll", vec![2.0])]));
        report
    }

    fn line(case: &'static str, metric: &'static str, must: Bound, aim: Option<Bound>) -> String {
        Target { name: "a target", case, metric, must, aim }.judge(&report()).cells().join(" | ")
    }

    #[test]
    fn a_bound_is_judged_in_the_direction_of_its_metric() {
        let of = Reference::Best(&["deno", "bun"]);
        let cells = line("hello", "requests", Bound { limit: 0.8, of }, Some(Bound { limit: 1.0, of }));
        assert_eq!(cells, "a target | 90.0 1/s | 0.90× deno ≥ 0.8× ✓ | 0.90× deno ≥ 1× ✗");
        let of = Reference::Absolute;
        let cells = line("engine", "new", Bound { limit: 2.0, of }, Some(Bound { limit: 3.0, of }));
        assert_eq!(cells, "a target | 3.00 µs | ≤ 2 µs ✗ | ≤ 3 µs ✓");
    }

    #[test]
    fn a_bound_beside_another_metric_is_a_ratio_of_our_own_figures() {
        let of = Reference::Metric("bare");
        assert_eq!(
            line("engine", "new", Bound { limit: 1.5, of }, None),
            "a target | 3.00 µs | 1.50× bare ≤ 1.5× ✓ | "
        );
    }

    #[test]
    fn what_was_not_measured_neither_holds_nor_fails() {
        let of = Reference::Best(&["deno", "workerd"]);
        let cells = line("hello", "requests", Bound { limit: 0.1, of }, None);
        assert_eq!(cells, "a target | 90.0 1/s | ≥ 0.1× not measured | ", "the best of the two is not known");
        let cells = line("absent", "requests", Bound { limit: 1.0, of: Reference::Absolute }, None);
        assert_eq!(cells, "a target | – | 1 not measured | ");
        let none = Bound { limit: 1.0, of: Reference::Metric("absent") };
        assert_eq!(line("engine", "new", none, None), "a target | 3.00 µs | ≤ 1× not measured | ");
    }

    #[test]
    fn the_report_shows_targets_in_its_table_and_in_json() {
        let mut report = report();
        let of = Reference::Best(&["deno"]);
        let target =
            Target { name: "fast", case: "hello", metric: "requests", must: Bound { limit: 0.8, of }, aim: None };
        report.targets = vec![target.judge(&report)];
        let table = report.table();
        let line = table.lines().find(|line| line.contains("fast")).expect("a line for the target");
        assert_eq!(line.split_whitespace().collect::<Vec<_>>().join(" "), "fast 90.0 1/s 0.90× deno ≥ 0.8× ✓");
        let json = serde_json::to_value(&report.targets).expect("serialisable");
        let must = serde_json::json!({ "bound": "≥ 0.8×", "compared": 0.9, "reference": "deno", "holds": true });
        assert_eq!(json[0]["must"], must);
        assert_eq!(json[0]["aim"], serde_json::Value::Null);
    }
}
