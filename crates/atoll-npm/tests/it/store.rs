//! The store between installations: what it believes, what it fetches again.

use std::{fs, path::PathBuf};

use atoll_npm::{
    integrity::Integrity,
    store::{MachineKey, Store},
};
use atoll_test::npm_registry::{Package, sha512_integrity};

use crate::support::Scene;

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
    let mut found = Vec::new();
    for folder in fs::read_dir(scene.home().join("store/v1")).unwrap().flatten() {
        if folder.file_name() != "stage" {
            found.extend(fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
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
            let files = fs::read_dir(entry.join("package")).unwrap();
            fs::remove_file(files.flatten().find(|file| file.path().is_file()).unwrap().path()).unwrap();
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
    let folder = tempfile::tempdir().unwrap();
    let integrity = Integrity::parse(&sha512_integrity(b"x")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let key = MachineKey::open(&folder.path().join("state")).unwrap();
                    let store = Store::open(&folder.path().join("store"), key).unwrap();
                    let staged = store.stage().unwrap();
                    let file = staged.files_dir().join("x");
                    fs::write(&file, "x").unwrap();
                    let metadata = fs::metadata(&file).unwrap();
                    let modified = metadata.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
                    let files = vec![atoll_npm::store::IndexedFile {
                        path: "x".to_owned(),
                        bytes: 1,
                        executable: false,
                        modified_ns: i128::try_from(modified.as_nanos()).unwrap(),
                    }];
                    let entry = store.publish(staged, &integrity, files).unwrap();
                    assert_eq!(entry.files.len(), 1);
                    if let Some(entry) = store.get(&integrity) {
                        assert_eq!(entry.files[0].path, "x");
                    }
                    store.evict(&integrity).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(folder.path().join("store/v1/stage")).unwrap().count(), 0);
}
