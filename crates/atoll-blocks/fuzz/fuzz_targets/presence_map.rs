//! Presence maps: any bytes, any number of frames. What is believed is within the object, and is written as it was
//! read.

#![no_main]

use atoll_blocks::cache::PresenceMap;
use atoll_blocks::frames::Identity;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, [u8; 32], bool, &[u8])| {
    let (frames, identity, is_sealed, bytes) = input;
    let (frames, identity) = (frames % 100_000, Identity(identity));
    let mut bytes = bytes.to_vec();
    if is_sealed {
        // As if a process had written these bits: through a map that has them.
        let map = PresenceMap::new(frames);
        for (index, byte) in bytes.iter().enumerate() {
            let frame = (index as u32).wrapping_mul(2_654_435_761) % frames.max(1);
            if byte & 1 != 0 && frame < frames {
                map.insert(frame..frame + 1);
            }
        }
        bytes = (0..map.pages()).flat_map(|page| map.encode_page(page, identity)).collect();
    }
    let map = PresenceMap::decode(&bytes, frames, identity);
    assert!(map.count(0..frames) <= frames);
    for page in 0..map.pages() {
        let written = map.encode_page(page, identity);
        let begin = page as usize * PresenceMap::PAGE_BYTES;
        let read = bytes.get(begin..begin + PresenceMap::PAGE_BYTES);
        let is_believed = read == Some(&written[..]);
        assert!(is_believed || !is_sealed);
        let again = PresenceMap::decode(&written, frames.min(32_512), identity);
        assert!(page != 0 || frames > 32_512 || again.count(0..frames) == map.count(0..frames));
    }
});
