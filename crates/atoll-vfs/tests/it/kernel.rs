//! Paths as programs write them, with slashes and dots wherever they are allowed, against the kernel: the same calls on
//! a mount table and, by the standard library, in a directory of the host.

use crate::support::guest;
use atoll_vfs::{
    Access, Confinement, Errno, FileKind, FinalLink, GuestPath, HostDir, Layer, Memory, MountTable, NewFile,
    OpenOptions, Overlay, Quota, Time,
};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the calls are made, below the root of both sides: so deep that no `..` of a case leads above the root, where
/// the guest stays and the host goes on.
const HOME: &str = "0/1/2/3/4/5/6/7/8/9";

#[derive(Debug, Clone)]
enum Call {
    MakeDir(String),
    RemoveDir(String),
    Unlink(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    ReadLink(String),
    RealPath(String),
    Stat(String),
    LinkStat(String),
    ReadDir(String),
    Chmod(String, u32),
    Open { path: String, write: bool, truncate: bool, create: NewFile, directory: bool, no_follow: bool },
    ReadFile(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Stat { kind: FileKind, mode: u32, links: u64, size: Option<u64> },
    Names(Vec<(Vec<u8>, FileKind)>),
}

/// What was open is written to, so that later reads have something to tell apart.
const WRITTEN: &[u8] = b"written";

fn on_table(table: &MountTable, call: &Call) -> Result<Answer, i32> {
    let home = guest(&format!("/{HOME}"));
    let path = |path: &str| home.join(path).map_err(|error| error.errno().raw());
    let stat = |found: atoll_vfs::Metadata| Answer::Stat {
        kind: found.kind(),
        mode: found.mode & 0o777,
        links: u64::from(found.nlink),
        size: (!found.is_dir()).then_some(found.size),
    };
    let answer = match call {
        Call::MakeDir(at) => table.create_dir(&path(at)?, 0o755).map(|()| Answer::Done),
        Call::RemoveDir(at) => table.remove_dir(&path(at)?).map(|()| Answer::Done),
        Call::Unlink(at) => table.remove_file(&path(at)?).map(|()| Answer::Done),
        Call::Rename(from, to) => table.rename(&path(from)?, &path(to)?).map(|()| Answer::Done),
        Call::Link(from, to) => table.hard_link(&path(from)?, &path(to)?).map(|()| Answer::Done),
        Call::Symlink(target, at) => table.symlink(target.as_bytes(), &path(at)?).map(|()| Answer::Done),
        Call::ReadLink(at) => table.read_link(&path(at)?).map(Answer::Bytes),
        Call::RealPath(at) => table.canonicalize(&path(at)?).map(|real| Answer::Bytes(real.as_bytes().to_vec())),
        Call::Stat(at) => table.metadata(&path(at)?).map(stat),
        Call::LinkStat(at) => table.symlink_metadata(&path(at)?).map(stat),
        Call::ReadDir(at) => table.read_dir(&path(at)?).map(|entries| {
            let mut names: Vec<_> = entries.into_iter().map(|entry| (entry.name, entry.kind)).collect();
            names.sort_by(|one, two| one.0.cmp(&two.0));
            Answer::Names(names)
        }),
        Call::Chmod(at, mode) => table.set_permissions(&path(at)?, *mode).map(|()| Answer::Done),
        Call::Open { path: at, write, truncate, create, directory, no_follow } => {
            let options = OpenOptions {
                read: !write,
                write: *write,
                append: false,
                truncate: *truncate && *write,
                create: *create,
                directory: *directory,
                final_link: if *no_follow { FinalLink::Keep } else { FinalLink::Follow },
                mode: 0o644,
            };
            table.open(&path(at)?, &options).map(|file| {
                if *write {
                    file.write_all(WRITTEN).expect("what is open can be written");
                }
                Answer::Done
            })
        }
        Call::ReadFile(at) => table.read(&path(at)?, 1 << 20).map(Answer::Bytes),
    };
    answer.map_err(|error| error.errno.raw())
}

fn kind(file_type: std::fs::FileType) -> FileKind {
    assert!(!file_type.is_fifo());
    if file_type.is_symlink() {
        FileKind::Symlink
    } else if file_type.is_dir() {
        FileKind::Directory
    } else {
        FileKind::Regular
    }
}

fn on_host(root: &Path, call: &Call) -> Result<Answer, i32> {
    // Not `Path::join`, which would tidy what is to be tested.
    let path = |path: &str| PathBuf::from(format!("{}/{HOME}/{path}", root.display()));
    let stat = |found: std::fs::Metadata| Answer::Stat {
        kind: kind(found.file_type()),
        mode: found.permissions().mode() & 0o777,
        links: found.nlink(),
        size: (!found.is_dir()).then_some(found.len()),
    };
    let answer = match call {
        Call::MakeDir(at) => std::fs::DirBuilder::new().mode(0o755).create(path(at)).map(|()| Answer::Done),
        Call::RemoveDir(at) => std::fs::remove_dir(path(at)).map(|()| Answer::Done),
        Call::Unlink(at) => std::fs::remove_file(path(at)).map(|()| Answer::Done),
        Call::Rename(from, to) => std::fs::rename(path(from), path(to)).map(|()| Answer::Done),
        Call::Link(from, to) => std::fs::hard_link(path(from), path(to)).map(|()| Answer::Done),
        Call::Symlink(target, at) => std::os::unix::fs::symlink(target, path(at)).map(|()| Answer::Done),
        Call::ReadLink(at) => {
            std::fs::read_link(path(at)).map(|target| Answer::Bytes(target.as_os_str().as_bytes().to_vec()))
        }
        Call::RealPath(at) => std::fs::canonicalize(path(at)).map(|real| {
            let below = real.strip_prefix(root).expect("no case leads out");
            Answer::Bytes([b"/", below.as_os_str().as_bytes()].concat())
        }),
        Call::Stat(at) => std::fs::metadata(path(at)).map(stat),
        Call::LinkStat(at) => std::fs::symlink_metadata(path(at)).map(stat),
        Call::ReadDir(at) => std::fs::read_dir(path(at)).map(|entries| {
            let named = |entry: std::io::Result<std::fs::DirEntry>| {
                let entry = entry.expect("an entry");
                (entry.file_name().as_bytes().to_vec(), kind(entry.file_type().expect("a type")))
            };
            let mut names: Vec<_> = entries.map(named).collect();
            names.sort_by(|one, two| one.0.cmp(&two.0));
            Answer::Names(names)
        }),
        Call::Chmod(at, mode) => {
            std::fs::set_permissions(path(at), std::fs::Permissions::from_mode(*mode)).map(|()| Answer::Done)
        }
        Call::Open { path: at, write, truncate, create, directory, no_follow } => {
            // Flags as in Linux's asm-generic/fcntl.h.
            let created = match create {
                NewFile::Never => 0,
                NewFile::IfMissing => 0o100,
                NewFile::Always => 0o300,
            };
            let flags = created | if *directory { 0o200_000 } else { 0 } | if *no_follow { 0o400_000 } else { 0 };
            let truncated = if *truncate && *write { 0o1000 } else { 0 };
            let mut options = std::fs::OpenOptions::new();
            options.read(!write).write(*write).mode(0o644).custom_flags(flags | truncated);
            options.open(path(at)).map(|mut file| {
                if *write {
                    std::io::Write::write_all(&mut file, WRITTEN).expect("what is open can be written");
                }
                Answer::Done
            })
        }
        Call::ReadFile(at) => std::fs::read(path(at)).map(Answer::Bytes),
    };
    answer.map_err(|error| error.raw_os_error().expect("an error of the kernel"))
}

/// A path with all that may be written between and after names.
fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![12 => "[abc]", 2 => Just(".".to_owned()), 2 => Just("..".to_owned())];
    let between = prop_oneof![10 => Just("/"), 1 => Just("//"), 1 => Just("/./")];
    let end = prop_oneof![12 => Just(""), 3 => Just("/"), 1 => Just("//"), 1 => Just("/."), 1 => Just("/..")];
    (proptest::collection::vec((step, between), 1..4), end).prop_map(|(steps, end)| {
        let last = steps.len() - 1;
        let parts =
            steps.into_iter().enumerate().map(|(index, (name, gap))| if index == last { name } else { name + gap });
        parts.collect::<String>() + end
    })
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![4 => path(), 1 => Just(String::new()), 1 => Just(".".to_owned()), 1 => Just("../a".to_owned())]
}

fn call() -> impl Strategy<Value = Call> {
    let create = prop_oneof![2 => Just(NewFile::Never), 3 => Just(NewFile::IfMissing), 1 => Just(NewFile::Always)];
    let flag = || prop_oneof![4 => Just(false), 1 => Just(true)];
    prop_oneof![
        5 => path().prop_map(Call::MakeDir),
        2 => path().prop_map(Call::RemoveDir),
        2 => path().prop_map(Call::Unlink),
        4 => (path(), path()).prop_map(|(from, to)| Call::Rename(from, to)),
        2 => (path(), path()).prop_map(|(from, to)| Call::Link(from, to)),
        4 => (target(), path()).prop_map(|(target, path)| Call::Symlink(target, path)),
        1 => path().prop_map(Call::ReadLink),
        1 => path().prop_map(Call::RealPath),
        2 => path().prop_map(Call::Stat),
        2 => path().prop_map(Call::LinkStat),
        1 => path().prop_map(Call::ReadDir),
        1 => (path(), prop_oneof![Just(0o700_u32), Just(0o755)]).prop_map(|(path, mode)| Call::Chmod(path, mode)),
        5 => (path(), any::<bool>(), flag(), create, flag(), flag()).prop_map(
            |(path, write, truncate, create, directory, no_follow)| {
                Call::Open { path, write, truncate, create, directory, no_follow }
            }
        ),
        2 => path().prop_map(Call::ReadFile),
    ]
}

fn home(layer: &dyn Layer) {
    let mut path = String::new();
    for name in HOME.split('/') {
        path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        layer.create_dir(crate::support::at(&path), 0o755).unwrap();
    }
}

fn table(layer: impl Layer + 'static) -> MountTable {
    MountTable::builder().mount("/", layer, Access::ReadWrite).and_then(atoll_vfs::MountTableBuilder::build).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn paths_mean_what_they_mean_to_the_kernel(calls in proptest::collection::vec(call(), 1..50)) {
        let hosts = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let [model, one, two, below] = hosts.each_ref().map(|host| host.path().canonicalize().unwrap());
        for root in [&model, &one, &two, &below] {
            std::fs::create_dir_all(root.join(HOME)).unwrap();
        }
        let memory = Memory::new(Quota::DEFAULT);
        home(&memory);
        let lower = Arc::new(HostDir::read_only(&below).unwrap());
        let tables = [
            table(HostDir::read_write(&one).unwrap().confined_by(Confinement::Beneath)),
            table(HostDir::read_write(&two).unwrap().confined_by(Confinement::Walk)),
            table(memory),
            table(Overlay::new(lower, Quota::DEFAULT).unwrap()),
        ];
        for call in &calls {
            let expected = on_host(&model, call);
            for (table, name) in tables.iter().zip(["openat2", "walk", "memory", "overlay"]) {
                prop_assert_eq!(&on_table(table, call), &expected, "{}: {:?}", name, call);
            }
        }
    }
}

/// Times to the nanosecond, before 1970 too, on what a slash makes of a link.
#[test]
fn times_are_set_as_the_kernel_sets_them() {
    let host = tempfile::tempdir().unwrap();
    let tables = [table(HostDir::read_write(host.path()).unwrap()), table(Memory::new(Quota::DEFAULT))];
    let at = |seconds, nanoseconds| Time { seconds, nanoseconds };
    for table in &tables {
        table.create_dir(&guest("/d"), 0o755).unwrap();
        table.symlink(b"d", &guest("/link")).unwrap();
        let modified = |path: &str| table.symlink_metadata(&guest(path)).unwrap().modified;
        table.set_times(&guest("/link"), FinalLink::Keep, at(1, 1), at(-1, 999_999_999)).unwrap();
        table.set_times(&guest("/link/"), FinalLink::Keep, at(1, 1), at(7, 123_456_789)).unwrap();
        assert_eq!((modified("/link"), modified("/d")), (at(-1, 999_999_999), at(7, 123_456_789)));
        table.set_times(&guest("/link"), FinalLink::Follow, at(1, 1), at(8, 1)).unwrap();
        assert_eq!((modified("/link"), modified("/d")), (at(-1, 999_999_999), at(8, 1)));
        let errno = |path: &str| {
            let path = GuestPath::new(OsStr::new(path)).unwrap();
            table.set_times(&path, FinalLink::Follow, at(0, 0), at(0, 0)).unwrap_err().errno
        };
        assert_eq!(errno("/none"), Errno::ENOENT);
        assert_eq!(errno("/none/."), Errno::ENOENT);
    }
}
