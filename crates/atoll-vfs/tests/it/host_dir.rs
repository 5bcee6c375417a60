//! What is particular to directories of the host: special files, roots, and what a call costs.

use crate::support::{at, fails, get, leaves, list, put, writing};
use atoll_sys::count;
use atoll_vfs::{AccessMode, Confinement, Errno, FileKind, FinalLink, HostDir, Layer, NewFile, OpenOptions, Time};
use std::time::{Duration, Instant};

const BOTH: [Confinement; 2] = [Confinement::Beneath, Confinement::Walk];

fn layers(directory: &std::path::Path) -> [HostDir; 2] {
    BOTH.map(|confinement| HostDir::read_write(directory).unwrap().confined_by(confinement))
}

#[test]
fn this_machine_confines_by_openat2() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(HostDir::read_only(directory.path()).unwrap().confinement(), Confinement::Beneath);
}

#[test]
fn a_directory_that_is_not_there_is_the_operators_error() {
    let error = HostDir::read_only("/nonexistent/folder").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the directory /nonexistent/folder: No such file or directory (os error 2)"
    );
}

#[test]
fn a_fifo_is_listed_and_never_opened() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let _listening = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    for layer in layers(directory.path()) {
        let started = Instant::now();
        fails(layer.open(at("fifo"), &OpenOptions::READ), Errno::EACCES);
        fails(get(&layer, "fifo"), Errno::EACCES);
        assert!(layer.open(at("fifo"), &writing(NewFile::Never)).is_err());
        assert!(layer.open(at("socket"), &OpenOptions::READ).is_err());
        assert!(started.elapsed() < Duration::from_secs(5), "it did not wait for a writer");
        assert_eq!(layer.metadata(at("fifo"), FinalLink::Follow).unwrap().kind(), FileKind::Fifo);
        let expected = [("fifo".to_owned(), FileKind::Fifo), ("socket".to_owned(), FileKind::Socket)];
        assert_eq!(list(&layer, "").unwrap(), expected);
    }
}

#[test]
fn the_root_may_move() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("old")).unwrap();
    for layer in layers(&directory.path().join("old")) {
        put(&layer, "a", b"kept");
    }
    let held = layers(&directory.path().join("old"));
    std::fs::rename(directory.path().join("old"), directory.path().join("new")).unwrap();
    std::fs::create_dir(directory.path().join("old")).unwrap();
    for layer in held {
        assert_eq!(get(&layer, "a").unwrap(), b"kept");
    }
}

#[test]
fn a_read_only_layer_changes_nothing_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "x").unwrap();
    for confinement in BOTH {
        let layer = HostDir::read_only(directory.path()).unwrap().confined_by(confinement);
        fails(layer.open(at("a"), &writing(NewFile::Never)), Errno::EROFS);
        fails(layer.open(at("a"), &OpenOptions { truncate: true, ..OpenOptions::READ }), Errno::EROFS);
        fails(layer.create_dir(at("d"), 0o755), Errno::EROFS);
        fails(layer.remove_file(at("a")), Errno::EROFS);
        fails(layer.rename(at("a"), at("b")), Errno::EROFS);
        fails(layer.hard_link(at("a"), at("b")), Errno::EROFS);
        fails(layer.symlink(b"a", at("b")), Errno::EROFS);
        fails(layer.set_permissions(at("a"), 0o600), Errno::EROFS);
        let file = layer.open(at("a"), &OpenOptions::READ).unwrap();
        assert_eq!(file.set_permissions(0o600), Err(Errno::EROFS));
        assert_eq!(file.set_times(Time::default(), Time::default()), Err(Errno::EROFS));
        fails(layer.access(at("a"), AccessMode { write: true, ..AccessMode::default() }), Errno::EROFS);
    }
}

/// System calls per operation, by `openat2`; each open is closed once more. The promise of this layer is that the depth
/// of a path costs nothing.
#[test]
fn operations_take_few_system_calls() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("a/b/c/d/e")).unwrap();
    std::fs::write(directory.path().join("a/b/c/d/e/file"), "content").unwrap();
    std::fs::write(directory.path().join("file"), "content").unwrap();
    std::os::unix::fs::symlink("file", directory.path().join("a/b/c/d/e/link")).unwrap();
    let layer = HostDir::read_write(directory.path()).unwrap();
    assert_eq!(layer.confinement(), Confinement::Beneath);
    let deep = at("a/b/c/d/e/file");
    let calls = |work: &dyn Fn()| count::of(work).1;
    assert_eq!(
        calls(&|| assert_eq!(layer.read(deep, 100).unwrap(), b"content")),
        ["openat2", "statx", "pread64"],
        "readFile"
    );
    assert_eq!(
        calls(&|| assert!(layer.metadata(deep, FinalLink::Follow).unwrap().nlink > 0)),
        ["openat2", "statx"],
        "stat"
    );
    assert_eq!(
        calls(&|| assert!(layer.metadata(deep, FinalLink::Keep).unwrap().nlink > 0)),
        ["openat2", "statx"],
        "lstat"
    );
    assert_eq!(
        calls(&|| assert!(layer.metadata(at("file"), FinalLink::Keep).unwrap().nlink > 0)),
        ["statx"],
        "lstat in the root"
    );
    assert_eq!(
        calls(&|| assert!(layer.metadata(at(""), FinalLink::Follow).unwrap().nlink > 0)),
        ["statx"],
        "stat of the root"
    );
    assert_eq!(
        calls(&|| fails(layer.metadata(at("a/b/none"), FinalLink::Follow), Errno::ENOENT)),
        ["openat2"],
        "stat of what does not exist"
    );
    assert_eq!(
        calls(&|| assert_eq!(layer.read_dir(at("a/b/c/d/e")).unwrap().len(), 2)),
        ["openat2", "getdents64", "getdents64"],
        "readdir with types"
    );
    assert_eq!(
        calls(&|| assert_eq!(layer.canonicalize(deep).unwrap(), deep.as_bytes())),
        ["openat2"],
        "realpath of a path without links"
    );
    assert_eq!(calls(&|| drop(layer.read_link(at("a/b/c/d/e/link")).unwrap())), ["openat2", "readlinkat"], "readlink");
    assert_eq!(calls(&|| layer.access(deep, AccessMode::default()).unwrap()), ["openat2"], "existence");
    assert_eq!(calls(&|| drop(layer.open(deep, &OpenOptions::READ).unwrap())), ["openat2", "statx"], "open");
    assert_eq!(calls(&|| layer.create_dir(at("new"), 0o755).unwrap()), ["mkdirat"], "mkdir in the root");
    assert_eq!(calls(&|| layer.create_dir(at("a/b/new"), 0o755).unwrap()), ["openat2", "mkdirat"], "mkdir below");
}

#[test]
fn links_out_of_a_folder_inside_are_links_inside() {
    let directory = tempfile::tempdir().unwrap();
    for layer in layers(directory.path()) {
        put(&layer, "target", b"t");
        layer.create_dir(at("folder"), 0o755).unwrap();
        layer.symlink(b"../target", at("folder/link")).unwrap();
        assert_eq!(get(&layer, "folder/link").unwrap(), b"t");
        let inner = HostDir::read_only(directory.path().join("folder")).unwrap().confined_by(layer.confinement());
        leaves(get(&inner, "link"));
        layer.remove_file(at("folder/link")).unwrap();
        layer.remove_dir(at("folder")).unwrap();
    }
}
