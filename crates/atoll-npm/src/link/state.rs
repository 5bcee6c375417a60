//! What `node_modules` says about itself.
//!
//! Two files. `.package-lock.json` is npm's: the part of the lockfile that is installed, by which npm and we know what is
//! there without looking at every package. It describes npm's layout, and there is none beside another. `.atoll-state` is ours: a digest of everything that the last installation
//! depended on, and what it installed; when the digest still fits and no package's folder changed, there is nothing to do.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    time::SystemTime,
};

use crate::{linker::Linker, lock::Lockfile};

/// npm's description of what is installed.
pub(crate) const HIDDEN_LOCK: &str = "node_modules/.package-lock.json";
/// Our own.
pub(crate) const MARKER: &str = "node_modules/.atoll-state";
/// First line of our own; another version is as good as none.
const MARKER_VERSION: &str = "atoll-state 1";
/// The line that says that packages are in pnpm's layout.
const MARKER_ISOLATED: &str = "i .pnpm\n";
/// Beginning of a marker that has its first lines: a version, two digests of 64 digits.
const MARKER_START_BYTES: u64 = 256;
/// Largest marker that is read: 64 MiB, far more than 100,000 packages need.
const MARKER_BYTES_MAX: u64 = 64 << 20;

/// The digest of all that decides what an installation would do.
pub(crate) fn inputs_digest(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// The digest of a lockfile's text.
pub(crate) fn lock_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// How an installation put its packages where programs find them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Linked {
    /// As files in `node_modules`, in npm's layout.
    #[default]
    Hoisted,
    /// As files in `node_modules`, in pnpm's layout.
    Isolated {
        /// What each package's tarball hashes to, by where the package is.
        contents: HashMap<String, String>,
        /// Folders of links, and the links of the project.
        folders: Vec<String>,
    },
    /// Not at all: a layer of the guest filesystem shows them.
    Virtual {
        /// See [`lock_digest`].
        lock: String,
    },
}

/// What an installation leaves for the next one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marker {
    /// See [`inputs_digest`].
    pub(crate) inputs: String,
    /// How the packages were put in place.
    pub(crate) linked: Linked,
    /// Where packages are: install paths, but in pnpm's layout.
    pub(crate) packages: Vec<String>,
    /// Of them, those whose lifecycle scripts ran.
    pub(crate) scripts_ran: HashSet<String>,
}

impl Marker {
    /// One line each: version; digest; `v` and the lockfile's digest for packages that are on no disk, or `i` and the name of
    /// their folder for those in pnpm's layout; then `p` or `s` and a path, in pnpm's layout with an integrity, and `f` and
    /// the path of a folder.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{MARKER_VERSION}\n{}\n", self.inputs);
        match &self.linked {
            Linked::Hoisted => {}
            Linked::Isolated { .. } => text.push_str(MARKER_ISOLATED),
            Linked::Virtual { lock } => text.extend(["v ", lock, "\n"]),
        }
        for path in &self.packages {
            text.push_str(if self.scripts_ran.contains(path) { "s " } else { "p " });
            text.push_str(path);
            if let Linked::Isolated { contents, .. } = &self.linked {
                text.extend([" ", contents.get(path).map_or("", String::as_str)]);
            }
            text.push('\n');
        }
        if let Linked::Isolated { folders, .. } = &self.linked {
            text.extend(folders.iter().flat_map(|path| ["f ", path, "\n"]));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != MARKER_VERSION {
            return None;
        }
        let mut marker = Self { inputs: lines.next()?.to_owned(), ..Self::default() };
        for line in lines {
            let (kind, mut path) = line.split_once(' ')?;
            match (kind, &mut marker.linked) {
                ("v", _) => marker.linked = Linked::Virtual { lock: path.to_owned() },
                ("i", _) => marker.linked = Linked::Isolated { contents: HashMap::new(), folders: Vec::new() },
                ("f", Linked::Isolated { folders, .. }) => folders.push(path.to_owned()),
                _ => {
                    if let Linked::Isolated { contents, .. } = &mut marker.linked {
                        let (place, content) = path.split_once(' ')?;
                        contents.insert(place.to_owned(), content.to_owned());
                        path = place;
                    }
                    if kind == "s" {
                        marker.scripts_ran.insert(path.to_owned());
                    }
                    marker.packages.push(path.to_owned());
                }
            }
        }
        Some(marker)
    }
}

/// The beginning of the marker of packages that are on no disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Virtual {
    /// See [`inputs_digest`].
    pub(crate) inputs: String,
    /// See [`lock_digest`].
    pub(crate) lock: String,
}

impl Virtual {
    /// `None` for a project without such packages. Reads no more than it returns.
    pub(crate) fn read(project: &Path) -> Option<Self> {
        let mut start = Vec::new();
        File::open(project.join(MARKER)).ok()?.take(MARKER_START_BYTES).read_to_end(&mut start).ok()?;
        let start = String::from_utf8_lossy(&start);
        let mut lines = start.split('\n');
        if lines.next()? != MARKER_VERSION {
            return None;
        }
        let inputs = lines.next()?.to_owned();
        Some(Self { inputs, lock: lines.next()?.strip_prefix("v ")?.to_owned() })
    }
}

/// What a project's `node_modules` says about itself.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// What is installed, if npm's description is there and can be read.
    pub(crate) lock: Option<Lockfile>,
    /// When that, or in pnpm's layout our own description, was written.
    pub(crate) written: Option<SystemTime>,
    /// Our own description.
    pub(crate) marker: Option<Marker>,
}

impl Installed {
    /// Reads the marker only: enough to see whether there is anything to do.
    pub(crate) fn read_marker(project: &Path) -> Self {
        let path = project.join(MARKER);
        let marker = fs::metadata(&path).ok().filter(|metadata| metadata.len() <= MARKER_BYTES_MAX).and_then(|_| {
            let text = fs::read_to_string(&path).ok()?;
            Marker::parse(&text)
        });
        Self { marker, ..Self::default() }
    }

    /// Reads npm's description too.
    pub(crate) fn read_lock(&mut self, project: &Path) {
        let path = project.join(HIDDEN_LOCK);
        let Ok(text) = fs::read_to_string(&path) else { return };
        self.written = modified(&path);
        self.lock = Lockfile::parse(HIDDEN_LOCK, &text).ok();
    }

    /// Looks when our own description of pnpm's layout was written.
    pub(crate) fn date_marker(&mut self, project: &Path) {
        self.written = modified(&project.join(MARKER));
    }

    /// What the package at this place in pnpm's layout was made from, as the tarball's integrity.
    pub(crate) fn content(&self, place: &str) -> Option<&str> {
        match &self.marker.as_ref()?.linked {
            Linked::Isolated { contents, .. } => contents.get(place).map(String::as_str),
            Linked::Hoisted | Linked::Virtual { .. } => None,
        }
    }

    /// How the packages were put in place: what an installation keeps to that is not told otherwise.
    pub(crate) fn linker(&self) -> Linker {
        match self.marker.as_ref().map(|marker| &marker.linked) {
            Some(Linked::Virtual { .. }) => Linker::Virtual,
            Some(Linked::Isolated { .. }) => Linker::Isolated,
            Some(Linked::Hoisted) | None => Linker::Hoisted,
        }
    }

    /// Our own description, if an installation with these inputs would change nothing in the project: one `lstat` per
    /// package, and in pnpm's layout per folder of links. A folder that is gone, or in which something was added or removed
    /// since, makes the installation look closer. Packages that are on no disk have no folders to look at.
    pub(crate) fn current(&self, project: &Path, inputs: &str) -> Option<&Marker> {
        let marker = self.marker.as_ref().filter(|marker| marker.inputs == inputs)?;
        let folders = match &marker.linked {
            Linked::Virtual { .. } => return Some(marker),
            Linked::Isolated { folders, .. } => &folders[..],
            Linked::Hoisted => &[],
        };
        let written = modified(&project.join(MARKER))?;
        let is_untouched = marker.packages.iter().chain(folders).all(|path| {
            let metadata = fs::symlink_metadata(project.join(path));
            metadata.is_ok_and(|metadata| {
                !metadata.is_file() && metadata.modified().is_ok_and(|modified| modified <= written)
            })
        });
        is_untouched.then_some(marker)
    }

    /// Where packages are in pnpm's layout.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &str> {
        let marker = self.marker.iter().filter(|marker| matches!(marker.linked, Linked::Isolated { .. }));
        marker.flat_map(|marker| &marker.packages).map(String::as_str)
    }

    /// Whether the scripts of the package at this path have run.
    pub(crate) fn ran_scripts(&self, path: &str) -> bool {
        self.marker.as_ref().is_some_and(|marker| marker.scripts_ran.contains(path))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Gives those of the two files that are there the current time, after everything else has been put in place: npm
/// believes its description only when no package's folder is newer.
pub(crate) fn touch(project: &Path) -> io::Result<()> {
    for path in [HIDDEN_LOCK, MARKER].into_iter().filter(|path| project.join(path).is_file()) {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
        rustix::fs::futimens(File::options().append(true).open(project.join(path))?, &times)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        Marker {
            inputs: "abc".to_owned(),
            linked: Linked::Hoisted,
            packages: vec!["node_modules/a".to_owned(), "node_modules/@s/b".to_owned()],
            scripts_ran: HashSet::from(["node_modules/a".to_owned()]),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Marker::parse(&marker().to_text()), Some(marker()));
        let linked = Linked::Virtual { lock: lock_digest("{}") };
        let on_no_disk = Marker { linked, ..marker() };
        assert_eq!(Marker::parse(&on_no_disk.to_text()).as_ref(), Some(&on_no_disk));
        let contents = marker().packages.into_iter().map(|path| (path, "sha512-x sha512-y".to_owned())).collect();
        let folders = vec!["node_modules/.pnpm/node_modules".to_owned()];
        let isolated = Marker { linked: Linked::Isolated { contents, folders }, ..marker() };
        assert_eq!(Marker::parse(&isolated.to_text()), Some(isolated));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Virtual::read(dir.path()), None);
        fs::create_dir(dir.path().join("node_modules")).unwrap();
        let inputs = inputs_digest(&[b"any"]);
        fs::write(dir.path().join(MARKER), Marker { inputs: inputs.clone(), ..on_no_disk }.to_text()).unwrap();
        assert_eq!(Virtual::read(dir.path()), Some(Virtual { inputs, lock: lock_digest("{}") }));
        for text in ["", "atoll-state 0\nabc\n", "atoll-state 1", "atoll-state 1\nabc\nnonsense"] {
            assert_eq!(Marker::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_change_in_a_folder_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        for path in &marker().packages {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join(HIDDEN_LOCK), "{}").unwrap();
        fs::write(dir.path().join(MARKER), marker().to_text()).unwrap();
        touch(dir.path()).unwrap();
        assert_eq!(Virtual::read(dir.path()), None);
        let installed = Installed::read_marker(dir.path());
        assert_eq!(installed.current(dir.path(), "abc"), Some(&marker()));
        assert_eq!(installed.current(dir.path(), "abd"), None);
        assert!(installed.ran_scripts("node_modules/a") && !installed.ran_scripts("node_modules/@s/b"));

        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(dir.path().join("node_modules/a/new"), "").unwrap();
        assert_eq!(installed.current(dir.path(), "abc"), None);
        fs::remove_dir_all(dir.path().join("node_modules/a")).unwrap();
        assert_eq!(installed.current(dir.path(), "abc"), None);
    }
}
