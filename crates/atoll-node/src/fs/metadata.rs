//! `stat` in all its forms: the fields cross as one typed array that JavaScript provides.

use super::FsState;
use super::errors::{mounts, of_file, path, thrown};
use atoll_engine::{Call, JsError, NativeResult, Value};
use atoll_vfs::{Errno, Metadata};

/// Fields of a stat result: ten numbers and four times of two numbers each. `types.js` reads them in this order.
const FIELDS: usize = 18;

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
    let mounts = mounts(call);
    let found = if keep { mounts.symlink_metadata(&named.path) } else { mounts.metadata(&named.path) };
    match found {
        Ok(metadata) => {
            put(call, 1, &metadata, flags)?;
            Ok(Value::Bool(true))
        }
        Err(error) if flags & MAY_MISS != 0 && error.errno == Errno::ENOENT => Ok(Value::Bool(false)),
        Err(error) => Err(named.error(&error, syscall)),
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

fn put(call: &mut Call<'_, '_, '_>, index: usize, metadata: &Metadata, flags: u32) -> Result<(), JsError> {
    let fields = fields(metadata);
    let written = call.with_bytes_mut(index, |bytes| {
        if bytes.len() < FIELDS * 8 {
            return false;
        }
        for (slot, field) in bytes.chunks_exact_mut(8).zip(fields) {
            let encoded = if flags & BIG != 0 { field.to_ne_bytes() } else { (field as f64).to_ne_bytes() };
            slot.copy_from_slice(&encoded);
        }
        true
    })?;
    if written { Ok(()) } else { Err(JsError::range_error("the array has too few elements")) }
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
