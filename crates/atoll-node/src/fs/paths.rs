//! Calls on one or two names.

use super::errors::{Named, bytes_or_text, mounts, path, thrown, two_paths};
use super::files::time;
use super::{FsState, UMASK};
use atoll_engine::{Call, NativeResult, Value};
use atoll_vfs::{AccessMode, DirEntry, FileKind, FinalLink, FsError, MountTable};

fn on_path(
    call: &mut Call<'_, '_, '_>,
    syscall: &'static str,
    work: impl FnOnce(&MountTable, &Named) -> Result<(), FsError>,
) -> NativeResult {
    let named = path(call, 0, syscall)?;
    work(&mounts(call), &named).map_err(|error| named.error(&error, syscall))?;
    Ok(Value::Undefined)
}

fn on_two_paths(
    call: &mut Call<'_, '_, '_>,
    syscall: &'static str,
    work: impl FnOnce(&MountTable, &Named, &Named) -> Result<(), FsError>,
) -> NativeResult {
    let (from, to) = two_paths(call, syscall)?;
    work(&mounts(call), &from, &to).map_err(|error| from.error_with(&to, error.errno, syscall))?;
    Ok(Value::Undefined)
}

/// `(path, mode)`: bits 4, 2 and 1 for reading, writing and executing.
pub(super) fn access(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mode = call.u32(1)?;
    let wanted = AccessMode { read: mode & 4 != 0, write: mode & 2 != 0, execute: mode & 1 != 0 };
    on_path(call, "access", |mounts, named| mounts.access(&named.path, wanted))
}

/// `(path)` → whether it is there.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the type of natives; that a path cannot exist is an answer, not an error"
)]
pub(super) fn exists(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let Ok(named) = path(call, 0, "access") else { return Ok(Value::Bool(false)) };
    Ok(Value::Bool(mounts(call).access(&named.path, AccessMode::default()).is_ok()))
}

/// `(path, mode)`.
pub(super) fn chmod(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mode = call.u32(1)?;
    on_path(call, "chmod", |mounts, named| mounts.set_permissions(&named.path, mode))
}

/// `(path, accessed, modified, link)`, in seconds; `link` means a link itself.
pub(super) fn utimes(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (accessed, modified) = (time(call.number(1)?), time(call.number(2)?));
    let (last, syscall) = if call.boolean(3) { (FinalLink::Keep, "lutime") } else { (FinalLink::Follow, "utime") };
    on_path(call, syscall, |mounts, named| mounts.set_times(&named.path, last, accessed, modified))
}

/// `(path, mode)`.
pub(super) fn make_dir(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mode = call.u32(1)? & !UMASK;
    on_path(call, "mkdir", |mounts, named| mounts.create_dir(&named.path, mode))
}

/// `(path)`.
pub(super) fn remove_dir(call: &mut Call<'_, '_, '_>) -> NativeResult {
    on_path(call, "rmdir", |mounts, named| mounts.remove_dir(&named.path))
}

/// `(path)`.
pub(super) fn unlink(call: &mut Call<'_, '_, '_>) -> NativeResult {
    on_path(call, "unlink", |mounts, named| mounts.remove_file(&named.path))
}

/// `(from, to)`.
pub(super) fn rename(call: &mut Call<'_, '_, '_>) -> NativeResult {
    on_two_paths(call, "rename", |mounts, from, to| mounts.rename(&from.path, &to.path))
}

/// `(from, to)`.
pub(super) fn link(call: &mut Call<'_, '_, '_>) -> NativeResult {
    on_two_paths(call, "link", |mounts, from, to| mounts.hard_link(&from.path, &to.path))
}

/// `(target, path)`; the target is text, whatever it names.
pub(super) fn symlink(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let target = bytes_or_text(call, 0)?;
    let link = bytes_or_text(call, 1)?;
    let made = call.state::<FsState>().working_directory.join_bytes(&link).map_err(atoll_vfs::PathError::errno);
    let mounts = mounts(call);
    made.and_then(|path| mounts.symlink(&target, &path).map_err(|error| error.errno)).map_err(|errno| {
        let error = FsError::new(errno, "symlink").with_path(String::from_utf8_lossy(&target).as_ref());
        thrown(&error.with_dest(String::from_utf8_lossy(&link).as_ref()))
    })?;
    Ok(Value::Undefined)
}

/// `(path)` → the link's text, as bytes.
pub(super) fn read_link(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "readlink")?;
    mounts(call).read_link(&named.path).map(Value::Bytes).map_err(|error| named.error(&error, "readlink"))
}

/// `(path)` → the path without links, as bytes.
pub(super) fn real_path(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "realpath")?;
    let real = mounts(call).canonicalize(&named.path).map_err(|error| named.error(&error, "realpath"))?;
    Ok(Value::Bytes(real.as_bytes().to_vec()))
}

/// `(path, as_bytes, syscall)` → `[names, kinds]`: the names sorted by their bytes, as strings or as bytes, and for each
/// a byte that says what it is (`UV_DIRENT_…`).
pub(super) fn read_dir(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let as_bytes = call.boolean(1);
    let syscall = if call.boolean(2) { "opendir" } else { "scandir" };
    let named = path(call, 0, syscall)?;
    let mut entries = mounts(call).read_dir(&named.path).map_err(|error| named.error(&error, syscall))?;
    entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let kinds = entries.iter().map(|entry| kind(entry.kind)).collect();
    let name = |DirEntry { name, .. }| {
        if as_bytes {
            return Value::Bytes(name);
        }
        // Where it is no UTF-8, the program gets a name it cannot open; with `encoding: 'buffer'` it gets the real one.
        let text = String::from_utf8(name);
        Value::String(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    };
    let names = entries.into_iter().map(name).collect();
    Ok(Value::List(vec![Value::List(names), Value::Bytes(kinds)]))
}

/// `UV_DIRENT_…`, as in `constants`.
fn kind(kind: FileKind) -> u8 {
    match kind {
        FileKind::Regular => 1,
        FileKind::Directory => 2,
        FileKind::Symlink => 3,
        FileKind::Fifo => 4,
        FileKind::Socket => 5,
        FileKind::CharDevice => 6,
        FileKind::BlockDevice => 7,
    }
}
