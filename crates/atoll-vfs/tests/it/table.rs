//! The mount table: which mount answers, what crosses mounts, what links mean to a guest, and the text of errors.

use crate::support::{NO_LIMIT, at, guest, put};
use atoll_sys::count;
use atoll_vfs::{
    Access, AccessMode, Confinement, Errno, FileKind, FinalLink, FsError, HostDir, Layer, Memory, MountError,
    MountTable, NewFile, OpenOptions, Quota, Time,
};
use std::sync::Arc;

struct Guest {
    table: MountTable,
    /// The writable layer below the guest's read-only `/app`.
    app: Arc<HostDir>,
    host: tempfile::TempDir,
}

/// `/app` (read-only, of the host), `/data` (writable, of the host) and `/tmp` (memory).
fn guest_tree() -> Guest {
    let host = tempfile::tempdir().unwrap();
    for folder in ["app", "data", "app/src"] {
        std::fs::create_dir(host.path().join(folder)).unwrap();
    }
    std::fs::write(host.path().join("secret"), "host only").unwrap();
    let app = Arc::new(HostDir::read_write(host.path().join("app")).unwrap());
    put(&*app, "src/main.js", b"main");
    let shared: Arc<dyn Layer> = Arc::<HostDir>::clone(&app);
    let table = MountTable::builder()
        .mount_shared("/app", shared, Access::ReadOnly)
        .and_then(|table| {
            table.mount("/data", HostDir::read_write(host.path().join("data")).unwrap(), Access::ReadWrite)
        })
        .and_then(|table| table.mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    Guest { table, app, host }
}

fn names(table: &MountTable, path: &str) -> Vec<String> {
    let mut names: Vec<_> = table.read_dir(&guest(path)).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T, FsError>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

fn text(table: &MountTable, path: &str) -> Result<String, FsError> {
    table.read_to_string(&guest(path), NO_LIMIT)
}

#[test]
fn the_root_lists_the_mounts() {
    let tree = guest_tree();
    let table = &tree.table;
    assert_eq!(names(table, "/"), ["app", "data", "tmp"]);
    assert!(table.metadata(&guest("/")).unwrap().is_dir());
    assert!(table.metadata(&guest("/app/")).unwrap().is_dir());
    let devices: Vec<_> = ["/", "/app", "/tmp"].map(|path| table.metadata(&guest(path)).unwrap().dev).into();
    assert!(devices[0] != devices[2] && devices[1] != devices[2]);
    fails(table.metadata(&guest("/etc/passwd")), "ENOENT: no such file or directory, stat '/etc/passwd'");
    fails(table.create_dir(&guest("/new"), 0o755), "EROFS: read-only file system, mkdir '/new'");
}

#[test]
fn errors_read_as_nodes_do() {
    let tree = guest_tree();
    let table = &tree.table;
    let path = guest("/app/x");
    fails(text(table, "/app/x"), "ENOENT: no such file or directory, open '/app/x'");
    fails(text(table, "/app/src"), "EISDIR: illegal operation on a directory, read");
    fails(text(table, "/app/src/main.js/"), "ENOTDIR: not a directory, open '/app/src/main.js'");
    fails(table.metadata(&path), "ENOENT: no such file or directory, stat '/app/x'");
    fails(table.symlink_metadata(&path), "ENOENT: no such file or directory, lstat '/app/x'");
    fails(table.read_dir(&guest("/app/src/main.js")), "ENOTDIR: not a directory, scandir '/app/src/main.js'");
    fails(table.read_link(&guest("/app/src")), "EINVAL: invalid argument, readlink '/app/src'");
    fails(table.canonicalize(&path), "ENOENT: no such file or directory, realpath '/app/x'");
    fails(table.access(&path, AccessMode::default()), "ENOENT: no such file or directory, access '/app/x'");
    fails(
        table.rename(&guest("/tmp/a"), &guest("/tmp/b")),
        "ENOENT: no such file or directory, rename '/tmp/a' -> '/tmp/b'",
    );
    table.symlink(b"x", &guest("/tmp/s")).unwrap();
    fails(table.symlink(b"target", &guest("/tmp/s")), "EEXIST: file already exists, symlink 'target' -> '/tmp/s'");
    let file = table.open(&guest("/app/src/main.js"), &OpenOptions::READ).unwrap();
    fails(file.write(b"x"), "EBADF: bad file descriptor, write");
    let error = text(table, "/app/x").unwrap_err();
    assert_eq!((error.errno.name(), error.errno.raw(), error.syscall), ("ENOENT", 2, "open"));
    assert_eq!((error.path.as_deref(), error.dest), (Some("/app/x"), None));
}

#[test]
fn no_error_names_a_host_path() {
    let tree = guest_tree();
    let (table, app, host) = (&tree.table, &tree.app, &tree.host);
    app.symlink(host.path().as_os_str().as_encoded_bytes(), at("out")).unwrap();
    for path in ["/app/out/secret", "/app/out", "/app/src/main.js/x", "/app/none"] {
        let message = text(table, path).unwrap_err().to_string();
        assert!(!message.contains(&*host.path().to_string_lossy()), "{message}");
    }
}

#[test]
fn a_read_only_mount_refuses_every_change_before_it_looks() {
    let tree = guest_tree();
    let (table, app) = (&tree.table, &tree.app);
    app.symlink(b"/tmp/x", at("to-tmp")).unwrap();
    let now = Time::default();
    for path in ["/app/src/main.js", "/app/none/at/all", "/app/to-tmp", "/app", "/app/src/"] {
        let path = guest(path);
        let changes: Vec<(&str, Result<(), FsError>)> = vec![
            ("create_dir", table.create_dir(&path, 0o755)),
            ("remove_dir", table.remove_dir(&path)),
            ("remove_file", table.remove_file(&path)),
            ("rename from", table.rename(&path, &guest("/tmp/x"))),
            ("rename to", table.rename(&guest("/tmp/x"), &path)),
            ("symlink", table.symlink(b"x", &path)),
            ("link from", table.hard_link(&path, &guest("/tmp/x"))),
            ("link to", table.hard_link(&guest("/tmp/x"), &path)),
            ("utimes", table.set_times(&path, FinalLink::Follow, now, now)),
            ("lutimes", table.set_times(&path, FinalLink::Keep, now, now)),
            ("chmod", table.set_permissions(&path, 0o777)),
            ("write", table.write(&path, b"x")),
            ("open for writing", table.open(&path, &OpenOptions { write: true, ..OpenOptions::READ }).map(drop)),
            ("open truncating", table.open(&path, &OpenOptions { truncate: true, ..OpenOptions::READ }).map(drop)),
            (
                "open creating",
                table.open(&path, &OpenOptions { create: NewFile::IfMissing, ..OpenOptions::READ }).map(drop),
            ),
            ("open appending", table.open(&path, &OpenOptions { append: true, ..OpenOptions::READ }).map(drop)),
        ];
        for (change, result) in changes {
            assert_eq!(result.unwrap_err().errno, Errno::EROFS, "{change} of {path}");
        }
    }
    let file = table.open(&guest("/app/src/main.js"), &OpenOptions::READ).unwrap();
    assert_eq!(file.set_times(now, now).unwrap_err().errno, Errno::EROFS);
    assert_eq!(file.set_permissions(0o777).unwrap_err().errno, Errno::EROFS);
    assert_eq!(file.truncate(0).unwrap_err().errno, Errno::EINVAL);
    let write = AccessMode { write: true, ..AccessMode::default() };
    fails(table.access(&guest("/app/src/main.js"), write), "EROFS: read-only file system, access '/app/src/main.js'");
    assert_eq!(text(table, "/app/src/main.js").unwrap(), "main");
}

#[test]
fn a_link_from_a_writable_mount_gives_no_rights_in_a_read_only_one() {
    let tree = guest_tree();
    let table = &tree.table;
    table.symlink(b"/app/src/main.js", &guest("/tmp/link")).unwrap();
    table.symlink(b"../app/src", &guest("/data/folder")).unwrap();
    assert_eq!(text(table, "/tmp/link").unwrap(), "main");
    assert_eq!(text(table, "/data/folder/main.js").unwrap(), "main");
    for result in [
        table.write(&guest("/tmp/link"), b"x"),
        table.write(&guest("/data/folder/new"), b"x"),
        table.remove_file(&guest("/data/folder/main.js")),
        table.rename(&guest("/data/folder/main.js"), &guest("/data/stolen")),
        table.hard_link(&guest("/data/folder/main.js"), &guest("/data/stolen")),
        table.set_permissions(&guest("/tmp/link"), 0o777),
    ] {
        assert_eq!(result.unwrap_err().errno, Errno::EROFS);
    }
}

#[test]
fn nothing_is_renamed_or_linked_across_mounts() {
    let tree = guest_tree();
    let table = &tree.table;
    table.write(&guest("/tmp/a"), b"a").unwrap();
    fails(
        table.rename(&guest("/tmp/a"), &guest("/data/a")),
        "EXDEV: cross-device link not permitted, rename '/tmp/a' -> '/data/a'",
    );
    fails(
        table.hard_link(&guest("/tmp/a"), &guest("/data/a")),
        "EXDEV: cross-device link not permitted, link '/tmp/a' -> '/data/a'",
    );
    table.symlink(b"/data", &guest("/tmp/to-data")).unwrap();
    let through_link = table.rename(&guest("/tmp/a"), &guest("/tmp/to-data/a"));
    assert_eq!(through_link.unwrap_err().errno, Errno::EXDEV);
    table.rename(&guest("/tmp/a"), &guest("/tmp/b")).unwrap();
    table.write(&guest("/data/x"), b"x").unwrap();
    table.rename(&guest("/tmp/to-data/x"), &guest("/data/y")).unwrap();
    assert_eq!(text(table, "/data/y").unwrap(), "x");
}

#[test]
fn one_host_directory_under_two_mounts_is_two_mounts() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("file"), "x").unwrap();
    let table = MountTable::builder()
        .mount("/ro", HostDir::read_only(host.path()).unwrap(), Access::ReadOnly)
        .and_then(|table| table.mount("/rw", HostDir::read_write(host.path()).unwrap(), Access::ReadWrite))
        .and_then(|table| table.mount("/rw2", HostDir::read_write(host.path()).unwrap(), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    let error = |from: &str, to: &str| table.hard_link(&guest(from), &guest(to)).unwrap_err().errno;
    assert_eq!(error("/ro/file", "/rw/stolen"), Errno::EROFS);
    assert_eq!(error("/rw/file", "/rw2/other"), Errno::EXDEV);
}

/// The decision of this filesystem: a link means what it says in the guest's tree, never in the host's.
#[test]
fn absolute_links_and_links_above_are_the_guests() {
    let tree = guest_tree();
    let (table, app, host) = (&tree.table, &tree.app, &tree.host);
    let host_path = host.path().join("secret");
    for (name, target) in [
        ("etc", &b"/etc/passwd"[..]),
        ("host", host_path.as_os_str().as_encoded_bytes()),
        ("sibling", b"../secret"),
        ("far", b"../../../../../../etc/passwd"),
        ("to-tmp", b"/tmp/note"),
        ("to-tmp-relative", b"../tmp/note"),
        ("own", b"/app/src/main.js"),
        ("own-around", b"../app/../app/src/main.js"),
        ("root", b"/"),
        ("loop", b"/app/loop"),
    ] {
        app.symlink(target, at(name)).unwrap();
    }
    for name in ["etc", "host", "sibling", "far"] {
        let path = format!("/app/{name}");
        fails(text(table, &path), &format!("ENOENT: no such file or directory, open '{path}'"));
        assert_eq!(table.symlink_metadata(&guest(&path)).unwrap().kind(), FileKind::Symlink);
        assert_eq!(table.canonicalize(&guest(&path)).unwrap_err().errno, Errno::ENOENT);
    }
    table.write(&guest("/tmp/note"), b"note").unwrap();
    for name in ["to-tmp", "to-tmp-relative"] {
        assert_eq!(text(table, &format!("/app/{name}")).unwrap(), "note");
        assert_eq!(table.canonicalize(&guest(&format!("/app/{name}"))).unwrap(), guest("/tmp/note"));
    }
    for name in ["own", "own-around"] {
        assert_eq!(text(table, &format!("/app/{name}")).unwrap(), "main");
        assert_eq!(table.canonicalize(&guest(&format!("/app/{name}"))).unwrap(), guest("/app/src/main.js"));
    }
    assert_eq!(names(table, "/app/root"), ["app", "data", "tmp"]);
    assert_eq!(text(table, "/app/root/app/root/tmp/note").unwrap(), "note");
    assert_eq!(text(table, "/app/loop").unwrap_err().errno, Errno::ELOOP);
    // The link text itself is not secret: it is a file's content like any other.
    assert_eq!(table.read_link(&guest("/app/etc")).unwrap(), b"/etc/passwd");
}

#[test]
fn parent_components_go_where_links_lead() {
    let tree = guest_tree();
    let table = &tree.table;
    for folder in ["/tmp/a", "/tmp/a/b", "/tmp/c"] {
        table.create_dir(&guest(folder), 0o755).unwrap();
    }
    table.write(&guest("/tmp/a/file"), b"beside b").unwrap();
    table.write(&guest("/tmp/file"), b"beside link").unwrap();
    table.symlink(b"a/b", &guest("/tmp/link")).unwrap();
    assert_eq!(text(table, "/tmp/link/../file").unwrap(), "beside b");
    assert_eq!(text(table, "/tmp/c/../file").unwrap(), "beside link");
    assert_eq!(text(table, "/tmp/../tmp/file").unwrap(), "beside link");
    assert_eq!(text(table, "/../../tmp/file").unwrap(), "beside link");
    assert_eq!(text(table, "/tmp/missing/../file").unwrap_err().errno, Errno::ENOENT);
    assert_eq!(text(table, "/tmp/file/../file").unwrap_err().errno, Errno::ENOTDIR);
    assert_eq!(table.canonicalize(&guest("/tmp/link/..")).unwrap(), guest("/tmp/a"));
    table.rename(&guest("/tmp/link/../file"), &guest("/tmp/c/../moved")).unwrap();
    assert_eq!(text(table, "/tmp/moved").unwrap(), "beside b");
}

#[test]
fn a_slash_at_the_end_wants_a_directory() {
    let tree = guest_tree();
    let table = &tree.table;
    table.create_dir(&guest("/tmp/d/"), 0o755).unwrap();
    table.write(&guest("/tmp/f"), b"").unwrap();
    table.symlink(b"d", &guest("/tmp/link")).unwrap();
    assert_eq!(table.symlink_metadata(&guest("/tmp/link/")).unwrap().kind(), FileKind::Directory);
    assert_eq!(table.symlink_metadata(&guest("/tmp/link")).unwrap().kind(), FileKind::Symlink);
    let errno = |result: Result<(), FsError>| result.unwrap_err().errno;
    let file = guest("/tmp/f/");
    assert_eq!(errno(table.metadata(&file).map(drop)), Errno::ENOTDIR);
    assert_eq!(errno(table.access(&file, AccessMode::default())), Errno::ENOTDIR);
    assert_eq!(errno(table.open(&file, &OpenOptions::READ).map(drop)), Errno::ENOTDIR);
    assert_eq!(errno(table.write(&guest("/tmp/new/"), b"")), Errno::EISDIR);
    assert_eq!(errno(table.remove_file(&file)), Errno::ENOTDIR);
    assert_eq!(errno(table.remove_file(&guest("/tmp/d/"))), Errno::EISDIR);
    assert_eq!(errno(table.read_link(&guest("/tmp/link/")).map(drop)), Errno::EINVAL);
    assert_eq!(errno(table.rename(&file, &guest("/tmp/g"))), Errno::ENOTDIR);
    assert_eq!(errno(table.rename(&guest("/tmp/f"), &guest("/tmp/g/"))), Errno::ENOTDIR);
    assert_eq!(errno(table.symlink(b"x", &guest("/tmp/s/"))), Errno::ENOENT);
    table.rename(&guest("/tmp/d/"), &guest("/tmp/e/")).unwrap();
    table.remove_dir(&guest("/tmp/e/")).unwrap();
}

#[test]
fn mounts_lie_in_mounts() {
    let host = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(host.path().join("cache/below")).unwrap();
    std::fs::write(host.path().join("cache/hidden"), "hidden").unwrap();
    std::fs::write(host.path().join("beside"), "beside").unwrap();
    let outer = HostDir::read_write(host.path()).unwrap();
    outer.symlink(b"cache", at("link")).unwrap();
    let table = MountTable::builder()
        .mount("/app", outer, Access::ReadWrite)
        .and_then(|table| table.mount("/app/cache", Memory::new(Quota::DEFAULT), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    assert_eq!(names(&table, "/app"), ["beside", "cache", "link"]);
    table.write(&guest("/app/cache/x"), b"in memory").unwrap();
    assert_eq!(text(&table, "/app/cache/hidden").unwrap_err().errno, Errno::ENOENT);
    assert_eq!(text(&table, "/app/link/x").unwrap(), "in memory", "a link to a mount point leads into the mount");
    assert_eq!(text(&table, "/app/link/hidden").unwrap_err().errno, Errno::ENOENT);
    table.symlink(b"../beside", &guest("/app/cache/up")).unwrap();
    assert_eq!(text(&table, "/app/cache/up").unwrap(), "beside");
    assert_eq!(table.canonicalize(&guest("/app/link/up")).unwrap(), guest("/app/beside"));
    let errno = |result: Result<(), FsError>| result.unwrap_err().errno;
    assert_eq!(errno(table.remove_dir(&guest("/app/cache"))), Errno::EBUSY);
    assert_eq!(errno(table.rename(&guest("/app/cache"), &guest("/app/other"))), Errno::EXDEV);
    assert_eq!(errno(table.rename(&guest("/app/beside"), &guest("/app/cache/beside"))), Errno::EXDEV);
    assert!(!host.path().join("cache/x").exists());
}

#[test]
fn a_directory_above_a_mount_point_stays() {
    let outer = Memory::new(Quota::DEFAULT);
    outer.create_dir(at("a"), 0o755).unwrap();
    outer.create_dir(at("a/b"), 0o755).unwrap();
    let table = MountTable::builder()
        .mount("/m", outer, Access::ReadWrite)
        .and_then(|table| table.mount("/m/a/b", Memory::new(Quota::DEFAULT), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    table.symlink(b".", &guest("/m/self")).unwrap();
    for path in ["/m/a", "/m/self/a", "/m/a/../a"] {
        assert_eq!(table.rename(&guest(path), &guest("/m/z")).unwrap_err().errno, Errno::EBUSY, "{path}");
    }
    assert_eq!(table.remove_dir(&guest("/m/a/b")).unwrap_err().errno, Errno::EBUSY);
}

#[test]
fn a_table_that_cannot_be_is_refused() {
    let memory = || Memory::new(Quota::DEFAULT);
    let build = |points: &[&str]| {
        points
            .iter()
            .try_fold(MountTable::builder(), |table, point| table.mount(point, memory(), Access::ReadWrite))
            .and_then(atoll_vfs::MountTableBuilder::build)
    };
    assert!(matches!(build(&["/a", "/a/"]), Err(MountError::Twice(_))));
    assert!(matches!(build(&["/a", "/a/b"]), Err(MountError::NoDirectory(_))));
    assert!(matches!(build(&["a"]), Err(MountError::NotAbsolute(_))));
    assert!(matches!(build(&["/a/../b"]), Err(MountError::NotAbsolute(_))));
    assert!(matches!(build(&[""]), Err(MountError::Path { .. })));
    let many: Vec<String> = (0..65).map(|index| format!("/m{index}")).collect();
    assert!(matches!(build(&many.iter().map(String::as_str).collect::<Vec<_>>()), Err(MountError::TooMany)));
    let table = build(&["/x/y/z", "/x/w"]).unwrap();
    assert_eq!(names(&table, "/x"), ["w", "y"]);
    assert_eq!(names(&table, "/x/y"), ["z"]);
    let whole = build(&["/"]).unwrap();
    whole.create_dir(&guest("/new"), 0o755).unwrap();
}

#[test]
fn open_files_have_a_position() {
    let tree = guest_tree();
    let table = &tree.table;
    let path = guest("/tmp/a");
    let options = OpenOptions { read: true, ..OpenOptions::REPLACE };
    let file = table.open(&path, &options).unwrap();
    file.write_all(b"0123456789").unwrap();
    let mut buffer = [0; 4];
    assert_eq!(file.read(&mut buffer).unwrap(), 0);
    assert_eq!(file.read_at(&mut buffer, 2).unwrap(), 4);
    assert_eq!(&buffer, b"2345");
    let file = table.open(&path, &OpenOptions::READ).unwrap();
    assert_eq!(file.read(&mut buffer).unwrap(), 4);
    assert_eq!(file.read(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer, b"4567");
    assert_eq!(file.read(&mut buffer).unwrap(), 2);
    let append = OpenOptions { read: true, append: true, ..OpenOptions::READ };
    let file = table.open(&path, &append).unwrap();
    assert_eq!(file.write(b"!").unwrap(), 1);
    assert_eq!(file.read(&mut buffer).unwrap(), 0, "after appending, the position is the end");
    assert_eq!(text(table, "/tmp/a").unwrap(), "0123456789!");
}

#[test]
fn text_that_is_not_utf_8_is_replaced() {
    let tree = guest_tree();
    let table = &tree.table;
    table.write(&guest("/tmp/a"), b"a\xffb").unwrap();
    assert_eq!(text(table, "/tmp/a").unwrap(), "a\u{fffd}b");
    assert_eq!(table.read(&guest("/tmp/a"), 2).unwrap_err().errno, Errno::EFBIG);
}

#[test]
fn what_has_no_name_is_neither_made_nor_removed() {
    let tree = guest_tree();
    let table = &tree.table;
    for folder in ["/tmp/d", "/tmp/d/e"] {
        table.create_dir(&guest(folder), 0o755).unwrap();
    }
    table.write(&guest("/tmp/f"), b"").unwrap();
    let errno = |result: Result<(), FsError>| result.unwrap_err().errno;
    let exclusive = OpenOptions { create: NewFile::Always, ..OpenOptions::REPLACE };
    for (path, made, removed, renamed, opened, created) in [
        ("/tmp/none/.", Errno::ENOENT, Errno::ENOENT, Errno::ENOENT, Errno::ENOENT, Errno::ENOENT),
        ("/tmp/f/.", Errno::ENOTDIR, Errno::ENOTDIR, Errno::ENOTDIR, Errno::ENOTDIR, Errno::ENOTDIR),
        ("/tmp/d/.", Errno::EEXIST, Errno::EINVAL, Errno::EBUSY, Errno::EISDIR, Errno::EEXIST),
        ("/tmp/d/./", Errno::EEXIST, Errno::EINVAL, Errno::EBUSY, Errno::EISDIR, Errno::EEXIST),
        ("/tmp/d/e/..", Errno::EEXIST, Errno::ENOTEMPTY, Errno::EBUSY, Errno::EISDIR, Errno::EEXIST),
        ("/tmp/d/..", Errno::EEXIST, Errno::ENOTEMPTY, Errno::EBUSY, Errno::EISDIR, Errno::EEXIST),
    ] {
        let path = guest(path);
        assert_eq!(errno(table.create_dir(&path, 0o755)), made, "mkdir {path:?}");
        assert_eq!(errno(table.remove_dir(&path)), removed, "rmdir {path:?}");
        assert_eq!(errno(table.rename(&path, &guest("/tmp/g"))), renamed, "rename {path:?}");
        assert_eq!(errno(table.write(&path, b"")), opened, "write {path:?}");
        assert_eq!(errno(table.open(&path, &exclusive).map(drop)), created, "open exclusively {path:?}");
        assert_eq!(errno(table.symlink(b"x", &path)), made, "symlink {path:?}");
    }
    assert_eq!(errno(table.remove_file(&guest("/tmp/d/."))), Errno::EISDIR);
    assert_eq!(errno(table.hard_link(&guest("/tmp/none"), &guest("/tmp/d/."))), Errno::ENOENT);
    assert_eq!(errno(table.hard_link(&guest("/tmp/f"), &guest("/tmp/d/."))), Errno::EEXIST);
    assert_eq!(errno(table.rename(&guest("/tmp/f"), &guest("/tmp/d/.."))), Errno::EBUSY);
}

#[test]
fn names_that_are_too_long_are_refused_where_they_stand() {
    let tree = guest_tree();
    let long = "n".repeat(256);
    for folder in ["/tmp", "/data", "/app"] {
        let errno = |path: String| tree.table.metadata(&guest(&path)).unwrap_err().errno;
        assert_eq!(errno(format!("{folder}/{long}")), Errno::ENAMETOOLONG);
        assert_eq!(errno(format!("{folder}/none/{long}")), Errno::ENOENT);
        assert_eq!(errno(format!("{folder}/{long}/..")), Errno::ENAMETOOLONG, "{folder}");
    }
    assert_eq!(tree.table.write(&guest(&format!("/tmp/{long}")), b"").unwrap_err().errno, Errno::ENAMETOOLONG);
}

/// A mount within another costs nothing: the outer layer is asked for exactly the names of a path. Only where there is a
/// link does the table look at each name, since the link may lead into the inner mount.
#[test]
fn a_mount_within_another_costs_no_system_calls() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("a/b/c")).unwrap();
    std::fs::create_dir(directory.path().join("inner")).unwrap();
    std::fs::write(directory.path().join("a/b/c/file"), "outer").unwrap();
    std::fs::write(directory.path().join("inner/file"), "covered").unwrap();
    for (link, target) in
        [("to-inner", "inner/file"), ("to-directory", "inner"), ("a/up", "../inner/file"), ("a/in", "b/c")]
    {
        std::os::unix::fs::symlink(target, directory.path().join(link)).unwrap();
    }
    for confinement in [Confinement::Beneath, Confinement::Walk] {
        let outer = HostDir::read_write(directory.path()).unwrap().confined_by(confinement);
        let inner = Memory::new(Quota::DEFAULT);
        let table = MountTable::builder()
            .mount("/app", outer, Access::ReadWrite)
            .and_then(|builder| builder.mount("/app/inner", inner, Access::ReadWrite))
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();

        table.write(&guest("/app/inner/file"), b"inner").unwrap();
        let read = |path: &str| table.read_to_string(&guest(path), 100).unwrap();
        for path in
            ["/app/to-inner", "/app/to-directory/file", "/app/a/up", "/app/inner/file", "/app/a/in/../../../inner/file"]
        {
            assert_eq!(read(path), "inner", "{path}, {confinement:?}");
        }
        assert_eq!(read("/app/a/in/file"), "outer");
        assert!(table.symlink_metadata(&guest("/app/a/in")).unwrap().kind() == FileKind::Symlink);
        table.write(&guest("/app/to-inner"), b"again").unwrap();
        assert_eq!(read("/app/inner/file"), "again");
        table.write(&guest("/app/to-directory/made"), b"in memory").unwrap();
        assert!(!directory.path().join("inner/made").exists());
        assert_eq!(std::fs::read(directory.path().join("inner/file")).unwrap(), b"covered");

        if confinement == Confinement::Beneath {
            let (_, calls) = count::of(|| table.metadata(&guest("/app/a/b/c/file")).unwrap());
            assert_eq!(calls, ["openat2", "statx"]);
            let ((), calls) = count::of(|| table.write(&guest("/app/a/b/c/new"), b"x").unwrap());
            assert!(calls.iter().filter(|call| **call == "openat2").count() == 1, "{calls:?}");
            let ((), calls) = count::of(|| table.rename(&guest("/app/a/b/c/new"), &guest("/app/a/new")).unwrap());
            assert_eq!(calls, ["openat2", "openat2", "renameat"]);
        }
    }
}
