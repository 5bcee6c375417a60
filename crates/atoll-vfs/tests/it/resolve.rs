//! Traps for path resolution, laid where the kernel's own tests of `openat2` lay theirs: links that are absolute, climb
//! too far, come back from above, go around several times, end in doors of `/proc`, or make chains and circles.
//!
//! A layer, whichever way it resolves, either answers from inside or says that the path leaves. The mount table then
//! gives what leaves the meaning that it has below the guest's own root.

use crate::support::{at, fails, get, guest, leaves, put};
use atoll_vfs::{
    Access, Confinement, Errno, FileKind, FinalLink, HostDir, Layer, LayerError, Memory, MountTable, OpenOptions,
    Overlay, Quota,
};
use std::sync::Arc;

/// Links, by what is to come of them in a layer and in a guest's tree whose root that layer is.
struct Trap {
    path: &'static str,
    target: &'static str,
    /// Whether it stays inside when the layer alone follows it.
    stays: bool,
    /// Where it leads in the guest's tree; nowhere if none.
    leads: Option<&'static str>,
}

const fn trap(path: &'static str, target: &'static str, stays: bool, leads: Option<&'static str>) -> Trap {
    Trap { path, target, stays, leads }
}

const FAR_UP: &str = "../../../../../../../../../../../../../../etc/passwd";

const TRAPS: &[Trap] = &[
    trap("to-etc", "etc/", true, Some("/etc")),
    trap("to-passwd", "etc/passwd", true, Some("/etc/passwd")),
    trap("abs-etc", "/etc/", false, Some("/etc")),
    trap("abs-passwd", "/etc/passwd", false, Some("/etc/passwd")),
    trap("abs-maze", "/maze", false, Some("/maze")),
    trap("abs-root", "/", false, Some("/")),
    trap("abs-new", "/new-file", false, None),
    trap("up", "..", false, Some("/")),
    trap("up-and-back", "../root/etc", false, None),
    trap("maze/abs-self", "/", false, Some("/")),
    trap("maze/self", "../maze", true, Some("/maze")),
    trap("maze/above", "../../root", false, None),
    trap("maze/abs-above", "/../../maze", false, Some("/maze")),
    trap("maze/around", "../maze/../maze/../etc/../etc/passwd", true, Some("/etc/passwd")),
    trap("maze/abs-around", "/../maze/../maze/../etc/../etc/passwd", false, Some("/etc/passwd")),
    trap("maze/far-up", FAR_UP, false, Some("/etc/passwd")),
    trap("maze/abs-far-up", "/../../../../../../../../../etc/passwd", false, Some("/etc/passwd")),
    trap("maze/through-self", "self/self/around", true, Some("/etc/passwd")),
    trap("maze/through-abs", "abs-self/etc/passwd", false, Some("/etc/passwd")),
    trap("maze/at-the-edge", "../", true, Some("/")),
    trap("maze/over-the-edge", "../..", false, Some("/")),
    trap("door-root", "/proc/self/root", false, None),
    trap("door-cwd", "/proc/self/cwd", false, None),
    trap("door-exe", "/proc/self/exe", false, None),
    trap("door-fd", "/proc/self/fd/0", false, None),
    trap("door-thread", "/proc/thread-self/root/etc/passwd", false, None),
];

/// Ways on from the traps, in a layer.
const PATHS: &[(&str, bool)] = &[
    ("to-etc/passwd", true),
    ("maze/self/self/around", true),
    ("maze/at-the-edge/etc/passwd", true),
    ("maze/at-the-edge/maze/at-the-edge/etc/passwd", true),
    ("abs-etc/passwd", false),
    ("abs-maze/around", false),
    ("maze/self/abs-self/etc/passwd", false),
    ("maze/over-the-edge/etc/passwd", false),
    ("maze/self/far-up", false),
    ("door-root/etc/passwd", false),
];

fn lay(layer: &dyn Layer) {
    for folder in ["etc", "maze"] {
        layer.create_dir(at(folder), 0o755).unwrap();
    }
    put(layer, "etc/passwd", b"the guest's");
    for trap in TRAPS {
        layer.symlink(trap.target.as_bytes(), at(trap.path)).unwrap();
    }
}

/// Runs `case` on the traps in each kind of layer.
fn in_each(case: impl Fn(Arc<dyn Layer>, &str)) {
    let memory = Memory::new(Quota::DEFAULT);
    lay(&memory);
    case(Arc::new(memory), "memory");
    for confinement in [Confinement::Beneath, Confinement::Walk] {
        let host = traps_on_host();
        let layer = HostDir::read_write(host.path().join("root")).unwrap().confined_by(confinement);
        case(Arc::new(layer), &format!("{confinement:?}"));
        let host = traps_on_host();
        let lower = HostDir::read_only(host.path().join("root")).unwrap().confined_by(confinement);
        case(Arc::new(Overlay::new(Arc::new(lower), Quota::DEFAULT).unwrap()), &format!("overlay on {confinement:?}"));
    }
}

/// The traps in `root`, and beside it what a layer that is fooled would find, with the names that lead back.
fn traps_on_host() -> tempfile::TempDir {
    let host = tempfile::tempdir().unwrap();
    for folder in ["root", "etc", "maze"] {
        std::fs::create_dir(host.path().join(folder)).unwrap();
    }
    std::fs::write(host.path().join("etc/passwd"), "the host's").unwrap();
    lay(&HostDir::read_write(host.path().join("root")).unwrap());
    host
}

#[test]
fn a_layer_stays_inside_or_says_that_it_leaves() {
    in_each(|layer, name| {
        let check = |path: &str, stays: bool| {
            let found = layer.metadata(at(path), FinalLink::Follow);
            let opened = layer.open(at(path), &OpenOptions::READ);
            if stays {
                assert!(found.is_ok() && opened.is_ok(), "{path} in {name}: {found:?} {opened:?}");
                if !found.unwrap().is_dir() {
                    assert_eq!(get(&*layer, path).unwrap(), b"the guest's", "{path} in {name}");
                }
            } else {
                assert_eq!(found.unwrap_err(), LayerError::Leaves, "{path} in {name}");
                leaves(opened);
                leaves(layer.read_dir(at(path)));
                leaves(layer.canonicalize(at(path)));
                leaves(layer.open(at(path), &OpenOptions::REPLACE));
            }
        };
        let traps = TRAPS.iter().map(|trap| (trap.path, trap.stays));
        for (path, stays) in traps.chain(PATHS.iter().copied()) {
            check(path, stays);
        }
        for trap in TRAPS {
            assert_eq!(layer.metadata(at(trap.path), FinalLink::Keep).unwrap().kind(), FileKind::Symlink);
            fails(
                layer.open(at(trap.path), &OpenOptions { final_link: FinalLink::Keep, ..OpenOptions::READ }),
                Errno::ELOOP,
            );
        }
    });
}

#[test]
fn what_leaves_a_layer_is_the_guests_own() {
    in_each(|layer, name| {
        let table = MountTable::builder()
            .mount_shared("/", layer, Access::ReadWrite)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        for trap in TRAPS {
            let path = guest(&format!("/{}", trap.path));
            let Some(real) = trap.leads else {
                assert_eq!(table.metadata(&path).unwrap_err().errno, Errno::ENOENT, "{path} in {name}");
                assert_eq!(table.read(&path, 100).unwrap_err().errno, Errno::ENOENT, "{path} in {name}");
                continue;
            };
            assert_eq!(table.canonicalize(&path).unwrap(), guest(real), "{path} in {name}");
            let found = table.metadata(&path).unwrap();
            assert_eq!(found.ino, table.metadata(&guest(real)).unwrap().ino, "{path} in {name}");
            if !found.is_dir() {
                assert_eq!(table.read(&path, 100).unwrap(), b"the guest's", "{path} in {name}");
            }
        }
        // A file that is made through a dangling link is made where the link leads in the guest's tree.
        table.write(&guest("/abs-new"), b"made").unwrap();
        assert_eq!(table.read(&guest("/new-file"), 100).unwrap(), b"made", "{name}");
    });
}

/// The kernel follows forty links, counts those of one path together, and gives up at a circle, long or short.
#[test]
fn chains_end_at_forty_links_and_circles_at_once() {
    in_each(|layer, name| {
        layer.symlink(b"etc/passwd", at("chain-1")).unwrap();
        for index in 2..=41 {
            layer.symlink(format!("chain-{}", index - 1).as_bytes(), at(&format!("chain-{index}"))).unwrap();
        }
        assert_eq!(get(&*layer, "chain-40").unwrap(), b"the guest's", "{name}");
        fails(get(&*layer, "chain-41"), Errno::ELOOP);
        // Nineteen links and twenty-one more are forty; one more is too many.
        layer.symlink(b".", at("here")).unwrap();
        let path = |count: usize| format!("{}chain-19", "here/".repeat(count));
        assert_eq!(get(&*layer, &path(21)).unwrap(), b"the guest's", "{name}");
        fails(get(&*layer, &path(22)), Errno::ELOOP);
        for (link, target) in [("self", "self"), ("one", "two/x"), ("two", "one/y"), ("deep", "maze/../deep/z")] {
            layer.symlink(target.as_bytes(), at(link)).unwrap();
            if link != "one" {
                fails(layer.metadata(at(link), FinalLink::Follow), Errno::ELOOP);
            }
        }
        let table = MountTable::builder()
            .mount_shared("/m", Arc::clone(&layer), Access::ReadWrite)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        layer.symlink(b"/m/abs-self", at("abs-self")).unwrap();
        layer.symlink(b"/m/abs-ping", at("abs-pong")).unwrap();
        layer.symlink(b"../m/abs-pong", at("abs-ping")).unwrap();
        for path in ["/m/abs-self", "/m/abs-ping/x", "/m/self/x", "/m/one", "/m/chain-41"] {
            assert_eq!(table.read(&guest(path), 1).unwrap_err().errno, Errno::ELOOP, "{path} in {name}");
        }
    });
}
