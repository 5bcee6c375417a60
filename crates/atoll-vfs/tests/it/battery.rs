//! What every writable layer must do, whatever it is made of. Each function takes an empty layer.

use crate::support::{at, fails, get, leaves, list, put, writing};
use atoll_vfs::{AccessMode, Errno, FileKind, FinalLink, Layer, NewFile, OpenOptions, Owner, Time};

type Case = (&'static str, fn(&dyn Layer));

/// All cases.
pub(crate) const CASES: &[Case] = &[
    ("content", content),
    ("reading and writing by offset", offsets),
    ("open flags", open_flags),
    ("open files outlive their names", unlinked),
    ("directories", directories),
    ("trees", trees),
    ("links inside", links_inside),
    ("links out", links_out),
    ("link loops", link_loops),
    ("trap links", trap_links),
    ("realpath", canonical),
    ("rename", rename),
    ("hard links", hard_links),
    ("access", access),
    ("times and permissions", attributes),
    ("owners", owners),
    ("storing", storing),
    ("appending by many", appending),
    ("statfs", statistics),
    ("names that are not UTF-8", raw_names),
    ("the root", the_root),
    ("watches", crate::watches::events),
    ("watches that end", crate::watches::ends),
];

/// Runs all cases, each on the layer that `with_fresh` hands it.
pub(crate) fn run(with_fresh: impl Fn(fn(&dyn Layer))) {
    for (name, case) in CASES {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| with_fresh(*case)));
        assert!(caught.is_ok(), "in the case “{name}”");
    }
}

fn content(layer: &dyn Layer) {
    fails(get(layer, "a"), Errno::ENOENT);
    put(layer, "a", b"one");
    assert_eq!(get(layer, "a").unwrap(), b"one");
    put(layer, "a", b"2");
    assert_eq!(get(layer, "a").unwrap(), b"2");
    put(layer, "empty", b"");
    assert_eq!(get(layer, "empty").unwrap(), b"");
    let large: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    put(layer, "large", &large);
    assert_eq!(get(layer, "large").unwrap(), large);
    fails(layer.read(at("large"), 299_999), Errno::EFBIG);
    assert_eq!(layer.read(at("large"), 300_000).unwrap().len(), 300_000);
    layer.create_dir(at("d"), 0o755).unwrap();
    fails(get(layer, "d"), Errno::EISDIR);
    fails(get(layer, "a/b"), Errno::ENOTDIR);
    fails(get(layer, "missing/b"), Errno::ENOENT);
    let metadata = layer.metadata(at("large"), FinalLink::Follow).unwrap();
    assert_eq!((metadata.size, metadata.kind(), metadata.nlink), (300_000, FileKind::Regular, 1));
}

fn trees(layer: &dyn Layer) {
    layer.create_dir(at("kept"), 0o755).unwrap();
    put(layer, "kept/file", b"x");
    layer.create_dir(at("tree"), 0o755).unwrap();
    // Deeper than a removal keeps directories open.
    let mut path = "tree".to_owned();
    for depth in 0..100 {
        put(layer, &format!("{path}/file"), b"x");
        layer.symlink(b"/kept", at(&format!("{path}/link"))).unwrap();
        layer.create_dir(at(&format!("{path}/beside")), 0o755).unwrap();
        path = format!("{path}/{depth}");
        layer.create_dir(at(&path), 0o755).unwrap();
    }
    layer.symlink(b"kept", at("link")).unwrap();
    layer.remove_tree(at("tree")).unwrap();
    fails(layer.metadata(at("tree"), FinalLink::Keep), Errno::ENOENT);
    fails(layer.remove_tree(at("tree")), Errno::ENOENT);
    // What is no directory goes by itself, and a link is not what it leads to.
    layer.remove_tree(at("link")).unwrap();
    assert_eq!(get(layer, "kept/file").unwrap(), b"x");
    layer.remove_tree(at("kept/file")).unwrap();
    assert_eq!(list(layer, "kept").unwrap(), []);
    fails(layer.remove_tree(at("kept/none/at/all")), Errno::ENOENT);
}

fn offsets(layer: &dyn Layer) {
    let file = layer.open(at("a"), &writing(NewFile::Always)).unwrap();
    assert_eq!(file.write_at(b"hello", 0), Ok(5));
    assert_eq!(file.write_at(b"!", 7), Ok(1));
    assert_eq!(get(layer, "a").unwrap(), b"hello\0\0!");
    let mut buffer = [0; 4];
    assert_eq!(file.read_at(&mut buffer, 1), Ok(4));
    assert_eq!(&buffer, b"ello");
    assert_eq!(file.read_at(&mut buffer, 6), Ok(2));
    assert_eq!(file.read_at(&mut buffer, 8), Ok(0));
    assert_eq!(file.read_at(&mut buffer, 1 << 40), Ok(0));
    file.truncate(2).unwrap();
    assert_eq!(get(layer, "a").unwrap(), b"he");
    file.truncate(4).unwrap();
    assert_eq!(get(layer, "a").unwrap(), b"he\0\0");
    assert_eq!(file.metadata().unwrap().size, 4);
    file.sync().unwrap();

    let append = OpenOptions { write: true, read: false, append: true, ..OpenOptions::READ };
    let file = layer.open(at("a"), &append).unwrap();
    assert_eq!(file.write_at(b"++", 0), Ok(2));
    assert_eq!(get(layer, "a").unwrap(), b"he\0\0++");
    assert_eq!(file.read_at(&mut buffer, 0), Err(Errno::EBADF));
    let file = layer.open(at("a"), &OpenOptions::READ).unwrap();
    assert_eq!(file.write_at(b"x", 0), Err(Errno::EBADF));
    assert_eq!(file.truncate(0), Err(Errno::EINVAL));
}

fn open_flags(layer: &dyn Layer) {
    let open = |path, options: OpenOptions| layer.open(at(path), &options).map(drop);
    fails(open("a", writing(NewFile::Never)), Errno::ENOENT);
    open("a", writing(NewFile::IfMissing)).unwrap();
    open("a", writing(NewFile::IfMissing)).unwrap();
    fails(open("a", writing(NewFile::Always)), Errno::EEXIST);
    open("b", writing(NewFile::Always)).unwrap();
    fails(open("missing/b", writing(NewFile::IfMissing)), Errno::ENOENT);
    fails(open("a/b", writing(NewFile::IfMissing)), Errno::ENOTDIR);
    layer.create_dir(at("d"), 0o755).unwrap();
    fails(open("d", writing(NewFile::Never)), Errno::EISDIR);
    fails(open("d", writing(NewFile::IfMissing)), Errno::EISDIR);
    fails(open("d", writing(NewFile::Always)), Errno::EEXIST);
    open("d", OpenOptions::READ).unwrap();
    let directory = OpenOptions { directory: true, ..OpenOptions::READ };
    open("d", directory).unwrap();
    fails(open("a", directory), Errno::ENOTDIR);
    let opened = layer.open(at("d"), &directory).unwrap();
    assert_eq!(opened.read_at(&mut [0; 8], 0), Err(Errno::EISDIR));
    assert!(opened.metadata().unwrap().is_dir());

    put(layer, "a", b"text");
    layer.symlink(b"a", at("link")).unwrap();
    layer.symlink(b"new", at("dangling")).unwrap();
    open("link", OpenOptions::READ).unwrap();
    fails(open("link", OpenOptions { final_link: FinalLink::Keep, ..OpenOptions::READ }), Errno::ELOOP);
    fails(open("link", writing(NewFile::Always)), Errno::EEXIST);
    fails(open("dangling", writing(NewFile::Always)), Errno::EEXIST);
    fails(open("dangling", OpenOptions::READ), Errno::ENOENT);
    open("dangling", writing(NewFile::IfMissing)).unwrap();
    assert_eq!(get(layer, "new").unwrap(), b"");
    open("link", OpenOptions::REPLACE).unwrap();
    assert_eq!(get(layer, "a").unwrap(), b"");

    let set_user_id = OpenOptions { mode: 0o4755, ..writing(NewFile::Always) };
    let file = layer.open(at("suid"), &set_user_id).unwrap();
    assert_eq!(file.metadata().unwrap().mode & 0o7000, 0);
    file.set_permissions(0o6711).unwrap();
    assert_eq!(file.metadata().unwrap().mode & 0o7777, 0o711);
}

fn unlinked(layer: &dyn Layer) {
    put(layer, "a", b"kept");
    let file = layer.open(at("a"), &OpenOptions::READ).unwrap();
    layer.remove_file(at("a")).unwrap();
    fails(get(layer, "a"), Errno::ENOENT);
    let mut buffer = [0; 8];
    assert_eq!(file.read_at(&mut buffer, 0), Ok(4));
    assert_eq!(file.metadata().unwrap().nlink, 0);
}

fn directories(layer: &dyn Layer) {
    layer.create_dir(at("d"), 0o755).unwrap();
    fails(layer.create_dir(at("d"), 0o755), Errno::EEXIST);
    fails(layer.create_dir(at("x/y"), 0o755), Errno::ENOENT);
    put(layer, "d/file", b"");
    layer.create_dir(at("d/sub"), 0o700).unwrap();
    layer.symlink(b"nowhere", at("d/link")).unwrap();
    let expected = [
        ("file".to_owned(), FileKind::Regular),
        ("link".to_owned(), FileKind::Symlink),
        ("sub".to_owned(), FileKind::Directory),
    ];
    assert_eq!(list(layer, "d").unwrap(), expected);
    assert_eq!(layer.metadata(at("d"), FinalLink::Keep).unwrap().nlink, 3);
    assert_eq!(layer.metadata(at("d/sub"), FinalLink::Keep).unwrap().mode & 0o777, 0o700);
    fails(list(layer, "d/file"), Errno::ENOTDIR);
    fails(list(layer, "missing"), Errno::ENOENT);
    fails(layer.remove_dir(at("d")), Errno::ENOTEMPTY);
    fails(layer.remove_dir(at("d/file")), Errno::ENOTDIR);
    fails(layer.remove_dir(at("d/link")), Errno::ENOTDIR);
    fails(layer.remove_dir(at("missing")), Errno::ENOENT);
    fails(layer.remove_file(at("d/sub")), Errno::EISDIR);
    fails(layer.remove_file(at("missing")), Errno::ENOENT);
    layer.remove_file(at("d/link")).unwrap();
    layer.remove_file(at("d/file")).unwrap();
    layer.remove_dir(at("d/sub")).unwrap();
    layer.remove_dir(at("d")).unwrap();
    assert_eq!(list(layer, "").unwrap(), []);
    for index in 0..2000 {
        put(layer, &format!("many-{index}"), b"");
    }
    assert_eq!(layer.read_dir(at("")).unwrap().len(), 2000);
}

fn links_inside(layer: &dyn Layer) {
    layer.create_dir(at("real"), 0o755).unwrap();
    layer.create_dir(at("real/deep"), 0o755).unwrap();
    put(layer, "real/deep/file", b"text");
    layer.symlink(b"real", at("dir-link")).unwrap();
    layer.symlink(b"real/deep/../deep/./file", at("file-link")).unwrap();
    layer.symlink(b"../../real/deep/file", at("real/deep/up-link")).unwrap();
    layer.symlink(b"dir-link/deep", at("link-link")).unwrap();
    layer.symlink(b"file-link/", at("file-slash")).unwrap();
    layer.symlink(b"real//deep/", at("dir-slash")).unwrap();
    layer.symlink(b".", at("self")).unwrap();
    for path in [
        "dir-link/deep/file",
        "file-link",
        "real/deep/up-link",
        "link-link/file",
        "link-link/up-link",
        "dir-slash/file",
        "self/self/self/file-link",
    ] {
        assert_eq!(get(layer, path).unwrap(), b"text", "{path}");
    }
    fails(get(layer, "file-slash"), Errno::ENOTDIR);
    fails(get(layer, "file-link/x"), Errno::ENOTDIR);
    assert_eq!(layer.read_link(at("dir-link")).unwrap(), b"real");
    assert_eq!(layer.read_link(at("link-link/up-link")).unwrap(), b"../../real/deep/file");
    fails(layer.read_link(at("real")), Errno::EINVAL);
    fails(layer.read_link(at("real/deep/file")), Errno::EINVAL);
    fails(layer.read_link(at("missing")), Errno::ENOENT);
    let of = |path, last| layer.metadata(at(path), last).unwrap().kind();
    assert_eq!(of("dir-link", FinalLink::Follow), FileKind::Directory);
    assert_eq!(of("dir-link", FinalLink::Keep), FileKind::Symlink);
    assert_eq!(of("self/dir-link", FinalLink::Keep), FileKind::Symlink);
    assert_eq!(of("self/file-link", FinalLink::Follow), FileKind::Regular);
    assert_eq!(layer.metadata(at("dir-link"), FinalLink::Keep).unwrap().size, 4);
    assert_eq!(list(layer, "link-link").unwrap().len(), 2);
    // Changes go through links in the middle, never through the last one.
    put(layer, "link-link/new", b"");
    assert_eq!(of("real/deep/new", FinalLink::Keep), FileKind::Regular);
    layer.remove_file(at("dir-link/deep/new")).unwrap();
    fails(layer.create_dir(at("dir-link"), 0o755), Errno::EEXIST);
    layer.remove_file(at("dir-link")).unwrap();
    assert_eq!(of("real", FinalLink::Keep), FileKind::Directory);
}

/// Everything that a path can do to get out.
fn links_out(layer: &dyn Layer) {
    layer.create_dir(at("d"), 0o755).unwrap();
    let outward: &[(&str, &[u8])] = &[
        ("absolute", b"/etc/passwd"),
        ("root", b"/"),
        ("above", b".."),
        ("above-file", b"../../../etc/passwd"),
        ("d/above", b"../.."),
        ("through", b"d/../../x"),
        ("chain", b"d/above"),
        ("proc", b"/proc/self/root/etc/passwd"),
    ];
    for (path, target) in outward {
        layer.symlink(target, at(path)).unwrap();
    }
    for (path, target) in outward {
        assert_eq!(layer.read_link(at(path)).unwrap(), *target);
        assert_eq!(layer.metadata(at(path), FinalLink::Keep).unwrap().kind(), FileKind::Symlink);
        leaves(layer.metadata(at(path), FinalLink::Follow));
        leaves(layer.open(at(path), &OpenOptions::READ));
        leaves(layer.open(at(path), &writing(NewFile::IfMissing)));
        leaves(layer.read(at(path), 1 << 20));
        leaves(layer.read_dir(at(path)));
        leaves(layer.canonicalize(at(path)));
        leaves(layer.access(at(path), AccessMode::default()));
        leaves(layer.set_permissions(at(path), 0o777));
        leaves(layer.set_times(at(path), FinalLink::Follow, Time::default(), Time::default()));
        leaves(layer.set_owner(at(path), FinalLink::Follow, Owner::default()));
        leaves(layer.statistics(at(path)));
        assert_eq!(layer.metadata_plain(at(path)).unwrap().kind(), FileKind::Symlink);
        fails(layer.metadata_plain(at(&format!("{path}/x"))), Errno::ELOOP);
        let below = format!("{path}/x");
        leaves(layer.metadata(at(&below), FinalLink::Keep));
        leaves(layer.read_link(at(&below)));
        leaves(layer.create_dir(at(&below), 0o755));
        leaves(layer.remove_dir(at(&below)));
        leaves(layer.remove_file(at(&below)));
        leaves(layer.symlink(b"x", at(&below)));
        leaves(layer.rename(at("d"), at(&below)));
        leaves(layer.rename(at(&below), at("e")));
        leaves(layer.hard_link(at(&below), at("e")));
        leaves(layer.open(at(&below), &writing(NewFile::Always)));
    }
    assert_eq!(list(layer, "").unwrap().len(), outward.len());
}

fn link_loops(layer: &dyn Layer) {
    layer.symlink(b"self", at("self")).unwrap();
    layer.symlink(b"pong", at("ping")).unwrap();
    layer.symlink(b"ping", at("pong")).unwrap();
    for path in ["self", "ping", "self/x", "ping/x"] {
        fails(layer.metadata(at(path), FinalLink::Follow), Errno::ELOOP);
        fails(layer.canonicalize(at(path)), Errno::ELOOP);
        fails(layer.open(at(path), &OpenOptions::READ), Errno::ELOOP);
    }
    put(layer, "end", b"!");
    layer.symlink(b"end", at("hop-0")).unwrap();
    for index in 1..=40 {
        layer.symlink(format!("hop-{}", index - 1).as_bytes(), at(&format!("hop-{index}"))).unwrap();
    }
    assert_eq!(get(layer, "hop-39").unwrap(), b"!", "forty links are followed");
    fails(get(layer, "hop-40"), Errno::ELOOP);
    assert_eq!(layer.canonicalize(at("hop-39")).unwrap(), b"end");
}

/// Links that lead up and down again, to where the kernel's own resolution tests lay their traps: beside, above and at
/// the root, with `.` and empty components on the way.
fn trap_links(layer: &dyn Layer) {
    for folder in ["a", "a/b", "a/b/c", "z"] {
        layer.create_dir(at(folder), 0o755).unwrap();
    }
    put(layer, "z/file", b"z");
    let inside: &[(&str, &[u8])] = &[
        ("a/b/c/to-root", b"../../.."),
        ("a/b/c/around", b"../../../z"),
        ("a/b/c/dots", b"./.././..//../z/./"),
        ("a/to-top", b"b/c/../../.."),
        ("a/b/c/up-down", b"../../b/c/../../../a/../z"),
    ];
    let outside: &[(&str, &[u8])] = &[
        ("a/b/c/past-root", b"../../../.."),
        ("a/b/c/past-and-back", b"../../../../anything/a"),
        ("a/b/c/via-top", b"../../to-top/../z"),
        ("a/absolute-self", b"/a"),
        ("a/double-slash", b"//z"),
    ];
    for (path, target) in inside.iter().chain(outside) {
        layer.symlink(target, at(path)).unwrap();
    }
    for (path, _) in inside {
        assert!(layer.metadata(at(path), FinalLink::Follow).unwrap().is_dir(), "{path}");
        assert!(list(layer, path).is_ok(), "{path}");
    }
    assert_eq!(get(layer, "a/b/c/around/file").unwrap(), b"z");
    assert_eq!(get(layer, "a/b/c/to-root/a/to-top/z/file").unwrap(), b"z");
    assert_eq!(layer.canonicalize(at("a/b/c/dots/file")).unwrap(), b"z/file");
    assert_eq!(layer.canonicalize(at("a/to-top")).unwrap(), b"");
    for (path, _) in outside {
        leaves(layer.metadata(at(path), FinalLink::Follow));
        leaves(layer.open(at(path), &OpenOptions::READ));
        leaves(list(layer, path));
    }
}

fn canonical(layer: &dyn Layer) {
    layer.create_dir(at("real"), 0o755).unwrap();
    put(layer, "real/file", b"");
    layer.symlink(b"real", at("link")).unwrap();
    layer.symlink(b"missing", at("dangling")).unwrap();
    assert_eq!(layer.canonicalize(at("real/file")).unwrap(), b"real/file");
    assert_eq!(layer.canonicalize(at("link/file")).unwrap(), b"real/file");
    assert_eq!(layer.canonicalize(at("link")).unwrap(), b"real");
    assert_eq!(layer.canonicalize(at("")).unwrap(), b"");
    fails(layer.canonicalize(at("link/missing")), Errno::ENOENT);
    fails(layer.canonicalize(at("dangling")), Errno::ENOENT);
    fails(layer.canonicalize(at("real/file/x")), Errno::ENOTDIR);
    fails(layer.canonicalize(at("link/file/x")), Errno::ENOTDIR);
}

fn rename(layer: &dyn Layer) {
    let rename = |from, to| layer.rename(at(from), at(to));
    fails(rename("a", "b"), Errno::ENOENT);
    put(layer, "a", b"a");
    rename("a", "a").unwrap();
    rename("a", "b").unwrap();
    fails(get(layer, "a"), Errno::ENOENT);
    put(layer, "c", b"c");
    rename("b", "c").unwrap();
    assert_eq!(get(layer, "c").unwrap(), b"a");
    layer.create_dir(at("d"), 0o755).unwrap();
    layer.create_dir(at("d/e"), 0o755).unwrap();
    layer.create_dir(at("f"), 0o755).unwrap();
    fails(rename("c", "d"), Errno::EISDIR);
    fails(rename("d", "c"), Errno::ENOTDIR);
    fails(rename("f", "d"), Errno::ENOTEMPTY);
    fails(rename("d", "d/e/inside"), Errno::EINVAL);
    fails(rename("d/e", "d"), Errno::ENOTEMPTY);
    fails(rename("c", "missing/c"), Errno::ENOENT);
    fails(rename("c/x", "y"), Errno::ENOTDIR);
    rename("d", "f").unwrap();
    assert_eq!(list(layer, "f").unwrap(), [("e".to_owned(), FileKind::Directory)]);
    layer.symlink(b"c", at("link")).unwrap();
    rename("link", "moved").unwrap();
    assert_eq!(layer.read_link(at("moved")).unwrap(), b"c");
    rename("c", "moved").unwrap();
    assert_eq!(get(layer, "moved").unwrap(), b"a");
    assert_eq!(layer.metadata(at("moved"), FinalLink::Keep).unwrap().nlink, 1);
}

fn hard_links(layer: &dyn Layer) {
    let link = |from, to| layer.hard_link(at(from), at(to));
    put(layer, "a", b"one");
    link("a", "b").unwrap();
    fails(link("a", "b"), Errno::EEXIST);
    fails(link("missing", "x"), Errno::ENOENT);
    layer.create_dir(at("d"), 0o755).unwrap();
    fails(link("d", "e"), Errno::EPERM);
    put(layer, "b", b"two");
    assert_eq!(get(layer, "a").unwrap(), b"two");
    let of = |path| layer.metadata(at(path), FinalLink::Keep).unwrap();
    assert_eq!((of("a").ino, of("a").nlink), (of("b").ino, 2));
    layer.rename(at("a"), at("b")).unwrap();
    assert_eq!(list(layer, "").unwrap().len(), 3, "renaming a file onto itself does nothing");
    layer.remove_file(at("a")).unwrap();
    assert_eq!(of("b").nlink, 1);
    layer.symlink(b"nowhere", at("s")).unwrap();
    link("s", "t").unwrap();
    assert_eq!(layer.read_link(at("t")).unwrap(), b"nowhere");
}

fn access(layer: &dyn Layer) {
    let (read, write, execute) = (true, true, true);
    put(layer, "a", b"");
    layer.create_dir(at("d"), 0o755).unwrap();
    layer.access(at("a"), AccessMode::default()).unwrap();
    layer.access(at("a"), AccessMode { read, write, execute: false }).unwrap();
    layer.access(at("d"), AccessMode { read, write, execute }).unwrap();
    fails(layer.access(at("a"), AccessMode { execute, ..AccessMode::default() }), Errno::EACCES);
    layer.set_permissions(at("a"), 0o755).unwrap();
    layer.access(at("a"), AccessMode { execute, ..AccessMode::default() }).unwrap();
    fails(layer.access(at("missing"), AccessMode { write, ..AccessMode::default() }), Errno::ENOENT);
    fails(layer.access(at("a/b"), AccessMode::default()), Errno::ENOTDIR);
}

fn attributes(layer: &dyn Layer) {
    let time = |seconds, nanoseconds| Time { seconds, nanoseconds };
    put(layer, "a", b"");
    layer.symlink(b"a", at("link")).unwrap();
    layer.set_times(at("link"), FinalLink::Follow, time(1, 2), time(3, 4)).unwrap();
    let of = |path| layer.metadata(at(path), FinalLink::Keep).unwrap();
    assert_eq!((of("a").accessed, of("a").modified), (time(1, 2), time(3, 4)));
    assert_ne!(of("link").modified, time(3, 4));
    layer.set_times(at("link"), FinalLink::Keep, time(5, 0), time(6, 999_999_999)).unwrap();
    assert_eq!(of("link").modified, time(6, 999_999_999));
    assert_eq!(of("a").modified, time(3, 4));
    let file = layer.open(at("a"), &OpenOptions::READ).unwrap();
    file.set_times(time(7, 0), time(-8, 0)).unwrap();
    assert_eq!(of("a").modified, time(-8, 0));
    layer.set_permissions(at("link"), 0o7640).unwrap();
    assert_eq!(of("a").mode, 0o100_640);
    fails(layer.set_permissions(at("missing"), 0o600), Errno::ENOENT);
    let born = of("a").born;
    put(layer, "a", b"more");
    assert_eq!(of("a").born, born);
    assert!(of("a").modified > time(1_700_000_000, 0), "writing sets the time");
}

/// What every layer accepts: the owner that a file has.
fn owners(layer: &dyn Layer) {
    put(layer, "a", b"");
    layer.create_dir(at("d"), 0o755).unwrap();
    layer.symlink(b"a", at("link")).unwrap();
    layer.symlink(b"none", at("dangling")).unwrap();
    for path in ["a", "d", "link"] {
        let found = layer.metadata(at(path), FinalLink::Follow).unwrap();
        let owner = Owner { uid: Some(found.uid), gid: Some(found.gid) };
        for owner in [owner, Owner { uid: None, ..owner }, Owner { gid: None, ..owner }, Owner::default()] {
            layer.set_owner(at(path), FinalLink::Follow, owner).unwrap();
            layer.set_owner(at(path), FinalLink::Keep, owner).unwrap();
            layer.open(at(path), &OpenOptions::READ).unwrap().set_owner(owner).unwrap();
        }
    }
    layer.set_owner(at("dangling"), FinalLink::Keep, Owner::default()).unwrap();
    for path in ["dangling", "missing", "d/missing"] {
        fails(layer.set_owner(at(path), FinalLink::Follow, Owner::default()), Errno::ENOENT);
    }
    fails(layer.set_owner(at("a/b"), FinalLink::Follow, Owner::default()), Errno::ENOTDIR);
}

fn storing(layer: &dyn Layer) {
    layer.create_dir(at("d"), 0o755).unwrap();
    let file = layer.open(at("d/a"), &writing(NewFile::Always)).unwrap();
    file.write_at(b"stored", 0).unwrap();
    file.sync().unwrap();
    file.sync_data().unwrap();
    for options in [OpenOptions::READ, OpenOptions { directory: true, ..OpenOptions::READ }] {
        let directory = layer.open(at("d"), &options).unwrap();
        directory.sync().unwrap();
        directory.sync_data().unwrap();
        assert_eq!(directory.write_at(b"x", 0), Err(Errno::EBADF));
        assert_eq!(directory.truncate(0), Err(Errno::EINVAL));
    }
    assert_eq!(get(layer, "d/a").unwrap(), b"stored");
}

/// Each append is whole and at the end, whoever else appends.
fn appending(layer: &dyn Layer) {
    const WRITERS: u8 = 4;
    const RECORDS: usize = 300;
    let append = OpenOptions { append: true, create: NewFile::IfMissing, read: false, ..OpenOptions::READ };
    let shared = layer.open(at("log"), &append).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let shared = &shared;
            scope.spawn(move || {
                let own = layer.open(at("log"), &append).unwrap();
                let record = [b'a' + writer; 16];
                for index in 0..RECORDS {
                    let file = if index % 2 == 0 { shared } else { &own };
                    assert_eq!(file.write_at(&record, 0), Ok(record.len()));
                }
            });
        }
    });
    let content = get(layer, "log").unwrap();
    assert_eq!(content.len(), usize::from(WRITERS) * RECORDS * 16);
    assert!(content.chunks(16).all(|record| record.iter().all(|byte| *byte == record[0])), "no record is torn");
}

fn statistics(layer: &dyn Layer) {
    put(layer, "a", &vec![1; 20_000]);
    layer.symlink(b"a", at("link")).unwrap();
    for path in ["", "a", "link"] {
        let found = layer.statistics(at(path)).unwrap();
        assert!(found.kind > 0 && found.block_size > 0 && found.blocks > 0, "{found:?}");
        assert!(found.available_blocks <= found.free_blocks && found.free_blocks <= found.blocks, "{found:?}");
        assert!(found.free_inodes <= found.inodes, "{found:?}");
    }
    fails(layer.statistics(at("missing")), Errno::ENOENT);
    fails(layer.statistics(at("a/b")), Errno::ENOTDIR);
}

fn raw_names(layer: &dyn Layer) {
    let name: &[u8] = b"\xff\xfe";
    let path = atoll_vfs::LayerPath::new(name).unwrap();
    layer.create_dir(path, 0o755).unwrap();
    assert_eq!(layer.read_dir(at("")).unwrap().iter().next().unwrap().0, name);
    let longest = "n".repeat(255);
    put(layer, &longest, b"");
    assert_eq!(layer.read_dir(at("")).unwrap().len(), 2);
    layer.symlink("n".repeat(256).as_bytes(), at("long")).unwrap();
    fails(layer.metadata(at("long"), FinalLink::Follow), Errno::ENAMETOOLONG);
    fails(layer.symlink(b"", at("empty")), Errno::ENOENT);
    fails(layer.symlink(&[b'x'; 5000], at("too-long")), Errno::ENAMETOOLONG);
}

fn the_root(layer: &dyn Layer) {
    assert!(layer.metadata(at(""), FinalLink::Keep).unwrap().is_dir());
    assert_eq!(list(layer, "").unwrap(), []);
    assert!(layer.open(at(""), &OpenOptions::READ).unwrap().metadata().unwrap().is_dir());
    fails(layer.read(at(""), 1), Errno::EISDIR);
    fails(layer.read_link(at("")), Errno::EINVAL);
    fails(layer.create_dir(at(""), 0o755), Errno::EEXIST);
    fails(layer.remove_dir(at("")), Errno::EBUSY);
    fails(layer.remove_file(at("")), Errno::EISDIR);
    fails(layer.symlink(b"x", at("")), Errno::EEXIST);
    put(layer, "a", b"");
    fails(layer.rename(at(""), at("b")), Errno::EBUSY);
    fails(layer.rename(at("a"), at("")), Errno::EBUSY);
    fails(layer.open(at(""), &writing(NewFile::IfMissing)), Errno::EISDIR);
    layer.access(at(""), AccessMode::default()).unwrap();
}
