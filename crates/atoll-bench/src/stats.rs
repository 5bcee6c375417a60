//! Median, minimum and maximum of a few runs.

use serde::Serialize;

/// The figures of one system in one case: all counted runs, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) runs: Vec<f64>,
}

impl Summary {
    /// The summary of `runs`; `None` where there are none.
    pub(crate) fn of(runs: Vec<f64>) -> Option<Self> {
        let median = median(&runs)?;
        let min = runs.iter().copied().fold(f64::INFINITY, f64::min);
        let max = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { median, min, max, runs })
    }
}

/// The middle value, or the mean of the two middle values. `None` for an empty slice.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The smallest value that `percent` of all values do not exceed. `None` for an empty slice.
pub(crate) fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::{Summary, median, percentile};

    #[test]
    fn a_percentile_is_a_value_that_so_many_do_not_exceed() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 99), Some(99.0));
        assert_eq!(percentile(&hundred[..50], 99), Some(100.0));
        assert_eq!(percentile(&[7.0], 1), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn the_median_is_the_middle_value_of_the_sorted_runs() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn a_summary_keeps_the_order_of_its_runs() {
        let summary = Summary::of(vec![3.0, 1.0, 2.0]).expect("there are runs");
        assert_eq!(summary, Summary { median: 2.0, min: 1.0, max: 3.0, runs: vec![3.0, 1.0, 2.0] });
        assert_eq!(Summary::of(Vec::new()), None);
    }
}
