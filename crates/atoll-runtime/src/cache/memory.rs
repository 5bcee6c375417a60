//! What of the cache this process knows: contents as far as there is room, and which code was made.

use atoll_engine::Ripeness;
use std::collections::HashMap;
use std::sync::Arc;

/// Contents kept in memory, in bytes: some sixty apps of the size of a service with a handful of dependencies. Those that
/// were not asked for the longest go first.
const MAX_BYTES: usize = 64 << 20;

/// Entries that are known of; all are forgotten when there are more. They are asked for and made again then.
const MAX_ENTRIES: usize = 65_536;

#[derive(Debug, Default)]
struct Entry {
    /// Of the code that was made, or that somebody was told to make; none for texts.
    ripeness: Option<Ripeness>,
    /// How much there is, bytes, also when it is not kept here.
    length: usize,
    content: Option<Arc<[u8]>>,
    /// When it was last asked for, in questions.
    used: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: HashMap<[u8; 32], Entry>,
    bytes: usize,
    questions: u64,
}

impl Memory {
    /// The content for a key, if it is here.
    pub(super) fn get(&mut self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.questions += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.questions;
        entry.content.clone()
    }

    /// Whether nobody has made code so ripe, or was told to: then the caller is.
    pub(super) fn claim(&mut self, key: [u8; 32], ripeness: Ripeness) -> bool {
        let entry = self.entry(key);
        let is_wanted = entry.ripeness.is_none_or(|known| known < ripeness);
        if is_wanted {
            entry.ripeness = Some(ripeness);
        }
        is_wanted
    }

    /// How much content there is for a key, here or elsewhere, bytes; 0 where nothing is known of it.
    pub(super) fn length(&self, key: &[u8; 32]) -> usize {
        self.entries.get(key).map_or(0, |entry| entry.length)
    }

    /// Keeps content in place of what there was.
    pub(super) fn put(&mut self, key: [u8; 32], ripeness: Option<Ripeness>, content: &Arc<[u8]>) {
        self.questions += 1;
        let now = self.questions;
        let entry = self.entry(key);
        entry.ripeness = entry.ripeness.max(ripeness);
        let before = entry.content.replace(Arc::clone(content)).map_or(0, |content| content.len());
        entry.length = content.len();
        entry.used = now;
        self.bytes = self.bytes - before + content.len();
        while self.bytes > MAX_BYTES && self.drop_oldest() {}
    }

    /// Forgets an entry.
    pub(super) fn forget(&mut self, key: &[u8; 32]) {
        if let Some(content) = self.entries.remove(key).and_then(|entry| entry.content) {
            self.bytes -= content.len();
        }
    }

    fn entry(&mut self, key: [u8; 32]) -> &mut Entry {
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&key) {
            *self = Self::default();
        }
        self.entries.entry(key).or_default()
    }

    fn drop_oldest(&mut self) -> bool {
        let kept = self.entries.values_mut().filter(|entry| entry.content.is_some());
        let oldest = kept.min_by_key(|entry| entry.used).and_then(|entry| entry.content.take());
        self.bytes -= oldest.as_ref().map_or(0, |content| content.len());
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_goes_first() {
        let mut memory = Memory::default();
        let third: Arc<[u8]> = vec![0; MAX_BYTES / 3].into();
        for name in 0..3 {
            memory.put([name; 32], Some(Ripeness::First), &third);
        }
        assert!(memory.get(&[0; 32]).is_some());
        memory.put([3; 32], Some(Ripeness::First), &third);
        let known: Vec<bool> = (0..4).map(|name| memory.get(&[name; 32]).is_some()).collect();
        assert_eq!(known, [true, false, true, true]);
        assert!(!memory.claim([1; 32], Ripeness::First), "that it was made is still known");
        assert_eq!(memory.length(&[1; 32]), third.len());
        memory.forget(&[3; 32]);
        assert_eq!(memory.bytes, 2 * third.len());
    }
}
