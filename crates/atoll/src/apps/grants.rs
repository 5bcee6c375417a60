//! What guests may use, and what the command line says of it.

use super::GrantedMount;
use super::streams::{ProcessInput, ProcessStreams};
use crate::cli::{self, Guest};
use crate::config::{Located, Settings};
use crate::limit_flags::GivenLimits;
use crate::terminal::Failure;
use atoll_node::InputSource;
use atoll_runtime::limits::limit;
use atoll_runtime::{Isolation, Limits};
use atoll_vfs::StandardStreams;
use atoll_web::{FetchClient, NetRules};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What an app may use.
pub(crate) struct Grants {
    /// Who owns it.
    pub(crate) tenant: String,
    pub(crate) isolation: Isolation,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) limits: Limits,
    pub(crate) fetch: FetchClient,
    /// What is mounted beside the project and `/tmp`, or in place of them.
    pub(crate) mounts: Vec<GrantedMount>,
    /// What `/dev/stdin`, `/dev/stdout` and `/dev/stderr` are, where there are any.
    pub(crate) streams: Option<Arc<dyn StandardStreams>>,
    /// What `process.stdin` is.
    pub(crate) input: Option<Arc<dyn InputSource>>,
}

impl Grants {
    /// What a program of the user's own may use.
    pub(crate) fn of_program(arguments: &cli::Run) -> Result<Self, Failure> {
        let limits = match arguments.cpu {
            Some(cpu) => {
                let row = limit("cpu-ms").expect("there is such a limit");
                let milliseconds = u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX);
                if !row.accepts(milliseconds) {
                    let range = format!("{} to {} ms", row.smallest, row.largest);
                    return Err(Failure::new(format!("--cpu {milliseconds}ms is not a time from {range}")));
                }
                arguments.limits.0.with_default(row.key, milliseconds)
            }
            None => arguments.limits.0.clone(),
        };
        let flags = flag_settings(&arguments.guest, &limits, None)?;
        let allowed = flags.net_allow.iter().flat_map(|allowed| allowed.value.iter().map(String::as_str));
        let rules = NetRules::only(allowed);
        Ok(Self {
            tenant: "program".to_owned(),
            isolation: Isolation::default(),
            env: flags.env,
            limits: program_limits(&flags.limits, arguments.timeout),
            fetch: FetchClient::new(rules.map_err(|error| Failure::new(format!("--net: {error}")))?),
            mounts: arguments.mount.clone(),
            streams: Some(Arc::new(ProcessStreams::new(arguments.timeout))),
            input: Some(Arc::new(ProcessInput::default())),
        })
    }
}

impl Grants {
    /// What is mounted there beside what all apps get, or in place of it.
    pub(super) fn mount_at(&self, point: &str) -> Option<&GrantedMount> {
        self.mounts.iter().find(|mount| mount.point.trim_end_matches('/') == point)
    }
}

/// What flags say, as far as files can say it too.
pub(crate) fn flag_settings(guest: &Guest, limits: &GivenLimits, entry: Option<&Path>) -> Result<Settings, Failure> {
    let env = guest.env.iter().map(|named| variable(named, |name| std::env::var(name).ok()));
    let net_allow = (!guest.net.is_empty()).then(|| Located { value: guest.net.clone(), at: 0..0 });
    Ok(Settings {
        entry: entry.map(Path::to_owned),
        isolation: None,
        env: env.collect::<Result<_, _>>()?,
        net_allow,
        limits: match guest.memory {
            Some(mib) => limits.with_default("heap-mib", mib).with_default("external-mib", mib),
            None => limits.clone(),
        },
    })
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

fn program_limits(given: &GivenLimits, timeout: Option<Duration>) -> Limits {
    let mut limits = given.over(Limits::RUN);
    if given.get("cpu-ms").is_some() {
        // A program's start is the program.
        limits.startup_cpu = limits.request_cpu;
    }
    if let Some(wall) = timeout {
        // No turn outlasts the program: one that never waits is ended by its CPU time, which is never ahead of the clock.
        limits.wall = wall;
        limits.request_cpu = limits.request_cpu.min(wall);
        limits.startup_cpu = limits.startup_cpu.min(wall);
        limits.startup_wall = wall;
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
