//! Framed objects: what is packed comes back, and nothing else does.

use atoll_blocks::frames::{
    FRAMES_MAX, FrameError, FrameTable, Header, HeaderError, Identity, PackError, Packing, TableError, pack,
};
use proptest::prelude::*;
use std::io::Cursor;

/// Content of which some frames can be compressed, and others can't.
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = seed | 1;
    let mut content = vec![0; bytes];
    for (index, byte) in content.iter_mut().enumerate() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let is_noise = (index >> 12) % 3 == 0;
        *byte = if is_noise { (random >> 33) as u8 } else { (index >> 4) as u8 & 15 };
    }
    content
}

fn packed(content: &[u8], packing: Packing) -> (Vec<u8>, Header) {
    let mut object = Cursor::new(Vec::new());
    let header = pack(&mut &content[..], content.len() as u64, packing, &mut object).unwrap();
    (object.into_inner(), header)
}

fn table_range(header: &Header) -> std::ops::Range<usize> {
    Header::BYTES..Header::BYTES + header.table_bytes()
}

/// Reads all of an object, as who knows its identity only.
fn unpack(object: &[u8], identity: Identity) -> Vec<u8> {
    let header = Header::believe(object, identity).unwrap();
    assert_eq!(header.object_bytes(), object.len() as u64);
    let table = FrameTable::believe(&header, &object[table_range(&header)]).unwrap();
    let layout = table.layout(4 << 20);
    let mut content = Vec::new();
    for frame in 0..header.frames() {
        let stored = &object[layout.offset(frame) as usize..layout.offset(frame + 1) as usize];
        let mut part = vec![0; header.content_of(frame) as usize];
        table.open(frame, stored, &mut part).unwrap();
        content.extend(part);
    }
    content
}

#[test]
fn what_is_packed_comes_back() {
    for bytes in [0, 1, 4095, 4096, 4097, 100_000, 3 << 17] {
        for level in [None, Some(3), Some(-1)] {
            for frame_bits in [12, 17, 20] {
                let content = content(bytes, 7);
                let (object, header) = packed(&content, Packing { frame_bits, level });
                assert!(unpack(&object, header.identity()) == content, "{bytes} {level:?} {frame_bits}");
                assert_eq!(packed(&content, Packing { frame_bits, level }).0, object, "packed twice");
            }
        }
    }
}

#[test]
fn compression_is_used_where_it_helps() {
    let content = content(1 << 20, 7);
    let raw = packed(&content, Packing { frame_bits: 12, level: None }).0.len();
    let compressed = packed(&content, Packing { frame_bits: 12, level: Some(3) }).0.len();
    assert!(compressed < raw * 2 / 5, "{compressed} of {raw}");
}

#[test]
fn content_that_ends_early_or_is_too_large_is_an_error() {
    let mut object = Cursor::new(Vec::new());
    let short = pack(&mut &[0; 10][..], 11, Packing::default(), &mut object);
    assert!(matches!(short, Err(PackError::Read(_))));
    let long = pack(&mut std::io::repeat(0), u64::from(FRAMES_MAX) << 17 | 1, Packing::default(), &mut object);
    assert!(matches!(long, Err(PackError::Header(HeaderError::TooManyFrames))));
    let odd = pack(&mut std::io::repeat(0), 1, Packing { frame_bits: 21, level: None }, &mut object);
    assert!(matches!(odd, Err(PackError::Header(HeaderError::FrameBits(21)))));
}

/// What a header with these changes is.
fn changed(change: impl FnOnce(&mut [u8])) -> Result<(Header, Identity), HeaderError> {
    let mut object = packed(&content(100_000, 1), Packing { frame_bits: 12, level: None }).0;
    change(&mut object);
    Header::decode(&object)
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let number =
        |at: usize, number: u64| move |bytes: &mut [u8]| bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    assert!(changed(|_| ()).is_ok());
    assert_eq!(changed(|bytes| bytes[0] ^= 1).unwrap_err(), HeaderError::Magic);
    assert_eq!(changed(|bytes| bytes[8] = 11).unwrap_err(), HeaderError::FrameBits(11));
    assert_eq!(changed(|bytes| bytes[8] = 255).unwrap_err(), HeaderError::FrameBits(255));
    assert_eq!(changed(|bytes| bytes[9] = 1).unwrap_err(), HeaderError::Reserved);
    assert_eq!(changed(|bytes| bytes[127] = 1).unwrap_err(), HeaderError::Reserved);
    assert_eq!(changed(number(16, u64::MAX)).unwrap_err(), HeaderError::TooManyFrames);
    assert_eq!(changed(number(16, 99_999)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(changed(number(16, 200_000)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(changed(number(24, 100_001)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(changed(number(24, 24)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(changed(number(32, 26)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(changed(number(32, 0x1_0000_0019)).unwrap_err(), HeaderError::Sizes);
    assert_eq!(Header::decode(&[0; 127]).unwrap_err(), HeaderError::Truncated { found: 127 });
}

#[test]
fn tables_that_contradict_their_header_are_refused() {
    let (object, header) = packed(&content(100_000, 1), Packing { frame_bits: 12, level: Some(3) });
    let bytes = &object[table_range(&header)];
    assert!(FrameTable::believe(&header, bytes).is_ok());
    let entry = |frame: usize, length: u32| {
        let mut bytes = bytes.to_vec();
        bytes[frame * 36..frame * 36 + 4].copy_from_slice(&length.to_le_bytes());
        assert_eq!(FrameTable::believe(&header, &bytes).unwrap_err(), TableError::Digest);
        FrameTable::decode(&header, &bytes).unwrap_err()
    };
    let compressed = 1 << 31;
    for length in [0, 4095, 4097, compressed, compressed | 4096, u32::MAX] {
        let found = entry(1, length);
        let expected = TableError::FrameLength { frame: 1, content_bytes: 4096, stored_bytes: length & !compressed };
        assert_eq!(found, expected);
    }
    // The last frame is shorter.
    assert!(matches!(entry(24, 4096), TableError::FrameLength { frame: 24, content_bytes: 1696, .. }));
    assert!(matches!(entry(1, compressed | 4095), TableError::Sum { .. }));
    let short = FrameTable::believe(&header, &bytes[1..]).unwrap_err();
    assert_eq!(short, TableError::Length { expected: 900, found: 899 });
    assert!(matches!(FrameTable::decode(&header, &bytes[36..]).unwrap_err(), TableError::Length { .. }));
}

#[test]
fn a_frame_that_was_stored_so_but_is_no_content_is_an_error() {
    // The digests are right: who made the object did it.
    let mut object = packed(&[0; 8192], Packing { frame_bits: 12, level: Some(3) }).0;
    let (header, _) = Header::decode(&object).unwrap();
    let begin = header.frames_begin() as usize;
    let stored = object[begin..].len() / 2;
    object[begin..begin + stored].copy_from_slice(&vec![7; stored]);
    let digest = *blake3::hash(&object[begin..begin + stored]).as_bytes();
    object[Header::BYTES + 4..Header::BYTES + 36].copy_from_slice(&digest);
    let table = FrameTable::decode(&header, &object[table_range(&header)]).unwrap();
    let found = table.open(0, &object[begin..begin + stored], &mut [0; 4096]);
    assert_eq!(found, Err(FrameError::Content(0)));
    assert_eq!(table.open(1, &object[begin + stored..], &mut [0; 4096]), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_byte_is_believed(at in any::<prop::sample::Index>(), flip in 1..=255_u8, level in prop::option::of(Just(3))) {
        let content = content(40_000, 3);
        let (mut object, header) = packed(&content, Packing { frame_bits: 12, level });
        let identity = header.identity();
        let at = at.index(object.len());
        object[at] ^= flip;
        if at < Header::BYTES {
            prop_assert!(Header::believe(&object, identity).is_err());
        } else if at < header.frames_begin() as usize {
            prop_assert_eq!(
                FrameTable::believe(&header, &object[table_range(&header)]).unwrap_err(), TableError::Digest
            );
        } else {
            let table = FrameTable::believe(&header, &object[table_range(&header)]).unwrap();
            let layout = table.layout(4 << 20);
            let frame = layout.complete_before(at as u64, header.frames());
            let stored = &object[layout.offset(frame) as usize..layout.offset(frame + 1) as usize];
            let mut content = vec![0; header.content_of(frame) as usize];
            prop_assert_eq!(table.open(frame, stored, &mut content), Err(FrameError::Digest(frame)));
            prop_assert!(content.iter().all(|byte| *byte == 0), "nothing of it comes through");
        }
    }
}
