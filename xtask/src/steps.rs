//! The list of steps that a run goes through: each with its duration, and the sum at the end.

use std::time::{Duration, Instant};

use crate::Failure;

/// What a step checked: for most of them one thing, for a test run as many as there were tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One thing, and it holds.
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0 };

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// A step that failed: its message, and what it had counted by then.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) message: String,
    pub(crate) tally: Tally,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { message: failure.to_string(), tally: Tally { passed: 0, failed: 1 } }
    }
}

struct Done {
    name: String,
    duration: Duration,
    tally: Tally,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
    failure: Option<String>,
}

impl Steps {
    /// Runs a step, unless one before it has failed.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Tally, Failed>) {
        if self.failure.is_some() {
            return;
        }
        println!("\n==> {name}");
        let started = Instant::now();
        let result = step();
        let duration = started.elapsed();
        let tally = match result {
            Ok(tally) => tally,
            Err(failed) => {
                self.failure = Some(failed.message);
                Tally { failed: failed.tally.failed.max(1), ..failed.tally }
            }
        };
        self.done.push(Done { name: name.to_owned(), duration, tally });
    }

    /// Prints the list and its sum; whether all went well.
    pub(crate) fn finish(self) -> bool {
        println!();
        let mut total = Tally::default();
        for Done { name, duration, tally } in &self.done {
            total.add(*tally);
            let mark = if tally.failed == 0 { "ok    " } else { "FAILED" };
            let count = if tally.passed > 1 { format!("  {} passed", tally.passed) } else { String::new() };
            println!("{mark} {:>8}  {name}{count}", seconds(*duration));
        }
        if let Some(message) = &self.failure {
            println!("\n{}\n", message.trim_end());
        }
        println!("{} passed, {} failed", total.passed, total.failed);
        self.failure.is_none()
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1}s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Failed, Steps, Tally, seconds};
    use crate::Failure;

    #[test]
    fn nothing_runs_after_a_failure() {
        let mut steps = Steps::default();
        steps.run("first", || Ok(Tally { passed: 12, failed: 0 }));
        steps.run("second", || Err(Failed::from(Failure::from("broken"))));
        steps.run("third", || panic!("a step must not run after a failure"));
        assert_eq!(steps.done.len(), 2);
        assert!(!steps.finish());
    }

    #[test]
    fn a_step_that_fails_without_a_count_counts_as_one() {
        let mut steps = Steps::default();
        steps.run("tests", || Err(Failed { message: "did not compile".into(), tally: Tally::default() }));
        assert_eq!(steps.done[0].tally, Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2s");
        assert_eq!(seconds(Duration::from_secs(605)), "10m05s");
    }
}
