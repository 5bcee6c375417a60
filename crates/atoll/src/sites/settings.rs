//! What holds for one deployment, of all that was said.

use crate::apps::Grants;
use crate::config::{AppFile, ConfigFile, DeploymentEntry, FILE_NAME, Located, ServerFile, Settings, Source};
use crate::terminal::Failure;
use atoll_runtime::Limits;
use atoll_web::{FetchClient, NetRules};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What the server's configuration says of a deployment.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) file: Arc<ServerFile>,
    /// Which of its deployments.
    pub(super) index: usize,
}

impl Said {
    pub(super) fn entry(&self) -> &DeploymentEntry {
        &self.file.deployments[self.index]
    }
}

/// HTTP clients by the addresses that they may reach: deployments with the same rules share connections.
#[derive(Default)]
pub(super) struct Clients(RefCell<HashMap<Vec<String>, FetchClient>>);

impl Clients {
    /// Rules from files were checked when those were read, so a mistake is that of a flag.
    fn get(&self, mut allowed: Vec<String>) -> Result<FetchClient, Failure> {
        allowed.sort_unstable();
        allowed.dedup();
        if let Some(client) = self.0.borrow().get(&allowed) {
            return Ok(client.clone());
        }
        let rules = NetRules::new(allowed.iter().map(String::as_str));
        let rules = rules.map_err(|error| Failure::new(format!("--net: {error}")))?;
        let client = FetchClient::new(rules);
        self.0.borrow_mut().insert(allowed, client.clone());
        Ok(client)
    }
}

/// The app's own settings, if its directory has a file of them. The server's configuration may lie in an app's directory
/// and is none.
pub(super) fn of_app(directory: &Path, said: Option<&Said>) -> Result<Option<AppFile>, Failure> {
    let path = directory.join(FILE_NAME);
    let is_the_servers = |said: &Said| match (std::fs::canonicalize(&path), said.file.source.real_path()) {
        (Ok(app), Some(server)) => app == server,
        _ => false,
    };
    if !directory.is_dir() || said.is_some_and(is_the_servers) {
        return Ok(None);
    }
    let Some(source) = Source::read(&path, &path.display().to_string())? else { return Ok(None) };
    match ConfigFile::parse(source)? {
        ConfigFile::App(file) => Ok(Some(file)),
        ConfigFile::Server(file) => {
            let failure = Failure::new(format!("{} configures a server, not the app beside it", file.source.shown));
            Err(failure.hint(format!("serve what it names: atoll serve --config {}", file.source.shown)))
        }
    }
}

/// What an app gets, and what of that it asked for itself in its own file: addresses.
pub(super) fn grants(
    tenant: &str,
    flags: &Settings,
    said: Option<&Said>,
    app: Option<&AppFile>,
    clients: &Clients,
) -> Result<(Grants, Vec<String>), Failure> {
    let entry = said.map(|said| &said.entry().settings);
    let own = app.map(|app| &app.settings);
    let mut env = Vec::new();
    for layer in [own, entry].into_iter().flatten() {
        set(&mut env, layer.env.iter().cloned());
    }
    if let Some(said) = said {
        set(&mut env, passed_on(said)?);
    }
    set(&mut env, flags.env.iter().cloned());

    let (granted, asked) = match (entry.and_then(|entry| entry.net_allow.as_ref()), app, said) {
        (Some(granted), ..) => (granted.value.clone(), Vec::new()),
        (None, Some(app), None) => {
            let asked = app.settings.net_allow.as_ref().map(|asked| asked.value.clone()).unwrap_or_default();
            (asked.clone(), asked)
        }
        (None, Some(app), Some(said)) => {
            refuse_asking(app, said)?;
            (Vec::new(), Vec::new())
        }
        (None, None, _) => (Vec::new(), Vec::new()),
    };
    let flagged = flags.net_allow.iter().flat_map(|allowed| allowed.value.iter().cloned());
    let isolation = entry.and_then(|entry| entry.isolation).or(own.and_then(|own| own.isolation));
    let grants = Grants {
        tenant: tenant.to_owned(),
        isolation: isolation.unwrap_or_default(),
        env,
        limits: limits(flags, said, own),
        fetch: clients.get(granted.into_iter().chain(flagged).collect())?,
        mounts: Vec::new(),
        streams: None,
        input: None,
    };
    Ok((grants, asked))
}

fn limits(flags: &Settings, said: Option<&Said>, own: Option<&Settings>) -> Limits {
    let wanted = |limits: Limits| own.map_or(limits, |own| own.limits.over(limits));
    match said {
        None => flags.limits.over(wanted(Limits::SERVE)),
        Some(said) => {
            let given = said.entry().settings.limits.over(said.file.limits.over(Limits::SERVE));
            let given = flags.limits.over(given);
            given.lower(wanted(given))
        }
    }
}

/// An app may not reach into the operator's network because it says so.
fn refuse_asking(app: &AppFile, said: &Said) -> Result<(), Failure> {
    let Some(Located { at, value }) = &app.settings.net_allow else { return Ok(()) };
    if value.is_empty() {
        return Ok(());
    }
    let failure = app.source.mistake(at, "the app asks to reach addresses that its operator did not grant");
    Err(failure
        .hint(format!("say net-allow under its [[deployments]] in {}: these, others, or []", said.file.source.shown)))
}

/// Variables that have the value that they have here.
fn passed_on(said: &Said) -> Result<Vec<(String, String)>, Failure> {
    let source = &said.file.source;
    let here = said.entry().env_from.iter().map(|name| match std::env::var(&name.value) {
        Ok(value) => Ok((name.value.clone(), value)),
        Err(_) => Err(source
            .mistake(&name.at, format!("env-from: {} is not set for the server", name.value))
            .hint("set it where the server is started")),
    });
    here.collect()
}

fn set(env: &mut Vec<(String, String)>, more: impl IntoIterator<Item = (String, String)>) {
    for (name, value) in more {
        env.retain(|(other, _)| *other != name);
        env.push((name, value));
    }
}
