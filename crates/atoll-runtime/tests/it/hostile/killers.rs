//! Code that asks the engine for what it ends the process for, each in a process of its own.
//!
//! The lists say what is so. What V8 still dies of, or computes without ever looking whether it should end, is in lists
//! of its own, which fail when it is mended: an entry then belongs into the first list.

use super::{LIMITS, Lab, Limit};
use crate::harness::block_on;
use bytes::Bytes;
use http::HeaderMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names the code that a child is to evaluate. The child is this test binary, running the one test that asked for it.
const CODE: &str = "ATOLL_HOSTILE_CODE";

/// Between the end of the CPU limit and the moment at which a child counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(6);

/// For what takes its time and comes to an end.
const DONE_AFTER: Duration = Duration::from_mins(1);

/// The guest is ended, gets an exception of its own, or is done.
const HELD: &[&str] = &[
    "Array.from({ length: 2 ** 32 - 2 })",
    "new Array(2 ** 32 - 1).fill().map((x) => x)",
    "[...'x'.repeat(2 ** 28)]",
    "Math.max(...new Uint8Array(2 ** 23))",
    "Reflect.apply(Math.max, null, { length: 2 ** 32 - 1 })",
    "Reflect.construct(Array, { length: 2 ** 27 + 10 })",
    "Object.keys('x'.repeat(2 ** 28))",
    "Object.getOwnPropertyDescriptors('x'.repeat(2 ** 28))",
    "Reflect.ownKeys(new Proxy({}, { ownKeys: () => ({ length: 2 ** 32 }) }))",
    "JSON.stringify('\\u0001'.repeat(2 ** 28))",
    "JSON.parse('['.repeat(1e7) + ']'.repeat(1e7))",
    "1n << (2n ** 30n)",
    "BigInt('9'.repeat(2 ** 26))",
    "new RegExp('x'.repeat(2 ** 25)).test('x')",
    "new RegExp('('.repeat(2 ** 20) + ')'.repeat(2 ** 20))",
    "new RegExp('(?<=' .repeat(2 ** 15) + 'a' + ')'.repeat(2 ** 15))",
    "new RegExp('((((a{100}){100}){100}){100}){100}').test('aaa')",
    "eval('('.repeat(1e7) + '1' + ')'.repeat(1e7))",
    "eval('`${'.repeat(1e6) + '1' + '}`'.repeat(1e6))",
    "eval('var ' + '['.repeat(1e5) + 'a' + ']'.repeat(1e5) + '=[]')",
    "eval('[' + '1,'.repeat(2e7) + ']')",
    "Function('a'.repeat(2 ** 26), 'return 1')",
    "let C = class {}; for (let i = 0; i < 1e6; i++) C = class extends C {}; new C()",
    "let f = () => 1; for (let i = 0; i < 1e6; i++) f = f.bind(null, 1); f()",
    "let p = []; for (let i = 0; i < 1e6; i++) p = new Proxy(p, {}); Array.isArray(p)",
    "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; String(a)",
    "const a = []; for (;;) a.push(new WebAssembly.Table({ initial: 10000000, element: 'anyfunc' }))",
    "const a = []; for (;;) a.push(new Intl.Collator('zh-u-co-pinyin'))",
    "for (let i = 0; ; i++) Symbol.for('s' + i)",
    "Error.stackTraceLimit = Infinity; const f = (n) => n ? f(n - 1) : new Error('x').stack; for (;;) f(5000)",
    "'\\u00df'.repeat(2 ** 28).toUpperCase()",
    "Atomics.pause(2 ** 30)",
    "const a = []; for (;;) a.push(new ArrayBuffer(0, { maxByteLength: 2 ** 36 }))",
];

/// V8 ends the process: an array of more than 2^27 elements at once, or more mappings than the system gives.
const DEADLY: &[&str] = &[
    "'x'.repeat(2 ** 28).split('')",
    "'x'.repeat(2 ** 28).split('x')",
    "'x'.repeat(2 ** 28).match(/x/g)",
    "'x'.repeat(2 ** 28).replace(/x/g, () => '')",
    "Array.prototype.sort.call({ length: 2 ** 53 - 1 })",
    "Array.prototype.toSorted.call({ length: 2 ** 27 + 10 })",
];

/// V8 computes for hours or years and never looks whether it should end, so no limit on time is kept.
const STUCK: &[&str] = &[
    "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)",
    "Array.prototype.forEach.call({ length: 2 ** 53 - 1 }, () => true)",
    "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })",
    "const a = [1]; a.length = 2 ** 32 - 2; a.lastIndexOf(2)",
    "('a' + '\\u0323\\u0307'.repeat(2 ** 20)).normalize('NFC')",
];

#[derive(Debug, PartialEq, Eq)]
enum End {
    Held,
    Died,
    Stuck,
}

/// What the child does: the code runs as a guest, and the neighbour and a fresh worker answer afterwards.
fn attack(code: &str) {
    block_on(async {
        let lab = Lab::new();
        lab.assert_neighbour("nothing").await;
        let (deployment, recorder) = lab.deploy("evaluated", LIMITS);
        let body = Bytes::from(code.to_owned());
        let outcome = lab.send(&deployment, "/attack", HeaderMap::new(), Some(body)).await;
        let failed = outcome.is_err() && !recorder.problems().is_empty();
        assert!(outcome.is_ok() || failed || Limit::of(&outcome).is_some(), "{outcome:?}");
        lab.assert_neighbour(code).await;
        assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"));
    });
}

fn end_of(test: &str, code: &str, patience: Duration) -> End {
    let test = format!("hostile::killers::{test}");
    let program = std::env::current_exe().expect("this test's own binary");
    let mut child = Command::new(program)
        .args([test.as_str(), "--exact", "--test-threads=1"])
        .env(CODE, code)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child process");
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            // A test that fails ends with 101; a signal has no code at all.
            assert_ne!(status.code(), Some(101), "something else went wrong after {code}");
            return if status.success() { End::Held } else { End::Died };
        }
        if started.elapsed() > patience {
            child.kill().and_then(|()| child.wait()).expect("the child can be ended");
            return End::Stuck;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn check(test: &str, listed: &[&str], wanted: &End, patience: Duration) {
    if let Ok(code) = std::env::var(CODE) {
        return attack(&code);
    }
    let ends = listed.iter().map(|code| (code, end_of(test, code, patience)));
    let wrong: Vec<_> = ends.filter(|(_, end)| end != wanted).collect();
    assert!(wrong.is_empty(), "wanted {wanted:?}: {wrong:#?}");
}

#[test]
fn what_is_held() {
    check("what_is_held", HELD, &End::Held, DONE_AFTER);
}

#[test]
fn what_still_ends_the_process() {
    check("what_still_ends_the_process", DEADLY, &End::Died, DONE_AFTER);
}

#[test]
fn what_no_limit_on_time_ends() {
    check("what_no_limit_on_time_ends", STUCK, &End::Stuck, STUCK_AFTER);
}
