//! Results of compiling, by content: in memory for this process, and wherever the host keeps them for the next.

use super::compile::{Compiled, Form};
use super::exports::CommonJsExports;
use super::source_map::SourceMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Part of every key: another version's entries are never read. Raise it when output or encoding change.
pub(super) const VERSION: &str = "atoll-loader-1 oxc-0.146.0";

/// Compiled code and source maps kept in memory, in bytes; all are forgotten when there are more.
const MAX_MEMORY_BYTES: usize = 64 << 20;

/// The most names that one file may export by analysis, read from the cache or found.
pub(super) const MAX_NAMES: usize = 65_536;

/// Where the results of compiling are kept between processes. What it returns is believed, so it must be authenticated;
/// bytes that are not in the expected form are ignored.
pub trait TextCache: Send + Sync {
    /// The bytes kept under a key, if they are there and are what this machine wrote.
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>>;

    /// Keeps bytes under a key; failures to do so are the cache's own business.
    fn put(&self, key: &[u8; 32], value: &[u8]);
}

/// Compiled files in memory.
#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<MemoryState>,
}

#[derive(Default)]
struct MemoryState {
    entries: HashMap<[u8; 32], Arc<Shared>>,
    bytes: usize,
}

/// A compiled file, in the form in which it is shared.
pub(super) struct Shared {
    pub(super) form: Form,
    pub(super) code: Option<Arc<str>>,
    pub(super) map: Option<Arc<SourceMap>>,
    pub(super) exports: CommonJsExports,
}

impl From<Compiled> for Shared {
    fn from(compiled: Compiled) -> Self {
        Self {
            form: compiled.form,
            code: compiled.code.map(Arc::from),
            map: compiled.map.map(Arc::new),
            exports: compiled.exports,
        }
    }
}

impl Shared {
    fn memory(&self) -> usize {
        let names = self.exports.names.iter().chain(&self.exports.reexports);
        let code = self.code.as_deref().map_or(0, str::len);
        let map = self.map.as_deref().map_or(0, SourceMap::memory);
        size_of::<Self>() + code + map + names.map(|name| name.len() + size_of::<String>()).sum::<usize>()
    }
}

impl Memory {
    pub(super) fn get(&self, key: &[u8; 32]) -> Option<Arc<Shared>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).entries.get(key).cloned()
    }

    pub(super) fn put(&self, key: [u8; 32], shared: Arc<Shared>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = shared.memory();
        if state.bytes + bytes > MAX_MEMORY_BYTES {
            state.entries.clear();
            state.bytes = 0;
        }
        if state.entries.insert(key, shared).is_none() {
            state.bytes += bytes;
        }
    }
}

/// The bytes for the host's cache.
pub(super) fn encode(compiled: &Compiled) -> Vec<u8> {
    let mut out = vec![u8::from(compiled.form == Form::Module)];
    for list in [&compiled.exports.names, &compiled.exports.reexports] {
        put_length(&mut out, list.len());
        for name in list {
            put_text(&mut out, name);
        }
    }
    match &compiled.code {
        None => out.push(0),
        Some(code) => {
            out.push(1);
            put_text(&mut out, code);
        }
    }
    match &compiled.map {
        None => out.push(0),
        Some(map) => {
            out.push(1);
            map.encode(&mut out);
        }
    }
    out
}

/// Reads what [`encode`] wrote for the file at `path`; none when it is anything else.
pub(super) fn decode(path: &str, mut bytes: &[u8]) -> Option<Compiled> {
    let input = &mut bytes;
    let form = if take_flag(input)? { Form::Module } else { Form::CommonJs };
    let names = take_list(input)?;
    let reexports = take_list(input)?;
    let code = if take_flag(input)? { Some(take_text(input)?) } else { None };
    let map = if take_flag(input)? { Some(SourceMap::decode(path, input)?) } else { None };
    input.is_empty().then_some(Compiled { form, code, map, exports: CommonJsExports { names, reexports } })
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn take_flag(input: &mut &[u8]) -> Option<bool> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn take_length(input: &mut &[u8]) -> Option<usize> {
    let (length, rest) = input.split_first_chunk::<4>()?;
    *input = rest;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

fn take_text(input: &mut &[u8]) -> Option<String> {
    let length = take_length(input)?;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn take_list(input: &mut &[u8]) -> Option<Vec<String>> {
    let length = take_length(input)?;
    // A name takes at least its length's four bytes.
    if length > MAX_NAMES || length > input.len() / 4 {
        return None;
    }
    (0..length).map(|_| take_text(input)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::source_map::Mapping;

    fn sample() -> Compiled {
        let mapping = |line, column, source_line, source_column| Mapping { line, column, source_line, source_column };
        let mappings = vec![mapping(0, 0, 4, 2), mapping(0, 7, 4, 9), mapping(3, 1, 2, 200), mapping(3, 4, 7, 0)];
        Compiled {
            form: Form::CommonJs,
            code: Some("exports.é = 1;".to_owned()),
            map: Some(SourceMap::new("/app/a.ts", mappings)),
            exports: CommonJsExports { names: vec!["é".to_owned()], reexports: vec!["./b".to_owned()] },
        }
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        assert_eq!(decode("/app/a.ts", &encode(&sample())), Some(sample()));
        let bare = Compiled { form: Form::Module, code: None, map: None, exports: CommonJsExports::default() };
        assert_eq!(decode("/app/a.js", &encode(&bare)), Some(bare));
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_panic() {
        let good = encode(&sample());
        for length in 0..good.len() {
            assert_eq!(decode("/app/a.ts", &good[..length]), None, "cut to {length} bytes");
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                // Some damage yields another valid entry: authenticity is the host's business.
                let _ = decode("/app/a.ts", &bad);
            }
        }
    }
}
