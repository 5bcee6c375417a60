//! What is particular to memory: its quota.

use crate::support::{at, fails, guest, put, writing};
use atoll_sys::count;
use atoll_vfs::{Access, Errno, Layer, LayerPath, Memory, MountTable, NewFile, OpenOptions, Quota};

/// Each test's names have one byte, but `link`, which has four.
const SMALL: Quota = Quota { bytes: 1002, inodes: 5 };

#[test]
fn bytes_are_counted_and_given_back() {
    let memory = Memory::new(SMALL);
    let empty = memory.used();
    put(&memory, "a", &[1; 600]);
    assert_eq!(memory.used().bytes, 601);
    let file = memory.open(at("b"), &writing(NewFile::Always)).unwrap();
    assert_eq!(file.write_at(&[2; 401], 0), Err(Errno::ENOSPC));
    assert_eq!(file.write_at(&[2; 400], 0), Ok(400));
    assert_eq!(file.write_at(&[3; 400], 0), Ok(400), "overwriting costs nothing");
    assert_eq!(file.write_at(b"x", 400), Err(Errno::ENOSPC));
    assert_eq!(file.truncate(u64::MAX), Err(Errno::ENOSPC));
    assert_eq!(file.write_at(b"x", u64::MAX), Err(Errno::EFBIG));
    assert_eq!(file.write_at(b"x", 1 << 40), Err(Errno::ENOSPC));
    fails(memory.symlink(&[b'x'; 10], at("link")), Errno::ENOSPC);
    file.truncate(100).unwrap();
    assert_eq!(memory.used().bytes, 702);
    memory.symlink(&[b'x'; 10], at("link")).unwrap();
    memory.remove_file(at("link")).unwrap();
    memory.remove_file(at("a")).unwrap();
    memory.remove_file(at("b")).unwrap();
    assert_eq!(memory.used().bytes, 100, "an open file keeps its bytes");
    drop(file);
    assert_eq!(memory.used(), empty);
}

#[test]
fn inodes_are_counted_and_given_back() {
    let memory = Memory::new(SMALL);
    let empty = memory.used();
    assert_eq!(empty.inodes, 1, "the root");
    put(&memory, "a", b"");
    memory.hard_link(at("a"), at("b")).unwrap();
    memory.create_dir(at("d"), 0o755).unwrap();
    memory.symlink(b"a", at("s")).unwrap();
    fails(memory.open(at("x"), &writing(NewFile::Always)), Errno::ENOSPC);
    fails(memory.create_dir(at("x"), 0o755), Errno::ENOSPC);
    fails(memory.symlink(b"a", at("x")), Errno::ENOSPC);
    fails(memory.hard_link(at("a"), at("x")), Errno::ENOSPC);
    memory.rename(at("s"), at("t")).unwrap();
    memory.rename(at("t"), at("b")).unwrap();
    assert_eq!(memory.used().inodes, 4);
    put(&memory, "again", b"");
    for path in ["again", "a", "b"] {
        memory.remove_file(at(path)).unwrap();
    }
    memory.remove_dir(at("d")).unwrap();
    assert_eq!(memory.used(), empty);
}

#[test]
fn replacing_by_rename_gives_the_old_file_back() {
    let memory = Memory::new(Quota::DEFAULT);
    put(&memory, "a", &[0; 100]);
    put(&memory, "b", &[0; 50]);
    memory.rename(at("b"), at("a")).unwrap();
    assert_eq!(memory.used().bytes, 51);
}

/// A guest can nest directories deeper than any path reaches, by renaming a deep tree into another; forgetting them all
/// must not overflow the stack.
#[test]
fn a_bottomless_tree_is_dropped() {
    const DEEP: usize = 200;
    const ROUNDS: usize = 300;
    let memory = Memory::new(Quota { bytes: u64::MAX, inodes: u64::MAX });
    let chain = |top: &str, depth: usize| format!("{top}{}", "/d".repeat(depth));
    memory.create_dir(at("top"), 0o755).unwrap();
    for round in 0..ROUNDS {
        // A new chain, and all that was so far goes to its end.
        memory.create_dir(at("new"), 0o755).unwrap();
        for depth in 1..=DEEP {
            memory.create_dir(at(&chain("new", depth)), 0o755).unwrap();
        }
        memory.rename(at("top"), at(&format!("{}/t", chain("new", DEEP)))).unwrap();
        memory.rename(at("new"), at("top")).unwrap();
        assert_eq!(memory.used().inodes as usize, 2 + (round + 1) * (DEEP + 1));
    }
    std::thread::Builder::new().stack_size(128 * 1024).spawn(move || drop(memory)).unwrap().join().unwrap();
}

#[test]
fn threads_share_a_layer() {
    let memory = Memory::new(Quota::DEFAULT);
    memory.create_dir(at("d"), 0o755).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                for round in 0..200 {
                    let path = format!("d/{thread}-{round}");
                    put(memory, &path, path.as_bytes());
                    let shared = LayerPath::new(b"shared").unwrap();
                    let file = memory.open(shared, &OpenOptions { append: true, ..OpenOptions::REPLACE }).unwrap();
                    file.write_at(b"x", 0).unwrap();
                    assert_eq!(memory.read(at(&path), 100).unwrap(), path.as_bytes());
                    memory.read_dir(at("d")).unwrap();
                    memory.rename(at(&path), at("d/last")).unwrap();
                }
            });
        }
    });
    assert_eq!(memory.read_dir(at("d")).unwrap().len(), 1);
}

/// A path without links is followed without keeping anything of the way.
#[test]
fn looking_up_allocates_nothing() {
    let memory = Memory::new(Quota::DEFAULT);
    for folder in ["a", "a/b", "a/b/c"] {
        memory.create_dir(at(folder), 0o755).unwrap();
    }
    put(&memory, "a/b/c/file", b"text");
    let table = MountTable::builder()
        .mount("/tmp", memory, Access::ReadWrite)
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    let path = guest("/tmp/a/b/c/file");
    let (found, allocations) = count::allocations_of(|| table.metadata(&path));
    assert_eq!((found.unwrap().size, allocations), (4, 0), "stat");
    let file = table.open(&path, &OpenOptions::READ).unwrap();
    let mut buffer = [0; 8];
    let (read, allocations) = count::allocations_of(|| file.read_at(&mut buffer, 0));
    assert_eq!((read.unwrap(), allocations), (4, 0), "read");
    let (content, allocations) = count::allocations_of(|| table.read(&path, 100));
    assert_eq!((content.unwrap().len(), allocations), (4, 1), "readFile: its result");
}
