//! Guests that attack their limits. The process must live, and the reason be right.

use crate::harness::{BUDGET, Outcome, check, drive, isolate_within, realm_on, run_within};
use atoll_engine::{Allowance, MemoryLimits, Reason, TurnBudget};
use std::time::Duration;

/// Enough to fill the memory first, also on a busy machine.
const MEMORY_BOMB_CPU: Allowance = Allowance::new(Duration::from_mins(1));

#[track_caller]
fn ended_by(code: &str, reason: Reason) {
    let cpu = match reason {
        Reason::Cpu => BUDGET.cpu,
        _ => MEMORY_BOMB_CPU,
    };
    match run_within(&[("/main.js", code)], TurnBudget { cpu, ..BUDGET }) {
        Outcome::Ended(actual) => {
            assert_eq!(actual.reason, reason, "{code}");
            assert!(actual.limit > 0 && actual.amount >= actual.limit, "{actual}: {code}");
        }
        other => panic!("wanted {reason:?}, got {other:?}: {code}"),
    }
    // What comes after works.
    check("log('alive');", &["alive"]);
}

#[test]
fn endless_computation() {
    for code in [
        "for (;;) {}",
        "while (true) { try { for (;;) {} } catch {} finally { for (;;) {} } }",
        "const spin = () => { for (;;) {} }; try { spin(); } catch { spin(); }",
        "/(a+)+$/.test('a'.repeat(50) + '!'); for (;;) {}",
    ] {
        ended_by(code, Reason::Cpu);
    }
}

/// Loops that V8 has optimised, around one that it has made itself.
#[test]
fn endless_computation_in_optimised_code() {
    const OPTIMISED: Allowance = Allowance::new(Duration::from_secs(2));
    for code in [
        "let last; for (;;) last = new Array(100);",
        "let sum = 0; for (;;) for (let i = 0; i < 10; i++) sum += i;",
        "let last; for (;;) last = new Array(100).fill(0).length;",
    ] {
        let outcome = run_within(&[("/main.js", code)], TurnBudget { cpu: OPTIMISED, ..BUDGET });
        assert!(matches!(outcome, Outcome::Ended(end) if end.reason == Reason::Cpu), "{outcome:?}: {code}");
    }
}

#[test]
fn endless_microtasks() {
    ended_by("const next = () => { Promise.resolve().then(next); }; next();", Reason::Cpu);
    ended_by("for (;;) await null;", Reason::Cpu);
}

#[test]
fn allocation_bombs() {
    for code in [
        "const all = []; for (;;) all.push(new Array(1e6).fill(1.5));",
        "const all = []; for (;;) all.push(new Array(4000).fill(0).map((_, i) => i + 0.5));",
        "let all = 'x'; const kept = []; for (;;) { all += all.slice(0, 1e5) + Math.random(); kept.push(JSON.parse(JSON.stringify(all))); }",
        "const all = {}; for (let i = 0; ; i++) all['k' + i] = { i };",
        "const all = []; for (;;) all.push(() => all);",
        "const all = []; for (;;) all.push(new Array(100));",
        "const all = new Map(); for (let i = 0; ; i++) all.set(i, [i]);",
        "new Array(1e8).fill(1.5);",
        "[...'.'.repeat(2 ** 28)];",
    ] {
        ended_by(code, Reason::Heap);
    }
}

#[test]
fn buffer_bombs() {
    for code in [
        "const all = []; for (;;) all.push(new ArrayBuffer(1 << 20));",
        "const all = []; for (;;) { try { all.push(new Uint8Array(1 << 16)); } catch {} }",
        "const all = []; for (;;) { try { all.push(new ArrayBuffer(1 << 30)); } catch {} }",
    ] {
        ended_by(code, Reason::External);
    }
}

/// A WebAssembly module with a memory of one page that it exports as `m`, without a maximum.
const WASM: &str = "const module = new Uint8Array([0,97,115,109,1,0,0,0,5,3,1,0,1,7,5,1,1,109,2,0]);";

#[test]
fn webassembly_is_compiled_in_the_background_and_its_memory_counts() {
    check(
        &format!(
            "{WASM} const {{ instance }} = await WebAssembly.instantiate(module); log(instance.exports.m.buffer.byteLength);"
        ),
        &["65536"],
    );
    check(
        &format!(
            "{WASM} const compiled = await WebAssembly.compile(module); log(compiled instanceof WebAssembly.Module);"
        ),
        &["true"],
    );
    check("await WebAssembly.compile(new Uint8Array(3)).catch((error) => log(error.name));", &["CompileError"]);
    for grow in [
        "const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module)); for (;;) exports.m.grow(1);",
        "const compiled = new WebAssembly.Module(module); const all = []; for (;;) { const { m } = new WebAssembly.Instance(compiled).exports; m.grow(16); all.push(m); }",
        "const memory = new WebAssembly.Memory({ initial: 1024 }); await WebAssembly.compile(module); for (;;) {}",
    ] {
        ended_by(&format!("{WASM} {grow}"), Reason::External);
    }
}

#[test]
fn memory_outside_of_the_heap_has_one_limit_whoever_gave_it() {
    let memory = |mib: u32| format!("new WebAssembly.Memory({{ initial: {} }})", mib * 16);
    let buffer = |mib: u32| format!("new Uint8Array({mib} << 20)");
    let resizable = |mib: u32| format!("new ArrayBuffer({mib} << 20, {{ maxByteLength: {mib} << 20 }})");
    // Of 16 MiB.
    let wait = "const end = Date.now() + 50; while (Date.now() < end);";
    for (first, second) in [
        (buffer(10), memory(10)),
        (memory(10), buffer(10)),
        (resizable(10), buffer(10)),
        (buffer(10), resizable(10)),
        (memory(10), resizable(10)),
    ] {
        let keep = "globalThis.kept = [";
        ended_by(
            &format!("{keep}{first}]; {wait} try {{ kept.push({second}); }} catch {{}} for (;;) {{}}"),
            Reason::External,
        );
    }
    check(&format!("globalThis.kept = [{}, {}]; {wait} log('done');", buffer(7), memory(7)), &["done"]);
    // Garbage of one kind is no obstacle to the other.
    check(
        &format!(
            "const one = () => {{ {}; }}; const two = () => {{ {}; }};
             const until = Date.now() + 300; while (Date.now() < until) {{ one(); two(); }} log('done');",
            memory(10),
            buffer(10)
        ),
        &["done"],
    );
}

#[test]
fn garbage_is_not_counted() {
    // Long enough for the memory to be looked at meanwhile.
    check("const end = Date.now() + 100; while (Date.now() < end) new Uint8Array(1 << 20); log('done');", &["done"]);
    check(
        "const end = Date.now() + 100; while (Date.now() < end) new WebAssembly.Memory({ initial: 32 }); log('done');",
        &["done"],
    );
    check("for (let i = 0; i < 200; i++) new ArrayBuffer(1 << 20); log('done');", &["done"]);
    // Of 16 MiB: each waits for the one before to be given back.
    check("for (let i = 0; i < 60; i++) new Uint8Array(10 << 20); log('done');", &["done"]);
    check("for (let i = 0; i < 100; i++) new Array(1e5).fill(i + 0.5); log('done');", &["done"]);
}

#[test]
fn deep_recursion_is_the_guests_own_error() {
    check("const f = () => f() + 1; try { f(); } catch (error) { log(error instanceof RangeError); }", &["true"]);
}

/// Buffers that Rust fills and JavaScript lets go are collected while they are young, not only when the limit is near.
#[test]
fn buffers_from_rust_are_collected_young() {
    const LIMIT_BYTES: usize = 1 << 30;
    const KEPT_BYTES: usize = 100 << 20;
    let isolate = isolate_within(MemoryLimits { heap_bytes: LIMIT_BYTES, external_bytes: LIMIT_BYTES });
    let code = format!(
        "let full = 0;
         for (let index = 0; index < 2000; index++) {{
           buffer(1 << 20);
           if (!hasRoom({})) full++;
         }}
         log(full);",
        LIMIT_BYTES - KEPT_BYTES
    );
    let outcome = drive(&mut realm_on(&isolate, &[("/main.js", &code)]), TurnBudget { cpu: MEMORY_BOMB_CPU, ..BUDGET });
    assert!(matches!(&outcome, Ok(Outcome::Done(log)) if log == &["0"]), "{outcome:?}");
}
