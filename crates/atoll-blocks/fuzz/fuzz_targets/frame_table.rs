//! Headers, tables and frames: any bytes, as if the digests of header and table had been right.
//!
//! What is read has frames that lie one after another, within the object; and a frame that is not right gives no
//! content.

#![no_main]

use atoll_blocks::frames::{FrameTable, Header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((header, _)) = Header::decode(bytes) else { return };
    let rest = &bytes[Header::BYTES..];
    // A table that does not fit was said to be longer than it is.
    let table = &rest[..header.table_bytes().min(rest.len())];
    let Ok(table) = FrameTable::decode(&header, table) else { return };
    let layout = table.layout(4 << 20);
    assert_eq!(layout.frames(), header.frames());
    assert_eq!(layout.offset(0), header.frames_begin());
    assert_eq!(layout.offset(header.frames()), header.object_bytes());
    for frame in 0..header.frames() {
        let (begin, end) = (layout.offset(frame), layout.offset(frame + 1));
        assert!(begin < end && end - begin <= header.content_of(frame));
        assert_eq!(layout.complete_before(begin, header.frames()), frame);
        if let Some(stored) = bytes.get(begin as usize..end as usize) {
            let mut content = vec![0; header.content_of(frame) as usize];
            let _ = table.open(frame, stored, &mut content);
        }
    }
});
