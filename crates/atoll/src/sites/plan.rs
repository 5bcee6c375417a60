//! The sites of a server.

use super::settings::{Clients, Said, grants, of_app};
use crate::apps::{Grants, Project, Surroundings, flag_settings};
use crate::cli::{self, LogFormat};
use crate::config::{ConfigFile, FILE_NAME, ServerFile, Settings, Source};
use crate::terminal::Failure;
use atoll_runtime::{App, Deployment, DeploymentId};
use atoll_server::{HostPattern, PathPrefix, Route, Routes};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What is served, and how.
pub(crate) struct Plan {
    pub(crate) sites: Vec<Site>,
    pub(crate) listen: SocketAddr,
    /// As many as there are cores, where it is not said.
    pub(crate) threads: Option<usize>,
    pub(crate) drain: Duration,
    /// Where metrics can be read, if anywhere.
    pub(crate) metrics: Option<SocketAddr>,
    flags: Settings,
    clients: Clients,
}

/// One deployment, ready to be started.
pub(crate) struct Site {
    pub(crate) id: DeploymentId,
    pub(crate) routes: Vec<(HostPattern, PathPrefix)>,
    pub(crate) project: Project,
    /// Addresses that it may reach because its own file says so.
    pub(crate) asked: Vec<String>,
    grants: Grants,
    wanted: Wanted,
}

/// A deployment as it was asked for.
#[derive(Clone)]
struct Wanted {
    /// As it was named.
    directory: PathBuf,
    said: Option<Said>,
}

const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Seconds that requests under way may take at the end: less than what service managers wait before they kill.
const DEFAULT_DRAIN: Duration = Duration::from_secs(10);

/// The server's configuration: the one that is named, or the one of the working directory when nothing is named.
pub(crate) fn server_file(arguments: &cli::Serve) -> Result<Option<ServerFile>, Failure> {
    let path = match &arguments.config {
        Some(path) => path.as_path(),
        None if arguments.dirs.is_empty() => Path::new(FILE_NAME),
        None => return Ok(None),
    };
    let shown = path.display().to_string();
    let file = match Source::read(path, &shown)? {
        Some(source) => ConfigFile::parse(source)?,
        None if arguments.config.is_some() => return Err(Failure::new(format!("there is no {shown}"))),
        None => return Ok(None),
    };
    match file {
        ConfigFile::Server(file) if !file.deployments.is_empty() => Ok(Some(file)),
        ConfigFile::App(_) if arguments.config.is_none() => Ok(None),
        ConfigFile::Server(_) | ConfigFile::App(_) => Err(Failure::new(format!("{shown} names nothing to serve"))
            .hint("add an app: [[deployments]] and below it directory = \"…\"")),
    }
}

impl Plan {
    pub(crate) fn new(
        arguments: &cli::Serve,
        file: Option<ServerFile>,
        surroundings: &Surroundings,
    ) -> Result<Self, Failure> {
        let file = file.map(Arc::new);
        let said = file.as_deref();
        let listen = said.and_then(|file| file.listen).unwrap_or(DEFAULT_ADDRESS);
        let mut plan = Self {
            sites: Vec::new(),
            listen: SocketAddr::new(arguments.host.unwrap_or(listen.ip()), arguments.port.unwrap_or(listen.port())),
            threads: arguments.threads.or(said.and_then(|file| file.threads)),
            drain: arguments
                .drain_seconds
                .map(Duration::from_secs)
                .or(said.and_then(|file| file.drain))
                .unwrap_or(DEFAULT_DRAIN),
            metrics: arguments.metrics.or(said.and_then(|file| file.metrics)),
            flags: flag_settings(&arguments.guest, &arguments.limits.0, arguments.entry.as_deref())?,
            clients: Clients::default(),
        };
        let sites = match &file {
            Some(file) => plan.configured(file, surroundings),
            None => plan.named(&arguments.dirs, surroundings),
        };
        plan.sites = sites?;
        Ok(plan)
    }

    /// The site anew, as its files are now.
    pub(crate) fn again(&self, site: &Site, surroundings: &Surroundings) -> Result<Site, Failure> {
        let name = site.project.name.clone();
        self.site(site.id, Some(name), site.wanted.clone(), site.routes.clone(), surroundings)
    }

    pub(crate) fn routes(&self, deployments: &[Deployment]) -> Routes {
        let sites = self.sites.iter().zip(deployments);
        let routes = sites.flat_map(|(site, deployment)| {
            let ways = site.routes.iter();
            ways.map(|(host, path)| Route { host: host.clone(), path: path.clone(), deployment: deployment.clone() })
        });
        Routes::new(routes.collect())
    }

    fn site(
        &self,
        id: DeploymentId,
        name: Option<String>,
        wanted: Wanted,
        routes: Vec<(HostPattern, PathPrefix)>,
        surroundings: &Surroundings,
    ) -> Result<Site, Failure> {
        let said = wanted.said.as_ref();
        let app = of_app(&wanted.directory, said)?;
        let entries =
            [Some(&self.flags), said.map(|said| &said.entry().settings), app.as_ref().map(|app| &app.settings)];
        let entry = entries.into_iter().flatten().find_map(|settings| settings.entry.as_deref());
        let mut project = Project::of_directory(&wanted.directory, entry, surroundings)?;
        if let Some(name) = name {
            project.name = name;
        }
        let tenant = said.and_then(|said| said.entry().tenant.as_deref()).unwrap_or(&project.name);
        let (grants, asked) = grants(tenant, &self.flags, said, app.as_ref(), &self.clients)?;
        Ok(Site { id, routes, project, asked, grants, wanted })
    }

    /// Sites of directories that were named; the working directory when none was.
    fn named(&self, directories: &[PathBuf], surroundings: &Surroundings) -> Result<Vec<Site>, Failure> {
        let here = [PathBuf::from(".")];
        let directories = if directories.is_empty() { &here } else { directories };
        let mut sites: Vec<Site> = Vec::with_capacity(directories.len());
        for (id, directory) in (0..).map(DeploymentId).zip(directories) {
            let wanted = Wanted { directory: directory.clone(), said: None };
            let mut site = self.site(id, None, wanted, Vec::new(), surroundings)?;
            let name = &site.project.name;
            if let Some(other) = sites.iter().find(|other| other.project.name == *name) {
                let (one, two) = (other.wanted.directory.display(), directory.display());
                return Err(Failure::new(format!("{one} and {two} would both be served at {name}"))
                    .hint(format!("rename one of the directories, or name both in {FILE_NAME}")));
            }
            if directories.len() > 1 {
                site.routes.push((host_of(name, "with several apps")?, PathPrefix::default()));
            }
            // The first one also answers where no other does.
            if sites.is_empty() {
                site.routes.insert(0, (HostPattern::Any, PathPrefix::default()));
            }
            sites.push(site);
        }
        Ok(sites)
    }

    /// Sites of a configuration.
    fn configured(&self, file: &Arc<ServerFile>, surroundings: &Surroundings) -> Result<Vec<Site>, Failure> {
        let source = &file.source;
        let mut sites: Vec<Site> = Vec::with_capacity(file.deployments.len());
        let mut names = HashMap::new();
        let mut ways = HashMap::new();
        for (index, entry) in file.deployments.iter().enumerate() {
            let said = Said { file: Arc::clone(file), index };
            let wanted = Wanted { directory: source.directory.join(&entry.directory.value), said: Some(said) };
            let name = entry.name.as_ref().map(|name| name.value.clone());
            let site = self.site(DeploymentId(index as u64), name, wanted, Vec::new(), surroundings);
            // A fault of the app's own file has its place already.
            let mut site = site.map_err(|failure| {
                if failure.details.is_empty() { source.place(&entry.directory.at, failure) } else { failure }
            })?;
            let name = site.project.name.clone();
            let named_at = entry.name.as_ref().map_or(&entry.directory.at, |name| &name.at);
            if names.insert(name.clone(), index).is_some() {
                let failure = source.mistake(named_at, format!("two deployments are called {name}"));
                return Err(failure.hint("give one of them another name: name = \"…\""));
            }
            let is_only = file.deployments.len() == 1;
            let hosts: Vec<_> = match entry.hosts.as_slice() {
                [] if is_only || !entry.paths.is_empty() => vec![(HostPattern::Any, &entry.at)],
                [] => {
                    let host = host_of(&name, "without hosts").map_err(|failure| source.place(named_at, failure))?;
                    vec![(host, named_at)]
                }
                hosts => hosts.iter().map(|host| (host.value.clone(), &host.at)).collect(),
            };
            let everything = PathPrefix::default();
            for (host, host_at) in hosts {
                let paths: Vec<_> = match entry.paths.as_slice() {
                    [] => vec![(&everything, host_at)],
                    paths => paths.iter().map(|path| (&path.value, &path.at)).collect(),
                };
                for (path, at) in paths {
                    if let Some(other) = ways.insert((host.clone(), path.clone()), name.clone()) {
                        let failure = source.mistake(at, format!("{host}{path} leads to {other} already"));
                        return Err(failure.hint("a host and a path together lead to one deployment"));
                    }
                    site.routes.push((host.clone(), path.clone()));
                }
            }
            sites.push(site);
        }
        Ok(sites)
    }
}

impl Site {
    /// Header fields that its limit admits.
    pub(crate) fn request_headers(&self) -> usize {
        self.grants.limits.request_headers as usize
    }

    /// The app as its files are now. Modules are read when it starts.
    pub(crate) fn app(&self, surroundings: &Surroundings) -> Result<Arc<App>, Failure> {
        self.project.app(Vec::new(), &self.grants, surroundings)
    }
}

/// What is logged of requests.
pub(crate) fn log_format(arguments: &cli::Serve, file: Option<&ServerFile>) -> LogFormat {
    arguments.log.or(file.and_then(|file| file.log)).unwrap_or(LogFormat::Access)
}

/// The host of an app among several. Browsers and most resolvers know that names below `localhost` are this machine.
fn host_of(name: &str, when: &str) -> Result<HostPattern, Failure> {
    let is_label = |name: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
    };
    if is_label(name) {
        return Ok(HostPattern::Exact(format!("{name}.localhost")));
    }
    Err(Failure::new(format!("the name {name:?} can't be part of a host name")).hint(format!(
        "{when}, an app is served at http://<its name>.localhost: use letters, digits and hyphens, or name hosts in \
         {FILE_NAME}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let host = |name: &str| host_of(name, "here").ok();
        assert_eq!(host("shop-2"), Some(HostPattern::Exact("shop-2.localhost".to_owned())));
        for bad in ["", "-a", "a-", "a.b", "a b", "ä", "a_b", "A"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
