//! What a worker may use: one table from which everything about limits comes.
//!
//! A row of the table ([`table`]) is a limit's name, default, range and effect. The struct [`Limits`], the defaults of
//! `atoll serve` and `atoll run`, the command line's flags, the keys of `atoll.toml` with their schema, and the
//! page `docs/limits.md` are made from the rows, so that none of them can say something else.

mod kills;
mod markdown;
mod row;
mod table;

pub use kills::{KILLS, Kill};
pub use markdown::page;
pub use row::{Hit, LimitRow, RunDefault, Scope, Unit};
pub use table::{LIMITS, Limits};

use atoll_engine::{Allowance, MemoryLimits, TurnBudget};
use atoll_web::RequestLimits;

/// The row of a limit, by its key.
pub fn limit(key: &str) -> Option<&'static LimitRow> {
    LIMITS.iter().find(|row| row.key == key)
}

impl Limits {
    /// The lower of the two, limit by limit: what is left when both are to hold.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        let mut lower = self;
        for row in LIMITS {
            row.set(&mut lower, row.get(&self).min(row.get(&other)));
        }
        lower
    }

    /// What each request may use, as far as the web platform counts it.
    pub(crate) fn request(&self) -> RequestLimits {
        RequestLimits {
            subrequests: self.subrequests,
            concurrent_subrequests: self.concurrent_subrequests,
            open_streams: self.open_streams,
            log_bytes: self.log_bytes,
            response_header_bytes: self.response_header_bytes,
            response_body_bytes: self.response_body_bytes,
        }
    }

    pub(crate) fn memory(&self) -> MemoryLimits {
        MemoryLimits { heap_bytes: self.heap_bytes, external_bytes: self.external_bytes }
    }

    pub(crate) fn startup(&self) -> TurnBudget {
        TurnBudget { cpu: Allowance::new(self.startup_cpu), wall: Allowance::new(self.startup_wall) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_engine::Reason;
    use std::collections::HashSet;
    use std::time::Duration;

    #[test]
    fn keys_are_unique_and_say_their_unit() {
        let mut seen = HashSet::new();
        for row in LIMITS {
            assert!(seen.insert(row.key), "{} is there twice", row.key);
            let suffix = row.key.rsplit('-').next();
            match row.unit {
                Unit::MiB => assert_eq!(suffix, Some("mib"), "{}", row.key),
                Unit::KiB => assert_eq!(suffix, Some("kib"), "{}", row.key),
                Unit::Ms => assert_eq!(suffix, Some("ms"), "{}", row.key),
                Unit::Count | Unit::Switch => {
                    assert!(!matches!(suffix, Some("mib" | "kib" | "ms")), "{}", row.key);
                }
            }
        }
    }

    #[test]
    fn defaults_lie_within_their_range() {
        for row in LIMITS {
            let range = row.smallest..=row.largest;
            assert!(range.contains(&row.serve), "{}", row.key);
            assert_eq!(row.get(&Limits::SERVE), row.serve, "{}", row.key);
            match row.run {
                RunDefault::Value(value) => {
                    assert!(range.contains(&value), "{}", row.key);
                    assert_eq!(row.get(&Limits::RUN), value, "{}", row.key);
                }
                RunDefault::Unlimited | RunDefault::NotApplicable => {
                    assert!(row.get(&Limits::RUN) > row.largest, "{}", row.key);
                }
            }
        }
    }

    #[test]
    fn what_is_set_is_read_back_and_nothing_else_changes() {
        for row in LIMITS {
            for value in [row.smallest, row.largest] {
                let mut limits = Limits::SERVE;
                row.set(&mut limits, value);
                assert_eq!(row.get(&limits), value, "{}", row.key);
                row.set(&mut limits, row.serve);
                assert_eq!(limits, Limits::SERVE, "{}", row.key);
            }
        }
    }

    #[test]
    fn units_become_the_fields_types() {
        let limits = Limits::SERVE;
        assert_eq!(limits.heap_bytes, 128 << 20);
        assert_eq!(limits.log_bytes, 256 << 10);
        assert_eq!(limits.request_cpu, Duration::from_secs(1));
        assert_eq!(limits.concurrent_subrequests, 64);
        assert!(limits.allow_eval);
    }

    #[test]
    fn the_lower_of_two_is_lower_in_each() {
        let mine = Limits { heap_bytes: 16 << 20, subrequests: 2000, allow_wasm: false, ..Limits::SERVE };
        let expected = Limits { heap_bytes: 16 << 20, allow_wasm: false, ..Limits::SERVE };
        assert_eq!(mine.lower(Limits::SERVE), expected);
        assert_eq!(Limits::SERVE.lower(mine), expected);
    }

    #[test]
    fn every_limit_that_kills_has_a_reason_that_is_explained() {
        let explained: HashSet<Reason> = KILLS.iter().map(|kill| kill.reason).collect();
        assert_eq!(explained.len(), KILLS.len());
        for row in LIMITS {
            if let Hit::Kill(reason) = row.hit {
                assert!(explained.contains(&reason), "{}", row.key);
            }
        }
    }

    #[test]
    fn limits_are_found_by_their_key() {
        assert_eq!(limit("heap-mib").map(|row| row.unit), Some(Unit::MiB));
        assert!(limit("heap").is_none());
    }
}
