//! Reading and writing `package-lock.json`.

use atoll_npm::lock::{InstallPath, LockError, Lockfile, Omit, Platform};
use proptest::prelude::*;
use serde_json::json;

/// A file as npm 11 wrote it, with every field that it writes.
const WRITTEN_BY_NPM: &str = include_str!("fixtures/package-lock.json");

fn with_packages(packages: &serde_json::Value) -> String {
    json!({ "name": "p", "lockfileVersion": 3, "requires": true, "packages": packages }).to_string()
}

#[test]
fn a_file_by_npm_comes_back_byte_for_byte() {
    let lockfile = Lockfile::parse("package-lock.json", WRITTEN_BY_NPM).unwrap();
    assert_eq!(lockfile.to_text(), WRITTEN_BY_NPM);
    let entry = &lockfile.packages["node_modules/esbuild"];
    assert!(entry.dev && entry.has_install_script && !entry.peer);
    assert_eq!(entry.bin["esbuild"], "bin/esbuild");
}

#[test]
fn unknown_fields_are_kept() {
    let text = with_packages(&json!({ "": {}, "node_modules/a": { "version": "1.0.0", "x-new": [1, { "b": null }] } }));
    let lockfile = Lockfile::parse("f", &text).unwrap();
    assert!(lockfile.to_text().contains("\"x-new\": ["));
    assert_eq!(Lockfile::parse("f", &lockfile.to_text()).unwrap(), lockfile);
}

#[test]
fn hostile_keys_are_errors_that_name_them() {
    for key in [
        "../evil",
        "/etc/passwd",
        "node_modules/../../evil",
        "node_modules/a/node_modules/..",
        "node_modules/.bin",
        "node_modules/a\\..\\b",
        "node_modules/@scope",
        "C:/x",
    ] {
        let error = Lockfile::parse("package-lock.json", &with_packages(&json!({ key: {} }))).unwrap_err();
        assert!(matches!(&error, LockError::Path { key: named, .. } if named == key), "{key}");
        assert!(error.to_string().starts_with(&format!("package-lock.json: packages[{key:?}]: ")), "{error}");
    }
}

#[test]
fn hostile_values_are_errors_that_name_them() {
    for (entry, field) in [
        (json!({ "version": 1 }), "version must be a string"),
        (json!({ "resolved": {} }), "resolved must be a string"),
        (json!({ "dependencies": { "../x": "1" } }), "dependencies.../x must be keyed by a valid package name"),
        (json!({ "dependencies": { "x": 1 } }), "dependencies.x must be a string"),
        (json!({ "dependencies": [] }), "dependencies must be an object"),
        (json!({ "name": "../x" }), "name must be a valid package name"),
        (json!({ "dev": "yes" }), "dev must be true or false"),
    ] {
        let text = with_packages(&json!({ "node_modules/a": entry }));
        let error = Lockfile::parse("l", &text).unwrap_err().to_string();
        assert_eq!(error, format!("l: packages[\"node_modules/a\"].{field}"));
    }
    // A command cannot be written outside the folder of commands, nor point outside its package.
    let text = with_packages(&json!({ "node_modules/a": { "bin": { "../../x": "../../../etc/passwd", "..": "y" } } }));
    let lockfile = Lockfile::parse("l", &text).unwrap();
    let bin = &lockfile.packages["node_modules/a"].bin;
    assert_eq!(bin.iter().collect::<Vec<_>>(), [(&"x".to_owned(), &"etc/passwd".to_owned())]);
}

#[test]
fn other_files_are_told_apart() {
    let parse = |text: &str| Lockfile::parse("l", text).unwrap_err().to_string();
    assert!(parse("{").starts_with("l is not valid JSON: EOF while parsing an object at line 1 column 1"));
    let conflict = "{\n<<<<<<< HEAD\n  \"name\": \"a\"\n=======\n  \"name\": \"b\"\n>>>>>>> other\n}";
    assert!(parse(conflict).starts_with("l has merge conflict markers at line 2"));
    assert!(parse(r#"{"lockfileVersion":1,"dependencies":{}}"#).starts_with("l has lockfileVersion 1;"));
    assert!(parse("{}").starts_with("l has lockfileVersion missing;"));
    assert_eq!(parse(r#"{"lockfileVersion":3}"#), "l: packages must be an object");
    assert_eq!(parse("[]"), "l: the top level must be an object");
}

fn linux() -> Platform {
    Platform { os: "linux".to_owned(), cpu: "x64".to_owned(), libc: Some("glibc".to_owned()) }
}

fn wanted(packages: &serde_json::Value, omit: Omit) -> Result<Vec<String>, String> {
    let lockfile = Lockfile::parse("l", &with_packages(packages)).unwrap();
    let wanted = lockfile.wanted(&linux(), omit).map_err(|error| error.to_string())?;
    Ok(wanted.into_iter().map(|(path, _)| path.name().to_owned()).collect())
}

#[test]
fn only_what_runs_here_is_wanted() {
    let packages = json!({
        "": { "dependencies": { "tool": "1" } },
        "node_modules/helper-win": { "version": "1.0.0", "optional": true },
        "node_modules/musl": { "version": "1.0.0", "optional": true, "os": ["linux"], "libc": ["musl"] },
        "node_modules/native-linux": { "version": "1.0.0", "optional": true, "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"] },
        "node_modules/native-win": {
            "version": "1.0.0", "optional": true, "os": ["win32"], "dependencies": { "helper-win": "1" },
        },
        "node_modules/not-mac": { "version": "1.0.0", "optional": true, "os": ["!darwin"], "cpu": ["any"] },
        "node_modules/tool": {
            "version": "1.0.0",
            "optionalDependencies": { "native-linux": "1", "native-win": "1", "musl": "1", "not-mac": "1" },
        },
    });
    assert_eq!(wanted(&packages, Omit::default()).unwrap(), ["native-linux", "not-mac", "tool"]);
    let omit = Omit { optional: true, ..Omit::default() };
    assert_eq!(wanted(&packages, omit).unwrap(), ["tool"]);
}

#[test]
fn a_needed_package_that_does_not_run_here_is_an_error() {
    let packages = json!({
        "": { "dependencies": { "mac": "1" } },
        "node_modules/mac": { "version": "1.0.0", "os": ["darwin"], "cpu": ["arm64", "x64"] },
    });
    let expected =
        "mac@1.0.0 does not support this machine: it wants os darwin, cpu arm64 or x64, this is linux x64 glibc";
    assert_eq!(wanted(&packages, Omit::default()).unwrap_err(), expected);
}

#[test]
fn kinds_can_be_omitted() {
    let packages = json!({
        "": { "dependencies": { "a": "1" }, "devDependencies": { "d": "1" }, "optionalDependencies": { "o": "1" } },
        "node_modules/a": { "version": "1.0.0", "peerDependencies": { "p": "1" } },
        "node_modules/both": { "version": "1.0.0", "devOptional": true },
        "node_modules/d": { "version": "1.0.0", "dev": true, "dependencies": { "both": "1" } },
        "node_modules/o": { "version": "1.0.0", "optional": true, "dependencies": { "both": "1" } },
        "node_modules/p": { "version": "1.0.0", "peer": true },
    });
    let omit = |dev, optional, peer| wanted(&packages, Omit { dev, optional, peer }).unwrap();
    assert_eq!(omit(false, false, false), ["a", "both", "d", "o", "p"]);
    assert_eq!(omit(true, false, false), ["a", "both", "o", "p"]);
    assert_eq!(omit(true, true, false), ["a", "p"]);
    assert_eq!(omit(false, false, true), ["a", "both", "d", "o"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = Lockfile::parse("l", &text);
    }

    #[test]
    fn no_key_leaves_the_project(key in r"(node_modules|\.\.|\.|/|\\|@?[a-z.%~]{0,3}| |:|\x00){0,8}") {
        if let Ok(path) = InstallPath::parse(&key) {
            prop_assert_eq!(path.as_str(), &key);
            prop_assert!(!key.starts_with('/') && !key.contains('\\') && !key.contains('\0'));
            prop_assert!(key.split('/').all(|part| part != ".." && part != "."));
            let rebuilt = path.parent().map(|parent| parent.child(path.name()).unwrap());
            prop_assert_eq!(rebuilt.unwrap_or_default(), path);
        }
    }
}
