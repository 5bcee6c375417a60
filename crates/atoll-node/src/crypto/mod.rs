//! `node:crypto`: digests, HMAC, random values, comparison in constant time, and the web's `crypto` under its Node name.
//! Ciphers, key objects, signatures and key derivation are absent.

use atoll_engine::{Builtin, Call, JsError, NativeResult, Value, natives};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// `node:crypto`.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "node:crypto",
    source: include_str!("api.js"),
    natives: natives! {
        "digest" => digest,
        "hmac" => hmac,
        "fillRandom" => fill_random,
        "equal" => equal,
    },
    globals: &[],
};

fn unknown(algorithm: &str) -> JsError {
    JsError::error(format!("Digest method not supported: {algorithm}")).with("code", "ERR_CRYPTO_INVALID_DIGEST")
}

/// `digest(algorithm, bytes)`.
fn digest(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let algorithm = call.string(0)?;
    let digest: fn(&[u8]) -> Vec<u8> = match algorithm.as_str() {
        "md5" => |data| Md5::digest(data).to_vec(),
        "sha1" => |data| Sha1::digest(data).to_vec(),
        "sha224" => |data| Sha224::digest(data).to_vec(),
        "sha256" => |data| Sha256::digest(data).to_vec(),
        "sha384" => |data| Sha384::digest(data).to_vec(),
        "sha512" => |data| Sha512::digest(data).to_vec(),
        _ => return Err(unknown(&algorithm)),
    };
    Ok(Value::Bytes(call.with_bytes(1, digest)?))
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104, section 2), so there is nothing that can fail.
    <M as KeyInit>::new_from_slice(key)
        .map_or_else(|_| Vec::new(), |mac| mac.chain_update(data).finalize().into_bytes().to_vec())
}

/// `hmac(algorithm, key, bytes)`.
fn hmac(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let algorithm = call.string(0)?;
    let key = call.bytes(1)?;
    let sign: fn(&[u8], &[u8]) -> Vec<u8> = match algorithm.as_str() {
        "md5" => mac::<Hmac<Md5>>,
        "sha1" => mac::<Hmac<Sha1>>,
        "sha224" => mac::<Hmac<Sha224>>,
        "sha256" => mac::<Hmac<Sha256>>,
        "sha384" => mac::<Hmac<Sha384>>,
        "sha512" => mac::<Hmac<Sha512>>,
        _ => return Err(unknown(&algorithm)),
    };
    Ok(Value::Bytes(call.with_bytes(2, |data| sign(&key, data))?))
}

/// `fillRandom(view)`.
fn fill_random(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let filled = call.with_bytes_mut(0, getrandom::fill)?;
    filled.map_err(|_| JsError::error("the system gives no random bytes"))?;
    Ok(Value::Undefined)
}

/// `equal(a, b)`: in a time that depends on the length alone, which is the same for both.
fn equal(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let a = call.bytes(0)?;
    let difference = call.with_bytes(1, |b| a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)))?;
    Ok(Value::Bool(std::hint::black_box(difference) == 0))
}
