//! Changing the names of a tree.
//!
//! Where there is a layer below, a change first makes the directories on its way this layer's own, with what they have
//! there. That by itself changes nothing that a guest can see, so a change that fails afterwards has done nothing. What
//! the layer below has to be asked for is asked before, and what is to be paid is paid at once.

use super::Memory;
use super::inode::{Body, Inode};
use super::names::Entry;
use super::resolve::Found;
use super::usage::Charge;
use crate::Errno;
use crate::Listing;
use crate::watch::EventKind;
use std::sync::Arc;

impl Memory {
    /// Whether the layer below has something that must be hidden when the name goes from the directory.
    fn shows_through(&self, directory: &Inode, name: &[u8]) -> Result<bool, Errno> {
        let names = directory.names()?;
        let Some((lower, path)) = self.lower.as_ref().zip(names.lower()) else { return Ok(false) };
        Ok(names.get(name).is_none() || lower.has(path, name))
    }

    /// Whether a directory shows no names.
    pub(super) fn is_empty(&self, directory: &Inode) -> Result<bool, Errno> {
        let names = directory.names()?;
        if names.has_inodes() {
            return Ok(false);
        }
        let Some((lower, path)) = self.lower.as_ref().zip(names.lower()) else { return Ok(true) };
        Ok(lower.names(path)?.iter().all(|(name, _)| names.get(name).is_some()))
    }

    /// All names of a directory, those that show through from below last.
    pub(super) fn list(&self, directory: &Inode) -> Result<Listing, Errno> {
        let names = directory.names()?;
        let mut listing = Listing::default();
        for (name, entry) in names.iter() {
            if let Entry::Inode(inode) = entry {
                listing.push(name, inode.kind());
            }
        }
        if let Some((lower, path)) = self.lower.as_ref().zip(names.lower()) {
            let lower = lower.names(path)?;
            lower
                .iter()
                .filter(|(name, _)| names.get(name).is_none())
                .for_each(|(name, kind)| listing.push(name, kind));
        }
        Ok(listing)
    }

    /// Whether a rename has something to do, and may.
    pub(super) fn may_rename(&self, source: &Found, target: &Found) -> Result<bool, Errno> {
        let node = source.node.as_ref().ok_or(Errno::ENOENT)?;
        if target.passes_through(node) {
            return Err(Errno::EINVAL);
        }
        let Some(replaced) = &target.node else { return Ok(true) };
        if source.passes_through(replaced) {
            return Err(Errno::ENOTEMPTY);
        }
        if node.is_same(replaced) {
            return Ok(false);
        }
        match (node.is_dir(), replaced.is_dir()) {
            (true, true) if !self.is_empty(replaced)? => Err(Errno::ENOTEMPTY),
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            _ => Ok(true),
        }
    }

    /// Entries for the directories that a path has passed, where there are none yet.
    pub(super) fn settle_way(&self, found: &Found) -> Result<(), Errno> {
        if self.lower.is_none() {
            return Ok(());
        }
        let mut charge = Charge::default();
        let mut missing = Vec::new();
        for (parent, name, directory) in found.steps() {
            if parent.names()?.get(name).is_none() {
                charge.add(Charge::entry(name));
                missing.push((parent, name, directory));
            }
        }
        self.usage.change(charge)?;
        for (parent, name, directory) in missing {
            parent.names_mut()?.put(name, Entry::Inode(Arc::clone(directory)));
            directory.placed(parent, name);
            self.take_over(directory);
        }
        Ok(())
    }

    /// This layer is the authority for the inode, which has an entry.
    fn take_over(&self, inode: &Arc<Inode>) {
        inode.make_own();
        if let Some(origin) = inode.origin() {
            origin.remember(inode);
            origin.unpin(&self.usage);
        }
    }

    /// What the path names, with an entry of its own, so that it can be changed.
    pub(super) fn own(&self, found: &Found) -> Result<Arc<Inode>, Errno> {
        let node = found.node.as_ref().ok_or(Errno::ENOENT)?;
        if self.lower.is_some() {
            self.settle_way(found)?;
            let directory = found.directory();
            if let Some(name) = &found.name
                && directory.names()?.get(name).is_none()
            {
                let mut charge = Charge::entry(name);
                charge.add(node.own_charge());
                self.usage.change(charge)?;
                directory.names_mut()?.put(name, Entry::Inode(Arc::clone(node)));
                node.placed(directory, name);
                self.take_over(node);
            }
        }
        Ok(Arc::clone(node))
    }

    /// Puts a new inode under a name that stands for nothing.
    pub(super) fn add(&self, found: &Found, body: Body, mode: u32) -> Result<Arc<Inode>, Errno> {
        let inode = Inode::new(&self.usage, body, mode)?;
        self.give_name(found, &inode)?;
        Ok(inode)
    }

    /// Gives an inode a further name, which stands for nothing so far.
    pub(super) fn give_name(&self, found: &Found, inode: &Arc<Inode>) -> Result<(), Errno> {
        let name = found.named()?;
        self.settle_way(found)?;
        let directory = found.directory();
        let mut names = directory.names_mut()?;
        self.usage.change(names.charge_for(name))?;
        names.put(name, Entry::Inode(Arc::clone(inode)));
        drop(names);
        inode.named();
        if inode.is_dir() {
            directory.gained_directory();
        } else {
            // One more link; of a new inode nobody is told.
            inode.notify(EventKind::AttributesChanged);
        }
        directory.touch_modified();
        inode.placed(directory, name);
        directory.notify_of(EventKind::Created, name, inode.is_dir());
        Ok(())
    }

    /// Takes away a name that stands for something.
    pub(super) fn take_name(&self, found: &Found) -> Result<(), Errno> {
        let (name, node) = (found.named()?, found.node.as_ref().ok_or(Errno::ENOENT)?);
        let directory = found.directory();
        let hides = self.shows_through(directory, name)?;
        self.settle_way(found)?;
        let mut names = directory.names_mut()?;
        if hides {
            self.usage.change(names.charge_for(name))?;
            names.put(name, Entry::Whiteout);
        } else {
            names.take(name);
            self.usage.give(Charge::entry(name));
        }
        drop(names);
        self.lost_name(directory, node);
        directory.touch_modified();
        if !node.is_dir() {
            node.notify(EventKind::AttributesChanged);
        }
        node.end_if_unused();
        directory.notify_of(EventKind::Deleted, name, node.is_dir());
        Ok(())
    }

    /// What is to be done when a directory has lost a name for an inode that gets no other.
    fn lost_name(&self, directory: &Inode, node: &Arc<Inode>) {
        node.unnamed();
        if node.is_dir() {
            directory.lost_directory();
        }
        // Entries keep an inode, and so does an open file. That it was kept for names without an entry ends here, because
        // whether there are any left cannot be known.
        if let Some(origin) = node.origin() {
            origin.unpin(&self.usage);
        }
    }

    /// Moves a name, replacing what has the new one. Both ways are settled.
    pub(super) fn move_name(&self, source: &Found, target: &Found) -> Result<(), Errno> {
        let node = source.node.as_ref().ok_or(Errno::ENOENT)?;
        let ((from, name), (to, new_name)) =
            ((source.directory(), source.named()?), (target.directory(), target.named()?));
        let hides = self.shows_through(from, name)?;
        let mut charge = node.own_charge();
        charge.add(to.names()?.charge_for(new_name));
        if hides {
            charge.add(from.names()?.charge_for(name));
        } else {
            charge.subtract(Charge::entry(name));
        }
        self.usage.change(charge)?;
        let replaced = to.names_mut()?.put(new_name, Entry::Inode(Arc::clone(node)));
        if hides {
            from.names_mut()?.put(name, Entry::Whiteout);
        } else {
            from.names_mut()?.take(name);
        }
        self.take_over(node);
        if let Some(replaced) = &target.node {
            self.lost_name(to, replaced);
        }
        node.placed(to, new_name);
        drop(replaced);
        if node.is_dir() {
            from.lost_directory();
            to.gained_directory();
        }
        from.touch_modified();
        to.touch_modified();
        node.touch_changed();
        from.notify_of(EventKind::MovedFrom, name, node.is_dir());
        to.notify_of(EventKind::MovedTo, new_name, node.is_dir());
        if let Some(replaced) = &target.node {
            replaced.notify(EventKind::AttributesChanged);
        }
        node.notify(EventKind::MovedSelf);
        if let Some(replaced) = &target.node {
            replaced.end_if_unused();
        }
        Ok(())
    }
}
