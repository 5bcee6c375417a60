//! The result of a suite: one JSON shape and one table for all suites.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::BenchError;
use crate::machine::Machine;
use crate::stats::Summary;
use crate::targets::Outcome;

/// The system that ratios compare with its peers.
pub(crate) const OURS: &str = "atoll";

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What a figure is: two figures of the same metric can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) better: Better,
}

/// All that a run of a suite found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) suite: &'static str,
    pub(crate) machine: Machine,
    /// System → version.
    pub(crate) versions: BTreeMap<String, String>,
    /// What the suite's random choices begin with, where it makes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// The arguments that repeat this run.
    pub(crate) command: Vec<String>,
    pub(crate) results: Vec<Row>,
    /// What the product is to reach, beside what was measured.
    pub(crate) targets: Vec<Outcome>,
    /// A system, or a case → why it was not measured at all.
    pub(crate) skipped: BTreeMap<String, String>,
    /// Measurements that did not come about.
    pub(crate) failures: Vec<Failure>,
}

/// One metric of one case, of all systems.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) metric: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    /// System → its figures.
    pub(crate) systems: BTreeMap<String, Summary>,
    /// Peer → our median divided by the peer's.
    pub(crate) ratios: BTreeMap<String, f64>,
}

/// A measurement that did not come about.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) system: String,
    pub(crate) case: String,
    /// The counted round, from 1; 0 is the warm-up.
    pub(crate) round: u32,
    pub(crate) error: String,
}

impl Report {
    pub(crate) fn new(suite: &'static str, arguments: Vec<String>, machine: Machine) -> Self {
        let command = ["cargo", "xtask", "bench"].map(str::to_owned).into_iter().chain(arguments).collect();
        Self {
            suite,
            machine,
            versions: BTreeMap::new(),
            seed: None,
            command,
            results: Vec::new(),
            targets: Vec::new(),
            skipped: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Adds the row of one metric: for each system its counted runs. Systems without a run are left out, and so is the row
    /// where that leaves none.
    pub(crate) fn add(&mut self, case: &str, metric: Metric<'_>, runs: &BTreeMap<&'static str, Vec<f64>>) {
        let systems: BTreeMap<String, Summary> =
            runs.iter().filter_map(|(name, runs)| Some(((*name).to_owned(), Summary::of(runs.clone())?))).collect();
        if systems.is_empty() {
            return;
        }
        let ratios = match systems.get(OURS).map(|ours| ours.median) {
            Some(ours) => systems
                .iter()
                .filter(|(name, summary)| *name != OURS && summary.median > 0.0)
                .map(|(name, summary)| (name.clone(), ours / summary.median))
                .collect(),
            None => BTreeMap::new(),
        };
        let Metric { name, unit, better } = metric;
        let (metric, unit) = (name.to_owned(), unit.to_owned());
        self.results.push(Row { case: case.to_owned(), metric, unit, better, systems, ratios });
    }

    /// The row of one metric of one case.
    pub(crate) fn row(&self, case: &str, metric: &str) -> Option<&Row> {
        self.results.iter().find(|row| row.case == case && row.metric == metric)
    }

    /// Whether every system was there and every measurement came about.
    pub(crate) fn is_complete(&self) -> bool {
        self.skipped.is_empty() && self.failures.is_empty()
    }

    /// Writes the report as JSON, into a directory that is made where it is missing.
    pub(crate) fn write(&self, path: &Path) -> Result<(), BenchError> {
        let failed = |source: std::io::Error| BenchError::File { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        fs::write(path, text).map_err(failed)
    }

    /// The report as text: the machine, the versions, one line per metric with the medians and how far runs were apart.
    pub(crate) fn table(&self) -> String {
        let machine = &self.machine;
        let gibibytes = machine.memory_bytes as f64 / f64::from(1 << 30);
        let mut text = format!("{} · {}\n", self.suite, self.command.join(" "));
        let _ = writeln!(text, "{}, {} cores, {gibibytes:.0} GiB, {}", machine.cpu, machine.cores, machine.kernel);
        let versions = self.versions.iter().map(|(name, version)| format!("{name} {version}"));
        let versions: Vec<String> = versions.chain(self.seed.map(|seed| format!("seed {seed}"))).collect();
        let _ = writeln!(text, "{}", versions.join(", "));

        let mut case = "";
        for group in self.results.chunk_by(|first, second| first.case == second.case) {
            for row in group {
                if row.case != case {
                    case = &row.case;
                    let _ = write!(text, "\n{case}\n{}", Self::lines(group));
                }
            }
        }
        if !self.targets.is_empty() {
            let head = Outcome::HEAD.map(str::to_owned).to_vec();
            let lines: Vec<Vec<String>> =
                std::iter::once(head).chain(self.targets.iter().map(Outcome::cells)).collect();
            let _ = write!(text, "\ntargets\n{}", align(&lines));
        }
        for (what, reason) in &self.skipped {
            let _ = writeln!(text, "\nskipped: {what}: {reason}");
        }
        for failure in &self.failures {
            let Failure { system, case, round, error } = failure;
            let _ = writeln!(text, "\nFAILED: {system}, {case}, round {round}: {error}");
        }
        text
    }

    /// The lines of one case: a head, then a line per metric.
    fn lines(rows: &[Row]) -> String {
        let mut names: Vec<&str> = rows.iter().flat_map(|row| row.systems.keys().map(String::as_str)).collect();
        names.sort_unstable_by_key(|name| (*name != OURS, *name));
        names.dedup();
        // Where only we were measured there is nothing to compare with.
        let compares = rows.iter().any(|row| !row.ratios.is_empty());
        let mut cells = vec![head(&names, compares)];
        for row in rows {
            let mut line = vec![format!("{}, {}", row.metric, row.unit)];
            line.extend(names.iter().map(|name| row.systems.get(*name).map_or_else(|| "–".to_owned(), figure)));
            if compares {
                line.push(best_ratio(row).unwrap_or_default());
            }
            cells.push(line);
        }
        align(&cells)
    }
}

fn head(names: &[&str], compares: bool) -> Vec<String> {
    let mut line = vec![String::new()];
    line.extend(names.iter().map(|name| (*name).to_owned()));
    if compares {
        line.push(format!("{OURS} / best peer"));
    }
    line
}

/// A median with the half width of the runs' range, in percent: `61,240 ±3%`.
fn figure(summary: &Summary) -> String {
    let spread = if summary.median > 0.0 { (summary.max - summary.min) / 2.0 / summary.median * 100.0 } else { 0.0 };
    format!("{} ±{spread:.0}%", number(summary.median))
}

/// A number with three to four significant digits.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 1000.0 => {
            let digits = format!("{value:.0}");
            let first = digits.len() % 3;
            let mut text = digits[..first].to_owned();
            for group in digits.as_bytes()[first..].chunks(3) {
                if !text.is_empty() {
                    text.push(',');
                }
                text.push_str(&String::from_utf8_lossy(group));
            }
            text
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Our median divided by that of the peer which does best in this metric.
fn best_ratio(row: &Row) -> Option<String> {
    let pick = |first: &f64, second: &f64| first.total_cmp(second);
    let (ratio, peer) = match row.better {
        Better::Higher => row.ratios.iter().map(|(peer, ratio)| (ratio, peer)).min_by(|a, b| pick(a.0, b.0))?,
        Better::Lower => row.ratios.iter().map(|(peer, ratio)| (ratio, peer)).max_by(|a, b| pick(a.0, b.0))?,
    };
    Some(format!("{ratio:.2}× {peer}"))
}

/// Columns of equal width, the first to the left, the others to the right.
fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::from("  ");
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = if column == 0 { write!(row, "{cell:<width$}") } else { write!(row, "  {cell:>width$}") };
        }
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Better, Failure, Metric, Report, number};
    use crate::machine::Machine;

    const RATE: Metric<'_> = Metric { name: "requests", unit: "1/s", better: Better::Higher };
    const TIME: Metric<'_> = Metric { name: "start", unit: "ms", better: Better::Lower };

    fn report() -> Report {
        let machine = Machine { cpu: "A CPU".into(), cores: 2, kernel: "Linux 6".into(), memory_bytes: 8 << 30 };
        let mut report = Report::new("runtime", vec!["runtime".into()], machine);
        report.versions.insert("node".into(), "20.1".into());
        let runs = BTreeMap::from([
            ("node", vec![60_000.0, 62_000.0, 61_000.0]),
            ("atoll", vec![120_000.0, 122_000.0, 110_000.0]),
            ("deno", vec![100_000.0]),
            ("bun", Vec::new()),
        ]);
        report.add("hello", RATE, &runs);
        report.add("start", TIME, &BTreeMap::from([("node", vec![68.0]), ("deno", vec![25.0]), ("atoll", vec![10.0])]));
        report
    }

    #[test]
    fn ratios_compare_our_median_with_each_peer_that_has_runs() {
        let report = report();
        assert_eq!(report.results[0].ratios, BTreeMap::from([("deno".into(), 1.2), ("node".into(), 120.0 / 61.0)]));
        assert!(!report.results[0].systems.contains_key("bun"));
    }

    #[test]
    fn without_our_figures_there_are_no_ratios() {
        let mut report = report();
        report.add("start", TIME, &BTreeMap::from([("node", vec![68.0])]));
        assert_eq!(report.results[2].ratios, BTreeMap::new());
    }

    #[test]
    fn a_metric_that_nobody_has_is_no_row() {
        let mut report = report();
        report.add("hello", TIME, &BTreeMap::from([("bun", Vec::new())]));
        assert!(report.row("hello", "start").is_none());
    }

    #[test]
    fn the_table_compares_with_the_best_peer_of_each_metric() {
        let table = report().table();
        let expected = "\
runtime · cargo xtask bench runtime
A CPU, 2 cores, 8 GiB, Linux 6
node 20.1

hello
                         atoll         deno        node  atoll / best peer
  requests, 1/s  120,000 ±5%  100,000 ±0%  61,000 ±2%         1.20× deno

start
                  atoll      deno      node  atoll / best peer
  start, ms  10.0 ±0%  25.0 ±0%  68.0 ±0%         0.40× deno
";
        let squeeze = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&table), squeeze(expected));
        let widths: Vec<usize> = table.lines().skip(5).take(2).map(|line| line.chars().count()).collect();
        assert_eq!(widths[0], widths[1], "columns are aligned:\n{table}");
    }

    #[test]
    fn json_has_the_published_shape() {
        let mut report = report();
        report.failures.push(Failure { system: "bun".into(), case: "hello".into(), round: 1, error: "gone".into() });
        let json = serde_json::to_value(&report).expect("serialisable");
        let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["suite", "machine", "versions", "command", "results", "targets", "skipped", "failures"]);
        let expected = serde_json::json!({
            "case": "start", "metric": "start", "unit": "ms", "better": "lower",
            "systems": {
                "atoll": { "median": 10.0, "min": 10.0, "max": 10.0, "runs": [10.0] },
                "deno": { "median": 25.0, "min": 25.0, "max": 25.0, "runs": [25.0] },
                "node": { "median": 68.0, "min": 68.0, "max": 68.0, "runs": [68.0] },
            },
            "ratios": { "deno": 0.4, "node": 10.0 / 68.0 },
        });
        assert_eq!(json["results"][1], expected);
        assert!(!report.is_complete());
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        let texts = [0.123, 8.754, 45.67, 680.4, 1000.0, 61_240.4, 113_000.0, 1_234_567.0].map(number);
        assert_eq!(texts, ["0.12", "8.75", "45.7", "680", "1,000", "61,240", "113,000", "1,234,567"]);
    }
}
