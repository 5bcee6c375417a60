//! Installations that put nothing on the disk: what they leave, what they notice, and the way to and from others.

use std::fs;

use atoll_npm::{
    install::{InstallError, Summary, install},
    linker::Linker,
    report::Warning,
    virtual_tree::{UserDirs, VirtualTree, VirtualTreeError},
};
use atoll_test::npm_registry::{Fault, Package};
use atoll_vfs::{Layer, LayerPath};

use crate::support::{Scene, Warnings};

/// `a` needs `b`.
fn small() -> Scene {
    let scene = Scene::new(r#"{"name":"small","version":"1.0.0","dependencies":{"a":"^1.0.0"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").dependency("b", "^1").file("index.js", "a"));
    scene.registry.publish(&Package::new("b", "1.2.0").file("b.js", "b").bin("b-run", "b.js"));
    scene
}

async fn install_as(scene: &Scene, linker: Linker) -> Result<Summary, InstallError> {
    scene.install_with(|options| options.linker = Some(linker)).await
}

fn open(scene: &Scene) -> Result<Option<VirtualTree>, VirtualTreeError> {
    let [store, cache, state] = ["store", "cache", "state"].map(|name| scene.home().join(name));
    VirtualTree::of_project(&scene.dir(), &UserDirs { store: &store, cache: &cache, state: &state }, |_| {})
}

fn content(scene: &Scene, path: &str) -> String {
    let tree = open(scene).unwrap().unwrap();
    String::from_utf8(tree.read(LayerPath::new(path.as_bytes()).unwrap(), 1 << 20).unwrap()).unwrap()
}

/// Names in `node_modules` on the disk.
fn on_disk(scene: &Scene) -> Vec<String> {
    let names = fs::read_dir(scene.path("node_modules")).unwrap();
    let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn only_a_description_is_written() {
    let scene = small();
    let summary = install_as(&scene, Linker::Virtual).await.unwrap();
    assert_eq!((summary.added, summary.installed, summary.downloaded, summary.method), (2, 2, 2, None));
    assert!(summary.lock_written && !summary.up_to_date);
    assert_eq!(on_disk(&scene), [".atoll-state"]);
    assert_eq!(content(&scene, "b/b.js"), "b");
    assert!(!scene.exists(".atoll-stage") && !scene.exists("node_modules/.atoll-stage"));
    let lock = scene.read("package-lock.json");

    let hoisted = small();
    hoisted.install().await.unwrap();
    assert_eq!(
        lock.replace(&scene.registry.url(), ""),
        hoisted.read("package-lock.json").replace(&hoisted.registry.url(), "")
    );
}

#[tokio::test]
async fn a_second_one_has_nothing_to_do_and_keeps_to_the_linker() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    scene.registry.forget_requests();
    let before = scene.snapshot();
    let summary = scene.install().await.unwrap();
    assert!(summary.up_to_date && summary.installed == 2);
    let summary = scene.install_with(|options| options.frozen = true).await.unwrap();
    assert!(summary.up_to_date);
    assert_eq!(scene.registry.requests().len(), 0);
    assert_eq!(scene.snapshot(), before);

    scene.registry.publish(&Package::new("c", "1.0.0").file("c.js", "c"));
    scene.registry.publish(&Package::new("b", "1.3.0").file("b.js", "newer"));
    let summary = scene.add(&["c", "b@1.3.0"]).await.unwrap();
    assert_eq!((summary.added, summary.changed, summary.removed), (1, 1, 0));
    assert_eq!(on_disk(&scene), [".atoll-state"]);
    assert_eq!((content(&scene, "c/c.js"), content(&scene, "b/b.js")), ("c".to_owned(), "newer".to_owned()));
    scene.write("package.json", r#"{"dependencies":{"c":"*"}}"#);
    let summary = scene.install().await.unwrap();
    assert_eq!((summary.added, summary.changed, summary.removed, summary.installed), (0, 0, 2, 1));
}

#[tokio::test]
async fn a_warm_installation_asks_nobody_and_leaves_a_killed_one_behind() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    scene.registry.forget_requests();
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    // What a killed installation leaves.
    fs::create_dir_all(scene.path(".atoll-stage/tree/node_modules")).unwrap();
    let summary = scene.install_with(|options| {
        options.linker = Some(Linker::Virtual);
        options.offline = true;
    });
    let summary = summary.await.unwrap();
    assert_eq!((summary.added, summary.downloaded), (2, 0));
    assert_eq!(scene.registry.requests().len(), 0);
    assert!(!scene.exists(".atoll-stage"));
    assert_eq!(content(&scene, "a/index.js"), "a");
}

#[tokio::test]
async fn the_cache_may_be_deleted() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    let before = scene.snapshot();
    let forget = || fs::remove_dir_all(scene.home().join("cache")).unwrap();
    forget();
    assert_eq!(content(&scene, "b/b.js"), "b");
    let summary = scene.install_with(|options| options.offline = true).await.unwrap();
    assert!(summary.up_to_date && summary.installed == 2);
    assert_eq!(scene.snapshot(), before);
    forget();
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let summary = scene.install_with(|options| {
        options.linker = Some(Linker::Virtual);
        options.frozen = true;
    });
    assert_eq!(summary.await.unwrap().added, 2);
    assert_eq!(scene.snapshot(), before);
    assert_eq!(content(&scene, "a/index.js"), "a");
    // What was kept is of another machine.
    fs::remove_dir_all(scene.home().join("state")).unwrap();
    assert!(open(&scene).unwrap().unwrap().read(LayerPath::new(b"a/index.js").unwrap(), 10).is_err());
}

#[tokio::test]
async fn linkers_take_each_others_place_cleanly() {
    let scene = small();
    install_as(&scene, Linker::Hoisted).await.unwrap();
    scene.write("node_modules/.vite/deps/x.js", "another tool's");
    scene.write("node_modules/stray/x.js", "somebody's");
    scene.write("node_modules/@scope/stray/x.js", "somebody's");
    let hoisted = scene.snapshot();
    assert!(open(&scene).unwrap().is_none(), "what is on the disk is shown");

    install_as(&scene, Linker::Virtual).await.unwrap();
    assert_eq!(on_disk(&scene), [".atoll-state", ".vite"]);
    assert_eq!(scene.read("node_modules/.vite/deps/x.js"), "another tool's");
    assert_eq!(content(&scene, "b/b.js"), "b");

    install_as(&scene, Linker::Hoisted).await.unwrap();
    assert!(open(&scene).unwrap().is_none());
    let mut expected = hoisted;
    expected.retain(|path, _| !path.contains("/stray/"));
    let mut found = scene.snapshot();
    // When it was installed is in neither.
    for description in ["node_modules/.atoll-state", "node_modules/.package-lock.json"] {
        assert_eq!(found.remove(description).is_some(), expected.remove(description).is_some(), "{description}");
    }
    assert_eq!(found, expected);
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn a_link_in_the_place_of_node_modules_is_replaced() {
    let scene = small();
    fs::create_dir_all(scene.home().join("elsewhere/precious")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", scene.path("node_modules")).unwrap();
    install_as(&scene, Linker::Virtual).await.unwrap();
    assert!(fs::symlink_metadata(scene.path("node_modules")).unwrap().is_dir());
    assert_eq!(on_disk(&scene), [".atoll-state"]);
    assert!(scene.home().join("elsewhere/precious").exists());
}

#[tokio::test]
async fn a_lockfile_that_was_changed_since_is_noticed() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    let lock = scene.read("package-lock.json");
    scene.write("package-lock.json", &format!("{lock}\n"));
    assert!(matches!(open(&scene), Err(VirtualTreeError::Stale { .. })));
    fs::remove_file(scene.path("package-lock.json")).unwrap();
    assert!(matches!(open(&scene), Err(VirtualTreeError::Stale { .. })));
    scene.install().await.unwrap();
    assert_eq!(content(&scene, "a/index.js"), "a");
    // A description that names what the lockfile has not, where nothing else is known.
    fs::remove_dir_all(scene.home().join("cache")).unwrap();
    let marker = scene.read("node_modules/.atoll-state");
    scene.write("node_modules/.atoll-state", &format!("{marker}p node_modules/other\n"));
    assert!(matches!(open(&scene), Err(VirtualTreeError::Stale { .. })));
}

#[tokio::test]
async fn a_package_that_the_store_lost_is_named_and_fetched_again() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    fs::remove_dir_all(scene.home().join("store")).unwrap();
    let error = open(&scene).unwrap_err();
    assert_eq!(error.to_string(), "a@1.0.0 is not in the package store any more");
    let summary = scene.install().await.unwrap();
    assert_eq!((summary.downloaded, summary.up_to_date), (2, false));
    assert_eq!(content(&scene, "b/b.js"), "b");

    // A key of another machine: nothing in the store is believed.
    fs::remove_dir_all(scene.home().join("state")).unwrap();
    let summary = scene.install().await.unwrap();
    assert_eq!((summary.downloaded, summary.up_to_date), (2, false));
    assert_eq!(content(&scene, "b/b.js"), "b");
}

#[tokio::test]
async fn allowed_scripts_are_named_and_do_not_run() {
    let scene = Scene::new(r#"{"dependencies":{"builds":"*","asks":"*"},"atoll":{"allowScripts":["builds"]}}"#);
    for name in ["builds", "asks"] {
        scene.registry.publish(&Package::new(name, "1.0.0").script("postinstall", "echo ran > ran"));
    }
    let warnings = Warnings::default();
    let mut options = scene.options();
    options.linker = Some(Linker::Virtual);
    let summary = install(options, &warnings).await.unwrap();
    assert_eq!(warnings.all(), [Warning::ScriptsNeedFiles { packages: vec!["builds@1.0.0".to_owned()] }]);
    assert_eq!((summary.scripts_ran, summary.scripts_skipped), (Vec::new(), vec!["asks@1.0.0".to_owned()]));
}

#[tokio::test]
async fn a_failure_leaves_everything_as_it_was() {
    let scene = small();
    install_as(&scene, Linker::Hoisted).await.unwrap();
    let before = scene.snapshot();
    scene.registry.publish(&Package::new("c", "1.0.0"));
    scene.registry.fail("c-1.0.0.tgz", Fault::Corrupt, 100);
    let failed = scene.install_with(|options| {
        options.linker = Some(Linker::Virtual);
        options.add = vec!["c".to_owned()];
    });
    failed.await.unwrap_err();
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn no_lockfile_leads_to_bytes_that_were_not_verified() {
    let scene = small();
    install_as(&scene, Linker::Virtual).await.unwrap();
    // A lockfile that names another integrity for the same package, with a description to match.
    let lock = scene.read("package-lock.json");
    let digest = lock.split("\"integrity\": \"").nth(1).unwrap().split('"').next().unwrap();
    let forged = lock.replacen(
        digest,
        "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        1,
    );
    let marker = scene.read("node_modules/.atoll-state");
    let described = blake3_hex(&lock);
    assert!(marker.contains(&described));
    scene.write("package-lock.json", &forged);
    scene.write("node_modules/.atoll-state", &marker.replace(&described, &blake3_hex(&forged)));
    assert!(matches!(open(&scene), Err(VirtualTreeError::Missing { .. })));
}

fn blake3_hex(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
