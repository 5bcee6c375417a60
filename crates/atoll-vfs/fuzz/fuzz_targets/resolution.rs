//! The two ways of confining host directories, memory and an overlay resolve the same links the same way, or say alike
//! that they lead out.

#![no_main]

use arbitrary::Arbitrary;
use atoll_vfs::{
    Confinement, FinalLink, HostDir, Layer, LayerPath, LayerResult, Memory, Metadata, NewFile, OpenOptions, Overlay,
    Quota,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// What is made, and asked, per input: each is a few system calls in each of the trees.
const MAX_STEPS: usize = 24;

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Directory(Name),
    File(Name),
    Link {
        target: &'a [u8],
        at: Name,
    },
    /// A target made of what matters: few names, dots and slashes.
    Maze {
        target: Vec<Piece>,
        at: Name,
    },
    Look(Name, Name),
}

#[derive(Debug, Arbitrary, Clone, Copy)]
enum Piece {
    A,
    B,
    C,
    Up,
    Here,
    Slash,
}

/// A path of one to three names.
#[derive(Debug, Arbitrary, Clone, Copy)]
struct Name {
    first: u8,
    second: u8,
    third: u8,
}

impl Name {
    fn path(self) -> Vec<u8> {
        let name = |code: u8| b"abc".get(usize::from(code % 5)).copied();
        let names = [name(self.first).or(Some(b'a')), name(self.second), name(self.third)];
        names.into_iter().flatten().map(|name| vec![name]).collect::<Vec<_>>().join(&b'/')
    }
}

fn text(pieces: &[Piece]) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::A => &b"a/"[..],
        Piece::B => b"b/",
        Piece::C => b"c",
        Piece::Up => b"../",
        Piece::Here => b"./",
        Piece::Slash => b"/",
    };
    pieces.iter().take(64).flat_map(piece).copied().collect()
}

fn seen(result: LayerResult<Metadata>) -> Result<(u32, u32), atoll_vfs::LayerError> {
    result.map(|found| (found.mode, found.nlink))
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let (one, two) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let beneath = HostDir::read_write(one.path()).expect("a layer").confined_by(Confinement::Beneath);
    let walk = HostDir::read_write(two.path()).expect("a layer").confined_by(Confinement::Walk);
    let memory = Memory::new(Quota::DEFAULT);
    let lower = HostDir::read_only(one.path()).expect("a layer");
    for step in steps.iter().take(MAX_STEPS) {
        let writers: [&dyn Layer; 3] = [&beneath, &walk, &memory];
        let path = match step {
            Step::Directory(at) | Step::File(at) | Step::Link { at, .. } | Step::Maze { at, .. } => at.path(),
            Step::Look(first, second) => [first.path(), second.path()].join(&b'/'),
        };
        let path = LayerPath::new(&path).expect("names only");
        let create = OpenOptions { create: NewFile::IfMissing, mode: 0o600, ..OpenOptions::READ };
        let done = writers.map(|layer| match step {
            Step::Directory(_) => layer.create_dir(path, 0o755),
            Step::File(_) => layer.open(path, &create).map(drop),
            Step::Link { target, .. } => layer.symlink(target, path),
            Step::Maze { target, .. } => layer.symlink(&text(target), path),
            Step::Look(..) => Ok(()),
        });
        assert_eq!(done[1], done[0], "walk: {step:?}");
        // The host's filesystem may refuse long texts that memory takes.
        if !matches!(step, Step::Link { target, .. } if target.len() > 1000) {
            assert_eq!(done[2], done[0], "memory: {step:?}");
        }
        if done[2] != done[0] {
            return;
        }
        let overlay = Overlay::new(Arc::new(HostDir::read_only(one.path()).expect("a layer")), Quota::DEFAULT);
        let overlay = overlay.expect("an overlay");
        let readers: [(&dyn Layer, &str); 4] =
            [(&walk, "walk"), (&memory, "memory"), (&overlay, "overlay"), (&lower, "read only")];
        for last in [FinalLink::Follow, FinalLink::Keep] {
            let expected = seen(beneath.metadata(path, last));
            for (layer, name) in readers {
                assert_eq!(seen(layer.metadata(path, last)), expected, "{name}: {path:?}");
            }
        }
        let expected = beneath.canonicalize(path);
        if let Ok(real) = &expected {
            assert!(LayerPath::new(real).is_some());
        }
        for (layer, name) in readers {
            assert_eq!(layer.canonicalize(path), expected, "{name}: {path:?}");
        }
    }
});
