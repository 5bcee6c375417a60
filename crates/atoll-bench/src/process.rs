//! A measured server: a process group of its own, its start, its CPU time and memory, its end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::BenchError;
use crate::http::{self, Answer};
use crate::machine;

/// Longest wait for the first answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two attempts to connect: what the measured start-up time may be too long by, and short enough for the
/// server to have the core that it shares with this process.
const CONNECT_PAUSE: Duration = Duration::from_micros(50);
/// Characters of a server's output that an error shows.
const MAX_LOG_CHARACTERS: usize = 2000;

/// A running server. Dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    started: Instant,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, which is to listen on `port`, with its output going to `log`.
    pub(crate) fn start(mut command: Command, port: u16, log: &Path) -> Result<Self, BenchError> {
        let file_error = |source| BenchError::File { path: log.to_owned(), source };
        let output = File::create(log).map_err(file_error)?;
        let errors = output.try_clone().map_err(file_error)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|source| BenchError::Start { command: format!("{}", command.get_program().display()), source })?;
        Ok(Self { child, started, port, log: log.to_owned() })
    }

    /// Waits for the first answer to `GET /` and checks it. The time is counted from the process's start.
    pub(crate) fn first_answer(&mut self, expected: &str) -> Result<Duration, BenchError> {
        loop {
            if let Ok(stream) = http::connect(self.port) {
                let answer = http::get(stream)?;
                let elapsed = self.started.elapsed();
                check(&answer, expected)?;
                return Ok(elapsed);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(BenchError::Ended { status: status.to_string(), output: self.output() });
            }
            if self.started.elapsed() > START_TIMEOUT {
                return Err(BenchError::Silent { seconds: START_TIMEOUT.as_secs(), output: self.output() });
            }
            std::thread::sleep(CONNECT_PAUSE);
        }
    }

    /// CPU time, user and system, that the processes of the group have used so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration, BenchError> {
        let ticks: u64 = self.members()?.iter().map(|member| member.cpu_ticks).sum();
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Resident memory of the processes of the group, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, BenchError> {
        let members = self.members()?;
        let resident = |member: &Member| {
            let status = fs::read_to_string(format!("/proc/{}/status", member.pid)).ok()?;
            machine::kibibytes(machine::field(&status, "VmRSS")?)
        };
        Ok(members.iter().filter_map(resident).sum())
    }

    fn members(&self) -> Result<Vec<Member>, BenchError> {
        let proc = Path::new("/proc");
        let entries = fs::read_dir(proc).map_err(|source| BenchError::File { path: proc.to_owned(), source })?;
        let members = entries
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                Member::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
            })
            .filter(|member| member.group == self.child.id())
            .collect::<Vec<_>>();
        if members.is_empty() {
            return Err(BenchError::Ended { status: "its process is gone".into(), output: self.output() });
        }
        Ok(members)
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
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            // The group may be gone already: then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn check(answer: &Answer, expected: &str) -> Result<(), BenchError> {
    if answer.status == 200 && answer.body == expected.as_bytes() {
        return Ok(());
    }
    Err(BenchError::WrongAnswer {
        expected: expected.to_owned(),
        status: answer.status,
        found: String::from_utf8_lossy(&answer.body).into_owned(),
    })
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
    use std::process::Command;

    use super::{Member, Server};
    use crate::error::BenchError;
    use crate::systems::free_port;

    #[test]
    fn stat_is_read_past_a_hostile_process_name() {
        let stat = "42 (a) R 1 (b)) S 7 42 42 0 -1 4194560 100 0 0 0 31 11 5 6 20 0 1 0 99 1000 200";
        assert_eq!(Member::parse(42, stat), Some(Member { pid: 42, group: 42, cpu_ticks: 42 }));
        assert_eq!(Member::parse(42, "42 (sh) S 7"), None);
    }

    #[test]
    fn a_program_that_ends_at_once_is_reported_with_its_output() {
        let port = free_port().expect("a port");
        let mut command = Command::new("sh");
        command.args(["-c", "echo no config; exit 3"]);
        let log = std::env::temp_dir().join(format!("atoll-bench-test-{}.log", std::process::id()));
        let mut server = Server::start(command, port, &log).expect("sh starts");
        let error = server.first_answer("Hello").expect_err("it ends");
        let _ = std::fs::remove_file(&log);
        assert!(matches!(error, BenchError::Ended { output, .. } if output == "no config\n"));
    }
}
