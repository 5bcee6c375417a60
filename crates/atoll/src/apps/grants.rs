//! What the command line lets guests use.

use crate::cli::Guest;
use crate::terminal::Failure;
use atoll_runtime::Limits;
use atoll_web::{FetchClient, NetRules};
use std::time::Duration;

/// What guests are for, which decides about the limits that were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A program of the user's own, which may take its time.
    Program,
    /// Handlers that answer requests.
    Server,
}

/// What guests may use.
pub(crate) struct Grants {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) limits: Limits,
    pub(crate) fetch: FetchClient,
    /// Time by the clock for a whole program, if it was limited.
    pub(crate) timeout: Option<Duration>,
}

impl Grants {
    pub(crate) fn new(guest: &Guest, profile: Profile) -> Result<Self, Failure> {
        let env = guest.env.iter().map(|named| variable(named, |name| std::env::var(name).ok()));
        let rules = NetRules::new(guest.allow_net.iter().map(String::as_str));
        let rules = rules.map_err(|error| Failure::new(format!("--allow-net: {error}")))?;
        Ok(Self {
            env: env.collect::<Result<_, _>>()?,
            limits: limits(guest, profile),
            fetch: FetchClient::new(rules),
            timeout: guest.timeout_ms.map(Duration::from_millis),
        })
    }
}

/// `NAME=VALUE`, or `NAME` for the value that the variable has here.
fn variable(named: &str, here: impl Fn(&str) -> Option<String>) -> Result<(String, String), Failure> {
    let (name, value) = match named.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (named, here(named)),
    };
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::new(format!("--env {named}: a variable needs a name")).hint("write --env NAME=VALUE"));
    }
    let value = value.ok_or_else(|| {
        Failure::new(format!("--env {name}: the variable is not set here")).hint(format!("write --env {name}=VALUE"))
    })?;
    Ok((name.to_owned(), value))
}

fn limits(guest: &Guest, profile: Profile) -> Limits {
    let mut limits = match profile {
        Profile::Program => Limits::RUN,
        Profile::Server => Limits::SERVE,
    };
    if let Some(mib) = guest.memory_mib {
        limits.heap_bytes = mib.saturating_mul(1 << 20);
        limits.external_bytes = limits.heap_bytes;
    }
    if let Some(cpu) = guest.cpu_ms.map(Duration::from_millis) {
        limits.request_cpu = cpu;
        // Loading an app takes more than answering a request, so a server's start keeps its own limit.
        limits.startup_cpu = if profile == Profile::Program { cpu } else { limits.startup_cpu.max(cpu) };
    }
    if let Some(wall) = guest.timeout_ms.map(Duration::from_millis) {
        limits.wall = wall;
        limits.startup_wall = limits.startup_wall.max(wall);
        if profile == Profile::Program {
            // No turn outlasts the program: one that never waits is ended by its CPU time, which is never ahead of
            // the clock.
            limits.request_cpu = limits.request_cpu.min(wall);
            limits.startup_cpu = limits.startup_cpu.min(wall);
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn variables() {
        let here = |name: &str| (name == "HERE").then(|| "value".to_owned());
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(variable("A=b=c", here).ok(), pair("A", "b=c"));
        assert_eq!(variable("A=", here).ok(), pair("A", ""));
        assert_eq!(variable("HERE", here).ok(), pair("HERE", "value"));
        assert!(variable("THERE", here).is_err());
        assert!(variable("=x", here).is_err());
        assert!(variable("", here).is_err());
    }
}
