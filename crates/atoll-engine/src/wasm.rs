//! What V8 leaves to us of WebAssembly: that it knows no shared memory, and that a program waits for its compilations.
//!
//! V8 has no switch for shared memory. It comes into being in two ways, so both are watched (`js/wasm.js`): the constructor
//! `WebAssembly.Memory` is asked for what it made, and before a module is instantiated, or handed out after compilation, the bytes that V8 compiled it from are
//! looked through. Those can't change any more, and V8 found them valid: what can't be read all the same is refused.

use crate::host::Host;
use crate::native::{Call, NativeResult, Value};
use wasmparser::{BinaryReaderError, Parser, Payload, TypeRef};

/// Whether a module declares or imports a shared memory. Looks at the sections before the code only: an import or a memory
/// is declared in none of the others.
fn declares_shared_memory(module: &[u8]) -> Result<bool, BinaryReaderError> {
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if matches!(import?.ty, TypeRef::Memory(memory) if memory.shared) {
                        return Ok(true);
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    if memory?.shared {
                        return Ok(true);
                    }
                }
            }
            Payload::CodeSectionStart { .. } | Payload::End(_) => break,
            _ => {}
        }
    }
    Ok(false)
}

/// `hold()`: V8 has begun to compile in the background.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
pub(crate) fn hold(call: &mut Call<'_, '_, '_>) -> NativeResult {
    if let Some(host) = Host::current(call.scope) {
        host.compiling += 1;
    }
    Ok(Value::Undefined)
}

/// `release()`: it is done.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
pub(crate) fn release(call: &mut Call<'_, '_, '_>) -> NativeResult {
    if let Some(host) = Host::current(call.scope) {
        host.compiling = host.compiling.saturating_sub(1);
    }
    Ok(Value::Undefined)
}

/// `isModule(value)`: whether it is a `WebAssembly.Module`, whatever its prototype.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
pub(crate) fn is_module(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::Bool(call.argument(0).is_wasm_module_object()))
}

/// `sharesMemory(value)`: whether a module, or the bytes of one, declares or imports a shared memory. Of other values nothing
/// is known.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
pub(crate) fn shares_memory(call: &mut Call<'_, '_, '_>) -> NativeResult {
    if let Ok(module) = v8::Local::<v8::WasmModuleObject>::try_from(call.argument(0)) {
        let compiled = module.get_compiled_module();
        return Ok(Value::Bool(declares_shared_memory(compiled.get_wire_bytes_ref()).unwrap_or(true)));
    }
    let shared = call.with_bytes(0, |bytes| declares_shared_memory(bytes).unwrap_or(true));
    Ok(Value::Bool(shared.unwrap_or(false)))
}

/// `isShared(buffer)`: whether it is a `SharedArrayBuffer`.
#[expect(clippy::unnecessary_wraps, reason = "the signature of natives")]
pub(crate) fn is_shared(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::Bool(call.argument(0).is_shared_array_buffer()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbitrary::Unstructured;
    use proptest::prelude::*;
    use wasm_smith::{Config, Module};

    /// A module of these sections.
    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [&[0, b'a', b's', b'm', 1, 0, 0, 0][..]]
            .iter()
            .chain(sections)
            .flat_map(|bytes| bytes.iter().copied())
            .collect()
    }

    #[test]
    fn shared_memories_are_found_wherever_they_are_declared() {
        let imported = |limits: &[u8]| {
            let length = u8::try_from(6 + limits.len()).expect("short");
            let head = [2, length, 1, 1, b'm', 1, b'm', 2];
            module(&[&[&head[..], limits].concat()])
        };
        let declared =
            |limits: &[u8]| module(&[&[&[5, u8::try_from(1 + limits.len()).expect("short"), 1], limits].concat()]);
        for (limits, shared) in [
            (&[0, 1][..], false),
            (&[1, 1, 2], false),
            (&[3, 1, 2], true),
            // 64-bit memories.
            (&[4, 1], false),
            (&[5, 1, 2], false),
            (&[7, 1, 2], true),
            // A number may be written longer than it need be.
            (&[3, 0x81, 0x80, 0, 0x82, 0], true),
        ] {
            assert_eq!(declares_shared_memory(&imported(limits)).ok(), Some(shared), "import {limits:?}");
            assert_eq!(declares_shared_memory(&declared(limits)).ok(), Some(shared), "memory {limits:?}");
        }
        // The second of two, behind a custom section and a type section.
        let several = module(&[&[0, 2, 1, b'x'], &[1, 1, 0], &[5, 6, 2, 0, 1, 3, 1, 1]]);
        assert_eq!(declares_shared_memory(&several).ok(), Some(true));
        // Custom sections mean nothing, whatever they contain.
        assert_eq!(declares_shared_memory(&module(&[&[0, 5, 1, b'x', 1, 3, 1], &[5, 3, 1, 0, 1]])).ok(), Some(false));
        for broken in
            [&[][..], b"\0asm", &module(&[&[5, 200, 1]]), &module(&[&[5, 3, 1, 0x10, 1]]), &module(&[&[2, 2, 1, 0xff]])]
        {
            assert!(declares_shared_memory(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = declares_shared_memory(&bytes);
            let _ = declares_shared_memory(&module(&[&bytes]));
        }

        #[test]
        fn valid_modules_are_read_and_broken_ones_do_no_harm(
            seed in proptest::collection::vec(any::<u8>(), 64..4096),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let config = Config { threads_enabled: true, max_memories: 3, ..Config::default() };
            let made = Module::new(config, &mut Unstructured::new(&seed));
            let mut bytes = made.map_err(|error| TestCaseError::fail(error.to_string()))?.to_bytes();
            prop_assert!(declares_shared_memory(&bytes).is_ok());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = declares_shared_memory(&bytes);
        }
    }
}
