//! `crypto` (Web Cryptography API): random values, digests, HMAC. Other algorithms reject with `NotSupportedError`.

use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// `crypto` and its class.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/crypto",
    source: include_str!("api.js"),
    natives: natives! { "fillRandom" => fill_random },
    globals: &[
        Global::eager("crypto"),
        Global::eager("Crypto"),
        Global::lazy("SubtleCrypto"),
        Global::lazy("CryptoKey"),
    ],
};

/// `crypto.subtle`, evaluated when it is first used.
pub(crate) const SUBTLE: Builtin = Builtin {
    name: "web/crypto/subtle",
    source: include_str!("subtle.js"),
    natives: natives! {
        "digest" => digest,
        "digestInBackground" => digest_in_background,
        "fillRandom" => fill_random,
        "hmac" => hmac,
        "verifyHmac" => verify_hmac,
    },
    globals: &[],
};

/// `fillRandom(view)`.
fn fill_random(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let no_entropy = |_| JsError::dom("OperationError", "the system gives no random bytes");
    call.with_bytes_mut(0, getrandom::fill)?.map_err(no_entropy)?;
    Ok(Value::Undefined)
}

/// The hash functions of the standard, under the standard's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(name: &str) -> Result<Self, JsError> {
        match name {
            "SHA-1" => Ok(Self::Sha1),
            "SHA-256" => Ok(Self::Sha256),
            "SHA-384" => Ok(Self::Sha384),
            "SHA-512" => Ok(Self::Sha512),
            _ => Err(JsError::dom("NotSupportedError", format!("there is no hash function {name}"))),
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            // HMAC takes keys of any length.
            let Ok(mac) = <M as KeyInit>::new_from_slice(key) else { unreachable!("HMAC refused a key") };
            mac.chain_update(data).finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha1 => run::<Hmac<Sha1>>(key, data),
            Self::Sha256 => run::<Hmac<Sha256>>(key, data),
            Self::Sha384 => run::<Hmac<Sha384>>(key, data),
            Self::Sha512 => run::<Hmac<Sha512>>(key, data),
        }
    }
}

/// `digest(hash, data)`.
fn digest(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let hash = Hash::named(&call.string(0)?)?;
    call.with_bytes(1, |data| Ok(Value::Bytes(hash.digest(data))))?
}

/// `digestInBackground(hash, data)`: on another thread, over a copy, so that a large one holds up nobody.
fn digest_in_background(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let hash = Hash::named(&call.string(0)?)?;
    let data = call.bytes(1)?;
    call.spawn(async move {
        let digest = tokio::task::spawn_blocking(move || hash.digest(&data)).await;
        digest.map(Value::Bytes).map_err(|_| JsError::dom("OperationError", "the digest was not computed"))
    })
}

/// `hmac(hash, key, data)`.
fn hmac(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let hash = Hash::named(&call.string(0)?)?;
    let key = call.bytes(1)?;
    call.with_bytes(2, |data| Ok(Value::Bytes(hash.hmac(&key, data))))?
}

/// `verifyHmac(hash, key, data, signature)`: compares in constant time.
fn verify_hmac(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let hash = Hash::named(&call.string(0)?)?;
    let key = call.bytes(1)?;
    let signature = call.bytes(3)?;
    let expected = call.with_bytes(2, |data| hash.hmac(&key, data))?;
    let difference = expected.iter().zip(&signature).fold(0, |difference, (a, b)| difference | (a ^ b));
    Ok(Value::Bool(expected.len() == signature.len() && std::hint::black_box(difference) == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    }

    #[test]
    fn digests() {
        // FIPS 180-4 examples.
        assert_eq!(hex(&Hash::Sha1.digest(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&Hash::Sha256.digest(b"")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Hash::Sha384.digest(b"").len(), 48);
        assert_eq!(Hash::Sha512.digest(b"").len(), 64);
    }

    #[test]
    fn hmacs() {
        // RFC 4231, test case 2.
        assert_eq!(
            hex(&Hash::Sha256.hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // Keys longer than a block are hashed: RFC 4231, test case 6.
        assert_eq!(
            hex(&Hash::Sha256.hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
