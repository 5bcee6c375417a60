//! Indexes of packs and of unpacked entries: any bytes, as if the proof over them had been right.
//!
//! What is read has paths that stay inside, each once, and contents that are apart and where the data is.

#![no_main]

use atoll_npm::store::decode_index;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (data_bytes, bytes) = input;
    if let Some(files) = decode_index(bytes, Some(data_bytes)) {
        let mut places: Vec<(u64, u64)> = Vec::new();
        for file in &files {
            let end = file.offset.checked_add(file.bytes).expect("an end");
            assert!(end <= data_bytes);
            places.push((file.offset, end));
        }
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        check_paths(&files);
    }
    if let Some(files) = decode_index(bytes, None) {
        check_paths(&files);
    }
});

fn check_paths(files: &[atoll_npm::store::IndexedFile]) {
    assert!(files.windows(2).all(|pair| pair[0].path < pair[1].path));
    for file in files {
        assert!(!file.path.is_empty() && file.path.len() <= 4096 && !file.path.contains('\0'));
        assert!(file.path.split('/').all(|part| !matches!(part, "" | "." | "..")));
    }
}
