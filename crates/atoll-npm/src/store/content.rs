//! What says that a file has the content that was stored: a keyed hash, which this machine alone can make.
//!
//! It is HighwayHash, of 256 bits. An index is believed only with a proof made with the machine's key, so a hash that anybody
//! could make would say nothing more; and this one takes a quarter of BLAKE3's time where there is no AVX-512.

use std::fmt;

use highway::{HighwayHash, HighwayHasher, Key};

/// Length of a content's hash.
pub(crate) const CONTENT_BYTES: usize = 32;

/// What hashes are made with.
#[derive(Clone, Copy)]
pub(super) struct ContentKey(Key);

impl ContentKey {
    pub(super) fn new(secret: [u8; CONTENT_BYTES]) -> Self {
        let (words, _) = secret.as_chunks::<8>();
        let mut key = [0; 4];
        for (key, word) in key.iter_mut().zip(words) {
            *key = u64::from_le_bytes(*word);
        }
        Self(Key(key))
    }

    pub(super) fn hasher(&self) -> ContentHasher {
        ContentHasher(HighwayHasher::new(self.0))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContentKey(…)")
    }
}

/// Hashes a content as it comes.
pub(super) struct ContentHasher(HighwayHasher);

impl ContentHasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.append(bytes);
    }

    pub(super) fn finish(self) -> [u8; CONTENT_BYTES] {
        let mut content = [0; CONTENT_BYTES];
        let (bytes, _) = content.as_chunks_mut::<8>();
        for (bytes, word) in bytes.iter_mut().zip(self.0.finalize256()) {
            *bytes = word.to_le_bytes();
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(secret: u8, pieces: &[&[u8]]) -> [u8; CONTENT_BYTES] {
        let mut hasher = ContentKey::new([secret; CONTENT_BYTES]).hasher();
        for piece in pieces {
            hasher.update(piece);
        }
        hasher.finish()
    }

    /// The first vectors of the reference implementation's test (google/highwayhash, `highwayhash_test.cc`), as words.
    #[test]
    fn it_is_the_hash_of_the_reference() {
        let expected: [[u64; 4]; 3] = [
            [0xdd44_482a_c2c8_74f5, 0xd946_0173_13c7_351f, 0xb3ae_becc_b987_14ff, 0x41da_2331_4575_1df4],
            [0xedb9_41bc_e45f_8254, 0xe20d_44ef_3dca_c60f, 0x7265_1b9b_cb32_4a47, 0x2073_624c_b275_e484],
            [0x3fdf_f9df_24af_e454, 0x11c4_bf1a_1b0a_e873, 0x1151_69cc_6922_597a, 0x1208_f659_0d33_b42c],
        ];
        let counting: [u8; CONTENT_BYTES] = std::array::from_fn(|index| index as u8);
        for (length, expected) in expected.into_iter().enumerate() {
            let mut hasher = ContentKey::new(counting).hasher();
            hasher.update(&counting[..length]);
            assert_eq!(hasher.finish().as_chunks::<8>().0, expected.map(u64::to_le_bytes), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_and_key_and_bytes_do(
            content in proptest::collection::vec(any::<u8>(), 1..300),
            cut in any::<prop::sample::Index>(),
            changed in any::<prop::sample::Index>(),
        ) {
            let (first, rest) = content.split_at(cut.index(content.len()));
            prop_assert_eq!(hash(1, &[first, rest]), hash(1, &[&content]));
            prop_assert_ne!(hash(2, &[&content]), hash(1, &[&content]));
            prop_assert_ne!(hash(1, &[&content[1..]]), hash(1, &[&content]));
            let mut other = content.clone();
            other[changed.index(content.len())] ^= 1;
            prop_assert_ne!(hash(1, &[&other]), hash(1, &[&content]));
        }
    }
}
