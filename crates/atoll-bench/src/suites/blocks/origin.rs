//! The origin: an object store with a given latency and bandwidth, in a process of its own, so that it takes no turns of
//! the threads that are measured.
//!
//! It is this executable with [`COMMAND`] as its first argument and a [`Plan`] as its second one. It makes the objects,
//! prints a line about them, and then one with its [`Counts`] for each line that it reads, until there are no more.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Cursor, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use atoll_blocks::frames::{Identity, Packing, pack};
use atoll_blocks::limits::Line;
use atoll_test::object_origin::{Bandwidth, ObjectOrigin, Shape};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::error::BlocksError;
use crate::error::BenchError;

/// The first argument of the process.
pub(crate) const COMMAND: &str = "blocks-origin";
/// zstd's level for objects that are compressed: its default.
const LEVEL: i32 = 3;

/// What an origin is like, and what it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) shape: Network,
    pub(super) objects: Vec<Packed>,
}

/// The way to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Network {
    /// As fast as the machine.
    Loopback,
    /// With a time to a first byte, and so many bytes per second: for each connection, or for all together.
    Line { first_byte_us: u64, bandwidth: u64, is_shared: bool },
}

impl Network {
    pub(super) fn of(line: &Line, is_shared: bool) -> Self {
        let first_byte_us = line.first_byte.as_micros() as u64;
        Self::Line { first_byte_us, bandwidth: line.bandwidth as u64, is_shared }
    }

    fn shape(self) -> Shape {
        let Self::Line { first_byte_us, bandwidth, is_shared } = self else { return Shape::of(Duration::ZERO) };
        let bandwidth = if is_shared { Bandwidth::Shared(bandwidth) } else { Bandwidth::Each(bandwidth) };
        Shape { bandwidth, ..Shape::of(Duration::from_micros(first_byte_us)) }
    }
}

/// An object, and how it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) content: Content,
    pub(super) bytes: u64,
    pub(super) frame_bits: u8,
}

/// An object that can be had, by the name of its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) identity: Identity,
    /// Header and table.
    pub(super) head_bytes: u64,
    /// Frames.
    pub(super) frames_bytes: u64,
    pub(super) packed: Packed,
}

/// What an origin has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    /// Of objects.
    pub(super) bytes: u64,
}

/// The first line that the process prints.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    /// The URL of an object with an empty name.
    url: String,
    objects: Vec<Description>,
}

/// What the process says of an object that it has made.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    identity: String,
    head_bytes: u64,
    frames_bytes: u64,
}

/// A running origin. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Origin {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(super) url: String,
    pub(super) objects: Vec<Stored>,
}

impl Origin {
    /// Starts the process and waits until its objects are there.
    pub(super) fn start(plan: &Plan) -> Result<Self, BenchError> {
        let own =
            std::env::current_exe().map_err(|source| BenchError::File { path: "/proc/self/exe".into(), source })?;
        let words = serde_json::to_string(plan).map_err(|error| broken(&error))?;
        let mut command = Command::new(own);
        command.arg(COMMAND).arg(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut child = started.map_err(|source| BenchError::Start { command: COMMAND.to_owned(), source })?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are pipes");
        };
        let answers = BufReader::new(answers);
        let mut origin = Self { child, orders: Some(orders), answers, url: String::new(), objects: Vec::new() };
        let ready: Ready = origin.answer()?;
        origin.url = ready.url;
        let stored = ready.objects.into_iter().zip(&plan.objects).enumerate().map(|(index, (described, packed))| {
            let Description { identity, head_bytes, frames_bytes } = described;
            let identity = Identity::parse(&identity).ok_or_else(|| broken(&"an identity has 64 digits"))?;
            Ok(Stored { name: name(index), identity, head_bytes, frames_bytes, packed: *packed })
        });
        origin.objects = stored.collect::<Result<_, BlocksError>>()?;
        Ok(origin)
    }

    /// What it has done so far.
    pub(super) fn counts(&mut self) -> Result<Counts, BenchError> {
        let orders = self.orders.as_mut().expect("they end with the origin");
        orders.write_all(b"\n").map_err(|error| broken(&error))?;
        Ok(self.answer()?)
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, BlocksError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| broken(&error))?;
        serde_json::from_str(&line).map_err(|error| broken(&error))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // The process ends when nobody can order anything any more.
        self.orders = None;
        let _ = self.child.wait();
    }
}

fn name(index: usize) -> String {
    format!("object-{index}")
}

fn broken(reason: &impl ToString) -> BlocksError {
    BlocksError::Origin(reason.to_string())
}

/// What the process does.
pub(crate) fn serve(arguments: &[OsString]) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{COMMAND}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[OsString]) -> Result<(), Box<dyn std::error::Error>> {
    let [plan] = arguments else { return Err("it takes a plan".into()) };
    let plan: Plan = serde_json::from_str(&plan.to_string_lossy())?;
    let origin = ObjectOrigin::start(plan.shape.shape())?;
    let mut ready = Ready { url: origin.url(""), objects: Vec::new() };
    for (index, packed) in plan.objects.iter().enumerate() {
        let (object, described) = packed.pack()?;
        origin.put(&name(index), object);
        ready.objects.push(described);
    }
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(&ready)?)?;
    for line in io::stdin().lock().lines() {
        line?;
        let counts = origin.counts();
        let counts = Counts { requests: counts.requests, bytes: counts.bytes };
        writeln!(output, "{}", serde_json::to_string(&counts)?)?;
    }
    Ok(())
}

impl Packed {
    fn pack(&self) -> Result<(Vec<u8>, Description), BlocksError> {
        let level = self.content.is_compressible.then_some(LEVEL);
        let mut object = Cursor::new(Vec::new());
        let packing = Packing { frame_bits: self.frame_bits, level };
        let header = pack(&mut self.content.reader(), self.bytes, packing, &mut object)?;
        let head_bytes = header.frames_begin();
        let (identity, frames_bytes) = (header.identity().to_string(), header.object_bytes() - head_bytes);
        Ok((object.into_inner(), Description { identity, head_bytes, frames_bytes }))
    }
}
