//! What takes mounts of its own to try: each case runs this program again in a mount namespace, where nothing it mounts
//! is seen by anybody else. Machines that let nobody make one skip them.

use crate::support::{NO_LIMIT, at, fails};
use atoll_vfs::{Confinement, Errno, FinalLink, HostDir, HostDirError, Layer, LayerError, OpenOptions};
use std::path::Path;
use std::process::Command;

/// Set for the program that runs in the namespace.
const MARK: &str = "ATOLL_TEST_NAMESPACE";

/// Runs a test of this module in a mount namespace, as the superuser of the machine or of a user namespace.
fn within(test: &str) {
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount", "--pid", "--fork"]];
    let works = |way: &&&[&str]| {
        let script = "d=$(mktemp -d) && mount -t tmpfs tmpfs $d && mkdir $d/p && mount -t proc proc $d/p && umount -R $d; \
                      r=$?; rmdir $d; exit $r";
        Command::new("unshare").args(**way).args(["sh", "-c", script]).output().is_ok_and(|out| out.status.success())
    };
    let Some(way) = ways.iter().find(works) else { return };
    let program = std::env::current_exe().unwrap();
    let run = Command::new("unshare")
        .args(*way)
        .arg(program)
        .args(["--exact", &format!("namespace::{test}"), "--ignored", "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

fn is_within() -> bool {
    std::env::var_os(MARK).is_some()
}

fn mount(arguments: &[&str], place: &Path) {
    std::fs::create_dir_all(place).unwrap();
    assert!(Command::new("mount").args(arguments).arg(place).status().unwrap().success(), "{arguments:?}");
}

const BOTH: [Confinement; 2] = [Confinement::Beneath, Confinement::Walk];

#[test]
fn what_is_mounted_elsewhere_is_refused_by_its_type() {
    within("in_a_namespace_types_decide");
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn in_a_namespace_types_decide() {
    if !is_within() {
        return;
    }
    let host = tempfile::tempdir().unwrap();
    let place = |name: &str| host.path().join(name);
    mount(&["--rbind", "/dev"], &place("innocent"));
    mount(&["-t", "proc", "proc"], &place("a b/data"));
    for name in ["innocent", "a b/data", "a b/data/self"] {
        match HostDir::read_only(place(name)) {
            Err(HostDirError::OfKernel { .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    for path in [host.path(), &place("a b")] {
        match HostDir::read_only(path) {
            Err(HostDirError::Contains { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let error = HostDir::read_only(place("a b")).unwrap_err().to_string();
    let (outer, inner) = (place("a b"), place("a b/data"));
    assert_eq!(
        error,
        format!(
            "cannot mount {}: it has a filesystem of the kernel (proc) in it, at {}",
            outer.display(),
            inner.display()
        )
    );
    // A plain filesystem with a name like that is no such thing.
    mount(&["-t", "tmpfs", "tmpfs"], &place("proc"));
    assert!(HostDir::read_only(place("proc")).is_ok());
    for name in ["innocent", "a b/data", "proc"] {
        assert!(Command::new("umount").arg("--lazy").arg(place(name)).status().unwrap().success());
    }
}

#[test]
fn what_is_mounted_later_is_never_opened() {
    within("in_a_namespace_later_mounts_are_shut");
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn in_a_namespace_later_mounts_are_shut() {
    if !is_within() {
        return;
    }
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        let layer = HostDir::read_write(host.path()).unwrap().confined_by(confinement);
        let place = host.path().join("p");
        mount(&["-t", "tmpfs", "tmpfs"], &host.path().join("plain"));
        mount(&["-t", "proc", "proc"], &place);
        std::fs::write(host.path().join("plain/file"), "plain").unwrap();
        // Another filesystem with files is part of the directory.
        for _ in 0..2 {
            assert_eq!(layer.read(at("plain/file"), NO_LIMIT).unwrap(), b"plain");
            for path in
                ["p/version", "p/self/environ", "p/self/maps", "p/1/status", "p/sys/kernel/hostname", "p", "p/self"]
            {
                fails(layer.open(at(path), &OpenOptions::READ), Errno::EACCES);
                fails(layer.read(at(path), NO_LIMIT), Errno::EACCES);
            }
            fails(layer.open(at("p/sys/kernel/hostname"), &OpenOptions::REPLACE), Errno::EACCES);
            fails(layer.set_permissions(at("p/version"), 0o777), Errno::EACCES);
        }
        // The links of `/proc` that are no text but doors.
        let _open = std::fs::File::open(host.path().join("plain/file")).unwrap();
        for path in ["p/self/root", "p/self/cwd", "p/self/exe", "p/self/fd/0", "p/self/root/etc/passwd", "p/self/cwd/x"]
        {
            for result in [
                layer.open(at(path), &OpenOptions::READ).map(drop),
                layer.metadata(at(path), FinalLink::Follow).map(drop),
                layer.read_dir(at(path)).map(drop),
                layer.canonicalize(at(path)).map(drop),
            ] {
                // The kernel refuses to follow it; the walk reads its text and finds it to lead out.
                let shut = matches!(result, Err(LayerError::Errno(Errno::ELOOP) | LayerError::Leaves));
                assert!(shut, "{path} by {confinement:?}: {result:?}");
            }
        }
        for name in ["p", "plain"] {
            assert!(Command::new("umount").arg("--lazy").arg(host.path().join(name)).status().unwrap().success());
        }
    }
}

/// Devices cannot be made without privileges, and those of the host's `/dev` cannot be mounted.
#[test]
fn devices_of_the_host_are_never_opened() {
    within("in_a_namespace_devices_are_shut");
}

#[test]
#[ignore = "runs in a namespace of its own"]
fn in_a_namespace_devices_are_shut() {
    if !is_within() {
        return;
    }
    for confinement in BOTH {
        let host = tempfile::tempdir().unwrap();
        std::fs::write(host.path().join("null"), "").unwrap();
        let layer = HostDir::read_write(host.path()).unwrap().confined_by(confinement);
        // A bind mount of a device on a file, which works in user namespaces too.
        let device = host.path().join("null");
        assert!(Command::new("mount").args(["--bind", "/dev/null"]).arg(&device).status().unwrap().success());
        for options in [OpenOptions::READ, OpenOptions::REPLACE] {
            fails(layer.open(at("null"), &options), Errno::EACCES);
        }
        fails(layer.read(at("null"), NO_LIMIT), Errno::EACCES);
        let found = layer.metadata(at("null"), FinalLink::Follow).unwrap();
        assert_eq!(found.kind(), atoll_vfs::FileKind::CharDevice);
        assert!(Command::new("umount").arg("--lazy").arg(&device).status().unwrap().success());
    }
}
