//! Broken and hostile package configurations.

use super::App;
use atoll_node::loader::LoadErrorKind;

fn with_package(json: &str) -> App {
    App::new(&[("/app/node_modules/a/package.json", json), ("/app/node_modules/a/index.js", "")])
}

#[test]
fn broken_configurations_are_reported() {
    for json in
        ["{", "", "[1", r#"{"exports":"#, &"[".repeat(1_000_000), &format!("{{\"a\":{}", "{\"a\":".repeat(100_000))]
    {
        let app = with_package(json);
        let error = app.import("a", "/app/main.js").unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::InvalidPackageConfig, "{json:.40}: {error}");
        assert!(error.message().contains("/app/node_modules/a/package.json"), "{error}");
    }
    let mixed = with_package(r#"{"exports":{".":"./index.js","import":"./index.js"}}"#);
    assert_eq!(mixed.import("a", "/app/main.js").unwrap_err().kind(), LoadErrorKind::InvalidPackageConfig);
}

#[test]
fn too_large_configurations_do_not_count() {
    let json = format!(r#"{{"main":"./index.js","x":"{}"}}"#, "x".repeat(5 << 20));
    let app = App::new(&[("/app/node_modules/a/package.json", &json), ("/app/node_modules/a/other.js", "")]);
    assert!(app.import("a", "/app/main.js").is_err());
}

#[test]
fn wrong_types_are_ignored() {
    for json in [r#"{"main":5}"#, r#"{"main":{"a":1}}"#, r#"{"type":["module"]}"#, "{}"] {
        let app = with_package(json);
        assert_eq!(app.require("a", "/app/main.js").unwrap(), "/app/node_modules/a/index.js", "{json}");
    }
}

#[test]
fn exports_bombs_end() {
    // A long list of targets that are not there, and conditions nested as deep as is read.
    let list = format!(r#"{{"exports":{{"./x":[{}"./index.js"]}}}}"#, "\"./none.js\",".repeat(200_000));
    let app = with_package(&list);
    let started = std::time::Instant::now();
    let _ = app.import("a/x", "/app/main.js");
    let nested = format!(r#"{{"exports":{}"./index.js"{}}}"#, "{\"node\":".repeat(100), "}".repeat(100));
    assert_eq!(with_package(&nested).import("a", "/app/main.js").unwrap(), "/app/node_modules/a/index.js");
    let patterns: Vec<String> = (0..50_000).map(|index| format!(r#""./{index}*/x":"./*""#)).collect();
    let app = with_package(&format!(r#"{{"exports":{{{}}}}}"#, patterns.join(",")));
    assert_eq!(app.import("a/none", "/app/main.js").unwrap_err().kind(), LoadErrorKind::PackagePathNotExported);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn imports_in_circles_end() {
    let app = App::new(&[
        ("/app/package.json", r##"{"name":"app","imports":{"#a":"#b","#b":"#a","#c":"./x.js"}}"##),
        ("/app/tsconfig.json", r#"{"extends":"./tsconfig.json","references":[{"path":"."}]}"#),
        ("/app/x.js", ""),
    ]);
    assert!(app.import("#a", "/app/x.js").is_err());
    assert_eq!(app.import("#c", "/app/x.js").unwrap(), "/app/x.js");
}
