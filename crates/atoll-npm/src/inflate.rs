//! Gzip that is in memory as a whole, decompressed by one call: for most tarballs in three quarters of the time that a
//! decoder takes which gets it piece by piece ([`GzipReader`]).

mod gzip_reader;

pub(crate) use gzip_reader::GzipReader;
use libdeflater::Decompressor;
use memchr::memmem;

/// What a gzip member begins with: the magic bytes, and deflate as the method (RFC 1952, 2.3.1).
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];
/// Checksum and length at a member's end.
const TRAILER_BYTES: usize = 8;
/// Deflate makes nothing smaller than this: 258 bytes take two bits.
const RATIO_MAX: u64 = 1032;

/// Decompresses, with buffers that it keeps.
pub(crate) struct Inflater {
    decompressor: Decompressor,
    content: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { decompressor: Decompressor::new(), content: Vec::new() }
    }

    /// Gives memory back beyond this length.
    pub(crate) fn shrink(&mut self, bytes_max: u64) {
        if self.content.len() as u64 > bytes_max {
            self.content = Vec::new();
        }
    }

    /// The content of a single member that is not longer than `bytes_max`. `None` is for everything else, damage included: a
    /// decoder that takes it piece by piece knows what it is.
    pub(crate) fn whole(&mut self, compressed: &[u8], bytes_max: u64) -> Option<&[u8]> {
        let length = length_of_single(compressed).filter(|length| *length <= bytes_max)? as usize;
        if self.content.len() < length {
            // What is in there is of no use, and new pages are zero already.
            self.content = vec![0; length];
        }
        let content = &mut self.content[..length];
        let written = self.decompressor.gzip_decompress(compressed, content).ok()?;
        (written == length).then_some(&*content)
    }
}

/// As [`Inflater::whole`], for who keeps the content.
pub(crate) fn whole(compressed: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let mut inflater = Inflater::new();
    let length = inflater.whole(compressed, bytes_max)?.len();
    inflater.content.truncate(length);
    Some(inflater.content)
}

/// How long the content is that the last member says it has, when nothing in the bytes looks like another member. The
/// decompressor stops behind the first one and does not say where.
fn length_of_single(compressed: &[u8]) -> Option<u64> {
    let rest = compressed.strip_prefix(&MEMBER)?;
    let (_, trailer) = rest.split_last_chunk::<TRAILER_BYTES>()?;
    let length = u64::from(u32::from_le_bytes([trailer[4], trailer[5], trailer[6], trailer[7]]));
    let is_possible = length <= (compressed.len() as u64).saturating_mul(RATIO_MAX);
    (is_possible && memmem::find(rest, &MEMBER).is_none()).then_some(length)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    const BYTES_MAX: u64 = 1 << 20;

    fn gzip(content: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// What the decoder makes of it that takes it piece by piece.
    fn in_pieces(compressed: &[u8]) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        MultiGzDecoder::new(compressed).read_to_end(&mut content).is_ok().then_some(content)
    }

    /// Whether it is decompressed; if so, it has to be as the other decoder does.
    fn check(inflater: &mut Inflater, compressed: &[u8]) -> bool {
        let content = inflater.whole(compressed, BYTES_MAX).map(<[u8]>::to_vec);
        assert_eq!(content, whole(compressed, BYTES_MAX));
        if content.is_some() {
            assert_eq!(content, in_pieces(compressed));
        }
        content.is_some()
    }

    #[test]
    fn one_member_is_decompressed() {
        let mut inflater = Inflater::new();
        for length in [70_000, 0, 1, 1 << 20, 5] {
            let content: Vec<u8> = (0..length).map(|index: u32| (index.wrapping_mul(index) >> 7) as u8).collect();
            for level in [0, 1, 9] {
                let compressed = gzip(&content, level);
                assert!(check(&mut inflater, &compressed) || memmem::find(&compressed[3..], &MEMBER).is_some());
            }
        }
        assert!(check(&mut inflater, &gzip(b"x", 6)));
    }

    #[test]
    fn everything_else_is_left_to_the_other_decoder() {
        let mut inflater = Inflater::new();
        let one = gzip(b"the same twice", 6);
        let cases: [(&str, Vec<u8>); 9] = [
            ("nothing", Vec::new()),
            ("text", b"no gzip, and longer than a header and a trailer are".to_vec()),
            ("two members, equal in length and checksum", [&one[..], &one].concat()),
            ("an empty member behind it", [&one[..], &gzip(b"", 6)].concat()),
            ("zeros behind it", [&one[..], &[0; 512]].concat()),
            ("cut", one[..one.len() - 1].to_vec()),
            ("longer than allowed", gzip(&vec![0; BYTES_MAX as usize + 1], 6)),
            ("a length that cannot be", [&one[..one.len() - 4], &(1_u32 << 19).to_le_bytes()].concat()),
            ("the method is not deflate", [&[0x1f, 0x8b, 7], &one[3..]].concat()),
        ];
        for (name, compressed) in cases {
            assert!(!check(&mut inflater, &compressed), "{name}");
        }
        let mut damaged = one;
        let trailer = damaged.len() - TRAILER_BYTES;
        for at in 10..damaged.len() {
            damaged[at] ^= 0x10;
            // Between the content's last bit and the trailer there may be bits that say nothing.
            assert!(!check(&mut inflater, &damaged) || at == trailer - 1, "byte {at}");
            damaged[at] ^= 0x10;
        }
    }

    proptest! {
        #[test]
        fn what_is_decompressed_is_what_the_other_decoder_gives(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..3),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            tail in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut compressed: Vec<u8> = contents.iter().flat_map(|content| gzip(content, 6)).collect();
            for (at, byte) in changes {
                let at = at.index(compressed.len());
                compressed[at] = byte;
            }
            compressed.extend(tail);
            check(&mut Inflater::new(), &compressed);
        }
    }
}
