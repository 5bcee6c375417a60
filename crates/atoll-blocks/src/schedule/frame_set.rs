//! A set of frames, as bits.

use std::ops::Range;

const WORD_BITS: u32 = u64::BITS;

#[derive(Debug)]
pub(super) struct FrameSet {
    words: Vec<u64>,
}

impl FrameSet {
    pub(super) fn new(frames: u32) -> Self {
        Self { words: vec![0; frames.div_ceil(WORD_BITS) as usize] }
    }

    pub(super) fn insert(&mut self, frames: Range<u32>) {
        self.each_word(frames, |word, mask| *word |= mask);
    }

    pub(super) fn remove(&mut self, frames: Range<u32>) {
        self.each_word(frames, |word, mask| *word &= !mask);
    }

    fn each_word(&mut self, frames: Range<u32>, mut change: impl FnMut(&mut u64, u64)) {
        let mut begin = frames.start;
        while begin < frames.end {
            let end = (begin - begin % WORD_BITS + WORD_BITS).min(frames.end);
            change(&mut self.words[(begin / WORD_BITS) as usize], mask(begin, end));
            begin = end;
        }
    }

    /// How many of these frames are in the set.
    pub(super) fn count(&self, frames: Range<u32>) -> u32 {
        let mut begin = frames.start;
        let mut count = 0;
        while begin < frames.end {
            let end = (begin - begin % WORD_BITS + WORD_BITS).min(frames.end);
            count += (self.words[(begin / WORD_BITS) as usize] & mask(begin, end)).count_ones();
            begin = end;
        }
        count
    }

    /// The first of these frames that is not in the set.
    pub(super) fn first_missing(&self, frames: Range<u32>) -> Option<u32> {
        self.find(frames, |word| !word)
    }

    /// The first of these frames that is in the set.
    pub(super) fn first_present(&self, frames: Range<u32>) -> Option<u32> {
        self.find(frames, |word| word)
    }

    fn find(&self, frames: Range<u32>, view: impl Fn(u64) -> u64) -> Option<u32> {
        let mut begin = frames.start;
        while begin < frames.end {
            let end = (begin - begin % WORD_BITS + WORD_BITS).min(frames.end);
            let found = view(self.words[(begin / WORD_BITS) as usize]) & mask(begin, end);
            if found != 0 {
                return Some(begin - begin % WORD_BITS + found.trailing_zeros());
            }
            begin = end;
        }
        None
    }
}

/// The bits of `begin..end`, which lie in one word and are not none.
fn mask(begin: u32, end: u32) -> u64 {
    (u64::MAX >> (WORD_BITS - (end - begin))) << (begin % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(changes in prop::collection::vec((any::<bool>(), 0..300_u32, 0..300_u32), 0..20)) {
            let mut set = FrameSet::new(300);
            let mut model = BTreeSet::new();
            for (insert, begin, end) in changes {
                if insert {
                    set.insert(begin..end);
                    model.extend(begin..end);
                } else {
                    set.remove(begin..end);
                    model.retain(|frame| !(begin..end).contains(frame));
                }
                let inside = |frame: &u32| model.contains(frame);
                prop_assert_eq!(set.count(begin..end) as usize, (begin..end).filter(inside).count());
                prop_assert_eq!(set.first_present(begin..end), (begin..end).find(inside));
                prop_assert_eq!(set.first_missing(begin..300), (begin..300).find(|frame| !model.contains(frame)));
            }
        }
    }
}
