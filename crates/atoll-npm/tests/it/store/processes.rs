//! Processes that share a store: killed, racing, out of space, or not allowed to write.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use atoll_npm::{
    extract::extract,
    integrity::Integrity,
    store::{CollectOptions, Form},
};
use atoll_test::npm_registry::{NpmRegistry, Package, sha512_integrity};

use super::{age, entries_in, leftovers, new_store, open, packs, put, sample};
use crate::support::{Mounted, in_namespace, noise};

/// Times that a process is killed.
const KILLS: u32 = 12;
/// Packages that a child stores.
const PACKAGES: usize = 30;

fn package(index: usize) -> Package {
    sample(&format!("p{index}")).file("noise", noise(2_000 * index))
}

fn integrity(package: &Package) -> Integrity {
    Integrity::parse(&sha512_integrity(&package.tarball())).unwrap()
}

/// Starts a test of this module in a process of its own.
fn spawn(test: &str, folder: &Path) -> Child {
    command(test, folder).spawn().unwrap()
}

fn command(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", &format!("store::processes::{test}"), "--ignored", "--quiet"])
        .env("TEST_STORE", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn folder() -> String {
    env::var("TEST_STORE").expect("set by the parent")
}

/// Not a test by itself: packs everything, then unpacks it.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_packs_and_unpacks() {
    let store = open(Path::new(&folder()));
    for index in 0..PACKAGES {
        put(&store, Form::Packed, &package(index));
    }
    for index in 0..PACKAGES {
        store.unpacked(&integrity(&package(index))).unwrap().unwrap();
    }
}

/// Not a test by itself: does everything that can be done to a store, at random.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_does_anything() {
    let folder = folder();
    let folder = Path::new(&folder);
    let store = open(folder);
    let choices = noise(800);
    for pair in choices.chunks(2) {
        let package = package(usize::from(pair[0]) % 6);
        let integrity = integrity(&package);
        // Every process goes its own way through the choices.
        match (u32::from(pair[1]) + std::process::id()) % 8 {
            0 => drop(put(&store, Form::Packed, &package)),
            1 => drop(put(&store, Form::Unpacked, &package)),
            2 => drop(store.packed(&integrity).unwrap()),
            3 => drop(store.unpacked(&integrity).unwrap()),
            4 => store.evict(&integrity).unwrap(),
            5 => {
                let (packs, directories) = entries_in(folder);
                for entry in packs.iter().chain(&directories) {
                    if let Ok(file) = fs::File::open(if entry.is_dir() { entry.join("index") } else { entry.clone() }) {
                        let _ = file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1000));
                    }
                }
                store.collect(&CollectOptions::default()).unwrap();
            }
            6 => assert_eq!(bad_contents(&store.verify(false, &|_| {}).unwrap()), 0),
            _ => {
                if let Some(found) = store.package(&integrity) {
                    assert_eq!(found.files().len(), 6);
                }
            }
        }
    }
}

/// Entries with wrong bytes. One that is evicted while it is read lacks files, which is not wrong here.
fn bad_contents(verified: &atoll_npm::store::Verified) -> usize {
    let is_wrong = |problem: &atoll_npm::store::Problem| matches!(problem, atoll_npm::store::Problem::Content { .. });
    verified.bad.iter().filter(|bad| is_wrong(&bad.problem)).count()
}

#[test]
fn a_process_that_is_killed_while_it_packs() {
    let (folder, _) = new_store();
    let started = Instant::now();
    assert!(spawn("child_packs_and_unpacks", folder.path()).wait().unwrap().success());
    let whole = started.elapsed();
    let (mut killed, mut halfway) = (0, 0);
    for point in 0..KILLS {
        fs::remove_dir_all(folder.path().join("store")).unwrap();
        let mut child = spawn("child_packs_and_unpacks", folder.path());
        thread::sleep(whole.mul_f64(f64::from(point) / f64::from(KILLS)));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());

        let store = open(folder.path());
        let (packs, directories) = entries_in(folder.path());
        halfway += u32::from((1..PACKAGES * 2).contains(&(packs.len() + directories.len())));
        // Whatever has a name is whole.
        let verified = store.verify(true, &|_| {}).unwrap();
        assert_eq!((verified.bad, verified.good), (Vec::new(), packs.len() + directories.len()), "at {point}");
        // What is left of the rest goes when it is old.
        for left in fs::read_dir(folder.path().join("store/v1/stage")).unwrap() {
            let left = fs::File::open(left.unwrap().path()).unwrap();
            left.set_modified(std::time::SystemTime::now() - Duration::from_hours(25)).unwrap();
        }
        assert!(spawn("child_packs_and_unpacks", folder.path()).wait().unwrap().success());
        let verified = store.verify(true, &|_| {}).unwrap();
        assert_eq!((verified.bad.len(), verified.good, leftovers(folder.path())), (0, PACKAGES * 2, 0), "at {point}");
    }
    assert!(killed > KILLS / 4 && halfway > 0, "{killed} of {KILLS} were killed, {halfway} in the middle");
}

#[test]
fn processes_that_do_anything_at_once() {
    let (folder, store) = new_store();
    let children: Vec<Child> = (0..4).map(|_| spawn("child_does_anything", folder.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(store.verify(true, &|_| {}).unwrap().bad, []);
    assert_eq!(leftovers(folder.path()), 0);
}

/// What this process has written so far, in bytes; what goes through sockets is not counted.
fn written() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("wchar:")).unwrap().trim().parse().unwrap()
}

/// Packages that do not compress, so that their bytes stand out from what a client says.
fn fetched() -> Vec<(&'static str, Package)> {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    names.map(|name| (name, sample(name).file("noise", noise(100_000)))).into()
}

/// Not a test by itself: a cold virtual installation, alone in its process so that what is written can be counted.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_counts() {
    let folder = folder();
    let folder = Path::new(&folder);
    let registry = env::var("TEST_REGISTRY").expect("set by the parent");
    let (store, packages) = (open(folder), fetched());
    let before = written();
    assert_eq!(packs::fetch(folder, &registry, &packages, Form::Packed).await, packages.len());
    let after = written();
    let (packs, directories) = entries_in(folder);
    let stored: u64 = packs.iter().map(|pack| fs::metadata(pack).unwrap().len()).sum();
    assert_eq!((packs.len(), directories.len()), (packages.len(), 0));
    // Beside packs there are requests, and what wakes threads.
    let slack = 1000 * packages.len() as u64;
    let written = after - before;
    assert!((stored..stored + slack).contains(&written), "{written} bytes were written, {stored} are stored");
    assert_eq!(store.status().unwrap().packed_bytes, stored);
}

#[cfg(target_os = "linux")]
#[test]
fn a_cold_virtual_installation_writes_every_byte_once() {
    let (folder, _) = new_store();
    let registry = NpmRegistry::start();
    for (_, package) in fetched() {
        registry.publish(&package);
    }
    let mut child = command("child_counts", folder.path());
    assert!(child.env("TEST_REGISTRY", registry.url()).status().unwrap().success());
}

/// Not a test by itself.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_uses_a_read_only_store() {
    let folder = folder();
    let _read_only = Mounted::read_only(Path::new(&folder));
    let store = open(Path::new(&folder));
    let both = [integrity(&package(0)), integrity(&package(1))];
    for integrity in &both {
        let found = store.package(integrity).unwrap();
        assert!((0..found.files().len()).all(|index| found.open(index).is_ok()));
    }
    assert!(store.get(&both[1]).is_some() && store.unpacked(&both[1]).unwrap().is_some());
    assert_eq!(store.status().unwrap().packed, 1);
    assert_eq!(store.verify(true, &|_| {}).unwrap().good, 2);
    // What takes writing says so.
    let errors = [
        store.unpacked(&both[0]).unwrap_err(),
        store.stage(Form::Packed).unwrap_err(),
        store.evict(&both[0]).unwrap_err(),
        store.collect(&CollectOptions::default()).unwrap_err(),
        store.register(Path::new("/"), &both).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.source.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_store_is_good_for_what_it_has() {
    let (folder, store) = new_store();
    put(&store, Form::Packed, &package(0));
    put(&store, Form::Unpacked, &package(1));
    let (packs, directories) = entries_in(folder.path());
    for entry in packs.iter().chain(&directories) {
        age(entry, Duration::from_hours(100));
    }
    in_namespace("store::processes::child_uses_a_read_only_store", &[("TEST_STORE", folder.path())]);
    assert_eq!(store.verify(true, &|_| {}).unwrap().good, 2);
}

/// Not a test by itself.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_fills_a_disk() {
    let folder = folder();
    let folder = Path::new(&folder);
    let _small = Mounted::new(&["-t", "tmpfs", "-o", "size=2m", "none"], folder);
    let store = open(folder);
    let large = sample("large").file("noise", noise(3 << 20));
    for form in [Form::Packed, Form::Unpacked] {
        let small = put(&store, form, &sample("small"));
        let tarball = large.tarball();
        let mut staged = store.stage(form).unwrap();
        let error = match extract(&mut tarball.as_slice(), &mut staged) {
            Ok(()) => store.publish(staged, &integrity(&large)).unwrap_err().to_string(),
            Err(error) => {
                drop(staged);
                error.to_string()
            }
        };
        assert!(error.contains("No space left"), "{error}");
        assert!(store.package(&integrity(&large)).is_none());
        assert!(store.package(&small).is_some());
        assert_eq!(leftovers(folder), 0, "what was written until then is removed");
        // There is room again.
        put(&store, form, &package(3));
        store.evict(&small).unwrap();
        store.evict(&integrity(&package(3))).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let (folder, _) = new_store();
    in_namespace("store::processes::child_fills_a_disk", &[("TEST_STORE", folder.path())]);
}
