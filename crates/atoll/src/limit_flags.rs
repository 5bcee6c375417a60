//! A flag for each limit, made from the table of limits.

use atoll_runtime::Limits;
use atoll_runtime::limits::{LIMITS, LimitRow, RunDefault, Unit, limit};
use clap::builder::RangedU64ValueParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

/// Other names of flags, by the limit's key: those that are in use elsewhere for the same.
const ALIASES: [(&str, &str); 2] = [("wall-ms", "timeout-ms"), ("request-body-mib", "max-body-mib")];

/// Limits that somebody set, with their numbers in units; checked against the limits' ranges.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenLimits(Vec<(&'static LimitRow, u64)>);

impl GivenLimits {
    /// The numbers are within their limits' ranges.
    pub(crate) fn new(given: Vec<(&'static LimitRow, u64)>) -> Self {
        debug_assert!(given.iter().all(|(row, value)| row.accepts(*value)));
        Self(given)
    }

    /// `limits` with what was set.
    pub(crate) fn over(&self, mut limits: Limits) -> Limits {
        for (row, value) in &self.0 {
            row.set(&mut limits, *value);
        }
        limits
    }

    /// With a limit set to a number within its range, unless it was set already.
    #[must_use]
    pub(crate) fn with_default(&self, key: &str, value: u64) -> Self {
        let row = limit(key).filter(|_| self.get(key).is_none());
        Self::new(self.0.iter().copied().chain(row.map(|row| (row, value))).collect())
    }

    /// What was set for a limit.
    pub(crate) fn get(&self, key: &str) -> Option<u64> {
        self.0.iter().find(|(row, _)| row.key == key).map(|(_, value)| *value)
    }

    fn of(matches: &ArgMatches, rows: impl Iterator<Item = &'static LimitRow>) -> Self {
        let given = rows.filter_map(|row| {
            let value = match row.unit {
                Unit::Switch => matches.get_one::<bool>(row.key).map(|is_allowed| u64::from(*is_allowed)),
                _ => matches.get_one::<u64>(row.key).copied(),
            };
            Some((row, value?))
        });
        Self::new(given.collect())
    }
}

/// The flags of `atoll serve`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeLimits(pub(crate) GivenLimits);

/// The flags of `atoll run`: those that concern programs.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunLimits(pub(crate) GivenLimits);

fn run_rows() -> impl Iterator<Item = &'static LimitRow> {
    LIMITS.iter().filter(|row| row.run != RunDefault::NotApplicable)
}

fn run_default(row: &LimitRow) -> String {
    match row.run {
        RunDefault::Value(value) => row.unit.show(value),
        RunDefault::Unlimited | RunDefault::NotApplicable => "none".to_owned(),
    }
}

fn flag(row: &'static LimitRow, default: &str) -> Arg {
    let help = format!("Limit: {} (default: {default})", row.bounds.replace('`', ""));
    let flag = Arg::new(row.key).long(row.key).help(help).help_heading("Limits").hide_short_help(true);
    match row.unit {
        Unit::Switch => flag.value_name("true|false").value_parser(value_parser!(bool)),
        unit => {
            let name = match unit {
                Unit::MiB => "MIB",
                Unit::KiB => "KIB",
                Unit::Ms => "MS",
                Unit::Count | Unit::Switch => "NUMBER",
            };
            flag.value_name(name).value_parser(RangedU64ValueParser::<u64>::new().range(row.smallest..=row.largest))
        }
    }
}

impl Args for ServeLimits {
    fn augment_args(command: Command) -> Command {
        LIMITS.iter().fold(command, |command, row| {
            let alias = ALIASES.iter().find(|(key, _)| *key == row.key);
            let flag = flag(row, &row.unit.show(row.serve));
            command.arg(match alias {
                Some((_, alias)) => flag.visible_alias(alias),
                None => flag,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeLimits {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(GivenLimits::of(matches, LIMITS.iter())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RunLimits {
    fn augment_args(command: Command) -> Command {
        run_rows().fold(command, |command, row| command.arg(flag(row, &run_default(row))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RunLimits {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(GivenLimits::of(matches, run_rows())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Arguments, Command};
    use atoll_runtime::Limits;
    use atoll_runtime::limits::{LIMITS, Unit, limit};
    use clap::Parser;

    fn served(arguments: &[&str]) -> Result<Limits, clap::Error> {
        let arguments = Arguments::try_parse_from([&["atoll", "serve"], arguments].concat())?;
        let Command::Serve(serve) = arguments.command else { panic!("it is serve") };
        Ok(serve.limits.0.over(Limits::SERVE))
    }

    #[test]
    fn every_limit_has_a_flag_that_keeps_its_range() {
        for row in LIMITS {
            let flag = format!("--{}", row.key);
            let shown =
                |value: u64| if row.unit == Unit::Switch { (value != 0).to_string() } else { value.to_string() };
            for value in [row.smallest, row.largest] {
                let limits = served(&[&flag, &shown(value)]).expect("it is in range");
                assert_eq!(row.get(&limits), value, "{flag}");
            }
            assert!(served(&[&flag, &(row.largest + 1).to_string()]).is_err(), "{flag}");
        }
        assert_eq!(served(&[]).expect("no flag"), Limits::SERVE);
        // The flag for both kinds of memory admits what both admit.
        let memory = ["heap-mib", "external-mib"].map(|key| limit(key).expect("there is such a limit"));
        let smallest = memory.iter().map(|row| row.smallest).max().expect("two");
        let largest = memory.iter().map(|row| row.largest).min().expect("two");
        let is_admitted = |mib: u64| served(&["--memory-mib", &mib.to_string()]).is_ok();
        assert_eq!([smallest - 1, smallest, largest, largest + 1].map(is_admitted), [false, true, true, false]);
        assert_eq!(served(&["--timeout-ms", "5"]).expect("an alias").wall.as_millis(), 5);
    }
}
