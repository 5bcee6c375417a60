//! Compares the pool's eviction policies under loads of many tenants, in virtual time.
//!
//!     cargo run --release -p atoll-pool --example simulate -- --tenants 1000 --budget-mib 512
#![expect(clippy::print_stdout, reason = "a program that prints a table")]

mod load;
mod simulation;

use atoll_pool::{Config, EvictionPolicy};
use clap::Parser;
use load::{Load, Shape};
use simulation::{Report, simulate};
use std::time::Duration;

/// Compares the pool's eviction policies under loads of many tenants, in virtual time.
#[derive(Debug, Parser)]
struct Options {
    /// Tenants, with one deployment each.
    #[arg(long, default_value_t = 1000)]
    tenants: usize,
    /// Requests in all.
    #[arg(long, default_value_t = 2_000_000)]
    requests: usize,
    /// Requests each second.
    #[arg(long, default_value_t = 250.0)]
    rate: f64,
    /// The exponent of the tenants' popularity: 0 is all the same.
    #[arg(long, default_value_t = 1.0)]
    zipf: f64,
    /// Bytes that isolates may have, mebibytes.
    #[arg(long, default_value_t = 512)]
    budget_mib: u64,
    /// Another seed gives other tenants and requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const POLICIES: [(&str, EvictionPolicy); 6] = [
    ("lru", EvictionPolicy::Lru),
    ("second chance", EvictionPolicy::SecondChance),
    ("lru-k", EvictionPolicy::LruK),
    ("lfu, aging", EvictionPolicy::Lfu),
    ("gdsf", EvictionPolicy::Gdsf),
    ("density", EvictionPolicy::Density),
];

fn main() {
    let options = Options::parse();
    println!(
        "| load | policy | warm | p50 ms | p99 ms | p99.9 ms | cold starts | starting s | evictions | shrinks | refused |"
    );
    println!("| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    for shape in Shape::ALL {
        let load = Load {
            shape,
            tenants: options.tenants.max(1),
            requests: options.requests,
            zipf: options.zipf,
            rate: options.rate,
            seed: options.seed,
        };
        let arrivals = load.arrivals();
        for (name, policy) in POLICIES {
            let config = Config { budget_bytes: options.budget_mib << 20, policy, ..Config::default() };
            print_row(shape.name(), name, &simulate(&load, &arrivals, config));
        }
    }
}

fn print_row(shape: &str, policy: &str, report: &Report) {
    let quantile = |part: f64| {
        let index = (report.latencies.len() as f64 * part) as usize;
        let latency = report.latencies.get(index.min(report.latencies.len().saturating_sub(1)));
        latency.copied().unwrap_or(Duration::ZERO).as_secs_f64() * 1e3
    };
    println!(
        "| {shape} | {policy} | {:.3} % | {:.2} | {:.2} | {:.2} | {} | {:.0} | {} | {} | {} |",
        report.warm_rate() * 100.0,
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        report.cold_starts,
        report.starting.as_secs_f64(),
        report.evictions,
        report.shrinks,
        report.refused,
    );
}
