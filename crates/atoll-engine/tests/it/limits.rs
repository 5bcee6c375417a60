//! Guests that attack their limits. The process must live, and the reason be right.

use crate::harness::{BUDGET, Outcome, check, run_within};
use atoll_engine::{Termination, TurnBudget};
use std::time::Duration;

/// Enough to fill the memory first, also on a busy machine.
const MEMORY_BOMB_CPU: Duration = Duration::from_mins(1);

#[track_caller]
fn ended_by(code: &str, reason: Termination) {
    let cpu = match reason {
        Termination::Cpu => BUDGET.cpu,
        _ => MEMORY_BOMB_CPU,
    };
    match run_within(&[("/main.js", code)], TurnBudget { cpu, ..BUDGET }) {
        Outcome::Ended(actual) => assert_eq!(actual, reason, "{code}"),
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
        ended_by(code, Termination::Cpu);
    }
}

#[test]
fn endless_microtasks() {
    ended_by("const next = () => { Promise.resolve().then(next); }; next();", Termination::Cpu);
    ended_by("for (;;) await null;", Termination::Cpu);
}

#[test]
fn allocation_bombs() {
    for code in [
        "const all = []; for (;;) all.push(new Array(1e6).fill(1.5));",
        "const all = []; for (;;) all.push(new Array(4000).fill(0).map((_, i) => i + 0.5));",
        "let all = 'x'; const kept = []; for (;;) { all += all.slice(0, 1e5) + Math.random(); kept.push(JSON.parse(JSON.stringify(all))); }",
        "const all = {}; for (let i = 0; ; i++) all['k' + i] = { i };",
        "const all = []; for (;;) all.push(() => all);",
        "const all = new Map(); for (let i = 0; ; i++) all.set(i, [i]);",
        "new Array(1e8).fill(1.5);",
        "[...'.'.repeat(2 ** 28)];",
    ] {
        ended_by(code, Termination::Memory);
    }
}

#[test]
fn buffer_bombs() {
    for code in [
        "const all = []; for (;;) all.push(new ArrayBuffer(1 << 20));",
        "const all = []; for (;;) { try { all.push(new Uint8Array(1 << 16)); } catch {} }",
        "const all = []; for (;;) { try { all.push(new ArrayBuffer(1 << 30)); } catch {} }",
    ] {
        ended_by(code, Termination::Memory);
    }
}

#[test]
fn garbage_is_not_counted() {
    check("for (let i = 0; i < 200; i++) new ArrayBuffer(1 << 20); log('done');", &["done"]);
    check("for (let i = 0; i < 100; i++) new Array(1e5).fill(i + 0.5); log('done');", &["done"]);
}

#[test]
fn deep_recursion_is_the_guests_own_error() {
    check("const f = () => f() + 1; try { f(); } catch (error) { log(error instanceof RangeError); }", &["true"]);
}
