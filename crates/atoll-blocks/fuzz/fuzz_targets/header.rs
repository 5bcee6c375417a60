//! Headers of framed objects: any bytes. What is read is consistent, and is written as it was read.

#![no_main]

use atoll_blocks::frames::{FRAMES_MAX, Header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((header, identity)) = Header::decode(bytes) else { return };
    assert_eq!(header.encode(), bytes[..Header::BYTES]);
    assert_eq!(header.identity(), identity);
    assert_eq!(Header::believe(bytes, identity), Ok(header.clone()));
    assert!(header.frames() <= FRAMES_MAX);
    let full = u64::from(header.frames().saturating_sub(1)) * header.frame_bytes();
    let last = header.frames().checked_sub(1).map_or(0, |frame| header.content_of(frame));
    assert_eq!(full + last, header.content_bytes());
    assert!(header.frames() == 0 || last > 0);
    assert!(header.object_bytes() >= header.frames_begin() + u64::from(header.frames()));
});
