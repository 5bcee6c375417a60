//! Gzip that is decompressed while it arrives (RFC 1952), in a piece of memory of fixed size.

use std::{
    io::{self, BufRead, Read},
    ops::Range,
};

use fdeflate::Decompressor;
use libdeflater::Crc;

use super::{MEMBER, TRAILER_BYTES};

/// How far back deflate looks: 32 KiB.
const WINDOW_BYTES: usize = 32 << 10;
/// Bytes that are decompressed at once, at most: they, and what becomes of them, are in the processor's cache meanwhile.
const PIECE_BYTES: usize = 128 << 10;
/// With less room than this the window is moved to the buffer's begin.
const ROOM_BYTES: usize = PIECE_BYTES / 2;
/// What the decompressor takes for the begin of a zlib stream (RFC 1950, 2.2): deflate, no dictionary.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];
/// The decompressor consumes as many bytes as a zlib stream has for its checksum, and it may have consumed fewer than these beyond
/// them.
const CHECKSUM_BYTES: usize = 4;
/// Of a member, the last bytes that the decompressor consumed.
const TAIL_BYTES: usize = 2 * CHECKSUM_BYTES - 1;
/// These, and what checksum and length have behind them if they begin with the last four.
const SEEN_BYTES_MAX: usize = TAIL_BYTES + TRAILER_BYTES - CHECKSUM_BYTES;

/// Flags of a member's header (RFC 1952, 2.3.1).
mod flag {
    pub(super) const HEADER_CHECKSUM: u8 = 1 << 1;
    pub(super) const EXTRA: u8 = 1 << 2;
    pub(super) const NAME: u8 = 1 << 3;
    pub(super) const COMMENT: u8 = 1 << 4;
    pub(super) const RESERVED: u8 = 0xe0;
}

/// Reads what one or several gzip members decompress to. Reads nothing behind the last one.
pub(crate) struct GzipReader<R> {
    compressed: R,
    /// Up to [`WINDOW_BYTES`] of what was read, and what was not.
    buffer: Box<[u8]>,
    /// What was not.
    unread: Range<usize>,
    /// The member that is being read.
    member: Option<Member>,
    /// Whether there was one.
    has_begun: bool,
}

struct Member {
    decompressor: Decompressor,
    checksum: Crc,
    /// Bytes that it has decompressed to so far, modulo 2³².
    length: u32,
    tail: [u8; TAIL_BYTES],
}

impl<R: BufRead> GzipReader<R> {
    pub(crate) fn new(compressed: R) -> Self {
        let buffer = vec![0; WINDOW_BYTES + PIECE_BYTES].into_boxed_slice();
        Self { compressed, buffer, unread: 0..0, member: None, has_begun: false }
    }

    /// Begins the next member, if there is one.
    fn begin(&mut self) -> io::Result<Option<Member>> {
        if self.has_begun && self.compressed.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.has_begun = true;
        let mut header = Header { compressed: &mut self.compressed, checksum: Crc::new() };
        let [magic_1, magic_2, method, flags, ..] = header.bytes::<10>()?;
        if [magic_1, magic_2, method] != MEMBER || flags & flag::RESERVED != 0 {
            return Err(damaged("it is no gzip"));
        }
        if flags & flag::EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(header.bytes()?) {
                header.bytes::<1>()?;
            }
        }
        for text in [flag::NAME, flag::COMMENT] {
            while flags & text != 0 && header.bytes()? != [0] {}
        }
        let expected = header.checksum.sum() as u16;
        if flags & flag::HEADER_CHECKSUM != 0 && u16::from_le_bytes(header.bytes()?) != expected {
            return Err(damaged("a header's checksum is wrong"));
        }
        let mut decompressor = Decompressor::new();
        decompressor.ignore_adler32();
        decompressor.read(&ZLIB_HEADER, &mut [], 0, false).map_err(|_| damaged("it cannot be begun"))?;
        Ok(Some(Member { decompressor, checksum: Crc::new(), length: 0, tail: [0; TAIL_BYTES] }))
    }
}

impl Member {
    /// Decompresses something behind `at`, where the window ends: how much, and whether that is all.
    fn decompress(&mut self, compressed: &mut impl BufRead, buffer: &mut [u8], at: usize) -> io::Result<(usize, bool)> {
        let input = compressed.fill_buf()?;
        if input.is_empty() {
            return Err(cut());
        }
        // So that of a member without content it has not read anything too much: see the end.
        let input = if self.length == 0 { &input[..1] } else { input };
        let read = self.decompressor.read(input, buffer, at, false);
        let (consumed, written) = read.map_err(|error| damaged(&format!("it is damaged ({error:?})")))?;
        if (consumed, written) == (0, 0) {
            return Err(damaged("it does not go on"));
        }
        for byte in &input[consumed.saturating_sub(TAIL_BYTES)..consumed] {
            self.tail.rotate_left(1);
            self.tail[TAIL_BYTES - 1] = *byte;
        }
        compressed.consume(consumed);
        self.checksum.update(&buffer[at..at + written]);
        self.length = self.length.wrapping_add(written as u32);
        Ok((written, self.decompressor.is_done()))
    }

    /// Reads checksum and length behind the content, and compares them.
    ///
    /// The decompressor does not tell how far it has read beyond the first four of these eight bytes, so they are looked for, from as far back
    /// as they can be. Where both are zero, and the content may end with a zero as well, it has not read further.
    fn end(&self, compressed: &mut impl BufRead) -> io::Result<()> {
        let [checksum, length] = [self.checksum.sum(), self.length].map(u32::to_le_bytes);
        let expected = [checksum, length].concat();
        let mut seen = self.tail.to_vec();
        let end = if self.length == 0 { SEEN_BYTES_MAX } else { TAIL_BYTES };
        while seen.len() < end || !seen.ends_with(&expected) {
            if seen.len() == SEEN_BYTES_MAX {
                return Err(damaged("checksum or length is wrong"));
            }
            let [byte] = read_bytes(compressed)?;
            seen.push(byte);
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for GzipReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.unread.is_empty() {
            if self.member.is_none() {
                self.member = self.begin()?;
                // It has a window of its own.
                self.unread = 0..0;
            }
            let Some(member) = &mut self.member else { break };
            let mut at = self.unread.end;
            if self.buffer.len() - at < ROOM_BYTES {
                self.buffer.copy_within(at - WINDOW_BYTES..at, 0);
                at = WINDOW_BYTES;
            }
            let (written, is_done) = member.decompress(&mut self.compressed, &mut self.buffer, at)?;
            self.unread = at..at + written;
            if is_done {
                member.end(&mut self.compressed)?;
                self.member = None;
            }
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.end.min(self.unread.start + count);
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// A member's header, as it is read.
struct Header<'a, R> {
    compressed: &'a mut R,
    checksum: Crc,
}

impl<R: BufRead> Header<'_, R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = read_bytes(self.compressed)?;
        self.checksum.update(&bytes);
        Ok(bytes)
    }
}

fn read_bytes<const N: usize>(compressed: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    compressed.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut(),
        _ => error,
    })?;
    Ok(bytes)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early")
}

fn damaged(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(content: &[u8], level: u32) -> Vec<u8> {
        gzip_with(GzBuilder::new(), content, level)
    }

    fn gzip_with(header: GzBuilder, content: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = header.write(Vec::new(), Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// What it decompresses to, arriving in pieces of so many bytes.
    fn read_in(piece: usize, compressed: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        GzipReader::new(BufReader::with_capacity(piece, compressed)).read_to_end(&mut content)?;
        Ok(content)
    }

    /// It is as another decoder has it, or an error for both, however it arrives.
    fn check(compressed: &[u8]) -> Option<Vec<u8>> {
        let mut expected = Vec::new();
        let expected = MultiGzDecoder::new(compressed).read_to_end(&mut expected).is_ok().then_some(expected);
        let least = if compressed.len() > 4096 { 64 } else { 1 };
        for piece in [1, 2, 3, 5, 7, 8, 9, 13, 64, 4096, 1 << 20].into_iter().filter(|piece| *piece >= least) {
            assert_eq!(read_in(piece, compressed).ok(), expected, "in pieces of {piece}");
        }
        expected
    }

    /// Bytes that repeat themselves near and far.
    fn text(bytes: usize) -> Vec<u8> {
        (0..bytes as u64).map(|at| (at.wrapping_mul(at / 7) >> (at / 30_000 % 9)) as u8).collect()
    }

    #[test]
    fn contents_longer_than_window_and_buffer_are_whole() {
        for bytes in [0, 1, WINDOW_BYTES, PIECE_BYTES + 1, 3 * (WINDOW_BYTES + PIECE_BYTES)] {
            for level in [0, 1, 6, 9] {
                let content = text(bytes);
                assert!(check(&gzip(&content, level)).unwrap() == content, "{bytes} bytes, level {level}");
            }
        }
    }

    #[test]
    fn members_follow_one_another() {
        // An empty one is two bytes, then eight that are zero.
        for contents in [&[0, 0][..], &[0, 5, 0, 0, 1], &[70_000, 300_000, 0, 3], &[1, 1, 1]] {
            for level in [0, 6] {
                let compressed: Vec<u8> = contents.iter().flat_map(|bytes| gzip(&text(*bytes), level)).collect();
                let expected: Vec<u8> = contents.iter().flat_map(|bytes| text(*bytes)).collect();
                assert_eq!(check(&compressed), Some(expected), "{contents:?}");
                for end in 0..compressed.len().min(60) {
                    check(&compressed[..compressed.len() - end]);
                }
                for tail in [&b"x"[..], b"\0", b"\0\0\0\0", &MEMBER] {
                    assert_eq!(check(&[&compressed[..], tail].concat()), None, "{contents:?}, then {tail:?}");
                }
            }
        }
    }

    #[test]
    fn a_member_does_not_look_back_into_the_one_before() {
        // 300 bytes from 300 back, which only the first member has.
        let mut encoder = flate2::Compress::new(Compression::new(9), false);
        encoder.set_dictionary(&text(300)).unwrap();
        let mut deflated = Vec::with_capacity(1000);
        encoder.compress_vec(&text(300), &mut deflated, flate2::FlushCompress::Finish).unwrap();
        let plain = gzip(&text(300), 9);
        let (header, trailer) = (&plain[..10], &plain[plain.len() - TRAILER_BYTES..]);
        let second = [header, &deflated, trailer].concat();
        assert!(second.len() < plain.len() && check(&second).is_none() && check(&[plain, second].concat()).is_none());
    }

    #[test]
    fn headers_have_parts_that_are_skipped() {
        let whole = || GzBuilder::new().filename("package.tar").comment("c").extra(vec![0, 1, 2]).mtime(7);
        let compressed = gzip_with(whole(), b"content", 6);
        assert_eq!(check(&compressed).unwrap(), b"content");
        let body = 10 + 2 + 3 + "package.tar".len() + 1 + "c".len() + 1;
        for end in 0..body {
            assert_eq!(read_in(4, &compressed[..end]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{end}");
        }
        let mut crc = Crc::new();
        let mut summed = compressed[..body].to_vec();
        summed[3] |= flag::HEADER_CHECKSUM;
        crc.update(&summed);
        for wrong in [0, 1] {
            let sum = (crc.sum() as u16 ^ wrong).to_le_bytes();
            let content = check(&[&summed[..], &sum, &compressed[body..]].concat());
            assert_eq!(content.is_some(), wrong == 0);
        }
        for (at, value) in [(0, 0x1e), (1, 0x8a), (2, 7), (3, 0x20), (3, 0x80)] {
            let mut bad = gzip(b"content", 6);
            bad[at] = value;
            assert_eq!(check(&bad), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_another_decoder_gives(
            members in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..300), 0_u32..10), 1..4),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            tail in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut compressed: Vec<u8> = members.iter().flat_map(|(content, level)| gzip(content, *level)).collect();
            for (at, byte) in changes {
                let at = at.index(compressed.len());
                compressed[at] = byte;
            }
            compressed.extend(tail);
            check(&compressed);
        }
    }
}
