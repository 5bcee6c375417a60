//! `atoll serve` as a child process: its start, its log, its end.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::client::Client;

/// Longest time from the start of the process to an open port. The binary is not optimised.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time from SIGTERM to the end of the process.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause between two looks at something that announces itself to no one: a port that opens, a process that ends.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    log: PathBuf,
}

impl Server {
    /// Runs `atoll serve` with these arguments on a free port, and waits until the port is open. What it prints goes to `log`.
    pub(crate) fn start(atoll: &Path, arguments: &[&OsStr], log: PathBuf) -> Result<Self, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let output = File::create(&log)?;
        let errors = output.try_clone()?;
        let child = Command::new(atoll)
            .arg("serve")
            .args(["--port", &port.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()?;
        let mut server = Self { child, port, log };
        let started = Instant::now();
        while Client::connect(port).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("atoll serve ended with {status}:\n{}", server.log()).into());
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(format!("the port is not open after {START_TIMEOUT:?}:\n{}", server.log()).into());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(server)
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that the server has printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log has `text`.
    pub(crate) fn wait_for_log(&self, text: &str, timeout: Duration) -> Result<(), Failure> {
        let started = Instant::now();
        while !self.log().contains(text) {
            if started.elapsed() > timeout {
                return Err(format!("no {text:?} in the log after {timeout:?}:\n{}", self.log()).into());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(())
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) -> Result<(), Failure> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).ok_or("no process")?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits for the process's end.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > DRAIN_TIMEOUT {
                return Err(format!("the server still runs {DRAIN_TIMEOUT:?} after SIGTERM:\n{}", self.log()).into());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where the process has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
