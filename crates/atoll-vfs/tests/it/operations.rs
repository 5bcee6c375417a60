//! Sequences of operations, and what is compared of their results.

use crate::support::{at, list};
use atoll_vfs::{
    AccessMode, Errno, File, FileKind, FinalLink, Layer, LayerError, LayerResult, Metadata, NewFile, OpenOptions, Time,
};
use proptest::prelude::*;

/// Files that stay open from one operation to another.
const HELD_FILES: usize = 3;

#[derive(Debug, Clone)]
pub(crate) enum Operation {
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
    SetTimes(String, bool, u8),
    Hold(usize, String, bool),
    ReadHeld(usize),
    WriteHeld(usize, u8),
    TruncateHeld(usize, u8),
    StatHeld(usize),
    ChmodHeld(usize, u16),
}

/// Times before this one were set by an operation, later ones by the clock: those are not compared.
const CLOCK_SECONDS: i64 = 1_000_000_000;

/// Results that can be compared between layers: no inode numbers, no times but those that were set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Nothing,
    Bytes(Vec<u8>),
    Names(Vec<(String, FileKind)>),
    Stat { kind: FileKind, mode: u32, nlink: u32, size: Option<u64>, modified: Option<Time> },
}

fn seen(found: &Metadata) -> Outcome {
    Outcome::Stat {
        kind: found.kind(),
        mode: found.mode,
        nlink: found.nlink,
        size: (!found.is_dir()).then_some(found.size),
        modified: Some(found.modified).filter(|time| time.seconds < CLOCK_SECONDS),
    }
}

/// A layer with files of it that are open.
#[derive(Debug)]
pub(crate) struct Player<'l> {
    pub(crate) layer: &'l dyn Layer,
    held: [Option<Box<dyn File>>; HELD_FILES],
}

impl<'l> Player<'l> {
    pub(crate) fn new(layer: &'l dyn Layer) -> Self {
        Self { layer, held: Default::default() }
    }

    pub(crate) fn play(&mut self, operation: &Operation) -> Result<Outcome, Option<Errno>> {
        let result = match operation {
            Operation::Hold(slot, path, write) => {
                let opened = self.layer.open(at(path), &OpenOptions { write: *write, ..OpenOptions::READ });
                opened.map(|file| {
                    self.held[*slot] = Some(file);
                    Outcome::Nothing
                })
            }
            Operation::ReadHeld(slot)
            | Operation::WriteHeld(slot, _)
            | Operation::TruncateHeld(slot, _)
            | Operation::StatHeld(slot)
            | Operation::ChmodHeld(slot, _) => match &self.held[*slot] {
                Some(file) => on_held(&**file, operation).map_err(LayerError::from),
                None => Ok(Outcome::Nothing),
            },
            _ => run(self.layer, operation),
        };
        result.map_err(|error| match error {
            LayerError::Errno(errno) => Some(errno),
            LayerError::Leaves => None,
        })
    }
}

fn on_held(file: &dyn File, operation: &Operation) -> Result<Outcome, Errno> {
    let done = |result: Result<(), Errno>| result.map(|()| Outcome::Nothing);
    match operation {
        Operation::ReadHeld(_) => {
            let mut content = vec![0; 4096];
            let count = file.read_at(&mut content, 0)?;
            content.truncate(count);
            Ok(Outcome::Bytes(content))
        }
        Operation::WriteHeld(_, offset) => done(file.write_at(b"held", u64::from(*offset)).map(drop)),
        Operation::TruncateHeld(_, length) => done(file.truncate(u64::from(*length))),
        Operation::ChmodHeld(_, mode) => done(file.set_permissions(u32::from(*mode))),
        _ => Ok(seen(&file.metadata()?)),
    }
}

fn run(layer: &dyn Layer, operation: &Operation) -> LayerResult<Outcome> {
    let done = |result: LayerResult<()>| result.map(|()| Outcome::Nothing);
    match operation {
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
            layer.metadata(at(path), last).map(|found| seen(&found))
        }
        Operation::Access(path) => done(layer.access(at(path), AccessMode { read: true, write: true, execute: true })),
        Operation::Truncate(path, length) => layer
            .open(at(path), &OpenOptions { write: true, ..OpenOptions::READ })
            .and_then(|file| Ok(file.truncate(u64::from(*length))?))
            .map(|()| Outcome::Nothing),
        Operation::Chmod(path, mode) => done(layer.set_permissions(at(path), u32::from(*mode))),
        Operation::SetTimes(path, follow, seconds) => {
            let last = if *follow { FinalLink::Follow } else { FinalLink::Keep };
            let time = Time { seconds: i64::from(*seconds), nanoseconds: 123_456_789 };
            done(layer.set_times(at(path), last, time, time))
        }
        _ => Ok(Outcome::Nothing),
    }
}

/// All that a layer shows, below `directory`: each path with what `lstat` says, and a file's bytes or a link's text.
pub(crate) fn whole_tree(layer: &dyn Layer, directory: &str) -> Vec<(String, Outcome, Vec<u8>)> {
    let mut found = Vec::new();
    for (name, kind) in list(layer, directory).expect("a directory can be listed") {
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        let metadata = layer.metadata(at(&path), FinalLink::Keep).expect("what is listed is there");
        assert_eq!(metadata.kind(), kind, "{path}");
        let content = match kind {
            FileKind::Regular => layer.read(at(&path), 1 << 20).expect("a file can be read"),
            FileKind::Symlink => layer.read_link(at(&path)).expect("a link can be read"),
            _ => Vec::new(),
        };
        found.push((path.clone(), seen(&metadata), content));
        if kind == FileKind::Directory {
            found.append(&mut whole_tree(layer, &path));
        }
    }
    found
}

fn path() -> impl Strategy<Value = String> {
    // Few names, so that operations meet; sometimes the root.
    prop_oneof![1 => Just(String::new()), 20 => "[abc](/[abc]){0,2}"]
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof!["[abc](/[abc]){0,1}", r"\.\./[abc]", r"(\./)?[abc]/?", r"\.\./\.\./[abc]", "/[abc]", r"[abc]/\.\."]
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
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
        1 => (path(), mode()).prop_map(|(path, mode)| Operation::Chmod(path, mode)),
        1 => (path(), any::<bool>(), any::<u8>()).prop_map(|(path, follow, at)| Operation::SetTimes(path, follow, at)),
        2 => (slot(), path(), any::<bool>()).prop_map(|(slot, path, write)| Operation::Hold(slot, path, write)),
        2 => slot().prop_map(Operation::ReadHeld),
        2 => (slot(), any::<u8>()).prop_map(|(slot, offset)| Operation::WriteHeld(slot, offset)),
        1 => (slot(), any::<u8>()).prop_map(|(slot, length)| Operation::TruncateHeld(slot, length)),
        1 => slot().prop_map(Operation::StatHeld),
        1 => (slot(), mode()).prop_map(|(slot, mode)| Operation::ChmodHeld(slot, mode)),
    ]
}

/// What the owner may do with all of them is the same, so that it makes no difference who runs the tests.
fn mode() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0o744_u16), Just(0o755), Just(0o4711)]
}

fn slot() -> impl Strategy<Value = usize> {
    0..HELD_FILES
}
