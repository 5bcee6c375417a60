//! Registries, tarballs, lockfiles and trees that mean harm.

use std::{collections::HashSet, fs};

use atoll_npm::{
    extract::extract,
    install::InstallError,
    integrity::Integrity,
    store::{Form, IndexedFile, MachineKey, Store},
};
use atoll_test::npm_registry::{Entry, EntryKind, Fault, Package, gzip, sha512_integrity};
use serde_json::{Value, json};

use crate::support::{Scene, noise, snapshot};

const ONE: &str = r#"{"dependencies":{"evil":"*"}}"#;

fn entry(path: impl AsRef<[u8]>, kind: EntryKind, data: &str) -> Entry {
    Entry { path: path.as_ref().to_vec(), kind, mode: 0o644, data: data.as_bytes().to_vec() }
}

/// Installing this package fails with a message that has `expected`, and leaves no trace but in the cache.
async fn assert_refused(package: Package, expected: &str) {
    let scene = Scene::new(ONE);
    scene.registry.publish(&package);
    let before = scene.snapshot();
    let error = scene.install().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("evil@1.0.0") && text.contains(expected), "expected {expected:?}: {text}");
    assert!(error.hint().is_some());
    assert_eq!(scene.snapshot(), before, "{expected}");
    assert_eq!((scene.store_entries(), scene.store_leftovers()), (0, 0), "{expected}");
    let outside: Vec<String> =
        fs::read_dir(scene.home()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(outside.iter().all(|name| ["project", "store", "cache", "state"].contains(&name.as_str())), "{outside:?}");
}

#[tokio::test]
async fn entries_that_are_no_files_are_refused() {
    for (kind, expected) in [
        (EntryKind::SymbolicLink, "is a link"),
        (EntryKind::HardLink, "is a link"),
        (EntryKind::Device, "neither a file nor a directory"),
        (EntryKind::Fifo, "neither a file nor a directory"),
    ] {
        let package = Package::new("evil", "1.0.0").entry(entry("package/x", kind, "../../../victim"));
        assert_refused(package, expected).await;
    }
}

#[tokio::test]
async fn a_link_does_not_open_the_way_for_the_next_entry() {
    let package = Package::new("evil", "1.0.0")
        .entry(entry("package/out", EntryKind::SymbolicLink, "../../../.."))
        .file("out/planted", "x");
    assert_refused(package, "is a link").await;
}

#[tokio::test]
async fn paths_that_leave_the_package_are_refused() {
    let long = format!("package/{}", "x/".repeat(3000));
    let endless = vec![b'y'; 70_000];
    let cases: [(&[u8], &str); 7] = [
        (b"package/../../../planted", "leaves the package"),
        (b"../planted", "leaves the package"),
        (b"package/a/../../planted", "leaves the package"),
        (b"/tmp/planted", "absolute"),
        (b"package/\xff\xfe", "not UTF-8"),
        (long.as_bytes(), "too long"),
        (&endless, "more than 64 KiB"),
    ];
    for (path, expected) in cases {
        assert_refused(Package::new("evil", "1.0.0").entry(entry(path, EntryKind::File, "x")), expected).await;
    }
}

#[tokio::test]
async fn a_file_where_a_directory_has_to_be_is_refused() {
    let package = Package::new("evil", "1.0.0").file("a", "file").file("a/b", "inside");
    assert_refused(package, "that another entry says is a file").await;
    let package = Package::new("evil", "1.0.0").file("a/b", "inside").file("a", "file");
    assert_refused(package, "that another entry says is a directory").await;
}

#[tokio::test]
async fn claims_of_great_size_are_refused() {
    let mut archive = Vec::new();
    let mut header = tar_header(b"package/huge", 600 << 20);
    archive.append(&mut header);
    assert_refused(Package::new("evil", "1.0.0").raw_tarball(gzip(&archive)), "larger than 512 MiB").await;

    let many = tar_header(b"package/d/", 0).repeat(262_145);
    assert_refused(Package::new("evil", "1.0.0").raw_tarball(gzip(&many)), "more than 262144 entries").await;
}

/// A header of a regular file, as bytes.
fn tar_header(path: &[u8], size: u64) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..path.len()].copy_from_slice(path);
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

#[tokio::test]
async fn what_is_no_archive_is_refused() {
    let package = || Package::new("evil", "1.0.0");
    assert_refused(package().raw_tarball(b"<html>sign in</html>".to_vec()), "cannot be read").await;
    assert_refused(
        package().raw_tarball(gzip(b"not tar but long enough to be a header?".repeat(40).as_slice())),
        "cannot be read",
    )
    .await;
    let good = package().file("x", "y".repeat(5000)).tarball();
    assert_refused(package().raw_tarball(good[..good.len() / 2].to_vec()), "cannot be read").await;
}

/// What does not become smaller by being compressed: one is held in memory before it is unpacked, one unpacked while it arrives.
const LARGE_BYTES: [usize; 2] = [6 << 20, 17 << 20];

#[tokio::test]
async fn a_tarball_with_another_digest_names_both_and_is_not_stored() {
    let other = atoll_test::npm_registry::sha512_integrity(b"something else");
    assert_refused(Package::new("evil", "1.0.0").raw_integrity(&other), &format!("expected {other}, found sha512-"))
        .await;
    for bytes in LARGE_BYTES {
        let large = Package::new("evil", "1.0.0").file("large", noise(bytes));
        assert_refused(large.raw_integrity(&other), &format!("expected {other}, found sha512-")).await;
    }
}

#[tokio::test]
async fn a_large_tarball_that_breaks_off_leaves_nothing() {
    for bytes in LARGE_BYTES {
        let scene = Scene::new(ONE);
        scene.registry.publish(&Package::new("evil", "1.0.0").file("large", noise(bytes)));
        scene.registry.fail("/-/", Fault::Truncate(3 << 20), usize::MAX);
        let text = scene.install().await.unwrap_err().to_string();
        assert!(text.contains("evil@1.0.0 could not be downloaded") && text.contains("tried 3 times"), "{text}");
        assert_eq!((scene.store_entries(), scene.store_leftovers()), (0, 0));
    }
}

#[tokio::test]
async fn a_package_without_any_digest_is_refused() {
    let scene = Scene::new(ONE);
    scene.registry.publish(&Package::new("evil", "1.0.0").raw_integrity(""));
    assert!(matches!(scene.install().await, Err(InstallError::NoIntegrity { .. })));
    assert!(!scene.exists("node_modules"));
}

#[tokio::test]
async fn a_tarballs_own_name_decides_nothing() {
    let scene = Scene::new(ONE);
    let inner = Package::new("../../../planted", "1.0.0").file("x.js", "x").tarball();
    scene.registry.publish(&Package::new("evil", "1.0.0").raw_tarball(inner));
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/evil/x.js"), "x");
    assert!(!scene.home().join("planted").exists());
}

#[tokio::test]
async fn commands_stay_in_their_folder() {
    let scene = Scene::new(ONE);
    let bin = json!({
        "../planted": "x.sh", "@scope/../../planted": "x.sh", "..": "x.sh", "escape": "../../../victim",
        "absolute": "/bin/sh", "good": "x.sh",
    });
    scene.registry.publish(&Package::new("evil", "1.0.0").field("bin", bin).file("x.sh", "#!/bin/sh\n"));
    scene.install().await.unwrap();
    for command in fs::read_dir(scene.path("node_modules/.bin")).unwrap() {
        let path = command.unwrap().path();
        let target = fs::read_link(&path).unwrap();
        let target = target.to_str().unwrap();
        assert!(target.starts_with("../evil/") && !target[3..].contains(".."), "{} -> {target}", path.display());
    }
    assert!(scene.exists("node_modules/.bin/good"));
    assert!(!scene.exists("node_modules/planted") && !scene.exists("planted"));
}

/// A lockfile for one honest package, changed.
async fn with_lock(change: impl FnOnce(&mut Value)) -> (Scene, Result<(), InstallError>) {
    let scene = Scene::new(r#"{"dependencies":{"good":"*"}}"#);
    scene.registry.publish(&Package::new("good", "1.0.0").file("x.js", "x"));
    scene.install().await.unwrap();
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    fs::remove_dir_all(scene.home().join("store")).unwrap();
    let mut lock: Value = serde_json::from_str(&scene.read("package-lock.json")).unwrap();
    change(&mut lock);
    scene.write("package-lock.json", &lock.to_string());
    scene.registry.forget_requests();
    let result = scene.install_with(|options| options.frozen = true).await.map(|_| ());
    (scene, result)
}

#[tokio::test]
async fn lockfile_paths_that_leave_the_project_are_refused() {
    for key in ["node_modules/../../planted", "../planted", "/tmp/planted", "node_modules/.bin", "node_modules/a/b"] {
        let (scene, result) = with_lock(|lock| {
            let entry = lock["packages"]["node_modules/good"].clone();
            lock["packages"][key] = entry;
        })
        .await;
        assert!(matches!(result, Err(InstallError::Lock(_))), "{key}: {result:?}");
        assert!(!scene.exists("node_modules") && !scene.home().join("planted").exists(), "{key}");
    }
}

#[tokio::test]
async fn lockfile_entries_are_not_trusted() {
    let (_, result) = with_lock(|lock| {
        lock["packages"]["node_modules/good"].as_object_mut().unwrap().remove("integrity");
    })
    .await;
    assert!(matches!(result, Err(InstallError::NoIntegrity { .. })), "{result:?}");

    let (_, result) = with_lock(|lock| lock["packages"]["node_modules/good"]["integrity"] = json!("md5-AAAA")).await;
    assert!(matches!(result, Err(InstallError::NoIntegrity { .. })), "{result:?}");

    for address in ["file:///etc/passwd", "git+ssh://git@host/x.git", "/etc/passwd", "data:,x"] {
        let (scene, result) =
            with_lock(|lock| lock["packages"]["node_modules/good"]["resolved"] = json!(address)).await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains("not a URL that packages can be fetched from"), "{address}: {text}");
        assert_eq!(scene.registry.requests().len(), 0);
    }

    let (scene, result) = with_lock(|lock| {
        lock["packages"]["node_modules/good"]["bin"] = json!({ "../../planted": "x.js", "p": "../../../etc/passwd" });
    })
    .await;
    result.unwrap();
    assert!(!scene.exists("planted") && !scene.exists("node_modules/planted"));
    let target = fs::read_link(scene.path("node_modules/.bin/p")).unwrap();
    assert_eq!(target.to_str(), Some("../good/etc/passwd"));

    let (_, result) = with_lock(|lock| {
        lock["packages"]["node_modules/good"] = json!({ "resolved": "../../..", "link": true });
    })
    .await;
    assert!(result.is_err(), "a link to a folder outside");
}

#[tokio::test]
async fn aliases_cannot_name_paths() {
    for alias in [r#"{"dependencies":{"../evil":"1"}}"#, r#"{"dependencies":{"a":"npm:../evil@1"}}"#] {
        let scene = Scene::new(alias);
        assert!(scene.install().await.is_err(), "{alias}");
        assert_eq!(scene.registry.requests().len(), 0, "{alias}");
        assert!(!scene.exists("node_modules"));
    }
}

#[tokio::test]
async fn links_in_node_modules_do_not_lead_out() {
    let scene = Scene::new(r#"{"dependencies":{"@s/a":"*","b":"*"}}"#);
    scene.registry.publish(&Package::new("@s/a", "1.0.0").file("x.js", "a").bin("run", "x.js"));
    scene.registry.publish(&Package::new("b", "1.0.0").file("x.js", "b"));
    let outside = scene.home().join("outside");
    fs::create_dir_all(outside.join("a")).unwrap();
    fs::write(outside.join("a/x.js"), "mine").unwrap();
    fs::create_dir(scene.path("node_modules")).unwrap();
    for link in ["@s", "b", ".bin"] {
        std::os::unix::fs::symlink(&outside, scene.path("node_modules").join(link)).unwrap();
    }
    scene.install().await.unwrap();
    assert_eq!(fs::read_to_string(outside.join("a/x.js")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(fs::symlink_metadata(scene.path("node_modules/@s")).unwrap().is_dir());
    assert_eq!((scene.read("node_modules/@s/a/x.js"), scene.read("node_modules/b/x.js")), ("a".into(), "b".into()));
}

#[tokio::test]
async fn names_that_differ_in_case_only_are_two_files() {
    let scene = Scene::new(ONE);
    scene
        .registry
        .publish(&Package::new("evil", "1.0.0").file("a.js", "small").file("A.js", "capital").file("a.js", "last"));
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/evil/A.js"), "capital");
    assert_eq!(scene.read("node_modules/evil/a.js"), "last", "the last entry of a path counts");
}

#[tokio::test]
async fn a_stage_that_came_with_the_project_is_discarded() {
    let scene = Scene::new(r#"{"dependencies":{"good":"*"}}"#);
    scene.registry.publish(&Package::new("good", "1.0.0").file("x.js", "x"));
    let journal = json!({ "guards": [], "steps": [{ "from": "tree/x", "to": "out/planted" }] });
    std::os::unix::fs::symlink("..", scene.path("out")).unwrap();
    for proof in ["", "0123456789abcdef0123456789abcdef"] {
        scene.write(".atoll-stage/commit.json", &format!("{proof}{journal}"));
        scene.write(".atoll-stage/tree/x", "planted");
        scene.install().await.unwrap();
        assert!(!scene.home().join("planted").exists() && !scene.exists(".atoll-stage"));
    }
}

#[tokio::test]
async fn links_deeper_in_the_tree_do_not_lead_out_either() {
    let scene = Scene::new(r#"{"dependencies":{"a":"1","c":"1"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").dependency("c", "2"));
    scene.registry.publish(&Package::new("c", "1.0.0").file("x.js", "1"));
    scene.registry.publish(&Package::new("c", "2.0.0").file("x.js", "2").bin("run", "x.js"));
    scene.install().await.unwrap();
    let before = scene.snapshot();
    assert!(scene.exists("node_modules/a/node_modules/.bin/run"));
    let outside = scene.home().join("outside");
    fs::rename(scene.path("node_modules/a/node_modules"), &outside).unwrap();
    fs::create_dir(outside.join("precious")).unwrap();
    std::os::unix::fs::symlink(&outside, scene.path("node_modules/a/node_modules")).unwrap();
    scene.install().await.unwrap();
    assert_eq!(scene.snapshot(), before);
    assert!(outside.join("precious").exists() && outside.join("c/x.js").exists());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever stands in an archive's headers, nothing is written outside the folder and nothing panics.
    #[test]
    fn any_archive_stays_in_its_folder(
        changes in proptest::collection::vec((0..2048_usize, proptest::prelude::any::<u8>()), 0..12),
        path in "[a./\\\\ ]{0,12}",
        kind in proptest::sample::select(&b"0125LxgKS7\0"[..]),
    ) {
        let mut archive = tar_header(format!("package/{path}").as_bytes(), 4);
        archive[156] = kind;
        archive.extend_from_slice(b"data");
        archive.resize(1024, 0);
        archive.extend(tar_header(path.as_bytes(), 0));
        archive.resize(3072, 0);
        for (at, byte) in changes {
            archive[at] = byte;
        }
        for header in [0, 1024] {
            let end = header + 512;
            archive[header + 148..header + 156].copy_from_slice(b"        ");
            let sum: u32 = archive[header..end].iter().map(|byte| u32::from(*byte)).sum();
            archive[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let folder = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&folder.path().join("state")).unwrap();
        let store = Store::open(&folder.path().join("deep/store"), key).unwrap();
        let integrity = Integrity::parse(&sha512_integrity(&archive)).unwrap();
        let compressed = gzip(&archive);
        let mut lists = Vec::new();
        for form in [Form::Packed, Form::Unpacked] {
            let mut staged = store.stage(form).unwrap();
            let extracted = extract(&mut compressed.as_slice(), &mut staged);
            let written = snapshot(folder.path());
            let is_inside = |path: &str| path.starts_with("deep/store/v1/stage/");
            let is_ours = |path: &String| is_inside(path) || path.strip_suffix(".pack").is_some() || path == "state/store-key";
            proptest::prop_assert!(written.keys().all(is_ours), "{written:?}");
            if extracted.is_ok() {
                store.publish(staged, &integrity).unwrap();
                lists.push(store.package(&integrity).unwrap().files().to_vec());
            }
        }
        // Both forms say the same, of the files that are there.
        if let [packed, unpacked] = &lists[..] {
            let plain = |file: &IndexedFile| IndexedFile { offset: 0, number: 0, modified_ns: 0, ..file.clone() };
            proptest::prop_assert!(packed.iter().map(plain).eq(unpacked.iter().map(plain)));
            let entry = store.get(&integrity).unwrap();
            let found: HashSet<String> = snapshot(&entry.dir).into_keys().collect();
            let numbers = entry.files.iter().map(IndexedFile::place_in_entry);
            let listed: HashSet<String> = numbers.chain(["index".to_owned()]).collect();
            proptest::prop_assert_eq!(&listed, &found);
            proptest::prop_assert_eq!(found.len(), entry.files.len() + 1);
        } else {
            proptest::prop_assert_eq!(lists.len(), 0, "one form took what the other did not");
        }
    }
}
