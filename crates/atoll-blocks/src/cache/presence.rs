//! Which frames are there, in memory and as it is written down.

use crate::frames::Identity;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

const WORD_BITS: u32 = u64::BITS;
const DIGEST_BYTES: usize = blake3::OUT_LEN;
/// Words of a page, beside its digest.
const PAGE_WORDS: usize = (PresenceMap::PAGE_BYTES - DIGEST_BYTES) / 8;
/// Frames that a page speaks of.
const PAGE_FRAMES: u32 = PAGE_WORDS as u32 * WORD_BITS;
/// What the digests of pages are for.
const PURPOSE: &str = "atoll presence map 1";

/// A set of frames that any number of threads look at while one changes it.
///
/// It is written down in pages of 4 KiB, each with a digest over its bits, its number, and the object that it is for. A
/// page whose digest is not right, since it was written half, damaged, or is for something else, says that nothing is
/// there.
#[derive(Debug)]
pub struct PresenceMap {
    words: Box<[AtomicU64]>,
    frames: u32,
}

impl PresenceMap {
    /// Length of a page: what disks write as a whole, mostly.
    pub const PAGE_BYTES: usize = 4096;

    /// The empty set, of an object with so many frames.
    pub fn new(frames: u32) -> Self {
        Self { words: (0..frames.div_ceil(WORD_BITS)).map(|_| AtomicU64::new(0)).collect(), frames }
    }

    /// Whether all of these frames are in the set. What was written before they were put in is seen.
    pub fn contains(&self, frames: Range<u32>) -> bool {
        words_of(frames).all(|(word, mask)| self.words[word].load(Ordering::SeqCst) & mask == mask)
    }

    /// Takes one of these frames out of the set, if there is any; which one.
    pub fn take_any(&self, frames: Range<u32>) -> Option<u32> {
        words_of(frames).find_map(|(word, mask)| {
            let found = self.words[word].load(Ordering::Relaxed) & mask;
            if found == 0 {
                return None;
            }
            let bit = found.trailing_zeros();
            let before = self.words[word].fetch_and(!(1 << bit), Ordering::Relaxed);
            (before & (1 << bit) != 0).then_some(word as u32 * WORD_BITS + bit)
        })
    }

    /// Puts a frame into the set; whether it was not there. Of several threads that do so, one is told that.
    pub fn insert_one(&self, frame: u32) -> bool {
        let mask = 1 << (frame % WORD_BITS);
        self.words[(frame / WORD_BITS) as usize].fetch_or(mask, Ordering::SeqCst) & mask == 0
    }

    /// Puts frames into the set.
    pub fn insert(&self, frames: Range<u32>) {
        for (word, mask) in words_of(frames) {
            self.words[word].fetch_or(mask, Ordering::SeqCst);
        }
    }

    /// Takes frames out of the set.
    pub fn remove(&self, frames: Range<u32>) {
        for (word, mask) in words_of(frames) {
            self.words[word].fetch_and(!mask, Ordering::SeqCst);
        }
    }

    /// How many of these frames are in the set.
    pub fn count(&self, frames: Range<u32>) -> u32 {
        words_of(frames).map(|(word, mask)| (self.words[word].load(Ordering::SeqCst) & mask).count_ones()).sum()
    }

    /// Runs of frames that are in the set.
    pub(crate) fn present_runs(&self) -> impl Iterator<Item = Range<u32>> {
        self.runs(true)
    }

    /// Runs of frames that are not in the set.
    pub(super) fn absent_runs(&self) -> impl Iterator<Item = Range<u32>> {
        self.runs(false)
    }

    fn runs(&self, are_present: bool) -> impl Iterator<Item = Range<u32>> {
        let mut begin = 0;
        std::iter::from_fn(move || {
            let belongs = |frame: &u32| self.contains(*frame..frame + 1) == are_present;
            let start = (begin..self.frames).find(belongs)?;
            let end = (start..self.frames).find(|frame| !belongs(frame)).unwrap_or(self.frames);
            begin = end;
            Some(start..end)
        })
    }

    /// How many pages the set is written down in.
    pub fn pages(&self) -> u32 {
        self.frames.div_ceil(PAGE_FRAMES)
    }

    /// The page that speaks of a frame.
    pub fn page_of(frame: u32) -> u32 {
        frame / PAGE_FRAMES
    }

    /// A page, as it is written down.
    pub fn encode_page(&self, page: u32, identity: Identity) -> [u8; Self::PAGE_BYTES] {
        let mut bytes = [0; Self::PAGE_BYTES];
        let words = &self.words[page as usize * PAGE_WORDS..];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(&words[..words.len().min(PAGE_WORDS)]) {
            bytes.copy_from_slice(&word.load(Ordering::SeqCst).to_le_bytes());
        }
        let digest = self.digest(&bytes, page, identity);
        bytes[PAGE_WORDS * 8..].copy_from_slice(&digest);
        bytes
    }

    /// Reads the pages that were written for an object. Bytes that are missing, and pages that can't be believed, are
    /// frames that are not there; so are those beyond the last frame.
    pub fn decode(bytes: &[u8], frames: u32, identity: Identity) -> Self {
        let map = Self::new(frames);
        let (pages, _) = bytes.as_chunks::<{ Self::PAGE_BYTES }>();
        for (page, bytes) in (0..map.pages()).zip(pages) {
            if bytes[PAGE_WORDS * 8..] != map.digest(bytes, page, identity) {
                continue;
            }
            let words = &map.words[page as usize * PAGE_WORDS..];
            let (numbers, _) = bytes[..PAGE_WORDS * 8].as_chunks::<8>();
            for (word, bytes) in words.iter().zip(numbers) {
                word.store(u64::from_le_bytes(*bytes), Ordering::SeqCst);
            }
        }
        let beyond = frames..frames.next_multiple_of(WORD_BITS);
        map.remove(beyond);
        map
    }

    fn digest(&self, page_bytes: &[u8; Self::PAGE_BYTES], page: u32, identity: Identity) -> [u8; DIGEST_BYTES] {
        let mut hasher = blake3::Hasher::new_derive_key(PURPOSE);
        hasher.update(&identity.0).update(&self.frames.to_le_bytes()).update(&page.to_le_bytes());
        *hasher.update(&page_bytes[..PAGE_WORDS * 8]).finalize().as_bytes()
    }
}

/// The words that frames have bits in, and the bits.
fn words_of(frames: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let mut begin = frames.start;
    std::iter::from_fn(move || {
        if begin >= frames.end {
            return None;
        }
        let word = begin / WORD_BITS;
        let end = ((word + 1).saturating_mul(WORD_BITS)).min(frames.end);
        let mask = (u64::MAX >> (WORD_BITS - (end - begin))) << (begin % WORD_BITS);
        begin = end;
        Some((word as usize, mask))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: Identity = Identity([7; 32]);

    fn written(map: &PresenceMap) -> Vec<u8> {
        (0..map.pages()).flat_map(|page| map.encode_page(page, OBJECT)).collect()
    }

    fn members(map: &PresenceMap) -> Vec<u32> {
        (0..map.frames).filter(|frame| map.contains(*frame..frame + 1)).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for frames in [0, 1, 64, 1000, PAGE_FRAMES, PAGE_FRAMES + 1, 3 * PAGE_FRAMES - 5] {
            let map = PresenceMap::new(frames);
            map.insert(0..frames / 2);
            map.insert(frames.saturating_sub(3)..frames);
            let bytes = written(&map);
            let read = PresenceMap::decode(&bytes, frames, OBJECT);
            assert_eq!(members(&read), members(&map));
            assert_eq!(written(&read), bytes);
            assert_eq!(members(&PresenceMap::decode(&bytes, frames, Identity([8; 32]))), [0_u32; 0]);
            assert_eq!(members(&PresenceMap::decode(&bytes, frames + 1, OBJECT)), [0_u32; 0]);
        }
    }

    #[test]
    fn a_page_that_is_not_whole_is_empty_and_the_others_are_not() {
        let map = PresenceMap::new(3 * PAGE_FRAMES);
        map.insert(0..3 * PAGE_FRAMES);
        for at in [0, 4063, 4064, 4095] {
            let mut bytes = written(&map);
            bytes[PresenceMap::PAGE_BYTES + at] ^= 4;
            let read = PresenceMap::decode(&bytes, 3 * PAGE_FRAMES, OBJECT);
            assert!(read.contains(0..PAGE_FRAMES) && read.contains(2 * PAGE_FRAMES..3 * PAGE_FRAMES));
            assert_eq!(read.count(PAGE_FRAMES..2 * PAGE_FRAMES), 0);
        }
        // A page in the place of another one is for nothing.
        let mut bytes = written(&map);
        bytes.rotate_left(PresenceMap::PAGE_BYTES);
        assert_eq!(PresenceMap::decode(&bytes, 3 * PAGE_FRAMES, OBJECT).count(0..3 * PAGE_FRAMES), 0);
        let short = &written(&map)[..PresenceMap::PAGE_BYTES * 2 - 1];
        assert_eq!(PresenceMap::decode(short, 3 * PAGE_FRAMES, OBJECT).count(0..3 * PAGE_FRAMES), PAGE_FRAMES);
    }

    #[test]
    fn one_is_taken_at_a_time() {
        let map = PresenceMap::new(200);
        map.insert(60..70);
        let taken: Vec<u32> = std::iter::from_fn(|| map.take_any(62..200)).collect();
        assert_eq!(map.absent_runs().collect::<Vec<_>>(), [0..60, 62..200]);
        assert_eq!(map.present_runs().next(), Some(60..62));
        assert_eq!(taken, [62, 63, 64, 65, 66, 67, 68, 69]);
        assert_eq!(members(&map), [60, 61]);
    }
}
