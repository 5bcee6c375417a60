//! The layer that shows a `node_modules`, against one that was linked on the disk: what is there, and what every call
//! answers.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
};

use atoll_npm::{
    linker::Linker,
    virtual_tree::{UserDirs, VirtualTree},
};
use atoll_test::npm_registry::Package;
use atoll_vfs::{
    Access, AccessMode, Errno, FileKind, FinalLink, GuestPath, HostDir, Layer, LayerError, LayerPath, LayerResult,
    MountTable, NewFile, OpenOptions, Overlay, Quota, Time, without_waiting,
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::support::Scene;

/// More than any file here has.
const NO_LIMIT: u64 = 1 << 20;

/// A project in which everything occurs that a layout can have.
pub(crate) fn rich() -> Scene {
    let scene = Scene::new(
        r#"{"dependencies":{"a":"1","@s/d":"3","c":"1","@s/e":"1","holder":"1","alias":"npm:real@1","cycle-a":"3",
            "cycle-b":"3","start":"1"}}"#,
    );
    let publish = |package: &Package| scene.registry.publish(package);
    publish(
        &Package::new("a", "1.0.0")
            .dependency("c", "2")
            .dependency("@s/e", "2")
            .file("index.js", "module.exports = require('./lib/x');")
            // Names that sort before and after the slash.
            .file("lib-a.js", "1")
            .file("lib.js", "2")
            .file("lib/x.js", "3")
            .file("lib/deep/er/y.js", "4")
            .file("lib0", "5")
            .file("empty", "")
            .file("ü/with space.js", "6")
            .executable("run", "#!/bin/sh\n")
            // What it brings along: in the way of a package that was resolved, beside one, and on its own.
            .file("node_modules/c/c.js", "stray")
            .file("node_modules/c/more.js", "stray")
            .file("node_modules/@s/own/f.js", "its own")
            .file("node_modules/own/lib/f.js", "its own"),
    );
    publish(&Package::new("c", "1.0.0").file("c.js", "#!/usr/bin/env node\r\nfirst\r\n").bin("c-run", "c.js"));
    publish(&Package::new("c", "2.0.0").file("c.js", "2").file("bin/c.js", "#!/bin/sh\n").bin("c-run", "./bin/c.js"));
    publish(&Package::new("@s/d", "3.0.0").dependency("c", "2").file("d.js", "d").bin("d-run", "missing.js"));
    publish(&Package::new("@s/e", "1.0.0").file("e.js", "1"));
    publish(&Package::new("@s/e", "2.0.0").file("e.js", "2").bin("e", "e.js"));
    publish(&Package::new("real", "1.0.0").file("x.js", "#!/bin/sh\r\n").bin("real", "x.js"));
    publish(
        &Package::new("holder", "1.0.0")
            .dependency("inner", "*")
            .field("bundleDependencies", ["inner"].into())
            .file("node_modules/inner/package.json", r#"{"name":"inner","version":"9.9.9"}"#)
            .file("node_modules/inner/node_modules/deepest/index.js", "bundled"),
    );
    for (name, version, dependency) in [
        ("cycle-a", "1.0.0", ("cycle-b", "1")),
        ("cycle-a", "2.0.0", ("cycle-b", "2")),
        ("cycle-b", "1.0.0", ("cycle-a", "2")),
        ("cycle-b", "2.0.0", ("cycle-a", "1")),
        ("start", "1.0.0", ("cycle-a", "1")),
    ] {
        publish(&Package::new(name, version).dependency(dependency.0, dependency.1).file("x.js", version));
    }
    publish(&Package::new("cycle-a", "3.0.0"));
    publish(&Package::new("cycle-b", "3.0.0"));
    scene
}

/// The packages that were found to be damaged.
type Damaged = Arc<Mutex<Vec<String>>>;

fn open(scene: &Scene) -> (VirtualTree, Damaged) {
    let damaged = Damaged::default();
    let told = Arc::clone(&damaged);
    let [store, cache, state] = ["store", "cache", "state"].map(|name| scene.home().join(name));
    let user = UserDirs { store: &store, cache: &cache, state: &state };
    let tell = move |package: &str| told.lock().unwrap().push(package.to_owned());
    let tree = VirtualTree::of_project(&scene.dir(), &user, tell).unwrap();
    (tree.expect("a virtual installation"), damaged)
}

async fn install_virtually(scene: &Scene) {
    scene.install_with(|options| options.linker = Some(Linker::Virtual)).await.unwrap();
}

/// The same lockfile, on the disk and not: the directory, moved aside, and the layer.
async fn both(scene: &Scene) -> (HostDir, VirtualTree) {
    scene.install_with(|options| options.linker = Some(Linker::Hoisted)).await.unwrap();
    let linked = scene.home().join("linked");
    fs::rename(scene.path("node_modules"), &linked).unwrap();
    for description in [".package-lock.json", ".atoll-state"] {
        fs::remove_file(linked.join(description)).unwrap();
    }
    let lock = scene.read("package-lock.json");
    install_virtually(scene).await;
    assert_eq!(scene.read("package-lock.json"), lock);
    (HostDir::read_only(linked).unwrap(), open(scene).0)
}

fn at(path: &str) -> LayerPath<'_> {
    LayerPath::new(path.as_bytes()).expect("a plain path")
}

/// Everything in a layer: a file with its content and whether it can be executed, a link with its text.
fn walk(layer: &dyn Layer) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in layer.read_dir(at(&folder)).unwrap() {
            let name = String::from_utf8(entry.name).unwrap();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let metadata = layer.metadata(at(&path), FinalLink::Keep).unwrap();
            assert_eq!(metadata.kind(), entry.kind, "{path}");
            let shown = match entry.kind {
                FileKind::Directory => {
                    folders.push(path.clone());
                    "directory".to_owned()
                }
                FileKind::Symlink => format!("-> {}", String::from_utf8(layer.read_link(at(&path)).unwrap()).unwrap()),
                _ => {
                    let content = layer.read(at(&path), NO_LIMIT).unwrap();
                    assert_eq!(content.len() as u64, metadata.size, "{path}");
                    format!("{:o} {}", metadata.mode & 0o111, String::from_utf8(content).unwrap())
                }
            };
            assert!(found.insert(path.clone(), shown).is_none(), "{path} is listed twice");
        }
    }
    found
}

#[tokio::test]
async fn the_tree_is_the_one_that_the_hoisted_linker_writes() {
    let scene = rich();
    let (linked, tree) = both(&scene).await;
    let expected = walk(&linked);
    assert_eq!(walk(&tree), expected);
    // That it has what it was made to have.
    assert_eq!(expected["a/node_modules/c/c.js"], "0 2");
    assert_eq!(expected["a/node_modules/own/lib/f.js"], "0 its own");
    assert_eq!(expected["a/node_modules/@s/own/f.js"], "0 its own");
    assert_eq!(expected["a/node_modules/@s/e/e.js"], "111 2");
    assert_eq!(expected["c/c.js"], "111 #!/usr/bin/env node\nfirst\r\n");
    assert_eq!(expected[".bin/c-run"], "-> ../c/c.js");
    assert!(expected.values().any(|shown| shown.starts_with("-> ../../")), "a link among packages");
    assert!(!expected.contains_key("a/node_modules/c/more.js"));
    let on_disk: Vec<_> =
        fs::read_dir(scene.path("node_modules")).unwrap().map(|name| name.unwrap().file_name()).collect();
    assert_eq!(on_disk, [".atoll-state"], "nothing of a package is on the disk");
}

/// What all calls answer about a path. Numbers that differ between any two filesystems are left out.
fn answers(layer: &dyn Layer, path: LayerPath<'_>) -> Vec<String> {
    fn shown<T: std::fmt::Debug>(call: &str, result: LayerResult<T>) -> String {
        match result {
            Ok(value) => format!("{call}: {value:?}"),
            Err(LayerError::Errno(errno)) => format!("{call}: {}", errno.name()),
            Err(LayerError::Leaves) => format!("{call}: leads out"),
        }
    }
    let mut answers = Vec::new();
    for last in [FinalLink::Follow, FinalLink::Keep] {
        let metadata = layer.metadata(path, last);
        answers.push(shown("stat", metadata.map(|found| (found.kind(), found.is_file().then_some(found.size)))));
        for directory in [false, true] {
            let options = OpenOptions { directory, final_link: last, ..OpenOptions::READ };
            answers.push(shown("open", layer.open_described(path, &options).map(|(_, found)| found.kind())));
        }
        let time = Time { seconds: 0, nanoseconds: 0 };
        answers.push(shown("utimes", layer.set_times(path, last, time, time)));
    }
    let plain = layer.metadata_plain(path).map(|found| found.kind());
    answers.push(shown("plain", plain));
    for create in [NewFile::Never, NewFile::IfMissing, NewFile::Always] {
        let options = OpenOptions { write: true, create, ..OpenOptions::READ };
        answers.push(shown("write", layer.open(path, &options).map(drop)));
    }
    for (read, write, execute) in
        [(false, false, false), (true, false, false), (false, true, false), (false, false, true)]
    {
        answers.push(shown("access", layer.access(path, AccessMode { read, write, execute })));
    }
    answers.push(shown("read", layer.read(path, NO_LIMIT)));
    answers.push(shown("short", layer.read(path, 0)));
    let names = layer.read_dir(path).map(|listing| {
        let mut names: Vec<_> = listing.into_iter().map(|entry| (entry.name, entry.kind)).collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        names
    });
    answers.push(shown("scandir", names));
    answers.push(shown("readlink", layer.read_link(path)));
    answers.push(shown("realpath", layer.canonicalize(path)));
    answers.push(shown("mkdir", layer.create_dir(path, 0o755)));
    answers.push(shown("rmdir", layer.remove_dir(path)));
    answers.push(shown("unlink", layer.remove_file(path)));
    answers.push(shown("rename", layer.rename(path, at("x"))));
    answers.push(shown("chmod", layer.set_permissions(path, 0o644)));
    answers
}

/// Paths along the tree: one of its own, some names of which are replaced, left out or added.
fn paths(known: Vec<String>) -> impl Strategy<Value = String> {
    let names: Vec<String> = {
        let mut names: Vec<_> = known.iter().flat_map(|path| path.split('/').map(str::to_owned)).collect();
        names.extend(["no".to_owned(), "x".repeat(255), "x".repeat(256), "node_modules".to_owned(), ".bin".to_owned()]);
        names.sort_unstable();
        names.dedup();
        names
    };
    let name = prop::sample::select(names);
    let change = prop::option::weighted(0.5, (any::<prop::sample::Index>(), 0..3_u8, name.clone()));
    (prop::sample::select(known), change, prop::collection::vec(name, 0..3)).prop_map(|(path, change, more)| {
        let mut names: Vec<&str> = path.split('/').collect();
        if let Some((place, kind, name)) = &change {
            let place = place.index(names.len());
            match kind {
                0 => names[place] = name,
                1 => names.truncate(place.max(1)),
                _ => names.insert(place, name),
            }
        }
        names.extend(more.iter().map(String::as_str));
        names.join("/")
    })
}

#[tokio::test]
async fn calls_answer_as_on_the_disk() {
    let scene = rich();
    let (linked, tree) = both(&scene).await;
    let mut known: Vec<String> = walk(&linked).into_keys().collect();
    // A link that must not be followed for two reasons is refused for either.
    let without_links = |layer: &dyn Layer, path: LayerPath<'_>| -> Vec<String> {
        let answers = answers(layer, path.without_links());
        answers.into_iter().map(|answer| answer.replace(": ELOOP", ": leads out")).collect()
    };
    for path in known.iter().map(|path| at(path)) {
        assert_eq!(answers(&tree, path), answers(&linked, path), "{path:?}");
        assert_eq!(without_links(&tree, path), without_links(&linked, path), "{path:?}");
    }
    assert_eq!(answers(&tree, LayerPath::ROOT)[..8], answers(&linked, LayerPath::ROOT)[..8]);
    known.push("a".to_owned());
    let mut runner = TestRunner::new(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&paths(known), |path| {
        let path = at(&path);
        prop_assert_eq!(answers(&tree, path), answers(&linked, path), "{:?}", path);
        prop_assert_eq!(without_links(&tree, path), without_links(&linked, path), "{:?}", path);
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn paths_of_guests_are_resolved_in_the_mounted_tree() {
    let scene = rich();
    let (linked, tree) = both(&scene).await;
    let link = walk(&tree).into_iter().find(|(_, shown)| shown.starts_with("-> ../../")).expect("a link").0;
    let table = |layer: Arc<dyn Layer>| {
        MountTable::builder().mount_shared("/app/node_modules", layer, Access::ReadOnly).unwrap().build().unwrap()
    };
    let (linked, tree) = (table(Arc::new(linked)), table(Arc::new(tree)));
    for path in [
        ".bin/c-run",
        ".bin/c-run/",
        ".bin/../c/c.js",
        ".bin/c-run/../c.js",
        ".bin/missing",
        ".bin/d-run",
        "a/node_modules/.bin/c-run",
        "a/node_modules/../index.js",
        "a/index.js/",
        "a/index.js/.",
        "a/index.js/..",
        "a/../../../app/node_modules/a/lib/x.js",
        "a/lib/",
        "a/lib/deep/../x.js",
        "../..",
        "../../etc/passwd",
        &link,
        &format!("{link}/x.js"),
        &format!("{link}/../x.js"),
    ] {
        let guest = GuestPath::new(format!("/app/node_modules/{path}")).unwrap();
        let ask = |table: &MountTable| {
            let metadata = table.metadata(&guest).map(|found| found.kind());
            let real = table.canonicalize(&guest).map(|real| real.to_string());
            (metadata, real, table.read(&guest, NO_LIMIT), table.read_link(&guest))
        };
        assert_eq!(ask(&tree), ask(&linked), "{path}");
    }
}

#[tokio::test]
async fn every_file_has_a_number_of_its_own_that_stays() {
    let scene = rich();
    install_virtually(&scene).await;
    let (tree, _) = open(&scene);
    let (again, _) = open(&scene);
    let mut numbers = BTreeMap::new();
    for path in walk(&tree).into_keys().chain([String::new()]) {
        let one = tree.metadata(at(&path), FinalLink::Keep).unwrap();
        let other = again.metadata(at(&path), FinalLink::Keep).unwrap();
        assert_eq!(one.ino, other.ino, "{path}");
        assert!(one.ino < 1 << 51, "an overlay keeps it");
        assert_ne!(one.dev, other.dev, "another tree is another device");
        assert_eq!((one.modified.seconds, one.nlink), (499_162_500, 1));
        assert_eq!(numbers.insert(one.ino, path.clone()), None, "{path}");
    }
}

/// System calls that read, of this thread so far.
fn reads() -> usize {
    let io = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn once_an_index_is_in_memory_nothing_but_content_is_read() {
    let scene = rich();
    let (linked, tree) = both(&scene).await;
    let paths: Vec<String> = walk(&tree).into_keys().collect();
    // Asking how many there were takes some itself, always as many.
    let first = reads();
    let cost = reads() - first;
    let file = tree.open(at("a/lib/x.js"), &OpenOptions::READ).unwrap();
    let before = reads();
    let mut buffer = [0; 100];
    assert_eq!(file.read_at(&mut buffer, 0), Ok(1));
    assert_eq!(reads() - before - cost, 1, "one call for a read");
    let before = reads();
    tree.read(at("a/lib/x.js"), NO_LIMIT).unwrap();
    assert_eq!(reads() - before - cost, 1, "one call for the whole of a file");
    let before = reads();
    tree.read(at("c/c.js"), NO_LIMIT).unwrap();
    assert_eq!(reads() - before - cost, 2, "one more where a byte is left out");

    // With the store away no call can have gone to it.
    fs::rename(scene.home().join("store"), scene.home().join("away")).unwrap();
    let before = reads();
    for path in &paths {
        let metadata = without_waiting(|| tree.metadata(at(path), FinalLink::Keep)).expect("no wait").unwrap();
        if metadata.is_dir() {
            tree.read_dir(at(path)).unwrap();
        }
        tree.access(at(path), AccessMode::default()).map_or_else(
            |error| assert_eq!(linked.access(at(path), AccessMode::default()), Err(error), "{path}"),
            drop,
        );
    }
    assert_eq!(reads() - before - cost, 0);
    assert_eq!(file.read_at(&mut buffer, 0), Ok(1), "an open file stays open");
    assert_eq!(tree.read(at("a/lib/x.js"), NO_LIMIT), Err(Errno::EIO.into()));
}

#[tokio::test]
async fn who_must_not_wait_is_told_before_an_index_is_read() {
    let scene = rich();
    install_virtually(&scene).await;
    let (tree, damaged) = open(&scene);
    assert!(
        without_waiting(|| tree.metadata(at("a"), FinalLink::Keep)).is_some(),
        "the lockfile says that it is there"
    );
    assert!(without_waiting(|| tree.metadata(at("a/lib"), FinalLink::Keep)).is_none());
    assert!(without_waiting(|| tree.metadata(at("a/missing"), FinalLink::Keep)).is_none());
    tree.metadata(at("a/lib"), FinalLink::Keep).unwrap();
    assert!(without_waiting(|| tree.metadata(at("a/lib"), FinalLink::Keep)).is_some());
    assert_eq!(*damaged.lock().unwrap(), [""; 0]);
}

/// The pack in the store that has this content, and where in it that is.
fn stored(store: &Path, content: &str) -> (std::path::PathBuf, usize) {
    let mut folders = vec![store.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if let Some(offset) = bytes.windows(content.len()).position(|window| window == content.as_bytes()) {
                return (path, offset);
            }
        }
    }
    panic!("no file of the store has this content");
}

#[tokio::test]
async fn what_was_changed_in_the_store_is_an_error_and_fetched_again() {
    let whole = "module.exports = require('./lib/x');";
    let put = |path: &Path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let shorten = |path: &Path| put(path, b"short");
    let replace = |path: &Path| put(path, &vec![0; fs::metadata(path).unwrap().len() as usize]);
    let link = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    for damage in [&shorten as &dyn Fn(&Path), &replace, &link, &remove] {
        let scene = rich();
        install_virtually(&scene).await;
        let (tree, damaged) = open(&scene);
        assert_eq!(tree.read(at("a/index.js"), NO_LIMIT).unwrap(), whole.as_bytes());
        damage(&stored(&scene.home().join("store"), whole).0);
        for _ in 0..2 {
            assert_eq!(tree.read(at("a/index.js"), NO_LIMIT), Err(Errno::EIO.into()));
        }
        assert_eq!(*damaged.lock().unwrap(), ["a@1.0.0"], "told once");
        assert_eq!(tree.read(at("@s/d/d.js"), NO_LIMIT).unwrap(), b"d", "others are not concerned");
        scene.registry.forget_requests();
        let summary = scene.install().await.unwrap();
        assert_eq!(summary.downloaded, 1);
        let (tree, _) = open(&scene);
        assert_eq!(tree.read(at("a/index.js"), NO_LIMIT).unwrap(), whole.as_bytes());
    }
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_is_open_is_an_error() {
    let scene = rich();
    install_virtually(&scene).await;
    let (tree, _) = open(&scene);
    let file = tree.open(at("a/index.js"), &OpenOptions::READ).unwrap();
    let (path, offset) = stored(&scene.home().join("store"), "module.exports = require('./lib/x');");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(offset as u64 + 3).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(file.read_at(&mut buffer, 0), Err(Errno::EIO));
    assert_eq!(file.read_at(&mut buffer[..2], 0), Ok(2));
    assert_eq!(file.read_at(&mut buffer, 36), Ok(0));
    assert_eq!(file.read_at(&mut buffer, u64::MAX), Ok(0));
}

#[tokio::test]
async fn tools_can_write_into_an_overlay_of_it() {
    let scene = rich();
    install_virtually(&scene).await;
    let (tree, _) = open(&scene);
    let tree: Arc<dyn Layer> = Arc::new(tree);
    let before = walk(&*tree);
    let overlay = Overlay::new(Arc::clone(&tree), Quota::DEFAULT).unwrap();
    assert_eq!(walk(&overlay), before);
    let put = |path: &str, text: &str| {
        let file = overlay.open(at(path), &OpenOptions::REPLACE).unwrap();
        assert_eq!(file.write_at(text.as_bytes(), 0), Ok(text.len()));
    };
    overlay.create_dir(at(".cache"), 0o755).unwrap();
    put(".cache/entry", "cached");
    put("a/lib/x.js", "patched");
    put("a/lib/new.js", "new");
    let append = OpenOptions { write: true, append: true, ..OpenOptions::READ };
    let file = overlay.open(at("c/c.js"), &append).unwrap();
    file.write_at(b"more", 0).unwrap();
    overlay.rename(at("a/lib/deep"), at("a/deep")).unwrap();
    overlay.remove_file(at(".bin/c-run")).unwrap();
    overlay.remove_tree(at("holder")).unwrap();
    let mut expected = before.clone();
    expected.retain(|path, _| {
        !path.starts_with("a/lib/deep") && path != ".bin/c-run" && path != "holder" && !path.starts_with("holder/")
    });
    for (path, shown) in [
        (".cache", "directory"),
        (".cache/entry", "0 cached"),
        ("a/lib/x.js", "0 patched"),
        ("a/lib/new.js", "0 new"),
        ("c/c.js", "111 #!/usr/bin/env node\nfirst\r\nmore"),
        ("a/deep", "directory"),
        ("a/deep/er", "directory"),
        ("a/deep/er/y.js", "0 4"),
    ] {
        expected.insert(path.to_owned(), shown.to_owned());
    }
    assert_eq!(walk(&overlay), expected);
    assert_eq!(walk(&*tree), before);
}
