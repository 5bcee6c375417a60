//! The names of a directory.

use crate::layer::FileKind;

/// One name of a directory, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name: any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// Type of what it names; a link is a link, dangling or not.
    pub kind: FileKind,
}

/// All names of a directory with their types, in one piece of memory: large directories have tens of thousands, and
/// walks meet thousands of directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    start: usize,
    length: usize,
    kind: FileKind,
}

impl Listing {
    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names together.
    pub fn name_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a name.
    pub fn push(&mut self, name: &[u8], kind: FileKind) {
        self.entries.push(Entry { start: self.bytes.len(), length: name.len(), kind });
        self.bytes.extend_from_slice(name);
    }

    /// Names and types.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], FileKind)> {
        self.entries.iter().map(|entry| (&self.bytes[entry.start..entry.start + entry.length], entry.kind))
    }

    /// The entries from the one at `start` on, `most` of them at most.
    pub(crate) fn part(&self, start: usize, most: usize) -> Self {
        let mut part = Self::default();
        self.iter().skip(start).take(most).for_each(|(name, kind)| part.push(name, kind));
        part
    }

    /// Sorts by the bytes of the names.
    pub fn sort(&mut self) {
        let Self { bytes, entries } = self;
        let name = |entry: &Entry| &bytes[entry.start..entry.start + entry.length];
        entries.sort_unstable_by(|left, right| name(left).cmp(name(right)));
    }

    /// Corrects the type of the entry at `index`.
    pub(crate) fn set_kind(&mut self, index: usize, kind: FileKind) {
        self.entries[index].kind = kind;
    }
}

impl FromIterator<DirEntry> for Listing {
    fn from_iter<I: IntoIterator<Item = DirEntry>>(entries: I) -> Self {
        let mut listing = Self::default();
        entries.into_iter().for_each(|entry| listing.push(&entry.name, entry.kind));
        listing
    }
}

impl IntoIterator for Listing {
    type Item = DirEntry;
    type IntoIter = std::vec::IntoIter<DirEntry>;

    fn into_iter(self) -> Self::IntoIter {
        let entries: Vec<_> = self.iter().map(|(name, kind)| DirEntry { name: name.to_vec(), kind }).collect();
        entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_bytes_and_keep_their_types() {
        let mut listing = Listing::default();
        for (name, kind) in [(&b"b"[..], FileKind::Regular), (b"\xff", FileKind::Symlink), (b"a", FileKind::Directory)]
        {
            listing.push(name, kind);
        }
        listing.sort();
        let names: Vec<_> = listing.iter().collect();
        let expected =
            [(&b"a"[..], FileKind::Directory), (&b"b"[..], FileKind::Regular), (&b"\xff"[..], FileKind::Symlink)];
        assert_eq!(names, expected);
        assert_eq!((listing.len(), listing.name_bytes()), (3, 3));
        assert_eq!(listing.clone().into_iter().collect::<Listing>().iter().collect::<Vec<_>>(), expected);
    }
}
