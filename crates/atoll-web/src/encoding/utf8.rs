//! The natives for UTF-8.

use atoll_engine::{Call, JsError, NativeResult, Value};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes in the state that JavaScript holds for a stream: the number of pending bytes, up to three of them, and whether
/// the start of the stream has been decided (1).
const STREAM_STATE_BYTES: usize = 5;
const PENDING: usize = 1;
const STARTED: usize = 4;

/// The error of a fatal decoder.
pub(super) fn malformed(encoding: &str) -> JsError {
    let message = format!("The encoded data was not valid for encoding {}", encoding.to_ascii_lowercase());
    JsError::type_error(message).with("code", "ERR_ENCODING_INVALID_ENCODED_DATA")
}

/// `encode(text)`: UTF-8 bytes; lone surrogates become U+FFFD.
pub(super) fn encode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    Ok(Value::Bytes(text.into_bytes()))
}

/// `encodeInto(text, destination, result)`: writes as many whole characters as fit; `result` is a `Uint32Array` that
/// gets the UTF-16 units read and the bytes written.
pub(super) fn encode_into(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    let (read, written) = call.with_bytes_mut(1, |destination| {
        let written = text.floor_char_boundary(destination.len());
        destination[..written].copy_from_slice(&text.as_bytes()[..written]);
        (text[..written].encode_utf16().count(), written)
    })?;
    call.with_bytes_mut(2, |result| {
        for (slot, count) in result.chunks_exact_mut(size_of::<u32>()).zip([read, written]) {
            slot.copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_ne_bytes());
        }
    })?;
    Ok(Value::Undefined)
}

/// `decodeUtf8(bytes, fatal, ignoreBom)`: all at once.
pub(super) fn decode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (fatal, ignore_bom) = (call.boolean(1), call.boolean(2));
    call.with_bytes(0, |bytes| {
        let text = if ignore_bom { bytes } else { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) };
        to_text(text, fatal)
    })?
    .map(Value::String)
}

/// `decodeUtf8Part(bytes, fatal, ignoreBom, stream, last)`: the next part of a stream; `stream` is a `Uint8Array` of
/// [`STREAM_STATE_BYTES`], all zero at the start, and is so again after the last part or an error.
pub(super) fn decode_part(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (fatal, ignore_bom, last) = (call.boolean(1), call.boolean(2), call.boolean(4));
    let mut stream: [u8; STREAM_STATE_BYTES] =
        call.bytes(3)?.try_into().map_err(|_| JsError::type_error("not a stream state"))?;
    let result = call.with_bytes(0, |bytes| decode_next(bytes, &mut stream, fatal, ignore_bom, last))?;
    if last || result.is_err() {
        stream = [0; STREAM_STATE_BYTES];
    }
    call.with_bytes_mut(3, |kept| kept.copy_from_slice(&stream))?;
    result.map(Value::String)
}

fn decode_next(
    bytes: &[u8],
    stream: &mut [u8; STREAM_STATE_BYTES],
    fatal: bool,
    ignore_bom: bool,
    last: bool,
) -> Result<String, JsError> {
    let pending = usize::from(stream[0]).min(STARTED - PENDING);
    let joined;
    let mut input = bytes;
    if pending > 0 {
        joined = [&stream[PENDING..][..pending], bytes].concat();
        input = &joined;
    }
    if stream[STARTED] == 0 && !ignore_bom {
        if !last && input.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(input) {
            hold(stream, input);
            return Ok(String::new());
        }
        input = input.strip_prefix(BYTE_ORDER_MARK).unwrap_or(input);
    }
    if !input.is_empty() || last {
        stream[STARTED] = 1;
    }
    let (now, later) = input.split_at(if last { input.len() } else { whole_characters(input) });
    hold(stream, later);
    to_text(now, fatal)
}

fn hold(stream: &mut [u8; STREAM_STATE_BYTES], pending: &[u8]) {
    stream[0] = pending.len() as u8;
    stream[PENDING..][..pending.len()].copy_from_slice(pending);
}

/// The length of `input` without a sequence at its end that is valid so far, but not complete.
fn whole_characters(input: &[u8]) -> usize {
    let tail = input.len().saturating_sub(3);
    for start in (tail..input.len()).rev() {
        let wanted = match input[start] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => break,
        };
        // `valid_up_to` 0 without an `error_len`: the end came too early, and nothing else is wrong.
        let cut = input.len() - start < wanted;
        let valid_so_far = std::str::from_utf8(&input[start..]).is_err_and(|error| error.error_len().is_none());
        return if cut && valid_so_far { start } else { input.len() };
    }
    input.len()
}

fn to_text(bytes: &[u8], fatal: bool) -> Result<String, JsError> {
    if fatal {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| malformed("utf-8"))
    } else {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_parts(parts: &[&[u8]], fatal: bool, ignore_bom: bool) -> Option<String> {
        let mut stream = [0; STREAM_STATE_BYTES];
        let mut text = String::new();
        for (index, part) in parts.iter().enumerate() {
            text += &decode_next(part, &mut stream, fatal, ignore_bom, index + 1 == parts.len()).ok()?;
        }
        Some(text)
    }

    #[test]
    fn cut_anywhere_it_decodes_as_in_one_piece() {
        let valid = "\u{feff}aü€😀\u{feff}z".as_bytes();
        let broken = b"\xef\xbb\xf0\x9f\x98a\xe2\x82\xff\xed\xa0\x80\xc0\x80\xf5\xe2\x82";
        for bytes in [valid, &broken[..]] {
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    for ignore_bom in [false, true] {
                        let whole = in_parts(&[bytes], false, ignore_bom);
                        assert_eq!(in_parts(&parts, false, ignore_bom), whole, "{first} {second} {bytes:x?}");
                    }
                    assert_eq!(in_parts(&parts, true, false), in_parts(&[bytes], true, false));
                }
            }
        }
        assert_eq!(in_parts(&[valid], true, false).as_deref(), Some("aü€😀\u{feff}z"));
        assert_eq!(in_parts(&[broken], true, false), None);
    }

    #[test]
    fn the_byte_order_mark_is_removed_once() {
        assert_eq!(in_parts(&[b"\xef", b"\xbb", b"\xbf\xef\xbb\xbfx"], true, false).as_deref(), Some("\u{feff}x"));
        assert_eq!(in_parts(&[b"\xef\xbb"], false, false).as_deref(), Some("\u{fffd}"));
    }
}
