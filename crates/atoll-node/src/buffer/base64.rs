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
    text.resize(text.len().next_multiple_of(4), b'=');
    ascii(text)
}

/// URL-safe alphabet, not padded.
pub(super) fn encode_url(bytes: &[u8]) -> String {
    ascii(encode_with(URL, bytes))
}

/// Text that is known to be ASCII.
pub(super) fn ascii(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_default()
}

fn encode_with(alphabet: &[u8; 64], bytes: &[u8]) -> Vec<u8> {
    let digit = |bits: u32| alphabet[(bits & 63) as usize];
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    let mut groups = bytes.chunks_exact(3);
    for group in &mut groups {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        text.extend_from_slice(&[digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]);
    }
    match *groups.remainder() {
        [first] => {
            let bits = u32::from(first);
            text.extend_from_slice(&[digit(bits >> 2), digit(bits << 4)]);
        }
        [first, second] => {
            let bits = u32::from(first) << 8 | u32::from(second);
            text.extend_from_slice(&[digit(bits >> 10), digit(bits >> 4), digit(bits << 2)]);
        }
        _ => {}
    }
    text
}

/// Writes what `text` encodes to the start of `target` until either ends; returns the count of bytes written. An `=`
/// ends the text.
pub(super) fn decode(text: &str, target: &mut [u8]) -> usize {
    let text = text.as_bytes();
    let (read, written) = decode_groups(text, target);
    written + decode_rest(&text[read..], &mut target[written..])
}

/// Whole groups of four characters of the alphabet, as far as they go: (characters read, bytes written).
fn decode_groups(text: &[u8], target: &mut [u8]) -> (usize, usize) {
    let mut groups = 0;
    for (group, slot) in text.chunks_exact(4).zip(target.chunks_exact_mut(3)) {
        let [a, b, c, d] = [group[0], group[1], group[2], group[3]].map(|byte| SEXTETS[usize::from(byte)]);
        if (a | b | c | d) & 0xc0 != 0 {
            break;
        }
        let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        slot.copy_from_slice(&bits.to_be_bytes()[1..]);
        groups += 1;
    }
    (groups * 4, groups * 3)
}

/// Character by character, passing over foreign ones.
fn decode_rest(text: &[u8], target: &mut [u8]) -> usize {
    let mut written = 0;
    let mut bits = 0_u32;
    let mut count = 0_u32;
    for &byte in text {
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
    fn goes_on_after_a_foreign_character_among_whole_groups() {
        let bytes: Vec<u8> = (0..200).collect();
        let mut text = encode(&bytes);
        text.insert(101, '\n');
        assert_eq!(decoded(&text), bytes);
    }

    #[test]
    fn stops_when_the_target_is_full() {
        let mut target = [0; 2];
        assert_eq!(decode("YWJjZGVm", &mut target), 2);
        assert_eq!(&target, b"ab");
    }
}
