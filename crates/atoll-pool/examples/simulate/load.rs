//! Requests of many tenants, drawn from a seed: the same ones for every policy.

use std::time::Duration;

/// How requests are spread over tenants and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Zipf: the second tenant has half of the first one's requests, if the exponent is 1.
    Steady,
    /// Zipf, but who is popular changes: within two hours each tenant has been the first once.
    Shift,
    /// Zipf, and one request in five is for a tenant that is asked once in a long time, in turn.
    Scan,
    /// Visits: a tenant, drawn by Zipf, gets some twenty requests within some ten seconds, then nothing for a while.
    Visits,
}

impl Shape {
    pub(crate) const ALL: [Self; 4] = [Self::Steady, Self::Shift, Self::Scan, Self::Visits];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Shift => "shift",
            Self::Scan => "scan",
            Self::Visits => "visits",
        }
    }
}

/// What is simulated.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) shape: Shape,
    pub(crate) tenants: usize,
    pub(crate) requests: usize,
    /// The exponent of the tenants' popularity.
    pub(crate) zipf: f64,
    /// Requests each second.
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

/// In [`Shape::Scan`]: tenants that are asked in turn, for each of the others.
pub(crate) const SCANNED_PER_TENANT: usize = 10;

/// In [`Shape::Shift`]: time in which everybody was first once.
const DAY: Duration = Duration::from_hours(2);

/// In [`Shape::Visits`]: requests of a visit, and seconds between two of them, on average.
const VISIT_REQUESTS: f64 = 20.0;
const VISIT_PAUSE_S: f64 = 0.5;

/// A generator of random numbers: xorshift with a multiplication, good enough for loads, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// In `0.0..1.0`.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// With this mean: the time between independent events.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// With this median; two thirds of all are within a factor of `spread.exp()`.
    pub(crate) fn lognormal(&mut self, median: f64, spread: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        median * (spread * radius * (std::f64::consts::TAU * self.uniform()).cos()).exp()
    }
}

/// A request: when, and for which tenant.
pub(crate) type Arrival = (Duration, usize);

impl Load {
    /// Tenants, those included that are only scanned.
    pub(crate) fn tenants_in_all(&self) -> usize {
        if self.shape == Shape::Scan { self.tenants * (1 + SCANNED_PER_TENANT) } else { self.tenants }
    }

    /// All requests, in the order of their arrival.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut random = Random::new(self.seed);
        let mut sums = Vec::with_capacity(self.tenants);
        let mut sum = 0.0;
        for rank in 1..=self.tenants {
            sum += (rank as f64).powf(-self.zipf);
            sums.push(sum);
        }
        let popular = |random: &mut Random| {
            let at = random.uniform() * sum;
            sums.partition_point(|upper| *upper <= at).min(self.tenants - 1)
        };
        let mut arrivals = Vec::with_capacity(self.requests);
        let mut now = 0.0;
        let mut scanned = 0;
        while arrivals.len() < self.requests {
            let rank = popular(&mut random);
            let at = Duration::from_secs_f64(now);
            match self.shape {
                Shape::Shift => {
                    let turned = at.div_duration_f64(DAY).fract() * self.tenants as f64;
                    arrivals.push((at, (rank + turned as usize) % self.tenants));
                }
                Shape::Scan if random.uniform() < 0.2 => {
                    arrivals.push((at, self.tenants + scanned));
                    scanned = (scanned + 1) % (self.tenants * SCANNED_PER_TENANT);
                }
                Shape::Steady | Shape::Scan => arrivals.push((at, rank)),
                Shape::Visits => {
                    let mut later = now;
                    let length = random.exponential(VISIT_REQUESTS).ceil() as usize;
                    for _ in 0..length.min(self.requests - arrivals.len()) {
                        arrivals.push((Duration::from_secs_f64(later), rank));
                        later += random.exponential(VISIT_PAUSE_S);
                    }
                    now += random.exponential(length as f64 / self.rate);
                    continue;
                }
            }
            now += random.exponential(1.0 / self.rate);
        }
        arrivals.sort_unstable();
        arrivals
    }
}
