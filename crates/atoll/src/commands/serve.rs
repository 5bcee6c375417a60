//! `atoll serve`: apps behind a port, from their start to the end of the last request.

use super::signals::{Ending, Signals};
use super::watch::Watcher;
use super::{runtime, surroundings};
use crate::apps::{Grants, Profile, Project, Surroundings};
use crate::cli::{self, LogFormat};
use crate::terminal::{
    Audience, BOLD, DIM, Failure, GOOD, Places, ServerLog, duration, explain_serve, explain_start, print_aside,
    print_failure, print_line,
};
use atoll_runtime::{Deployment, DeploymentId, Worker};
use atoll_server::{Route, Routes, Server, ServerOptions};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// A drain that takes no longer than this goes without a word.
const QUIET_DRAIN: Duration = Duration::from_millis(300);

/// Serves until it is asked to end.
pub(crate) fn serve(arguments: cli::Serve) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let audience = Audience::Server { name_apps: arguments.dirs.len() > 1, format: arguments.log };
    let surroundings = surroundings(audience)?;
    let grants = Grants::new(&arguments.guest, Profile::Server)?;
    let serving = Serving::new(arguments, grants, surroundings)?;
    let runtime = runtime()?;
    // Workers are started on this thread; connections that an app opened meanwhile are driven by its runtime from then
    // on, so it runs until the end.
    LocalSet::new().block_on(&runtime, Box::pin(serving.run(started)))
}

/// One app and how it is found.
struct Site {
    id: DeploymentId,
    /// As it was named.
    directory: PathBuf,
    host: Option<String>,
    project: Project,
}

/// What is served, and how.
struct Serving {
    arguments: cli::Serve,
    grants: Grants,
    surroundings: Surroundings,
    sites: Vec<Site>,
}

impl Serving {
    fn new(arguments: cli::Serve, grants: Grants, surroundings: Surroundings) -> Result<Self, Failure> {
        let mut sites: Vec<Site> = Vec::with_capacity(arguments.dirs.len());
        for (id, directory) in (0..).map(DeploymentId).zip(&arguments.dirs) {
            let project = Project::of_directory(directory, arguments.entry.as_deref(), &surroundings)?;
            let host = if arguments.dirs.len() > 1 { Some(host_of(&project.name)?) } else { None };
            if let Some(other) = sites.iter().find(|other| other.project.name == project.name) {
                let (one, two) = (other.directory.display(), directory.display());
                return Err(Failure::new(format!("{one} and {two} would both be served at {}", project.name))
                    .hint("rename one of the directories, or serve it by another process"));
            }
            sites.push(Site { id, directory: directory.clone(), host, project });
        }
        Ok(Self { arguments, grants, surroundings, sites })
    }

    async fn run(mut self, started: Instant) -> Result<ExitCode, Failure> {
        let mut deployments = Vec::with_capacity(self.sites.len());
        let mut warm = Vec::with_capacity(self.sites.len());
        for site in &self.sites {
            let (deployment, worker) = self.start(site).await?;
            warm.push((deployment.id, worker));
            deployments.push(deployment);
        }
        let mut signals = Signals::listen()?;
        let roots = || self.sites.iter().map(|site| site.project.root.clone()).collect();
        let mut watcher = if self.arguments.watch { Some(Watcher::new(roots())?) } else { None };
        let server = Server::start(self.options(), self.routes(&deployments), warm);
        let server = server.map_err(|error| explain_serve(&error))?;
        self.announce(server.address(), started.elapsed());
        loop {
            let changed = tokio::select! {
                ending = signals.next() => return self.end(server, ending, &mut signals).await,
                changed = next_change(&mut watcher) => changed,
            };
            tokio::select! {
                ending = signals.next() => return self.end(server, ending, &mut signals).await,
                () = self.reload(&changed, &mut deployments, &server) => {}
            }
        }
    }

    /// A worker of the app as its files are now.
    async fn start(&self, site: &Site) -> Result<(Deployment, Worker), Failure> {
        let app = site.project.app(Vec::new(), &self.grants, &self.surroundings)?;
        self.surroundings.reporter.set_starting(true);
        let worker = Worker::start(Arc::clone(&app)).await;
        self.surroundings.reporter.set_starting(false);
        let worker = worker.map_err(|error| explain_start(&error, &self.places(site)))?;
        Ok((Deployment { id: site.id, app }, worker))
    }

    /// Starts the apps whose files changed anew. One that is broken goes on as it was.
    async fn reload(&mut self, changed: &BTreeSet<usize>, deployments: &mut [Deployment], server: &Server) {
        for &index in changed {
            let (Some(site), Some(deployment)) = (self.sites.get(index), deployments.get(index).cloned()) else {
                continue;
            };
            let started = Instant::now();
            // The entry may be another by now.
            let entry = self.arguments.entry.as_deref();
            let project = Project::of_directory(&site.directory, entry, &self.surroundings);
            let site = project.map(|project| Site {
                project,
                directory: site.directory.clone(),
                host: site.host.clone(),
                id: site.id,
            });
            let outcome = match site {
                Ok(site) => self.start(&site).await.map(|started| (site, started)),
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok((site, (next, worker))) => {
                    deployments[index] = next;
                    self.sites[index] = site;
                    server.deploy(self.routes(deployments), vec![(deployment.id, worker)]).await;
                    self.say_reloaded(index, started.elapsed());
                }
                Err(failure) => {
                    print_failure(&failure);
                    print_aside(format_args!("{DIM}the previous version goes on serving{DIM:#}"));
                }
            }
        }
    }

    fn options(&self) -> ServerOptions {
        let Self { arguments, sites, .. } = self;
        // A thread's worker is started at its first request. While files are edited that may be too late: the version
        // that goes on serving is no longer on the disk.
        let threads = || if arguments.watch { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let places = sites.iter().map(|site| (site.project.name.clone(), self.places(site)));
        let places: HashMap<String, Places> = places.collect();
        ServerOptions {
            address: SocketAddr::new(arguments.host, arguments.port),
            threads: arguments.threads.unwrap_or_else(threads),
            access_log: Arc::new(ServerLog::new(arguments.log, places)),
            drain: Duration::from_secs(arguments.drain_seconds),
            max_request_body_bytes: arguments.max_body_mib.saturating_mul(1 << 20),
        }
    }

    fn routes(&self, deployments: &[Deployment]) -> Routes {
        let sites = self.sites.iter().zip(deployments);
        Routes::new(
            sites.map(|(site, deployment)| Route { host: site.host.clone(), deployment: deployment.clone() }).collect(),
        )
    }

    fn places(&self, site: &Site) -> Places {
        site.project.places(&self.surroundings)
    }

    fn announce(&self, address: SocketAddr, elapsed: Duration) {
        let urls = self.sites.iter().map(|site| url(site.host.as_deref(), address));
        if self.arguments.log == LogFormat::Json {
            let ms = elapsed.as_millis();
            let line = json!({ "type": "listening", "urls": urls.collect::<Vec<_>>(), "ms": ms });
            print_line(line);
            return;
        }
        let version = env!("CARGO_PKG_VERSION");
        print_line(format_args!("{GOOD}Atoll {version}{GOOD:#} {DIM}ready in {}{DIM:#}", duration(elapsed)));
        for (site, url) in self.sites.iter().zip(urls) {
            let entry = site.project.shown_entry(&self.surroundings);
            print_line(format_args!("  {BOLD}{url}{BOLD:#}  {entry}"));
        }
        if self.arguments.watch {
            print_line(format_args!("  {DIM}starts anew when a file changes{DIM:#}"));
        }
    }

    fn say_reloaded(&self, index: usize, elapsed: Duration) {
        let Some(site) = self.sites.get(index) else { return };
        let entry = site.project.shown_entry(&self.surroundings);
        if self.arguments.log == LogFormat::Json {
            let line = json!({ "type": "reloaded", "app": site.project.name, "ms": elapsed.as_millis() });
            print_line(line);
        } else {
            print_line(format_args!("{GOOD}reloaded{GOOD:#} {entry} {DIM}in {}{DIM:#}", duration(elapsed)));
        }
    }

    /// Lets requests under way end. Being asked once more ends at once.
    async fn end(&self, server: Server, ending: Ending, signals: &mut Signals) -> Result<ExitCode, Failure> {
        let (stopped, mut is_stopped) = oneshot::channel();
        let stop = move || {
            server.stop();
            // Nobody waits any more when there was a second signal.
            let _ = stopped.send(());
        };
        std::thread::Builder::new()
            .name("atoll-stop".to_owned())
            .spawn(stop)
            .map_err(|error| Failure::new(format!("can't start a thread: {error}")))?;
        if tokio::time::timeout(QUIET_DRAIN, &mut is_stopped).await.is_err() {
            let seconds = self.arguments.drain_seconds;
            let again = if ending == Ending::Interrupt { "; Ctrl-C again ends them now" } else { "" };
            print_aside(format_args!("{DIM}requests under way have {seconds} s to end{again}{DIM:#}"));
            tokio::select! {
                _ = &mut is_stopped => {}
                ending = signals.next() => return Ok(ExitCode::from(ending.exit_code())),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn next_change(watcher: &mut Option<Watcher>) -> BTreeSet<usize> {
    match watcher {
        Some(watcher) => watcher.next_change().await,
        None => std::future::pending().await,
    }
}

/// The host of an app among several. Browsers and most resolvers know that names below `localhost` are this machine.
fn host_of(name: &str) -> Result<String, Failure> {
    let is_label = |name: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
    };
    if !is_label(name) {
        return Err(Failure::new(format!("the directory's name {name:?} can't be part of a host name")).hint(
            "with several apps, each is served at http://<directory name>.localhost: use letters, digits and hyphens",
        ));
    }
    Ok(format!("{name}.localhost"))
}

/// What to type into a browser.
fn url(host: Option<&str>, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    match host {
        Some(host) => format!("http://{host}:{}", address.port()),
        None => format!("http://{}", SocketAddr::new(ip, address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(host_of("shop-2").ok().as_deref(), Some("shop-2.localhost"));
        for bad in ["", "-a", "a-", "a.b", "a b", "ä", "a_b"] {
            assert!(host_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls() {
        let address = |text: &str| text.parse().expect("an address");
        assert_eq!(url(None, address("127.0.0.1:80")), "http://127.0.0.1:80");
        assert_eq!(url(None, address("0.0.0.0:80")), "http://127.0.0.1:80");
        assert_eq!(url(None, address("[::]:80")), "http://[::1]:80");
        assert_eq!(url(Some("shop.localhost"), address("0.0.0.0:80")), "http://shop.localhost:80");
    }
}
