//! From what was counted to the text that monitoring reads.

use atoll_engine::Reason;
use atoll_pool::EndReason;
use atoll_runtime::metrics::{AppMetrics, Counter, Refused, STATUS_CLASSES, Started};
use atoll_runtime::{Metrics, PoolReport};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, encode};
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub(super) use prometheus_text::CONTENT_TYPE;

/// All numbers at one moment.
#[derive(Debug)]
pub(super) struct Exposition {
    pub(super) metrics: Arc<Metrics>,
    pub(super) apps: Vec<(String, Arc<AppMetrics>)>,
    pub(super) pools: Vec<PoolReport>,
    /// Threads that run guests.
    pub(super) threads: usize,
    /// Of these, those that did not answer.
    pub(super) computing: usize,
    pub(super) resident_bytes: Option<u64>,
}

/// A row of a metric: its labels' values, and its number.
type Row<'a, N> = (Vec<(&'static str, &'a str)>, N);

impl Exposition {
    pub(super) fn encode(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// A row for each deployment.
    fn by_app(&self, number: impl Fn(&AppMetrics) -> f64) -> Vec<Row<'_, f64>> {
        self.apps.iter().map(|(name, metrics)| (vec![("deployment", name.as_str())], number(metrics))).collect()
    }

    /// A row for each deployment and value of another label.
    fn by_app_and<const N: usize>(
        &self,
        label: &'static str,
        values: [&'static str; N],
        numbers: impl Fn(&AppMetrics) -> [u64; N],
    ) -> Vec<Row<'_, u64>> {
        let rows = self.apps.iter().flat_map(|(name, metrics)| {
            values
                .into_iter()
                .zip(numbers(metrics))
                .map(|(value, number)| (vec![("deployment", name.as_str()), (label, value)], number))
        });
        rows.collect()
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.counters(encoder)?;
        self.residents(encoder)?;
        self.process(encoder)
    }
}

impl Exposition {
    fn counters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(
            encoder,
            "atoll_responses",
            "Responses, by deployment and class of status",
            self.by_app_and("status", STATUS_CLASSES, |metrics| metrics.traffic.responses()),
        )?;
        let unrouted = STATUS_CLASSES.into_iter().zip(self.metrics.unrouted.traffic.responses());
        counter(
            encoder,
            "atoll_unrouted_responses",
            "Responses to requests that lead to no deployment, by class of status",
            unrouted.map(|(class, number)| (vec![("status", class)], number)),
        )?;
        counter(
            encoder,
            "atoll_kills",
            "Guests and requests that were ended by force, by deployment and reason",
            self.by_app_and("reason", Reason::ALL.map(Reason::name), |metrics| {
                metrics.kills.each_ref().map(Counter::get)
            }),
        )?;
        counter(
            encoder,
            "atoll_refusals",
            "Requests that no worker got, by deployment and reason",
            self.by_app_and("reason", Refused::ALL.map(Refused::name), |metrics| {
                metrics.refusals.each_ref().map(Counter::get)
            }),
        )?;
        counter(
            encoder,
            "atoll_starts",
            "Starts of workers, by deployment and what was made: an isolate (a cold start), a context, or nothing",
            self.by_app_and("made", Started::ALL.map(Started::name), |metrics| {
                metrics.starts.each_ref().map(Counter::get)
            }),
        )?;
        counter(
            encoder,
            "atoll_isolates_ended",
            "Isolates that ended, by deployment and reason; idle ones were displaced, or memory was short",
            self.by_app_and("reason", EndReason::ALL.map(EndReason::name), |metrics| {
                metrics.ends.each_ref().map(Counter::get)
            }),
        )?;
        counter(
            encoder,
            "atoll_start_seconds",
            "Time that starts of workers took, by deployment",
            self.by_app(|metrics| seconds(metrics.start_nanoseconds.get())),
        )?;
        counter(
            encoder,
            "atoll_cpu_seconds",
            "CPU time of guests' JavaScript, by deployment",
            self.by_app(|metrics| seconds(metrics.traffic.cpu_nanoseconds())),
        )
    }

    fn residents(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut held = BTreeMap::new();
        for (name, holding) in self.pools.iter().flat_map(|pool| &pool.holdings) {
            let (states, bytes, waiting) = held.entry(name.as_str()).or_insert(([0_u64; 4], 0_u64, 0_u64));
            let counts = [holding.starting, holding.busy, holding.idle, holding.retired];
            for (state, count) in states.iter_mut().zip(counts) {
                *state += count as u64;
            }
            *bytes += holding.bytes;
            *waiting += holding.waiting as u64;
        }
        let states = held.iter().flat_map(|(name, (counts, ..))| {
            let states = ["starting", "busy", "idle", "retired"].into_iter().zip(*counts);
            states.map(|(state, count)| (vec![("deployment", *name), ("state", state)], count))
        });
        gauge(encoder, "atoll_isolates", "Isolates, by deployment and what they are doing", states)?;
        let bytes = held.iter().map(|(name, (_, bytes, _))| (vec![("deployment", *name)], *bytes));
        gauge(encoder, "atoll_isolate_bytes", "Memory of isolates as last measured, by deployment", bytes)?;
        let waiting = held.iter().map(|(name, (.., waiting))| (vec![("deployment", *name)], *waiting));
        gauge(encoder, "atoll_waiting_requests", "Requests that wait for a worker, by deployment", waiting)?;
        let sum = |number: fn(&PoolReport) -> u64| [(Vec::new(), self.pools.iter().map(number).sum::<u64>())];
        gauge(
            encoder,
            "atoll_spare_isolates",
            "Isolates that are made ahead and nobody's yet",
            sum(|pool| pool.stats.spares as u64),
        )?;
        gauge(
            encoder,
            "atoll_pool_bytes",
            "Memory of all isolates, spares included, as last measured",
            sum(|pool| pool.stats.bytes),
        )?;
        gauge(
            encoder,
            "atoll_pool_limit_bytes",
            "Memory that isolates may have at present: less than configured while the machine is short of it",
            sum(|pool| pool.stats.limit_bytes),
        )
    }

    fn process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let answering = (self.threads - self.computing) as u64;
        gauge(
            encoder,
            "atoll_threads",
            "Threads that run guests, by whether they answered at once or computed meanwhile: then gauges are as they were",
            [(vec![("state", "answering")], answering), (vec![("state", "computing")], self.computing as u64)],
        )?;
        gauge(
            encoder,
            "atoll_lane_deployments",
            "Deployments that compute for so long that they are served on a thread beside the others",
            [(Vec::new(), self.metrics.in_lanes.get())],
        )?;
        let resident = self.resident_bytes.map(|bytes| (Vec::new(), bytes));
        gauge(encoder, "process_resident_memory_bytes", "Resident memory of the process", resident)
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

fn counter<'a, N: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = Row<'a, N>>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, number) in rows {
        ConstCounter::new(number).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge<'a, N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = Row<'a, N>>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, number) in rows {
        ConstGauge::new(number).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn exposition(names: &[&str]) -> String {
        let metrics = Arc::new(Metrics::default());
        for name in names {
            metrics.of(name).responded(StatusCode::OK);
        }
        metrics.unrouted.responded(StatusCode::NOT_FOUND);
        let exposition = Exposition {
            apps: metrics.apps(),
            metrics,
            pools: vec![PoolReport::default()],
            threads: 3,
            computing: 1,
            resident_bytes: Some(5),
        };
        exposition.encode().expect("a string takes text")
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let text = exposition(&["shop"]);
        for line in text.lines() {
            let is_comment = line.starts_with("# HELP ") || line.starts_with("# TYPE ");
            let is_sample = line.rsplit_once(' ').is_some_and(|(_, number)| number.parse::<f64>().is_ok());
            assert!(is_comment || is_sample, "{line}");
        }
        for line in [
            "atoll_responses_total{deployment=\"shop\",status=\"2xx\"} 1",
            "atoll_responses_total{deployment=\"shop\",status=\"5xx\"} 0",
            "atoll_unrouted_responses_total{status=\"4xx\"} 1",
            "atoll_kills_total{deployment=\"shop\",reason=\"deploy\"} 0",
            "atoll_starts_total{deployment=\"shop\",made=\"isolate\"} 0",
            "atoll_threads{state=\"answering\"} 2",
            "process_resident_memory_bytes 5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../../../../docs/metrics.md");
        let text = exposition(&["shop"]);
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for name in names {
            assert!(page.contains(&format!("| `{name}` |")), "docs/metrics.md lacks {name}");
        }
        let reasons = EndReason::ALL.map(EndReason::name).into_iter().chain(Refused::ALL.map(Refused::name));
        for name in reasons.chain(Started::ALL.map(Started::name)) {
            assert!(page.contains(&format!("`{name}`")), "docs/metrics.md lacks {name}");
        }
    }

    #[test]
    fn no_name_forges_a_sample() {
        let hostile = "a\"} 1\natoll_kills_total{deployment=\"victim\",reason=\"cpu\"} 99\\";
        let text = exposition(&[hostile]);
        assert!(!text.lines().any(|line| line.starts_with("atoll_kills_total{deployment=\"victim\"")), "{text}");
        let escaped = r#"atoll_responses_total{deployment="a\"} 1\natoll_kills_total{deployment=\"victim\",reason=\"cpu\"} 99\\",status="2xx"} 1"#;
        assert!(text.lines().any(|line| line == escaped), "{text}");
    }
}
