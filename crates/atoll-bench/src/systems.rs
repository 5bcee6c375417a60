//! The systems under measurement: Atoll's release binary, three peers from npm, and the machine's Node.js.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;

/// A system that Atoll is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Workerd,
    Deno,
    Bun,
    Node,
}

impl Peer {
    const ALL: [Self; 4] = [Self::Workerd, Self::Deno, Self::Bun, Self::Node];

    fn name(self) -> &'static str {
        match self {
            Self::Workerd => "workerd",
            Self::Deno => "deno",
            Self::Bun => "bun",
            Self::Node => "node",
        }
    }

    /// Where npm puts the executable itself, below `bench/peers/node_modules`. The packages' own launchers are scripts
    /// unless their install scripts ran, and a script's start would be measured as the system's.
    fn executable(self) -> Option<&'static str> {
        match self {
            Self::Workerd => Some("@cloudflare/workerd-linux-64/bin/workerd"),
            Self::Deno => Some("@deno/linux-x64-glibc/deno"),
            Self::Bun => Some("@oven/bun-linux-x64/bin/bun"),
            Self::Node => None,
        }
    }
}

/// The peers of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerList(pub(crate) Vec<Peer>);

/// Reads `--peers`: `all`, `none`, or names separated by commas.
pub(crate) fn parse_peers(text: &str) -> Result<PeerList, String> {
    match text {
        "all" => return Ok(PeerList(Peer::ALL.to_vec())),
        "none" => return Ok(PeerList(Vec::new())),
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
    Ok(PeerList(peers))
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

    /// The directory for the output of measured servers; it is made where it is missing.
    pub(crate) fn logs(&self) -> Result<PathBuf, BenchError> {
        let path = self.root.join("target/bench");
        fs::create_dir_all(&path).map_err(|source| BenchError::File { path: path.clone(), source })?;
        Ok(path)
    }
}

/// Installs the pinned peers with `npm ci` where an executable is missing or the lockfile is newer than the install.
pub(crate) fn install_peers(repository: &Repository, peers: &[Peer]) -> Result<(), BenchError> {
    let directory = repository.peers();
    let modules = directory.join("node_modules");
    let modified = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let installed = modified(modules.join(".package-lock.json"));
    let stale = installed.is_none() || installed < modified(directory.join("package-lock.json"));
    let mut needed = peers.iter().filter_map(|peer| peer.executable());
    if !needed.any(|path| stale || !modules.join(path).exists()) {
        return Ok(());
    }
    eprintln!("installing the peers: npm ci in {}", directory.display());
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund"]).current_dir(&directory);
    let output = command.output().map_err(|source| BenchError::Start { command: "npm ci".into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Command {
        command: "npm ci".into(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A system and how its hello-world server is started.
#[derive(Debug, Clone)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    peer: Option<Peer>,
    executable: PathBuf,
    repository: Repository,
}

impl System {
    /// Atoll and the given peers, in the order of the table's columns.
    pub(crate) fn all(repository: &Repository, atoll: Option<&Path>, peers: &[Peer]) -> Vec<Self> {
        let atoll = Self {
            name: "atoll",
            peer: None,
            executable: atoll.map_or_else(|| repository.root.join("target/release/atoll"), absolute),
            repository: repository.clone(),
        };
        let others = peers.iter().map(|&peer| Self {
            name: peer.name(),
            peer: Some(peer),
            executable: match peer.executable() {
                Some(path) => repository.peers().join("node_modules").join(path),
                None => PathBuf::from("node"),
            },
            repository: repository.clone(),
        });
        std::iter::once(atoll).chain(others).collect()
    }

    /// What `--version` prints, without the system's name.
    pub(crate) fn version(&self) -> Result<String, BenchError> {
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

    /// The hello-world server on `port`; on processor `cpu` alone where one is given.
    pub(crate) fn hello(&self, port: u16, cpu: Option<usize>) -> Command {
        let directory = self.repository.root.join("bench/runtime");
        let executable = &self.executable;
        let mut command = match cpu {
            Some(cpu) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cpu.to_string()]).arg(executable);
                command
            }
            None => Command::new(executable),
        };
        let port = port.to_string();
        match self.peer {
            None => command.args(["serve", "atoll", "--log", "off", "--port", &port]),
            Some(Peer::Workerd) => {
                let address = format!("http=127.0.0.1:{port}");
                command.args(["serve", "hello.workerd.capnp", "--socket-addr", &address])
            }
            Some(Peer::Deno) => command.args(["run", "--allow-net", "hello.deno.js", &port]),
            Some(Peer::Bun) => command.args(["hello.bun.js", &port]),
            Some(Peer::Node) => command.args(["hello.node.mjs", &port]),
        };
        command.current_dir(directory);
        command
    }

    /// Where the output of this system's server goes.
    pub(crate) fn log(&self) -> Result<PathBuf, BenchError> {
        Ok(self.repository.logs()?.join(format!("{}.log", self.name)))
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
    use super::{Peer, parse_peers};

    #[test]
    fn peers_are_named_once_and_known() {
        assert_eq!(parse_peers("bun, deno,bun").expect("known").0, [Peer::Bun, Peer::Deno]);
        assert_eq!(parse_peers("none").expect("known").0, []);
        assert_eq!(parse_peers("all").expect("known").0.len(), 4);
        assert_eq!(
            parse_peers("denno").expect_err("unknown"),
            "there is no peer `denno`; there are workerd, deno, bun, node, `all` and `none`"
        );
    }
}
