//! Devices, beside those of the machine.

use crate::support::{NO_LIMIT, at, fails, guest, list, writing};
use atoll_vfs::{
    Access, AccessMode, Devices, Errno, FileKind, FinalLink, Layer, MountTable, NewFile, OpenOptions, OutputStream,
    StandardStreams, Time,
};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

/// Gives `input` in pieces of four bytes, and keeps what is written.
#[derive(Debug, Default)]
struct Recorder {
    input: Mutex<Vec<u8>>,
    written: Mutex<Vec<(OutputStream, Vec<u8>)>>,
}

impl StandardStreams for Recorder {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut input = self.input.lock().unwrap();
        let count = input.len().min(buffer.len()).min(4);
        buffer[..count].copy_from_slice(&input[..count]);
        input.drain(..count);
        Ok(count)
    }

    fn write(&self, stream: OutputStream, data: &[u8]) -> Result<usize, Errno> {
        self.written.lock().unwrap().push((stream, data.to_vec()));
        Ok(data.len())
    }
}

#[test]
fn null_zero_and_urandom_are_as_the_machines() {
    let devices = Devices::without_streams();
    let kind = FileKind::CharDevice;
    let expected = ["null", "urandom", "zero"].map(|name| (name.to_owned(), kind));
    assert_eq!(list(&devices, "").unwrap(), expected);
    for (name, _) in expected {
        let (host, guest) = (format!("/dev/{name}"), devices.metadata(at(&name), FinalLink::Keep).unwrap());
        let found = std::fs::metadata(&host).unwrap();
        assert_eq!((guest.rdev, guest.size, guest.kind()), (found.rdev(), found.len(), kind), "{name}");
        assert_eq!(guest.mode, found.mode(), "{name}");
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true);
        let (real, ours) =
            (options.open(&host).unwrap(), devices.open(at(&name), &writing(NewFile::IfMissing)).unwrap());
        let mut buffers = ([7; 100], [7; 100]);
        let counts = (
            std::os::unix::fs::FileExt::read_at(&real, &mut buffers.0, 5).unwrap(),
            ours.read_at(&mut buffers.1, 5).unwrap(),
        );
        assert_eq!(counts.0, counts.1, "{name}");
        if name == "urandom" {
            assert_ne!(buffers.1, [7; 100]);
            let mut again = [7; 100];
            ours.read_at(&mut again, 5).unwrap();
            assert_ne!(again, buffers.1);
        } else {
            assert_eq!(buffers.0, buffers.1, "{name}");
        }
        assert_eq!(ours.write_at(&[1; 5000], 3), Ok(5000));
        assert_eq!(real.set_len(1).unwrap_err().raw_os_error(), Some(Errno::EINVAL.raw()));
        assert_eq!(ours.truncate(1), Err(Errno::EINVAL));
        assert_eq!(real.sync_all().unwrap_err().raw_os_error(), Some(Errno::EINVAL.raw()));
        assert_eq!((ours.sync(), ours.sync_data()), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
        drop(devices.open(at(&name), &OpenOptions::REPLACE).unwrap());
        drop(std::fs::OpenOptions::new().write(true).truncate(true).create(true).open(&host).unwrap());
        fails(devices.open(at(&name), &writing(NewFile::Always)), Errno::EEXIST);
        fails(devices.open(at(&name), &OpenOptions { directory: true, ..OpenOptions::READ }), Errno::ENOTDIR);
        fails(devices.metadata(at(&format!("{name}/x")), FinalLink::Follow), Errno::ENOTDIR);
    }
    assert_eq!(devices.read(at("null"), NO_LIMIT).unwrap(), b"");
    fails(devices.read(at("zero"), NO_LIMIT), Errno::EFBIG);
    fails(devices.read(at("urandom"), NO_LIMIT), Errno::EFBIG);
}

#[test]
fn rights_are_those_of_the_opening() {
    let devices = Devices::new(Arc::new(Recorder::default()));
    let write_only = OpenOptions { write: true, read: false, ..OpenOptions::READ };
    let file = devices.open(at("zero"), &write_only).unwrap();
    assert_eq!(file.read_at(&mut [0; 4], 0), Err(Errno::EBADF));
    let file = devices.open(at("null"), &OpenOptions::READ).unwrap();
    assert_eq!(file.write_at(b"x", 0), Err(Errno::EBADF));
    fails(devices.open(at("stdin"), &write_only), Errno::EACCES);
    fails(devices.open(at("stdout"), &OpenOptions::READ), Errno::EACCES);
    let (read, write, execute) = (true, true, true);
    let may = |name, mode| devices.access(at(name), mode);
    may("null", AccessMode { read, write, execute: false }).unwrap();
    may("stdin", AccessMode { read, ..AccessMode::default() }).unwrap();
    fails(may("stdin", AccessMode { write, ..AccessMode::default() }), Errno::EACCES);
    fails(may("null", AccessMode { execute, ..AccessMode::default() }), Errno::EACCES);
    fails(may("", AccessMode { write, ..AccessMode::default() }), Errno::EROFS);
    fails(may("tty", AccessMode::default()), Errno::ENOENT);
}

#[test]
fn streams_go_through_the_embedder() {
    let recorder = Arc::new(Recorder::default());
    *recorder.input.lock().unwrap() = b"typed by somebody".to_vec();
    let streams: Arc<dyn StandardStreams> = Arc::<Recorder>::clone(&recorder);
    let table = MountTable::builder()
        .mount("/dev", Devices::new(streams), Access::ReadWrite)
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    let input = table.open(&guest("/dev/stdin"), &OpenOptions::READ).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(input.read(&mut buffer).unwrap(), 4);
    assert_eq!(table.read(&guest("/dev/stdin"), 100).unwrap(), b"d by somebody");
    assert_eq!(input.read(&mut buffer).unwrap(), 0);
    *recorder.input.lock().unwrap() = vec![b'x'; 101];
    assert_eq!(table.read(&guest("/dev/stdin"), 100).unwrap_err().errno, Errno::EFBIG);
    table.write(&guest("/dev/stdout"), b"out").unwrap();
    table.write(&guest("/dev/stderr"), b"err").unwrap();
    let expected = [(OutputStream::Out, b"out".to_vec()), (OutputStream::Err, b"err".to_vec())];
    assert_eq!(*recorder.written.lock().unwrap(), expected);
    assert_eq!(table.metadata(&guest("/dev/stdout")).unwrap().rdev, 5 << 8);
    assert_eq!(table.canonicalize(&guest("/dev/../dev/stdin")).unwrap(), guest("/dev/stdin"));
}

#[test]
fn the_directory_never_changes() {
    let devices = Devices::without_streams();
    fails(devices.metadata(at("stdin"), FinalLink::Follow), Errno::ENOENT);
    fails(devices.open(at("new"), &writing(NewFile::IfMissing)), Errno::EROFS);
    fails(devices.open(at("new"), &OpenOptions::READ), Errno::ENOENT);
    fails(devices.open(at(""), &writing(NewFile::Never)), Errno::EISDIR);
    fails(devices.create_dir(at("new"), 0o755), Errno::EROFS);
    fails(devices.remove_file(at("null")), Errno::EROFS);
    fails(devices.rename(at("null"), at("new")), Errno::EROFS);
    fails(devices.hard_link(at("null"), at("new")), Errno::EROFS);
    fails(devices.symlink(b"null", at("new")), Errno::EROFS);
    fails(devices.set_permissions(at("null"), 0o600), Errno::EROFS);
    fails(devices.set_times(at("null"), FinalLink::Follow, Time::default(), Time::default()), Errno::EROFS);
    fails(devices.read_link(at("null")), Errno::EINVAL);
    fails(devices.read_dir(at("null")), Errno::ENOTDIR);
    fails(devices.metadata(at(&"n".repeat(256)), FinalLink::Follow), Errno::ENAMETOOLONG);
    assert!(devices.open(at(""), &OpenOptions::READ).unwrap().metadata().unwrap().is_dir());
    assert_eq!(devices.statistics(at("null")).unwrap().blocks, 0);
}
