//! The tree as a layer of the guest filesystem.

use std::{borrow::Cow, sync::Arc};

use atoll_vfs::{
    AccessMode, Errno, EventSink, File, FileKind, FinalLink, Layer, LayerError, LayerPath, LayerResult, Listing,
    MAX_NAME_BYTES, MAX_PATH_BYTES, Metadata, OpenOptions, Silent, Statistics, Time, Watch,
};

use super::{
    VirtualTree,
    contents::{Contents, Unreadable, Within},
    file::{OpenDirectory, PackageFile},
    nodes::{NodeId, NodeKind, PackageId, ROOT},
};
use crate::extract::{ENTRIES_MAX, PATH_BYTES_MAX};

/// Symbolic links that are followed for one path, as Linux does.
const LINKS_MAX: usize = 40;

/// When everything was made and changed: the time that npm gives to all files of the tarballs that it packs,
/// 1985-10-26T08:15:00Z. What is in a package does not change.
const MADE: Time = Time { seconds: 499_162_500, nanoseconds: 0 };

/// Preferred block for I/O, and the unit of sizes of directories.
const BLOCK_BYTES: u32 = 4096;

/// The type that `statfs` tells, SquashFS's (`SQUASHFS_MAGIC`): packed and read-only is what this is, too.
const SQUASHFS_MAGIC: u64 = 0x7371_7368;

/// Bits of an inode number that tell the files of a package apart.
const INDEX_BITS: u32 = 18;
/// Bits for how deep a directory lies in its package; 0 for files.
const DEPTH_BITS: u32 = 12;

const _: () = assert!(ENTRIES_MAX <= 1 << INDEX_BITS && PATH_BYTES_MAX / 2 < 1 << DEPTH_BITS);
// An overlay gives other numbers to what has 2⁵¹ or more.
const _: () = assert!(INDEX_BITS + DEPTH_BITS + 20 < 51);

/// What a path leads to.
#[derive(Debug)]
enum Found {
    /// What the lockfile asks for.
    Node(NodeId),
    /// What is in a package.
    Inside { package: PackageId, contents: Arc<Contents>, within: Within },
}

impl VirtualTree {
    /// Goes along the names of a path, up to the first link. What is found, and where in the path the last name of it
    /// ends: earlier than the path only where that is a link.
    fn walk(&self, path: &[u8]) -> Result<(Found, usize), Errno> {
        let (mut node, mut start) = (ROOT, 0);
        while start < path.len() {
            let end = path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |length| start + length);
            let name = &path[start..end];
            if name.len() > MAX_NAME_BYTES {
                return Err(Errno::ENAMETOOLONG);
            }
            let Some(child) = self.nodes.child(node, name) else {
                let (package, folder) = self.nodes.place(node).ok_or(Errno::ENOENT)?;
                let contents = self.contents(package)?;
                let inner = if folder.is_empty() {
                    Cow::Borrowed(&path[start..])
                } else {
                    Cow::Owned([folder, &path[start..]].join(&b'/'))
                };
                let within = contents.find(&inner)?;
                return Ok((Found::Inside { package, contents, within }, path.len()));
            };
            node = child;
            if self.link(node).is_some() {
                return Ok((Found::Node(node), end));
            }
            start = end + 1;
        }
        Ok((Found::Node(node), path.len()))
    }

    fn link(&self, node: NodeId) -> Option<&[u8]> {
        match &self.nodes.get(node).kind {
            NodeKind::Link(target) => Some(target),
            _ => None,
        }
    }

    /// Follows links. What is found, and the path to it without links.
    fn resolve<'p>(&self, path: LayerPath<'p>, last: FinalLink) -> LayerResult<(Found, Cow<'p, [u8]>)> {
        let mut names = Cow::Borrowed(path.as_bytes());
        for _ in 0..=LINKS_MAX {
            let (found, end) = self.walk(&names)?;
            let target = match found {
                Found::Node(node) if end < names.len() || last == FinalLink::Follow => self.link(node),
                _ => None,
            };
            let Some(target) = target else { return Ok((found, names)) };
            if path.refuses_links() {
                return Err(LayerError::Leaves);
            }
            let followed = follow(&names[..end], target, &names[end..])?;
            names = Cow::Owned(followed);
        }
        Err(Errno::ELOOP.into())
    }

    /// The index of a package.
    fn contents(&self, package: PackageId) -> Result<Arc<Contents>, Errno> {
        let locked = &self.packages[package as usize];
        self.shelf.get(package, locked, &self.store).map_err(|error| self.told(package, error))
    }

    /// The error for the guest; the operator is told what is wrong with the store.
    fn told(&self, package: PackageId, error: Unreadable) -> Errno {
        match error {
            Unreadable::Fails(errno) => errno,
            Unreadable::Damaged => {
                self.report_damage(package);
                Errno::EIO
            }
        }
    }

    fn describe(&self, found: &Found) -> Result<Metadata, Errno> {
        let directory = (FileKind::Directory.mode_bits() | 0o755, u64::from(BLOCK_BYTES));
        let (ino, (mode, size)) = match found {
            Found::Node(node) => {
                let shape = match self.link(*node) {
                    Some(target) => (FileKind::Symlink.mode_bits() | 0o777, target.len() as u64),
                    None => directory,
                };
                (u64::from(*node) + 1, shape)
            }
            Found::Inside { package, contents, within } => {
                // Numbers below the first package's are those of the lockfile's nodes, of which there are fewer.
                let base = (u64::from(*package) + 1) << (DEPTH_BITS + INDEX_BITS);
                match *within {
                    Within::Directory { first, depth } => {
                        (base | (depth as u64) << INDEX_BITS | first as u64, directory)
                    }
                    Within::File(index) => {
                        let bits = if contents.is_executable(index) { 0o755 } else { 0o644 };
                        let size = contents.size(index).map_err(|error| self.told(*package, error))?;
                        (base | index as u64, (FileKind::Regular.mode_bits() | bits, size))
                    }
                }
            }
        };
        Ok(Metadata {
            dev: self.device,
            ino,
            mode,
            // Of directories it says nothing about how many are in them, as on Btrfs.
            nlink: 1,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            size,
            block_size: BLOCK_BYTES,
            blocks: size.div_ceil(512),
            accessed: MADE,
            modified: MADE,
            changed: MADE,
            born: MADE,
        })
    }

    fn open_file(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(Box<dyn File>, Metadata)> {
        if options.mutates() {
            return Err(Errno::EROFS.into());
        }
        let (found, _) = self.resolve(path, options.final_link)?;
        let metadata = self.describe(&found)?;
        match (&found, metadata.kind()) {
            (_, FileKind::Directory) => Ok((Box::new(OpenDirectory { metadata }), metadata)),
            _ if options.directory => Err(Errno::ENOTDIR.into()),
            (_, FileKind::Symlink) => Err(Errno::ELOOP.into()),
            (Found::Inside { package, contents, within: Within::File(index) }, _) => {
                let reading = contents.open(*index).map_err(|error| self.told(*package, error))?;
                Ok((Box::new(PackageFile { reading, metadata }), metadata))
            }
            _ => Err(Errno::EIO.into()),
        }
    }
}

/// The path that a link (whose own path `place` is) and the names behind it lead to.
fn follow(place: &[u8], target: &[u8], behind: &[u8]) -> LayerResult<Vec<u8>> {
    let above = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    // Links of the tree are relative, and go up only at their beginning.
    let (mut directory, mut rest) = (&place[..above(place)], target);
    while let Some(next) = rest.strip_prefix(b"../") {
        if directory.is_empty() {
            return Err(LayerError::Leaves);
        }
        (directory, rest) = (&directory[..above(directory)], next);
    }
    let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
    let path = [directory, separator, rest, behind].concat();
    if path.len() > MAX_PATH_BYTES { Err(Errno::ENAMETOOLONG.into()) } else { Ok(path) }
}

impl Layer for VirtualTree {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        Ok(self.describe(&self.resolve(path, last)?.0)?)
    }

    fn metadata_plain(&self, path: LayerPath<'_>) -> LayerResult<Metadata> {
        let (found, end) = self.walk(path.as_bytes())?;
        if end < path.as_bytes().len() { Err(Errno::ELOOP.into()) } else { Ok(self.describe(&found)?) }
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        Ok(self.open_file(path, options)?.0)
    }

    fn open_described(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(Box<dyn File>, Metadata)> {
        self.open_file(path, options)
    }

    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        let (file, metadata) = self.open_file(path, &OpenOptions::READ)?;
        if metadata.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        if metadata.size > limit {
            return Err(Errno::EFBIG.into());
        }
        let length = usize::try_from(metadata.size).map_err(|_| Errno::EFBIG)?;
        let mut content = Vec::new();
        content.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        content.resize(length, 0);
        // As much as asked for, or an error.
        file.read_at(&mut content, 0)?;
        Ok(content)
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        let (found, _) = self.resolve(path, FinalLink::Follow)?;
        let mut listing = Listing::default();
        match found {
            Found::Node(node) => {
                if let Some((package, folder)) = self.nodes.place(node) {
                    self.contents(package)?.list(folder, &mut |name, kind| {
                        // What was resolved hides what a package brings along.
                        if self.nodes.child(node, name).is_none() {
                            listing.push(name, kind);
                        }
                    });
                }
                for (name, child) in self.nodes.children(node) {
                    let is_link = matches!(child.kind, NodeKind::Link(_));
                    listing.push(name, if is_link { FileKind::Symlink } else { FileKind::Directory });
                }
            }
            Found::Inside { contents, within: Within::Directory { first, depth }, .. } => {
                let folder = contents.folder(first, depth);
                contents.list(folder, &mut |name, kind| listing.push(name, kind));
            }
            Found::Inside { within: Within::File(_), .. } => return Err(Errno::ENOTDIR.into()),
        }
        Ok(listing)
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        match self.resolve(path, FinalLink::Keep)?.0 {
            Found::Node(node) => Ok(self.link(node).ok_or(Errno::EINVAL)?.to_vec()),
            Found::Inside { .. } => Err(Errno::EINVAL.into()),
        }
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        Ok(self.resolve(path, FinalLink::Follow)?.1.into_owned())
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        let (found, _) = self.resolve(path, FinalLink::Follow)?;
        if mode.write {
            return Err(Errno::EROFS.into());
        }
        match found {
            Found::Inside { contents, within: Within::File(index), .. }
                if mode.execute && !contents.is_executable(index) =>
            {
                Err(Errno::EACCES.into())
            }
            _ => Ok(()),
        }
    }

    /// There is no room for anything.
    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        self.resolve(path, FinalLink::Follow)?;
        Ok(Statistics { kind: SQUASHFS_MAGIC, block_size: u64::from(BLOCK_BYTES), ..Statistics::default() })
    }

    /// Nothing is ever told: nothing changes.
    fn watch(&self, path: LayerPath<'_>, _sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        self.resolve(path, FinalLink::Follow)?;
        Ok(Box::new(Silent))
    }
}
