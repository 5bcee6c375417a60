//! `cargo xtask soak`: many apps in one server under mixed load, with limits hit on purpose.
//!
//! Fifty deployments of well-behaved and of hostile apps, in all three isolations, are asked by many clients at a time, in an
//! order that a seed decides. What has to hold:
//!
//! * each request gets its own answer, which names it, unless the client leaves on purpose;
//! * who is ended is ended for the reason that was provoked, and nobody else is;
//! * work after the response is done;
//! * memory at rest does not grow after a warm-up;
//! * at SIGTERM, what is under way is finished, and the process ends with success.
//!
//! No times are asserted.

mod apps;
mod clients;
mod memory;
mod random;
mod requests;
mod upstream;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::Client;
use crate::e2e::ensure;
use crate::repository::{self, target};
use crate::server::Server;
use crate::steps::{Failed, Steps, Tally};

/// How long the load lasts that `cargo xtask test` makes; with two times of rest it takes some 40 s.
const SHORT: Duration = Duration::from_secs(15);
/// The part of the load that is warm-up. It lasts until each deployment has been asked by each client in any case.
const WARM_UP_DIVISOR: u32 = 3;
/// The longest warm-up.
const WARM_UP_MAX: Duration = Duration::from_mins(1);
/// The longest time without rest after it. Memory is looked at after each, so that growth is seen as it goes on.
const ROUND: Duration = Duration::from_mins(2);
/// Responses under way at SIGTERM.
const DRAINED: u64 = 8;
/// Pieces of each of them, some milliseconds apart.
const DRAINED_PIECES: u64 = 60;

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    load: Duration,
    seed: u64,
    release: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { load: SHORT, seed: 1, release: false };
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(argument) = rest.next() {
            match argument {
                "--minutes" => {
                    let minutes: u32 = rest.next().unwrap_or_default().parse()?;
                    options.load = Duration::from_mins(1) * minutes.max(1);
                }
                "--seed" => options.seed = rest.next().unwrap_or_default().parse()?,
                "--release" => options.release = true,
                _ => return Err("usage: cargo xtask soak [--minutes N] [--seed N] [--release]".into()),
            }
        }
        Ok(options)
    }
}

/// `cargo xtask soak`.
pub(crate) fn command(arguments: &[String]) -> Result<ExitCode, Failure> {
    let options = Options::parse(arguments)?;
    let profile = if options.release { "release" } else { "debug" };
    let mut build = repository::cargo(&["build", "--package", "atoll"]);
    if options.release {
        build.arg("--release");
    }
    repository::run(&mut build)?;
    let mut steps = Steps::default();
    step(&mut steps, &repository::atoll(profile), options);
    Ok(if steps.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The short version, as a step of the tests.
pub(crate) fn run(steps: &mut Steps, atoll: &Path) {
    step(steps, atoll, Options { load: SHORT, seed: 1, release: false });
}

fn step(steps: &mut Steps, atoll: &Path, options: Options) {
    let name = format!("soak: 50 deployments under mixed load for {} s", options.load.as_secs());
    steps.run(&name, || soak(atoll, options).map(|()| Tally::ONE).map_err(Failed::from));
}

fn soak(atoll: &Path, options: Options) -> Result<(), Failure> {
    let upstream = upstream::Upstream::start()?;
    let directory = target().join("soak");
    let deployments = apps::deployments();
    let config = apps::write(&directory, &deployments, upstream.port())?;
    let arguments = [OsStr::new("--config"), config.as_os_str(), OsStr::new("--log"), OsStr::new("off")];
    let mut server = Server::start(atoll, &arguments, directory.join("serve.log"))?;

    let warm_up = (options.load / WARM_UP_DIVISOR).min(WARM_UP_MAX);
    let load = clients::Load { port: server.port, deployments: &deployments, upstream: &upstream };
    let begun = Instant::now();
    let first = load.run(warm_up, options.seed)?;
    let before = memory::at_rest(&server)?;
    println!("warm-up of {} s: {first}; {} MiB at rest", warm_up.as_secs(), before.mebibytes());
    let rest = options.load.saturating_sub(warm_up);
    let rounds = u32::try_from(rest.as_secs().div_ceil(ROUND.as_secs()))?.max(1);
    let mut all = first;
    for round in 1..=rounds {
        let counts = load.run(rest / rounds, options.seed.wrapping_add(round.into()))?;
        let after = memory::at_rest(&server)?;
        println!("{} s more: {counts}; {} MiB at rest", (rest / rounds).as_secs(), after.mebibytes());
        memory::check_growth(before, after)?;
        all.add(&counts);
    }
    upstream.check_all_done()?;
    all.check_all_provoked()?;
    drain(&mut server, &deployments)?;
    println!("{:.0} s in all", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Asks the server to end while it answers.
fn drain(server: &mut Server, deployments: &[apps::Deployment]) -> Result<(), Failure> {
    let streaming = deployments.iter().filter(|deployment| deployment.app == apps::App::Stream).cycle();
    let mut under_way = Vec::new();
    for (number, deployment) in (0..DRAINED).zip(streaming) {
        let request = requests::stream(deployment, &format!("drain-{number}"), DRAINED_PIECES);
        let mut client = Client::connect(server.port)?;
        client.write(&request.bytes)?;
        let mut answer = client.head()?;
        let piece = client.piece(&mut answer)?.ok_or("a stream is empty")?;
        answer.pieces.push((Instant::now(), piece));
        under_way.push((client, answer, request));
    }
    server.terminate()?;
    for (mut client, mut answer, request) in under_way {
        while let Some(piece) = client.piece(&mut answer)? {
            answer.pieces.push((Instant::now(), piece));
        }
        request.check(&answer).map_err(|wrong| format!("a response under way at SIGTERM: {wrong}"))?;
    }
    let status = server.wait()?;
    let log = server.log();
    ensure!(status.success(), "the server ended with {status}:\n{log}");
    ensure!(!log.contains("panicked"), "something panicked:\n{log}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Options, SHORT};
    use std::time::Duration;

    #[test]
    fn the_command_line_says_how_long_and_which() {
        let parse = |line: &str| Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("--minutes 10 --seed 7 --release").expect("understood");
        assert_eq!(options, Options { load: Duration::from_mins(10), seed: 7, release: true });
        assert_eq!(parse("").expect("understood"), Options { load: SHORT, seed: 1, release: false });
        assert!(parse("--minutes").is_err());
        assert!(parse("--hours 1").is_err());
    }
}
