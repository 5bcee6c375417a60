//! Tarballs, into both forms of the store's entries. The input is the archive; it is compressed here, as nothing of interest
//! would come out of bytes that are no gzip. Checksums of headers are put right for the same reason.
//!
//! Both forms take the same archives and have the same files, and nothing is written outside of the entry.

#![no_main]

use atoll_npm::{
    extract::extract,
    integrity::Integrity,
    store::{Form, IndexedFile, MachineKey, Store},
};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use std::{io::Write, sync::LazyLock};
use tempfile::TempDir;

/// An integrity of the right length; what it is of does not matter here.
const INTEGRITY: &str = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=";
/// Bytes of a header, and of the unit that contents are padded to.
const BLOCK: usize = 512;

/// A folder in memory, where the machine has one.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder"));
static STORE: LazyLock<Store> = LazyLock::new(|| {
    let key = MachineKey::open(&FOLDER.path().join("state")).expect("a key");
    Store::open(&FOLDER.path().join("deep/store"), key).expect("a store")
});

/// Puts the checksum of every block right that begins like a header: a name, and `ustar` or a type.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut archive = bytes.to_vec();
    archive.resize(bytes.len().next_multiple_of(BLOCK), 0);
    for header in archive.chunks_exact_mut(BLOCK) {
        if header[0] != 0 {
            header[148..156].copy_from_slice(b"        ");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive
}

fuzz_target!(|bytes: &[u8]| {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&with_checksums(bytes)).expect("memory takes everything");
    let compressed = encoder.finish().expect("memory takes everything");
    let integrity = Integrity::parse(INTEGRITY).expect("an integrity");

    let mut lists: Vec<Option<Vec<IndexedFile>>> = Vec::new();
    for form in [Form::Packed, Form::Unpacked] {
        let mut staged = STORE.stage(form).expect("room");
        let files = extract(&mut compressed.as_slice(), &mut staged).ok().map(|()| {
            STORE.publish(staged, &integrity).expect("room");
            let package = STORE.package(&integrity).expect("what was published is there");
            let plain = |file: &IndexedFile| IndexedFile { offset: 0, number: 0, modified_ns: 0, ..file.clone() };
            let files = package.files().iter().map(plain).collect();
            if form == Form::Unpacked {
                assert!(STORE.get(&integrity).is_some());
            }
            files
        });
        STORE.evict(&integrity).expect("it can be removed");
        lists.push(files);
    }
    assert_eq!(lists[0], lists[1]);
    let entries = |path: &str| std::fs::read_dir(FOLDER.path().join(path)).expect("a folder").count();
    assert_eq!((entries(""), entries("deep"), entries("deep/store/v1/stage")), (2, 1, 0));
});
