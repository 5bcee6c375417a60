//! Whole installations: what ends up where, what is asked of the registry, what is said.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, time::Duration};

use atoll_npm::{
    install::{InstallError, install},
    npmrc::Npmrc,
    report::{Silent, Stage, Warning},
};
use atoll_test::npm_registry::{Fault, NpmRegistry, Package, Recorded};

use crate::support::{Scene, Steps, Warnings};

/// `a` needs `b` and `c@1`; `d` needs `c@2`.
fn small() -> Scene {
    let scene = Scene::new(r#"{"name":"small","version":"1.0.0","dependencies":{"a":"^1.0.0","@s/d":"*"}}"#);
    scene
        .registry
        .publish(&Package::new("a", "1.0.0").dependency("b", "^1").dependency("c", "1").file("index.js", "a"));
    scene.registry.publish(&Package::new("b", "1.2.0").file("lib/b.js", "b").bin("b-run", "lib/b.js"));
    scene.registry.publish(&Package::new("c", "1.0.0").file("c.js", "c1"));
    scene.registry.publish(&Package::new("c", "2.0.0").file("c.js", "c2"));
    scene.registry.publish(&Package::new("@s/d", "3.0.0").dependency("c", "^2").file("d.js", "d"));
    scene
}

#[tokio::test]
async fn a_first_installation() {
    let scene = small();
    let summary = scene.install().await.unwrap();
    assert_eq!((summary.added, summary.removed, summary.downloaded), (5, 0, 5));
    assert!(summary.lock_written && !summary.up_to_date);
    assert_eq!(scene.read("node_modules/a/index.js"), "a");
    assert_eq!(scene.read("node_modules/@s/d/d.js"), "d");
    let versions = [scene.read("node_modules/c/c.js"), scene.read("node_modules/.bin/b-run")];
    assert!(versions[0].starts_with('c') && versions[1] == "b");
    let link = std::fs::read_link(scene.path("node_modules/.bin/b-run")).unwrap();
    assert_eq!(link.to_str(), Some("../b/lib/b.js"));
    let mode = std::fs::metadata(scene.path("node_modules/b/lib/b.js")).unwrap().mode();
    assert_eq!(mode & 0o111, 0o111, "a command is executable");
    assert!(scene.read("package-lock.json").contains("\"lockfileVersion\": 3"));
    assert!(!scene.read("node_modules/.package-lock.json").contains("\"\": {"), "npm's description has no root");
    assert!(!scene.exists(".atoll-stage") && !scene.exists("node_modules/.atoll-stage"));
    assert_eq!(scene.store_leftovers(), 0);
}

#[tokio::test]
async fn a_second_one_has_nothing_to_do() {
    let scene = small();
    scene.install().await.unwrap();
    scene.registry.forget_requests();
    let before = scene.snapshot();
    let summary = scene.install().await.unwrap();
    assert!(summary.up_to_date && summary.installed == 5);
    assert!(summary.elapsed < Duration::from_millis(200), "{:?}", summary.elapsed);
    assert_eq!(scene.registry.requests().len(), 0);
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn a_missing_or_replaced_package_is_repaired_without_the_network() {
    let scene = small();
    scene.install().await.unwrap();
    let before = scene.snapshot();
    scene.registry.forget_requests();
    std::fs::remove_dir_all(scene.path("node_modules/@s/d")).unwrap();
    std::fs::remove_dir_all(scene.path("node_modules/b")).unwrap();
    std::os::unix::fs::symlink("/tmp", scene.path("node_modules/b")).unwrap();
    let summary = scene.install().await.unwrap();
    assert!(!summary.up_to_date && summary.downloaded == 0);
    assert_eq!(scene.registry.requests().len(), 0);
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn however_many_stored_packages_are_damaged_they_are_fetched_again_together() {
    let scene = small();
    scene.install().await.unwrap();
    // One of them is in two places.
    scene.add(&["twice@npm:b@1"]).await.unwrap();
    let before = scene.snapshot();
    let mut damaged = 0;
    for path in before.keys().filter(|path| path.starts_with("node_modules/") && path.ends_with("package.json")) {
        // The same file as the store's: it gets longer there, too.
        std::fs::write(scene.path(path), "not the JSON that was published, and longer than it was").unwrap();
        damaged += 1;
    }
    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let summary = scene.install().await.unwrap();
    assert_eq!((damaged, summary.downloaded), (6, 5));
    assert_eq!(scene.snapshot(), before);
    assert_eq!((scene.store_entries(), scene.store_leftovers()), (5, 0));
}

#[tokio::test]
async fn a_tree_of_unknown_origin_is_built_anew_and_other_tools_folders_stay() {
    let scene = small();
    scene.write("node_modules/a/index.js", "someone else's");
    scene.write("node_modules/stray/index.js", "stray");
    scene.write("node_modules/@x/stray/index.js", "stray");
    scene.write("node_modules/.cache/tool", "kept");
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.removed, 2);
    assert_eq!(scene.read("node_modules/a/index.js"), "a");
    assert_eq!(scene.read("node_modules/.cache/tool"), "kept");
    assert!(!scene.exists("node_modules/stray") && !scene.exists("node_modules/@x"));
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn adding_edits_the_manifest_and_keeps_its_form() {
    let scene = small();
    scene.write("package.json", "{\n\t\"name\": \"tabs\",\n\t\"files\": [\"x\", \"y\"]\n}");
    let summary = scene.add(&["b", "c@1.0.0"]).await.unwrap();
    assert_eq!(summary.saved, [("b".to_owned(), "^1.2.0".to_owned()), ("c".to_owned(), "^1.0.0".to_owned())]);
    assert_eq!(
        scene.read("package.json"),
        "{\n\t\"name\": \"tabs\",\n\t\"files\": [\"x\", \"y\"],\n\t\"dependencies\": {\n\t\t\"b\": \"^1.2.0\",\n\t\t\"c\": \"^1.0.0\"\n\t}\n}"
    );
    assert!(scene.install().await.unwrap().up_to_date);
    assert!(scene.install_with(|options| options.frozen = true).await.unwrap().up_to_date);

    let summary = scene
        .install_with(|options| {
            options.add = vec!["c@2".to_owned()];
            options.save_dev = true;
        })
        .await
        .unwrap();
    assert_eq!(summary.changed, 1);
    assert_eq!(scene.read("node_modules/c/c.js"), "c2");
    let manifest: serde_json::Value = serde_json::from_str(&scene.read("package.json")).unwrap();
    assert_eq!(manifest["devDependencies"]["c"], "2");
    assert_eq!(manifest["dependencies"].as_object().unwrap().len(), 1);

    let summary = scene.install_with(|options| options.production = true).await.unwrap();
    assert_eq!((summary.removed, summary.installed), (1, 1));
    assert!(!scene.exists("node_modules/c") && scene.exists("node_modules/b"));
    assert_eq!(scene.install().await.unwrap().added, 1);
}

#[tokio::test]
async fn removing_a_dependency_prunes_what_only_it_needed() {
    let scene = small();
    scene.install().await.unwrap();
    scene.write("package.json", r#"{"name":"small","version":"1.0.0","dependencies":{"@s/d":"*"}}"#);
    scene.install().await.unwrap();
    assert!(!scene.exists("node_modules/a") && !scene.exists("node_modules/b"));
    assert!(!scene.exists("node_modules/.bin/b-run"));
    assert!(scene.exists("node_modules/@s/d/d.js"));
    scene.write("package.json", r#"{"name":"small","version":"1.0.0"}"#);
    scene.install().await.unwrap();
    assert!(!scene.exists("node_modules/@s"), "an empty scope goes, too");
}

#[tokio::test]
async fn frozen_says_what_differs_and_changes_nothing() {
    let scene = small();
    let error = scene.install_with(|options| options.frozen = true).await.unwrap_err();
    assert!(matches!(error, InstallError::FrozenWithoutLock { .. }), "{error}");
    scene.install().await.unwrap();
    scene.write("package.json", r#"{"name":"small","version":"1.0.0","dependencies":{"a":"^2","b":"*"}}"#);
    let before = scene.snapshot();
    let error = scene.install_with(|options| options.frozen = true).await.unwrap_err();
    let text = error.to_string();
    for part in ["a is ^2 in package.json and ^1.0.0", "b * is missing", "@s/d is in the lockfile and not in"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(error.hint().is_some());
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn the_lockfile_decides_even_when_newer_versions_exist() {
    let scene = small();
    scene.install().await.unwrap();
    scene.registry.publish(&Package::new("a", "1.1.0").file("index.js", "newer"));
    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    scene.registry.forget_requests();
    let summary = scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/index.js"), "a");
    assert!(!summary.lock_written);
    assert_eq!(scene.registry.requests().len(), 0, "lockfile and store suffice");
}

#[tokio::test]
async fn optional_packages_for_other_machines_stay_in_the_lockfile_only() {
    let scene = Scene::new(r#"{"name":"p","dependencies":{"native":"*"}}"#);
    let mut native = Package::new("native", "1.0.0");
    for (name, os, cpu, libc) in [
        ("native-linux", "linux", "x64", "glibc"),
        ("native-musl", "linux", "x64", "musl"),
        ("native-mac", "darwin", "arm64", ""),
    ] {
        native = native.optional_dependency(name, "1.0.0");
        let mut package = Package::new(name, "1.0.0").field("os", [os].into()).field("cpu", [cpu].into());
        if !libc.is_empty() {
            package = package.field("libc", [libc].into());
        }
        scene.registry.publish(&package.dependency(&format!("only-{name}"), "*"));
        scene.registry.publish(&Package::new(&format!("only-{name}"), "1.0.0"));
    }
    scene.registry.publish(&native);
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.installed, 3);
    assert!(scene.exists("node_modules/native-linux") && scene.exists("node_modules/only-native-linux"));
    for absent in ["native-mac", "native-musl", "only-native-mac"] {
        assert!(!scene.exists(&format!("node_modules/{absent}")), "{absent}");
        assert!(scene.read("package-lock.json").contains(absent), "{absent}");
    }
    assert_eq!(scene.registry.count("/native-mac/-/"), 0, "what does not run here is not downloaded");
}

#[tokio::test]
async fn packuments_are_revalidated_and_offline_uses_what_is_kept() {
    let scene = small();
    scene.install().await.unwrap();
    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    std::fs::remove_file(scene.path("package-lock.json")).unwrap();
    scene.registry.forget_requests();
    let summary = scene.install().await.unwrap();
    let requests = scene.registry.requests();
    assert_eq!(requests.len(), 4, "four names, no tarball");
    assert!(requests.iter().all(|request| request.header("if-none-match").is_some()));
    assert_eq!(summary.bytes, 0);

    std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
    std::fs::remove_file(scene.path("package-lock.json")).unwrap();
    scene.registry.forget_requests();
    scene.install_with(|options| options.offline = true).await.unwrap();
    assert_eq!(scene.registry.requests().len(), 0);
    let error = scene.install_with(|options| {
        options.offline = true;
        options.add = vec!["unknown".to_owned()];
    });
    assert!(error.await.unwrap_err().to_string().contains("network may not be used"));
}

#[tokio::test]
async fn bodies_come_and_stay_as_they_are_sent() {
    let scene = small();
    let summary = scene.install().await.unwrap();
    let encodings = |is_tarball: bool| -> Vec<Option<String>> {
        let requests = scene.registry.requests().into_iter();
        let of_kind = requests.filter(|request| request.path.contains("/-/") == is_tarball);
        of_kind.map(|request| request.header("accept-encoding").map(str::to_owned)).collect()
    };
    assert_eq!(encodings(false), vec![Some("gzip".to_owned()); 4], "documents, compressed");
    assert_eq!(encodings(true), vec![None; 5], "tarballs, whose bytes are what is hashed");
    let kept = file_bytes(&scene.home().join("cache/packuments-v3"));
    let text = r#""dist-tags""#.as_bytes();
    assert!(kept.len() as u64 <= summary.bytes && !kept.windows(text.len()).any(|part| part == text));
}

#[tokio::test]
async fn a_tarball_that_is_said_to_be_encoded_is_hashed_as_it_is_sent() {
    let scene = small();
    for encoding in ["gzip", "x-gzip", "br"] {
        scene.registry.fail("/-/", Fault::Encoding(encoding), 5);
        scene.install().await.unwrap();
        let tarballs = scene.registry.requests().iter().filter(|request| request.path.contains("/-/")).count();
        assert_eq!(tarballs, 5, "nothing is asked for again: {encoding}");
        scene.registry.forget_requests();
        std::fs::remove_dir_all(scene.path("node_modules")).unwrap();
        std::fs::remove_dir_all(scene.home().join("store")).unwrap();
    }
}

/// The bytes of all files below.
fn file_bytes(folder: &std::path::Path) -> Vec<u8> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() { file_bytes(&path) } else { std::fs::read(path).unwrap() }
    };
    std::fs::read_dir(folder).unwrap().flat_map(read).collect()
}

#[tokio::test]
async fn the_lockfile_alone_is_the_one_that_an_installation_writes() {
    let scene = small();
    let only = || scene.install_with(|options| options.lockfile_only = true);
    let summary = only().await.unwrap();
    assert!(summary.lock_written && !summary.up_to_date);
    assert_eq!((summary.installed, summary.downloaded, summary.locked), (0, 0, Some(5)));
    let lock = scene.read("package-lock.json");
    assert_eq!(std::fs::read_dir(scene.dir()).unwrap().count(), 2, "package.json and the lockfile");
    assert_eq!((scene.registry.count("/-/"), scene.store_entries()), (0, 0), "no package is downloaded");
    let again = only().await.unwrap();
    assert!(again.up_to_date && !again.lock_written);

    let summary = scene.install().await.unwrap();
    assert!(!summary.lock_written);
    assert_eq!(scene.read("package-lock.json"), lock);
    let tree = || std::fs::read_to_string(scene.path("node_modules/.package-lock.json")).unwrap();
    let before = tree();
    scene
        .install_with(|options| {
            options.lockfile_only = true;
            options.add = vec!["c@1".to_owned()];
        })
        .await
        .unwrap();
    assert!(scene.read("package.json").contains(r#""c""#));
    assert_ne!(scene.read("package-lock.json"), lock);
    assert_eq!(tree(), before, "node_modules stays as it was");
    assert!(!scene.exists(".atoll-stage"));
    assert!(!scene.install().await.unwrap().up_to_date, "the next installation makes up for it");
}

#[tokio::test]
async fn a_packument_that_was_changed_here_is_asked_for_again() {
    let scene = small();
    scene.install().await.unwrap();
    let lock = scene.read("package-lock.json");
    std::fs::remove_file(scene.path("package-lock.json")).unwrap();
    let changed = change_files(&scene.home().join("cache/packuments-v3"));
    scene.registry.forget_requests();
    scene.install().await.unwrap();
    assert_eq!(scene.read("package-lock.json"), lock);
    let conditional = |request: &Recorded| request.header("if-none-match").is_some();
    let requests = scene.registry.requests();
    let counts = [true, false].map(|wanted| requests.iter().filter(|request| conditional(request) == wanted).count());
    assert_eq!(
        (changed, counts),
        (4, [4, 4]),
        "not modified, it is said; then they are asked for as if nothing were kept"
    );
}

/// Changes the last byte of each file below, and counts them.
fn change_files(folder: &std::path::Path) -> usize {
    let change = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return change_files(&path);
        }
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
        1
    };
    std::fs::read_dir(folder).unwrap().map(change).sum()
}

#[tokio::test]
async fn passing_faults_are_tried_again() {
    let scene = small();
    scene.registry.fail("/-/a-1.0.0.tgz", Fault::Truncate(100), 1);
    scene.registry.fail("/-/b-1.2.0.tgz", Fault::Status(503), 2);
    scene.registry.fail("/-/c-1.0.0.tgz", Fault::Stall(10), 1);
    scene.registry.fail("/-/c-2.0.0.tgz", Fault::Corrupt, 1);
    scene.registry.fail("/@s%2fd", Fault::Status(500), 1);
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.added, 5);
    assert_eq!(scene.registry.count("/-/b-1.2.0.tgz"), 3);
}

#[tokio::test]
async fn lasting_faults_are_named_and_change_nothing() {
    for (fault, expected) in [
        (Fault::Status(503), "answered 503 (tried 3 times)"),
        (Fault::Status(429), "answered 429 (tried 3 times)"),
        (Fault::Status(404), "does not exist"),
        (Fault::Truncate(50), "tried 3 times"),
        (Fault::Stall(50), "tried 3 times"),
        (Fault::Corrupt, "expected sha512-"),
        (Fault::Body(b"not an archive".to_vec()), "found sha512-"),
    ] {
        let scene = small();
        let before = scene.snapshot();
        scene.registry.fail("/-/b-1.2.0.tgz", fault.clone(), usize::MAX);
        let error = scene.install().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("b@1.2.0") && text.contains(expected), "{fault:?}: {text}");
        let asks_for_less = error.hint().unwrap().contains("maxsockets");
        assert_eq!(asks_for_less, matches!(fault, Fault::Status(429)), "{fault:?}");
        assert_eq!(scene.snapshot(), before, "{fault:?}");
        let requests = scene.registry.count("/-/b-1.2.0.tgz");
        // The resolver's guess and the real fetch each try as often as patience has it.
        assert!(requests <= if expected == "does not exist" { 2 } else { 6 }, "{fault:?}: {requests}");
    }
}

#[tokio::test]
async fn a_registry_is_asked_for_no_more_at_once_than_the_user_allows() {
    let names: Vec<String> = (0..8).map(|nth| format!("p{nth}")).collect();
    let dependencies: BTreeMap<&String, &str> = names.iter().map(|name| (name, "*")).collect();
    let manifest = serde_json::json!({ "dependencies": dependencies }).to_string();
    for (npmrc, by_option, expected) in [
        ("", None, 4..=16),
        ("maxsockets=3", None, 3..=3),
        ("network-concurrency=1", None, 1..=1),
        ("maxsockets=1", Some(2), 2..=2),
    ] {
        let mut scene = Scene::new(&manifest);
        scene.npmrc = npmrc.to_owned();
        for name in &names {
            scene.registry.publish(&Package::new(name, "1.0.0"));
        }
        scene.registry.fail("/p", Fault::Delay(Duration::from_millis(50)), usize::MAX);
        let summary = scene.install_with(|options| options.network.requests_max = by_option).await.unwrap();
        assert_eq!(summary.added, 8);
        let at_once = scene.registry.requests_at_once();
        assert!(expected.contains(&at_once), "{npmrc}: {at_once}");
    }
}

#[tokio::test]
async fn a_registry_that_shows_strain_is_asked_for_less_at_once() {
    for (failures, expected) in [(0, 7..=8), (2, 1..=6)] {
        let mut scene = Scene::new(r#"{"dependencies":{"first":"*"}}"#);
        scene.npmrc = "maxsockets=8".to_owned();
        let mut first = Package::new("first", "1.0.0");
        for name in (0..8).map(|nth| format!("p{nth}")) {
            scene.registry.publish(&Package::new(&name, "1.0.0"));
            first = first.dependency(&name, "*");
        }
        scene.registry.publish(&first);
        scene.registry.fail("/first", Fault::Status(503), failures);
        scene.registry.fail("/p", Fault::Delay(Duration::from_millis(300)), usize::MAX);
        scene.install_with(|options| options.lockfile_only = true).await.unwrap();
        // Halved to 4; the answer to `first` makes room for a fifth, and the first of the five that come then for a sixth.
        let at_once = scene.registry.requests_at_once();
        assert!(expected.contains(&at_once), "{failures} failures: {at_once}");
    }
}

#[tokio::test]
async fn a_missing_package_and_a_missing_manifest_are_explained() {
    let scene = Scene::new(r#"{"dependencies":{"nowhere":"*"}}"#);
    assert!(scene.install().await.unwrap_err().to_string().contains("nowhere"));
    assert!(!scene.exists("node_modules"));
    std::fs::remove_file(scene.path("package.json")).unwrap();
    let error = scene.install().await.unwrap_err();
    assert!(matches!(error, InstallError::NoManifest { .. }) && error.hint().is_some());
    assert!(matches!(scene.add(&["../evil"]).await, Err(InstallError::NoManifest { .. })));
    scene.write("package.json", "{}");
    assert!(matches!(scene.add(&["../evil"]).await, Err(InstallError::BadRequest { .. })));
}

#[tokio::test]
async fn credentials_go_to_their_host_only() {
    let mut scene = small();
    scene.registry.require_token("secret");
    let error = scene.install().await.unwrap_err();
    assert!(error.to_string().contains("refuses access (401); no credentials"), "{error}");
    assert!(scene.registry.count("/a") <= 1 && scene.registry.requests().len() <= 2, "a refusal is not tried again");

    let elsewhere = NpmRegistry::start();
    elsewhere.publish(&Package::new("b", "1.2.0").file("lib/b.js", "b").bin("b-run", "lib/b.js"));
    scene.npmrc = format!("//{}/:_authToken=secret\n", scene.registry.host());
    scene.registry.fail("/-/b-1.2.0.tgz", Fault::Redirect(format!("{}b/-/b-1.2.0.tgz", elsewhere.url())), 1);
    scene.registry.forget_requests();
    scene.install().await.unwrap();
    let foreign = elsewhere.requests();
    assert_eq!(foreign.len(), 1);
    assert_eq!(foreign[0].header("authorization"), None, "a redirect elsewhere loses the token");
    assert!(scene.registry.requests().iter().all(|request| request.header("authorization").is_some()));
}

#[tokio::test]
async fn redirects_do_not_go_on_for_ever() {
    let scene = small();
    scene.registry.fail("/a", Fault::Redirect(format!("{}a", scene.registry.url())), usize::MAX);
    assert!(scene.install().await.unwrap_err().to_string().contains("redirect"));
    assert!(scene.registry.count("/a") <= 3 * 8);
}

#[tokio::test]
async fn lockfiles_without_addresses_use_the_configured_registry() {
    let scene = small();
    scene.install().await.unwrap();
    let mut lock: serde_json::Value = serde_json::from_str(&scene.read("package-lock.json")).unwrap();
    for (index, entry) in lock["packages"].as_object_mut().unwrap().values_mut().enumerate() {
        let entry = entry.as_object_mut().unwrap();
        let Some(resolved) = entry.remove("resolved") else { continue };
        if index % 2 == 0 {
            let public = resolved.as_str().unwrap().replace(&scene.registry.url(), "https://registry.npmjs.org/");
            entry.insert("resolved".to_owned(), public.into());
        }
    }
    scene.write("package-lock.json", &lock.to_string());
    for folder in ["project/node_modules", "store", "cache"] {
        std::fs::remove_dir_all(scene.home().join(folder)).unwrap();
    }
    let summary = scene.install_with(|options| options.frozen = true).await.unwrap();
    assert_eq!(summary.downloaded, 5);
}

#[tokio::test]
async fn deprecated_direct_dependencies_are_mentioned() {
    let scene = Scene::new(r#"{"dependencies":{"old":"*"}}"#);
    scene.registry.publish(&Package::new("old", "1.0.0").field("deprecated", "use new".into()));
    let warnings = Warnings::default();
    install(scene.options(), &warnings).await.unwrap();
    let expected = Warning::Deprecated { package: "old@1.0.0".to_owned(), message: "use new".to_owned() };
    assert_eq!(warnings.all(), [expected]);
}

#[tokio::test]
async fn two_installations_in_one_project_wait_for_each_other() {
    let scene = small();
    let (one, other) = tokio::join!(scene.install(), scene.install());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.up_to_date != other.up_to_date, "the second finds everything done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_installation_leaves_the_project_as_before_or_done() {
    let scene = small();
    let project = std::fs::File::open(scene.dir()).unwrap();
    let before = scene.snapshot();
    let mut cancelled = 0;
    for step in 0..60_u64 {
        let result = tokio::time::timeout(Duration::from_micros(step * 1500), scene.install()).await;
        // The lock is free once nothing works in the project any more.
        tokio::task::block_in_place(|| project.lock().unwrap());
        project.unlock().unwrap();
        if result.is_err() {
            cancelled += 1;
            let after = scene.snapshot();
            assert!(after == before || scene.install().await.unwrap().up_to_date, "cancelled at step {step}");
        }
        for path in ["node_modules", "package-lock.json"] {
            let path = scene.path(path);
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
        if step % 3 == 0 {
            let _ = std::fs::remove_dir_all(scene.home().join("store"));
        }
    }
    assert!(cancelled > 3, "{cancelled}");
}

#[tokio::test]
async fn a_proxy_is_used_but_for_its_exceptions() {
    let scene = small();
    // The registry answers requests in a proxy's form, too; the host that it stands for does not exist.
    let npmrc = Npmrc::default().with_file(".npmrc", "registry=http://registry.invalid/", |_| None).unwrap();
    let with_proxy = |no_proxy: Option<&str>| {
        let mut options = scene.options();
        options.npmrc = npmrc.clone();
        options.network.http_proxy = Some(scene.registry.url());
        options.network.no_proxy = no_proxy.map(str::to_owned);
        options
    };
    let error = install(with_proxy(Some("registry.invalid")), &Silent).await.unwrap_err();
    assert!(error.to_string().contains("registry.invalid"), "{error}");
    assert_eq!(scene.registry.requests().len(), 0);
    install(with_proxy(None), &Silent).await.unwrap();
    assert_eq!(scene.read("node_modules/a/index.js"), "a");
}

#[tokio::test]
async fn progress_adds_up() {
    let scene = small();
    let progress = Steps::default();
    let summary = install(scene.options(), &progress).await.unwrap();
    let seen = progress.all();
    let last = |stage: Stage| seen.iter().rev().find(|(at, _)| *at == stage).map(|(_, progress)| *progress).unwrap();
    assert_eq!((last(Stage::Resolve).done, last(Stage::Resolve).total), (4, 4));
    assert_eq!((last(Stage::Fetch).done, last(Stage::Fetch).total), (5, 5));
    assert_eq!((last(Stage::Link).done, last(Stage::Link).total), (5, 5));
    assert_eq!(last(Stage::Fetch).bytes, summary.bytes);
    assert!(seen.iter().all(|(_, progress)| progress.done <= progress.total));
}
