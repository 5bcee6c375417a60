//! A measured server: a process group of its own, its start, its CPU time and memory, its end.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::BenchError;
use crate::http::{Connection, IO_TIMEOUT, Request};
use crate::machine;

/// Longest wait for the first answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two attempts to connect: what the measured start-up time may be too long by, and short enough for the
/// server to have the core that it shares with this process.
const CONNECT_PAUSE: Duration = Duration::from_micros(50);
/// Pause between two looks at the CPU time of a server that is to become quiet.
const QUIET_PAUSE: Duration = Duration::from_millis(100);
/// CPU time that a quiet server may use for its housekeeping, in percent of one processor.
const QUIET_PERCENT: u32 = 1;
/// Longest wait for a server to become quiet.
const QUIET_TIMEOUT: Duration = Duration::from_mins(3);
/// Characters of a server's output that an error shows.
const MAX_LOG_CHARACTERS: usize = 2000;

/// Memory of a server's processes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Memory {
    /// Resident pages, each counted in full.
    pub(crate) resident: u64,
    /// Resident pages, those that are shared by several processes divided by their number.
    pub(crate) proportional: u64,
    /// Resident pages that come from no file.
    pub(crate) anonymous: u64,
}

impl Memory {
    /// Reads `/proc/<pid>/smaps_rollup`.
    fn parse(smaps_rollup: &str) -> Option<Self> {
        let bytes = |name: &str| machine::field(smaps_rollup, name).and_then(machine::kibibytes);
        Some(Self { resident: bytes("Rss")?, proportional: bytes("Pss")?, anonymous: bytes("Anonymous")? })
    }
}

impl std::iter::Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            resident: sum.resident + one.resident,
            proportional: sum.proportional + one.proportional,
            anonymous: sum.anonymous + one.anonymous,
        })
    }
}

/// A running server: one process, or several that share a port. Dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct Server {
    /// The leader of the process group first.
    children: Vec<Child>,
    started: Instant,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts `commands`, which are to listen on `port`, with their output going to `log`.
    pub(crate) fn start(commands: Vec<Command>, port: u16, log: &Path) -> Result<Self, BenchError> {
        let file_error = |source| BenchError::File { path: log.to_owned(), source };
        let output = File::create(log).map_err(file_error)?;
        let mut server =
            Self { children: Vec::with_capacity(commands.len()), started: Instant::now(), port, log: log.to_owned() };
        for mut command in commands {
            let (output, errors) = (output.try_clone().map_err(file_error)?, output.try_clone().map_err(file_error)?);
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
            // Group 0 is a new one, led by the process itself.
            command.process_group(server.children.first().map_or(0, |leader| leader.id().cast_signed()));
            let child = command.spawn().map_err(|source| BenchError::Start {
                command: format!("{}", command.get_program().display()),
                source,
            })?;
            server.children.push(child);
        }
        Ok(server)
    }

    /// The port that the server listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the first answer to `request` and checks it. The time is counted from the start of the process.
    pub(crate) fn first_answer(&mut self, request: &Request<'_>, expected: &str) -> Result<Duration, BenchError> {
        loop {
            if let Ok(mut connection) = Connection::open(self.port, IO_TIMEOUT) {
                match connection.ask(request) {
                    // A server that looks whether its port is free may listen for a moment before it does so for good.
                    Err(BenchError::Connection(error)) if error.kind() == ErrorKind::ConnectionReset => {}
                    answer => {
                        let elapsed = self.started.elapsed();
                        answer?.check(200, expected)?;
                        return Ok(elapsed);
                    }
                }
            }
            for child in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    // A program that doesn't like what it was told says so by its exit code; one that crashes has none.
                    let output = self.output();
                    return Err(match status.code() {
                        Some(code) => BenchError::Refused { code, output },
                        None => BenchError::Ended { status: status.to_string(), output },
                    });
                }
            }
            if self.started.elapsed() > START_TIMEOUT {
                return Err(BenchError::Silent { seconds: START_TIMEOUT.as_secs(), output: self.output() });
            }
            std::thread::sleep(CONNECT_PAUSE);
        }
    }

    /// Waits until the server has used next to no CPU time for as long as `idle`: what it does behind its answers is done.
    pub(crate) fn wait_until_quiet(&self, idle: Duration) -> Result<(), BenchError> {
        self.wait_until_quiet_and(idle, || Ok(()))
    }

    /// The same, with something that is done every now and then, and takes the server next to no time.
    pub(crate) fn wait_until_quiet_and(
        &self,
        idle: Duration,
        mut meanwhile: impl FnMut() -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let started = Instant::now();
        let (mut cpu, mut since) = (self.cpu_time()?, started);
        while since.elapsed() < idle {
            if started.elapsed() > QUIET_TIMEOUT {
                return Err(BenchError::Restless { seconds: QUIET_TIMEOUT.as_secs() });
            }
            std::thread::sleep(QUIET_PAUSE.min(idle));
            meanwhile()?;
            let now = self.cpu_time()?;
            if now.saturating_sub(cpu) > idle * QUIET_PERCENT / 100 {
                (cpu, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// CPU time, user and system, that the processes of the group have used so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration, BenchError> {
        let ticks: u64 = self.members()?.iter().map(|member| member.cpu_ticks).sum();
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Memory of the processes of the group.
    pub(crate) fn memory(&self) -> Result<Memory, BenchError> {
        let rollups = self.members()?.into_iter().filter_map(|member| {
            Memory::parse(&fs::read_to_string(format!("/proc/{}/smaps_rollup", member.pid)).ok()?)
        });
        Ok(rollups.sum())
    }

    fn members(&self) -> Result<Vec<Member>, BenchError> {
        let proc = Path::new("/proc");
        let entries = fs::read_dir(proc).map_err(|source| BenchError::File { path: proc.to_owned(), source })?;
        let members = entries
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                Member::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
            })
            .filter(|member| Some(member.group) == self.group())
            .collect::<Vec<_>>();
        if members.is_empty() {
            return Err(BenchError::Ended { status: "its process is gone".into(), output: self.output() });
        }
        Ok(members)
    }

    fn group(&self) -> Option<u32> {
        self.children.first().map(Child::id)
    }

    fn output(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let skip = text.chars().count().saturating_sub(MAX_LOG_CHARACTERS);
        text.chars().skip(skip).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(group) = self.group().and_then(|group| Pid::from_raw(group.cast_signed())) {
            // The group may be gone already: then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// A process, as `/proc/<pid>/stat` has it.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    group: u32,
    cpu_ticks: u64,
}

impl Member {
    fn parse(pid: u32, stat: &str) -> Option<Self> {
        // The name in parentheses may hold anything, also parentheses: the fields begin after the last one.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let (group, user, system) = (fields.get(2)?, fields.get(11)?, fields.get(12)?);
        let cpu_ticks = user.parse::<u64>().ok()? + system.parse::<u64>().ok()?;
        Some(Self { pid, group: group.parse().ok()?, cpu_ticks })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;

    use super::{Member, Memory, Server};
    use crate::error::BenchError;
    use crate::http::Request;
    use crate::systems::free_port;

    #[test]
    fn stat_is_read_past_a_hostile_process_name() {
        let stat = "42 (a) R 1 (b)) S 7 42 42 0 -1 4194560 100 0 0 0 31 11 5 6 20 0 1 0 99 1000 200";
        assert_eq!(Member::parse(42, stat), Some(Member { pid: 42, group: 42, cpu_ticks: 42 }));
        assert_eq!(Member::parse(42, "42 (sh) S 7"), None);
    }

    #[test]
    fn memory_is_read_from_the_kernel_s_sums() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0  [rollup]\nRss:  2000 kB\nPss:  1500 kB\nPss_Anon:  900 kB\n\
                      Private_Dirty:  950 kB\nAnonymous:  1000 kB\n";
        let memory = Memory::parse(rollup).expect("all three are there");
        assert_eq!(memory, Memory { resident: 2000 << 10, proportional: 1500 << 10, anonymous: 1000 << 10 });
        assert_eq!([memory, memory].into_iter().sum::<Memory>().anonymous, 2000 << 10);
        assert_eq!(Memory::parse("Rss:  2000 kB\n"), None);
    }

    fn shell(script: &str) -> (Server, PathBuf) {
        let port = free_port().expect("a port");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let log = std::env::temp_dir().join(format!("atoll-bench-test-{}-{port}.log", std::process::id()));
        (Server::start(vec![command], port, &log).expect("sh starts"), log)
    }

    #[test]
    fn a_program_that_refuses_its_arguments_is_told_from_one_that_crashes() {
        let (mut server, log) = shell("echo no config; exit 3");
        let error = server.first_answer(&Request::ROOT, "Hello").expect_err("it ends");
        let _ = std::fs::remove_file(&log);
        assert!(matches!(error, BenchError::Refused { code: 3, output } if output == "no config\n"));

        let (mut server, log) = shell("echo on my way; kill -9 $$");
        let error = server.first_answer(&Request::ROOT, "Hello").expect_err("it ends");
        let _ = std::fs::remove_file(&log);
        assert!(matches!(error, BenchError::Ended { output, .. } if output == "on my way\n"));
    }

    #[test]
    fn a_connection_that_is_reset_before_the_first_answer_is_no_answer() {
        let (mut server, log) = shell("sleep 60");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, server.port())).expect("the port is free");
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // Closing with unread bytes resets the connection.
            stream.read_exact(&mut [0]).expect("a request");
            drop(stream);
            let (mut stream, _) = listener.accept().expect("the client again");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello").expect("it reads");
        });
        server.first_answer(&Request::ROOT, "Hello").expect("the second time");
        let _ = std::fs::remove_file(&log);
        answers.join().expect("it was asked twice");
    }

    #[test]
    fn a_server_is_quiet_only_after_it_has_stopped_working() {
        let started = std::time::Instant::now();
        let (server, log) = shell("timeout --foreground 1 sh -c 'while :; do :; done'; sleep 60");
        server.wait_until_quiet(Duration::from_millis(500)).expect("it stops");
        let _ = std::fs::remove_file(&log);
        assert!(started.elapsed() > Duration::from_secs(1), "{:?}", started.elapsed());
    }

    #[test]
    fn all_processes_of_a_server_are_in_its_group_and_end_with_it() {
        let port = free_port().expect("a port");
        let commands = (0..2).map(|_| {
            let mut command = Command::new("sleep");
            command.arg("60");
            command
        });
        let log = std::env::temp_dir().join(format!("atoll-bench-test-{}-{port}.log", std::process::id()));
        let server = Server::start(commands.collect(), port, &log).expect("sleep starts");
        let _ = std::fs::remove_file(&log);
        let members = server.members().expect("they run");
        assert_eq!(members.len(), 2);
        assert!(server.memory().expect("they run").resident > 0);
        server.wait_until_quiet(Duration::from_millis(50)).expect("sleep sleeps");
        drop(server);
        for member in members {
            assert!(!PathBuf::from(format!("/proc/{}", member.pid)).exists());
        }
    }
}
