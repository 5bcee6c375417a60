//! The battery on every layer.

use crate::battery;
use crate::support::{at, list, put, sweep};
use atoll_vfs::{Confinement, HostDir, Layer, Memory, Overlay, Quota};
use std::sync::Arc;

fn on_host_dir(confinement: Confinement, case: fn(&dyn Layer)) {
    let directory = tempfile::tempdir().unwrap();
    case(&HostDir::read_write(directory.path()).unwrap().confined_by(confinement));
}

#[test]
fn memory() {
    battery::run(|case| case(&Memory::new(Quota::DEFAULT)));
}

#[test]
fn host_dir_by_openat2() {
    battery::run(|case| on_host_dir(Confinement::Beneath, case));
}

#[test]
fn host_dir_by_walking() {
    battery::run(|case| on_host_dir(Confinement::Walk, case));
}

/// The names that the battery uses, as what it does not expect them to be.
fn litter(layer: &dyn Layer) {
    for folder in ["a", "b", "d", "d/a", "d/a/deep", "end", "file-link", "moved", "real", "real/deep", "real/deep/file"]
    {
        layer.create_dir(at(folder), 0o700).unwrap();
    }
    for file in
        ["c", "d/e", "d/file", "d/sub", "d/a/deep/x", "f", "link", "dir-link", "self", "z", "real/deep/new", "x"]
    {
        put(layer, file, b"litter");
    }
    for link in ["empty", "large", "s", "t", "ping", "real/file", "hop-1"] {
        layer.symlink(b"d/file", at(link)).unwrap();
    }
    layer.hard_link(at("c"), at("new")).unwrap();
}

/// An overlay over what is hidden by it: the battery must not notice.
fn over_litter(lower: Arc<dyn Layer>) -> Overlay {
    let overlay = Overlay::new(lower, Quota::DEFAULT).unwrap();
    sweep(&overlay, "");
    overlay
}

fn over_host_dir(confinement: Confinement, case: fn(&dyn Layer)) {
    let directory = tempfile::tempdir().unwrap();
    let read_only = || Arc::new(HostDir::read_only(directory.path()).unwrap().confined_by(confinement));
    case(&Overlay::new(read_only(), Quota::DEFAULT).unwrap());
    litter(&HostDir::read_write(directory.path()).unwrap());
    let before = list(&*read_only(), "").unwrap();
    case(&over_litter(read_only()));
    assert_eq!(list(&*read_only(), "").unwrap(), before);
}

#[test]
fn overlay_on_memory() {
    battery::run(|case| {
        case(&Overlay::new(Arc::new(Memory::new(Quota::DEFAULT)), Quota::DEFAULT).unwrap());
        let lower = Memory::new(Quota::DEFAULT);
        litter(&lower);
        case(&over_litter(Arc::new(lower)));
    });
}

#[test]
fn overlay_on_a_host_dir_by_openat2() {
    battery::run(|case| over_host_dir(Confinement::Beneath, case));
}

#[test]
fn overlay_on_a_host_dir_by_walking() {
    battery::run(|case| over_host_dir(Confinement::Walk, case));
}

#[test]
fn overlay_on_an_overlay() {
    battery::run(|case| {
        let lower = Memory::new(Quota::DEFAULT);
        litter(&lower);
        let middle = over_litter(Arc::new(lower));
        litter(&middle);
        case(&over_litter(Arc::new(middle)));
    });
}
