//! Specifier and referrer to file, by `oxc_resolver` over the guest's mount table.
//!
//! `oxc_resolver` fits: its `FileSystem` trait takes our mount table, it implements Node's two algorithms with
//! conditions, self-reference, links and `tsconfig.json`, and it remembers what it looked at. What it does not know is
//! here: which rules apply to whom, URLs, builtins, bounds, and Node's errors.
//!
//! | referrer             | `import './x'`                                      | `import 'x'`        | `require`                 |
//! |----------------------|-----------------------------------------------------|---------------------|---------------------------|
//! | in `node_modules`    | exactly that file, as Node                          | as Node             | as Node                   |
//! | anything else        | lenient, as bundlers: TypeScript, then JavaScript   | `tsconfig` `paths`, | `tsconfig` `paths`, Node's|
//! |                      | extensions, directories, `./x.js` may mean `x.ts`   | then lenient        | extensions, then others   |

use super::error::{LoadError, LoadErrorKind};
use super::files::{GuestFiles, MAX_REMEMBERED_BYTES, Remembered, start_resolution};
use super::scope::is_installed;
use super::{Loader, LoaderOptions, ResolveKind};
use atoll_vfs::{GuestPath, MountTable};
use oxc_resolver::{ResolveError, ResolveOptions, ResolverGeneric, TsConfig, TsconfigDiscovery};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Conditions of `exports` and `imports` for both kinds. `atoll` lets a package meet this runtime specially; other
/// runtimes' conditions (`workerd`, `deno`, `bun`) promise APIs that are not here. `module-sync` names modules without
/// top-level await, which `require` can load. `default` always matches.
const SHARED_CONDITIONS: [&str; 3] = ["atoll", "node", "module-sync"];

/// Extensions that Node's `require` tries.
const NODE_EXTENSIONS: [&str; 3] = [".js", ".json", ".node"];

/// What bundlers try, in their order, for the app's own relative imports.
const BUNDLER_EXTENSIONS: [&str; 9] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/// Node's extensions, then those that only TypeScript programs leave out.
const NODE_THEN_TYPESCRIPT: [&str; 9] = [".js", ".json", ".node", ".ts", ".tsx", ".mts", ".cts", ".mjs", ".cjs"];

/// TypeScript programs name the file that the compiler would write. The named file wins where both exist.
const WRITTEN_FOR: [(&str, &[&str]); 4] = [
    (".js", &[".js", ".ts", ".tsx", ".jsx"]),
    (".jsx", &[".jsx", ".tsx"]),
    (".mjs", &[".mjs", ".mts"]),
    (".cjs", &[".cjs", ".cts"]),
];

type Resolver = ResolverGeneric<GuestFiles>;

/// The resolvers for the rules above; they share one memory.
pub(super) struct Resolvers {
    app_relative: Resolver,
    app_import: Resolver,
    app_require: Resolver,
    package_import: Resolver,
    package_require: Resolver,
    remembered: Remembered,
}

impl Resolvers {
    pub(super) fn new(mounts: &Arc<MountTable>, options: &LoaderOptions) -> Self {
        let remembered = Remembered::default();
        let files = GuestFiles::new(Arc::clone(mounts), Arc::clone(&remembered));
        let base = |kind: ResolveKind, extensions: &[&str]| ResolveOptions {
            condition_names: conditions(kind, options),
            extensions: extensions.iter().map(|extension| (*extension).to_owned()).collect(),
            fully_specified: false,
            node_path: false,
            symlinks: true,
            ..ResolveOptions::default()
        };
        let app = |kind, extensions| ResolveOptions {
            tsconfig: options.tsconfig.then_some(TsconfigDiscovery::Auto),
            extension_alias: WRITTEN_FOR
                .iter()
                .map(|(named, meant)| ((*named).to_owned(), meant.iter().map(|&one| one.to_owned()).collect()))
                .collect(),
            ..base(kind, extensions)
        };
        let package_require = Resolver::new_with_file_system(files, base(ResolveKind::Require, &NODE_EXTENSIONS));
        let exact = ResolveOptions { fully_specified: true, ..base(ResolveKind::Import, &NODE_EXTENSIONS) };
        Self {
            app_relative: package_require.clone_with_options(app(ResolveKind::Import, &BUNDLER_EXTENSIONS)),
            app_import: package_require.clone_with_options(app(ResolveKind::Import, &NODE_THEN_TYPESCRIPT)),
            app_require: package_require.clone_with_options(app(ResolveKind::Require, &NODE_THEN_TYPESCRIPT)),
            package_import: package_require.clone_with_options(exact),
            package_require,
            remembered,
        }
    }

    /// Whether it is time for new ones, lest guests fill memory with paths that they made up.
    pub(super) fn are_full(&self) -> bool {
        self.remembered.load(Ordering::Relaxed) > MAX_REMEMBERED_BYTES
    }

    /// The `tsconfig.json` that covers a file of the app.
    pub(super) fn tsconfig(&self, file: &GuestPath) -> Result<Option<Arc<TsConfig>>, ResolveError> {
        start_resolution();
        self.app_import.find_tsconfig(file.as_path())
    }

    /// The real path that `specifier` (a path or a bare specifier) means in `referrer`.
    fn find(
        &self,
        specifier: &str,
        referrer: &GuestPath,
        kind: ResolveKind,
        is_path: bool,
    ) -> Result<GuestPath, ResolveError> {
        start_resolution();
        let directory = referrer.parent();
        let resolver = match (is_installed(referrer), kind) {
            (true, ResolveKind::Import) => &self.package_import,
            (true, ResolveKind::Require) => &self.package_require,
            (false, ResolveKind::Import) if is_path => &self.app_relative,
            (false, ResolveKind::Import) => &self.app_import,
            (false, ResolveKind::Require) => &self.app_require,
        };
        let found = match resolver.resolve_file(referrer.as_path(), specifier) {
            // A broken `tsconfig.json` (often one that extends a package of which only developers have a copy) must not
            // break what works without it. Where nothing is found without it either, the error names it.
            Err(error) if is_about_tsconfig(&error) => resolver.resolve(directory.as_path(), specifier),
            found => found,
        };
        let path = found?.into_path_buf();
        GuestPath::new(path).map_err(|error| std::io::Error::from_raw_os_error(error.errno().raw()).into())
    }
}

fn conditions(kind: ResolveKind, options: &LoaderOptions) -> Vec<String> {
    let own = match kind {
        ResolveKind::Import => "import",
        ResolveKind::Require => "require",
    };
    let given = options.conditions.iter().map(String::as_str);
    given.chain(SHARED_CONDITIONS).chain([own]).map(str::to_owned).collect()
}

fn is_about_tsconfig(error: &ResolveError) -> bool {
    matches!(
        error,
        ResolveError::TsconfigNotFound(_)
            | ResolveError::TsconfigSelfReference(_)
            | ResolveError::TsconfigCircularExtend(_)
            | ResolveError::TsconfigLoadFailed { .. }
    )
}

impl Loader {
    /// The file that a path or a bare specifier means.
    pub(super) fn find_file(
        &self,
        specifier: &str,
        referrer: &GuestPath,
        kind: ResolveKind,
        is_path: bool,
    ) -> Result<GuestPath, LoadError> {
        if is_path && specifier.contains(['?', '#']) {
            return self.find_literally(specifier, referrer, kind);
        }
        let resolvers = self.resolvers();
        let mut found = resolvers.find(specifier, referrer, kind, is_path);
        if found.is_err() && self.may_have_changed(specifier, referrer, is_path) {
            found = Resolvers::new(&self.mounts, &self.options).find(specifier, referrer, kind, is_path);
        }
        let strict = kind == ResolveKind::Import && is_installed(referrer) && is_path;
        match found {
            Ok(path) if strict && self.is_directory(specifier, referrer) => {
                Err(self.directory_import(specifier, referrer, &path))
            }
            Ok(path) => Ok(path),
            Err(_) if strict && self.is_directory(specifier, referrer) => {
                let path = referrer.parent().join(specifier).unwrap_or_else(|_| GuestPath::root());
                Err(self.directory_import(specifier, referrer, &path))
            }
            Err(error) => Err(self.explain(&error, &resolvers, specifier, referrer, kind, is_path)),
        }
    }

    /// Paths with the characters that separate query and fragment in the resolver's own specifiers: only the exact file,
    /// or with one of Node's extensions.
    fn find_literally(&self, specifier: &str, referrer: &GuestPath, kind: ResolveKind) -> Result<GuestPath, LoadError> {
        let extensions: &[&str] = if kind == ResolveKind::Require { &["", ".js", ".json", ".node"] } else { &[""] };
        for extension in extensions {
            let Ok(path) = referrer.parent().join(format!("{specifier}{extension}")) else { continue };
            if self.mounts.metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                return self.mounts.canonicalize(&path).map_err(|error| LoadError::io(&error));
            }
        }
        Err(self.not_found(specifier, referrer, kind, true))
    }

    /// Whether the resolver's memory may be older than the files: only where guests can write.
    fn may_have_changed(&self, specifier: &str, referrer: &GuestPath, is_path: bool) -> bool {
        self.scopes.is_mutable(referrer)
            || is_path && referrer.parent().join(specifier).is_ok_and(|path| self.scopes.is_mutable(&path))
    }

    fn is_directory(&self, specifier: &str, referrer: &GuestPath) -> bool {
        let path = referrer.parent().join(specifier);
        path.is_ok_and(|path| self.mounts.metadata(&path).is_ok_and(|metadata| metadata.is_dir()))
    }

    fn directory_import(&self, specifier: &str, referrer: &GuestPath, path: &GuestPath) -> LoadError {
        let message =
            format!("Directory import '{path}' is not supported resolving ES modules imported from {referrer}");
        self.locate(LoadError::new(LoadErrorKind::DirectoryImport, message), specifier, referrer)
    }

    fn explain(
        &self,
        error: &ResolveError,
        resolvers: &Resolvers,
        specifier: &str,
        referrer: &GuestPath,
        kind: ResolveKind,
        is_path: bool,
    ) -> LoadError {
        let failed = |kind, message: String| self.locate(LoadError::new(kind, message), specifier, referrer);
        match error {
            ResolveError::PackagePathNotExported { subpath, package_path, package_json_path, conditions } => {
                let what = if subpath == "." {
                    "No \"exports\" main defined in".to_owned()
                } else {
                    format!("Package subpath '{subpath}' is not defined by \"exports\" in")
                };
                let error = failed(
                    LoadErrorKind::PackagePathNotExported,
                    format!("{what} {} imported from {referrer}", package_json_path.display()),
                );
                let name = package_path.file_name().unwrap_or_default().display();
                error.hint(format!("\"exports\" of {name} was searched for: {}", conditions.names().join(", ")))
            }
            ResolveError::PackageImportNotDefined(name, package_json) => failed(
                LoadErrorKind::PackageImportNotDefined,
                format!(
                    "Package import specifier \"{name}\" is not defined in package {} imported from {referrer}",
                    package_json.display()
                ),
            ),
            ResolveError::InvalidModuleSpecifier(name, package_json) => failed(
                LoadErrorKind::InvalidSpecifier,
                format!(
                    "Invalid module \"{name}\" for the package at {} imported from {referrer}",
                    package_json.display()
                ),
            ),
            ResolveError::InvalidPackageTarget(target, key, package_json) => failed(
                LoadErrorKind::InvalidPackageTarget,
                format!(
                    "Invalid \"exports\" target \"{target}\" defined for '{key}' in the package config {} \
                     imported from {referrer}",
                    package_json.display()
                ),
            ),
            ResolveError::InvalidPackageConfig(path)
            | ResolveError::InvalidPackageConfigDefault(path)
            | ResolveError::InvalidPackageConfigDirectory(path) => failed(
                LoadErrorKind::InvalidPackageConfig,
                format!("Invalid package config {} while importing \"{specifier}\" from {referrer}", path.display()),
            ),
            ResolveError::Json(json) => failed(
                LoadErrorKind::InvalidPackageConfig,
                format!(
                    "Invalid package config {} while importing \"{specifier}\" from {referrer}: {} (line {}, column {})",
                    json.path.display(),
                    json.message,
                    json.line,
                    json.column
                ),
            ),
            _ => {
                let missing = self.not_found(specifier, referrer, kind, is_path);
                match resolvers.tsconfig(referrer) {
                    Err(broken) if !is_installed(referrer) => {
                        missing.hint(format!("tsconfig.json could not be used: {broken}"))
                    }
                    _ => missing,
                }
            }
        }
    }

    /// The error for a file or a package that is not there.
    pub(super) fn not_found(
        &self,
        specifier: &str,
        referrer: &GuestPath,
        kind: ResolveKind,
        is_path: bool,
    ) -> LoadError {
        let (error_kind, message) = match kind {
            ResolveKind::Require => (LoadErrorKind::RequireNotFound, format!("Cannot find module '{specifier}'")),
            ResolveKind::Import if is_path => {
                let path = referrer.parent().join(specifier);
                let path = path.map_or_else(|_| specifier.to_owned(), |path| path.to_string());
                let message = format!("Cannot find module '{path}' imported from {referrer}");
                (LoadErrorKind::ImportNotFound, message)
            }
            ResolveKind::Import => {
                let name = package_name(specifier);
                let is_file = name.starts_with('#') || name != specifier && self.installed_at(name, referrer).is_some();
                let message = if is_file {
                    format!("Cannot find module '{specifier}' imported from {referrer}")
                } else {
                    format!("Cannot find package '{name}' imported from {referrer}")
                };
                (LoadErrorKind::ImportNotFound, message)
            }
        };
        let error = self.locate(LoadError::new(error_kind, message), specifier, referrer);
        match self.advice(specifier, referrer, is_path) {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }

    fn advice(&self, specifier: &str, referrer: &GuestPath, is_path: bool) -> Option<String> {
        if is_path {
            let path = referrer.parent().join(specifier).ok()?;
            let candidates = [".js", ".mjs", ".cjs", ".ts", "/index.js"];
            return candidates.iter().find_map(|extension| {
                let candidate = GuestPath::new(format!("{path}{extension}")).ok()?;
                let exists = self.mounts.metadata(&candidate).is_ok_and(|metadata| metadata.is_file());
                exists.then(|| format!("did you mean '{specifier}{extension}'?"))
            });
        }
        if specifier.starts_with('#') {
            return None;
        }
        let name = package_name(specifier);
        if super::specifier::is_node_name(specifier) {
            return Some(format!("'{specifier}' is a builtin module of Node.js that Atoll does not provide"));
        }
        if let Some(directory) = self.installed_at(name, referrer) {
            return Some(format!("the package is at {directory}, but has no such file"));
        }
        let declared = self.scopes.nearest(&referrer.parent()).is_some_and(|package| {
            let fields = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
            fields.iter().any(|field| package.get(field).and_then(|list| list.get(name)).is_some())
        });
        Some(if declared {
            "run `atoll install`".to_owned()
        } else {
            format!("add \"{name}\" to the dependencies in package.json and run `atoll install`")
        })
    }

    /// The directory of an installed package, as `referrer` would find it.
    fn installed_at(&self, name: &str, referrer: &GuestPath) -> Option<GuestPath> {
        let mut directory = referrer.parent();
        loop {
            let candidate = directory.join("node_modules").and_then(|modules| modules.join(name)).ok()?;
            if self.mounts.metadata(&candidate).is_ok_and(|metadata| metadata.is_dir()) {
                return Some(candidate);
            }
            if directory.is_root() {
                return None;
            }
            directory = directory.parent();
        }
    }

    /// Adds the place of the import, found in the text of the file.
    pub(super) fn locate(&self, error: LoadError, specifier: &str, referrer: &GuestPath) -> LoadError {
        let Ok(text) = self.mounts.read_to_string(referrer, super::MAX_SOURCE_BYTES) else { return error };
        match find_import(&text, specifier) {
            Some(at) => error.at(&referrer.to_string(), &text, at, specifier.len() + 2),
            None => error,
        }
    }
}

/// The name of the package in a bare specifier.
pub(super) fn package_name(specifier: &str) -> &str {
    let scope = if specifier.starts_with('@') { specifier.find('/').map_or(0, |slash| slash + 1) } else { 0 };
    specifier[scope..].find('/').map_or(specifier, |slash| &specifier[..scope + slash])
}

/// Byte offset of the quoted specifier in a text, preferably after `from`, `import` or an opening bracket.
fn find_import(text: &str, specifier: &str) -> Option<usize> {
    let quoted = |at: &usize| {
        let before = at.checked_sub(1).and_then(|quote| text.as_bytes().get(quote));
        let after = text.as_bytes().get(at + specifier.len());
        matches!(before, Some(b'"' | b'\'' | b'`')) && before == after
    };
    let places = || text.match_indices(specifier).map(|(at, _)| at).filter(quoted).map(|at| at - 1);
    let is_import = |at: &usize| {
        let before = text[..*at].trim_end();
        before.ends_with("from") || before.ends_with("import") || before.ends_with('(')
    };
    places().find(is_import).or_else(|| places().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names() {
        assert_eq!(package_name("a"), "a");
        assert_eq!(package_name("a/b/c"), "a");
        assert_eq!(package_name("@s/a"), "@s/a");
        assert_eq!(package_name("@s/a/b"), "@s/a");
        assert_eq!(package_name("@s"), "@s");
        assert_eq!(package_name(""), "");
    }

    #[test]
    fn made_up_specifiers_do_not_fill_memory() {
        let mounts = Arc::new(MountTable::builder().build().expect("a table"));
        let options = LoaderOptions { conditions: Vec::new(), cache: None, tsconfig: false, builtins: Vec::new() };
        let loader = Loader::new(mounts, options);
        let referrer = GuestPath::new("/main.js").expect("a path");
        let first = loader.resolvers();
        let name = ["x"; 14].map(|part| part.repeat(200)).join("/");
        let mut made_up = 0;
        while Arc::ptr_eq(&first, &loader.resolvers()) {
            assert!(loader.resolve(&format!("./{made_up}/{name}"), &referrer, ResolveKind::Require).is_err());
            made_up += 1;
            assert!(made_up < 10_000, "the resolvers are never replaced");
        }
        assert!(made_up > 100, "replaced after {made_up}");
    }

    #[test]
    fn imports_are_found_in_the_text() {
        let text = "// see 'x'\nimport a from \"x\";\nrequire('y')";
        assert_eq!(find_import(text, "x"), Some(text.find("\"x\"").expect("there")));
        assert_eq!(find_import(text, "y"), Some(text.find("'y'").expect("there")));
        assert_eq!(find_import(text, "z"), None);
        assert_eq!(find_import("", ""), None);
    }
}
