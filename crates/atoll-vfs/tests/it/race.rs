//! A host that swaps a directory for a link while a guest uses it.

use crate::support::{at, guest, put};
use atoll_vfs::{
    Access, AccessMode, Confinement, Errno, FinalLink, HostDir, Layer, LayerError, MountTable, OpenOptions, Overlay,
    Owner, Quota, Time,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each way of confining is attacked.
const ATTACK: Duration = Duration::from_millis(1500);

/// Exchanges two names. By three renames: doing it in one takes a call that the standard library lacks, and the attack
/// only has to hit some of the time.
fn exchange(one: &Path, other: &Path, spare: &Path) {
    std::fs::rename(one, spare).unwrap();
    std::fs::rename(other, one).unwrap();
    std::fs::rename(spare, other).unwrap();
}

/// Ends the attacker when the attack ends, by a failure too.
struct StopOnDrop<'s>(&'s AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `mount/folder/file` says "inside"; `outside/file` says "outside"; `mount/trap` is a link to `outside` that is
/// exchanged with `mount/folder` all the time. Nothing that the layer returns may come from outside.
fn attack(confinement: Confinement, target: &Path, host: &Path) {
    let mount = host.join("mount");
    let layer = Arc::new(HostDir::read_write(&mount).unwrap().confined_by(confinement));
    let shared: Arc<dyn Layer> = Arc::<HostDir>::clone(&layer);
    let below = HostDir::read_only(&mount).unwrap().confined_by(confinement);
    let overlay = Overlay::new(Arc::new(below), Quota::DEFAULT).unwrap();
    let table = MountTable::builder()
        .mount_shared("/app", shared, Access::ReadOnly)
        .and_then(|table| table.mount("/over", overlay, Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    std::fs::create_dir(mount.join("folder")).unwrap();
    put(&*layer, "folder/file", b"inside");
    layer.symlink(target.as_os_str().as_encoded_bytes(), at("trap")).unwrap();
    let outside_inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(host.join("outside/file")).unwrap());

    let stop = AtomicBool::new(false);
    let (mut inside, mut refused, mut created) = (0_u32, 0_u32, 0_u32);
    std::thread::scope(|scope| {
        let _stopping = StopOnDrop(&stop);
        scope.spawn(|| {
            let (folder, trap, spare) = (mount.join("folder"), mount.join("trap"), mount.join("spare"));
            while !stop.load(Ordering::Relaxed) {
                exchange(&folder, &trap, &spare);
            }
        });
        let started = Instant::now();
        while started.elapsed() < ATTACK {
            match layer.read(at("folder/file"), 100) {
                Ok(content) => {
                    assert_eq!(content, b"inside");
                    inside += 1;
                }
                Err(LayerError::Leaves | LayerError::Errno(Errno::ENOENT | Errno::EAGAIN)) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
            // The same through the mount table, which resolves in the guest's tree what leaves the layer.
            for path in ["/app/folder/file", "/app/folder/../folder/file", "/app/trap/file", "/over/folder/file"] {
                if let Ok(content) = table.read(&guest(path), 100) {
                    assert_eq!(content, b"inside", "{path}");
                }
                if let Ok(real) = table.canonicalize(&guest(path)) {
                    assert!(real.as_bytes().starts_with(b"/app/") || real.as_bytes().starts_with(b"/over/"), "{real}");
                }
                if let Ok(metadata) = table.metadata(&guest(path)) {
                    assert_ne!(metadata.ino, outside_inode, "{path}");
                }
            }
            if let Ok(names) = table.read_dir(&guest("/over/folder")) {
                assert!(names.iter().all(|(name, _)| name != b"only-outside"));
            }
            // What is written over it is copied from inside, or not at all.
            let append = OpenOptions { append: true, ..OpenOptions::READ };
            if let Ok(file) = table.open(&guest("/over/folder/file"), &append) {
                let mut content = [0; 16];
                let count = file.read_at(&mut content, 0).unwrap();
                assert_eq!(&content[..count], b"inside");
            }
            let _ = table.remove_file(&guest("/over/folder/only-outside")).map(|()| panic!("seen from inside"));
            if let Ok(metadata) = layer.metadata(at("folder/file"), FinalLink::Follow) {
                assert_ne!(metadata.ino, outside_inode);
            }
            if let Ok(names) = layer.read_dir(at("folder")) {
                assert!(names.iter().all(|(name, _)| name != b"only-outside"));
            }
            if let Ok(path) = layer.canonicalize(at("folder/file")) {
                assert!(matches!(path.as_slice(), b"folder/file" | b"trap/file" | b"spare/file"), "{path:?}");
            }
            if layer.open(at("folder/new"), &OpenOptions::REPLACE).is_ok() {
                created += 1;
            }
            let _ = layer.create_dir(at("folder/new-folder"), 0o755);
            let _ = layer.rename(at("folder/new"), at("folder/newer"));
            let _ = layer.remove_file(at("folder/only-outside"));
            let _ = layer.set_permissions(at("folder/file"), 0o640);
            let _ = layer.set_times(at("folder/file"), FinalLink::Follow, Time::default(), Time::default());
            let _ = layer.set_times(at("folder/file"), FinalLink::Keep, Time::default(), Time::default());
            let _ = layer.hard_link(at("folder/file"), at("folder/linked"));
            let _ = layer.hard_link(at("folder/only-outside"), at("stolen")).map(|()| panic!("seen from inside"));
            let _ = layer.rename(at("folder/only-outside"), at("stolen")).map(|()| panic!("seen from inside"));
            let _ = layer.symlink(b"x", at("folder/new-link"));
            let _ = layer.read_link(at("folder/new-link"));
            let _ = layer.remove_dir(at("folder/new-folder"));
            let _ = layer.set_owner(at("folder/file"), FinalLink::Follow, Owner::default());
            let truncate = OpenOptions { write: true, truncate: true, ..OpenOptions::READ };
            let _ = layer.open(at("folder/only-outside"), &truncate).map(|_| panic!("seen from inside"));
            let _ = layer.access(at("folder/only-outside"), AccessMode::default()).map(|()| panic!("seen from inside"));
        }
    });
    assert!(
        inside > 0 && refused > 0 && created > 0,
        "the attack hit: {inside} inside, {refused} refused, {created} created"
    );
    let mut outside: Vec<_> = std::fs::read_dir(host.join("outside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    outside.sort();
    assert_eq!(outside, ["file", "only-outside"], "nothing was made or removed outside");
    let found = std::fs::metadata(host.join("outside/file")).unwrap();
    assert_ne!(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777, 0o640);
    assert_ne!(std::os::unix::fs::MetadataExt::mtime(&found), 0);
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&found), 1);
    assert_eq!(std::fs::read(host.join("outside/only-outside")).unwrap(), b"outside");
}

fn attacked(confinement: Confinement, target: impl Fn(&Path) -> std::path::PathBuf) {
    let host = tempfile::tempdir().unwrap();
    for folder in ["mount", "outside"] {
        std::fs::create_dir(host.path().join(folder)).unwrap();
    }
    for file in ["file", "only-outside"] {
        std::fs::write(host.path().join("outside").join(file), "outside").unwrap();
    }
    attack(confinement, &target(host.path()), host.path());
}

#[test]
fn openat2_holds_against_an_absolute_link() {
    attacked(Confinement::Beneath, |host| host.join("outside"));
}

#[test]
fn openat2_holds_against_a_relative_link() {
    attacked(Confinement::Beneath, |_| "../outside".into());
}

#[test]
fn the_walk_holds_against_an_absolute_link() {
    attacked(Confinement::Walk, |host| host.join("outside"));
}

#[test]
fn the_walk_holds_against_a_relative_link() {
    attacked(Confinement::Walk, |_| "../outside".into());
}

/// `mount/a/b/up` leads to `../../file`, which says "inside". A host that moves `mount/a` to `outside/deep/a` and back
/// makes the same climb end at `outside/file`, for whoever climbs through what he has open.
fn climbed(confinement: Confinement) {
    let host = tempfile::tempdir().unwrap();
    let (mount, outside) = (host.path().join("mount"), host.path().join("outside"));
    for folder in [mount.join("a/b"), outside.clone()] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(outside.join("file"), "outside").unwrap();
    let layer = HostDir::read_write(&mount).unwrap().confined_by(confinement);
    put(&layer, "file", b"inside");
    layer.symlink(b"../../file", at("a/b/up")).unwrap();
    let shared: Arc<dyn Layer> = Arc::new(HostDir::read_only(&mount).unwrap().confined_by(confinement));
    let table = MountTable::builder()
        .mount_shared("/app", shared, Access::ReadOnly)
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    let stop = AtomicBool::new(false);
    let (mut inside, mut refused) = (0_u32, 0_u32);
    std::thread::scope(|scope| {
        let _stopping = StopOnDrop(&stop);
        scope.spawn(|| {
            let (home, away) = (mount.join("a"), outside.join("a"));
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(&home, &away).unwrap();
                std::fs::rename(&away, &home).unwrap();
            }
        });
        let started = Instant::now();
        while started.elapsed() < ATTACK {
            let answers = [
                layer.read(at("a/b/up"), 100).ok(),
                table.read(&guest("/app/a/b/up"), 100).ok(),
                table.read(&guest("/app/a/b/../../file"), 100).ok(),
            ];
            for answer in answers {
                match answer {
                    Some(content) => {
                        assert_eq!(content, b"inside");
                        inside += 1;
                    }
                    None => refused += 1,
                }
            }
            if let Ok(path) = layer.canonicalize(at("a/b/up")) {
                assert_eq!(path, b"file");
            }
        }
    });
    assert!(inside > 0 && refused > 0, "the attack hit: {inside} inside, {refused} refused");
}

#[test]
fn openat2_climbs_no_higher_than_it_came() {
    climbed(Confinement::Beneath);
}

#[test]
fn the_walk_climbs_no_higher_than_it_came() {
    climbed(Confinement::Walk);
}

/// A kernel that sees a directory renamed, wherever that is, does not vouch for a `..` that it walked through meanwhile. Whoever
/// has nothing to do with those directories hears nothing of it.
#[test]
fn renames_elsewhere_are_not_to_be_noticed() {
    const PARENTS: usize = 200;
    let (host, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let layer = HostDir::read_write(host.path()).unwrap().confined_by(Confinement::Beneath);
    layer.create_dir(at("d"), 0o755).unwrap();
    put(&layer, "file", b"content");
    layer.symlink(format!("{}file", "d/../".repeat(PARENTS)).as_bytes(), at("link")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stopping = StopOnDrop(&stop);
        for name in ["one", "two"] {
            let (place, other) = (elsewhere.path().join(name), elsewhere.path().join(format!("{name}-renamed")));
            std::fs::create_dir(&place).unwrap();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::rename(&place, &other).unwrap();
                    std::fs::rename(&other, &place).unwrap();
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < ATTACK {
            assert!(layer.metadata(at("link"), FinalLink::Follow).unwrap().is_file());
        }
    });
}
