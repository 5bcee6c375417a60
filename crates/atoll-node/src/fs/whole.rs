//! Whole files: read, written, cut, copied.

use super::FsState;
use super::errors::{Named, file_failed, of_file, path, two_paths};
use super::files::{memory_for, options, write_from};
use super::operation::{self, Context, Done, Failure, Outcome};
use super::standard::{is_output, output};
use atoll_engine::{Call, GuestBuffer, JsError, NativeResult, Value};
use atoll_vfs::{Errno, FinalLink, FsError, GuestPath, Metadata, MountTable, NewFile, OpenFile, OpenOptions};
use std::cell::RefCell;
use std::sync::Arc;

/// The longest file that is read as a whole, bytes: Node's limit.
const MAX_FILE_BYTES: u64 = (1 << 31) - 1;

/// What is read at first from a file that does not say its size, bytes. As much again follows when that is full.
const UNKNOWN_SIZE_BYTES: usize = 64 * 1024;

/// Texts of so many bytes are read into memory that the thread keeps, and copied into the string: sources and
/// configurations are shorter.
const SCRATCH_BYTES: usize = 64 * 1024;

/// How much of a file is copied at once.
const COPY_BYTES: usize = 128 * 1024;

/// How much the kernel is asked to copy at once, bytes: as much as one call does on Linux.
const MAX_RANGE_BYTES: usize = 0x7fff_f000;

/// `COPYFILE_EXCL`: the destination must not exist.
const EXCLUSIVE: u32 = 1;
/// `COPYFILE_FICLONE_FORCE`: sharing blocks or nothing.
const CLONE_FORCE: u32 = 4;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A file to be opened, or one that is open.
enum Target {
    Path(Named, OpenOptions),
    Open(Arc<OpenFile>),
}

/// Argument 0 is a path or a descriptor; those at `flags` and after are the flags and the mode of `open`.
fn target(call: &mut Call<'_, '_, '_>, flags: usize, syscall: &'static str) -> Result<Target, JsError> {
    if call.number(0).is_ok() {
        return super::files::file(call, syscall).map(Target::Open);
    }
    let named = path(call, 0, "open")?;
    let (flags, mode) = (call.u32(flags)?, call.u32(flags + 1)?);
    let options =
        options(flags, mode & !call.state::<FsState>().umask()).map_err(|errno| named.errno(errno, "open"))?;
    // The file is open for the length of this operation only, but there must be room for it.
    call.state::<FsState>().require_room().map_err(|errno| named.errno(errno, "open"))?;
    Ok(Target::Path(named, options))
}

impl Target {
    /// Gives `work` the open file, and whether it is read from its start.
    fn with<R>(
        &self,
        mounts: &MountTable,
        work: impl FnOnce(&OpenFile, Metadata, bool) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        match self {
            Self::Open(file) => work(file, file.metadata().map_err(|error| file_failed(&error))?, false),
            Self::Path(named, options) => {
                let opened = mounts.open_described(&named.path, options);
                let (file, metadata) = opened.map_err(|error| named.error(&error, "open"))?;
                work(&file, metadata, true)
            }
        }
    }
}

/// What a file says of its size; 0 when it says nothing.
fn size_of(metadata: &Metadata) -> Result<u64, Failure> {
    if metadata.is_dir() {
        return Err(of_file(Errno::EISDIR, "read").into());
    }
    Ok(if metadata.is_file() { metadata.size } else { 0 })
}

/// Reads until the buffer is full or the file at its end.
fn fill(file: &OpenFile, buffer: &mut [u8], from_start: bool) -> Result<usize, Failure> {
    let mut filled = 0;
    while filled < buffer.len() {
        let rest = &mut buffer[filled..];
        let read = if from_start { file.read_at(rest, filled as u64) } else { file.read(rest) };
        match read.map_err(|error| file_failed(&error))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Reads a file that says nothing of its size.
fn read_unsized(context: &Context, file: &OpenFile) -> Result<GuestBuffer, Failure> {
    let mut buffer = context.allocate(UNKNOWN_SIZE_BYTES)?;
    let mut filled = 0;
    loop {
        filled += fill(file, &mut buffer[filled..], false)?;
        if filled < buffer.len() || filled as u64 > MAX_FILE_BYTES {
            buffer.truncate(filled);
            return Ok(buffer);
        }
        let mut larger = context.allocate(buffer.len() * 2)?;
        larger[..filled].copy_from_slice(&buffer);
        buffer = larger;
    }
}

/// `(path or fd, flags, mode, text)` → the content; its size where that is more than can be read.
pub(super) fn read_file(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let target = target(call, 1, "read")?;
    let as_text = call.boolean(3);
    Ok(move |context: &Context| read(&target, context, as_text))
}

fn read(target: &Target, context: &Context, as_text: bool) -> Done {
    target.with(&context.mounts, |file, metadata, from_start| {
        let size = size_of(&metadata)?;
        if size > MAX_FILE_BYTES {
            return Ok(Value::Number(size as f64).into());
        }
        let buffer = if size == 0 {
            read_unsized(context, file)?
        } else {
            let mut buffer = context.allocate(usize::try_from(size).map_err(|_| Failure::Memory)?)?;
            let filled = fill(file, &mut buffer, from_start)?;
            buffer.truncate(filled);
            buffer
        };
        if buffer.len() as u64 > MAX_FILE_BYTES {
            return Ok(Value::Number(buffer.len() as f64).into());
        }
        Ok(if as_text { Value::Utf8(buffer) } else { Value::Buffer(buffer) }.into())
    })
}

/// `(path or fd, flags, mode)` → the content as text, at once.
pub(super) fn read_text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let target = target(call, 1, "read")?;
    let mounts = Arc::clone(&call.state::<FsState>().mounts);
    let short = SCRATCH.with_borrow_mut(|scratch| {
        let filled = target.with(&mounts, |file, metadata, from_start| {
            let size = size_of(&metadata)?;
            // Nothing has been read of a descriptor's file, so that it can be begun anew.
            let Some(size) = usize::try_from(size).ok().filter(|size| (1..=SCRATCH_BYTES).contains(size)) else {
                return Ok(None);
            };
            if scratch.len() < size {
                scratch.resize(size, 0);
            }
            fill(file, &mut scratch[..size], from_start).map(Some)
        })?;
        Ok::<_, Failure>(match filled {
            Some(filled) => Some(call.give_utf8(&scratch[..filled])?),
            None => None,
        })
    })?;
    match short {
        Some(value) => Ok(value),
        None => operation::run(call, |context| read(&target, context, true)),
    }
}

/// `(path or fd, content, flags, mode, flush)`, at once. The content is text or bytes.
pub(super) fn write_file(call: &mut Call<'_, '_, '_>) -> NativeResult {
    if output_whole(call)? {
        return Ok(Value::Undefined);
    }
    let target = target(call, 2, "write")?;
    let flush = call.boolean(4);
    let mounts = Arc::clone(&call.state::<FsState>().mounts);
    call.with_utf8(1, |content| write(&target, &mounts, content, flush))??;
    Ok(Value::Undefined)
}

/// As [`write_file`], put off: a copy is written.
pub(super) fn write_file_later(
    call: &mut Call<'_, '_, '_>,
) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let to_file = if output_whole(call)? {
        None
    } else {
        let target = target(call, 2, "write")?;
        let length = call.with_utf8(1, <[u8]>::len)?;
        let mut content = memory_for(call, length)?;
        call.with_utf8(1, |bytes| content.copy_from_slice(bytes))?;
        Some((target, content))
    };
    let flush = call.boolean(4);
    Ok(move |context: &Context| match &to_file {
        Some((target, content)) => write(target, &context.mounts, content, flush).map(Outcome::from),
        None => Ok(().into()),
    })
}

/// Whether argument 0 is a descriptor of the program's output; then argument 1 has been written there.
fn output_whole(call: &mut Call<'_, '_, '_>) -> Result<bool, JsError> {
    let Some(descriptor) = call.u32(0).ok().filter(|descriptor| is_output(*descriptor)) else { return Ok(false) };
    let length = call.with_utf8(1, <[u8]>::len)?;
    let Some(output) = output(call, descriptor, length) else { return Ok(false) };
    call.with_utf8(1, |content| output.write(content))?;
    Ok(true)
}

fn write(target: &Target, mounts: &MountTable, content: &[u8], flush: bool) -> Result<(), Failure> {
    let write = |file: &OpenFile, position| {
        write_from(file, content, position)?;
        if flush { file.sync() } else { Ok(()) }
    };
    match target {
        Target::Open(file) => write(file, None).map_err(|error| file_failed(&error)),
        Target::Path(named, options) => {
            let file = mounts.open(&named.path, options).map_err(|error| named.error(&error, "open"))?;
            write(&file, Some(0)).map_err(|error| file_failed(&error))
        }
    }
}

/// `(path, length)`.
pub(super) fn truncate(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "open")?;
    let length = call.u64(1)?;
    Ok(move |context: &Context| {
        let options = OpenOptions { write: true, ..OpenOptions::READ };
        let file = context.mounts.open(&named.path, &options).map_err(|error| named.error(&error, "open"))?;
        file.truncate(length).map(Outcome::from).map_err(|error| file_failed(&error))
    })
}

/// `(from, to, mode)`.
pub(super) fn copy_file(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (from, to) = two_paths(call, "copyfile")?;
    let mode = call.u32(2)?;
    let umask = call.state::<FsState>().umask();
    Ok(move |context: &Context| {
        let copied = copy(&context.mounts, &from.path, &to.path, mode, umask);
        copied.map(Outcome::from).map_err(|error| from.errno_with(&to, error.errno, "copyfile"))
    })
}

fn copy(mounts: &MountTable, from: &GuestPath, to: &GuestPath, mode: u32, umask: u32) -> Result<(), FsError> {
    let fail = |errno| Err(FsError::new(errno, "copyfile"));
    if mode & CLONE_FORCE != 0 {
        return fail(Errno::ENOSYS);
    }
    let (source, metadata) = mounts.open_described(from, &OpenOptions::READ)?;
    if metadata.is_dir() {
        return fail(Errno::EISDIR);
    }
    let exclusive = mode & EXCLUSIVE != 0;
    let options = OpenOptions {
        read: false,
        write: true,
        create: if exclusive { NewFile::Always } else { NewFile::IfMissing },
        mode: metadata.mode & !umask,
        final_link: FinalLink::Follow,
        ..OpenOptions::READ
    };
    let (target, found) = mounts.open_described(to, &options)?;
    if (found.dev, found.ino) == (metadata.dev, metadata.ino) {
        return Ok(());
    }
    if found.size > 0 {
        target.truncate(0)?;
    }
    if let Some(done) = copy_in_kernel(&source, &target, metadata.size)? {
        return Ok(done);
    }
    let mut buffer = vec![0; COPY_BYTES.min(usize::try_from(metadata.size).unwrap_or(COPY_BYTES).max(1))];
    let mut offset = 0;
    loop {
        match source.read_at(&mut buffer, offset)? {
            0 => return Ok(()),
            count => {
                write_from(&target, &buffer[..count], Some(offset))?;
                offset += count as u64;
                if offset == metadata.size {
                    // It may have grown; but then it might do so for ever.
                    return Ok(());
                }
            }
        }
    }
}

/// Has the kernel copy a file of `size` bytes, which takes no memory and may share blocks. None where it can't, or where the
/// size says nothing.
fn copy_in_kernel(source: &OpenFile, target: &OpenFile, size: u64) -> Result<Option<()>, FsError> {
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset).unwrap_or(MAX_RANGE_BYTES).min(MAX_RANGE_BYTES);
        match target.copy_range(source, offset, length)? {
            // Some filesystems of old kernels claim to have copied nothing; then the rest, if any, is read.
            None | Some(0) => return Ok(None),
            Some(count) => offset += count as u64,
        }
    }
    Ok((size > 0).then_some(()))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, errno, tree};
    use super::*;

    #[test]
    fn a_copy_has_the_content_and_the_permissions() {
        let table = tree();
        let content: Vec<u8> = (0..COPY_BYTES * 2 + 5).map(|index| (index % 253) as u8).collect();
        table.write(&at("/tmp/a"), &content).unwrap();
        table.set_permissions(&at("/tmp/a"), 0o755).unwrap();
        copy(&table, &at("/tmp/a"), &at("/tmp/b"), EXCLUSIVE, 0o022).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 1 << 30).unwrap(), content);
        assert_eq!(table.metadata(&at("/tmp/b")).unwrap().mode & 0o777, 0o755);
        assert_eq!(errno(copy(&table, &at("/tmp/a"), &at("/tmp/b"), EXCLUSIVE, 0o022)), Errno::EEXIST);
        table.write(&at("/tmp/short"), b"short").unwrap();
        copy(&table, &at("/tmp/short"), &at("/tmp/b"), 0, 0o022).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 10).unwrap(), b"short");
        copy(&table, &at("/tmp/b"), &at("/tmp/b"), 0, 0o022).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 10).unwrap(), b"short", "a file copied onto itself stays");
        assert_eq!(errno(copy(&table, &at("/tmp"), &at("/tmp/c"), 0, 0o022)), Errno::EISDIR);
        assert_eq!(errno(copy(&table, &at("/tmp/b"), &at("/app/c"), 0, 0o022)), Errno::EROFS);
        assert_eq!(errno(copy(&table, &at("/tmp/b"), &at("/tmp/c"), CLONE_FORCE, 0o022)), Errno::ENOSYS);
    }
}
