//! Traces: any bytes, and any runs as if the digest had been right. What is read names each frame once, is written as it was
//! read, and can be merged with itself.

#![no_main]

use atoll_blocks::reader::Trace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (is_sealed, bytes) = input;
    let mut bytes = bytes.to_vec();
    if is_sealed {
        bytes = [b"atolltr1", &bytes[..]].concat();
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
    }
    let Ok(trace) = Trace::decode(&bytes) else { return };
    assert_eq!(trace.encode(), bytes);
    let mut frames = trace.frames().to_vec();
    frames.sort_unstable();
    assert!(frames.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(Trace::merge(&[trace.clone(), trace.clone()]), Ok(trace));
});
