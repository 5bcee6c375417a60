//! Calls that are made of several: `mkdir -p`, `rm -r`, listing all that is below.

use super::FsState;
use super::errors::{Named, path, thrown};
use super::operation::{Context, Done, Failure, Outcome};
use super::paths::kind;
use atoll_engine::{Call, JsError, Texts, Value};
use atoll_vfs::{Errno, FileKind, FsError, GuestPath, MountTable};

/// Names that one recursive listing may hold, as many as a listing of one directory.
const MAX_LISTED_NAMES: usize = 1 << 20;

/// Tries of `mkdtemp`: 36 bits of chance collide as often only where somebody makes them.
const MAX_TEMPORARY_NAMES: usize = 100;

const TEMPORARY_CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `(path, mode)` → the first directory that was made, if any; relative where the path is.
pub(super) fn make_dirs(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "mkdir")?;
    let mode = call.u32(1)? & !call.state::<FsState>().umask();
    // A working directory that is gone does not come back by what is made in it.
    let is_relative = !named.given().starts_with('/');
    let floor = is_relative.then(|| std::sync::Arc::clone(&call.state::<FsState>().working_directory));
    Ok(move |context: &Context| {
        let made = make_all(&context.mounts, &named.path, floor.as_deref(), mode)
            .map_err(|error| named.error(&error, "mkdir"))?;
        Ok(made.map_or(Value::Undefined, |made| Value::String(as_written(&named, &made))).into())
    })
}

/// An ancestor of a path in the way the program wrote the path: relative where it was relative.
fn as_written(named: &Named, ancestor: &GuestPath) -> String {
    let mut levels = named.path.components().count().saturating_sub(ancestor.components().count());
    let given = named.given();
    let mut written = &*given;
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

/// Makes what is missing of a path, but not `floor` or what is above it.
fn make_all(
    mounts: &MountTable,
    path: &GuestPath,
    floor: Option<&GuestPath>,
    mode: u32,
) -> Result<Option<GuestPath>, FsError> {
    // Up, until something is there; then down again.
    let mut missing = Vec::new();
    let mut here = path.clone();
    loop {
        match mounts.create_dir(&here, mode) {
            Ok(()) => break,
            Err(error) if error.errno == Errno::ENOENT && !here.is_root() => {
                let parent = here.parent();
                if floor.is_some_and(|floor| floor.components().eq(parent.components())) {
                    return Err(error);
                }
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

/// `(prefix)` → the directory that was made.
pub(super) fn make_temporary(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let template = call.with_utf8(0, |prefix| [prefix, b"XXXXXX"].concat())?;
    let shown = String::from_utf8_lossy(&template).into_owned();
    let failed = move |errno| -> JsError { thrown(&FsError::new(errno, "mkdtemp").with_path(&shown)) };
    let working_directory = std::sync::Arc::clone(&call.state::<FsState>().working_directory);
    Ok(move |context: &Context| {
        for _ in 0..MAX_TEMPORARY_NAMES {
            let mut name = template.clone();
            let mut chance = [0; 6];
            getrandom::fill(&mut chance).map_err(|_| failed(Errno::EIO))?;
            let start = name.len() - chance.len();
            for (slot, byte) in name[start..].iter_mut().zip(chance) {
                *slot = TEMPORARY_CHARACTERS[usize::from(byte) % TEMPORARY_CHARACTERS.len()];
            }
            let path = working_directory.join_bytes(&name).map_err(|error| failed(error.errno()))?;
            match context.mounts.create_dir(&path, 0o700) {
                Ok(()) => return Ok(Value::String(String::from_utf8_lossy(&name).into_owned()).into()),
                Err(error) if error.errno == Errno::EEXIST => {}
                Err(error) => return Err(failed(error.errno).into()),
            }
        }
        Err(failed(Errno::EEXIST).into())
    })
}

/// `(path, force, recursive)` → whether it is a directory that only a recursive removal removes.
pub(super) fn remove(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "lstat")?;
    let (force, recursive) = (call.boolean(1), call.boolean(2));
    Ok(move |context: &Context| {
        let metadata = match context.mounts.symlink_metadata(&named.path) {
            Ok(metadata) => metadata,
            Err(error) if force && error.errno == Errno::ENOENT => return Ok(Outcome::from(false)),
            Err(error) => return Err(named.error(&error, "lstat")),
        };
        let removed = match (metadata.is_dir(), recursive) {
            (true, false) => return Ok(Outcome::from(true)),
            (true, true) => context.mounts.remove_tree(&named.path).map_err(|error| named.error(&error, "rmdir")),
            (false, _) => context.mounts.remove_file(&named.path).map_err(|error| named.error(&error, "unlink")),
        };
        match removed {
            Ok(()) => Ok(Outcome::from(false)),
            Err(failure) => Err(failure),
        }
    })
}

/// `(path)`: removes a directory with all that is below, another name as `rmdir` does: not at all.
pub(super) fn remove_dir_all(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "rmdir")?;
    Ok(move |context: &Context| {
        let metadata = context.mounts.symlink_metadata(&named.path).map_err(|error| named.error(&error, "lstat"))?;
        let removed = if metadata.is_dir() {
            context.mounts.remove_tree(&named.path)
        } else {
            context.mounts.remove_dir(&named.path)
        };
        removed.map(Outcome::from).map_err(|error| named.error(&error, "rmdir"))
    })
}

/// `(path, grouped)` → all names below, breadth first, directory by directory. As relative paths, with what links to
/// directories lead to, as Node has it; or grouped, without, which gives `[directories, counts, names, kinds]`: each directory's path below the
/// first with the number of its names, and for all of these a character of `UV_DIRENT_…`.
pub(super) fn list_tree(call: &mut Call<'_, '_, '_>) -> Result<impl Fn(&Context) -> Done + Send + use<>, JsError> {
    let named = path(call, 0, "scandir")?;
    let grouped = call.boolean(1);
    Ok(move |context: &Context| {
        let mut folders: Vec<Vec<u8>> = vec![Vec::new()];
        let (mut names, mut kinds) = (Texts::default(), String::new());
        let (mut paths, mut counts) = (Texts::default(), Vec::new());
        let mut next = 0;
        while next < folders.len() {
            let folder = std::mem::take(&mut folders[next]);
            let path = if next == 0 { Ok(named.path.clone()) } else { named.path.join_bytes(&folder) };
            let read = path
                .map_err(|error| FsError::new(error.errno(), "scandir"))
                .and_then(|path| context.mounts.read_dir(&path));
            let mut listing = read.map_err(|error| below(&named, &folder, error.errno))?;
            listing.sort();
            if kinds.len() + listing.len() > MAX_LISTED_NAMES {
                return Err(below(&named, &folder, Errno::EOVERFLOW));
            }
            let prefix: &[&[u8]] = if next == 0 { &[] } else { &[&folder, b"/"] };
            for (name, found) in listing.iter() {
                let child = || [prefix.concat().as_slice(), name].concat();
                let enters = found == FileKind::Directory
                    || !grouped && found == FileKind::Symlink && is_directory(&context.mounts, &named.path, &child());
                if enters {
                    folders.push(child());
                }
                if grouped {
                    names.push(&[name]);
                } else {
                    let (first, second) = (prefix.first().copied(), prefix.get(1).copied());
                    names.push(&[first.unwrap_or_default(), second.unwrap_or_default(), name]);
                }
                kinds.push(kind(found));
            }
            if grouped {
                paths.push(&[&folder]);
                counts.push(Value::Number(listing.len() as f64));
            }
            next += 1;
        }
        Ok(if grouped {
            Value::List(vec![Value::Texts(paths), Value::List(counts), Value::Texts(names), Value::String(kinds)])
        } else {
            Value::Texts(names)
        }
        .into())
    })
}

fn is_directory(mounts: &MountTable, base: &GuestPath, below: &[u8]) -> bool {
    base.join_bytes(below).is_ok_and(|path| mounts.metadata(&path).is_ok_and(|found| found.is_dir()))
}

/// The error of a directory below the one that was named.
fn below(named: &Named, folder: &[u8], errno: Errno) -> Failure {
    let mut path = named.given().into_owned();
    if !folder.is_empty() {
        if !path.ends_with('/') {
            path.push('/');
        }
        path.push_str(&String::from_utf8_lossy(folder));
    }
    thrown(&FsError::new(errno, "scandir").with_path(path)).into()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, errno, tree};
    use super::*;

    #[test]
    fn directories_are_made_from_the_first_missing_one() {
        let table = tree();
        assert_eq!(make_all(&table, &at("/tmp/a/b/c"), None, 0o755).unwrap(), Some(at("/tmp/a")));
        assert_eq!(make_all(&table, &at("/tmp/a/b/c"), None, 0o755).unwrap(), None);
        assert_eq!(make_all(&table, &at("/tmp/a/b/d"), None, 0o755).unwrap(), Some(at("/tmp/a/b/d")));
        assert_eq!(make_all(&table, &at("/app"), None, 0o755).unwrap(), None);
        assert_eq!(make_all(&table, &at("/"), None, 0o755).unwrap(), None);
        table.write(&at("/tmp/file"), b"").unwrap();
        assert_eq!(errno(make_all(&table, &at("/tmp/file"), None, 0o755)), Errno::EEXIST);
        assert_eq!(errno(make_all(&table, &at("/tmp/file/x"), None, 0o755)), Errno::ENOTDIR);
        assert_eq!(errno(make_all(&table, &at("/tmp/file/x/y"), None, 0o755)), Errno::ENOTDIR);
        assert_eq!(errno(make_all(&table, &at("/app/x/y"), None, 0o755)), Errno::EROFS);
        let floor = at("/tmp/gone");
        assert_eq!(errno(make_all(&table, &at("/tmp/gone/x/y"), Some(&floor), 0o755)), Errno::ENOENT);
        assert_eq!(make_all(&table, &at("/tmp/x/y"), Some(&at("/tmp")), 0o755).unwrap(), Some(at("/tmp/x")));
        let deep = at(&format!("/tmp{}", "/d".repeat(300)));
        assert_eq!(make_all(&table, &deep, None, 0o755).unwrap(), Some(at("/tmp/d")));
        table.remove_tree(&at("/tmp/d")).unwrap();
    }

    #[test]
    fn the_first_directory_is_told_as_it_was_written() {
        let written = |given: &str, path: &str, ancestor: &str| as_written(&Named::new(at(path), given), &at(ancestor));
        assert_eq!(written("/tmp/a/b", "/tmp/a/b", "/tmp/a"), "/tmp/a");
        assert_eq!(written("/tmp/a//b/", "/tmp/a/b", "/tmp/a/b"), "/tmp/a//b/");
        assert_eq!(written("/tmp//a/b//", "/tmp/a/b", "/tmp/a"), "/tmp//a");
        assert_eq!(written("a/b/c", "/base/a/b/c", "/base/a"), "a");
        assert_eq!(written("../a/b", "/base/../a/b", "/base/../a"), "/base/../a");
    }

    #[test]
    fn a_tree_is_removed_and_what_links_lead_to_is_not() {
        let table = tree();
        make_all(&table, &at("/tmp/a/b/c"), None, 0o755).unwrap();
        make_all(&table, &at("/tmp/kept"), None, 0o755).unwrap();
        table.write(&at("/tmp/kept/file"), b"x").unwrap();
        table.write(&at("/tmp/a/b/file"), b"x").unwrap();
        table.symlink(b"/tmp/kept", &at("/tmp/a/link")).unwrap();
        table.remove_tree(&at("/tmp/a")).unwrap();
        assert_eq!(errno(table.metadata(&at("/tmp/a"))), Errno::ENOENT);
        assert_eq!(table.read(&at("/tmp/kept/file"), 10).unwrap(), b"x");
        assert_eq!(errno(table.remove_tree(&at("/tmp/a"))), Errno::ENOENT);
        assert_eq!(errno(table.remove_tree(&at("/app"))), Errno::EROFS);
    }
}
