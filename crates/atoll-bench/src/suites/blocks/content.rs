//! What the objects contain: bytes that follow from their place, so that each one can be checked without a copy.

use std::io::{self, Read};

use atoll_blocks::limits::mix;
use serde::{Deserialize, Serialize};

/// The unit in which content is made.
const WORD_BYTES: u64 = 8;
/// What can be compressed is made of pieces of so many words, of two kinds: one piece has five different bytes in no order,
/// as text has few; the next two have two random words of five, and zeros. zstd stores 0.43 of it, and takes as long to make
/// content of that as with machine code that it stores 0.43 of.
const PIECE_WORDS: u64 = 512;
const PIECES: u64 = 3;
const LETTERS: u16 = 5;
const GROUP_WORDS: u64 = 5;
const RANDOM_WORDS: u64 = 2;

/// Content of any length. Different seeds give different content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) seed: u64,
    /// Whether zstd stores it in 0.43 of its bytes; else it stays as long as it is.
    pub(super) is_compressible: bool,
}

impl Content {
    fn word(self, index: u64) -> [u8; WORD_BYTES as usize] {
        let random = mix(mix(self.seed) ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
        if !self.is_compressible {
            return random;
        }
        match (index / PIECE_WORDS % PIECES, index % GROUP_WORDS) {
            (0, _) => random.map(|byte| ((u16::from(byte) * LETTERS) >> 8) as u8),
            (_, word) if word < RANDOM_WORDS => random,
            _ => [0; WORD_BYTES as usize],
        }
    }

    /// Writes what is at `offset`, which is a multiple of a word, as `bytes` is.
    fn fill(self, offset: u64, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<{ WORD_BYTES as usize }>();
        assert!(offset.is_multiple_of(WORD_BYTES) && rest.is_empty(), "content is made by the word");
        for (index, word) in (offset / WORD_BYTES..).zip(words) {
            *word = self.word(index);
        }
    }

    /// Where `bytes` differ from what is at `offset`, if they do. `offset` is a multiple of a word.
    pub(super) fn difference(self, offset: u64, bytes: &[u8]) -> Option<u64> {
        assert!(offset.is_multiple_of(WORD_BYTES), "content is made by the word");
        let mut words = (offset / WORD_BYTES..).zip(bytes.chunks(WORD_BYTES as usize));
        let wrong = words.find(|(index, found)| self.word(*index)[..found.len()] != **found);
        wrong.map(|(index, _)| index * WORD_BYTES)
    }

    /// The content from its beginning on, without end.
    pub(super) fn reader(self) -> impl Read {
        Reader { content: self, offset: 0 }
    }
}

struct Reader {
    content: Content,
    offset: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let whole = buffer.len() - buffer.len() % WORD_BYTES as usize;
        self.content.fill(self.offset, &mut buffer[..whole]);
        self.offset += whole as u64;
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use atoll_blocks::frames::{Packing, pack};

    use super::Content;

    #[test]
    fn each_byte_is_known_by_its_place() {
        for is_compressible in [false, true] {
            let content = Content { seed: 7, is_compressible };
            let mut bytes = vec![0; 4096];
            content.reader().read_exact(&mut bytes).unwrap();
            assert_eq!(content.difference(0, &bytes), None);
            assert_eq!(content.difference(1024, &bytes[1024..1029]), None);
            assert_eq!(content.difference(8, &bytes), Some(8), "another place");
            assert_eq!(Content { seed: 8, is_compressible }.difference(0, &bytes), Some(0), "another object");
            bytes[2047] ^= 1;
            assert_eq!(content.difference(1024, &bytes[1024..]), Some(2040));
        }
    }

    #[test]
    fn what_can_be_compressed_is_stored_in_less_than_half() {
        let stored = |is_compressible| {
            let mut content = Content { seed: 1, is_compressible }.reader();
            let packing = Packing { frame_bits: 18, level: Some(3) };
            let header = pack(&mut content, 1 << 20, packing, &mut Cursor::new(Vec::new())).unwrap();
            (header.object_bytes() - header.frames_begin()) as f64 / f64::from(1 << 20)
        };
        assert!((0.42..0.45).contains(&stored(true)), "{}", stored(true));
        assert!((stored(false) - 1.0).abs() < f64::EPSILON);
    }
}
