//! Calls on one or two names.

use super::FsState;
use super::errors::{Named, path, thrown, two_paths};
use super::files::{owner, time};
use super::operation::{Context, Done, Failure, Outcome};
use atoll_engine::{Call, JsError, NativeResult, Texts, Value};
use atoll_vfs::{AccessMode, FileKind, FinalLink, FsError, GuestPath, Listing, Metadata, MountTable, Statistics};
use std::sync::Arc;

fn on_path<W: Fn(&MountTable, &GuestPath) -> Result<(), FsError> + Send>(
    call: &mut Call<'_, '_, '_>,
    syscall: &'static str,
    work: W,
) -> Result<impl Fn(&Context) -> Done + Send + use<W>, JsError> {
    let named = path(call, 0, syscall)?;
    Ok(move |context: &Context| {
        work(&context.mounts, &named.path).map(Outcome::from).map_err(|error| named.error(&error, syscall))
    })
}

fn on_two_paths<W: Fn(&MountTable, &GuestPath, &GuestPath) -> Result<(), FsError> + Send>(
    call: &mut Call<'_, '_, '_>,
    syscall: &'static str,
    work: W,
) -> Result<impl Fn(&Context) -> Done + Send + use<W>, JsError> {
    let (from, to) = two_paths(call, syscall)?;
    Ok(move |context: &Context| {
        let done = work(&context.mounts, &from.path, &to.path);
        done.map(Outcome::from).map_err(|error| from.errno_with(&to, error.errno, syscall))
    })
}

/// `(path, mode)`: bits 4, 2 and 1 for reading, writing and executing.
pub(super) fn access(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let mode = call.u32(1)?;
    let wanted = AccessMode { read: mode & 4 != 0, write: mode & 2 != 0, execute: mode & 1 != 0 };
    on_path(call, "access", move |mounts, path| mounts.access(path, wanted))
}

/// `(path)` → whether it is there, at once.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the type of natives; that a path cannot exist is an answer, not an error"
)]
pub(super) fn exists(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let working_directory = Arc::clone(&call.state::<FsState>().working_directory);
    let Ok(Ok(path)) = call.with_utf8(0, |bytes| working_directory.join_bytes(bytes)) else {
        return Ok(Value::Bool(false));
    };
    Ok(Value::Bool(call.state::<FsState>().mounts.access(&path, AccessMode::default()).is_ok()))
}

/// `(path)` → whether it is there, put off.
pub(super) fn exists_later(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let working_directory = Arc::clone(&call.state::<FsState>().working_directory);
    let path = call.with_utf8(0, |bytes| working_directory.join_bytes(bytes).ok())?;
    Ok(move |context: &Context| {
        let found = path.as_ref().is_some_and(|path| context.mounts.access(path, AccessMode::default()).is_ok());
        Ok(found.into())
    })
}

/// `(path, mode)`.
pub(super) fn chmod(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let mode = call.u32(1)?;
    on_path(call, "chmod", move |mounts, path| mounts.set_permissions(path, mode))
}

/// `(path, uid, gid, link)`; -1 leaves a number as it is, `link` means a link itself.
pub(super) fn chown(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let owner = owner(call)?;
    let (last, syscall) = if call.boolean(3) { (FinalLink::Keep, "lchown") } else { (FinalLink::Follow, "chown") };
    on_path(call, syscall, move |mounts, path| mounts.set_owner(path, last, owner))
}

/// `(path)` → type, size of a block, blocks, free and available ones, inodes, free ones.
pub(super) fn statfs(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "statfs")?;
    Ok(move |context: &Context| {
        let found = context.mounts.statistics(&named.path).map_err(|error| named.error(&error, "statfs"))?;
        let Statistics { kind, block_size, blocks, free_blocks, available_blocks, inodes, free_inodes } = found;
        let fields = [kind, block_size, blocks, free_blocks, available_blocks, inodes, free_inodes];
        // BigInts are signed here; no filesystem counts so far that it matters.
        let fields = fields.map(|field| Value::BigInt(i64::try_from(field).unwrap_or(i64::MAX)));
        Ok(Value::List(fields.into()).into())
    })
}

/// `(path, accessed, modified, link)`, in seconds; `link` means a link itself.
pub(super) fn utimes(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let (accessed, modified) = (time(call.number(1)?), time(call.number(2)?));
    let (last, syscall) = if call.boolean(3) { (FinalLink::Keep, "lutime") } else { (FinalLink::Follow, "utime") };
    on_path(call, syscall, move |mounts, path| mounts.set_times(path, last, accessed, modified))
}

/// `(path, mode)`.
pub(super) fn make_dir(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let mode = call.u32(1)? & !call.state::<FsState>().umask();
    on_path(call, "mkdir", move |mounts, path| mounts.create_dir(path, mode))
}

/// `(path)`.
pub(super) fn remove_dir(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_path(call, "rmdir", MountTable::remove_dir)
}

/// `(path)`.
pub(super) fn unlink(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_path(call, "unlink", MountTable::remove_file)
}

/// `(from, to)`.
pub(super) fn rename(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_two_paths(call, "rename", MountTable::rename)
}

/// `(from, to)`.
pub(super) fn link(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    on_two_paths(call, "link", MountTable::hard_link)
}

/// `(target, path)`; the target is text, whatever it names.
pub(super) fn symlink(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let target = call.with_utf8(0, <[u8]>::to_vec)?;
    let link = call.with_utf8(1, <[u8]>::to_vec)?;
    let path = call.state::<FsState>().working_directory.join_bytes(&link).map_err(atoll_vfs::PathError::errno);
    Ok(move |context: &Context| {
        let made = path.clone().and_then(|path| context.mounts.symlink(&target, &path).map_err(|error| error.errno));
        made.map(Outcome::from).map_err(|errno| {
            let error = FsError::new(errno, "symlink").with_path(&*String::from_utf8_lossy(&target));
            thrown(&error.with_dest(&*String::from_utf8_lossy(&link))).into()
        })
    })
}

/// `(path)` → the link's text, as bytes.
pub(super) fn read_link(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "readlink")?;
    Ok(move |context: &Context| {
        let target = context.mounts.read_link(&named.path).map_err(|error| named.error(&error, "readlink"))?;
        Ok(text_or_bytes(target).into())
    })
}

/// Text where it is UTF-8.
fn text_or_bytes(bytes: Vec<u8>) -> Value {
    String::from_utf8(bytes).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::String)
}

/// `(path)` → the path without links: as text, or as bytes where it is no UTF-8.
pub(super) fn real_path(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "realpath")?;
    Ok(move |context: &Context| {
        let real = context.mounts.canonicalize(&named.path).map_err(|error| named.error(&error, "realpath"))?;
        Ok(text_or_bytes(real.as_bytes().to_vec()).into())
    })
}

/// As [`real_path`], for an absolute path without `..`. Its error is that of the first part that can't be followed, as it is
/// of a program that walks along the path.
pub(super) fn walked_path(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "lstat")?;
    Ok(move |context: &Context| match context.mounts.canonicalize(&named.path) {
        Ok(real) => Ok(text_or_bytes(real.as_bytes().to_vec()).into()),
        Err(error) => Err(blamed(&context.mounts, &named.path).unwrap_or_else(|| named.error(&error, "lstat"))),
    })
}

/// What the first part of a path that cannot be followed says.
fn blamed(mounts: &MountTable, path: &GuestPath) -> Option<Failure> {
    let mut here = GuestPath::root();
    for name in path.components() {
        let next = here.join_bytes(name).ok()?;
        let part = Named::from(next);
        let found: Metadata = match mounts.symlink_metadata(&part.path) {
            Ok(found) => found,
            Err(error) => return Some(part.error(&error, "lstat")),
        };
        if found.kind() != FileKind::Symlink {
            here = part.path;
            continue;
        }
        if let Err(error) = mounts.metadata(&part.path) {
            return Some(part.error(&error, "stat"));
        }
        here = mounts.canonicalize(&part.path).ok()?;
    }
    None
}

/// `(path, as_bytes, syscall)` → `[names, kinds]`: the names sorted by their bytes, as strings or as bytes, and a
/// string with a character for each, whose code says what it is (`UV_DIRENT_…`).
pub(super) fn read_dir(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let as_bytes = call.boolean(1);
    let syscall = if call.boolean(2) { "opendir" } else { "scandir" };
    let named = path(call, 0, syscall)?;
    Ok(move |context: &Context| Ok(listed(&listing(&context.mounts, &named, syscall)?, as_bytes).into()))
}

/// Names, and a character for each, whose code says what it is.
pub(super) fn listed(listing: &Listing, as_bytes: bool) -> Value {
    let kinds = listing.iter().map(|(_, found)| kind(found)).collect();
    Value::List(vec![names(listing, as_bytes), Value::String(kinds)])
}

/// `(path)` → the names alone, as strings.
pub(super) fn read_names(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "scandir")?;
    Ok(move |context: &Context| Ok(names(&listing(&context.mounts, &named, "scandir")?, false).into()))
}

fn listing(mounts: &MountTable, named: &Named, syscall: &'static str) -> Result<Listing, Failure> {
    let mut listing = mounts.read_dir(&named.path).map_err(|error| named.error(&error, syscall))?;
    listing.sort();
    Ok(listing)
}

/// Where a name is no UTF-8, the program gets a text that it cannot open; as bytes it gets the real one.
fn names(listing: &Listing, as_bytes: bool) -> Value {
    if as_bytes {
        return Value::List(listing.iter().map(|(name, _)| Value::Bytes(name.to_vec())).collect());
    }
    let mut names = Texts::with_capacity(listing.len(), listing.name_bytes());
    listing.iter().for_each(|(name, _)| names.push(&[name]));
    Value::Texts(names)
}

/// `UV_DIRENT_…`, as in `constants`.
pub(super) fn kind(kind: FileKind) -> char {
    match kind {
        FileKind::Regular => '\x01',
        FileKind::Directory => '\x02',
        FileKind::Symlink => '\x03',
        FileKind::Fifo => '\x04',
        FileKind::Socket => '\x05',
        FileKind::CharDevice => '\x06',
        FileKind::BlockDevice => '\x07',
    }
}
