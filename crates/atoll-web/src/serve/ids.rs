//! A map by exchange id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Exchanges by their ids. The host alone gives ids, one after the other, so nobody can choose colliding ones, and a
/// multiplication spreads them.
pub(super) type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// 2⁶⁴ divided by the golden ratio, odd: Knuth's multiplicative hashing (TAOCP 3, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(MULTIPLIER);
    }
}
