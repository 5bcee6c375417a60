//! Paths as guests write them: parsing, joining, and resolving through a mount table with links, of any bytes.
//!
//! Nothing may panic or go on for long, and what comes out of resolution has the form that its type promises, has no
//! links any more, and means the same file.

#![no_main]

use arbitrary::Arbitrary;
use atoll_vfs::{
    Access, Ending, FinalLink, FsError, GuestPath, Layer, LayerPath, Memory, MountTable, NewFile, OpenOptions, Overlay,
    Quota,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// Operations tried per input.
const MAX_STEPS: usize = 64;

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Directory(&'a [u8]),
    File(&'a [u8]),
    Link { target: &'a [u8], at: &'a [u8] },
    HardLink { from: &'a [u8], to: &'a [u8] },
    Rename { from: &'a [u8], to: &'a [u8] },
    Remove(&'a [u8]),
    Work(&'a [u8]),
    Look(&'a [u8]),
}

fn parsed(base: &GuestPath, bytes: &[u8]) -> Option<GuestPath> {
    let path = match base.join_bytes(bytes) {
        Ok(path) => path,
        Err(error) => {
            // The only reasons there are.
            let reasons = bytes.is_empty() || bytes.contains(&0) || base.as_bytes().len() + bytes.len() > 4095;
            assert!(reasons, "{bytes:?}: {error}");
            return None;
        }
    };
    assert!(path.as_bytes().starts_with(b"/") && path.as_bytes().len() <= 4095 && !path.as_bytes().contains(&0));
    assert!(path.components().all(|name| !name.is_empty() && name != b"."));
    assert!(path.components().next() != Some(b".."));
    assert!(path.is_root() || !path.as_bytes().ends_with(b"/"));
    let again = GuestPath::root().join_bytes(path.as_bytes()).expect("what was parsed can be parsed");
    assert_eq!(again.as_bytes(), path.as_bytes());
    assert_eq!(path.has_parent_components(), path.components().any(|name| name == b".."));
    if bytes.ends_with(b"/..") || bytes == b".." {
        assert_eq!(path.ending(), Ending::Parent);
    }
    for layer in [Some(path.as_bytes()), path.as_bytes().strip_prefix(b"/")].into_iter().flatten() {
        if let Some(below) = LayerPath::new(layer) {
            assert!(below.components().all(|name| !matches!(name, b"" | b"." | b"..")));
            if let Some((directory, name)) = below.split_last() {
                let joined = [directory.as_bytes(), name].join(&b'/');
                assert!(joined == below.as_bytes() || directory.is_root() && name == below.as_bytes());
            }
        }
    }
    Some(path)
}

fn look(table: &MountTable, path: &GuestPath) {
    let found = table.metadata(path);
    let real = table.canonicalize(path);
    match (&found, &real) {
        (Ok(found), Ok(real)) => {
            assert!(!real.has_parent_components() && !real.wants_directory());
            let plain = table.symlink_metadata(real).expect("what was resolved is there");
            assert_eq!((plain.dev, plain.ino, plain.mode), (found.dev, found.ino, found.mode), "{path:?} is {real:?}");
            assert_eq!(&table.canonicalize(real).expect("resolved once, resolved for good"), real);
            if found.is_dir() {
                for entry in table.read_dir(path).expect("a directory can be listed") {
                    let child = real.join_bytes(&entry.name).expect("a name can be joined");
                    let child = table.symlink_metadata(&child).expect("what is listed is there");
                    assert_eq!(child.kind(), entry.kind);
                }
            }
        }
        (Err(found), Err(real)) => assert_eq!(found.errno, real.errno, "{path:?}"),
        _ => panic!("{path:?}: {found:?} {real:?}"),
    }
    let _: Result<_, FsError> = table.read_link(path);
    let _ = table.read(path, 1 << 16);
    let _ = table.open(path, &OpenOptions { create: NewFile::IfMissing, ..OpenOptions::READ });
    let _ = table.set_times(path, FinalLink::Keep, Default::default(), Default::default());
}

fn tree() -> MountTable {
    let lower = Memory::new(Quota::DEFAULT);
    lower.create_dir(LayerPath::new(b"d").expect("a path"), 0o755).expect("room");
    lower.symlink(b"/tmp/x", LayerPath::new(b"d/out").expect("a path")).expect("room");
    lower.symlink(b"..", LayerPath::new(b"d/up").expect("a path")).expect("room");
    lower.create_dir(LayerPath::new(b"m").expect("a path"), 0o755).expect("room");
    let quota = Quota { bytes: 1 << 16, inodes: 256 };
    let overlay = Overlay::new(Arc::new(lower), quota).expect("a lower layer");
    MountTable::builder()
        .mount("/a", overlay, Access::ReadWrite)
        .and_then(|table| table.mount("/a/m", Memory::new(quota), Access::ReadWrite))
        .and_then(|table| table.mount("/tmp", Memory::new(quota), Access::ReadWrite))
        .and_then(|table| table.build())
        .expect("a table")
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let table = tree();
    let mut base = GuestPath::new("/a").expect("a path");
    for step in steps.iter().take(MAX_STEPS) {
        let two = |from: &[u8], to: &[u8]| Some((parsed(&base, from)?, parsed(&base, to)?));
        match step {
            Step::Directory(at) => {
                let _ = parsed(&base, at).map(|path| table.create_dir(&path, 0o755));
            }
            Step::File(at) => {
                let _ = parsed(&base, at).map(|path| table.write(&path, b"content"));
            }
            Step::Link { target, at } => {
                let _ = parsed(&base, at).map(|path| table.symlink(target, &path));
            }
            Step::HardLink { from, to } => {
                let _ = two(from, to).map(|(from, to)| table.hard_link(&from, &to));
            }
            Step::Rename { from, to } => {
                let _ = two(from, to).map(|(from, to)| table.rename(&from, &to));
            }
            Step::Remove(at) => {
                let _ = parsed(&base, at).map(|path| table.remove_file(&path).or_else(|_| table.remove_dir(&path)));
            }
            Step::Work(at) => {
                if let Some(path) = parsed(&base, at).filter(|path| path.as_bytes().len() < 1000) {
                    base = path;
                }
            }
            Step::Look(at) => {
                if let Some(path) = parsed(&base, at) {
                    look(&table, &path);
                }
            }
        }
    }
    look(&table, &base);
});
