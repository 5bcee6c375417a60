//! Both forms of an entry: what is believed of them, what one makes of the other, what is written.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use atoll_npm::{
    extract::extract,
    fetch::{Fetcher, Following, Wanted},
    integrity::Integrity,
    registry::RegistryClient,
    report::Silent,
    store::{self, Form, MachineKey, Problem, Store},
};
use atoll_test::npm_registry::{Entry, EntryKind, Package, sha512_integrity};
use proptest::prelude::*;

use super::{entries_in, leftovers, new_store, open, put, sample};
use crate::support::{Scene, noise, options};

/// Path to content and executable bit.
type Tree = BTreeMap<String, (Vec<u8>, bool)>;

/// What a reader of a package gets.
fn read_package(store: &Store, integrity: &Integrity, form: Form) -> Tree {
    let package = store.package(integrity).unwrap();
    assert_eq!(package.form(), form);
    let mut tree = Tree::new();
    for (index, file) in package.files().iter().enumerate() {
        let (opened, offset, length) = package.open(index).unwrap();
        let mut content = vec![0; usize::try_from(length).unwrap()];
        opened.read_exact_at(&mut content, offset).unwrap();
        tree.insert(file.path.clone(), (content, file.executable));
    }
    tree
}

/// What somebody who links gets.
fn read_unpacked(store: &Store, integrity: &Integrity) -> Tree {
    let entry = store.unpacked(integrity).unwrap().unwrap();
    let mut tree = Tree::new();
    for file in &entry.files {
        let stored = stored_file(&entry, &file.path);
        let mode = fs::metadata(&stored).unwrap().permissions().mode();
        tree.insert(file.path.clone(), (fs::read(stored).unwrap(), mode & 0o111 != 0));
    }
    assert_eq!(crate::support::snapshot(&entry.dir).len(), tree.len() + 1, "the files, and their index");
    tree
}

/// Where an unpacked entry has a file.
fn stored_file(entry: &store::Entry, path: &str) -> PathBuf {
    entry.dir.join(entry.files.iter().find(|file| file.path == path).unwrap().place_in_entry())
}

/// Removes one form of the only package, as a collection would.
fn remove(folder: &Path, form: Form) {
    let (packs, directories) = entries_in(folder);
    match form {
        Form::Packed => fs::remove_file(&packs[0]).unwrap(),
        Form::Unpacked => fs::remove_dir_all(&directories[0]).unwrap(),
    }
}

/// Writes a pack anew: its permissions let nobody do that, which is no obstacle to a disk.
fn overwrite(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

fn trees() -> impl Strategy<Value = Tree> {
    let path = "[a-c]{1,2}(/[a-c]{1,2}){0,3}";
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        (0..2_200_000_usize).prop_map(noise),
        (1..2000_usize).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::btree_map(path, (content, any::<bool>()), 0..12).prop_map(|tree| {
        // What is a file is no directory.
        let paths: Vec<String> = tree.keys().cloned().collect();
        let is_directory = |path: &str| paths.iter().any(|other| other.starts_with(&format!("{path}/")));
        tree.into_iter().filter(|(path, _)| !is_directory(path)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// From a tarball to either form, and from each to the other: always the same tree.
    #[test]
    fn packing_and_unpacking_gives_the_same_tree(tree in trees(), first in prop::sample::select(&[Form::Packed, Form::Unpacked][..])) {
        let mut package = Package::new("p", "1.0.0");
        for (path, (content, executable)) in &tree {
            package = if *executable { package.executable(path, content) } else { package.file(path, content) };
        }
        let mut expected = tree;
        let (folder, store) = new_store();
        let integrity = put(&store, first, &package);
        let manifest = read_package(&store, &integrity, first).remove("package.json").unwrap();
        expected.insert("package.json".to_owned(), manifest);
        prop_assert_eq!(&read_package(&store, &integrity, first), &expected);

        // There and back, twice; each time only the one that was just made is left.
        let mut form = first;
        for _ in 0..3 {
            let before = form;
            form = match before {
                Form::Packed => Form::Unpacked,
                Form::Unpacked => Form::Packed,
            };
            match form {
                Form::Packed => drop(store.packed(&integrity).unwrap().unwrap()),
                Form::Unpacked => drop(store.unpacked(&integrity).unwrap().unwrap()),
            }
            remove(folder.path(), before);
            prop_assert_eq!(&read_package(&store, &integrity, form), &expected);
            if form == Form::Unpacked {
                prop_assert_eq!(&read_unpacked(&store, &integrity), &expected);
            }
        }
        prop_assert_eq!(leftovers(folder.path()), 0);
        let verified = store.verify(false, &|_| {}).unwrap();
        prop_assert_eq!((verified.good, verified.bad.len(), verified.files), (1, 0, expected.len()));
    }
}

#[test]
fn a_flipped_byte_anywhere_in_a_pack_is_detected() {
    let (folder, store) = new_store();
    let integrity = put(&store, Form::Packed, &sample("a"));
    let path = entries_in(folder.path()).0.remove(0);
    let whole = fs::read(&path).unwrap();
    let contents: u64 = store.package(&integrity).unwrap().files().iter().map(|file| file.bytes).sum();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        overwrite(&path, &flipped);
        // The index and all that vouches for it are looked at by everybody, contents by whoever reads them all.
        assert_eq!(store.package(&integrity).is_some(), (at as u64) < contents, "byte {at}");
        let verified = store.verify(true, &|_| {}).unwrap();
        assert_eq!((verified.good, verified.bad.len()), (0, 1), "byte {at}");
        assert!(!verified.bad[0].removed && path.exists(), "a dry run removes nothing");
        assert!(store.unpacked(&integrity).unwrap().is_none(), "byte {at} went on to a project");
    }
    for end in 0..whole.len() {
        overwrite(&path, &whole[..end]);
        assert!(store.package(&integrity).is_none(), "cut at {end}");
    }
    overwrite(&path, &[&whole[..], b"x"].concat());
    assert!(store.package(&integrity).is_none());
    let verified = store.verify(false, &|_| {}).unwrap();
    assert!(verified.bad[0].removed && verified.bad[0].problem == Problem::NotBelieved, "{verified:?}");
    assert_eq!((entries_in(folder.path()).0.len(), leftovers(folder.path())), (0, 0));
}

#[test]
fn no_directory_of_the_store_has_many_files() {
    let (_folder, store) = new_store();
    let mut package = sample("many");
    for file in 0..300 {
        package = package.file(&format!("lib/{file}.js"), format!("content of {file}"));
    }
    let integrity = put(&store, Form::Unpacked, &package);
    let tree = read_unpacked(&store, &integrity);
    assert_eq!((tree.len(), &tree["lib/299.js"].0[..]), (305, &b"content of 299"[..]));
    let entry = store.get(&integrity).unwrap();
    let mut most = 0;
    let mut directories = vec![entry.dir.clone()];
    while let Some(directory) = directories.pop() {
        let (inner, files): (Vec<_>, Vec<_>) =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
        most = most.max(files.len());
        directories.extend(inner);
    }
    assert_eq!(most, 64 + 1, "the first ones, and the index");
    // And back, with every digest compared.
    assert!(store.packed(&integrity).unwrap().is_some());
    assert_eq!(read_package(&store, &integrity, Form::Packed), tree);
}

#[test]
fn verification_finds_what_a_look_cannot() {
    let (folder, store) = new_store();
    let good = put(&store, Form::Unpacked, &sample("good"));
    let bad = put(&store, Form::Unpacked, &sample("bad"));
    let entry = store.get(&bad).unwrap();
    let file = stored_file(&entry, "lib/data");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "9".repeat(200)).unwrap();
    fs::File::open(&file).unwrap().set_modified(modified).unwrap();
    assert!(store.get(&bad).is_some(), "size and time are as they were");

    let steps = std::sync::Mutex::new(Vec::new());
    let verified = store.verify(false, &|progress| steps.lock().unwrap().push(progress)).unwrap();
    assert_eq!((verified.good, verified.files), (1, 5));
    assert_eq!(verified.bad[0].problem, Problem::Content { path: "lib/data".to_owned() });
    assert!(verified.bad[0].removed);
    assert!(steps.into_inner().unwrap().iter().any(|progress| (progress.done, progress.total) == (2, 2)));
    assert!(store.get(&bad).is_none() && store.get(&good).is_some());
    assert_eq!(leftovers(folder.path()), 0);

    // A wrong byte does not go from one form to the other either.
    let again = put(&store, Form::Unpacked, &sample("bad"));
    let file = stored_file(&store.get(&again).unwrap(), "lib/data");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "8".repeat(200)).unwrap();
    fs::File::open(&file).unwrap().set_modified(modified).unwrap();
    assert!(store.packed(&again).unwrap().is_none() && store.get(&again).is_none());
}

#[test]
fn a_copied_store_is_not_believed_with_another_key() {
    for form in [Form::Packed, Form::Unpacked] {
        let (folder, store) = new_store();
        let integrity = put(&store, form, &sample("a"));
        assert!(open(folder.path()).package(&integrity).is_some());
        let elsewhere = MachineKey::open(&folder.path().join("elsewhere")).unwrap();
        let copied = Store::open(&folder.path().join("store"), elsewhere).unwrap();
        assert!(copied.package(&integrity).is_none() && copied.index(&integrity).is_none());
        assert!(copied.get(&integrity).is_none() && copied.unpacked(&integrity).unwrap().is_none());
        assert!(copied.packed(&integrity).unwrap().is_none());
        let status = copied.status().unwrap();
        assert_eq!((status.packed, status.unpacked, status.unbelieved), (0, 0, 1));
        // What is stored anew takes its place.
        put(&copied, form, &sample("a"));
        assert!(copied.package(&integrity).is_some() && store.package(&integrity).is_none());
    }
}

#[test]
fn a_pack_does_not_vouch_for_another_name() {
    let (folder, store) = new_store();
    let (a, b) = (put(&store, Form::Packed, &sample("a")), put(&store, Form::Packed, &sample("b")));
    let [one, other] = &entries_in(folder.path()).0[..] else { panic!("two packs") };
    fs::rename(one, folder.path().join("swap")).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(folder.path().join("swap"), other).unwrap();
    assert!(store.package(&a).is_none() && store.package(&b).is_none());
    assert_eq!(store.verify(true, &|_| {}).unwrap().bad.len(), 2);
}

#[test]
fn readers_share_a_descriptor_and_notice_another_pack() {
    let (folder, store) = new_store();
    let integrity = put(&store, Form::Packed, &sample("a"));
    let package = store.package(&integrity).unwrap();
    let (one, other) = (package.open(0).unwrap().0, package.open(1).unwrap().0);
    assert!(Arc::ptr_eq(&one, &other));
    // A descriptor outlives the name.
    store.evict(&integrity).unwrap();
    assert!(package.open(2).is_ok());
    drop((one, other));
    assert_eq!(package.open(2).unwrap_err().kind(), std::io::ErrorKind::NotFound);

    put(&store, Form::Packed, &sample("a"));
    assert!(package.open(2).is_ok(), "the same package stored again is the same pack");
    let path = entries_in(folder.path()).0.remove(0);
    let mut other = fs::read(&path).unwrap();
    let proof = other.len() - 20;
    other[proof] ^= 1;
    overwrite(&path, &other);
    assert_eq!(package.open(2).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn of_a_path_that_is_in_a_tarball_twice_the_last_counts() {
    let twice = |content: &str| Entry {
        path: b"package/twice".to_vec(),
        kind: EntryKind::File,
        mode: 0o644,
        data: content.as_bytes().to_vec(),
    };
    let package = sample("a").entry(twice("first, and longer")).file("between", "b").entry(twice("last"));
    for form in [Form::Packed, Form::Unpacked] {
        let (_folder, store) = new_store();
        let integrity = put(&store, form, &package);
        let tree = read_package(&store, &integrity, form);
        assert_eq!(tree["twice"].0, b"last");
        assert_eq!(read_unpacked(&store, &integrity), tree);
        assert_eq!(store.verify(true, &|_| {}).unwrap().bad, []);
    }
}

/// What this thread has written so far: bytes and calls.
fn written() -> (u64, u64) {
    let text = fs::read_to_string("/proc/thread-self/io").unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap();
    (field("wchar:"), field("syscw:"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_pack_is_written_once_in_large_pieces() {
    for (bytes, calls) in [(0, 1), (100_000, 1), (5 << 20, 6)] {
        let (folder, store) = new_store();
        let tarball = sample("a").file("large", noise(bytes)).tarball();
        let integrity = Integrity::parse(&sha512_integrity(&tarball)).unwrap();
        let before = written();
        let mut staged = store.stage(Form::Packed).unwrap();
        extract(&mut tarball.as_slice(), &mut staged).unwrap();
        store.publish(staged, &integrity).unwrap();
        let after = written();
        let length = fs::metadata(&entries_in(folder.path()).0[0]).unwrap().len();
        assert_eq!((after.0 - before.0, after.1 - before.1), (length, calls), "{bytes}");
    }
}

/// Brings packages in, in one form; number of them that were downloaded.
pub(super) async fn fetch(home: &Path, registry: &str, packages: &[(&str, Package)], form: Form) -> usize {
    let store = open(home);
    let options = options(home, home, registry, "");
    let key = MachineKey::open(&options.state_dir).unwrap();
    let (cache, network) = (&options.cache_dir, &options.network);
    let client = RegistryClient::new(options.npmrc, cache, key, network, false, &options.waits).unwrap();
    let fetcher = Fetcher::new(&client, &store, form, &Silent);
    let wanted = packages.iter().map(|(name, package)| Wanted {
        package: (*name).to_owned(),
        url: format!("{registry}/{name}/-/{name}-1.0.0.tgz"),
        integrity: Integrity::parse(&sha512_integrity(&package.tarball())).unwrap(),
        bytes: 0,
    });
    fetcher.fetch_all(wanted.collect(), &mut Following::default()).await.unwrap();
    fetcher.stored()
}

#[tokio::test]
async fn one_download_serves_both_forms() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*","b":"*"}}"#);
    let packages = ["a", "b"].map(|name| (name, sample(name)));
    for (_, package) in &packages {
        scene.registry.publish(package);
    }
    assert_eq!(fetch(scene.home(), &scene.registry.url(), &packages, Form::Packed).await, 2);
    let (packs, directories) = entries_in(scene.home());
    assert_eq!((packs.len(), directories.len()), (2, 0), "nothing is unpacked before somebody links");

    assert_eq!(scene.install().await.unwrap().downloaded, 0);
    assert_eq!(scene.read("node_modules/b/index.js"), "export default 'b';");
    assert_eq!(scene.registry.count("/-/"), 2);
    let (packs, directories) = entries_in(scene.home());
    assert_eq!((packs.len(), directories.len()), (2, 2));

    // A damaged pack is no reason to fail, and no source either.
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    for (pack, directory) in packs.iter().zip(&directories) {
        let mut bytes = fs::read(pack).unwrap();
        bytes[0] ^= 1;
        overwrite(pack, &bytes);
        fs::remove_dir_all(directory).unwrap();
    }
    assert_eq!(scene.install().await.unwrap().downloaded, 2);
    assert_eq!(scene.store_leftovers(), 0);
}
