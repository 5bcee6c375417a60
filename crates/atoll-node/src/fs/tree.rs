//! Calls that are made of several: `mkdir -p`, `rm -r`, copying a file.

use super::UMASK;
use super::errors::{Named, mounts, path, two_paths};
use atoll_engine::{Call, NativeResult, Value};
use atoll_vfs::{Errno, FinalLink, FsError, GuestPath, MountTable, NewFile, OpenOptions};

/// How much of a file is copied at once.
const COPY_BYTES: usize = 128 * 1024;

/// `COPYFILE_EXCL`: the destination must not exist.
const EXCLUSIVE: u32 = 1;
/// `COPYFILE_FICLONE_FORCE`: sharing blocks or nothing.
const CLONE_FORCE: u32 = 4;

/// `(path, mode)` → the first directory that was made, if any; relative where the path is.
pub(super) fn make_dirs(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "mkdir")?;
    let mode = call.u32(1)? & !UMASK;
    let made = make_all(&mounts(call), &named.path, mode).map_err(|error| named.error(&error, "mkdir"))?;
    Ok(made.map_or(Value::Undefined, |made| Value::String(as_written(&named, &made))))
}

/// An ancestor of a path in the way the program wrote the path: relative where it was relative.
fn as_written(named: &Named, ancestor: &GuestPath) -> String {
    let mut levels = named.path.components().count().saturating_sub(ancestor.components().count());
    let mut written = named.given.as_str();
    let is_plain = |part: &str| part != "." && part != "..";
    if !written.split('/').all(is_plain) {
        return ancestor.to_string();
    }
    while levels > 0 {
        written = written.trim_end_matches('/');
        written = &written[..written.rfind('/').map_or(0, |slash| slash + 1)];
        levels -= 1;
        if levels == 0 {
            written = written.trim_end_matches('/');
        }
    }
    if written.is_empty() { ancestor.to_string() } else { written.to_owned() }
}

fn make_all(mounts: &MountTable, path: &GuestPath, mode: u32) -> Result<Option<GuestPath>, FsError> {
    // Up, until something is there; then down again.
    let mut missing = Vec::new();
    let mut here = path.clone();
    loop {
        match mounts.create_dir(&here, mode) {
            Ok(()) => break,
            Err(error) if error.errno == Errno::ENOENT && !here.is_root() => {
                let parent = here.parent();
                missing.push(std::mem::replace(&mut here, parent));
            }
            Err(error) => match mounts.metadata(&here) {
                // It was there: what is made first is the one below, if any.
                Ok(found) if found.is_dir() => match missing.pop() {
                    None => return Ok(None),
                    Some(next) => {
                        here = next;
                        make_one(mounts, &here, mode)?;
                        break;
                    }
                },
                Ok(_) if !missing.is_empty() => return Err(FsError { errno: Errno::ENOTDIR, ..error }),
                // A link that leads nowhere is there, and is no directory.
                Err(found) if error.errno == Errno::EEXIST => return Err(FsError { errno: found.errno, ..error }),
                _ => return Err(error),
            },
        }
    }
    while let Some(next) = missing.pop() {
        make_one(mounts, &next, mode)?;
    }
    Ok(Some(here))
}

/// Makes a directory that another thread may have made meanwhile.
fn make_one(mounts: &MountTable, path: &GuestPath, mode: u32) -> Result<(), FsError> {
    match mounts.create_dir(path, mode) {
        Err(error) if error.errno == Errno::EEXIST && mounts.metadata(path).is_ok_and(|found| found.is_dir()) => Ok(()),
        made => made,
    }
}

/// `(path)`: removes it with everything below.
pub(super) fn remove(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let named = path(call, 0, "rm")?;
    remove_all(&mounts(call), &named.path).map_err(|error| named.error(&error, "rm"))?;
    Ok(Value::Undefined)
}

fn remove_all(mounts: &MountTable, path: &GuestPath) -> Result<(), FsError> {
    if !mounts.symlink_metadata(path)?.is_dir() {
        return mounts.remove_file(path);
    }
    // Directories still to be removed, each after all that was found in it.
    let mut pending = vec![(path.clone(), false)];
    while let Some((directory, emptied)) = pending.pop() {
        if emptied {
            mounts.remove_dir(&directory)?;
            continue;
        }
        let entries = mounts.read_dir(&directory)?;
        pending.push((directory.clone(), true));
        for entry in entries {
            let child = directory
                .join_bytes(&entry.name)
                .map_err(|error| FsError::new(error.errno(), "rm").with_path(&directory))?;
            if entry.kind == atoll_vfs::FileKind::Directory {
                pending.push((child, false));
            } else {
                mounts.remove_file(&child)?;
            }
        }
    }
    Ok(())
}

/// `(from, to, mode)`.
pub(super) fn copy_file(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (from, to) = two_paths(call, "copyfile")?;
    let mode = call.u32(2)?;
    copy(&mounts(call), &from.path, &to.path, mode).map_err(|error| from.error_with(&to, error.errno, "copyfile"))?;
    Ok(Value::Undefined)
}

fn copy(mounts: &MountTable, from: &GuestPath, to: &GuestPath, mode: u32) -> Result<(), FsError> {
    let fail = |errno| Err(FsError::new(errno, "copyfile"));
    if mode & CLONE_FORCE != 0 {
        return fail(Errno::ENOSYS);
    }
    let source = mounts.open(from, &OpenOptions::READ)?;
    let metadata = source.metadata()?;
    if metadata.is_dir() {
        return fail(Errno::EISDIR);
    }
    let exclusive = mode & EXCLUSIVE != 0;
    let options = OpenOptions {
        read: false,
        write: true,
        create: if exclusive { NewFile::Always } else { NewFile::IfMissing },
        mode: metadata.mode & !UMASK,
        final_link: FinalLink::Follow,
        ..OpenOptions::READ
    };
    let target = mounts.open(to, &options)?;
    let found = target.metadata()?;
    if (found.dev, found.ino) == (metadata.dev, metadata.ino) {
        return Ok(());
    }
    target.truncate(0)?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(()),
            count => target.write_all(&buffer[..count])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_vfs::{Access, Memory, Quota};

    fn tree() -> MountTable {
        MountTable::builder()
            .mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite)
            .and_then(|table| table.mount("/app", Memory::new(Quota::DEFAULT), Access::ReadOnly))
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap()
    }

    fn at(path: &str) -> GuestPath {
        GuestPath::new(path).unwrap()
    }

    fn errno<T: std::fmt::Debug>(result: Result<T, FsError>) -> Errno {
        result.unwrap_err().errno
    }

    #[test]
    fn directories_are_made_from_the_first_missing_one() {
        let table = tree();
        assert_eq!(make_all(&table, &at("/tmp/a/b/c"), 0o755).unwrap(), Some(at("/tmp/a")));
        assert_eq!(make_all(&table, &at("/tmp/a/b/c"), 0o755).unwrap(), None);
        assert_eq!(make_all(&table, &at("/tmp/a/b/d"), 0o755).unwrap(), Some(at("/tmp/a/b/d")));
        assert_eq!(make_all(&table, &at("/app"), 0o755).unwrap(), None);
        assert_eq!(make_all(&table, &at("/"), 0o755).unwrap(), None);
        table.write(&at("/tmp/file"), b"").unwrap();
        assert_eq!(errno(make_all(&table, &at("/tmp/file"), 0o755)), Errno::EEXIST);
        assert_eq!(errno(make_all(&table, &at("/tmp/file/x"), 0o755)), Errno::ENOTDIR);
        assert_eq!(errno(make_all(&table, &at("/tmp/file/x/y"), 0o755)), Errno::ENOTDIR);
        assert_eq!(errno(make_all(&table, &at("/app/x/y"), 0o755)), Errno::EROFS);
        let deep = at(&format!("/tmp{}", "/d".repeat(300)));
        assert_eq!(make_all(&table, &deep, 0o755).unwrap(), Some(at("/tmp/d")));
        remove_all(&table, &at("/tmp/d")).unwrap();
    }

    #[test]
    fn the_first_directory_is_told_as_it_was_written() {
        let written = |given: &str, path: &str, ancestor: &str| {
            as_written(&Named { path: at(path), given: given.to_owned() }, &at(ancestor))
        };
        assert_eq!(written("/tmp/a/b", "/tmp/a/b", "/tmp/a"), "/tmp/a");
        assert_eq!(written("/tmp/a//b/", "/tmp/a/b", "/tmp/a/b"), "/tmp/a//b/");
        assert_eq!(written("/tmp//a/b//", "/tmp/a/b", "/tmp/a"), "/tmp//a");
        assert_eq!(written("a/b/c", "/base/a/b/c", "/base/a"), "a");
        assert_eq!(written("../a/b", "/base/../a/b", "/base/../a"), "/base/../a");
    }

    #[test]
    fn a_tree_is_removed_and_what_links_lead_to_is_not() {
        let table = tree();
        make_all(&table, &at("/tmp/a/b/c"), 0o755).unwrap();
        make_all(&table, &at("/tmp/kept"), 0o755).unwrap();
        table.write(&at("/tmp/kept/file"), b"x").unwrap();
        table.write(&at("/tmp/a/b/file"), b"x").unwrap();
        table.symlink(b"/tmp/kept", &at("/tmp/a/link")).unwrap();
        remove_all(&table, &at("/tmp/a")).unwrap();
        assert_eq!(errno(table.metadata(&at("/tmp/a"))), Errno::ENOENT);
        assert_eq!(table.read(&at("/tmp/kept/file"), 10).unwrap(), b"x");
        assert_eq!(errno(remove_all(&table, &at("/tmp/a"))), Errno::ENOENT);
        assert_eq!(errno(remove_all(&table, &at("/app"))), Errno::EROFS);
    }

    #[test]
    fn a_copy_has_the_content_and_the_permissions() {
        let table = tree();
        let content: Vec<u8> = (0..COPY_BYTES * 2 + 5).map(|index| (index % 253) as u8).collect();
        table.write(&at("/tmp/a"), &content).unwrap();
        table.set_permissions(&at("/tmp/a"), 0o755).unwrap();
        copy(&table, &at("/tmp/a"), &at("/tmp/b"), EXCLUSIVE).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 1 << 30).unwrap(), content);
        assert_eq!(table.metadata(&at("/tmp/b")).unwrap().mode & 0o777, 0o755);
        assert_eq!(errno(copy(&table, &at("/tmp/a"), &at("/tmp/b"), EXCLUSIVE)), Errno::EEXIST);
        table.write(&at("/tmp/short"), b"short").unwrap();
        copy(&table, &at("/tmp/short"), &at("/tmp/b"), 0).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 10).unwrap(), b"short");
        copy(&table, &at("/tmp/b"), &at("/tmp/b"), 0).unwrap();
        assert_eq!(table.read(&at("/tmp/b"), 10).unwrap(), b"short", "a file copied onto itself stays");
        assert_eq!(errno(copy(&table, &at("/tmp"), &at("/tmp/c"), 0)), Errno::EISDIR);
        assert_eq!(errno(copy(&table, &at("/tmp/b"), &at("/app/c"), 0)), Errno::EROFS);
        assert_eq!(errno(copy(&table, &at("/tmp/b"), &at("/tmp/c"), CLONE_FORCE)), Errno::ENOSYS);
    }
}
