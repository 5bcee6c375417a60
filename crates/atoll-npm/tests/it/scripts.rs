//! Lifecycle scripts: refused, allowed, failing.

use std::{os::unix::fs::MetadataExt, time::Duration};

use atoll_npm::{
    install::{InstallError, install},
    report::Warning,
};
use atoll_test::npm_registry::Package;

use crate::support::{Scene, Warnings};

const ALLOWED: &str = r#"{"dependencies":{"builds":"*"},"atoll":{"allowScripts":["builds"]}}"#;

fn builds(postinstall: &str) -> Package {
    Package::new("builds", "1.0.0")
        .script("preinstall", "echo pre > order")
        .script("install", "echo $npm_lifecycle_event $npm_package_name@$npm_package_version >> order")
        .script("postinstall", postinstall)
        .file("data", "as published")
        .dependency("tool", "*")
}

fn tool() -> Package {
    Package::new("tool", "1.0.0").bin("the-tool", "tool.sh").file("tool.sh", "#!/bin/sh\necho tool ran\n")
}

#[tokio::test]
async fn scripts_do_not_run_unless_allowed() {
    let scene = Scene::new(r#"{"dependencies":{"builds":"*"}}"#);
    scene.registry.publish(&builds("the-tool >> order"));
    scene.registry.publish(&tool());
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.scripts_skipped, ["builds@1.0.0"]);
    assert!(!scene.exists("node_modules/builds/order"));

    scene.write("package.json", ALLOWED);
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.scripts_ran, ["builds@1.0.0"]);
    assert_eq!(scene.read("node_modules/builds/order"), "pre\ninstall builds@1.0.0\ntool ran\n");
    assert!(scene.install().await.unwrap().up_to_date);
    scene.write("package.json", &format!("{ALLOWED}\n"));
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.scripts_ran, Vec::<String>::new(), "what has run does not run again");

    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let summary = scene.install_with(|options| options.ignore_scripts = true).await.unwrap();
    assert_eq!(summary.scripts_skipped, ["builds@1.0.0"]);
}

#[tokio::test]
async fn a_script_cannot_change_the_store() {
    let scene = Scene::new(ALLOWED);
    scene.registry.publish(&builds("echo changed > data"));
    scene.registry.publish(&tool());
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/builds/data"), "changed\n");
    assert_eq!(std::fs::metadata(scene.path("node_modules/builds/data")).unwrap().nlink(), 1);
    scene.registry.forget_requests();
    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    scene.install_with(|options| options.ignore_scripts = true).await.unwrap();
    assert_eq!(scene.read("node_modules/builds/data"), "as published");
    assert_eq!(scene.registry.requests().len(), 0);
}

#[tokio::test]
async fn a_failing_script_is_an_error_and_changes_nothing() {
    let scene = Scene::new(ALLOWED);
    scene.registry.publish(&builds("echo the reason >&2; exit 7"));
    scene.registry.publish(&tool());
    let before = scene.snapshot();
    let error = scene.install().await.unwrap_err();
    let InstallError::Script(error) = error else { panic!("{error}") };
    assert!(error.to_string().contains("postinstall script of builds@1.0.0 failed (exit status: 7)"), "{error}");
    assert!(error.output.contains("the reason"));
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn an_endless_script_is_ended() {
    let scene = Scene::new(ALLOWED);
    scene.registry.publish(&builds("sleep 60"));
    scene.registry.publish(&tool());
    let before = scene.snapshot();
    let error = scene.install_with(|options| options.script_deadline = Duration::from_millis(300)).await.unwrap_err();
    assert!(error.to_string().contains("builds@1.0.0 ran longer than 0.3 s, which is its limit"), "{error}");
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn an_optional_package_whose_script_fails_is_left_out() {
    let scene = Scene::new(
        r#"{"dependencies":{"tool":"*"},"optionalDependencies":{"builds":"*"},"atoll":{"allowScripts":["builds"]}}"#,
    );
    scene.registry.publish(&builds("exit 1").bin("built", "x.js"));
    scene.registry.publish(&tool());
    let warnings = Warnings::default();
    let summary = install(scene.options(), &warnings).await.unwrap();
    assert!(matches!(&warnings.all()[..], [Warning::OptionalDropped { package, .. }] if package == "builds@1.0.0"));
    assert_eq!(summary.installed, 1);
    assert!(!scene.exists("node_modules/builds") && !scene.exists("node_modules/.bin/built"));
    assert!(scene.exists("node_modules/.bin/the-tool"));
    assert!(scene.install().await.unwrap().up_to_date);
}
