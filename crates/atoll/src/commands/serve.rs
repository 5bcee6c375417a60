//! `atoll serve`: apps behind a port, from their start to the end of the last request.

use super::signals::{Ending, Signals};
use super::watch::Watcher;
use super::{runtime, surroundings};
use crate::apps::Surroundings;
use crate::cli::{self, LogFormat};
use crate::sites::{Plan, Site, log_format, server_file};
use crate::terminal::{
    Audience, BOLD, DIM, Failure, GOOD, Places, ServerLog, WARNING, counted, duration, explain_serve, explain_start,
    json_line, print_aside, print_failure, print_line,
};
use atoll_runtime::{Deployment, PressureWatch, Worker};
use atoll_server::{HostPattern, PathPrefix, Server, ServerOptions};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// A drain that takes no longer than this goes without a word.
const QUIET_DRAIN: Duration = Duration::from_millis(300);

/// Deployments that are started before the port opens, so that mistakes are shown first. Of more than these each is started
/// at its first request: nobody waits for a thousand.
const STARTED_AHEAD_MAX: usize = 8;

/// URLs that are shown at the start.
const SHOWN_URLS_MAX: usize = 16;

/// Serves until it is asked to end.
pub(crate) fn serve(arguments: &cli::Serve) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let file = server_file(arguments)?;
    let log = log_format(arguments, file.as_ref());
    let count = file.as_ref().map_or(arguments.dirs.len(), |file| file.deployments.len());
    let surroundings = surroundings(Audience::Server { name_apps: count > 1, format: log })?;
    // Each app holds its directory open, each connection a socket. Where it can't be raised, what there is has to do.
    let _ = atoll_sys::descriptors::raise_limit();
    let plan = Plan::new(arguments, file, &surroundings)?;
    let serving = Serving { is_watching: arguments.watch, log, surroundings, plan };
    if arguments.check {
        serving.show_plan();
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = runtime()?;
    // Workers are started on this thread; connections that an app opened meanwhile are driven by its runtime from then
    // on, so it runs until the end.
    LocalSet::new().block_on(&runtime, Box::pin(serving.run(started)))
}

/// What is served, and how.
struct Serving {
    is_watching: bool,
    log: LogFormat,
    surroundings: Surroundings,
    plan: Plan,
}

impl Serving {
    async fn run(mut self, started: Instant) -> Result<ExitCode, Failure> {
        let sites = &self.plan.sites;
        let mut deployments = Vec::with_capacity(sites.len());
        let mut warm = Vec::new();
        for site in sites {
            if sites.len() > STARTED_AHEAD_MAX {
                deployments.push(Deployment { id: site.id, app: site.app(&self.surroundings)? });
                continue;
            }
            let (deployment, worker) = self.start(site).await?;
            warm.push((deployment.id, worker));
            deployments.push(deployment);
        }
        let mut signals = Signals::listen()?;
        let roots = || sites.iter().map(|site| site.project.root.clone()).collect();
        let mut watcher = if self.is_watching { Some(Watcher::new(roots())?) } else { None };
        let server = Server::start(self.options(), self.plan.routes(&deployments), warm);
        let server = server.map_err(|error| explain_serve(&error))?;
        self.announce(&server, started.elapsed());
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
        let app = site.app(&self.surroundings)?;
        self.surroundings.reporter.set_starting(true);
        let worker = Worker::start(Arc::clone(&app), None).await;
        self.surroundings.reporter.set_starting(false);
        let worker = worker.map_err(|error| explain_start(&error, &self.places(site)))?;
        Ok((Deployment { id: site.id, app }, worker))
    }

    /// Starts the apps whose files changed anew. One that is broken goes on as it was.
    async fn reload(&mut self, changed: &BTreeSet<usize>, deployments: &mut [Deployment], server: &Server) {
        for &index in changed {
            let (Some(site), Some(deployment)) = (self.plan.sites.get(index), deployments.get(index).cloned()) else {
                continue;
            };
            let started = Instant::now();
            // Its entry and its settings may be others by now.
            let outcome = match self.plan.again(site, &self.surroundings) {
                Ok(site) => self.start(&site).await.map(|started| (site, started)),
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok((site, (next, worker))) => {
                    deployments[index] = next;
                    self.plan.sites[index] = site;
                    server.deploy(self.plan.routes(deployments), vec![(deployment.id, worker)]).await;
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
        let Plan { sites, listen, threads, drain, metrics, .. } = &self.plan;
        // A thread's worker is started at its first request. While files are edited that may be too late: the version
        // that goes on serving is no longer on the disk.
        let default = || if self.is_watching { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let places = sites.iter().map(|site| (site.project.name.clone(), self.places(site)));
        let places: HashMap<String, Places> = places.collect();
        ServerOptions {
            address: *listen,
            threads: threads.unwrap_or_else(default),
            access_log: Arc::new(ServerLog::new(self.log, places)),
            drain: *drain,
            pressure: PressureWatch::start(),
            metrics: Arc::clone(&self.surroundings.metrics),
            metrics_address: *metrics,
            request_headers_max: sites.iter().map(Site::request_headers).max().unwrap_or_default(),
        }
    }

    fn places(&self, site: &Site) -> Places {
        site.project.places(&self.surroundings)
    }

    /// Says what would be served.
    fn show_plan(&self) {
        let count = counted(self.plan.sites.len(), "deployment");
        print_line(format_args!("{GOOD}in order{GOOD:#} {count}"));
        self.show_sites(self.plan.listen);
    }

    fn announce(&self, server: &Server, elapsed: Duration) {
        let address = server.address();
        let metrics = server.metrics_address().map(|address| format!("http://{address}/metrics"));
        if self.log == LogFormat::Json {
            let ways = self.plan.sites.iter().flat_map(|site| &site.routes);
            let urls: Vec<String> = ways.map(|(host, path)| url(host, path, address)).collect();
            let mut line = json!({ "type": "listening", "urls": urls, "ms": elapsed.as_millis() });
            if let Some(metrics) = metrics {
                line["metrics"] = metrics.into();
            }
            print_line(json_line(&line));
            return;
        }
        let version = env!("CARGO_PKG_VERSION");
        print_line(format_args!("{GOOD}Atoll {version}{GOOD:#} {DIM}ready in {}{DIM:#}", duration(elapsed)));
        self.show_sites(address);
        if let Some(metrics) = metrics {
            print_line(format_args!("  {DIM}metrics at {metrics}{DIM:#}"));
        }
        if self.is_watching {
            print_line(format_args!("  {DIM}starts anew when a file changes{DIM:#}"));
        }
    }

    /// A line for each way to each site.
    fn show_sites(&self, address: SocketAddr) {
        let sites = &self.plan.sites;
        let ways = sites.iter().flat_map(|site| site.routes.iter().map(move |way| (site, way)));
        for (site, (host, path)) in ways.clone().take(SHOWN_URLS_MAX) {
            let entry = site.project.shown_entry(&self.surroundings);
            print_line(format_args!("  {BOLD}{}{BOLD:#}  {entry}", url(host, path, address)));
        }
        let more = ways.count().saturating_sub(SHOWN_URLS_MAX);
        if more > 0 {
            print_line(format_args!("  {DIM}… and {more} more{DIM:#}"));
        }
        for site in sites.iter().filter(|site| !site.asked.is_empty()) {
            let (name, asked) = (&site.project.name, site.asked.join(", "));
            print_line(format_args!("  {WARNING}{name} may reach {asked}{WARNING:#}, because its atoll.toml says so"));
        }
    }

    fn say_reloaded(&self, index: usize, elapsed: Duration) {
        let Some(site) = self.plan.sites.get(index) else { return };
        let entry = site.project.shown_entry(&self.surroundings);
        if self.log == LogFormat::Json {
            let line = json!({ "type": "reloaded", "app": site.project.name, "ms": elapsed.as_millis() });
            print_line(json_line(&line));
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
            let seconds = self.plan.drain.as_secs();
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

/// What to type into a browser.
fn url(host: &HostPattern, path: &PathPrefix, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let path = if *path == PathPrefix::default() { String::new() } else { path.to_string() };
    match host {
        HostPattern::Any => format!("http://{}{path}", SocketAddr::new(ip, address.port())),
        named => format!("http://{named}:{}{path}", address.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |host: &str, path: &str, address: &str| {
            let (host, path) = (host.parse().expect("a host"), path.parse().expect("a path"));
            url(&host, &path, address.parse().expect("an address"))
        };
        assert_eq!(url("*", "/", "127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(url("*", "/api", "0.0.0.0:80"), "http://127.0.0.1:80/api");
        assert_eq!(url("*", "/", "[::]:80"), "http://[::1]:80");
        assert_eq!(url("shop.localhost", "/", "0.0.0.0:80"), "http://shop.localhost:80");
        assert_eq!(url("*.shop.example", "/a", "0.0.0.0:80"), "http://*.shop.example:80/a");
    }
}
