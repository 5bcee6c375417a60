//! `.npmrc`: which registry serves which packages, who we are there, how much is asked of it, and how packages are linked.
//!
//! Read are `registry`, `@scope:registry`, the credentials `//host/path/:_authToken`, `:_auth`, `:username` with
//! `:_password`, `maxsockets` (npm's) and `network-concurrency` (pnpm's), and `node-linker`. Everything else in such a file
//! configures npm itself and is passed over. Credentials hold for URLs below the host and path that they are written for;
//! [`Npmrc::authorization_for`] is the only way to them.

use std::{collections::HashMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    linker::{Linker, UnknownLinker},
    manifest::is_valid_name,
};

/// Where packages come from unless `.npmrc` says otherwise.
pub const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org/";

/// What one or several `.npmrc` files say, merged.
#[derive(Clone, Default)]
pub struct Npmrc {
    registry: Option<String>,
    scopes: HashMap<String, String>,
    /// By host and path, `//host[:port]/path/`.
    credentials: HashMap<String, Credentials>,
    unset: Vec<UnsetVariable>,
    max_sockets: Option<usize>,
    network_concurrency: Option<usize>,
    linker: Option<Linker>,
}

/// The value of `node-linker` that is pnpm's alone, and says nothing to us.
const LINKER_OF_PNPM: &str = "pnp";

#[derive(Clone, Default)]
struct Credentials {
    token: Option<String>,
    basic: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// A credential that was left out because it refers to an environment variable that is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetVariable {
    /// The file as the caller named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// The variable.
    pub variable: String,
}

/// Why a `.npmrc` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct NpmrcError {
    /// The file as the caller named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong. Never contains a credential.
    pub problem: String,
}

/// A line that cannot be used: why, or which variable it lacks.
enum Refusal {
    Problem(String),
    Unset(String),
}

impl Npmrc {
    /// Adds a file; what it says takes precedence over what was added before, so the user's file comes before the
    /// project's. `environment` looks up the variables of `${NAME}`.
    ///
    /// # Errors
    /// On a line that would decide which registry is asked or as whom, and makes no sense.
    pub fn with_file(
        mut self,
        file: &str,
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NpmrcError> {
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let line_number = index + 1;
            let Some((key, value)) = split_line(line) else { continue };
            match self.apply(&key, &value, &environment) {
                Ok(()) => {}
                Err(Refusal::Problem(problem)) => {
                    return Err(NpmrcError { file: file.to_owned(), line: line_number, problem });
                }
                Err(Refusal::Unset(variable)) => {
                    self.unset.push(UnsetVariable { file: file.to_owned(), line: line_number, variable });
                }
            }
        }
        Ok(self)
    }

    /// The registry that has a package: its scope's, or the general one. An absolute URL that ends in `/`.
    pub fn registry_for(&self, package: &str) -> &str {
        let scope = package.split_once('/').map(|(scope, _)| scope).filter(|scope| scope.starts_with('@'));
        let scoped = scope.and_then(|scope| self.scopes.get(scope));
        scoped.or(self.registry.as_ref()).map_or(DEFAULT_REGISTRY, String::as_str)
    }

    /// The value of the `Authorization` header for a request to `url`, if there are credentials for exactly its host and
    /// a path above it. URLs in any unusual spelling get none.
    pub fn authorization_for(&self, url: &str) -> Option<String> {
        let place = Place::of(url)?;
        place.prefixes().find_map(|prefix| self.credentials.get(prefix)?.header())
    }

    /// How many requests may be under way at once to one registry, where that is limited: the lower of npm's limit and pnpm's.
    pub fn requests_max(&self) -> Option<usize> {
        self.max_sockets.into_iter().chain(self.network_concurrency).min()
    }

    /// The linker that was chosen, if any.
    pub fn linker(&self) -> Option<Linker> {
        self.linker
    }

    /// Credentials that were left out for lack of an environment variable.
    pub fn unset_variables(&self) -> &[UnsetVariable] {
        &self.unset
    }

    fn apply(&mut self, key: &str, value: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<(), Refusal> {
        let key = expanded(key, environment)?;
        if key == "registry" {
            self.registry = Some(registry_url(&expanded_or_fail(value, environment)?)?);
        } else if let Some(scope) = key.strip_suffix(":registry") {
            if !scope.starts_with('@') || !is_valid_name(&format!("{scope}/x")) {
                return Err(Refusal::Problem(format!("\"{scope}\" is not a scope; write @scope:registry=URL")));
            }
            let url = registry_url(&expanded_or_fail(value, environment)?)?;
            self.scopes.insert(scope.to_owned(), url);
        } else if key == "maxsockets" {
            self.max_sockets = count(&key, &expanded_or_fail(value, environment)?)?;
        } else if key == "network-concurrency" {
            self.network_concurrency = count(&key, &expanded_or_fail(value, environment)?)?;
        } else if key == "node-linker" {
            let name = expanded_or_fail(value, environment)?;
            if name != LINKER_OF_PNPM {
                let linker = name.parse().map_err(|error: UnknownLinker| Refusal::Problem(error.to_string()))?;
                self.linker = Some(linker);
            }
        } else if matches!(key.as_str(), "_authToken" | "_auth" | "username" | "_password") {
            return Err(Refusal::Problem(format!(
                "{key} does not say for which registry; write //registry.example.com/:{key}=…"
            )));
        } else if key.starts_with("//") {
            self.apply_credential(&key, value, environment)?;
        }
        Ok(())
    }

    fn apply_credential(
        &mut self,
        key: &str,
        value: &str,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), Refusal> {
        let Some((place, field)) = key.rsplit_once(':') else { return Ok(()) };
        if !matches!(field, "_authToken" | "_auth" | "username" | "_password") {
            return Ok(());
        }
        let Some(place) = Place::of(&format!("https:{place}")) else {
            return Err(Refusal::Problem(format!("\"{place}\" is not a host and path; write //host/path/:{field}=…")));
        };
        let value = expanded(value, environment)?;
        if value.is_empty() || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(Refusal::Problem(format!("the value of {field} is empty or has unprintable characters")));
        }
        let credentials = self.credentials.entry(place.key).or_default();
        match field {
            "_authToken" => credentials.token = Some(value),
            "_auth" => credentials.basic = Some(value),
            "username" => credentials.username = Some(value),
            _ => {
                let password = STANDARD.decode(&value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let Some(password) = password else {
                    return Err(Refusal::Problem("_password must be the password in base64".to_owned()));
                };
                credentials.password = Some(password);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Npmrc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Npmrc")
            .field("registry", &self.registry)
            .field("scopes", &self.scopes)
            .field("credentials_for", &self.credentials.keys().collect::<Vec<_>>())
            .field("unset", &self.unset)
            .field("max_sockets", &self.max_sockets)
            .field("network_concurrency", &self.network_concurrency)
            .field("linker", &self.linker)
            .finish()
    }
}

impl Credentials {
    fn header(&self) -> Option<String> {
        if let Some(token) = &self.token {
            return Some(format!("Bearer {token}"));
        }
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            return Some(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))));
        }
        self.basic.as_ref().map(|basic| format!("Basic {basic}"))
    }
}

/// Host and path of a URL, in the form that credentials are filed under.
struct Place {
    /// `//host[:port]/path/`, up to and including the last `/`.
    key: String,
    /// Bytes of `key` before the path.
    host_end: usize,
}

impl Place {
    /// `None` for anything but a plain `http` or `https` URL: where URL parsers could read something in two ways (user
    /// info, backslashes, escapes in the host, dot segments), nobody gets credentials.
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest[..end].to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || host.starts_with(':') || !host.bytes().all(is_plain) {
            return None;
        }
        let host = host.strip_suffix(default_port).unwrap_or(&host);
        let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
        let lowered = path.to_ascii_lowercase().replace("%2e", ".");
        if lowered.split('/').any(|segment| segment == "." || segment == "..") {
            return None;
        }
        let folder_end = path.rfind('/').map_or(0, |slash| slash + 1);
        let folder = if folder_end == 0 { "/" } else { &path[..folder_end] };
        Some(Self { key: format!("//{host}{folder}"), host_end: 2 + host.len() })
    }

    /// The place itself, then the folders above it.
    fn prefixes(&self) -> impl Iterator<Item = &str> {
        let slashes = self.key.bytes().enumerate().skip(self.host_end).filter(|(_, byte)| *byte == b'/');
        let mut ends: Vec<usize> = slashes.map(|(index, _)| index + 1).collect();
        ends.reverse();
        ends.into_iter().map(|end| &self.key[..end])
    }
}

/// Key and value of a line; `None` for comments, sections and lines without a value.
fn split_line(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with([';', '#', '[']) {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    Some((unquoted(key), unquoted(value)))
}

/// Without quotes around it, or without a comment behind it (`;` and `#` can be escaped with a backslash).
fn unquoted(text: &str) -> String {
    let text = text.trim();
    if text.len() >= 2
        && (text.starts_with('"') && text.ends_with('"') || text.starts_with('\'') && text.ends_with('\''))
    {
        return text[1..text.len() - 1].to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek().is_some_and(|next| matches!(next, ';' | '#' | '\\')) => {
                plain.extend(characters.next());
            }
            ';' | '#' => break,
            c => plain.push(c),
        }
    }
    plain.trim_end().to_owned()
}

/// Replaces `${NAME}`; `${NAME?}` stands for nothing when the variable is not set.
fn expanded(text: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, Refusal> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        result.push_str(&rest[..start]);
        let inner = &rest[start + 2..start + length];
        let (name, is_optional) = inner.strip_suffix('?').map_or((inner, false), |name| (name, true));
        match environment(name) {
            Some(value) => result.push_str(&value),
            None if is_optional => {}
            None => return Err(Refusal::Unset(name.to_owned())),
        }
        rest = &rest[start + length + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

/// A registry cannot be left out the way a credential can: packages would come from somewhere else.
fn expanded_or_fail(text: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, Refusal> {
    expanded(text, environment).map_err(|refusal| match refusal {
        Refusal::Unset(name) => Refusal::Problem(format!("the environment variable {name} is not set")),
        problem @ Refusal::Problem(_) => problem,
    })
}

/// A limit for how many there may be; `None` for npm's way to say that there is none.
fn count(key: &str, value: &str) -> Result<Option<usize>, Refusal> {
    if value == "Infinity" {
        return Ok(None);
    }
    match value.parse() {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(Refusal::Problem(format!("{key} is {value:?}; write a whole number from 1 on"))),
    }
}

/// Checks a registry's URL and makes it end in `/`.
fn registry_url(url: &str) -> Result<String, Refusal> {
    if Place::of(url).is_none() || url.contains(['?', '#']) {
        return Err(Refusal::Problem(format!(
            "{:?} is not the URL of a registry; write it as https://host/path/",
            without_credentials(url)
        )));
    }
    Ok(if url.ends_with('/') { url.to_owned() } else { format!("{url}/") })
}

fn without_credentials(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_variables(_: &str) -> Option<String> {
        None
    }

    fn parse(text: &str) -> Npmrc {
        let environment = |name: &str| (name == "TOKEN").then(|| "secret".to_owned());
        Npmrc::default().with_file(".npmrc", text, environment).unwrap()
    }

    #[test]
    fn scopes_have_their_own_registries() {
        let npmrc = parse(
            "; comment\n# comment\nregistry = https://r.example.com/npm ; why\n@a:registry=\"https://a.example.com/\"\n\
             always-auth=true\nstrange line\n[section]\n",
        );
        assert_eq!(npmrc.registry_for("lodash"), "https://r.example.com/npm/");
        assert_eq!(npmrc.registry_for("@b/c"), "https://r.example.com/npm/");
        assert_eq!(npmrc.registry_for("@a/b"), "https://a.example.com/");
        assert_eq!(Npmrc::default().registry_for("x"), DEFAULT_REGISTRY);
    }

    #[test]
    fn later_files_win() {
        let user = "registry=https://user.example.com/\n@a:registry=https://a.example.com/";
        let npmrc = Npmrc::default()
            .with_file("~/.npmrc", user, no_variables)
            .and_then(|npmrc| npmrc.with_file(".npmrc", "registry=https://project.example.com", no_variables))
            .unwrap();
        assert_eq!(npmrc.registry_for("x"), "https://project.example.com/");
        assert_eq!(npmrc.registry_for("@a/x"), "https://a.example.com/");
    }

    #[test]
    fn credentials_stay_with_their_host_and_path() {
        let npmrc = parse(
            "//r.example.com/:_authToken=${TOKEN}\n//r.example.com/private/:_auth=YTpi\n\
             //s.example.com:8443/x/:username=me\n//s.example.com:8443/x/:_password=cHc=\n",
        );
        let bearer = Some("Bearer secret".to_owned());
        assert_eq!(npmrc.authorization_for("https://r.example.com/lodash"), bearer);
        assert_eq!(npmrc.authorization_for("https://R.Example.com:443/a/-/a-1.0.0.tgz?x=1"), bearer);
        assert_eq!(npmrc.authorization_for("https://r.example.com/private/a").as_deref(), Some("Basic YTpi"));
        assert_eq!(npmrc.authorization_for("https://s.example.com:8443/x/a").as_deref(), Some("Basic bWU6cHc="));
        for elsewhere in [
            "https://s.example.com/x/a",
            "https://s.example.com:8443/y",
            "https://example.com/",
            "https://r.example.com.evil.net/",
            "https://r.example.com@evil.net/",
            "https://evil.net/r.example.com/",
            "https://evil.net\\@r.example.com/",
            "https://evil.net#@r.example.com/",
            "https://evil.net?//r.example.com/",
            "https://r.example.com%2eevil.net/",
            "https://r.example.com:444/",
            "https://r.example.com/private/../other",
            "https://r.example.com/private/%2E%2e/other",
            "ftp://r.example.com/",
            "//r.example.com/",
            "https:r.example.com/",
            "https://r.example.com/\nx",
            "",
        ] {
            assert_eq!(npmrc.authorization_for(elsewhere), None, "{elsewhere:?}");
        }
        assert!(!format!("{npmrc:?}").contains("secret"));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_with_its_line() {
        for (text, expected) in [
            ("\nregistry=r.example.com", ".npmrc:2: \"r.example.com\" is not the URL"),
            ("registry=${MISSING}", ".npmrc:1: the environment variable MISSING is not set"),
            ("scope:registry=https://a.example.com", ".npmrc:1: \"scope\" is not a scope"),
            ("_authToken=abc", ".npmrc:1: _authToken does not say for which registry"),
            ("node-linker=pnq", ".npmrc:1: \"pnq\" is not a linker"),
            ("maxsockets=0", ".npmrc:1: maxsockets is \"0\"; write a whole number"),
            ("network-concurrency=many", ".npmrc:1: network-concurrency is \"many\"; write a whole number"),
            ("maxsockets=-1", ".npmrc:1: maxsockets is \"-1\""),
            ("//bad host/:_authToken=abc", ".npmrc:1: \"//bad host/\" is not a host and path"),
            ("//r.example.com/:_password=%%%", ".npmrc:1: _password must be the password in base64"),
        ] {
            let error = Npmrc::default().with_file(".npmrc", text, no_variables).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("abc"), "{error}");
        }
    }

    #[test]
    fn requests_are_limited_by_npms_key_and_pnpms() {
        assert_eq!(Npmrc::default().requests_max(), None);
        assert_eq!(parse("maxsockets=8").requests_max(), Some(8));
        assert_eq!(parse("network-concurrency = \"12\"").requests_max(), Some(12));
        assert_eq!(parse("network-concurrency=12\nmaxsockets=36").requests_max(), Some(12));
        assert_eq!(parse("maxsockets=8\nmaxsockets=9").requests_max(), Some(9), "the last one holds");
        assert_eq!(parse("maxsockets=8\nmaxsockets=Infinity").requests_max(), None);
    }

    #[test]
    fn the_linker_is_chosen() {
        assert_eq!(parse("node-linker=virtual").linker(), Some(Linker::Virtual));
        assert_eq!(parse("node-linker = \"hoisted\"").linker(), Some(Linker::Hoisted));
        assert_eq!(parse("node-linker=isolated").linker(), Some(Linker::Isolated));
        assert_eq!(parse("node-linker=pnp").linker(), None);
        assert_eq!(Npmrc::default().linker(), None);
    }

    #[test]
    fn a_missing_variable_leaves_its_credential_out() {
        let npmrc = parse("//r.example.com/:_authToken=${OTHER}\n//s.example.com/:_authToken=a${OTHER?}b");
        assert_eq!(npmrc.authorization_for("https://r.example.com/a"), None);
        assert_eq!(npmrc.authorization_for("https://s.example.com/a").as_deref(), Some("Bearer ab"));
        let unset = UnsetVariable { file: ".npmrc".to_owned(), line: 1, variable: "OTHER".to_owned() };
        assert_eq!(npmrc.unset_variables(), [unset]);
    }
}
