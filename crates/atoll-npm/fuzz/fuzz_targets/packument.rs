//! Package documents as a registry may send them: anything at all.
//!
//! What is read must be readable in every part, and say of every version what its key says.

#![no_main]

use atoll_npm::{integrity::Integrity, packument::Packument};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(packument) = Packument::parse("fuzzed", bytes.to_vec()) else { return };
    for name in packument.version_names() {
        let Some(version) = packument.version(name) else { continue };
        assert_eq!(version.version, name);
        if let Some(integrity) = version.dist.integrity()
            && let Ok(integrity) = Integrity::parse(&integrity)
        {
            let again = Integrity::parse(&integrity.to_string()).expect("what was printed can be parsed");
            assert_eq!(again, integrity);
        }
    }
});
