//! The simulation answers every request, and the default policy is no worse than the plainest.

#[path = "../../examples/simulate/load.rs"]
mod load;
#[path = "../../examples/simulate/simulation.rs"]
mod simulation;

use atoll_pool::{Config, EvictionPolicy};
use load::{Load, Shape};
use simulation::simulate;

/// How far the default's warm rate may be below that of LRU. It is in [`Shape::Visits`] only, where nothing but recency
/// tells who comes next; it is far above in all others.
const TOLERANCE: f64 = 0.02;

#[test]
fn the_default_policy_keeps_as_many_requests_warm_as_lru_in_every_shape() {
    for shape in Shape::ALL {
        let load = Load { shape, tenants: 200, requests: 20_000, zipf: 1.0, rate: 100.0, seed: 7 };
        let arrivals = load.arrivals();
        let run = |policy| {
            let config = Config { budget_bytes: 100 << 20, policy, ..Config::default() };
            let report = simulate(&load, &arrivals, config);
            assert_eq!(report.latencies.len(), arrivals.len(), "{}: all are answered", shape.name());
            assert_eq!(report.refused, 0);
            assert!(report.cold_starts > 0 && report.evictions > 0, "{}: the budget is short", shape.name());
            assert!(report.isolates_max <= 100, "{}: an isolate takes more than a mebibyte", shape.name());
            report
        };
        // What the default is there for: frequency counts where there is any.
        let gain = if shape == Shape::Visits { -TOLERANCE } else { TOLERANCE };
        let (default, lru) = (run(EvictionPolicy::default()), run(EvictionPolicy::Lru));
        assert!(
            default.warm_rate() >= lru.warm_rate() + gain,
            "{}: {} against {}",
            shape.name(),
            default.warm_rate(),
            lru.warm_rate()
        );
        // The same history again leads to the same decisions.
        assert_eq!(run(EvictionPolicy::default()).latencies, default.latencies);
    }
}
