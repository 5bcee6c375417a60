//! Ways out that other sandboxes were left by, one test each. What the tests of resolution, of the mount table and of
//! races try is not repeated.

use crate::support::{at, guest, put};
use atoll_vfs::{
    Access, Confinement, Errno, FinalLink, FsError, HostDir, HostDirError, Layer, Memory, MountTable, NewFile,
    OpenOptions, Overlay, Owner, Quota, Time,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const BOTH: [Confinement; 2] = [Confinement::Beneath, Confinement::Walk];

/// `/ro` and `/rw`, by two mounts of one directory of the host, and `/over`, changes over the same.
fn rights(host: &Path, confinement: Confinement) -> MountTable {
    let read_only = || HostDir::read_only(host).unwrap().confined_by(confinement);
    let read_write = HostDir::read_write(host).unwrap().confined_by(confinement);
    let overlay = Overlay::new(Arc::new(read_only()), Quota::DEFAULT).unwrap();
    MountTable::builder()
        .mount("/ro", read_only(), Access::ReadOnly)
        .and_then(|table| table.mount("/rw", read_write, Access::ReadWrite))
        .and_then(|table| table.mount("/over", overlay, Access::ReadWrite))
        .and_then(|table| table.mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, FsError>, errno: Errno) {
    assert_eq!(result.unwrap_err().errno, errno);
}

/// A hard link, or a rename, from where one may only read to where one may write made read-only files writable.
#[test]
fn names_do_not_pass_from_a_mount_to_one_of_more_rights() {
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("file"), "read only").unwrap();
        std::fs::create_dir(host.path().join("folder")).unwrap();
        let table = rights(host.path(), confinement);
        table.symlink(b"/ro/file", &guest("/tmp/to-file")).unwrap();
        table.symlink(b"../ro", &guest("/tmp/to-ro")).unwrap();
        for from in ["/ro/file", "/ro/folder", "/tmp/to-ro/file", "/ro/../ro/file", "/rw/../ro/file"] {
            for to in ["/rw/stolen", "/over/stolen", "/tmp/stolen", "/ro/stolen", "/tmp/to-ro/stolen"] {
                refused(table.hard_link(&guest(from), &guest(to)), Errno::EROFS);
                refused(table.rename(&guest(from), &guest(to)), Errno::EROFS);
            }
        }
        // Between mounts that may both be written, although they are one directory.
        for (from, to) in [("/rw/file", "/over/stolen"), ("/over/file", "/rw/stolen"), ("/over/file", "/tmp/stolen")] {
            refused(table.hard_link(&guest(from), &guest(to)), Errno::EXDEV);
            refused(table.rename(&guest(from), &guest(to)), Errno::EXDEV);
        }
        refused(table.rename(&guest("/rw/file"), &guest("/ro/stolen")), Errno::EROFS);
        // A link to what may only be read can be linked; what it leads to stays what it is.
        table.hard_link(&guest("/tmp/to-file"), &guest("/tmp/second")).unwrap();
        refused(table.write(&guest("/tmp/second"), b"x"), Errno::EROFS);
        assert_eq!(std::fs::read(host.path().join("file")).unwrap(), b"read only");
        assert_eq!(std::fs::read_dir(host.path()).unwrap().count(), 2);
    }
}

/// What is written over a read-only directory stays in memory.
#[test]
fn an_overlay_never_writes_through() {
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("file"), "read only").unwrap();
        let table = rights(host.path(), confinement);
        table.write(&guest("/over/file"), b"changed").unwrap();
        table.write(&guest("/over/new"), b"new").unwrap();
        table.set_permissions(&guest("/over/file"), 0o777).unwrap();
        table.rename(&guest("/over/file"), &guest("/over/moved")).unwrap();
        assert_eq!(table.read(&guest("/over/moved"), 100).unwrap(), b"changed");
        assert_eq!(table.read(&guest("/ro/file"), 100).unwrap(), b"read only");
        assert_eq!(std::fs::read_dir(host.path()).unwrap().count(), 1);
    }
}

/// `futimes` and its siblings changed files through descriptors that were opened for reading.
#[test]
fn descriptors_of_a_read_only_mount_change_nothing() {
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("file"), "read only").unwrap();
        let before = std::fs::metadata(host.path().join("file")).unwrap();
        let table = rights(host.path(), confinement);
        for path in ["/ro/file", "/ro"] {
            let file = table.open(&guest(path), &OpenOptions::READ).unwrap();
            refused(file.set_times(Time::default(), Time::default()), Errno::EROFS);
            refused(file.set_permissions(0o777), Errno::EROFS);
            refused(file.set_owner(Owner { uid: Some(1), gid: Some(1) }), Errno::EROFS);
            refused(file.truncate(0), Errno::EINVAL);
            refused(file.write(b"x"), Errno::EBADF);
            refused(file.write_at(b"x", 0), Errno::EBADF);
        }
        for options in [
            OpenOptions { truncate: true, ..OpenOptions::READ },
            OpenOptions { create: NewFile::IfMissing, ..OpenOptions::READ },
            OpenOptions { append: true, ..OpenOptions::READ },
            OpenOptions { write: true, ..OpenOptions::READ },
        ] {
            refused(table.open(&guest("/ro/file"), &options), Errno::EROFS);
        }
        let after = std::fs::metadata(host.path().join("file")).unwrap();
        assert_eq!(
            (after.modified().unwrap(), after.permissions()),
            (before.modified().unwrap(), before.permissions())
        );
    }
}

/// A guest is no user of the host, whoever runs it.
#[test]
fn owners_of_the_host_stay_as_they_are() {
    use std::os::unix::fs::MetadataExt;
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("file", host.path().join("link")).unwrap();
        let table = rights(host.path(), confinement);
        let found = std::fs::metadata(host.path().join("file")).unwrap();
        let other = Owner { uid: Some(found.uid() + 1), gid: None };
        for path in ["/rw/file", "/rw/link", "/rw"] {
            refused(table.set_owner(&guest(path), FinalLink::Follow, other), Errno::EPERM);
            refused(table.set_owner(&guest(path), FinalLink::Keep, other), Errno::EPERM);
            refused(table.open(&guest(path), &OpenOptions::READ).unwrap().set_owner(other), Errno::EPERM);
            refused(
                table.set_owner(&guest(path), FinalLink::Follow, Owner { uid: None, gid: Some(found.gid() + 1) }),
                Errno::EPERM,
            );
        }
        refused(table.set_owner(&guest("/ro/file"), FinalLink::Follow, Owner::default()), Errno::EROFS);
        assert_eq!(std::fs::metadata(host.path().join("file")).unwrap().uid(), found.uid());
        // Over it, owners are the guest's own business.
        table.set_owner(&guest("/over/file"), FinalLink::Follow, other).unwrap();
        assert_eq!(table.metadata(&guest("/over/file")).unwrap().uid, found.uid() + 1);
    }
}

/// A dangling link and `O_CREAT` made files outside.
#[test]
fn nothing_is_made_through_a_link_that_leads_out() {
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        for folder in ["mount", "outside"] {
            std::fs::create_dir(host.path().join(folder)).unwrap();
        }
        let outside = host.path().join("outside");
        let absolute = outside.join("new");
        let layer = HostDir::read_write(host.path().join("mount")).unwrap().confined_by(confinement);
        layer.symlink(absolute.as_os_str().as_encoded_bytes(), at("absolute")).unwrap();
        layer.symlink(b"../outside/new", at("relative")).unwrap();
        layer.symlink(b"../outside", at("folder")).unwrap();
        layer.symlink(b"relative", at("chain")).unwrap();
        let table = MountTable::builder()
            .mount("/m", layer, Access::ReadWrite)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        for path in ["/m/absolute", "/m/relative", "/m/chain", "/m/folder/new"] {
            let path = guest(path);
            for create in [NewFile::IfMissing, NewFile::Always] {
                let opened = table.open(&path, &OpenOptions { create, ..OpenOptions::REPLACE });
                assert!(matches!(opened.unwrap_err().errno, Errno::ENOENT | Errno::EROFS | Errno::EEXIST), "{path}");
            }
        }
        for result in [
            table.create_dir(&guest("/m/folder/new"), 0o755),
            table.symlink(b"x", &guest("/m/folder/new")),
            table.rename(&guest("/m/chain"), &guest("/m/folder/new")),
            table.hard_link(&guest("/m/chain"), &guest("/m/folder/new")),
        ] {
            assert!(matches!(result.unwrap_err().errno, Errno::ENOENT | Errno::EROFS));
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }
}

/// The doors of `/proc` gave the environment, the memory and the whole tree of the host.
#[test]
fn paths_of_proc_sys_and_dev_are_nothing_to_a_guest() {
    let host = tempfile::tempdir().unwrap();
    for confinement in BOTH {
        let table = rights(host.path(), confinement);
        for path in [
            "/proc",
            "/proc/self/environ",
            "/proc/self/mem",
            "/proc/self/maps",
            "/proc/self/root/etc/passwd",
            "/proc/self/cwd/Cargo.toml",
            "/proc/self/exe",
            "/proc/self/fd/0",
            "/proc/self/fd/3",
            "/proc/self/task/1/root",
            "/proc/thread-self/environ",
            "/proc/1/environ",
            "/proc/../proc/self/environ",
            "/tmp/../proc/self/environ",
            "/ro/../../proc/self/environ",
            "/sys/kernel/notes",
            "/dev/mem",
            "/dev/fd/0",
            "/dev/stdin",
            "/etc/passwd",
            "//proc//self//environ",
        ] {
            let path = guest(path);
            refused(table.read(&path, 100), Errno::ENOENT);
            refused(table.metadata(&path), Errno::ENOENT);
            refused(table.canonicalize(&path), Errno::ENOENT);
            refused(table.read_dir(&path), Errno::ENOENT);
            refused(table.read_link(&path), Errno::ENOENT);
            refused(table.open(&path, &OpenOptions::READ), Errno::ENOENT);
        }
    }
}

/// `realpath` told what exists outside.
#[test]
fn resolving_says_nothing_of_the_host() {
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir(host.path().join("mount")).unwrap();
        std::fs::write(host.path().join("exists"), "").unwrap();
        let layer = HostDir::read_write(host.path().join("mount")).unwrap().confined_by(confinement);
        let path_of = |name: &str| host.path().join(name).into_os_string().into_encoded_bytes();
        for (name, target) in [
            ("there", path_of("exists")),
            ("missing", path_of("missing")),
            ("there-relative", b"../exists".to_vec()),
            ("missing-relative", b"../missing".to_vec()),
            ("inside", path_of("mount")),
        ] {
            layer.symlink(&target, at(name)).unwrap();
        }
        let table = MountTable::builder()
            .mount("/m", layer, Access::ReadOnly)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        let answers =
            ["there", "missing", "there-relative", "missing-relative", "inside", "there/x", "missing/x"].map(|name| {
                let path = guest(&format!("/m/{name}"));
                (table.canonicalize(&path).unwrap_err().errno, table.metadata(&path).unwrap_err().errno)
            });
        assert!(answers.iter().all(|answer| *answer == (Errno::ENOENT, Errno::ENOENT)), "{answers:?}");
    }
}

/// Checking whether a file exists before making it let two have made it.
#[test]
fn exclusive_creation_has_one_winner() {
    let host = tempfile::tempdir().unwrap();
    for confinement in BOTH {
        let table = rights(host.path(), confinement);
        for folder in ["/rw", "/over", "/tmp"] {
            for round in 0..50 {
                let path = guest(&format!("{folder}/lock-{confinement:?}-{round}-{}", &folder[1..]));
                let winners = AtomicU32::new(0);
                std::thread::scope(|scope| {
                    for _ in 0..4 {
                        scope.spawn(|| {
                            match table.open(&path, &OpenOptions { create: NewFile::Always, ..OpenOptions::REPLACE }) {
                                Ok(_) => drop(winners.fetch_add(1, Ordering::Relaxed)),
                                Err(error) => assert_eq!(error.errno, Errno::EEXIST),
                            }
                        });
                    }
                });
                assert_eq!(winners.into_inner(), 1, "{path}");
            }
        }
    }
}

/// Renaming in two steps let others see neither file.
#[test]
fn a_name_that_is_replaced_is_always_there() {
    let host = tempfile::tempdir().unwrap();
    let table = rights(host.path(), Confinement::Beneath);
    for folder in ["/rw", "/over", "/tmp"] {
        let (name, next) = (guest(&format!("{folder}/name")), guest(&format!("{folder}/next")));
        table.write(&name, b"first").unwrap();
        std::thread::scope(|scope| {
            let replacing = scope.spawn(|| {
                for _ in 0..500 {
                    table.write(&next, b"other").unwrap();
                    table.rename(&next, &name).unwrap();
                }
            });
            while !replacing.is_finished() {
                let content = table.read(&name, 100).unwrap();
                assert!(content == b"first" || content == b"other", "{content:?}");
            }
        });
    }
}

/// Files made for a guest get no bits by which whoever runs them becomes somebody else.
#[test]
fn no_file_becomes_set_user_id() {
    use std::os::unix::fs::PermissionsExt;
    let host = tempfile::tempdir().unwrap();
    for confinement in BOTH {
        let table = rights(host.path(), confinement);
        let path = guest("/rw/file");
        let options = OpenOptions { mode: 0o7777, ..OpenOptions::REPLACE };
        table.open(&path, &options).unwrap().set_permissions(0o7777).unwrap();
        table.set_permissions(&path, 0o7777).unwrap();
        table.create_dir(&guest("/rw/folder"), 0o7777).unwrap();
        table.set_permissions(&guest("/rw/folder"), 0o7777).unwrap();
        for name in ["file", "folder"] {
            let mode = std::fs::metadata(host.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7000, 0, "{name}");
        }
        table.remove_file(&path).unwrap();
        table.remove_dir(&guest("/rw/folder")).unwrap();
    }
}

/// Every call gives back what it opened, whether it succeeds or fails.
#[test]
fn a_hundred_thousand_calls_leave_no_descriptor_open() {
    const ROUNDS: usize = 100_000 / 20;
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        let below = HostDir::read_write(host.path()).unwrap();
        below.create_dir(at("d"), 0o755).unwrap();
        put(&below, "d/file", b"text");
        for (name, target) in [("link", "d/file"), ("loop", "loop"), ("out", "/etc"), ("up", "../..")] {
            below.symlink(target.as_bytes(), at(name)).unwrap();
        }
        let table = rights(host.path(), confinement);
        let before = count();
        for round in 0..ROUNDS / 2 {
            let folder = if round % 2 == 0 { "/rw" } else { "/over" };
            let path = |name: &str| guest(&format!("{folder}/{name}"));
            let _ = table.read(&path("d/file"), 100);
            let _ = table.read(&path("link"), 1);
            let _ = table.read(&path("d"), 1);
            let _ = table.metadata(&path("loop"));
            let _ = table.metadata(&path("out/passwd"));
            let _ = table.symlink_metadata(&path("d/../link"));
            let _ = table.read_dir(&path("d"));
            let _ = table.read_dir(&path("d/file"));
            let _ = table.read_link(&path("link"));
            let _ = table.canonicalize(&path("up/x"));
            let _ = table.canonicalize(&path("link"));
            let _ = table.access(&path("d/file"), atoll_vfs::AccessMode { read: true, ..Default::default() });
            let _ = table.write(&path("d/new"), b"new");
            let _ = table.hard_link(&path("d/new"), &path("d/second"));
            let _ = table.rename(&path("d/new"), &path("d/newer"));
            let _ = table.set_permissions(&path("d/newer"), 0o600);
            let _ = table.set_times(&path("link"), FinalLink::Follow, Time::default(), Time::default());
            let _ = table.statistics(&path("d"));
            let _ = table.remove_file(&path("d/newer"));
            let _ = table.remove_file(&path("d/second"));
        }
        let after = count();
        // Other tests of this process open and close descriptors meanwhile; a leak would be some thousand.
        assert!(after < before + 200, "{before} descriptors before, {after} after");
    }
}

/// Which filesystem it is decides, not what the path is called.
#[test]
fn filesystems_of_the_kernel_cannot_be_mounted() {
    for path in ["/proc", "/proc/self", "/proc/self/fd", "/proc/1/root/proc", "/sys", "/sys/kernel", "/dev", "/dev/pts"]
    {
        if !Path::new(path).is_dir() {
            continue;
        }
        for opened in [HostDir::read_only(path), HostDir::read_write(path)] {
            match opened {
                Err(HostDirError::OfKernel { .. }) => {}
                other => panic!("{path}: {other:?}"),
            }
        }
    }
    let error = HostDir::read_only("/proc/self").unwrap_err().to_string();
    assert_eq!(error, "cannot mount /proc/self: it is on a filesystem of the kernel (proc), not one with files");
    let host = tempfile::tempdir().unwrap();
    let link = host.path().join("innocent");
    std::os::unix::fs::symlink("/proc", &link).unwrap();
    assert!(matches!(HostDir::read_only(&link), Err(HostDirError::OfKernel { filesystem: "proc", .. })));
    match HostDir::read_only("/") {
        Err(HostDirError::Contains { inside, .. }) => assert!(inside.starts_with("/")),
        other => panic!("the root has a /proc in it: {other:?}"),
    }
}
