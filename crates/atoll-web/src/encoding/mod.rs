//! TextEncoder, TextDecoder and their streams (Encoding Standard).
//!
//! UTF-8, by far the most used, keeps no state here: what is left of a cut sequence between two calls is a few bytes that
//! the JavaScript object holds. Decoders of the other encodings do keep state; those that are streaming live in
//! [`EncodingState`].

mod utf8;

use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/encoding",
    source: include_str!("api.js"),
    natives: natives! {
        "encode" => utf8::encode,
        "encodeInto" => utf8::encode_into,
        "decodeUtf8" => utf8::decode,
        "decodeUtf8Part" => utf8::decode_part,
        "lookUp" => look_up,
        "decode" => decode,
        "open" => open,
        "decodePart" => decode_part,
        "close" => close,
    },
    globals: &[Global::eager("TextEncoder"), Global::eager("TextDecoder")],
};

/// TextEncoderStream and TextDecoderStream, which need streams.
pub(crate) const STREAMS: Builtin = Builtin {
    name: "web/encoding/streams",
    source: include_str!("streams.js"),
    natives: &[],
    globals: &[Global::lazy("TextEncoderStream"), Global::lazy("TextDecoderStream")],
};

/// Streaming decoders that a worker may have open at once: each is a few hundred bytes, and a guest that abandons them
/// gives them back only when its objects are collected.
const MAX_OPEN_DECODERS: usize = 4096;

/// Decoders in the middle of a stream. State of a worker.
#[derive(Default)]
pub struct EncodingState {
    open: HashMap<u64, Decoder>,
}

/// The number of the process's last decoder. Workers share it: an abandoned one is closed when it is collected, by its
/// isolate, and that may be in the turn of another of the isolate's workers.
static LAST_ID: AtomicU64 = AtomicU64::new(0);

impl std::fmt::Debug for EncodingState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EncodingState").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// `lookUp(label)`: the encoding's name in lower case; `undefined` where there is no decoder for the label.
fn look_up(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let label = call.string(0)?;
    let encoding = Encoding::for_label_no_replacement(label.as_bytes());
    Ok(encoding.map_or(Value::Undefined, |encoding| Value::String(encoding.name().to_ascii_lowercase())))
}

/// `decode(encoding, bytes, fatal, ignoreBom)`: all at once.
fn decode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let mut decoder = new_decoder(call, 3)?;
    let fatal = call.boolean(2);
    call.with_bytes(1, |bytes| run(&mut decoder, bytes, fatal, true))?.map(Value::String)
}

/// `open(encoding, ignoreBom)`: the number of a new streaming decoder.
fn open(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let decoder = new_decoder(call, 1)?;
    let state = state(call)?;
    if state.open.len() >= MAX_OPEN_DECODERS {
        return Err(JsError::range_error(format!("more than {MAX_OPEN_DECODERS} streaming TextDecoders are open")));
    }
    // Numbers are not reused: an abandoned object's finalizer must not close another's decoder.
    let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
    state.open.insert(id, decoder);
    Ok(Value::Number(id as f64))
}

/// `decodePart(id, bytes, fatal)`: decodes the next part of a stream.
fn decode_part(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let fatal = call.boolean(2);
    let mut decoder = state(call)?.open.remove(&id).ok_or_else(|| JsError::error("the decoder is closed"))?;
    let text = call.with_bytes(1, |bytes| run(&mut decoder, bytes, fatal, false))??;
    state(call)?.open.insert(id, decoder);
    Ok(Value::String(text))
}

/// `close(id, bytes, fatal)`: decodes the end of a stream and forgets its decoder.
fn close(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let fatal = call.boolean(2);
    let Some(mut decoder) = state(call)?.open.remove(&id) else { return Ok(Value::String(String::new())) };
    call.with_bytes(1, |bytes| run(&mut decoder, bytes, fatal, true))?.map(Value::String)
}

fn state<'call>(call: &'call mut Call<'_, '_, '_>) -> Result<&'call mut EncodingState, JsError> {
    call.try_state::<EncodingState>().ok_or_else(|| JsError::error("no decoder can be opened here"))
}

/// A decoder for the encoding named by argument 0; argument `ignore_bom` says whether a byte order mark is text.
fn new_decoder(call: &mut Call<'_, '_, '_>, ignore_bom: usize) -> Result<Decoder, JsError> {
    let name = call.string(0)?;
    let encoding = Encoding::for_label_no_replacement(name.as_bytes()).unwrap_or(UTF_8);
    Ok(if call.boolean(ignore_bom) {
        encoding.new_decoder_without_bom_handling()
    } else {
        encoding.new_decoder_with_bom_removal()
    })
}

fn run(decoder: &mut Decoder, mut bytes: &[u8], fatal: bool, last: bool) -> Result<String, JsError> {
    let mut text = String::new();
    loop {
        let room = if fatal {
            decoder.max_utf8_buffer_length_without_replacement(bytes.len())
        } else {
            decoder.max_utf8_buffer_length(bytes.len())
        };
        text.reserve(room.ok_or_else(|| JsError::range_error("Invalid string length"))?);
        let (finished, read) = if fatal {
            let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, last);
            if matches!(result, DecoderResult::Malformed(..)) {
                return Err(utf8::malformed(decoder.encoding().name()));
            }
            (matches!(result, DecoderResult::InputEmpty), read)
        } else {
            let (result, read, _) = decoder.decode_to_string(bytes, &mut text, last);
            (matches!(result, encoding_rs::CoderResult::InputEmpty), read)
        };
        if finished {
            return Ok(text);
        }
        bytes = &bytes[read..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(label: &str, bytes: &[u8], fatal: bool) -> Option<String> {
        let encoding = Encoding::for_label(label.as_bytes()).expect("a label");
        run(&mut encoding.new_decoder_with_bom_removal(), bytes, fatal, true).ok()
    }

    #[test]
    fn legacy_encodings() {
        assert_eq!(decoded("windows-1252", &[0x80, 0xe4], true).as_deref(), Some("€ä"));
        assert_eq!(decoded("shift_jis", &[0x82, 0xa0], true).as_deref(), Some("あ"));
        assert_eq!(decoded("shift_jis", &[0x82], false).as_deref(), Some("\u{fffd}"));
        assert_eq!(decoded("shift_jis", &[0x82], true), None);
        assert_eq!(decoded("utf-16le", &[0xff, 0xfe, 0x41, 0], true).as_deref(), Some("A"));
        assert_eq!(decoded("utf-16le", &[0x00, 0xd8], false).as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let bytes = [0x82, 0xa0, 0x41, 0x88, 0x9f];
        for cut in 0..=bytes.len() {
            let mut decoder = Encoding::for_label(b"shift_jis").expect("a label").new_decoder_with_bom_removal();
            let mut text = run(&mut decoder, &bytes[..cut], true, false).expect("valid");
            text += &run(&mut decoder, &bytes[cut..], true, true).expect("valid");
            assert_eq!(text, "あA亜");
        }
    }
}
