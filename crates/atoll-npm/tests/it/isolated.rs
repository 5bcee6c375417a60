//! Installations in pnpm's layout: what is where, who finds whom, what stays, and the way to and from other layouts.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    process::Command,
};

use atoll_npm::{
    install::{InstallError, Summary, install},
    link::Method,
    linker::Linker,
    report::Warning,
};
use atoll_test::npm_registry::Package;
use atoll_vfs::{Access, GuestPath, HostDir, MountTable};
use serde::Deserialize;

use crate::{
    support::{Scene, Warnings, snapshot},
    virtual_tree::rich,
};

/// What Node.js finds; see `isolated/graph.mjs`.
#[derive(Debug, Deserialize)]
struct Found {
    /// Dependencies that are not what the lockfile says.
    wrong: Vec<String>,
    /// Names that the project finds and does not depend on.
    phantoms: Vec<String>,
    edges: usize,
    /// Places of the lockfile that were reached.
    places: usize,
    /// Where they are.
    folders: Vec<String>,
}

/// Asks Node.js what the packages find. Everything must be as the lockfile says.
fn check(scene: &Scene) -> Found {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/isolated/graph.mjs");
    let output = Command::new("node").arg(script).arg(scene.dir()).output().expect("Node.js is needed for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Found = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found.wrong.as_slice(), found.phantoms.as_slice()), (&[][..], &[][..]));
    found
}

async fn install_as(scene: &Scene, linker: Linker) -> Result<Summary, InstallError> {
    scene.install_with(|options| options.linker = Some(linker)).await
}

/// Names in a folder of the project, sorted.
fn names(scene: &Scene, folder: &str) -> Vec<String> {
    let names = fs::read_dir(scene.path(folder)).unwrap();
    let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn link(scene: &Scene, path: &str) -> String {
    fs::read_link(scene.path(path)).unwrap_or_else(|error| panic!("{path}: {error}")).to_str().unwrap().to_owned()
}

/// `a` needs `@s/b` and `c`, `@s/b` needs `c`.
fn small() -> Scene {
    let scene = Scene::new(r#"{"name":"small","version":"1.0.0","dependencies":{"a":"^1.0.0"}}"#);
    scene.registry.publish(
        &Package::new("a", "1.0.0")
            .dependency("@s/b", "^1")
            .dependency("c", "1")
            .file("index.js", "a")
            .bin("a-run", "index.js"),
    );
    scene.registry.publish(&Package::new("@s/b", "1.2.0").dependency("c", "1").file("b.js", "b").bin("b-run", "b.js"));
    scene.registry.publish(&Package::new("c", "1.0.0").file("x/c.js", "c"));
    scene
}

#[tokio::test]
async fn packages_lie_where_pnpm_puts_them() {
    let scene = small();
    let summary = install_as(&scene, Linker::Isolated).await.unwrap();
    assert_eq!((summary.added, summary.installed, summary.method), (3, 3, Some(Method::Hardlink)));
    assert_eq!(names(&scene, "node_modules"), [".atoll-state", ".bin", ".pnpm", "a"]);
    assert_eq!(names(&scene, "node_modules/.pnpm"), ["@s+b@1.2.0", "a@1.0.0", "c@1.0.0", "node_modules"]);
    for (path, text) in [
        ("a", ".pnpm/a@1.0.0/node_modules/a"),
        (".bin/a-run", "../a/index.js"),
        (".pnpm/a@1.0.0/node_modules/c", "../../c@1.0.0/node_modules/c"),
        (".pnpm/a@1.0.0/node_modules/@s/b", "../../../@s+b@1.2.0/node_modules/@s/b"),
        (".pnpm/a@1.0.0/node_modules/a/node_modules/.bin/a-run", "../../index.js"),
        (".pnpm/a@1.0.0/node_modules/a/node_modules/.bin/b-run", "../../../@s/b/b.js"),
        (".pnpm/@s+b@1.2.0/node_modules/c", "../../c@1.0.0/node_modules/c"),
        (".pnpm/@s+b@1.2.0/node_modules/@s/b/node_modules/.bin/b-run", "../../b.js"),
        (".pnpm/node_modules/c", "../c@1.0.0/node_modules/c"),
        (".pnpm/node_modules/@s/b", "../../@s+b@1.2.0/node_modules/@s/b"),
        (".pnpm/node_modules/.bin/b-run", "../@s/b/b.js"),
    ] {
        assert_eq!(link(&scene, &format!("node_modules/{path}")), text, "{path}");
    }
    let links = scene.snapshot().into_values().filter(|content| content.starts_with(b"-> ")).count();
    assert_eq!(links, 11, "and no more");
    let file = fs::metadata(scene.path("node_modules/.pnpm/c@1.0.0/node_modules/c/x/c.js")).unwrap();
    assert_eq!(file.nlink(), 2, "it is the store's file");
    let found = check(&scene);
    assert_eq!((found.edges, found.places, found.folders.len()), (4, 3, 3));

    let hoisted = small();
    hoisted.install().await.unwrap();
    let lock = |scene: &Scene| scene.read("package-lock.json").replace(&scene.registry.url(), "");
    assert_eq!(lock(&scene), lock(&hoisted));
}

#[tokio::test]
async fn a_second_installation_keeps_to_the_layout_and_looks_only() {
    let scene = small();
    install_as(&scene, Linker::Isolated).await.unwrap();
    scene.registry.forget_requests();
    let before = scene.snapshot();
    let summary = scene.install().await.unwrap();
    assert!(summary.up_to_date && summary.installed == 3);
    let summary = scene.install_with(|options| options.frozen = true).await.unwrap();
    assert!(summary.up_to_date && scene.registry.requests().is_empty());
    assert_eq!(scene.snapshot(), before);

    for (damage, is_link) in [
        ("node_modules/a", true),
        ("node_modules/.pnpm/a@1.0.0/node_modules/@s/b", true),
        ("node_modules/.pnpm/node_modules/c", true),
        ("node_modules/.pnpm/c@1.0.0", false),
    ] {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let path = scene.path(damage);
        if is_link {
            fs::remove_file(path).unwrap();
        } else {
            fs::remove_dir_all(path).unwrap();
        }
        let summary = scene.install().await.unwrap();
        assert!(!summary.up_to_date, "{damage}");
        assert_eq!(summary.method.is_none(), is_link, "only what is missing is made: {damage}");
        let mut now = scene.snapshot();
        now.insert("node_modules/.atoll-state".to_owned(), before["node_modules/.atoll-state"].clone());
        assert_eq!(now, before, "{damage}");
    }
}

/// Every folder of the tree, with its inode.
fn inodes(scene: &Scene) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for instance in names(scene, "node_modules/.pnpm") {
        let path = format!("node_modules/.pnpm/{instance}");
        found.insert(path.clone(), fs::metadata(scene.path(&path)).unwrap().ino());
    }
    found
}

#[tokio::test]
async fn only_differences_are_touched() {
    let scene = small();
    install_as(&scene, Linker::Isolated).await.unwrap();
    let before = inodes(&scene);
    scene.write("node_modules/.vite/deps/x.js", "another tool's");
    scene.write("node_modules/stray/x.js", "somebody's");
    scene.write("node_modules/.pnpm/stray@1.0.0/node_modules/stray/x.js", "somebody's");
    symlink("../stray@1.0.0", scene.path("node_modules/.pnpm/a@1.0.0/node_modules/stray")).unwrap();
    scene.registry.publish(&Package::new("@s/b", "1.3.0").dependency("c", "1").file("b.js", "newer"));
    let summary = scene.add(&["@s/b@1.3.0"]).await.unwrap();
    assert_eq!((summary.added, summary.changed, summary.removed, summary.installed), (1, 0, 1, 3));
    assert_eq!(names(&scene, "node_modules/.pnpm"), ["@s+b@1.3.0", "a@1.0.0", "c@1.0.0", "node_modules"]);
    let after = inodes(&scene);
    for kept in ["a@1.0.0", "c@1.0.0", "node_modules"] {
        let path = format!("node_modules/.pnpm/{kept}");
        assert_eq!(after[&path], before[&path], "{kept} stays");
    }
    assert_eq!(names(&scene, "node_modules/.pnpm/a@1.0.0/node_modules"), ["@s", "a", "c"]);
    assert_eq!(names(&scene, "node_modules/.pnpm/a@1.0.0/node_modules/a/node_modules/.bin"), ["a-run"]);
    assert_eq!(names(&scene, "node_modules/.pnpm/node_modules"), ["c"], "what the project asks for is not in there");
    assert_eq!(names(&scene, "node_modules"), [".atoll-state", ".bin", ".pnpm", ".vite", "@s", "a"]);
    check(&scene);
    let grown = scene.snapshot();

    let fresh = scene.path("node_modules");
    fs::remove_dir_all(fresh).unwrap();
    install_as(&scene, Linker::Isolated).await.unwrap();
    let mut expected = scene.snapshot();
    expected.insert("node_modules/.vite/deps/x.js".to_owned(), b"another tool's".to_vec());
    assert_eq!(grown, expected, "as if it had been made at once");
}

/// `ui` 1 is below `old` and below `new` in npm's tree, and finds `react` 1 at the one, 2 at the other.
fn peers() -> Scene {
    let scene = Scene::new(r#"{"dependencies":{"react":"2","ui":"2","old":"1","new":"1","theme":"1"}}"#);
    for version in ["1.0.0", "2.0.0"] {
        scene.registry.publish(&Package::new("react", version).file("r.js", version));
        scene.registry.publish(&Package::new("ui", version).peer_dependency("react", "*").dependency("icons", "1"));
    }
    scene.registry.publish(&Package::new("icons", "1.0.0").peer_dependency("react", "*").dependency("plain", "1"));
    scene.registry.publish(&Package::new("theme", "1.0.0").dependency("icons", "1"));
    scene.registry.publish(&Package::new("plain", "1.0.0"));
    scene.registry.publish(&Package::new("old", "1.0.0").dependency("react", "1").dependency("ui", "1"));
    scene.registry.publish(&Package::new("new", "1.0.0").dependency("ui", "1"));
    scene
}

#[tokio::test]
async fn an_instance_for_each_answer_that_a_package_gets() {
    let scene = peers();
    install_as(&scene, Linker::Isolated).await.unwrap();
    let found = check(&scene);
    assert_eq!(
        names(&scene, "node_modules/.pnpm"),
        [
            "icons@1.0.0_react@2.0.0",
            "new@1.0.0_react@2.0.0",
            "node_modules",
            "old@1.0.0",
            "plain@1.0.0",
            "react@1.0.0",
            "react@2.0.0",
            "theme@1.0.0_react@2.0.0",
            "ui@1.0.0_react@1.0.0",
            "ui@1.0.0_react@2.0.0",
            "ui@2.0.0_react@2.0.0",
        ]
    );
    assert_eq!(found.folders.len(), 10);
}

#[tokio::test]
async fn instances_that_differ_by_more_than_peers_have_names_of_their_own_and_cycles_end() {
    // `x` and `y` need each other.
    let scene = Scene::new(r#"{"dependencies":{"x":"1","leaf":"1","one":"1"}}"#);
    for version in ["1.0.0", "2.0.0"] {
        scene.registry.publish(&Package::new("leaf", version));
    }
    scene.registry.publish(&Package::new("x", "1.0.0").dependency("y", "1"));
    scene.registry.publish(&Package::new("y", "1.0.0").dependency("x", "1").dependency("leaf", "*"));
    scene
        .registry
        .publish(&Package::new("one", "1.0.0").dependency("y", "1").dependency("leaf", "2").dependency("x", "1"));
    install_as(&scene, Linker::Isolated).await.unwrap();
    // A tree that only a lockfile asks for: the same `y`, and so the same `x`, with another `leaf`.
    let lock = scene.read("package-lock.json");
    let mut lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object_mut().unwrap();
    let copy = |from: &str| packages[from].clone();
    let copies =
        ["x", "y"].map(|name| (format!("node_modules/one/node_modules/{name}"), copy(&format!("node_modules/{name}"))));
    let leaf = packages.remove("node_modules/one/node_modules/leaf").unwrap();
    packages.retain(|path, _| !path.starts_with("node_modules/one/"));
    packages.extend(copies);
    packages.insert("node_modules/one/node_modules/leaf".to_owned(), leaf);
    scene.write("package-lock.json", &lock.to_string());
    let summary = scene.install_with(|options| options.frozen = true).await.unwrap();
    assert_eq!(summary.installed, 7);
    let found = check(&scene);
    assert_eq!((found.places, found.folders.len()), (7, 7));
    let all = names(&scene, "node_modules/.pnpm");
    let of = |start: &str| all.iter().filter(|name| name.starts_with(start)).cloned().collect::<Vec<_>>();
    for name in ["x@1.0.0", "y@1.0.0"] {
        let [plain, other] = &of(name)[..] else { panic!("{all:?}") };
        assert_eq!(plain, name);
        assert_eq!(other.len(), name.len() + 33, "{other}");
    }
}

#[tokio::test]
async fn equal_places_are_one_instance() {
    // `s` 2 is nested twice by npm, below `a` and `b`, and is the same each time.
    let scene = Scene::new(r#"{"dependencies":{"a":"1","b":"1","s":"1"}}"#);
    for version in ["1.0.0", "2.0.0"] {
        scene.registry.publish(&Package::new("s", version).dependency("t", version).file("s.js", version));
        scene.registry.publish(&Package::new("t", version).dependency("s", version));
    }
    for name in ["a", "b"] {
        scene.registry.publish(&Package::new(name, "1.0.0").dependency("s", "2"));
    }
    let summary = install_as(&scene, Linker::Isolated).await.unwrap();
    assert_eq!(summary.installed, 6);
    let found = check(&scene);
    assert!(found.places > found.folders.len(), "{found:?}");
    assert_eq!(
        names(&scene, "node_modules/.pnpm"),
        ["a@1.0.0", "b@1.0.0", "node_modules", "s@1.0.0", "s@2.0.0", "t@1.0.0", "t@2.0.0"]
    );
    assert_eq!(link(&scene, "node_modules/.pnpm/node_modules/t"), "../t@1.0.0/node_modules/t", "as npm's root has it");
}

#[tokio::test]
async fn names_that_are_not_what_they_seem() {
    // An alias, a package that needs another version of itself, one that brings a stray of a dependency along.
    let scene = Scene::new(r#"{"dependencies":{"self":"2","old":"npm:self@1","brings":"1"}}"#);
    scene.registry.publish(&Package::new("self", "1.0.0").file("i.js", "1"));
    scene.registry.publish(&Package::new("self", "2.0.0").dependency("self", "1").dependency("again", "npm:self@1"));
    scene.registry.publish(&Package::new("dep", "1.0.0").file("d.js", "real").bin("d", "d.js"));
    scene.registry.publish(
        &Package::new("brings", "1.0.0")
            .dependency("dep", "1")
            .file("node_modules/dep/package.json", r#"{"name":"dep","version":"6.6.6"}"#)
            .file("node_modules/.bin/d", "stray")
            .file("node_modules/other/o.js", "its own"),
    );
    install_as(&scene, Linker::Isolated).await.unwrap();
    check(&scene);
    let two = "node_modules/.pnpm/self@2.0.0/node_modules";
    assert_eq!(link(&scene, &format!("{two}/self/node_modules/self")), "../../../../self@1.0.0/node_modules/self");
    assert_eq!(link(&scene, &format!("{two}/again")), "../../self@1.0.0/node_modules/self");
    assert_eq!(link(&scene, "node_modules/old"), ".pnpm/self@1.0.0/node_modules/self");
    let inner = "node_modules/.pnpm/brings@1.0.0/node_modules/brings/node_modules";
    assert_eq!(names(&scene, inner), [".bin", "other"]);
    assert_eq!(link(&scene, &format!("{inner}/.bin/d")), "../../../dep/d.js");
}

#[tokio::test]
async fn bundled_packages_stay_in_their_tarball_and_find_the_rest() {
    let scene = Scene::new(r#"{"dependencies":{"a":"1","out":"1"}}"#);
    for version in ["1.0.0", "2.0.0"] {
        scene.registry.publish(&Package::new("out", version));
    }
    scene.registry.publish(
        &Package::new("a", "1.0.0")
            .dependency("inner", "*")
            .dependency("out", "2")
            .field("bundleDependencies", ["inner"].into())
            .file(
                "node_modules/inner/package.json",
                r#"{"name":"inner","version":"9.9.9","dependencies":{"deep":"1","out":"*"},"bin":{"in":"i.js"}}"#,
            )
            .file("node_modules/inner/i.js", "bundled")
            .file("node_modules/deep/package.json", r#"{"name":"deep","version":"1.0.0"}"#),
    );
    install_as(&scene, Linker::Isolated).await.unwrap();
    let place = "node_modules/.pnpm/a@1.0.0/node_modules/a/node_modules";
    assert_eq!(scene.read(&format!("{place}/inner/i.js")), "bundled");
    assert_eq!(scene.registry.count("inner"), 0);
    check(&scene);
    let before = inodes(&scene);
    scene.registry.publish(&Package::new("b", "1.0.0"));
    scene.add(&["b"]).await.unwrap();
    check(&scene);
    assert_eq!(inodes(&scene)["node_modules/.pnpm/a@1.0.0"], before["node_modules/.pnpm/a@1.0.0"]);
}

#[tokio::test]
async fn everything_that_a_layout_can_have() {
    let scene = rich();
    install_as(&scene, Linker::Isolated).await.unwrap();
    assert!(scene.read("package-lock.json").contains("\"link\": true"), "npm cuts the cycle by a link");
    let found = check(&scene);
    let instances = names(&scene, "node_modules/.pnpm").len() - 1;
    assert_eq!(found.folders.len(), instances + 1, "each is found by somebody, and so is what is bundled");
    for (path, _) in scene.snapshot().iter().filter(|(_, content)| content.starts_with(b"-> ")) {
        // The one command of a file that its package does not have.
        assert_eq!(fs::metadata(scene.path(path)).is_ok(), !path.ends_with("/d-run"), "{path}");
    }
}

#[tokio::test]
async fn guests_follow_the_links_inside_of_their_mount() {
    let scene = small();
    install_as(&scene, Linker::Isolated).await.unwrap();
    let project = HostDir::read_only(scene.dir()).unwrap();
    let mounts = MountTable::builder().mount("/app", project, Access::ReadOnly).unwrap().build().unwrap();
    let real = |path: &str| mounts.canonicalize(&GuestPath::new(path).unwrap()).map(|path| path.to_string());
    let a = "/app/node_modules/.pnpm/a@1.0.0/node_modules";
    assert_eq!(real("/app/node_modules/a/index.js").unwrap(), format!("{a}/a/index.js"));
    assert_eq!(real("/app/node_modules/.bin/a-run").unwrap(), format!("{a}/a/index.js"));
    let c = "/app/node_modules/.pnpm/c@1.0.0/node_modules/c/x/c.js";
    assert_eq!(real(&format!("{a}/c/x/c.js")).unwrap(), c);
    assert_eq!(mounts.read(&GuestPath::new(format!("{a}/c/x/c.js")).unwrap(), 9).unwrap(), b"c");
    assert!(real("/app/node_modules/c").is_err());
}

#[tokio::test]
async fn what_does_not_run_here_or_is_not_wanted_is_not_there() {
    let scene = Scene::new(r#"{"dependencies":{"a":"1"},"devDependencies":{"dev":"1","shared":"1"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").optional_dependency("mac", "1").dependency("shared", "1"));
    scene.registry.publish(&Package::new("mac", "1.0.0").field("os", ["darwin"].into()).dependency("only-mac", "1"));
    for name in ["only-mac", "dev", "shared"] {
        scene.registry.publish(&Package::new(name, "1.0.0"));
    }
    install_as(&scene, Linker::Isolated).await.unwrap();
    assert_eq!(names(&scene, "node_modules/.pnpm"), ["a@1.0.0", "dev@1.0.0", "shared@1.0.0"]);
    check(&scene);
    scene.install_with(|options| options.production = true).await.unwrap();
    assert_eq!(names(&scene, "node_modules/.pnpm"), ["a@1.0.0", "node_modules", "shared@1.0.0"]);
    assert_eq!(names(&scene, "node_modules"), [".atoll-state", ".pnpm", "a"]);
    assert_eq!(names(&scene, "node_modules/.pnpm/node_modules"), ["shared"]);
}

#[tokio::test]
async fn a_project_without_packages() {
    let scene = small();
    install_as(&scene, Linker::Isolated).await.unwrap();
    scene.write("package.json", "{}");
    let summary = scene.install().await.unwrap();
    assert_eq!((summary.removed, summary.installed), (3, 0));
    assert_eq!(names(&scene, "node_modules"), [".atoll-state"]);
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn linkers_take_each_others_place_cleanly() {
    let scene = peers();
    let mut trees = BTreeMap::new();
    for linker in Linker::ALL {
        install_as(&scene, linker).await.unwrap();
        trees.insert(linker.name(), scene.snapshot());
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
    }
    install_as(&scene, Linker::Hoisted).await.unwrap();
    scene.write("node_modules/.vite/deps/x.js", "another tool's");
    for linker in [
        Linker::Isolated,
        Linker::Hoisted,
        Linker::Virtual,
        Linker::Isolated,
        Linker::Virtual,
        Linker::Hoisted,
        Linker::Isolated,
    ] {
        let summary = install_as(&scene, linker).await.unwrap();
        assert!(!summary.up_to_date);
        let mut found = scene.snapshot();
        assert!(found.remove("node_modules/.vite/deps/x.js").is_some());
        assert_eq!(found, trees[linker.name()], "{linker:?}");
        assert_eq!(scene.exists("node_modules/.pnpm"), linker == Linker::Isolated);
        assert!(scene.install().await.unwrap().up_to_date, "it keeps to {linker:?}");
    }
    check(&scene);
}

#[tokio::test]
async fn pnpms_own_tree_is_replaced() {
    for linker in Linker::ALL {
        let scene = small();
        scene.write("node_modules/.pnpm/c@1.0.0/node_modules/c/x/c.js", "pnpm's");
        scene.write("node_modules/.pnpm/lock.yaml", "lockfileVersion: '9.0'");
        scene.write("node_modules/.modules.yaml", "layoutVersion: 5");
        scene.write("node_modules/.pnpm-workspace-state-v1.json", "{}");
        symlink(".pnpm/c@1.0.0/node_modules/c", scene.path("node_modules/c")).unwrap();
        install_as(&scene, linker).await.unwrap();
        let tree = scene.snapshot();
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
        install_as(&scene, linker).await.unwrap();
        assert_eq!(scene.snapshot(), tree, "{linker:?}");
    }
}

#[tokio::test]
async fn links_in_the_place_of_folders_lead_nowhere() {
    let scene = small();
    install_as(&scene, Linker::Isolated).await.unwrap();
    let expected = scene.snapshot();
    for folder in ["", "/.pnpm", "/.pnpm/node_modules", "/.pnpm/c@1.0.0", "/.pnpm/a@1.0.0/node_modules/@s", "/.bin"] {
        let folder = format!("node_modules{folder}");
        let elsewhere = scene.home().join("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::rename(scene.path(&folder), elsewhere.join("taken")).unwrap();
        symlink(elsewhere.join("taken"), scene.path(&folder)).unwrap();
        let taken = snapshot(&elsewhere);
        // Something else has to change for the tree to be looked at closely.
        scene.write("package.json", &format!("{} ", scene.read("package.json")));
        install_as(&scene, Linker::Isolated).await.unwrap();
        let mut found = scene.snapshot();
        for changed in ["package.json", "node_modules/.atoll-state"] {
            found.insert(changed.to_owned(), expected[changed].clone());
        }
        assert_eq!(found, expected, "{folder}");
        assert_eq!(snapshot(&elsewhere), taken, "{folder}");
        fs::remove_dir_all(elsewhere).unwrap();
    }
}

const ALLOWED: &str = r#"{"dependencies":{"builds":"*","needs":"1"},"atoll":{"allowScripts":["builds"]}}"#;

fn builds(postinstall: &str) -> Package {
    Package::new("builds", "1.0.0")
        .script("postinstall", postinstall)
        .file("data", "as published")
        .dependency("tool", "*")
        .dependency("lib", "*")
}

/// `builds` runs a tool, and loads a library that loads another.
fn publish_scripts(scene: &Scene, postinstall: &str) {
    scene.registry.publish(&builds(postinstall));
    scene.registry.publish(
        &Package::new("tool", "1.0.0").bin("the-tool", "tool.sh").file("tool.sh", "#!/bin/sh\necho tool ran\n"),
    );
    scene.registry.publish(
        &Package::new("lib", "1.0.0").dependency("deep", "*").file("index.js", "module.exports = require('deep');"),
    );
    scene.registry.publish(&Package::new("deep", "1.0.0").file("index.js", "module.exports = 'deep';"));
    scene.registry.publish(&Package::new("needs", "1.0.0").dependency("builds", "1"));
}

#[tokio::test]
async fn scripts_run_where_the_package_is_and_find_what_it_depends_on() {
    let scene = Scene::new(&ALLOWED.replace("[\"builds\"]", "[]"));
    publish_scripts(
        &scene,
        "the-tool > order && node -p \"require('lib')\" >> order && pwd >> order && echo changed > data",
    );
    let summary = install_as(&scene, Linker::Isolated).await.unwrap();
    assert_eq!(summary.scripts_skipped, ["builds@1.0.0"]);
    // Its dependencies stay where they are; it finds them all the same.
    scene.write("package.json", ALLOWED);
    for round in ["beside packages that stay", "first"] {
        let summary = install_as(&scene, Linker::Isolated).await.unwrap();
        assert_eq!(summary.scripts_ran, ["builds@1.0.0"], "{round}");
        let place = "node_modules/.pnpm/builds@1.0.0/node_modules/builds";
        let order = scene.read(&format!("{place}/order"));
        let lines: Vec<&str> = order.lines().collect();
        assert_eq!(lines[..2], ["tool ran", "deep"], "{round}");
        assert!(lines[2].ends_with(place), "{order}");
        assert_eq!(scene.read(&format!("{place}/data")), "changed\n");
        assert_eq!(fs::metadata(scene.path(&format!("{place}/data"))).unwrap().nlink(), 1, "a copy of its own");
        assert!(scene.install().await.unwrap().up_to_date);
        check(&scene);
        assert_eq!(names(&scene, "node_modules/.pnpm").len(), 6);
        scene.write("package.json", &format!("{ALLOWED}\n"));
        assert_eq!(scene.install().await.unwrap().scripts_ran, Vec::<String>::new(), "what has run does not run again");
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
    }
}

#[tokio::test]
async fn an_optional_package_whose_script_fails_is_left_out_with_what_leads_to_it() {
    let manifest = |allowed: &str| {
        format!(
            r#"{{"dependencies":{{"user":"*"}},"optionalDependencies":{{"builds":"*"}},"atoll":{{"allowScripts":[{allowed}]}}}}"#
        )
    };
    let scene = Scene::new(&manifest(""));
    publish_scripts(&scene, "exit 1");
    scene.registry.publish(&builds("exit 1").bin("built", "x.js"));
    scene.registry.publish(&Package::new("user", "1.0.0").optional_dependency("builds", "*").dependency("tool", "*"));
    for round in ["beside packages that stay", "first"] {
        if round != "first" {
            assert_eq!(install_as(&scene, Linker::Isolated).await.unwrap().installed, 5);
            assert!(scene.exists("node_modules/.pnpm/user@1.0.0/node_modules/user/node_modules/.bin/built"));
        }
        scene.write("package.json", &manifest("\"builds\""));
        let warnings = Warnings::default();
        let mut options = scene.options();
        options.linker = Some(Linker::Isolated);
        let summary = install(options, &warnings).await.unwrap();
        assert!(matches!(&warnings.all()[..], [Warning::OptionalDropped { package, .. }] if package == "builds@1.0.0"));
        assert_eq!(summary.installed, 4, "user, tool, and what the package would have needed");
        let tree = scene.snapshot();
        let left: Vec<_> = tree.keys().filter(|path| path.contains("builds") || path.ends_with(".bin/built")).collect();
        assert_eq!(left, Vec::<&String>::new(), "{round}");
        assert!(scene.exists("node_modules/.pnpm/user@1.0.0/node_modules/user/node_modules/.bin/the-tool"));
        assert!(scene.install().await.unwrap().up_to_date);
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
    }
}

#[tokio::test]
async fn a_script_that_fails_changes_nothing() {
    let scene = Scene::new(&ALLOWED.replace("[\"builds\"]", "[]"));
    publish_scripts(&scene, "exit 7");
    install_as(&scene, Linker::Isolated).await.unwrap();
    scene.write("package.json", ALLOWED);
    let before = scene.snapshot();
    let Err(InstallError::Script(_)) = scene.install().await else { panic!("the script fails") };
    assert_eq!(scene.snapshot(), before);
}
