//! Open files.

use super::FsState;
use super::errors::{file_failed, of_file, path, thrown};
use super::operation::{Context, Done, Outcome};
use super::standard::{self, output};
use atoll_engine::{Call, JsError, NativeResult, Value};
use atoll_vfs::{Errno, FinalLink, FsError, NewFile, OpenFile, OpenOptions, Owner, Time};
use std::sync::Arc;

// The guest's flags of `open`, the same on every host (`constants` in types.js).
const O_ACCMODE: u32 = 0o3;
const O_WRONLY: u32 = 0o1;
const O_RDWR: u32 = 0o2;
const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;
const O_TRUNC: u32 = 0o1000;
const O_APPEND: u32 = 0o2000;
const O_DIRECTORY: u32 = 0o200_000;
const O_NOFOLLOW: u32 = 0o400_000;
const O_PATH: u32 = 0o10_000_000;
const O_TMPFILE: u32 = 0o20_000_000;

/// As guests write them; `mode` is what is left of the permissions of a new file.
pub(super) fn options(flags: u32, mode: u32) -> Result<OpenOptions, Errno> {
    if flags & O_ACCMODE == O_ACCMODE {
        return Err(Errno::EINVAL);
    }
    if flags & (O_PATH | O_TMPFILE) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let writes = flags & (O_WRONLY | O_RDWR) != 0;
    Ok(OpenOptions {
        read: flags & O_WRONLY == 0,
        write: writes,
        append: writes && flags & O_APPEND != 0,
        truncate: flags & O_TRUNC != 0,
        create: match flags & (O_CREAT | O_EXCL) {
            O_CREAT => NewFile::IfMissing,
            both if both == O_CREAT | O_EXCL => NewFile::Always,
            _ => NewFile::Never,
        },
        directory: flags & O_DIRECTORY != 0,
        final_link: if flags & O_NOFOLLOW != 0 { FinalLink::Keep } else { FinalLink::Follow },
        mode,
    })
}

/// `(path, flags, mode)` → descriptor.
pub(super) fn open(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "open")?;
    let (flags, mode) = (call.u32(1)?, call.u32(2)?);
    let options =
        options(flags, mode & !call.state::<FsState>().umask()).map_err(|errno| named.errno(errno, "open"))?;
    let place = call.state::<FsState>().reserve().map_err(|errno| named.errno(errno, "open"))?;
    Ok(move |context: &Context| {
        // Its place among the descriptors is the operation's until the file has one.
        let _ = &place;
        context.mounts.open(&named.path, &options).map(Outcome::Opened).map_err(|error| named.error(&error, "open"))
    })
}

/// `(fd)`.
pub(super) fn close(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let descriptor = call.u32(0)?;
    // The number is free from here on; what is under way keeps the file itself open.
    let file = call.state::<FsState>().close(descriptor).map_err(|errno| of_file(errno, "close"))?;
    let file = std::sync::Mutex::new(Some(file));
    Ok(move |_: &Context| {
        drop(file.lock().map(|mut file| file.take()));
        Ok(().into())
    })
}

/// The open file of argument 0.
pub(super) fn file(call: &mut Call<'_, '_, '_>, syscall: &'static str) -> Result<Arc<OpenFile>, JsError> {
    let descriptor = call.u32(0)?;
    call.state::<FsState>().file(descriptor).map_err(|errno| of_file(errno, syscall))
}

/// A position argument: -1 is the file's own.
pub(super) fn position(call: &mut Call<'_, '_, '_>, index: usize) -> Result<Option<u64>, JsError> {
    if call.number(index)? < 0.0 { Ok(None) } else { call.u64(index).map(Some) }
}

/// Offset, length and position of a read or write: arguments 2 to 4.
struct Extent {
    offset: usize,
    length: usize,
    position: Option<u64>,
}

fn extent(call: &mut Call<'_, '_, '_>) -> Result<Extent, JsError> {
    let (offset, length) = (call.u64(2)?, call.u64(3)?);
    let position = position(call, 4)?;
    let checked = |number: u64| usize::try_from(number).map_err(|_| JsError::range_error("out of range"));
    Ok(Extent { offset: checked(offset)?, length: checked(length)?, position })
}

impl Extent {
    fn of<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], JsError> {
        let end = self.offset.checked_add(self.length);
        end.and_then(|end| bytes.get(self.offset..end)).ok_or_else(outside)
    }

    fn of_mut<'b>(&self, bytes: &'b mut [u8]) -> Result<&'b mut [u8], JsError> {
        let end = self.offset.checked_add(self.length);
        end.and_then(|end| bytes.get_mut(self.offset..end)).ok_or_else(outside)
    }
}

fn outside() -> JsError {
    JsError::range_error("the range is outside of the buffer")
}

fn read_into(file: &OpenFile, target: &mut [u8], position: Option<u64>) -> Result<usize, FsError> {
    match position {
        Some(position) => file.read_at(target, position),
        None => file.read(target),
    }
}

/// Writes all of `data`.
pub(super) fn write_from(file: &OpenFile, mut data: &[u8], mut position: Option<u64>) -> Result<(), FsError> {
    while !data.is_empty() {
        let count = match position {
            Some(position) => file.write_at(data, position)?,
            None => file.write(data)?,
        };
        if count == 0 {
            return Err(FsError::new(Errno::EIO, "write"));
        }
        data = &data[count..];
        position = position.map(|position| position + count as u64);
    }
    Ok(())
}

/// `(fd, buffer, offset, length, position)` → count of bytes.
pub(super) fn read(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let file = file(call, "read")?;
    let extent = extent(call)?;
    let count = call.with_bytes_mut(1, |bytes| {
        read_into(&file, extent.of_mut(bytes)?, extent.position).map_err(|error| thrown(&error))
    })??;
    Ok(Value::Number(count as f64))
}

/// `(fd, buffers, position)` → count of bytes; the buffers are an array of the platform's own.
pub(super) fn readv(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let file = file(call, "read")?;
    let mut position = position(call, 2)?;
    let mut total = 0;
    let mut is_nothing = true;
    call.with_each_bytes(1, |_, bytes| {
        is_nothing = false;
        let count =
            if bytes.is_empty() { 0 } else { read_into(&file, bytes, position).map_err(|error| thrown(&error))? };
        total += count;
        position = position.map(|position| position + count as u64);
        Ok(count == bytes.len())
    })?;
    if is_nothing {
        // What `preadv` says of no buffers.
        return Err(of_file(Errno::EINVAL, "read"));
    }
    Ok(Value::Number(total as f64))
}

/// `(fd, length, position, nothing)` → the bytes, put off; none, where nothing is to be read. They are read into memory of their own: the program's buffer may be
/// gone, or looked at, while the operation is under way.
pub(super) fn read_later(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let file = file(call, "read")?;
    let length = usize::try_from(call.u64(1)?).map_err(|_| outside())?;
    let position = position(call, 2)?;
    let is_nothing = call.boolean(3);
    Ok(move |context: &Context| {
        let mut buffer = context.allocate(length)?;
        if is_nothing {
            return Ok(Value::Buffer(buffer).into());
        }
        if length == 0 {
            // What `preadv` says of no buffers.
            return Err(of_file(Errno::EINVAL, "read").into());
        }
        let count = read_into(&file, &mut buffer, position).map_err(|error| file_failed(&error))?;
        buffer.truncate(count);
        Ok(Value::Buffer(buffer).into())
    })
}

/// `(fd, buffer, offset, length, position)` → count of bytes.
pub(super) fn write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let extent = extent(call)?;
    let descriptor = call.u32(0)?;
    if let Some(output) = output(call, descriptor, extent.length) {
        call.with_bytes(1, |bytes| extent.of(bytes).map(|source| output.write(source)))??;
        return Ok(Value::Number(extent.length as f64));
    }
    let file = file(call, "write")?;
    let count = call.with_bytes(1, |bytes| {
        let source = extent.of(bytes)?;
        let result = match extent.position {
            Some(position) => file.write_at(source, position),
            None => file.write(source),
        };
        result.map_err(|error| thrown(&error))
    })??;
    Ok(Value::Number(count as f64))
}

/// `(fd, text, position)` → count of bytes of its UTF-8.
pub(super) fn write_text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let position = position(call, 2)?;
    let descriptor = call.u32(0)?;
    if standard::is_output(descriptor) {
        let length = call.with_utf8(1, <[u8]>::len)?;
        if let Some(output) = output(call, descriptor, length) {
            call.with_utf8(1, |bytes| output.write(bytes))?;
            return Ok(Value::Number(length as f64));
        }
    }
    let file = file(call, "write")?;
    let count = call.with_utf8(1, |bytes| {
        let result = match position {
            Some(position) => file.write_at(bytes, position),
            None => file.write(bytes),
        };
        result.map_err(|error| thrown(&error))
    })??;
    Ok(Value::Number(count as f64))
}

/// `(fd, buffers, position)` → count of bytes; the buffers are an array of the platform's own.
pub(super) fn writev(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let descriptor = call.u32(0)?;
    let mut total = 0;
    if standard::is_output(descriptor) {
        call.with_each_bytes(1, |_, bytes| {
            total += bytes.len();
            Ok(true)
        })?;
        if let Some(output) = output(call, descriptor, total) {
            call.with_each_bytes(1, |_, bytes| {
                output.write(bytes);
                Ok(true)
            })?;
            return Ok(Value::Number(total as f64));
        }
        total = 0;
    }
    let file = file(call, "write")?;
    let mut position = position(call, 2)?;
    call.with_each_bytes(1, |_, bytes| {
        write_from(&file, bytes, position).map_err(|error| thrown(&error))?;
        total += bytes.len();
        position = position.map(|position| position + bytes.len() as u64);
        Ok(true)
    })?;
    Ok(Value::Number(total as f64))
}

/// `(fd, buffer, offset, length, position)` → count of bytes, put off: a copy of the buffer is written. What goes to the
/// program's output is written at once, so that it stands there in the order of the calls.
pub(super) fn write_later(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let extent = extent(call)?;
    let descriptor = call.u32(0)?;
    let to_file = if let Some(output) = output(call, descriptor, extent.length) {
        call.with_bytes(1, |bytes| extent.of(bytes).map(|source| output.write(source)))??;
        None
    } else {
        let file = file(call, "write")?;
        let mut buffer = memory_for(call, extent.length)?;
        call.with_bytes(1, |bytes| extent.of(bytes).map(|source| buffer.copy_from_slice(source)))??;
        Some((file, buffer))
    };
    Ok(move |_: &Context| {
        let Some((file, buffer)) = &to_file else { return Ok(Value::Number(extent.length as f64).into()) };
        let result = match extent.position {
            Some(position) => file.write_at(buffer, position),
            None => file.write(buffer),
        };
        Ok(Value::Number(result.map_err(|error| file_failed(&error))? as f64).into())
    })
}

/// Memory of the guest's for what an operation works on until it is over.
pub(super) fn memory_for(call: &mut Call<'_, '_, '_>, bytes: usize) -> Result<atoll_engine::GuestBuffer, JsError> {
    if let Ok(memory) = Context::of(call).allocate(bytes) {
        return Ok(memory);
    }
    call.collect_garbage();
    Context::of(call).allocate(bytes).map_err(JsError::from)
}

/// An operation on an open file that says nothing but whether it worked.
fn on_file<W: Fn(&OpenFile) -> Result<(), FsError> + Send>(
    call: &mut Call<'_, '_, '_>,
    syscall: &'static str,
    work: W,
) -> Result<impl Fn(&Context) -> Done + Send + use<W>, JsError> {
    let file = file(call, syscall)?;
    Ok(move |_: &Context| work(&file).map(Outcome::from).map_err(|error| file_failed(&error)))
}

/// `(fd, length)`.
pub(super) fn truncate(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let length = call.u64(1)?;
    on_file(call, "ftruncate", move |file| file.truncate(length))
}

/// `(fd)`.
pub(super) fn sync(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_file(call, "fsync", OpenFile::sync)
}

/// `(fd)`: without metadata that reading does not take.
pub(super) fn sync_data(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_file(call, "fdatasync", OpenFile::sync_data)
}

/// `(fd, uid, gid)`; -1 leaves one as it is.
pub(super) fn chown(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let owner = owner(call)?;
    on_file(call, "fchown", move |file| file.set_owner(owner))
}

/// Arguments 1 and 2.
pub(super) fn owner(call: &mut Call<'_, '_, '_>) -> Result<Owner, JsError> {
    let mut number = |index| Ok::<_, JsError>(if call.number(index)? < 0.0 { None } else { Some(call.u32(index)?) });
    Ok(Owner { uid: number(1)?.filter(|uid| *uid != u32::MAX), gid: number(2)?.filter(|gid| *gid != u32::MAX) })
}

/// `(fd, mode)`.
pub(super) fn chmod(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let mode = call.u32(1)?;
    on_file(call, "fchmod", move |file| file.set_permissions(mode))
}

/// `(fd, accessed, modified)`, in seconds.
pub(super) fn utimes(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (accessed, modified) = (time(call.number(1)?), time(call.number(2)?));
    on_file(call, "futime", move |file| file.set_times(accessed, modified))
}

/// Seconds as JavaScript has them, to the microsecond and cut rather than rounded, as in Node.
pub(super) fn time(seconds: f64) -> Time {
    let whole = seconds.trunc();
    let nanoseconds = ((seconds - whole) * 1e9) as i64;
    let nanoseconds = nanoseconds - nanoseconds % 1000;
    let (seconds, nanoseconds) =
        if nanoseconds < 0 { (whole as i64 - 1, nanoseconds + 1_000_000_000) } else { (whole as i64, nanoseconds) };
    Time { seconds, nanoseconds: nanoseconds as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_mean_what_they_mean_on_linux() {
        let read = options(0, 0o644).unwrap();
        assert_eq!(read, OpenOptions { mode: 0o644, ..OpenOptions::READ });
        let append = options(O_WRONLY | O_CREAT | O_APPEND, 0o755).unwrap();
        assert!(!append.read && append.write && append.append && append.create == NewFile::IfMissing);
        assert_eq!(append.mode, 0o755);
        let exclusive = options(O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW, 0).unwrap();
        assert!(exclusive.read && exclusive.write && exclusive.truncate && exclusive.create == NewFile::Always);
        assert_eq!(exclusive.final_link, FinalLink::Keep);
        assert_eq!(options(O_EXCL, 0).unwrap().create, NewFile::Never);
        assert_eq!(options(3, 0), Err(Errno::EINVAL));
        assert_eq!(options(O_TMPFILE | O_RDWR, 0), Err(Errno::EOPNOTSUPP));
    }

    #[test]
    fn times_are_kept_to_the_microsecond() {
        assert_eq!(time(1.5), Time { seconds: 1, nanoseconds: 500_000_000 });
        assert_eq!(time(-0.25), Time { seconds: -1, nanoseconds: 750_000_000 });
        assert_eq!(time(1_700_000_000.123), Time { seconds: 1_700_000_000, nanoseconds: 122_999_000 });
        assert_eq!(time(1_700_000_000.123_456), Time { seconds: 1_700_000_000, nanoseconds: 123_456_000 });
    }
}
