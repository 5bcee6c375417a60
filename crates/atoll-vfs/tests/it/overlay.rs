//! What is particular to overlays: what is copied, what it costs, what shows through, and what nobody can forge.

use crate::support::{NO_LIMIT, at, fails, get, leaves, list, put, whole, writing};
use atoll_sys::count;
use atoll_vfs::{
    AccessMode, Confinement, Errno, File, FileKind, FinalLink, HostDir, Layer, LayerPath, LayerResult, Listing, Memory,
    Metadata, NewFile, OpenOptions, Overlay, OverlayError, Quota, Time,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const APPEND: OpenOptions = OpenOptions { append: true, ..OpenOptions::READ };

fn over(lower: &Arc<Memory>) -> Overlay {
    Overlay::new(Arc::<Memory>::clone(lower), Quota::DEFAULT).unwrap()
}

/// `d/file` with some text, permissions and times.
fn lower() -> Arc<Memory> {
    let memory = Memory::new(Quota::DEFAULT);
    memory.create_dir(at("d"), 0o750).unwrap();
    memory.create_dir(at("d/sub"), 0o755).unwrap();
    put(&memory, "d/file", b"lower");
    put(&memory, "d/sub/deep", b"deep");
    memory.symlink(b"d/file", at("link")).unwrap();
    memory.set_permissions(at("d/file"), 0o640).unwrap();
    memory.set_times(at("d/file"), FinalLink::Keep, time(11), time(12)).unwrap();
    memory.set_times(at("d"), FinalLink::Keep, time(21), time(22)).unwrap();
    Arc::new(memory)
}

fn time(seconds: i64) -> Time {
    Time { seconds, nanoseconds: 987_654_321 }
}

fn of(layer: &dyn Layer, path: &str) -> Metadata {
    layer.metadata(at(path), FinalLink::Keep).unwrap()
}

#[test]
fn a_copy_has_the_mode_the_times_and_the_number_of_the_original() {
    let lower = lower();
    let overlay = over(&lower);
    let before = of(&overlay, "d/file");
    assert_eq!((before.mode, before.modified, before.size), (0o100_640, time(12), 5));
    let file = overlay.open(at("link"), &writing(NewFile::Never)).unwrap();
    assert_eq!(of(&overlay, "d/file"), before, "copied when it was opened for writing");
    assert!(overlay.used().bytes >= 5);
    assert_eq!(file.write_at(b"U", 0), Ok(1));
    let after = of(&overlay, "d/file");
    assert_eq!((after.dev, after.ino, after.mode, after.born), (before.dev, before.ino, before.mode, before.born));
    assert!(after.modified > before.modified);
    assert_eq!(get(&overlay, "link").unwrap(), b"Uower");
    assert_eq!(get(&*lower, "d/file").unwrap(), b"lower");
    assert_eq!(of(&overlay, "d").modified, time(22), "nothing was made in the directory");
    assert_eq!(of(&overlay, "d").dev, after.dev, "one device for both sides");
    assert_ne!(of(&overlay, "d").dev, of(&*lower, "d").dev);
}

#[test]
fn attributes_and_names_are_changed_without_copying_content() {
    let lower = lower();
    let overlay = over(&lower);
    overlay.set_permissions(at("d/file"), 0o600).unwrap();
    overlay.set_times(at("d/file"), FinalLink::Follow, time(1), time(2)).unwrap();
    overlay.rename(at("d/file"), at("moved")).unwrap();
    overlay.hard_link(at("moved"), at("second")).unwrap();
    // Names: d, file (as a whiteout), moved, second.
    assert_eq!(overlay.used().bytes, "dfilemovedsecond".len() as u64);
    let moved = of(&overlay, "second");
    assert_eq!((moved.mode, moved.modified, moved.nlink), (0o100_600, time(2), 2));
    assert_eq!(get(&overlay, "second").unwrap(), b"lower");
    overlay.open(at("moved"), &OpenOptions::REPLACE).unwrap();
    assert_eq!(get(&overlay, "second").unwrap(), b"");
    assert_eq!(of(&*lower, "d/file").mode, 0o100_640);
}

#[test]
fn reading_and_failing_cost_nothing() {
    let overlay = over(&lower());
    let empty = overlay.used();
    let file = overlay.open(at("d/file"), &OpenOptions::READ).unwrap();
    assert_eq!(whole(&*file), b"lower");
    list(&overlay, "d").unwrap();
    overlay.canonicalize(at("link")).unwrap();
    overlay.access(at("d/file"), AccessMode { read: true, write: true, execute: false }).unwrap();
    overlay.open(at("d/file"), &OpenOptions { create: NewFile::IfMissing, ..OpenOptions::READ }).unwrap();
    fails(overlay.create_dir(at("d/sub"), 0o755), Errno::EEXIST);
    fails(overlay.remove_dir(at("d/sub")), Errno::ENOTEMPTY);
    fails(overlay.remove_file(at("d/sub")), Errno::EISDIR);
    fails(overlay.remove_file(at("d/sub/none")), Errno::ENOENT);
    fails(overlay.rename(at("d/sub"), at("d/sub/inside")), Errno::EINVAL);
    fails(overlay.rename(at("d/none"), at("d/other")), Errno::ENOENT);
    fails(overlay.hard_link(at("d/sub"), at("d/other")), Errno::EPERM);
    overlay.rename(at("d/file"), at("d/file")).unwrap();
    assert_eq!(overlay.used(), empty);
    assert!(overlay.is_unchanged());
}

#[test]
fn an_overlay_knows_whether_anything_was_changed() {
    type Change = fn(&Overlay);
    let undone: [Change; 1] = [|overlay| {
        put(overlay, "new", b"x");
        overlay.remove_file(at("new")).unwrap();
    }];
    let kept: [Change; 7] = [
        // The directory has been changed, at least by its times.
        |overlay| {
            overlay.create_dir(at("d/new"), 0o755).unwrap();
            overlay.remove_dir(at("d/new")).unwrap();
        },
        |overlay| put(overlay, "new", b""),
        |overlay| put(overlay, "d/file", b"lower"),
        |overlay| overlay.remove_file(at("d/file")).unwrap(),
        |overlay| overlay.rename(at("d/file"), at("moved")).unwrap(),
        |overlay| overlay.set_permissions(at("d/file"), 0o600).unwrap(),
        |overlay| {
            let file = overlay.open(at("d/file"), &OpenOptions::READ).unwrap();
            file.set_times(time(1), time(2)).unwrap();
        },
    ];
    for (changes, is_unchanged) in [(&undone[..], true), (&kept[..], false)] {
        for change in changes {
            let overlay = over(&lower());
            change(&overlay);
            assert_eq!(overlay.is_unchanged(), is_unchanged, "{:?}", overlay.used());
        }
    }
    assert!(!Memory::new(Quota::DEFAULT).is_unchanged(), "what is not known is not said");
}

#[test]
fn who_has_a_file_open_sees_what_others_write() {
    let overlay = over(&lower());
    let early = overlay.open(at("d/file"), &OpenOptions::READ).unwrap();
    let other = overlay.open(at("link"), &OpenOptions::READ).unwrap();
    assert_eq!(whole(&*early), b"lower");
    overlay.open(at("d/file"), &APPEND).unwrap().write_at(b"+upper", 0).unwrap();
    assert_eq!(whole(&*early), b"lower+upper");
    assert_eq!(whole(&*other), b"lower+upper");
    assert_eq!(early.metadata().unwrap(), of(&overlay, "d/file"));
    overlay.remove_file(at("d/file")).unwrap();
    assert_eq!(whole(&*early), b"lower+upper", "open files outlive their names");
    assert_eq!(early.metadata().unwrap().nlink, 0);
    put(&overlay, "d/file", b"another");
    assert_eq!(whole(&*early), b"lower+upper");
}

#[test]
fn an_open_file_of_below_outlives_its_name() {
    let overlay = over(&lower());
    let early = overlay.open(at("d/file"), &OpenOptions::READ).unwrap();
    overlay.remove_file(at("d/file")).unwrap();
    assert_eq!((whole(&*early), early.metadata().unwrap().nlink), (b"lower".to_vec(), 0));
}

#[test]
fn what_is_changed_through_a_file_opened_for_reading_stays() {
    let overlay = over(&lower());
    let empty = overlay.used();
    for path in ["d/file", "d/sub", "d"] {
        let file = overlay.open(at(path), &OpenOptions::READ).unwrap();
        file.set_permissions(0o700).unwrap();
        file.set_times(time(5), time(6)).unwrap();
        drop(file);
        let found = of(&overlay, path);
        assert_eq!((found.mode & 0o777, found.modified), (0o700, time(6)), "{path}");
    }
    assert_eq!(overlay.used().inodes, empty.inodes + 3, "each is paid for");
    put(&overlay, "d/sub/new", b"");
    assert_eq!(of(&overlay, "d").mode & 0o777, 0o700);
    overlay.rename(at("d/sub"), at("moved")).unwrap();
    assert_eq!(of(&overlay, "moved").mode & 0o777, 0o700);
    overlay.remove_file(at("d/file")).unwrap();
    fails(get(&overlay, "d/file"), Errno::ENOENT);
    // The root, d, the whiteouts of d/sub and d/file, moved and moved/new.
    assert_eq!(overlay.used().inodes, 6);
}

#[test]
fn removed_names_stay_removed_and_nothing_shows_through_what_replaces_them() {
    let lower = lower();
    let overlay = over(&lower);
    overlay.remove_file(at("d/sub/deep")).unwrap();
    assert_eq!(list(&overlay, "d/sub").unwrap(), []);
    fails(overlay.metadata(at("d/sub/deep"), FinalLink::Keep), Errno::ENOENT);
    overlay.remove_dir(at("d/sub")).unwrap();
    fails(overlay.remove_dir(at("d/sub")), Errno::ENOENT);
    fails(list(&overlay, "d/sub"), Errno::ENOENT);
    assert_eq!(of(&overlay, "d").nlink, 2);
    overlay.create_dir(at("d/sub"), 0o700).unwrap();
    assert_eq!(list(&overlay, "d/sub").unwrap(), [], "a directory made anew is opaque");
    fails(get(&overlay, "d/sub/deep"), Errno::ENOENT);
    put(&overlay, "d/sub/deep", b"new");
    assert_eq!(get(&overlay, "d/sub/deep").unwrap(), b"new");
    overlay.remove_file(at("d/sub/deep")).unwrap();
    overlay.remove_dir(at("d/sub")).unwrap();
    put(&overlay, "d/sub", b"a file now");
    assert_eq!(of(&overlay, "d/sub").kind(), FileKind::Regular);
    // The link that was removed is followed no more, and one that is made now means what it says.
    overlay.remove_file(at("link")).unwrap();
    fails(get(&overlay, "link"), Errno::ENOENT);
    overlay.symlink(b"d/sub", at("link")).unwrap();
    assert_eq!(get(&overlay, "link").unwrap(), b"a file now");
    assert_eq!(get(&*lower, "d/sub/deep").unwrap(), b"deep");
}

/// Names by which other overlay filesystems mean a removed file or an opaque directory are plain names here.
#[test]
fn whiteouts_can_be_neither_made_nor_seen() {
    let overlay = over(&lower());
    put(&overlay, "d/.wh.file", b"");
    put(&overlay, "d/.wh..wh..opq", b"");
    put(&overlay, "d/sub/.wh.deep", b"");
    assert_eq!(get(&overlay, "d/file").unwrap(), b"lower");
    assert_eq!(get(&overlay, "d/sub/deep").unwrap(), b"deep");
    overlay.remove_file(at("d/file")).unwrap();
    let names: Vec<_> = list(&overlay, "d").unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".wh..wh..opq", ".wh.file", "sub"]);
}

#[test]
fn directories_are_renamed_with_all_that_is_in_them() {
    let lower = lower();
    let overlay = over(&lower);
    put(&overlay, "d/sub/new", b"new");
    overlay.remove_file(at("d/file")).unwrap();
    overlay.rename(at("d"), at("e")).unwrap();
    assert_eq!(get(&overlay, "e/sub/deep").unwrap(), b"deep");
    assert_eq!(get(&overlay, "e/sub/new").unwrap(), b"new");
    fails(get(&overlay, "e/file"), Errno::ENOENT);
    fails(list(&overlay, "d"), Errno::ENOENT);
    fails(get(&overlay, "link"), Errno::ENOENT);
    overlay.create_dir(at("d"), 0o755).unwrap();
    overlay.rename(at("e/sub"), at("d/s")).unwrap();
    assert_eq!(get(&overlay, "d/s/deep").unwrap(), b"deep");
    assert_eq!(list(&overlay, "e").unwrap(), []);
    assert_eq!((of(&overlay, "d").nlink, of(&overlay, "e").nlink), (3, 2));
    assert_eq!(overlay.canonicalize(at("d/s/deep")).unwrap(), b"d/s/deep");
    // Over an empty directory of below, of which nothing shows through.
    overlay.rename(at("d/s"), at("e")).unwrap();
    assert_eq!(list(&overlay, "e").unwrap().len(), 2);
    assert_eq!(get(&*lower, "d/sub/deep").unwrap(), b"deep");
}

#[test]
fn hard_links_of_below_stay_links() {
    let lower = lower();
    lower.hard_link(at("d/file"), at("twin")).unwrap();
    let overlay = over(&lower);
    assert_eq!(of(&overlay, "twin").ino, of(&overlay, "d/file").ino);
    overlay.rename(at("twin"), at("d/file")).unwrap();
    assert_eq!(get(&overlay, "twin").unwrap(), b"lower", "renaming a file onto itself does nothing");
    put(&overlay, "twin", b"changed");
    assert_eq!(get(&overlay, "d/file").unwrap(), b"changed");
    assert_eq!((of(&overlay, "d/file").ino, of(&overlay, "d/file").nlink), (of(&overlay, "twin").ino, 2));
    overlay.set_permissions(at("d/file"), 0o600).unwrap();
    overlay.remove_file(at("twin")).unwrap();
    assert_eq!(get(&overlay, "d/file").unwrap(), b"changed", "its other name was used since");
    assert_eq!(of(&overlay, "d/file").nlink, 1);
}

/// A quota that takes the file's name and not its content, and one that takes not even the name.
#[test]
fn a_copy_that_does_not_fit_leaves_the_file_as_it_was() {
    let lower = Arc::new(Memory::new(Quota::DEFAULT));
    put(&*lower, "large", &vec![7; 100_000]);
    for bytes in [3, 1000, 99_999] {
        let overlay = Overlay::new(Arc::<Memory>::clone(&lower), Quota { bytes, inodes: 10 }).unwrap();
        let before = of(&overlay, "large");
        for _ in 0..3 {
            fails(overlay.open(at("large"), &APPEND), Errno::ENOSPC);
            fails(overlay.open(at("large"), &writing(NewFile::IfMissing)), Errno::ENOSPC);
        }
        assert_eq!(of(&overlay, "large"), before);
        assert_eq!(get(&overlay, "large").unwrap(), vec![7; 100_000]);
        assert!(overlay.used().bytes <= 5, "at most the name is kept");
    }
    let overlay = Overlay::new(lower, Quota { bytes: 100, inodes: 10 }).unwrap();
    overlay.open(at("large"), &OpenOptions::REPLACE).unwrap();
    assert_eq!(get(&overlay, "large").unwrap(), b"", "what is emptied is not copied");
}

#[test]
fn entries_count_and_removing_at_the_limit_works() {
    let lower = lower();
    let overlay = Overlay::new(Arc::<Memory>::clone(&lower), Quota { bytes: 1000, inodes: 3 }).unwrap();
    put(&overlay, "d/file", b"own");
    fails(overlay.create_dir(at("new"), 0o755), Errno::ENOSPC);
    fails(overlay.remove_file(at("link")), Errno::ENOSPC);
    fails(overlay.rename(at("link"), at("other")), Errno::ENOSPC);
    fails(overlay.set_permissions(at("d/sub"), 0o700), Errno::ENOSPC);
    assert_eq!(overlay.read_link(at("link")).unwrap(), b"d/file", "what failed did nothing");
    overlay.remove_file(at("d/file")).unwrap();
    assert_eq!(overlay.used().inodes, 3, "the name is hidden at the price of what it named");
    assert_eq!(get(&*lower, "d/file").unwrap(), b"lower");
}

/// When `broken` is set, reading a file fails after its first 100,000 bytes, and so do listings and the root's metadata.
#[derive(Debug)]
struct Faulty {
    layer: Memory,
    broken: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn File>,
    broken: Arc<AtomicBool>,
}

impl File for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let end = buffer.len().min(50_000);
        if self.broken.load(Ordering::Relaxed) && offset >= 100_000 {
            return Err(Errno::EIO);
        }
        self.file.read_at(&mut buffer[..end], offset)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        self.file.metadata()
    }
}

impl Layer for Faulty {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        if self.broken.load(Ordering::Relaxed) && path.is_root() {
            return Err(Errno::EIO.into());
        }
        self.layer.metadata(path, last)
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        Ok(Box::new(FaultyFile { file: self.layer.open(path, options)?, broken: Arc::clone(&self.broken) }))
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        if self.broken.load(Ordering::Relaxed) { Err(Errno::EIO.into()) } else { self.layer.read_dir(path) }
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.layer.read_link(path)
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.layer.canonicalize(path)
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        self.layer.access(path, mode)
    }
}

#[test]
fn a_copy_that_fails_half_way_leaves_the_file_as_it_was() {
    let layer = Memory::new(Quota::DEFAULT);
    put(&layer, "large", &vec![7; 300_000]);
    layer.create_dir(at("d"), 0o755).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let overlay = Overlay::new(Arc::new(Faulty { layer, broken: Arc::clone(&broken) }), Quota::DEFAULT).unwrap();
    broken.store(true, Ordering::Relaxed);
    let before = of(&overlay, "large");
    fails(overlay.open(at("large"), &APPEND), Errno::EIO);
    assert_eq!(overlay.used().bytes, 5, "the name");
    assert_eq!(of(&overlay, "large"), before);
    fails(overlay.remove_dir(at("d")), Errno::EIO);
    broken.store(false, Ordering::Relaxed);
    overlay.remove_dir(at("d")).unwrap();
    assert_eq!(get(&overlay, "large").unwrap(), vec![7; 300_000]);
    overlay.open(at("large"), &APPEND).unwrap().write_at(b"!", 0).unwrap();
    let content = get(&overlay, "large").unwrap();
    assert_eq!((content.len(), content[299_999], content[300_000]), (300_001, 7, b'!'));
}

#[test]
fn a_lower_layer_whose_root_cannot_be_read_is_refused() {
    let broken = Arc::new(AtomicBool::new(true));
    let layer = Faulty { layer: Memory::new(Quota::DEFAULT), broken };
    assert_eq!(Overlay::new(Arc::new(layer), Quota::DEFAULT).unwrap_err(), OverlayError(Errno::EIO));
}

#[test]
fn special_files_of_below_have_names_and_are_never_opened() {
    let host = tempfile::tempdir().unwrap();
    assert!(std::process::Command::new("mkfifo").arg(host.path().join("fifo")).status().unwrap().success());
    let overlay = Overlay::new(Arc::new(HostDir::read_only(host.path()).unwrap()), Quota::DEFAULT).unwrap();
    assert_eq!(list(&overlay, "").unwrap(), [("fifo".to_owned(), FileKind::Fifo)]);
    fails(overlay.open(at("fifo"), &OpenOptions::READ), Errno::EACCES);
    fails(overlay.open(at("fifo"), &OpenOptions::REPLACE), Errno::EACCES);
    fails(get(&overlay, "fifo"), Errno::EACCES);
    overlay.set_permissions(at("fifo"), 0o600).unwrap();
    overlay.rename(at("fifo"), at("moved")).unwrap();
    assert_eq!(of(&overlay, "moved").kind(), FileKind::Fifo);
    overlay.remove_file(at("moved")).unwrap();
    assert!(host.path().join("fifo").exists());
}

/// Links that lead out of the layer lead out of the overlay, whichever side they are on, and those inside lead from one
/// side to the other.
#[test]
fn links_cross_the_sides_and_never_leave() {
    let host = tempfile::tempdir().unwrap();
    let below = HostDir::read_write(host.path()).unwrap();
    below.create_dir(at("d"), 0o755).unwrap();
    put(&below, "d/file", b"lower");
    for (name, target) in [("abs", "/etc/passwd"), ("up", "../.."), ("in", "d/../d/file"), ("later", "made/here")] {
        below.symlink(target.as_bytes(), at(name)).unwrap();
    }
    for confinement in [Confinement::Beneath, Confinement::Walk] {
        let lower = HostDir::read_only(host.path()).unwrap().confined_by(confinement);
        let overlay = Overlay::new(Arc::new(lower), Quota::DEFAULT).unwrap();
        for path in ["abs", "up", "abs/x", "up/x"] {
            leaves(overlay.read(at(path), NO_LIMIT));
            leaves(overlay.open(at(path), &OpenOptions::REPLACE));
            leaves(overlay.set_permissions(at(path), 0o777));
        }
        fails(get(&overlay, "later"), Errno::ENOENT);
        overlay.create_dir(at("made"), 0o755).unwrap();
        put(&overlay, "made/here", b"upper");
        assert_eq!(get(&overlay, "later").unwrap(), b"upper");
        overlay.symlink(b"../in", at("made/back")).unwrap();
        assert_eq!(get(&overlay, "made/back").unwrap(), b"lower");
        put(&overlay, "made/back", b"changed");
        assert_eq!(get(&overlay, "d/file").unwrap(), b"changed");
        assert_eq!(overlay.canonicalize(at("made/back")).unwrap(), b"d/file");
    }
    assert_eq!(get(&below, "d/file").unwrap(), b"lower");
}

/// System calls of an overlay over a host directory. The depth of a path costs nothing as long as nothing on it was
/// changed and no link is on it.
#[test]
fn reading_through_takes_few_system_calls() {
    let host = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(host.path().join("a/b/c/d")).unwrap();
    std::fs::write(host.path().join("a/b/c/d/file"), "content").unwrap();
    let lower = HostDir::read_only(host.path()).unwrap();
    assert_eq!(lower.confinement(), Confinement::Beneath);
    let overlay = Overlay::new(Arc::new(lower), Quota::DEFAULT).unwrap();
    put(&overlay, "a/own", b"");
    let deep = at("a/b/c/d/file");
    let calls = |work: &dyn Fn()| count::of(work).1;
    assert_eq!(
        calls(&|| assert_eq!(overlay.metadata(deep, FinalLink::Follow).unwrap().size, 7)),
        ["openat2", "statx"],
        "stat"
    );
    assert_eq!(
        calls(&|| fails(overlay.metadata(at("a/b/none/x"), FinalLink::Follow), Errno::ENOENT)),
        ["openat2"],
        "stat of what does not exist"
    );
    assert_eq!(
        calls(&|| assert_eq!(overlay.read(deep, 100).unwrap(), b"content")),
        ["openat2", "statx", "openat2", "statx", "pread64"],
        "readFile"
    );
    assert_eq!(
        calls(&|| assert_eq!(overlay.read_dir(at("a/b/c/d")).unwrap().len(), 1)),
        ["openat2", "statx", "openat2", "getdents64", "getdents64"],
        "readdir"
    );
    assert_eq!(calls(&|| drop(overlay.canonicalize(deep).unwrap())), ["openat2", "statx"], "realpath");
    put(&overlay, "a/b/c/d/file", b"changed");
    let nothing: [&str; 0] = [];
    assert_eq!(calls(&|| assert_eq!(overlay.read(deep, 100).unwrap(), b"changed")), nothing, "of a changed file");
}

/// Threads that read, copy up, rename, remove and make the same files of below: nothing hangs, nobody sees half a file,
/// and in the end all is given back but what hides the names of below.
#[test]
fn threads_share_an_overlay() {
    let host = tempfile::tempdir().unwrap();
    let below = HostDir::read_write(host.path()).unwrap();
    below.create_dir(at("d"), 0o755).unwrap();
    for index in 0..8 {
        put(&below, &format!("d/{index}"), &[b'0' + index; 1000]);
    }
    below.hard_link(at("d/0"), at("d/twin")).unwrap();
    let lower = HostDir::read_only(host.path()).unwrap();
    let overlay = Overlay::new(Arc::new(lower), Quota::DEFAULT).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let overlay = &overlay;
            scope.spawn(move || {
                for round in 0..400_usize {
                    let path = format!("d/{}", (round * 7 + thread) % 8);
                    if let Ok(content) = get(overlay, &path) {
                        assert!(content.len().is_multiple_of(1000) && content.iter().all(|byte| *byte == content[0]));
                    }
                    let held = overlay.open(at(&path), &OpenOptions::READ);
                    match round % 6 {
                        0 => drop(overlay.open(at(&path), &APPEND).map(|file| file.set_permissions(0o600))),
                        1 => drop(overlay.rename(at(&path), at(&format!("d/moved-{thread}")))),
                        2 => drop(overlay.rename(at(&format!("d/moved-{thread}")), at(&path))),
                        3 => drop(overlay.remove_file(at(&path))),
                        4 => drop(overlay.hard_link(at("d/twin"), at(&path))),
                        _ => drop(overlay.set_times(at("d/twin"), FinalLink::Keep, time(1), time(2))),
                    }
                    let names = list(overlay, "d").unwrap();
                    assert!(names.windows(2).all(|pair| pair[0].0 != pair[1].0), "no name twice");
                    if let Ok(file) = held {
                        let found = file.metadata().unwrap();
                        assert!(found.size.is_multiple_of(1000));
                        assert!(file.set_permissions(0o640).is_ok());
                    }
                }
            });
        }
    });
    crate::support::sweep(&overlay, "");
    assert_eq!(list(&overlay, "").unwrap(), []);
    assert_eq!(overlay.used(), Quota { bytes: 1, inodes: 2 }, "the root, and what hides `d`");
    assert_eq!(below.read_dir(at("d")).unwrap().len(), 9);
}

/// What is changed through an open file after its name was removed is nobody's any more, and is not paid for.
#[test]
fn changes_of_a_removed_file_are_not_kept() {
    let lower = lower();
    lower.hard_link(at("d/file"), at("twin")).unwrap();
    let overlay = over(&lower);
    let [file, folder] = ["d/file", "d/sub"].map(|path| overlay.open(at(path), &OpenOptions::READ).unwrap());
    for path in ["d/file", "twin", "d/sub/deep"] {
        overlay.remove_file(at(path)).unwrap();
    }
    overlay.remove_dir(at("d/sub")).unwrap();
    let before = overlay.used().inodes;
    for open in [&file, &folder] {
        open.set_permissions(0o700).unwrap();
        assert_eq!((open.metadata().unwrap().mode & 0o777, open.metadata().unwrap().nlink), (0o700, 0));
    }
    assert_eq!(overlay.used().inodes, before);
    drop((file, folder));
    // What hides `deep` in `sub` went with it. Left are the root, `d`, and what hides `file`, `twin` and `sub`.
    assert_eq!(overlay.used().inodes, 5);
}
