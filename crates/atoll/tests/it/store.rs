//! `atoll store`.

use crate::harness::Scene;
use atoll_test::npm_registry::{NpmRegistry, Package};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A project with two packages installed.
fn scene() -> Scene {
    let registry = NpmRegistry::start();
    let scene = Scene::new(&[("package.json", r#"{"dependencies":{"left":"*","right":"*"}}"#)]);
    std::fs::write(scene.home().join(".npmrc"), format!("registry={}\n", registry.url())).expect("a file");
    registry.publish(&Package::new("left", "1.2.0").file("index.js", "module.exports = 'left';"));
    registry.publish(&Package::new("right", "2.0.1").file("index.js", "module.exports = 'right';"));
    assert!(scene.atoll(&["install"]).starts_with("exit code 0\n"));
    scene
}

/// The directories of the unpacked packages.
fn entries(scene: &Scene) -> Vec<PathBuf> {
    let path = scene.command(&["store", "path"]).output().expect("the binary runs").stdout;
    let store = PathBuf::from(String::from_utf8(path).expect("text").trim()).join("v1");
    let shards = std::fs::read_dir(store).expect("a store").flatten().filter(|shard| shard.file_name() != "stage");
    shards
        .flat_map(|shard| std::fs::read_dir(shard.path()).expect("a folder").flatten())
        .map(|one| one.path())
        .collect()
}

#[test]
fn a_damaged_package_is_found_and_removed() {
    let scene = scene();
    insta::assert_snapshot!(scene.atoll(&["store", "verify"]), @r"
exit code 0
--- stdout
verified 2 packages: 4 files, [SIZE]
");
    // The second file of its tarball.
    let damaged = entries(&scene).remove(0).join("1");
    let modified = std::fs::metadata(&damaged).and_then(|metadata| metadata.modified()).expect("a file");
    let length = std::fs::metadata(&damaged).expect("a file").len();
    std::fs::write(&damaged, "x".repeat(usize::try_from(length).expect("short"))).expect("a file");
    std::fs::File::open(&damaged).and_then(|file| file.set_modified(modified)).expect("a file");

    let dry = scene.atoll(&["store", "verify", "--dry-run"]);
    assert!(dry.starts_with("exit code 1\n") && dry.contains("\"index.js\" has other bytes"), "{dry}");
    let output = scene.command(&["store", "verify", "--json"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    assert_eq!((&json["good"], &json["bad"][0]["removed"]), (&1.into(), &true.into()), "{json}");
    insta::assert_snapshot!(scene.atoll(&["store", "verify"]), @r"
exit code 0
--- stdout
verified 1 package: 2 files, [SIZE]
");
}

#[test]
fn what_is_old_is_collected() {
    let scene = scene();
    insta::assert_snapshot!(scene.atoll(&["store", "gc", "--max-size", "0"]), @r"
exit code 0
--- stdout
removed 0 packages, [SIZE]; 2 stay, [SIZE]
");
    let old = SystemTime::now() - Duration::from_hours(24 * 40);
    let index = entries(&scene).remove(0).join("index");
    std::fs::File::open(index).and_then(|file| file.set_modified(old)).expect("a file");
    let dry = scene.atoll(&["store", "gc", "--dry-run"]);
    assert!(dry.contains("not used for 40 days") && dry.contains("would remove 1 package,"), "{dry}");
    assert!(scene.atoll(&["store", "gc", "--older-than", "50d"]).contains("removed 0 packages"));
    let output = scene.command(&["store", "gc", "--json"]).output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    assert_eq!((&json["removed"][0]["form"], &json["kept"]), (&"unpacked".into(), &1.into()), "{json}");

    let output = scene.command(&["store", "status", "--json"]).output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    assert_eq!((&json["unpacked"]["packages"], &json["packed"]["packages"]), (&1.into(), &0.into()), "{json}");
    let text = scene.atoll(&["store", "status"]);
    assert!(text.contains("unpacked  1 package,") && text.contains("2 files"), "{text}");
}
