//! `stat` in all its forms: the fields cross as one typed array that JavaScript provides.

use super::FsState;
use super::errors::{file_failed, of_file, path, thrown};
use super::operation::{Context, Done, Outcome};
use atoll_engine::{Call, JsError, NativeResult, Value};
use atoll_vfs::{Errno, Metadata};

/// Fields of a stat result: ten numbers and four times of two numbers each. `types.js` reads them in this order.
const FIELDS: usize = 18;

/// Bytes of a stat result.
pub(super) const RESULT_BYTES: usize = FIELDS * 8;

/// A link itself is meant.
const KEEP_LINK: u32 = 1;
/// The array is a `BigInt64Array`, not a `Float64Array`.
const BIG: u32 = 2;
/// What is not there is `false`, not an error.
const MAY_MISS: u32 = 4;

/// `(path, array, flags)` → whether it is there.
pub(super) fn of_path(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let flags = call.u32(2)?;
    let keep = flags & KEEP_LINK != 0;
    let syscall = if keep { "lstat" } else { "stat" };
    let named = path(call, 0, syscall)?;
    let mounts = &call.state::<FsState>().mounts;
    let found = if keep { mounts.symlink_metadata(&named.path) } else { mounts.metadata(&named.path) };
    match found {
        Ok(metadata) => {
            put(call, 1, &metadata, flags)?;
            Ok(Value::Bool(true))
        }
        Err(error) if flags & MAY_MISS != 0 && error.errno == Errno::ENOENT => Ok(Value::Bool(false)),
        Err(error) => Err(named.error(&error, syscall).into()),
    }
}

/// `(fd, array, flags)`.
pub(super) fn of_descriptor(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (descriptor, flags) = (call.u32(0)?, call.u32(2)?);
    let file = call.state::<FsState>().file(descriptor).map_err(|errno| of_file(errno, "fstat"))?;
    let metadata = file.metadata().map_err(|error| thrown(&error))?;
    put(call, 1, &metadata, flags)?;
    Ok(Value::Undefined)
}

/// `(path, link, bigint)`, put off.
pub(super) fn stat(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (keep, as_integers) = (call.boolean(1), call.boolean(2));
    let syscall = if keep { "lstat" } else { "stat" };
    let named = path(call, 0, syscall)?;
    Ok(move |context: &Context| {
        let mounts = &context.mounts;
        let found = if keep { mounts.symlink_metadata(&named.path) } else { mounts.metadata(&named.path) };
        let outcome = |metadata| Outcome::Metadata { metadata, as_integers };
        found.map(outcome).map_err(|error| named.error(&error, syscall))
    })
}

/// `(fd, bigint)`, put off.
pub(super) fn fstat(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (descriptor, as_integers) = (call.u32(0)?, call.boolean(1));
    let file = call.state::<FsState>().file(descriptor).map_err(|errno| of_file(errno, "fstat"))?;
    Ok(move |_: &Context| {
        let outcome = |metadata| Outcome::Metadata { metadata, as_integers };
        file.metadata().map(outcome).map_err(|error| file_failed(&error))
    })
}

fn put(call: &mut Call<'_, '_, '_>, index: usize, metadata: &Metadata, flags: u32) -> Result<(), JsError> {
    let written = call.with_bytes_mut(index, |bytes| {
        bytes.get_mut(..RESULT_BYTES).map(|target| encode(metadata, flags & BIG != 0, target)).is_some()
    })?;
    if written { Ok(()) } else { Err(JsError::range_error("the array has too few elements")) }
}

/// Writes the fields as 64-bit integers or as doubles.
pub(super) fn encode(metadata: &Metadata, as_integers: bool, target: &mut [u8]) {
    for (slot, field) in target.chunks_exact_mut(8).zip(fields(metadata)) {
        let encoded = if as_integers { field.to_ne_bytes() } else { (field as f64).to_ne_bytes() };
        slot.copy_from_slice(&encoded);
    }
}

fn fields(metadata: &Metadata) -> [i64; FIELDS] {
    let Metadata { accessed, modified, changed, born, .. } = *metadata;
    [
        metadata.dev as i64,
        i64::from(metadata.mode),
        i64::from(metadata.nlink),
        i64::from(metadata.uid),
        i64::from(metadata.gid),
        metadata.rdev as i64,
        i64::from(metadata.block_size),
        metadata.ino as i64,
        metadata.size as i64,
        metadata.blocks as i64,
        accessed.seconds,
        i64::from(accessed.nanoseconds),
        modified.seconds,
        i64::from(modified.nanoseconds),
        changed.seconds,
        i64::from(changed.nanoseconds),
        born.seconds,
        i64::from(born.nanoseconds),
    ]
}
