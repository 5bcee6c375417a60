//! `package.json` as an installer reads it, and the lenient readers of its fields that registry documents share.

use std::fmt;

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Package name to specification (`^1.2.3`, `latest`, `npm:other@1`), in the file's order.
pub type DependencyMap = IndexMap<String, String>;

/// One entry of `peerDependenciesMeta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerMeta {
    /// The peer may be absent; when it is there, its version still has to fit.
    pub optional: bool,
}

/// A project's `package.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// The project's name; projects that are not published may have none.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Regular dependencies, without those that are also optional.
    pub dependencies: DependencyMap,
    /// What only its developers need.
    pub dev_dependencies: DependencyMap,
    /// Dependencies whose absence it tolerates.
    pub optional_dependencies: DependencyMap,
    /// What it wants its dependents to have; in a project's root they are installed too.
    pub peer_dependencies: DependencyMap,
    /// Which of the peers may be absent.
    pub peer_dependencies_meta: IndexMap<String, PeerMeta>,
    /// Command name to path inside the project.
    pub bin: IndexMap<String, String>,
    /// The `overrides` object, unparsed.
    pub overrides: Map<String, Value>,
    /// `engines` as written.
    pub engines: Option<Value>,
    /// The licence expression.
    pub license: Option<String>,
    /// `os`, `cpu` and `libc` as written.
    pub os: Vec<String>,
    /// See `os`.
    pub cpu: Vec<String>,
    /// See `os`.
    pub libc: Vec<String>,
    /// It has a `preinstall`, `install` or `postinstall` script.
    pub has_install_script: bool,
    /// `funding` as written.
    pub funding: Option<Value>,
    /// Names of the dependencies that its own tarball will contain.
    pub bundle_dependencies: Vec<String>,
    /// Names of dependencies whose lifecycle scripts may run (`"atoll": {"allowScripts": […]}`).
    pub allow_scripts: Vec<String>,
}

/// Why a `package.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON. `serde_json`'s message carries line and column.
    #[error("{file} is not valid JSON: {source}")]
    Syntax {
        /// The file as the caller named it.
        file: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// JSON, but a field is not what it has to be.
    #[error("{file}: {field} must be {expected}")]
    Field {
        /// The file as the caller named it.
        file: String,
        /// The field's path, for example `dependencies.lodash`.
        field: String,
        /// What was expected there.
        expected: &'static str,
    },
    /// A field asks for something that does not exist here.
    #[error("{file}: {field} is not supported yet")]
    Unsupported {
        /// The file as the caller named it.
        file: String,
        /// The field's path, for example `workspaces`.
        field: String,
    },
}

impl Manifest {
    /// Parses a project's `package.json`; `file` is its name in errors.
    ///
    /// # Errors
    /// On invalid JSON, and on a field that matters to an installation and has the wrong type: in a project's own file
    /// that is a mistake to report, where in a registry's document it is noise to skip.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value =
            serde_json::from_str(text).map_err(|source| ManifestError::Syntax { file: file.to_owned(), source })?;
        let fields = Fields { file };
        let Value::Object(object) = value else { return Err(fields.wrong("the top level", "an object")) };
        if object.get("workspaces").is_some_and(|value| !value.is_null()) {
            return Err(ManifestError::Unsupported { file: file.to_owned(), field: "workspaces".to_owned() });
        }
        let name = fields.text(&object, "name")?;
        if let Some(name) = &name
            && !is_valid_name(name)
        {
            return Err(fields.wrong("name", "a valid package name"));
        }
        let optional_dependencies = fields.dependencies(&object, "optionalDependencies")?;
        let mut dependencies = fields.dependencies(&object, "dependencies")?;
        dependencies.retain(|name, _| !optional_dependencies.contains_key(name));
        Ok(Self {
            version: fields.text(&object, "version")?,
            dev_dependencies: fields.dependencies(&object, "devDependencies")?,
            optional_dependencies,
            peer_dependencies: fields.dependencies(&object, "peerDependencies")?,
            peer_dependencies_meta: peer_meta(object.get("peerDependenciesMeta")),
            bin: normalized_bin(name.as_deref().unwrap_or_default(), object.get("bin")),
            overrides: fields.object(&object, "overrides")?,
            engines: object.get("engines").filter(|value| !value.is_null()).cloned(),
            license: license_name(object.get("license")),
            os: string_list(object.get("os")),
            cpu: string_list(object.get("cpu")),
            libc: string_list(object.get("libc")),
            has_install_script: has_install_script(&object),
            funding: object.get("funding").filter(|value| !value.is_null()).cloned(),
            bundle_dependencies: bundle_names(
                object.get("bundleDependencies").or_else(|| object.get("bundledDependencies")),
                &dependencies,
            ),
            dependencies,
            allow_scripts: fields.allow_scripts(&object)?,
            name,
        })
    }

    /// Whether it has a dependency of this name, of whatever kind.
    pub fn depends_on(&self, name: &str) -> bool {
        [&self.dependencies, &self.dev_dependencies, &self.optional_dependencies, &self.peer_dependencies]
            .into_iter()
            .any(|section| section.contains_key(name))
    }

    /// Whether lifecycle scripts of the package with this name may run.
    pub fn allows_scripts_of(&self, name: &str) -> bool {
        self.allow_scripts.iter().any(|allowed| allowed == name)
    }
}

/// Strict readers of one file's fields.
struct Fields<'a> {
    file: &'a str,
}

impl Fields<'_> {
    fn wrong(&self, field: impl fmt::Display, expected: &'static str) -> ManifestError {
        ManifestError::Field { file: self.file.to_owned(), field: field.to_string(), expected }
    }

    fn text(&self, object: &Map<String, Value>, key: &str) -> Result<Option<String>, ManifestError> {
        match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    fn object(&self, object: &Map<String, Value>, key: &str) -> Result<Map<String, Value>, ManifestError> {
        match object.get(key) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(inner)) => Ok(inner.clone()),
            Some(_) => Err(self.wrong(key, "an object")),
        }
    }

    fn dependencies(&self, object: &Map<String, Value>, key: &str) -> Result<DependencyMap, ManifestError> {
        self.object(object, key)?
            .into_iter()
            .map(|(name, value)| {
                if !is_valid_name(&name) {
                    return Err(self.wrong(format_args!("{key}.{name}"), "keyed by a valid package name"));
                }
                match value {
                    Value::String(specification) => Ok((name, specification)),
                    _ => Err(self.wrong(format_args!("{key}.{name}"), "a string")),
                }
            })
            .collect()
    }

    fn allow_scripts(&self, object: &Map<String, Value>) -> Result<Vec<String>, ManifestError> {
        let atoll = self.object(object, "atoll")?;
        match atoll.get("allowScripts") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .iter()
                .map(|entry| {
                    let name = entry.as_str().filter(|name| is_valid_name(name));
                    name.map(str::to_owned).ok_or_else(|| self.wrong("atoll.allowScripts", "a list of package names"))
                })
                .collect(),
            Some(_) => Err(self.wrong("atoll.allowScripts", "a list of package names")),
        }
    }
}

/// Longest package name that a registry accepts, in bytes (`npm`'s `validate-npm-package-name`).
pub const NAME_BYTES_MAX: usize = 214;

/// Whether `name` can be a folder `node_modules/<name>` and nothing else: `name` or `@scope/name`, each part free of
/// separators, control characters and a leading dot. Old packages with capitals are valid.
pub fn is_valid_name(name: &str) -> bool {
    let part_is_valid = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~!'()*".contains(&byte))
    };
    if name.len() > NAME_BYTES_MAX || name.eq_ignore_ascii_case("node_modules") || name == "favicon.ico" {
        return false;
    }
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, rest)| part_is_valid(scope) && part_is_valid(rest)),
        None => part_is_valid(name),
    }
}

/// Name to specification; entries that are no strings or no valid names are left out.
pub(crate) fn dependency_map(value: Option<&Value>) -> DependencyMap {
    let Some(Value::Object(object)) = value else { return DependencyMap::new() };
    object
        .iter()
        .filter(|(name, _)| is_valid_name(name))
        .filter_map(|(name, specification)| Some((name.clone(), specification.as_str()?.to_owned())))
        .collect()
}

pub(crate) fn peer_meta(value: Option<&Value>) -> IndexMap<String, PeerMeta> {
    let Some(Value::Object(object)) = value else { return IndexMap::new() };
    object
        .iter()
        .filter(|(name, meta)| is_valid_name(name) && meta.is_object())
        .map(|(name, meta)| {
            (name.clone(), PeerMeta { optional: meta.get("optional").and_then(Value::as_bool).unwrap_or_default() })
        })
        .collect()
}

/// A list of strings, or a single string in its place.
pub(crate) fn string_list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Command name to a path that stays inside the package. A single string names the command after the package; a
/// command's name is its last path component, so that it cannot be written outside the folder of commands.
pub(crate) fn normalized_bin(package: &str, value: Option<&Value>) -> IndexMap<String, String> {
    let entries: Vec<(String, &str)> = match value {
        Some(Value::String(path)) => vec![(package.to_owned(), path)],
        Some(Value::Object(object)) => {
            object.iter().filter_map(|(name, path)| Some((name.clone(), path.as_str()?))).collect()
        }
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(|path| (path.to_owned(), path)).collect(),
        _ => Vec::new(),
    };
    entries
        .into_iter()
        .filter_map(|(name, path)| {
            let command = name.rsplit(['/', '\\', ':']).next().unwrap_or_default();
            let target = inside(path);
            let is_usable = !command.is_empty() && command != "." && command != ".." && !command.contains('\0');
            (is_usable && !target.is_empty()).then(|| (command.to_owned(), target))
        })
        .collect()
}

/// `path` resolved against the package's folder as if that were the root of the file system.
fn inside(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `true` bundles every dependency; a list names them.
pub(crate) fn bundle_names(value: Option<&Value>, dependencies: &DependencyMap) -> Vec<String> {
    match value {
        Some(Value::Bool(true)) => dependencies.keys().cloned().collect(),
        other => string_list(other),
    }
}

/// A licence expression, or the type of the licence object that old packages have.
pub(crate) fn license_name(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Object(object) => object.get("type").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}

/// A script that runs around installation.
pub(crate) fn has_install_script(object: &Map<String, Value>) -> bool {
    let Some(Value::Object(scripts)) = object.get("scripts") else { return false };
    ["preinstall", "install", "postinstall"]
        .iter()
        .any(|script| scripts.get(*script).and_then(Value::as_str).is_some_and(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_file_and_place() {
        for (text, expected) in [
            ("{\n  \"name\": \"a\",\n  oops\n}", "p.json is not valid JSON: key must be a string at line 3 column 3"),
            ("[]", "p.json: the top level must be an object"),
            (r#"{"name": "../a"}"#, "p.json: name must be a valid package name"),
            (r#"{"dependencies": ["a"]}"#, "p.json: dependencies must be an object"),
            (r#"{"dependencies": {"a": 1}}"#, "p.json: dependencies.a must be a string"),
            (
                r#"{"devDependencies": {"../a": "1"}}"#,
                "p.json: devDependencies.../a must be keyed by a valid package name",
            ),
            (r#"{"workspaces": ["a"]}"#, "p.json: workspaces is not supported yet"),
            (r#"{"atoll": {"allowScripts": "a"}}"#, "p.json: atoll.allowScripts must be a list of package names"),
        ] {
            assert_eq!(Manifest::parse("p.json", text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_an_installation_needs_is_read() {
        let text = r#"{
            "name": "@s/app", "version": "1.0.0", "bin": "./cli.js",
            "dependencies": {"b": "1", "a": "2"}, "optionalDependencies": {"a": "3"},
            "scripts": {"postinstall": "x"}, "atoll": {"allowScripts": ["esbuild"]}
        }"#;
        let manifest = Manifest::parse("package.json", text).unwrap();
        assert_eq!(manifest.dependencies.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(manifest.optional_dependencies["a"], "3");
        assert_eq!(manifest.bin["app"], "cli.js");
        assert!(manifest.has_install_script);
        assert!(manifest.allows_scripts_of("esbuild") && !manifest.allows_scripts_of("a"));
    }

    #[test]
    fn names_are_folders_and_nothing_else() {
        for name in ["a", "A-b_c.d~", "@s/a", "lodash.merge", "JSONStream", "-", "a!'()*"] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in
            ["", ".", "..", ".a", "a/b", "@s", "@/a", "@s/", "@s/.a", "@../a", "a\\b", "a b", "node_modules", "é"]
        {
            assert!(!is_valid_name(name), "{name}");
        }
        assert!(!is_valid_name(&"a".repeat(NAME_BYTES_MAX + 1)));
    }

    #[test]
    fn commands_stay_in_their_package() {
        let bin = |value: Value| normalized_bin("@s/tool", Some(&value)).into_iter().collect::<Vec<_>>();
        let one = |name: &str, path: &str| vec![(name.to_owned(), path.to_owned())];
        assert_eq!(bin("./x/../cli.js".into()), one("tool", "cli.js"));
        assert_eq!(bin(serde_json::json!({ "../../up": "..\\..\\up.js" })), one("up", "up.js"));
        assert_eq!(bin(serde_json::json!({ "..": "a", "b": "..", "c": 1 })), []);
        assert_eq!(bin(serde_json::json!(["bin/a.js"])), one("a.js", "bin/a.js"));
    }
}
