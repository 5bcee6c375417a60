//! `atob` and `btoa` (HTML, "Base64 utility methods"; Infra Standard, "forgiving-base64").

use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/base64",
    source: include_str!("api.js"),
    natives: natives! { "decode" => decode, "encode" => encode },
    globals: &[Global::eager("atob"), Global::eager("btoa")],
};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NOT_A_DIGIT: u8 = 0xff;

/// Value of each byte as a base64 digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NOT_A_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// `decode(text)`: a string whose characters are the bytes.
fn decode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    let bytes = forgiving_decode(text.as_bytes())
        .ok_or_else(|| JsError::dom("InvalidCharacterError", "The string to be decoded is not correctly encoded."))?;
    Ok(Value::String(bytes.into_iter().map(char::from).collect()))
}

/// `encode(text)`: base64 of a string whose characters are bytes.
fn encode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    let bytes: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(character).ok()).collect();
    let bytes = bytes.ok_or_else(|| {
        JsError::dom(
            "InvalidCharacterError",
            "The string to be encoded contains characters outside of the Latin1 range.",
        )
    })?;
    Ok(Value::String(encoded(&bytes)))
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let digit = (word >> (18 - 6 * position)) & 0x3f;
            text.push(if position <= group.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

/// Skips ASCII white space; padding may be missing, and bits after the last byte may be anything.
fn forgiving_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> =
        text.iter().copied().filter(|byte| !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')).collect();
    if digits.len().is_multiple_of(4) {
        for _ in 0..2 {
            if digits.last() == Some(&b'=') {
                digits.pop();
            }
        }
    }
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            let value = DIGITS[usize::from(*digit)];
            if value == NOT_A_DIGIT {
                return None;
            }
            word = word << 6 | u32::from(value);
        }
        word <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lengths_come_back() {
        for length in 0..200_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(151)).collect();
            assert_eq!(forgiving_decode(encoded(&bytes).as_bytes()), Some(bytes));
        }
        assert_eq!(encoded(b"\xff\xfe\xfd\xfc"), "//79/A==");
    }

    #[test]
    fn forgiving_but_not_too_much() {
        for good in ["YQ==", "YQ", " Y\tQ\n=\r=\x0c", "YR"] {
            assert_eq!(forgiving_decode(good.as_bytes()).as_deref(), Some(&b"a"[..]), "{good}");
        }
        for bad in ["Y", "YQ=", "YQ===", "Y=Q=", "=", "====", "YWJj=", "YW-_", "YQ\u{b}=="] {
            assert_eq!(forgiving_decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
