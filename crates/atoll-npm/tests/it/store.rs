//! The store between installations: what it believes, what it fetches again. Below it: both forms of its entries, what is
//! collected, and processes that are killed or share it.

mod collect;
mod packs;
mod processes;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use atoll_npm::{
    extract::extract,
    integrity::Integrity,
    store::{Form, MachineKey, Store},
};
use atoll_test::npm_registry::{Package, sha512_integrity};
use tempfile::TempDir;

use crate::support::Scene;

/// The store in a folder, with the key that is there.
fn open(folder: &Path) -> Store {
    let key = MachineKey::open(&folder.join("state")).unwrap();
    Store::open(&folder.join("store"), key).unwrap()
}

/// A store of its own for a test.
fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    (folder, store)
}

/// Stores a package in one form, as a fetch does.
fn put(store: &Store, form: Form, package: &Package) -> Integrity {
    let tarball = package.tarball();
    let integrity = Integrity::parse(&sha512_integrity(&tarball)).unwrap();
    let mut staged = store.stage(form).unwrap();
    extract(&mut tarball.as_slice(), &mut staged).unwrap();
    store.publish(staged, &integrity).unwrap();
    integrity
}

/// A package with files of several kinds.
fn sample(name: &str) -> Package {
    Package::new(name, "1.0.0")
        .file("index.js", format!("export default '{name}';"))
        .file("lib/deep/empty", "")
        .file("lib/data", "0123456789".repeat(20))
        .executable("bin/run", "#!/bin/sh\n")
}

/// The packs and the unpacked entries in a folder's store.
fn entries_in(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut all = Vec::new();
    for shard in fs::read_dir(folder.join("store/v1")).unwrap().flatten() {
        if shard.file_name() != "stage" {
            all.extend(fs::read_dir(shard.path()).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all.sort();
    all.into_iter().partition(|path| path.extension().is_some_and(|extension| extension == "pack"))
}

/// Makes an entry look as if it had been used last this long ago.
fn age(entry: &Path, age: Duration) {
    let marked = if entry.is_dir() { entry.join("index") } else { entry.to_path_buf() };
    fs::File::open(marked).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

fn leftovers(folder: &Path) -> usize {
    fs::read_dir(folder.join("store/v1/stage")).unwrap().count()
}

fn scene() -> Scene {
    let scene = Scene::new(r#"{"dependencies":{"a":"*","b":"*"}}"#);
    scene
        .registry
        .publish(&Package::new("a", "1.0.0").file("index.js", "original").executable("run.sh", "#!/bin/sh\n"));
    scene.registry.publish(&Package::new("b", "1.0.0").file("deep/er/b.js", "b"));
    scene
}

/// The folders of all entries.
fn entries(scene: &Scene) -> Vec<PathBuf> {
    entries_in(scene.home()).1
}

/// Installs into a project without `node_modules`; number of tarballs that had to be downloaded.
async fn downloads_of_a_fresh_project(scene: &Scene) -> usize {
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let summary = scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/index.js"), "original");
    assert_eq!(scene.read("node_modules/b/deep/er/b.js"), "b");
    summary.downloaded
}

#[tokio::test]
async fn what_is_stored_is_not_fetched_again() {
    let scene = scene();
    scene.install().await.unwrap();
    assert_eq!((scene.store_entries(), scene.store_leftovers()), (2, 0));
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 0);
}

#[tokio::test]
async fn a_change_through_a_hard_link_is_noticed() {
    let scene = scene();
    scene.install().await.unwrap();
    // Same size: only the time tells.
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(scene.path("node_modules/a/index.js"), "modified").unwrap();
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 1);
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 0);
}

#[tokio::test]
async fn damaged_entries_are_replaced() {
    type Damage = fn(PathBuf);
    let damages: [(&str, Damage); 5] = [
        ("a file is gone", |entry| {
            fs::remove_file(entry.join("0")).unwrap();
        }),
        ("the index is gone", |entry| fs::remove_file(entry.join("index")).unwrap()),
        ("the index is cut", |entry| {
            let index = fs::read(entry.join("index")).unwrap();
            fs::write(entry.join("index"), &index[..index.len() - 1]).unwrap();
        }),
        ("the index has another byte", |entry| {
            let mut index = fs::read(entry.join("index")).unwrap();
            *index.last_mut().unwrap() ^= 1;
            fs::write(entry.join("index"), index).unwrap();
        }),
        ("the entry is a file", |entry| {
            fs::remove_dir_all(&entry).unwrap();
            fs::write(entry, "").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let scene = scene();
        scene.install().await.unwrap();
        for entry in entries(&scene) {
            damage(entry);
        }
        assert_eq!(downloads_of_a_fresh_project(&scene).await, 2, "{name}");
        assert_eq!(downloads_of_a_fresh_project(&scene).await, 0, "{name}");
        assert_eq!(scene.store_leftovers(), 0, "{name}");
    }
}

#[tokio::test]
async fn an_index_does_not_vouch_for_another_entry() {
    let scene = scene();
    scene.install().await.unwrap();
    let [one, other] = &entries(&scene)[..] else { panic!("two entries") };
    let swap = scene.home().join("swap");
    for (from, to) in [(one, &swap), (other, one), (&swap, other)] {
        fs::rename(from, to).unwrap();
    }
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 2);
}

#[tokio::test]
async fn a_store_from_another_machine_is_not_believed() {
    let scene = scene();
    scene.install().await.unwrap();
    fs::remove_dir_all(scene.home().join("state")).unwrap();
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 2);
}

#[tokio::test]
async fn store_and_cache_may_vanish_at_any_time() {
    let scene = scene();
    scene.install().await.unwrap();
    for folder in ["store", "cache", "state"] {
        fs::remove_dir_all(scene.home().join(folder)).unwrap();
    }
    assert!(scene.install().await.unwrap().up_to_date, "what is linked stays linked");
    assert_eq!(downloads_of_a_fresh_project(&scene).await, 2);
}

#[test]
fn of_many_that_store_the_same_one_wins_and_nothing_is_left() {
    for form in [Form::Packed, Form::Unpacked] {
        let (folder, _) = new_store();
        let package = sample("x");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let store = open(folder.path());
                        let integrity = put(&store, form, &package);
                        if let Some(found) = store.package(&integrity) {
                            assert_eq!((found.form(), found.files().len()), (form, 5));
                        }
                        store.evict(&integrity).unwrap();
                    }
                });
            }
        });
        assert_eq!(leftovers(folder.path()), 0);
    }
}
