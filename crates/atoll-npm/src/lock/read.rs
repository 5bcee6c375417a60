//! From text to [`Lockfile`].

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{InstallPath, LockEntry, LockError, Lockfile};
use crate::manifest::{DependencyMap, is_valid_name, normalized_bin, peer_meta, string_list};

/// First bytes of the lines that git leaves in a file with conflicts.
const CONFLICT_MARKERS: [&str; 3] = ["<<<<<<< ", "=======", ">>>>>>> "];

impl Lockfile {
    /// Parses a lockfile of version 2 or 3; `file` is its name in errors.
    ///
    /// # Errors
    /// On anything that npm would not have written. Nothing of the file is used then.
    pub fn parse(file: &str, text: &str) -> Result<Self, LockError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = serde_json::from_str(text).map_err(|source| match conflict_line(text) {
            Some(line) => LockError::Conflict { file: file.to_owned(), line },
            None => LockError::Syntax { file: file.to_owned(), source },
        })?;
        let Value::Object(mut object) = value else { return Err(wrong(file, "the top level", "an object")) };
        check_version(file, object.shift_remove("lockfileVersion"))?;
        // Version 2 repeats the tree here for npm 6; version 3 has no such field.
        object.shift_remove("dependencies");
        let mut lockfile = Self {
            name: take_text(file, "name", &mut object, "name")?,
            version: take_text(file, "version", &mut object, "version")?,
            requires: object.shift_remove("requires").is_some_and(|value| value != Value::Bool(false)),
            packages: IndexMap::new(),
            extra: Map::new(),
        };
        match object.shift_remove("packages") {
            Some(Value::Object(packages)) => {
                for (key, value) in packages {
                    let (path, entry) = read_entry(file, key, value)?;
                    lockfile.packages.insert(path, entry);
                }
            }
            _ => return Err(wrong(file, "packages", "an object")),
        }
        lockfile.extra = object;
        Ok(lockfile)
    }
}

fn wrong(file: &str, field: impl Into<String>, expected: &'static str) -> LockError {
    LockError::Field { file: file.to_owned(), field: field.into(), expected }
}

fn conflict_line(text: &str) -> Option<usize> {
    let is_marker = |line: &str| CONFLICT_MARKERS.iter().any(|marker| line.starts_with(marker));
    text.lines().position(is_marker).map(|index| index + 1)
}

fn check_version(file: &str, version: Option<Value>) -> Result<(), LockError> {
    match version.as_ref().and_then(Value::as_u64) {
        Some(2 | 3) => Ok(()),
        _ => Err(LockError::Version {
            file: file.to_owned(),
            version: version.map_or_else(|| "missing".to_owned(), |value| value.to_string()),
        }),
    }
}

fn take_text(file: &str, field: &str, object: &mut Map<String, Value>, key: &str) -> Result<Option<String>, LockError> {
    match object.shift_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(file, field, "a string")),
    }
}

fn read_entry(file: &str, key: String, value: Value) -> Result<(InstallPath, LockEntry), LockError> {
    let path = match InstallPath::parse(&key) {
        Ok(path) => path,
        Err(problem) => return Err(LockError::Path { file: file.to_owned(), key, problem }),
    };
    let Value::Object(object) = value else { return Err(wrong(file, format!("packages[{key:?}]"), "an object")) };
    let mut reader = EntryReader { file, key: &key, object };
    let name = reader.text("name")?;
    if name.as_deref().is_some_and(|name| !is_valid_name(name)) && !path.is_root() {
        return Err(reader.wrong("name", "a valid package name"));
    }
    let bin_owner = name.as_deref().unwrap_or_else(|| path.name()).to_owned();
    let bin = reader.object.shift_remove("bin");
    let license = match reader.object.get("license") {
        Some(Value::String(_)) => reader.text("license")?,
        // Objects of old packages stay with the unknown fields.
        _ => None,
    };
    let entry = LockEntry {
        version: reader.text("version")?,
        resolved: reader.text("resolved")?,
        integrity: reader.text("integrity")?,
        link: reader.flag("link")?,
        dev: reader.flag("dev")?,
        optional: reader.flag("optional")?,
        dev_optional: reader.flag("devOptional")?,
        peer: reader.flag("peer")?,
        in_bundle: reader.flag("inBundle")?,
        has_install_script: reader.flag("hasInstallScript")?,
        has_shrinkwrap: reader.flag("hasShrinkwrap")?,
        deprecated: reader.text("deprecated")?,
        dependencies: reader.dependencies("dependencies")?,
        dev_dependencies: reader.dependencies("devDependencies")?,
        optional_dependencies: reader.dependencies("optionalDependencies")?,
        peer_dependencies: reader.dependencies("peerDependencies")?,
        peer_dependencies_meta: peer_meta(reader.object.shift_remove("peerDependenciesMeta").as_ref()),
        bundle_dependencies: string_list(reader.object.shift_remove("bundleDependencies").as_ref()),
        bin: normalized_bin(&bin_owner, bin.as_ref()),
        engines: reader.object.shift_remove("engines"),
        os: string_list(reader.object.shift_remove("os").as_ref()),
        cpu: string_list(reader.object.shift_remove("cpu").as_ref()),
        libc: string_list(reader.object.shift_remove("libc").as_ref()),
        funding: reader.object.shift_remove("funding"),
        name,
        license,
        extra: reader.object,
    };
    Ok((path, entry))
}

/// Takes the known fields out of one entry.
struct EntryReader<'a> {
    file: &'a str,
    key: &'a str,
    object: Map<String, Value>,
}

impl EntryReader<'_> {
    fn wrong(&self, field: &str, expected: &'static str) -> LockError {
        wrong(self.file, format!("packages[{:?}].{field}", self.key), expected)
    }

    fn text(&mut self, field: &str) -> Result<Option<String>, LockError> {
        match self.object.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(field, "a string")),
        }
    }

    fn flag(&mut self, field: &str) -> Result<bool, LockError> {
        match self.object.shift_remove(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.wrong(field, "true or false")),
        }
    }

    fn dependencies(&mut self, field: &str) -> Result<DependencyMap, LockError> {
        let Some(value) = self.object.shift_remove(field) else { return Ok(DependencyMap::new()) };
        let Value::Object(object) = value else { return Err(self.wrong(field, "an object")) };
        object
            .into_iter()
            .map(|(name, specification)| match specification {
                Value::String(specification) if is_valid_name(&name) => Ok((name, specification)),
                Value::String(_) => Err(self.wrong(&format!("{field}.{name}"), "keyed by a valid package name")),
                _ => Err(self.wrong(&format!("{field}.{name}"), "a string")),
            })
            .collect()
    }
}
