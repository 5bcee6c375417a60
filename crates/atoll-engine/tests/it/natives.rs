//! Values and errors across the boundary.

use crate::harness::{Outcome, call, check, realm, run};
use atoll_engine::Value;

#[test]
fn values_cross_both_ways() {
    check(
        "const { text, bytes, none } = echo('a\\u0000ä\\ud83d\\ude00\\ud800', new Uint8Array([1, 2, 255]).subarray(1));
         log(text.length, text.charCodeAt(5), bytes instanceof Uint8Array, bytes.join(), none);
         log(sum(new Uint8Array([1, 2, 3]).buffer), sum(new DataView(new ArrayBuffer(4))), sum(new Uint8Array(0)));",
        &["6 65533 true 2,255 ", "6 0 0"],
    );
}

#[test]
fn a_wrong_argument_is_a_type_error_and_runs_no_guest_code() {
    check(
        "const spy = { toString() { log('called'); return 'x'; } };
         for (const bad of [() => echo(spy, new Uint8Array()), () => echo('x', [1]), () => sum({ length: 1 }), () => sum()]) {
           try { bad(); log('no error'); } catch (error) { log(error instanceof TypeError, error.message); }
         }",
        &[
            "true argument 1 must be a string",
            "true argument 2 must be an ArrayBuffer or a view of one",
            "true argument 1 must be an ArrayBuffer or a view of one",
            "true argument 1 must be an ArrayBuffer or a view of one",
        ],
    );
}

#[test]
fn a_fault_of_ours_is_an_error_and_not_the_end_of_the_process() {
    check(
        "try { fault(); } catch (error) { log(error instanceof Error, error.message); }
         log(sum(new Uint8Array([1, 2])));",
        &["true an internal fault of the runtime", "3"],
    );
}

#[test]
fn operations_settle_their_promises() {
    check(
        "log('before'); log(await later(false));
         try { await later(true); } catch (error) { log(error instanceof RangeError, error.message, error.code); }
         log((await Promise.all([later(false), later(false)])).join());",
        &["before", "done", "true later LATE", "done,done"],
    );
}

#[test]
fn natives_are_out_of_guests_reach() {
    check(
        "const leaks = [];
         Function.prototype.call = Function.prototype.apply = Function.prototype.bind = function () { leaks.push(this); };
         Array.prototype.join = function () { leaks.push(this); return 'patched'; };
         Object.prototype.native = 1;
         log('a', 'b');
         log(leaks.length, typeof globalThis.native, Object.keys(globalThis).length);",
        &["a b", "0 number 0"],
    );
}

#[test]
fn shared_memory_is_not_there() {
    check("log(typeof SharedArrayBuffer, typeof WebAssembly);", &["undefined object"]);
}

#[test]
fn stacks_show_the_guests_own_files_and_positions() {
    let Outcome::Threw(exception) = run(&[
        ("/main.js", "import { fail } from './lib.ts';\nfail(1);"),
        ("/lib.ts", "export function fail(n) {\n  throw new TypeError('no ' + n, { cause: new Error('root') });\n}"),
    ]) else {
        panic!("it throws")
    };
    assert_eq!(exception.message, "TypeError: no 1");
    let stack: Vec<_> = exception.stack.lines().collect();
    assert_eq!(
        stack,
        [
            "TypeError: no 1",
            "    at fail (file:///lib.ts.orig:102:9)",
            "    at file:///main.js:2:1",
            "  [cause]: Error: root",
            "      at fail (file:///lib.ts.orig:102:43)",
            "      at file:///main.js:2:1",
        ]
    );
}

#[test]
fn functions_return_primitives_and_throw() {
    let mut realm = realm(&[]);
    assert_eq!(call(&mut realm, "sum", [Value::Bytes(vec![1, 2, 3])]), Ok(Value::Number(6.0)));
    let error = call(&mut realm, "sum", [Value::Null]).expect_err("null has no bytes");
    assert_eq!(error.message, "TypeError: argument 1 must be an ArrayBuffer or a view of one");
}
