//! Open files, and reading whole ones.

use super::errors::{mounts, of_file, path, thrown};
use super::{FsState, UMASK};
use atoll_engine::{Call, JsError, NativeResult, Value};
use atoll_vfs::{Errno, FinalLink, FsError, NewFile, OpenFile, OpenOptions, Time};
use std::sync::Arc;

/// Files up to this many bytes are read in one call, through memory that is not the isolate's. Longer ones are opened
/// and read into a Buffer that the isolate has allocated, so that its own limit applies to them.
const WHOLE_READ_BYTES: u64 = 1 << 20;

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

fn options(flags: u32, mode: u32) -> Result<OpenOptions, Errno> {
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
        mode: mode & !UMASK,
    })
}

/// `(path, flags, mode)` → descriptor.
pub(super) fn open(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "open")?;
    let (flags, mode) = (call.u32(1)?, call.u32(2)?);
    let fail = |errno| thrown(&FsError::new(errno, "open").with_path(&named.given));
    let options = options(flags, mode).map_err(fail)?;
    call.state::<FsState>().require_room().map_err(fail)?;
    let file = mounts(call).open(&named.path, &options).map_err(|error| named.error(&error, "open"))?;
    call.state::<FsState>().keep(file).map(Value::from).map_err(fail)
}

/// `(fd)`.
pub(super) fn close(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let descriptor = call.u32(0)?;
    call.state::<FsState>().close(descriptor).map_err(|errno| of_file(errno, "close"))?;
    Ok(Value::Undefined)
}

fn file(call: &mut Call<'_, '_, '_>, syscall: &'static str) -> Result<Arc<OpenFile>, JsError> {
    let descriptor = call.u32(0)?;
    call.state::<FsState>().file(descriptor).map_err(|errno| of_file(errno, syscall))
}

/// Offset, length and position of a read or write: arguments 2 to 4. The position is -1 for the file's own.
struct Extent {
    offset: usize,
    length: usize,
    position: Option<u64>,
}

fn extent(call: &mut Call<'_, '_, '_>) -> Result<Extent, JsError> {
    let (offset, length) = (call.u64(2)?, call.u64(3)?);
    let position = if call.number(4)? < 0.0 { None } else { Some(call.u64(4)?) };
    let checked = |number: u64| usize::try_from(number).map_err(|_| JsError::range_error("out of range"));
    Ok(Extent { offset: checked(offset)?, length: checked(length)?, position })
}

impl Extent {
    fn of<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        bytes.get(self.offset..self.offset.checked_add(self.length)?)
    }

    fn of_mut<'b>(&self, bytes: &'b mut [u8]) -> Option<&'b mut [u8]> {
        bytes.get_mut(self.offset..self.offset.checked_add(self.length)?)
    }
}

fn outside() -> JsError {
    JsError::range_error("the range is outside of the buffer")
}

/// `(fd, buffer, offset, length, position)` → count of bytes.
pub(super) fn read(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let file = file(call, "read")?;
    let extent = extent(call)?;
    let count = call.with_bytes_mut(1, |bytes| {
        let target = extent.of_mut(bytes).ok_or_else(outside)?;
        let result = match extent.position {
            Some(position) => file.read_at(target, position),
            None => file.read(target),
        };
        result.map_err(|error| thrown(&error))
    })??;
    Ok(Value::Number(count as f64))
}

/// `(fd, buffer, offset, length, position)` → count of bytes.
pub(super) fn write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let file = file(call, "write")?;
    let extent = extent(call)?;
    let count = call.with_bytes(1, |bytes| {
        let source = extent.of(bytes).ok_or_else(outside)?;
        let result = match extent.position {
            Some(position) => file.write_at(source, position),
            None => file.write(source),
        };
        result.map_err(|error| thrown(&error))
    })??;
    Ok(Value::Number(count as f64))
}

/// `(path)` → its bytes, or the descriptor of a file that is too long for one call.
pub(super) fn read_file(call: &mut Call<'_, '_, '_>) -> NativeResult {
    whole(call, Value::Bytes)
}

/// `(path)` → its UTF-8 text, or the descriptor of a file that is too long for one call.
pub(super) fn read_text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    whole(call, |bytes| {
        let text = String::from_utf8(bytes);
        Value::String(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    })
}

fn whole(call: &mut Call<'_, '_, '_>, value: impl FnOnce(Vec<u8>) -> Value) -> NativeResult {
    let named = path(call, 0, "open")?;
    let fail = |errno| thrown(&FsError::new(errno, "open").with_path(&named.given));
    call.state::<FsState>().require_room().map_err(fail)?;
    let mounts = mounts(call);
    match mounts.read(&named.path, WHOLE_READ_BYTES) {
        Ok(bytes) => Ok(value(bytes)),
        Err(error) if error.errno == Errno::EFBIG => {
            let file = mounts.open(&named.path, &OpenOptions::READ).map_err(|error| named.error(&error, "open"))?;
            call.state::<FsState>().keep(file).map(Value::from).map_err(fail)
        }
        Err(error) => Err(named.error(&error, "open")),
    }
}

/// `(fd, length)`.
pub(super) fn truncate(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let length = call.u64(1)?;
    file(call, "ftruncate")?.truncate(length).map_err(|error| thrown(&error))?;
    Ok(Value::Undefined)
}

/// `(fd)`.
pub(super) fn sync(call: &mut Call<'_, '_, '_>) -> NativeResult {
    file(call, "fsync")?.sync().map_err(|error| thrown(&error))?;
    Ok(Value::Undefined)
}

/// `(fd, mode)`.
pub(super) fn chmod(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mode = call.u32(1)?;
    file(call, "fchmod")?.set_permissions(mode).map_err(|error| thrown(&error))?;
    Ok(Value::Undefined)
}

/// `(fd, accessed, modified)`, in seconds.
pub(super) fn utimes(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (accessed, modified) = (time(call.number(1)?), time(call.number(2)?));
    file(call, "futime")?.set_times(accessed, modified).map_err(|error| thrown(&error))?;
    Ok(Value::Undefined)
}

/// Seconds as JavaScript has them, to the microsecond as Node keeps them.
pub(super) fn time(seconds: f64) -> Time {
    let microseconds = (seconds * 1e6).floor() as i64;
    Time {
        seconds: microseconds.div_euclid(1_000_000),
        nanoseconds: (microseconds.rem_euclid(1_000_000) * 1000) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_mean_what_they_mean_on_linux() {
        let read = options(0, 0o666).unwrap();
        assert_eq!(read, OpenOptions { mode: 0o644, ..OpenOptions::READ });
        let append = options(O_WRONLY | O_CREAT | O_APPEND, 0o777).unwrap();
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
        assert_eq!(time(1_700_000_000.123_456), Time { seconds: 1_700_000_000, nanoseconds: 123_456_000 });
    }
}
