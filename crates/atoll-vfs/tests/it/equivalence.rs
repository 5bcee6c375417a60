//! The same operations on memory, on a host directory by `openat2` and on one by walking have the same results.

use crate::support::{at, list};
use atoll_vfs::{
    AccessMode, Confinement, Errno, FileKind, FinalLink, HostDir, Layer, LayerError, LayerResult, Memory, NewFile,
    OpenOptions, Quota,
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Operation {
    Write(String, u16, NewFile),
    Append(String, u8),
    Read(String),
    MakeDir(String),
    RemoveDir(String),
    RemoveFile(String),
    Rename(String, String),
    HardLink(String, String),
    Symlink(String, String),
    ReadLink(String),
    Canonicalize(String),
    List(String),
    Stat(String, bool),
    Access(String),
    Truncate(String, u8),
    Chmod(String, u16),
}

/// Results that can be compared between layers: no inode numbers, no times.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Bytes(Vec<u8>),
    Names(Vec<(String, FileKind)>),
    Stat { kind: FileKind, mode: u32, nlink: u32, size: Option<u64> },
}

fn run(layer: &dyn Layer, operation: &Operation) -> Result<Outcome, Option<Errno>> {
    let done = |result: LayerResult<()>| result.map(|()| Outcome::Nothing);
    let result = match operation {
        Operation::Write(path, length, create) => {
            let options = OpenOptions { create: *create, mode: 0o600, ..OpenOptions::REPLACE };
            layer.open(at(path), &options).and_then(|file| {
                let data = vec![b'w'; usize::from(*length)];
                assert_eq!(file.write_at(&data, 0)?, data.len());
                Ok(Outcome::Nothing)
            })
        }
        Operation::Append(path, byte) => {
            let options = OpenOptions { read: false, append: true, ..OpenOptions::READ };
            layer.open(at(path), &options).and_then(|file| {
                file.write_at(&[*byte], 0)?;
                Ok(Outcome::Nothing)
            })
        }
        Operation::Read(path) => layer.read(at(path), 1 << 20).map(Outcome::Bytes),
        Operation::MakeDir(path) => done(layer.create_dir(at(path), 0o755)),
        Operation::RemoveDir(path) => done(layer.remove_dir(at(path))),
        Operation::RemoveFile(path) => done(layer.remove_file(at(path))),
        Operation::Rename(from, to) => done(layer.rename(at(from), at(to))),
        Operation::HardLink(from, to) => done(layer.hard_link(at(from), at(to))),
        Operation::Symlink(target, path) => done(layer.symlink(target.as_bytes(), at(path))),
        Operation::ReadLink(path) => layer.read_link(at(path)).map(Outcome::Bytes),
        Operation::Canonicalize(path) => layer.canonicalize(at(path)).map(Outcome::Bytes),
        Operation::List(path) => list(layer, path).map(Outcome::Names),
        Operation::Stat(path, follow) => {
            let last = if *follow { FinalLink::Follow } else { FinalLink::Keep };
            layer.metadata(at(path), last).map(|found| Outcome::Stat {
                kind: found.kind(),
                mode: found.mode,
                nlink: found.nlink,
                size: (!found.is_dir()).then_some(found.size),
            })
        }
        Operation::Access(path) => done(layer.access(at(path), AccessMode { read: true, write: true, execute: true })),
        Operation::Truncate(path, length) => layer
            .open(at(path), &OpenOptions { write: true, ..OpenOptions::READ })
            .and_then(|file| Ok(file.truncate(u64::from(*length))?))
            .map(|()| Outcome::Nothing),
        Operation::Chmod(path, mode) => done(layer.set_permissions(at(path), u32::from(*mode))),
    };
    result.map_err(|error| match error {
        LayerError::Errno(errno) => Some(errno),
        LayerError::Leaves => None,
    })
}

fn path() -> impl Strategy<Value = String> {
    // Few names, so that operations meet; sometimes the root.
    prop_oneof![1 => Just(String::new()), 20 => "[abc](/[abc]){0,2}"]
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof!["[abc](/[abc]){0,1}", r"\.\./[abc]", r"(\./)?[abc]/?", r"\.\./\.\./[abc]", "/[abc]", r"[abc]/\.\."]
}

fn operation() -> impl Strategy<Value = Operation> {
    let create = prop_oneof![Just(NewFile::Never), Just(NewFile::IfMissing), Just(NewFile::Always)];
    prop_oneof![
        3 => (path(), 0..500_u16, create).prop_map(|(path, length, create)| Operation::Write(path, length, create)),
        1 => (path(), any::<u8>()).prop_map(|(path, byte)| Operation::Append(path, byte)),
        2 => path().prop_map(Operation::Read),
        4 => path().prop_map(Operation::MakeDir),
        1 => path().prop_map(Operation::RemoveDir),
        1 => path().prop_map(Operation::RemoveFile),
        3 => (path(), path()).prop_map(|(from, to)| Operation::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Operation::HardLink(from, to)),
        4 => (target(), path()).prop_map(|(target, path)| Operation::Symlink(target, path)),
        1 => path().prop_map(Operation::ReadLink),
        2 => path().prop_map(Operation::Canonicalize),
        2 => path().prop_map(Operation::List),
        2 => (path(), any::<bool>()).prop_map(|(path, follow)| Operation::Stat(path, follow)),
        1 => path().prop_map(Operation::Access),
        1 => (path(), any::<u8>()).prop_map(|(path, length)| Operation::Truncate(path, length)),
        1 => (path(), prop_oneof![Just(0o644_u16), Just(0o755), Just(0o4711)]).prop_map(|(path, mode)| Operation::Chmod(path, mode)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_host_directories_agree(operations in proptest::collection::vec(operation(), 1..60)) {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let memory = Memory::new(Quota::DEFAULT);
        let beneath = HostDir::read_write(one.path()).unwrap().confined_by(Confinement::Beneath);
        let walk = HostDir::read_write(two.path()).unwrap().confined_by(Confinement::Walk);
        for operation in &operations {
            let expected = run(&beneath, operation);
            prop_assert_eq!(&run(&walk, operation), &expected, "by walking: {:?}", operation);
            prop_assert_eq!(&run(&memory, operation), &expected, "in memory: {:?}", operation);
        }
    }
}
