//! Attacks on the quota of memory: whatever is kept is counted, and what is refused leaves nothing behind.

use crate::support::{at, fails, put, writing};
use atoll_vfs::{Errno, FinalLink, Layer, LayerError, Memory, NewFile, OpenOptions, Owner, Quota};

const SMALL: Quota = Quota { bytes: 10_000, inodes: 100 };

/// The most that files may hold, whatever the layer's quota: what an offset of Linux can say.
const LARGEST_OFFSET: u64 = i64::MAX as u64;

#[test]
fn holes_are_paid_for_or_refused() {
    let memory = Memory::new(SMALL);
    let file = memory.open(at("a"), &writing(NewFile::Always)).unwrap();
    let before = memory.used();
    for length in [10_001, 1 << 32, 1 << 50, LARGEST_OFFSET, u64::MAX] {
        assert_eq!(file.truncate(length), Err(Errno::ENOSPC), "{length}");
    }
    for offset in [10_001, 1 << 32, 1 << 50, LARGEST_OFFSET] {
        assert_eq!(file.write_at(b"x", offset), Err(Errno::ENOSPC), "{offset}");
    }
    assert_eq!(file.write_at(b"xy", u64::MAX - 1), Err(Errno::EFBIG));
    assert_eq!((memory.used(), file.metadata().unwrap().size), (before, 0));
    file.write_at(b"x", 5000).unwrap();
    assert_eq!(memory.used().bytes, before.bytes + 5001);
    assert_eq!(file.write_at(&[], 1 << 50), Ok(0), "nothing written makes no hole");
    file.truncate(0).unwrap();
    assert_eq!(memory.used(), before);
}

/// Without a quota on bytes, memory itself is what ends it: an error, and not the process.
#[test]
fn what_cannot_be_had_is_an_error() {
    let memory = Memory::new(Quota { bytes: u64::MAX, inodes: 10 });
    let file = memory.open(at("a"), &writing(NewFile::Always)).unwrap();
    let before = memory.used();
    for length in [1 << 47, 1 << 50, LARGEST_OFFSET] {
        assert_eq!(file.truncate(length), Err(Errno::ENOSPC), "{length}");
        assert_eq!(file.write_at(b"x", length), Err(Errno::ENOSPC), "{length}");
    }
    assert_eq!((memory.used(), file.metadata().unwrap().size), (before, 0));
}

#[test]
fn names_are_paid_for() {
    let memory = Memory::new(Quota { bytes: 1000, inodes: 1 << 20 });
    let long = |index: usize| format!("{index:0>200}");
    for index in 0..5 {
        put(&memory, &long(index), b"");
    }
    assert_eq!(memory.used().bytes, 1000);
    fails(memory.open(at("x"), &writing(NewFile::Always)), Errno::ENOSPC);
    fails(memory.create_dir(at("x"), 0o755), Errno::ENOSPC);
    fails(memory.hard_link(at(&long(0)), at("x")), Errno::ENOSPC);
    fails(memory.symlink(b"x", at("x")), Errno::ENOSPC);
    let longer = "n".repeat(201);
    fails(memory.rename(at(&long(0)), at(&longer)), Errno::ENOSPC);
    memory.rename(at(&long(0)), at("short")).unwrap();
    assert_eq!(memory.used().bytes, 805);
    memory.rename(at("short"), at(&long(1))).unwrap();
    assert_eq!(memory.used().bytes, 800);
    assert_eq!(memory.read_dir(at("")).unwrap().len(), 4);
}

#[test]
fn link_texts_are_paid_for() {
    let memory = Memory::new(SMALL);
    let text = [b'x'; 4000];
    memory.symlink(&text, at("a")).unwrap();
    memory.symlink(&text, at("b")).unwrap();
    fails(memory.symlink(&text, at("c")), Errno::ENOSPC);
    memory.hard_link(at("a"), at("c")).unwrap();
    assert_eq!(memory.used().bytes, 8003);
    memory.remove_file(at("a")).unwrap();
    memory.remove_file(at("c")).unwrap();
    assert_eq!(memory.used().bytes, 4001);
}

#[test]
fn every_kind_of_entry_is_counted() {
    let memory = Memory::new(SMALL);
    put(&memory, "file", b"");
    let mut made = 2;
    let mut refused = 0;
    for index in 0..200 {
        let name = format!("{index}");
        let result = match index % 4 {
            0 => memory.create_dir(at(&name), 0o755),
            1 => memory.symlink(b"x", at(&name)),
            2 => memory.hard_link(at("file"), at(&name)),
            _ => memory.open(at(&name), &writing(NewFile::Always)).map(drop),
        };
        match result {
            Ok(()) => made += 1,
            Err(error) => {
                assert_eq!(error, LayerError::Errno(Errno::ENOSPC));
                refused += 1;
            }
        }
    }
    assert_eq!((made, refused, memory.used().inodes), (100, 102, 100));
}

/// Files without a name are paid for as long as they are open.
#[test]
fn files_that_are_removed_while_open_are_paid_for() {
    let memory = Memory::new(SMALL);
    let mut open = Vec::new();
    loop {
        let Ok(file) = memory.open(at("a"), &writing(NewFile::Always)) else { break };
        let written = file.write_at(&[1; 3000], 0);
        memory.remove_file(at("a")).unwrap();
        if written.is_err() {
            break;
        }
        open.push(file);
    }
    assert_eq!(open.len(), 3);
    assert_eq!(memory.used(), Quota { bytes: 9000, inodes: 1 });
    drop(open);
    assert_eq!(memory.used(), Quota { bytes: 0, inodes: 1 });
}

/// What fails for another reason is not paid for either, and neither is what changes no size.
#[test]
fn failures_and_attributes_cost_nothing() {
    let memory = Memory::new(SMALL);
    put(&memory, "a", b"text");
    memory.create_dir(at("d"), 0o755).unwrap();
    let before = memory.used();
    for _ in 0..1000 {
        fails(memory.open(at("a"), &writing(NewFile::Always)), Errno::EEXIST);
        fails(memory.create_dir(at("a"), 0o755), Errno::EEXIST);
        fails(memory.create_dir(at("a/b"), 0o755), Errno::ENOTDIR);
        fails(memory.symlink(&[b'x'; 3000], at("d")), Errno::EEXIST);
        fails(memory.symlink(&[b'x'; 3000], at("none/x")), Errno::ENOENT);
        fails(memory.hard_link(at("d"), at("e")), Errno::EPERM);
        fails(memory.rename(at("d"), at("d/e")), Errno::EINVAL);
        memory.set_permissions(at("a"), 0o600).unwrap();
        memory.set_owner(at("a"), FinalLink::Follow, Owner { uid: Some(7), gid: Some(u32::MAX - 1) }).unwrap();
        memory.open(at("a"), &OpenOptions::READ).unwrap();
    }
    assert_eq!(memory.used(), before);
    let found = memory.metadata(at("a"), FinalLink::Follow).unwrap();
    assert_eq!((found.uid, found.gid), (7, u32::MAX - 1), "in memory, owners are numbers that are kept");
}

/// Threads that fill and empty a layer at its limit never get past it, and all is given back.
#[test]
fn the_limit_holds_for_many_threads() {
    let memory = Memory::new(SMALL);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                for round in 0..300 {
                    let name = format!("{thread}-{}", round % 7);
                    if let Ok(file) = memory.open(at(&name), &writing(NewFile::IfMissing)) {
                        let _ = file.truncate(round * 97 % 6000);
                        let _ = file.write_at(&[1; 500], round * 31 % 5000);
                    }
                    let _ = memory.rename(at(&name), at(&format!("{thread}-moved")));
                    let used = memory.used();
                    assert!(used.bytes <= SMALL.bytes && used.inodes <= SMALL.inodes, "{used:?}");
                }
            });
        }
    });
    crate::support::sweep(&memory, "");
    assert_eq!(memory.used(), Quota { bytes: 0, inodes: 1 });
}

#[test]
fn statfs_tells_what_is_left() {
    let memory = Memory::new(Quota { bytes: 1 << 20, inodes: 10 });
    let before = memory.statistics(at("")).unwrap();
    assert_eq!((before.blocks, before.free_blocks, before.free_inodes), (256, 256, 9));
    put(&memory, "a", &[0; 8192]);
    let after = memory.statistics(at("a")).unwrap();
    // The name takes a byte of a third block.
    assert_eq!((after.blocks, after.available_blocks, after.free_inodes), (256, 253, 8));
}
