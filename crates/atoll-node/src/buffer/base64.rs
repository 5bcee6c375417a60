//! Base64 as Node reads and writes it: both alphabets are read alike, foreign characters are skipped.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const FOREIGN: u8 = 0xff;

/// Six bits for each character of either alphabet.
const SEXTETS: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let mut index = 0;
    while index < 64 {
        table[STANDARD[index] as usize] = index as u8;
        table[URL[index] as usize] = index as u8;
        index += 1;
    }
    table
};

/// Standard alphabet, padded.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = encode_with(STANDARD, bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// URL-safe alphabet, not padded.
pub(super) fn encode_url(bytes: &[u8]) -> String {
    encode_with(URL, bytes)
}

fn encode_with(alphabet: &[u8; 64], bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    let mut push = |sextet: u32| text.push(char::from(alphabet[(sextet & 63) as usize]));
    let mut groups = bytes.chunks_exact(3);
    for group in &mut groups {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        push(bits >> 18);
        push(bits >> 12);
        push(bits >> 6);
        push(bits);
    }
    match *groups.remainder() {
        [first] => {
            push(u32::from(first) >> 2);
            push(u32::from(first) << 4);
        }
        [first, second] => {
            let bits = u32::from(first) << 8 | u32::from(second);
            push(bits >> 10);
            push(bits >> 4);
            push(bits << 2);
        }
        _ => {}
    }
    text
}

/// Writes what `text` encodes to the start of `target` until either ends; returns the count of bytes written. An `=`
/// ends the text.
pub(super) fn decode(text: &str, target: &mut [u8]) -> usize {
    let mut written = 0;
    let mut bits = 0_u32;
    let mut count = 0_u32;
    for &byte in text.as_bytes() {
        if byte == b'=' {
            break;
        }
        let sextet = SEXTETS[usize::from(byte)];
        if sextet == FOREIGN {
            continue;
        }
        bits = bits << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            let Some(slot) = target.get_mut(written) else { break };
            count -= 8;
            *slot = (bits >> count) as u8;
            written += 1;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        let mut bytes = vec![0; text.len()];
        let written = decode(text, &mut bytes);
        bytes.truncate(written);
        bytes
    }

    #[test]
    fn encodes_every_remainder() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(b"a"), "YQ==");
        assert_eq!(encode(b"ab"), "YWI=");
        assert_eq!(encode(b"abc"), "YWJj");
        assert_eq!(encode_url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn decodes_what_it_encodes() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encode(&bytes)), bytes);
        assert_eq!(decoded(&encode_url(&bytes)), bytes);
    }

    #[test]
    fn skips_foreign_characters_and_stops_at_padding() {
        assert_eq!(decoded("YW J\nj\u{e9}"), b"abc");
        assert_eq!(decoded("YQ==YQ=="), b"a");
        assert_eq!(decoded("Y"), b"");
    }

    #[test]
    fn stops_when_the_target_is_full() {
        let mut target = [0; 2];
        assert_eq!(decode("YWJjZGVm", &mut target), 2);
        assert_eq!(&target, b"ab");
    }
}
