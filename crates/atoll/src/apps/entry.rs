//! Which module of an app is evaluated first.

use crate::terminal::Failure;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Names without extension, most specific first.
const NAMES: [&str; 8] = ["src/index", "src/main", "src/server", "src/app", "index", "main", "server", "app"];

/// Extensions in order of preference: a source before what was perhaps compiled from it.
const EXTENSIONS: [&str; 6] = ["ts", "tsx", "mts", "js", "mjs", "cjs"];

/// The entry of the app in `directory`, a folder of the project in `root`; relative to `root`.
pub(super) fn find(root: &Path, directory: &Path) -> Result<PathBuf, Failure> {
    let mut missing = Vec::new();
    // The manifest speaks for its own folder only.
    if root == directory {
        for (field, named) in named_entries(root)? {
            match existing(root, &named) {
                Some(entry) => return Ok(entry),
                None => missing.push(format!("  {named} (\"{field}\" of package.json)")),
            }
        }
    }
    let folder = directory.strip_prefix(root).unwrap_or(Path::new(""));
    let candidates =
        NAMES.iter().flat_map(|name| EXTENSIONS.iter().map(move |extension| format!("{name}.{extension}")));
    if let Some(entry) = candidates.map(|name| folder.join(name)).find(|path| root.join(path).is_file()) {
        return Ok(entry);
    }
    missing.push(format!(
        "  src/{{index,main,server,app}} and {{index,main,server,app}} with .{}",
        EXTENSIONS.join(", .")
    ));
    let failure = Failure::new(format!("{} has no entry module; looked for:", directory.display()));
    Err(failure.details(missing).hint("set \"main\" in package.json, or name the module with --entry FILE"))
}

/// What `package.json` says, if there is one.
fn named_entries(root: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let path = root.join("package.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    let manifest: Value = serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text))
        .map_err(|error| Failure::new(format!("{} is not valid JSON: {error}", path.display())))?;
    let named = |field: &'static str| Some((field, manifest.get(field)?.as_str()?.to_owned()));
    Ok(["main", "module"].into_iter().filter_map(named).collect())
}

/// The file that a manifest means: exactly, without its extension, or a folder's index.
fn existing(root: &Path, named: &str) -> Option<PathBuf> {
    let named = Path::new(named.trim_start_matches("./"));
    let with = |base: &Path, extension: &str| {
        let mut path = base.as_os_str().to_owned();
        path.push(".");
        path.push(extension);
        PathBuf::from(path)
    };
    let variants = EXTENSIONS.iter().map(|extension| with(named, extension));
    let indexes = EXTENSIONS.iter().map(|extension| with(&named.join("index"), extension));
    let mut candidates = std::iter::once(named.to_owned()).chain(variants).chain(indexes);
    candidates.find(|path| root.join(path).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Result<&str, &[&str]>) {
        let project = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = project.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        match (find(project.path(), project.path()), expected) {
            (Ok(found), Ok(entry)) => assert_eq!(found, Path::new(entry)),
            (Err(failure), Err(parts)) => {
                let text = format!("{}\n{}", failure.message, failure.details.join("\n"));
                for part in parts {
                    assert!(text.contains(part), "{part:?} is not in {text:?}");
                }
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn the_manifest_comes_first() {
        check(&[("package.json", r#"{"main": "./lib/a.js"}"#), ("lib/a.js", ""), ("index.ts", "")], Ok("lib/a.js"));
        check(&[("package.json", r#"{"main": "lib"}"#), ("lib/index.js", "")], Ok("lib/index.js"));
        check(&[("package.json", r#"{"main": "lib/a"}"#), ("lib/a.ts", "")], Ok("lib/a.ts"));
        check(&[("package.json", r#"{"main": "no.js", "module": "m.mjs"}"#), ("m.mjs", "")], Ok("m.mjs"));
    }

    #[test]
    fn then_the_usual_names() {
        check(&[("package.json", r#"{"main": "index.js"}"#), ("src/main.ts", ""), ("app.js", "")], Ok("src/main.ts"));
        check(&[("index.js", ""), ("index.ts", "")], Ok("index.ts"));
        check(&[("server.mjs", "")], Ok("server.mjs"));
    }

    #[test]
    fn what_is_missing_is_said() {
        check(&[("package.json", r#"{"main": "no.js"}"#)], Err(&["no.js (\"main\" of package.json)", "src/{index"]));
        check(&[("package.json", "{")], Err(&["package.json is not valid JSON"]));
    }
}
