//! The systems under measurement: Atoll's release binary, peers from npm, and the machine's Node.js.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apps::{App, Apps};
use crate::error::BenchError;
use crate::npm;

/// A system that Atoll is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Workerd,
    Deno,
    Bun,
    Node,
    SecureExec,
    /// Bun with its isolated layout and a store that projects share.
    BunGlobal,
    Pnpm,
    /// pnpm with a virtual store that projects share.
    PnpmGlobal,
    Utoo,
    Npm,
}

impl Peer {
    const ALL: [Self; 10] = [
        Self::Workerd,
        Self::Deno,
        Self::Bun,
        Self::Node,
        Self::SecureExec,
        Self::BunGlobal,
        Self::Pnpm,
        Self::PnpmGlobal,
        Self::Utoo,
        Self::Npm,
    ];
    /// Those that serve.
    pub(crate) const SERVERS: &'static [Self] = &[Self::Workerd, Self::Deno, Self::Bun, Self::Node];
    /// Those that run programs with files.
    pub(crate) const PROGRAMS: &'static [Self] = &[Self::Deno, Self::Bun, Self::Node, Self::SecureExec];
    /// Those that install packages.
    pub(crate) const INSTALLERS: &'static [Self] =
        &[Self::Bun, Self::BunGlobal, Self::Pnpm, Self::PnpmGlobal, Self::Utoo, Self::Npm];

    fn name(self) -> &'static str {
        match self {
            Self::Workerd => "workerd",
            Self::Deno => "deno",
            Self::Bun => "bun",
            Self::Node => "node",
            Self::SecureExec => "secure-exec",
            Self::BunGlobal => "bun-global",
            Self::Pnpm => "pnpm",
            Self::PnpmGlobal => "pnpm-global",
            Self::Utoo => "utoo",
            Self::Npm => "npm",
        }
    }

    /// Where npm puts the executable itself, below `bench/peers/node_modules`. The packages' own launchers are scripts
    /// unless their install scripts ran, and a script's start would be measured as the system's.
    fn executable(self) -> Option<&'static str> {
        match self {
            Self::Workerd => Some("@cloudflare/workerd-linux-64/bin/workerd"),
            Self::Deno => Some("@deno/linux-x64-glibc/deno"),
            Self::Bun | Self::BunGlobal => Some("@oven/bun-linux-x64/bin/bun"),
            Self::Pnpm | Self::PnpmGlobal => Some("@pnpm/exe.linux-x64/pnpm"),
            Self::Utoo => Some("@utoo/utoo-linux-x64/bin/utoo"),
            Self::Node | Self::SecureExec | Self::Npm => None,
        }
    }
}

/// The peers that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerList {
    /// Whichever the suite has.
    All,
    /// These.
    Only(Vec<Peer>),
}

impl PeerList {
    /// The peers of a run, of those that its suite has.
    pub(crate) fn of(&self, suite: &[Peer]) -> Result<Vec<Peer>, BenchError> {
        let Self::Only(peers) = self else { return Ok(suite.to_vec()) };
        match peers.iter().find(|peer| !suite.contains(peer)) {
            Some(peer) => {
                Err(BenchError::NoPeer { peer: peer.name(), names: suite.iter().map(|peer| peer.name()).collect() })
            }
            None => Ok(peers.clone()),
        }
    }
}

/// Reads `--peers`: `all`, `none`, or names separated by commas.
pub(crate) fn parse_peers(text: &str) -> Result<PeerList, String> {
    match text {
        "all" => return Ok(PeerList::All),
        "none" => return Ok(PeerList::Only(Vec::new())),
        _ => {}
    }
    let mut peers = Vec::new();
    for name in text.split(',').map(str::trim) {
        let peer = Peer::ALL.into_iter().find(|peer| peer.name() == name).ok_or_else(|| {
            format!("there is no peer `{name}`; there are {}, `all` and `none`", Peer::ALL.map(Peer::name).join(", "))
        })?;
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    Ok(PeerList::Only(peers))
}

/// The checkout that this tool belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
}

impl Repository {
    pub(crate) fn find() -> Result<Self, BenchError> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = fs::canonicalize(&root).map_err(|source| BenchError::File { path: root, source })?;
        Ok(Self { root })
    }

    fn peers(&self) -> PathBuf {
        self.root.join("bench/peers")
    }

    /// It is large, so that it has an install of its own.
    fn secure_exec(&self) -> PathBuf {
        self.root.join("bench/fs/secure-exec")
    }

    /// The directory for staged apps, and the configuration and the output of measured servers; it is made where it is
    /// missing.
    pub(crate) fn work(&self) -> Result<PathBuf, BenchError> {
        let path = self.root.join("target/bench");
        fs::create_dir_all(&path).map_err(|source| BenchError::File { path: path.clone(), source })?;
        Ok(path)
    }
}

/// Installs the pinned peers where one is missing.
pub(crate) fn install_peers(repository: &Repository, peers: &[Peer]) -> Result<(), BenchError> {
    let needed: Vec<&str> = peers.iter().filter_map(|peer| peer.executable()).collect();
    npm::ensure(&repository.peers(), &needed)?;
    if peers.contains(&Peer::SecureExec) {
        npm::ensure(&repository.secure_exec(), &[SECURE_EXEC])?;
    }
    Ok(())
}

/// What secure-exec says of itself, below its `node_modules`.
const SECURE_EXEC: &str = "secure-exec/package.json";

/// The processors that a server may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processors {
    /// All of them, by one process with the system's default settings.
    Default,
    /// One, by its number, and the same process.
    One(usize),
    /// All of them, and the system started in the way that makes the most of them: this many processors.
    Each(usize),
}

/// A system and how its servers are started.
#[derive(Debug, Clone)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    peer: Option<Peer>,
    executable: PathBuf,
    repository: Repository,
    apps: Apps,
}

impl System {
    /// Atoll and the given peers, in the order of the table's columns.
    pub(crate) fn all(repository: &Repository, apps: &Apps, atoll: Option<&Path>, peers: &[Peer]) -> Vec<Self> {
        let atoll = Self {
            name: "atoll",
            peer: None,
            executable: atoll.map_or_else(|| repository.root.join("target/release/atoll"), absolute),
            repository: repository.clone(),
            apps: apps.clone(),
        };
        let others = peers.iter().map(|&peer| Self {
            name: peer.name(),
            peer: Some(peer),
            executable: match peer.executable() {
                Some(path) => repository.peers().join("node_modules").join(path),
                None => PathBuf::from(if peer == Peer::Npm { "npm" } else { "node" }),
            },
            repository: repository.clone(),
            apps: apps.clone(),
        });
        std::iter::once(atoll).chain(others).collect()
    }

    /// What `--version` prints, without the system's name.
    pub(crate) fn version(&self) -> Result<String, BenchError> {
        if self.peer == Some(Peer::SecureExec) {
            return npm::version(&self.repository.secure_exec().join("node_modules").join(SECURE_EXEC));
        }
        let output = Command::new(&self.executable).arg("--version").output().map_err(|_| BenchError::Missing {
            program: self.executable.display().to_string(),
            hint: if self.peer.is_none() {
                "cargo build --release -p atoll".into()
            } else {
                "it comes with npm ci in bench/peers, or with the machine".into()
            },
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next().unwrap_or_default();
        if !output.status.success() || line.is_empty() {
            return Err(BenchError::Command {
                command: format!("{} --version", self.executable.display()),
                status: output.status.to_string(),
                output: text.into_owned(),
            });
        }
        let version = line.strip_prefix(self.name).unwrap_or(line).trim().trim_start_matches('v');
        // Deno adds its channel and target.
        Ok(version.split_once(" (").map_or(version, |(version, _)| version).to_owned())
    }

    /// Which peer it is; `None` for Atoll.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// What is run.
    pub(crate) fn executable(&self) -> &Path {
        &self.executable
    }

    /// Whether this is Atoll, which serves several deployments from one configuration.
    pub(crate) fn is_atoll(&self) -> bool {
        self.peer.is_none()
    }

    /// Whether this is one of the named systems.
    pub(crate) fn is_one_of(&self, names: &[&str]) -> bool {
        names.contains(&self.name)
    }

    /// The processes of the server of `app` on `port`.
    pub(crate) fn server(&self, app: App, port: u16, processors: Processors) -> Vec<Command> {
        if let Processors::Each(count) = processors {
            return self.parallel_server(app, port, count);
        }
        let mut command = match processors {
            Processors::One(cpu) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cpu.to_string()]).arg(&self.executable);
                command
            }
            Processors::Default | Processors::Each(_) => Command::new(&self.executable),
        };
        let port = port.to_string();
        match self.peer {
            None => {
                command.arg("serve").arg(self.apps.for_atoll(app)).args(["--log", "off", "--port", &port]);
            }
            Some(Peer::Workerd) => {
                let address = format!("http=127.0.0.1:{port}");
                command.args(["serve", "workerd.capnp", "--socket-addr", &address]);
            }
            Some(Peer::Deno) => {
                command.args(["run", "--allow-net", "deno.js", &port]);
            }
            Some(Peer::Bun) => {
                command.args(["bun.js", &port]);
            }
            // The others have no servers of their own.
            Some(_) => {
                command.args(["node.mjs", &port]);
            }
        }
        command.current_dir(self.apps.for_peers(app));
        vec![command]
    }

    /// The same in the way that the system has for several processors. Atoll and workerd have none beside their defaults.
    fn parallel_server(&self, app: App, port: u16, count: usize) -> Vec<Command> {
        let number = port.to_string();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(&self.executable);
            command.args(arguments).current_dir(self.apps.for_peers(app));
            command
        };
        match self.peer {
            None | Some(Peer::Workerd) => self.server(app, port, Processors::Default),
            Some(Peer::Deno) => {
                let address = ["--host", "127.0.0.1", "--port", &number];
                let mut command = command(&["serve", "--parallel"]);
                command.args(address).arg("app.js").env("DENO_JOBS", count.to_string());
                vec![command]
            }
            Some(Peer::Bun) => (0..count).map(|_| command(&["bun.js", &number, "shared"])).collect(),
            Some(_) => vec![command(&["cluster.mjs", &number])],
        }
    }

    /// A program of `directory`, which it may read, and whose folder `scratch` it may write to; what Atoll keeps of
    /// compiled code is in `cache`.
    pub(crate) fn program(&self, directory: &Path, script: &str, cache: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        match self.peer {
            None => {
                let scratch = format!("/app/scratch={}:rw", directory.join("scratch").display());
                command.args(["run", "--mount", &scratch, script]).env("ATOLL_CACHE_DIR", cache);
            }
            Some(Peer::Deno) => {
                command.args(["run", "--allow-all", script]);
            }
            Some(Peer::SecureExec) => {
                command.arg(self.repository.secure_exec().join("run.mjs")).arg(directory).arg(script);
            }
            Some(_) => {
                command.arg(script);
            }
        }
        command.current_dir(directory);
        command
    }

    /// Atoll with the deployments of a configuration file.
    pub(crate) fn deployments(&self, config: &Path) -> Vec<Command> {
        let mut command = Command::new(&self.executable);
        command.args(["serve", "--log", "off", "--config"]).arg(config);
        command.current_dir(&self.repository.root);
        vec![command]
    }

    /// The apps that the system's servers are made of.
    pub(crate) fn apps(&self) -> &Apps {
        &self.apps
    }

    /// Where the output of this system's server goes.
    pub(crate) fn log(&self) -> Result<PathBuf, BenchError> {
        Ok(self.repository.work()?.join(format!("{}.log", self.name)))
    }

    /// Where this system's configuration is written.
    pub(crate) fn config(&self) -> Result<PathBuf, BenchError> {
        Ok(self.repository.work()?.join(format!("{}.toml", self.name)))
    }
}

/// The path as seen from any working directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A port of the loopback address that nobody listens on.
pub(crate) fn free_port() -> Result<u16, BenchError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Peer, Processors, Repository, System, parse_peers};
    use crate::apps::{App, Apps};

    #[test]
    fn peers_are_named_once_and_known() {
        let of_servers = |text| parse_peers(text).expect("known").of(Peer::SERVERS).map_err(|error| error.to_string());
        assert_eq!(of_servers("bun, deno,bun"), Ok(vec![Peer::Bun, Peer::Deno]));
        assert_eq!(of_servers("none"), Ok(vec![]));
        assert_eq!(of_servers("all"), Ok(Peer::SERVERS.to_vec()));
        assert_eq!(
            of_servers("node,secure-exec"),
            Err("this suite does not measure secure-exec; its peers are workerd, deno, bun, node".to_owned())
        );
        assert_eq!(
            parse_peers("denno").expect_err("unknown"),
            "there is no peer `denno`; there are workerd, deno, bun, node, secure-exec, bun-global, pnpm, pnpm-global, \
             utoo, npm, `all` and `none`"
        );
    }

    /// What is started, without the directories of the programs.
    fn lines(system: &System, processors: Processors) -> Vec<String> {
        let short = |text: &std::ffi::OsStr| Path::new(text).file_name().unwrap_or(text).display().to_string();
        let commands = system.server(App::Hello, 80, processors);
        let line = |command: &std::process::Command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(short).collect::<Vec<_>>().join(" ")
        };
        commands.iter().map(line).collect()
    }

    #[test]
    fn every_system_has_its_own_way_to_use_all_processors() {
        let repository = Repository::find().expect("the checkout");
        let apps = Apps::of(&repository).expect("a directory");
        let systems = System::all(&repository, &apps, None, Peer::SERVERS);
        let parallel: Vec<Vec<String>> = systems.iter().map(|system| lines(system, Processors::Each(2))).collect();
        assert_eq!(parallel[0], ["atoll serve atoll --log off --port 80"]);
        assert_eq!(parallel[1], ["workerd serve workerd.capnp --socket-addr http=127.0.0.1:80"]);
        assert_eq!(parallel[2], ["deno serve --parallel --host 127.0.0.1 --port 80 app.js"]);
        assert_eq!(parallel[3], ["bun bun.js 80 shared", "bun bun.js 80 shared"]);
        assert_eq!(parallel[4], ["node cluster.mjs 80"]);
        for (system, single) in systems.iter().zip(&parallel) {
            let pinned = lines(system, Processors::One(1));
            assert_eq!(pinned.len(), 1, "{}: one process", system.name);
            assert!(pinned[0].starts_with(&format!("taskset -c 1 {}", system.name)), "{}", pinned[0]);
            assert!(!single[0].starts_with("taskset"));
        }
    }
}
