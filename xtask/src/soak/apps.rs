//! The apps, and the server's configuration with a deployment of each in each isolation.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// An app of `soak/apps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum App {
    Hello,
    Counter,
    Json,
    Stream,
    Echo,
    Later,
    Timers,
    Proxy,
    Files,
    Cpu,
    Heap,
    External,
    Exit,
    Throw,
    Wall,
    Large,
    Background,
}

impl App {
    const EVERYWHERE: [Self; 16] = [
        Self::Hello,
        Self::Counter,
        Self::Json,
        Self::Stream,
        Self::Echo,
        Self::Later,
        Self::Timers,
        Self::Proxy,
        Self::Files,
        Self::Cpu,
        Self::Heap,
        Self::External,
        Self::Exit,
        Self::Throw,
        Self::Wall,
        Self::Large,
    ];

    /// Its file, and what is in it.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Hello => ("hello.ts", include_str!("apps/hello.ts")),
            Self::Counter => ("counter.js", include_str!("apps/counter.js")),
            Self::Json => ("json.js", include_str!("apps/json.js")),
            Self::Stream => ("stream.js", include_str!("apps/stream.js")),
            Self::Echo => ("echo.js", include_str!("apps/echo.js")),
            Self::Later => ("later.js", include_str!("apps/later.js")),
            Self::Timers => ("timers.js", include_str!("apps/timers.js")),
            Self::Proxy => ("proxy.js", include_str!("apps/proxy.js")),
            Self::Files => ("files.js", include_str!("apps/files.js")),
            Self::Cpu => ("cpu.js", include_str!("apps/cpu.js")),
            Self::Heap => ("heap.js", include_str!("apps/heap.js")),
            Self::External => ("external.js", include_str!("apps/external.js")),
            Self::Exit => ("exit.js", include_str!("apps/exit.js")),
            Self::Throw => ("throw.js", include_str!("apps/throw.js")),
            Self::Wall => ("wall.js", include_str!("apps/wall.js")),
            Self::Large => ("large.js", include_str!("apps/large.js")),
            Self::Background => ("background.js", include_str!("apps/background.js")),
        }
    }

    /// Limits that are hit soon by who wants to. Those that don't are far from them, also on a slow machine; and one that
    /// is to hit one limit does not meet another before.
    fn limits(self) -> &'static str {
        match self {
            Self::Cpu => "cpu-ms = 250",
            Self::Heap => "heap-mib = 24, cpu-ms = 20000",
            Self::External => "external-mib = 16, cpu-ms = 20000",
            Self::Wall => "wall-ms = 250",
            Self::Large => "request-body-mib = 1, response-body-mib = 2, response-header-kib = 8",
            Self::Background => "wait-until-cpu-ms = 100",
            _ => "",
        }
    }
}

/// What requests to a deployment share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    Warm,
    Context,
    Isolate,
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Context => "context",
            Self::Isolate => "isolate",
        }
    }
}

/// A deployment, at a host of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    pub(super) app: App,
    pub(super) isolation: Isolation,
    pub(super) host: String,
}

/// Fifty: sixteen apps in three isolations; the one that goes on computing after its answer, whose worker nobody may share;
/// and one more that is asked most easily.
pub(super) fn deployments() -> Vec<Deployment> {
    let all = [Isolation::Warm, Isolation::Context, Isolation::Isolate];
    let everywhere = App::EVERYWHERE.into_iter().flat_map(|app| all.map(|isolation| (app, isolation)));
    let further = [(App::Background, Isolation::Isolate), (App::Hello, Isolation::Warm)];
    let numbered = everywhere.chain(further).enumerate();
    numbered.map(|(number, (app, isolation))| Deployment { app, isolation, host: format!("d{number}.test") }).collect()
}

/// Writes apps and configuration into a directory; gives the path of the latter.
pub(super) fn write(directory: &Path, deployments: &[Deployment], upstream_port: u16) -> Result<PathBuf, Failure> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    let mut config = String::new();
    for Deployment { app, isolation, host } in deployments {
        let (file, source) = app.source();
        let (stem, _) = file.split_once('.').unwrap_or((file, ""));
        let app_directory = directory.join(stem);
        fs::create_dir_all(&app_directory)?;
        fs::write(app_directory.join(file), source)?;
        fs::write(app_directory.join("package.json"), r#"{ "private": true, "type": "module" }"#)?;
        write!(
            config,
            "[[deployments]]\nname = \"{host}\"\ndirectory = \"{stem}\"\nentry = \"{file}\"\nhosts = [\"{host}\"]\n\
             isolation = \"{}\"\nenv = {{ UPSTREAM = \"http://127.0.0.1:{upstream_port}\" }}\n\
             net-allow = [\"127.0.0.1:{upstream_port}\"]\nlimits = {{ {} }}\n\n",
            isolation.name(),
            app.limits(),
        )?;
    }
    let path = directory.join("atoll.toml");
    fs::write(&path, config)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::deployments;

    #[test]
    fn there_are_fifty_each_at_a_host_of_its_own() {
        let deployments = deployments();
        assert_eq!(deployments.len(), 50);
        let hosts: std::collections::BTreeSet<_> = deployments.iter().map(|deployment| &deployment.host).collect();
        assert_eq!(hosts.len(), 50);
    }
}
