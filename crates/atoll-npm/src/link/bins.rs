//! The commands of packages: `node_modules/.bin/<name>`.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use atoll_sys::{
    Errno,
    fs::{Mode, OFlags, open_at, unlink_at},
};
use indexmap::IndexMap;

use super::{
    Links,
    place::{self, At},
};
use crate::lock::{InstallPath, LockEntry};

/// Longest first line in which a Windows line ending is looked for, in bytes.
pub(crate) const SHEBANG_BYTES_MAX: usize = 2048;

/// Command name to link target, for one `.bin` folder. The target is relative to the folder.
pub(crate) type Commands = Links;

/// The commands of all `.bin` folders, by the package whose `node_modules` the folder is in. When two packages have a
/// command of the same name, a direct dependency goes first, then the package whose name sorts first.
pub(crate) fn commands<'a>(
    packages: impl IntoIterator<Item = (&'a InstallPath, &'a LockEntry)>,
    root: Option<&LockEntry>,
) -> IndexMap<InstallPath, Commands> {
    let mut sorted: Vec<_> = packages.into_iter().filter(|(_, entry)| !entry.bin.is_empty()).collect();
    sorted.sort_by_key(|(path, _)| {
        let is_direct = path.depth() == 1 && root.is_some_and(|root| root.edge_names().any(|name| name == path.name()));
        (!is_direct, path.as_str())
    });
    let mut folders: IndexMap<InstallPath, Commands> = IndexMap::new();
    for (path, entry) in sorted {
        let Some(parent) = path.parent() else { continue };
        for (name, target) in safe_bins(entry) {
            let folder = folders.entry(parent.clone()).or_default();
            folder.entry(name.to_owned()).or_insert_with(|| format!("../{}/{target}", path.name()));
        }
    }
    folders
}

/// A package's commands that stay where they belong: the name is one path component, the target is inside the package.
/// What registries and lockfiles say has been normalised when it was read; this does not rely on it.
pub(crate) fn safe_bins(entry: &LockEntry) -> impl Iterator<Item = (&str, &str)> {
    entry.bin.iter().map(|(name, target)| (name.as_str(), target.strip_prefix("./").unwrap_or(target))).filter(
        |(name, target)| {
            let name_is_safe = !name.is_empty() && !matches!(*name, "." | "..") && !name.contains(['/', '\\', '\0']);
            let is_safe_part = |part: &str| !part.is_empty() && !matches!(part, "." | "..") && !part.contains('\0');
            name_is_safe && target.split('/').all(is_safe_part)
        },
    )
}

/// Whether a `.bin` folder is exactly this already.
pub(crate) fn is_current(folder: &Path, commands: &Commands) -> bool {
    let Ok(present) = fs::read_dir(folder) else { return commands.is_empty() };
    present.count() == commands.len()
        && commands.iter().all(|(name, target)| {
            fs::read_link(folder.join(name)).is_ok_and(|present| present.as_os_str() == target.as_str())
        })
}

/// Makes a command's file fit to be run: executable, and without the carriage return that makes the kernel look for
/// `node\r`. A file that needs a change is replaced by a changed copy, because it may be shared with the store.
pub(crate) fn prepare(file: At<'_>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let mut present: File = match open_at(file.dir, file.name.as_bytes(), flags, Mode::empty()) {
        Ok(present) => present.into(),
        // Some packages' install scripts make the file; it is then theirs to prepare.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let metadata = present.metadata()?;
    if !metadata.is_file() {
        return Ok(());
    }
    // One read gives all that there is of a file up to this size.
    let mut start = [0; SHEBANG_BYTES_MAX];
    let length = present.read(&mut start)?;
    let carriage_return = shebang_carriage_return(&start[..length]);
    let is_executable = metadata.permissions().mode() & 0o111 == 0o111;
    if is_executable && carriage_return.is_none() {
        return Ok(());
    }
    let mut content = start[..length].to_vec();
    present.read_to_end(&mut content)?;
    if let Some(at) = carriage_return {
        content.remove(at);
    }
    // Removing first gives up the shared file; the new one is private.
    unlink_at(file.dir, file.name.as_bytes())?;
    let mut private = place::create(file, true)?;
    private.write_all(&content)?;
    // Whatever the mask for new files is.
    private.set_permissions(fs::Permissions::from_mode(0o755))
}

/// Where the carriage return is, if the text begins with a `#!` line that ends in one.
pub(crate) fn shebang_carriage_return(start: &[u8]) -> Option<usize> {
    let line_end = start.iter().position(|byte| *byte == b'\n')?;
    (start.starts_with(b"#!") && line_end > 0 && start[line_end - 1] == b'\r').then(|| line_end - 1)
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsFd, unix::fs::MetadataExt};

    use super::*;

    fn entry(bin: &[(&str, &str)]) -> LockEntry {
        let bin = bin.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        LockEntry { bin, ..LockEntry::default() }
    }

    #[test]
    fn direct_dependencies_win_a_command() {
        let paths: Vec<InstallPath> = ["node_modules/a", "node_modules/z", "node_modules/z/node_modules/@s/n"]
            .iter()
            .map(|path| InstallPath::parse(path).unwrap())
            .collect();
        let entries = [entry(&[("run", "a.js")]), entry(&[("run", "./z.js")]), entry(&[("n", "bin/n.js")])];
        let mut root = LockEntry::default();
        root.dependencies.insert("z".to_owned(), "1".to_owned());
        let folders = commands(paths.iter().zip(&entries), Some(&root));
        assert_eq!(folders[&InstallPath::ROOT]["run"], "../z/z.js");
        assert_eq!(folders[&paths[1]]["n"], "../@s/n/bin/n.js");
    }

    #[test]
    fn hostile_commands_are_left_out() {
        let hostile = entry(&[
            ("../evil", "x.js"),
            ("..", "x.js"),
            ("a/b", "x.js"),
            ("", "x.js"),
            ("up", "../../x.js"),
            ("absolute", "/etc/passwd"),
            ("middle", "a/../../x"),
            ("good", "x.js"),
        ]);
        assert_eq!(safe_bins(&hostile).collect::<Vec<_>>(), [("good", "x.js")]);
    }

    #[test]
    fn a_shared_file_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (stored, linked) = (dir.path().join("stored"), dir.path().join("linked"));
        fs::write(&stored, "#!/usr/bin/env node\r\nconsole.log('a\r\n')\n").unwrap();
        fs::hard_link(&stored, &linked).unwrap();
        let open = File::open(dir.path()).unwrap();
        let prepare = |name| prepare(At { dir: open.as_fd(), name });
        prepare("linked").unwrap();
        assert_eq!(fs::read_to_string(&linked).unwrap(), "#!/usr/bin/env node\nconsole.log('a\r\n')\n");
        assert_eq!(fs::metadata(&linked).unwrap().mode() & 0o111, 0o111);
        assert!(fs::read_to_string(&stored).unwrap().contains("node\r\n"));
        assert_eq!(fs::metadata(&stored).unwrap().mode() & 0o111, 0);
        let before = fs::metadata(&linked).unwrap().ino();
        prepare("linked").unwrap();
        assert_eq!(fs::metadata(&linked).unwrap().ino(), before, "what is fine already is left alone");
        prepare("absent").unwrap();
        prepare("linked/inside").unwrap();
        prepare(".").unwrap();
    }
}
