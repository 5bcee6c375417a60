//! From a checked file to what it says.

use super::check::{check, limit_value, number};
use super::keys::{APP_FILE, SERVER_FILE};
use super::{Settings, Source};
use crate::cli::LogFormat;
use crate::limit_flags::GivenLimits;
use crate::terminal::Failure;
use atoll_runtime::Isolation;
use atoll_runtime::limits::LIMITS;
use atoll_server::{HostPattern, PathPrefix};
use atoll_web::NetRules;
use clap::ValueEnum;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) at: Range<usize>,
}

/// A file, as one of the two that it can be.
#[derive(Debug)]
pub(crate) enum ConfigFile {
    Server(ServerFile),
    App(AppFile),
}

/// A server's configuration.
#[derive(Debug)]
pub(crate) struct ServerFile {
    pub(crate) source: Arc<Source>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) threads: Option<usize>,
    pub(crate) drain: Option<Duration>,
    pub(crate) log: Option<LogFormat>,
    /// Where metrics can be read.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) limits: GivenLimits,
    pub(crate) deployments: Vec<DeploymentEntry>,
}

/// One of `[[deployments]]`.
#[derive(Debug)]
pub(crate) struct DeploymentEntry {
    /// Of the whole entry.
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<Located<String>>,
    pub(crate) directory: Located<PathBuf>,
    pub(crate) tenant: Option<String>,
    pub(crate) hosts: Vec<Located<HostPattern>>,
    pub(crate) paths: Vec<Located<PathPrefix>>,
    pub(crate) env_from: Vec<Located<String>>,
    pub(crate) settings: Settings,
}

/// An app's own settings.
#[derive(Debug)]
pub(crate) struct AppFile {
    pub(crate) source: Arc<Source>,
    pub(crate) settings: Settings,
}

impl ConfigFile {
    /// Checks and reads a file.
    pub(crate) fn parse(source: Source) -> Result<Self, Failure> {
        let source = Arc::new(source);
        let document = DeTable::parse(&source.text).map_err(|error| {
            let at = error.span().unwrap_or(0..0);
            source.mistake(&at, error.message())
        })?;
        let (root, at) = (document.get_ref(), document.span());
        if root.contains_key("server") || root.contains_key("deployments") {
            check(&source, root, &at, &SERVER_FILE)?;
            Ok(Self::Server(Reader { source: &source }.server_file(root)?))
        } else {
            check(&source, root, &at, &APP_FILE)?;
            let settings = Reader { source: &source }.settings(root)?;
            Ok(Self::App(AppFile { source: Arc::clone(&source), settings }))
        }
    }
}

/// Takes values out of tables that were checked: what is there is of its kind.
struct Reader<'a> {
    source: &'a Arc<Source>,
}

impl Reader<'_> {
    fn server_file(&self, root: &DeTable<'_>) -> Result<ServerFile, Failure> {
        let empty = DeTable::new();
        let server = root.get("server").and_then(|value| value.get_ref().as_table()).unwrap_or(&empty);
        let metrics = root.get("metrics").and_then(|value| value.get_ref().as_table()).unwrap_or(&empty);
        let count = |key: &str| server.get(key).and_then(|value| number(value.get_ref().as_integer()?));
        let deployments = root.get("deployments").and_then(|value| value.get_ref().as_array());
        let deployments = deployments.into_iter().flatten().map(|entry| self.deployment(entry));
        Ok(ServerFile {
            source: Arc::clone(self.source),
            listen: self.parsed(server, "listen")?,
            threads: count("threads").and_then(|count| usize::try_from(count).ok()),
            drain: count("drain-seconds").map(Duration::from_secs),
            log: text(server, "log").and_then(|log| LogFormat::from_str(&log.value, false).ok()),
            metrics: self.parsed(metrics, "listen")?,
            limits: limits(root),
            deployments: deployments.collect::<Result<_, _>>()?,
        })
    }

    fn deployment(&self, entry: &Spanned<DeValue<'_>>) -> Result<DeploymentEntry, Failure> {
        let empty = DeTable::new();
        let table = entry.get_ref().as_table().unwrap_or(&empty);
        let directory = text(table, "directory").unwrap_or(Located { value: String::new(), at: entry.span() });
        for key in ["name", "directory", "tenant"] {
            if let Some(empty) = text(table, key).filter(|text| text.value.trim().is_empty()) {
                return Err(self.source.mistake(&empty.at, format!("{key} is empty")));
            }
        }
        let name = text(table, "name");
        if let Some(name) = name.as_ref().filter(|name| name.value.contains(char::is_control)) {
            return Err(self.source.mistake(&name.at, "name has a character that no log can show"));
        }
        Ok(DeploymentEntry {
            at: entry.span(),
            name,
            directory: Located { value: PathBuf::from(directory.value), at: directory.at },
            tenant: text(table, "tenant").map(|tenant| tenant.value),
            hosts: self.parsed_list(table, "hosts")?,
            paths: self.parsed_list(table, "paths")?,
            env_from: text_list(table, "env-from").unwrap_or_default(),
            settings: self.settings(table)?,
        })
    }

    fn settings(&self, table: &DeTable<'_>) -> Result<Settings, Failure> {
        let isolation: Option<Isolation> = self.parsed(table, "isolation")?;
        Ok(Settings {
            entry: text(table, "entry").map(|entry| PathBuf::from(entry.value)),
            isolation,
            env: self.env(table)?,
            net_allow: self.net_allow(table)?,
            limits: limits(table),
        })
    }

    fn env(&self, table: &DeTable<'_>) -> Result<Vec<(String, String)>, Failure> {
        let variables = table.get("env").and_then(|value| value.get_ref().as_table());
        let mut env = Vec::new();
        for (name, value) in variables.into_iter().flatten() {
            if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
                return Err(self.source.mistake(&name.span(), "this can't be the name of an environment variable"));
            }
            let value = value.get_ref().as_str().unwrap_or_default();
            env.push((name.get_ref().to_string(), value.to_owned()));
        }
        Ok(env)
    }

    fn net_allow(&self, table: &DeTable<'_>) -> Result<Option<Located<Vec<String>>>, Failure> {
        let Some(list) = text_list(table, "net-allow") else { return Ok(None) };
        for item in &list {
            if let Err(error) = NetRules::new([item.value.as_str()]) {
                return Err(self.source.mistake(&item.at, format!("net-allow: {error}")));
            }
        }
        let at = table.get("net-allow").map_or(0..0, Spanned::span);
        Ok(Some(Located { value: list.into_iter().map(|item| item.value).collect(), at }))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, table: &DeTable<'_>, key: &str) -> Result<Option<T>, Failure> {
        text(table, key).map(|text| self.parse(key, text).map(|parsed| parsed.value)).transpose()
    }

    fn parsed_list<T: FromStr<Err: std::fmt::Display>>(
        &self,
        table: &DeTable<'_>,
        key: &str,
    ) -> Result<Vec<Located<T>>, Failure> {
        text_list(table, key).unwrap_or_default().into_iter().map(|text| self.parse(key, text)).collect()
    }

    fn parse<T: FromStr<Err: std::fmt::Display>>(
        &self,
        key: &str,
        text: Located<String>,
    ) -> Result<Located<T>, Failure> {
        match text.value.parse() {
            Ok(value) => Ok(Located { value, at: text.at }),
            Err(error) => Err(self.source.mistake(&text.at, format!("{key}: {error}"))),
        }
    }
}

fn text(table: &DeTable<'_>, key: &str) -> Option<Located<String>> {
    let value = table.get(key)?;
    Some(Located { value: value.get_ref().as_str()?.to_owned(), at: value.span() })
}

fn text_list(table: &DeTable<'_>, key: &str) -> Option<Vec<Located<String>>> {
    let items = table.get(key)?.get_ref().as_array()?.iter();
    let located =
        |item: &Spanned<DeValue<'_>>| Some(Located { value: item.get_ref().as_str()?.to_owned(), at: item.span() });
    Some(items.filter_map(located).collect())
}

fn limits(table: &DeTable<'_>) -> GivenLimits {
    let given = table.get("limits").and_then(|value| value.get_ref().as_table());
    let value = |row| Some((row, limit_value(row, given?.get(row.key)?.get_ref())?));
    GivenLimits::new(LIMITS.iter().filter_map(value).collect())
}
