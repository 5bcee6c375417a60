//! The names of a directory.

use super::inode::Inode;
use super::usage::{Charge, Usage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Inode(Arc<Inode>),
    /// Nothing, although the directory of the layer below has the name. Kept beside the names, not among them: no name
    /// that a guest can make means this, and no call shows it.
    Whiteout,
}

/// The entries that this layer has of a directory. Each is counted by the quota as long as it is here.
#[derive(Debug, Default)]
pub(super) struct Names {
    entries: BTreeMap<Box<[u8]>, Entry>,
    /// The directory of the layer below whose names show where there is no entry. None makes the directory opaque.
    lower: Option<Box<[u8]>>,
}

impl Names {
    pub(super) fn over(lower: Box<[u8]>) -> Self {
        Self { entries: BTreeMap::new(), lower: Some(lower) }
    }

    pub(super) fn lower(&self) -> Option<&[u8]> {
        self.lower.as_deref()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(name, entry)| (&**name, entry))
    }

    /// Whether a name stands for something.
    pub(super) fn has_inodes(&self) -> bool {
        self.entries.values().any(|entry| matches!(entry, Entry::Inode(_)))
    }

    /// What an entry costs that is put under this name: nothing where it replaces one.
    pub(super) fn charge_for(&self, name: &[u8]) -> Charge {
        if self.entries.contains_key(name) { Charge::default() } else { Charge::entry(name) }
    }

    /// Puts an entry that has been paid for, and returns the one before.
    pub(super) fn put(&mut self, name: &[u8], entry: Entry) -> Option<Entry> {
        match self.entries.get_mut(name) {
            Some(old) => Some(std::mem::replace(old, entry)),
            None => self.entries.insert(name.into(), entry),
        }
    }

    /// Takes an entry away; what it cost is the caller's to give back.
    pub(super) fn take(&mut self, name: &[u8]) -> Option<Entry> {
        self.entries.remove(name)
    }

    /// Empties the directory for good, and gives back what its entries cost.
    pub(super) fn clear(&mut self, usage: &Usage) -> Vec<Arc<Inode>> {
        let mut charge = Charge::default();
        let mut inodes = Vec::new();
        for (name, entry) in std::mem::take(&mut self.entries) {
            charge.add(Charge::entry(&name));
            if let Entry::Inode(inode) = entry {
                inodes.push(inode);
            }
        }
        usage.give(charge);
        inodes
    }
}
