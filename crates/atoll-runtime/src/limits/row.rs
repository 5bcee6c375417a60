//! One limit, and how its numbers become the typed fields of [`Limits`].

use super::Limits;
use atoll_engine::Reason;
use std::fmt;
use std::time::Duration;

/// A limit.
#[derive(Debug)]
pub struct LimitRow {
    /// Its name: `cpu-ms` in `atoll.toml`, `--cpu-ms` on the command line.
    pub key: &'static str,
    /// What its numbers count.
    pub unit: Unit,
    /// `atoll serve`'s default, in units.
    pub serve: u64,
    /// `atoll run`'s default.
    pub run: RunDefault,
    /// The smallest number that is accepted, in units.
    pub smallest: u64,
    /// The largest, in units: above any need, and far from overflow.
    pub largest: u64,
    /// Whose use is counted together.
    pub scope: Scope,
    /// What happens when it is reached.
    pub hit: Hit,
    /// What it bounds: a phrase without a full stop.
    pub bounds: &'static str,
    /// What a guest or a client sees when it is reached, and what is good to know: sentences.
    pub effect: &'static str,
    pub(super) read: fn(&Limits) -> u64,
    pub(super) write: fn(&mut Limits, u64),
}

impl LimitRow {
    /// The limit's number, in units.
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.read)(limits)
    }

    /// Sets the limit to a number of units; who takes the number from outside checks it against the range.
    pub fn set(&self, limits: &mut Limits, value: u64) {
        (self.write)(limits, value);
    }

    /// Whether the number is one that the limit may have.
    pub fn accepts(&self, value: u64) -> bool {
        (self.smallest..=self.largest).contains(&value)
    }
}

/// What a limit's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 1,048,576 bytes.
    MiB,
    /// 1,024 bytes.
    KiB,
    /// Milliseconds.
    Ms,
    /// Pieces.
    Count,
    /// 1 for allowed, 0 for forbidden; `true` and `false` where people write it.
    Switch,
}

impl Unit {
    /// A number with its unit, as documents and messages show it: `128 MiB`, `1,000 ms`, `allowed`.
    pub fn show(self, value: u64) -> String {
        match self {
            Self::MiB => format!("{} MiB", grouped(value)),
            Self::KiB => format!("{} KiB", grouped(value)),
            Self::Ms => format!("{} ms", grouped(value)),
            Self::Count => grouped(value),
            Self::Switch if value == 0 => "forbidden".to_owned(),
            Self::Switch => "allowed".to_owned(),
        }
    }
}

/// `1234567` → `1,234,567`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What `atoll run` does with a limit that was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunDefault {
    /// It has this number, in units.
    Value(u64),
    /// There is none: a program may take its time, and its user can stop it.
    Unlimited,
    /// There is none, and no flag for one: it concerns requests, which a program does not answer.
    NotApplicable,
}

/// Whose use is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One worker: all that its requests use together.
    Worker,
    /// One request, with all that JavaScript does on its behalf. A program of `atoll run` counts as one.
    Request,
    /// All workers of a deployment together.
    Deployment,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Worker => "worker",
            Self::Request => "request",
            Self::Deployment => "deployment",
        })
    }
}

/// What happens when a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// The guest is ended by force for this reason, and its worker discarded.
    Kill(Reason),
    /// The client gets this status; the worker goes on.
    Status(u16),
    /// The guest's call throws, or its promise is rejected; the worker goes on.
    Throws,
    /// What is above the limit waits in line.
    Waits,
    /// What is above the limit is left out.
    Silence,
    /// The worker finishes what it has under way, and a fresh one takes its place.
    Replaced,
}

/// The number that stands for "no limit" in the table.
const NONE: u64 = u64::MAX;

/// Longer than any process lives, and short enough to be added to any moment.
const UNLIMITED: Duration = Duration::from_hours(100 * 365 * 24);

pub(super) const fn scaled(value: u64, unit_bytes: u64) -> u64 {
    if value == NONE { NONE } else { value * unit_bytes }
}

pub(super) const fn milliseconds(value: u64) -> Duration {
    if value == NONE { UNLIMITED } else { Duration::from_millis(value) }
}

pub(super) const fn run_number(run: RunDefault) -> u64 {
    match run {
        RunDefault::Value(value) => value,
        RunDefault::Unlimited | RunDefault::NotApplicable => NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_their_unit() {
        for (unit, value, text) in [
            (Unit::MiB, 128, "128 MiB"),
            (Unit::Ms, 30_000, "30,000 ms"),
            (Unit::Count, 1_000_000_000, "1,000,000,000"),
            (Unit::Switch, 1, "allowed"),
            (Unit::Switch, 0, "forbidden"),
        ] {
            assert_eq!(unit.show(value), text);
        }
    }
}
