//! `node:buffer`: the encodings, comparison and search are native, over the Buffer's own memory.
mod base64;

use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use std::cmp::Ordering;
use std::ops::Range;

/// `node:buffer` and the global `Buffer`.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "node:buffer",
    source: include_str!("api.js"),
    natives: natives! {},
    globals: &[Global::lazy("Buffer")],
};

/// Strings and search.
pub(crate) const ENCODINGS: Builtin = Builtin {
    name: "node/internal/buffer/encodings",
    source: include_str!("encodings.js"),
    natives: natives! {
        "utf8Slice" => utf8_slice,
        "asciiSlice" => ascii_slice,
        "latin1Slice" => latin1_slice,
        "hexSlice" => hex_slice,
        "base64Slice" => base64_slice,
        "base64urlSlice" => base64url_slice,
        "utf8Write" => utf8_write,
        "latin1Write" => latin1_write,
        "hexWrite" => hex_write,
        "base64Write" => base64_write,
        "utf8Length" => utf8_length,
        "compare" => compare,
        "indexOf" => index_of,
        "isUtf8" => is_utf8,
        "isAscii" => is_ascii,
    },
    globals: &[],
};

/// Comparing, searching, filling.
pub(crate) const BYTES: Builtin = Builtin {
    name: "node/internal/buffer/bytes",
    source: include_str!("bytes.js"),
    natives: natives! {},
    globals: &[],
};

/// Numbers.
pub(crate) const NUMBERS: Builtin = Builtin {
    name: "node/internal/buffer/numbers",
    source: include_str!("numbers.js"),
    natives: natives! {},
    globals: &[],
};

/// `(bytes, start, end)` → what `read` makes of that range, cut to the bytes that are there.
fn slice(call: &mut Call<'_, '_, '_>, read: impl FnOnce(&[u8]) -> String) -> NativeResult {
    let start = call.u64(1)?;
    let end = call.u64(2)?;
    let text = call.with_bytes(0, |bytes| read(&bytes[within(start, end, bytes.len())]))?;
    Ok(Value::String(text))
}

/// `(bytes, text, offset, length)` → the count of bytes that `write` put into that range.
fn write(call: &mut Call<'_, '_, '_>, write: impl FnOnce(&str, &mut [u8]) -> usize) -> NativeResult {
    let text = call.string(1)?;
    let offset = call.u64(2)?;
    let end = offset.saturating_add(call.u64(3)?);
    let written = call.with_bytes_mut(0, |bytes| {
        let range = within(offset, end, bytes.len());
        write(&text, &mut bytes[range])
    })?;
    Ok(number(written))
}

fn within(start: u64, end: u64, length: usize) -> Range<usize> {
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(length);
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(end);
    start..end
}

fn number(count: usize) -> Value {
    Value::Number(count as f64)
}

fn utf8_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    slice(call, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Seven bits of each byte.
fn ascii_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    slice(call, |bytes| base64::ascii(bytes.iter().map(|byte| byte & 0x7f).collect()))
}

fn latin1_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    slice(call, |bytes| match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    })
}

fn hex_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    slice(call, |bytes| {
        let mut text = Vec::with_capacity(bytes.len() * 2);
        for byte in bytes {
            text.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        base64::ascii(text)
    })
}

fn base64_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    slice(call, base64::encode)
}

fn base64url_slice(call: &mut Call<'_, '_, '_>) -> NativeResult {
    slice(call, base64::encode_url)
}

/// Writes whole characters only.
fn utf8_write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    write(call, |text, target| {
        let count = text.floor_char_boundary(target.len());
        target[..count].copy_from_slice(&text.as_bytes()[..count]);
        count
    })
}

/// The low byte of each UTF-16 code unit.
fn latin1_write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    write(call, |text, target| {
        let mut written = 0;
        for (slot, unit) in target.iter_mut().zip(text.encode_utf16()) {
            *slot = unit as u8;
            written += 1;
        }
        written
    })
}

/// Stops at the first pair that is not hexadecimal.
fn hex_write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    write(call, |text, target| {
        let mut written = 0;
        for (slot, pair) in target.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (hex_digit(pair[0]), hex_digit(pair[1])) else { break };
            *slot = high << 4 | low;
            written += 1;
        }
        written
    })
}

fn hex_digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn base64_write(call: &mut Call<'_, '_, '_>) -> NativeResult {
    write(call, base64::decode)
}

/// `(text)` → its length in UTF-8; a lone surrogate counts as U+FFFD, three bytes.
fn utf8_length(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    Ok(number(text.len()))
}

/// `(a, b)` → -1, 0 or 1.
fn compare(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let second = call.bytes(1)?;
    let order = call.with_bytes(0, |first| first.cmp(second.as_slice()))?;
    Ok(Value::Number(match order {
        Ordering::Less => -1.0,
        Ordering::Equal => 0.0,
        Ordering::Greater => 1.0,
    }))
}

/// `(bytes, needle, start, forward, step)` → index of the first match at or after `start`, or of the last at or before
/// it; -1 without one. With step 2, whole UTF-16 code units are compared, from even indices.
fn index_of(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let needle = call.bytes(1)?;
    let start = usize::try_from(call.u64(2)?).unwrap_or(usize::MAX);
    let forward = call.boolean(3);
    let step = call.u32(4)?;
    if needle.is_empty() || !matches!(step, 1 | 2) {
        return Err(JsError::range_error("nothing to search for"));
    }
    let found = call.with_bytes(0, |bytes| find(bytes, &needle, start, forward, step as usize))?;
    Ok(found.map_or(Value::Number(-1.0), number))
}

fn find(bytes: &[u8], needle: &[u8], start: usize, forward: bool, step: usize) -> Option<usize> {
    let last = bytes.len().checked_sub(needle.len())?;
    let aligned = |at: &usize| at.is_multiple_of(step);
    if forward {
        let from = start.min(bytes.len());
        return memchr::memmem::find_iter(&bytes[from..], needle)
            .map(|at| at + from)
            .find(aligned)
            .or_else(|| overlapping(bytes, needle, from..last + 1, step));
    }
    let end = start.min(last) + needle.len();
    let mut end = end.min(bytes.len());
    while let Some(at) = memchr::memmem::rfind(&bytes[..end], needle) {
        if aligned(&at) {
            return Some(at);
        }
        end = at + needle.len() - 1;
    }
    None
}

/// Matches that overlap an unaligned one are passed over by `find_iter`; only needed for code units.
fn overlapping(bytes: &[u8], needle: &[u8], mut starts: Range<usize>, step: usize) -> Option<usize> {
    if step == 1 {
        return None;
    }
    starts.find(|&at| at.is_multiple_of(step) && bytes[at..].starts_with(needle))
}

/// `(bytes)` → whether they are well-formed UTF-8.
fn is_utf8(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.with_bytes(0, |bytes| Value::Bool(std::str::from_utf8(bytes).is_ok()))
}

/// `(bytes)` → whether all are below 128.
fn is_ascii(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.with_bytes(0, |bytes| Value::Bool(bytes.is_ascii()))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_forwards_and_backwards() {
        let bytes = b"abcabc";
        assert_eq!(find(bytes, b"bc", 0, true, 1), Some(1));
        assert_eq!(find(bytes, b"bc", 2, true, 1), Some(4));
        assert_eq!(find(bytes, b"bc", 5, false, 1), Some(4));
        assert_eq!(find(bytes, b"bc", 3, false, 1), Some(1));
        assert_eq!(find(bytes, b"bc", 0, false, 1), None);
        assert_eq!(find(bytes, b"abcabcd", 0, true, 1), None);
    }

    #[test]
    fn code_units_match_at_even_indices_only() {
        // "aa" occurs at 1, 2, 3; whole units start at 2.
        assert_eq!(find(b"xaaaax", b"aa", 0, true, 2), Some(2));
        assert_eq!(find(b"xaax", b"aa", 0, true, 2), None);
        assert_eq!(find(b"xaaaax", b"aa", 5, false, 2), Some(2));
    }
}
