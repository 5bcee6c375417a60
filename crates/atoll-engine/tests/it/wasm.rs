//! WebAssembly: compiled in the background, and without memory that could be shared.

use crate::harness::{BUDGET, Log, Outcome, check, isolate, realm_on, run_within};
use arbitrary::Unstructured;
use atoll_engine::{Isolate, Realm, Resolved, TurnBudget};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasm_smith::{Config, Module};

/// Modules with a memory that is exported as `m`: `plain`, and `shared`; `importing` wants a shared one of `e.m`.
const MODULES: &str = "
const bytes = (...sections) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections]);
const exported = [7, 5, 1, 1, 109, 2, 0];
const plain = bytes(5, 3, 1, 0, 1, ...exported);
const shared = bytes(5, 4, 1, 3, 1, 2, ...exported);
const importing = bytes(2, 9, 1, 1, 101, 1, 109, 2, 3, 1, 2);
const error = (body) => { try { body(); return 'none'; } catch (error) { return error.name; } };
";

fn check_modules(code: &str, expected: &[&str]) {
    check(&format!("{MODULES}{code}"), expected);
}

#[test]
fn memory_can_not_be_shared() {
    check_modules(
        "const { CompileError, Memory, Module, compile, instantiate, validate } = WebAssembly;
         log(error(() => new Memory({ initial: 1, maximum: 2, shared: true })), error(() => new Memory({ initial: 1 })));
         let asked = 0;
         log(error(() => new Memory({ initial: 1, maximum: 2, get shared() { return asked++ === 0; } })), asked);
         for (const module of [shared, importing]) {
           log(validate(module), error(() => new Module(module)));
           for (const start of [compile, instantiate]) {
             const failure = await start(module).catch((error) => error);
             log(failure instanceof CompileError, failure.message);
           }
         }
         log(typeof WebAssembly.compileStreaming, typeof WebAssembly.instantiateStreaming);
         log(validate(plain), new Memory({ initial: 1, maximum: 2, shared: false }).buffer.byteLength);",
        &[
            "CompileError none",
            "CompileError 1",
            "false CompileError",
            "true WebAssembly.compile(): shared memory is not available",
            "true WebAssembly.instantiate(): shared memory is not available",
            "false CompileError",
            "true WebAssembly.compile(): shared memory is not available",
            "true WebAssembly.instantiate(): shared memory is not available",
            "undefined undefined",
            "true 65536",
        ],
    );
}

#[test]
fn a_module_that_was_caught_on_its_way_out_makes_no_instance() {
    // V8 asks a module for `then` before anyone has looked at it.
    check_modules(
        "let caught;
         Object.defineProperty(WebAssembly.Module.prototype, 'then', { configurable: true, get() { caught = this; } });
         await WebAssembly.compile(shared).catch((error) => log(error.name));
         delete WebAssembly.Module.prototype.then;
         log(caught instanceof WebAssembly.Module, error(() => new WebAssembly.Instance(caught)));
         await WebAssembly.instantiate(caught).catch((error) => log(error.name));
         // What a constructor's prototype knows is the same constructor.
         const { constructor } = Object.getPrototypeOf(new WebAssembly.Instance(new WebAssembly.Module(plain)));
         log(error(() => new constructor(caught)), constructor === WebAssembly.Instance);
         // V8 gets other bytes than were there when it was asked.
         let times = 0;
         const late = bytes(5, 4, 1, 1, 1, 2, ...exported);
         const sly = new Proxy(class extends WebAssembly.Module {}, {
           get(target, key) {
             if (key === 'prototype') { times++; late.set(shared); }
             return target[key];
           },
         });
         log(error(() => Reflect.construct(WebAssembly.Module, [late], sly)), times);",
        &["CompileError", "true CompileError", "CompileError", "CompileError true", "CompileError 1"],
    );
}

#[test]
fn without_shared_memory_everything_is_as_it_was() {
    check_modules(
        "const { Instance, Memory, Module } = WebAssembly;
         log(Module.name, Module.length, Memory.name, Memory.length, WebAssembly.compile.name, WebAssembly.compile.length);
         log(WebAssembly.instantiate.length, WebAssembly.validate.length, error(() => Module(plain)), error(() => new WebAssembly.compile(plain)));
         log(Object.prototype.toString.call(WebAssembly), Object.keys(WebAssembly).length, JSON.stringify(Module.exports(new Module(plain))));
         class Own extends Memory { pages() { return this.buffer.byteLength / 65536; } }
         log(new Own({ initial: 2 }).pages(), new Own({ initial: 1 }) instanceof Memory, new Memory({ initial: 1 }).constructor === Memory);
         const { module, instance } = await WebAssembly.instantiate(plain);
         log(module instanceof Module, instance instanceof Instance, instance.exports.m instanceof Memory, instance.exports.m.grow(1));
         log((await WebAssembly.instantiate(module)).exports.m.buffer.byteLength);
         const wanting = bytes(2, 8, 1, 1, 101, 1, 109, 2, 0, 1);
         log((await WebAssembly.instantiate(wanting, { e: { m: instance.exports.m } })).instance instanceof Instance);
         for (const [source, imports] of [[wanting, undefined], [wanting, { e: {} }], [wanting, 5], [5], [new Uint8Array(9)], [new Module(wanting), { e: { m: 1 } }]]) {
           await WebAssembly.instantiate(source, imports).then(log, (error) => log(error.name));
         }
         log(WebAssembly.validate(new Uint8Array(8)), error(() => WebAssembly.validate(5)), error(() => new Module()), error(() => new Instance()));",
        &[
            "Module 1 Memory 1 compile 1",
            "1 1 TypeError TypeError",
            "[object WebAssembly] 4 [{\"name\":\"m\",\"kind\":\"memory\"}]",
            "2 true true",
            "true true true 1",
            "65536",
            "true",
            "TypeError",
            "LinkError",
            "TypeError",
            "TypeError",
            "CompileError",
            "LinkError",
            "false TypeError TypeError TypeError",
        ],
    );
}

/// Makes modules that take V8 a while, each another one.
const LARGE: &str = "
const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];
function large(number) {
  const count = 5000;
  const functions = [...leb(count), ...new Array(count).fill(0)];
  const code = [...leb(count)];
  for (let i = 0; i < count; i++) {
    const body = [0, 65, ...leb(4096 * 64 + number * 2), 26, 11];
    code.push(...leb(body.length), ...body);
  }
  const sections = [1, 4, 1, 96, 0, 0, 3, ...leb(functions.length), ...functions, 10, ...leb(code.length), ...code];
  return new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections]);
}
";

/// Runs two realms of one isolate, each only when its own waker says so.
#[test]
fn realms_that_wait_at_once_are_both_woken() {
    for round in 0..10 {
        let isolate = isolate();
        let code = |first: usize| {
            format!(
                "{LARGE} for (let i = {first}; i < {first} + 3; i++) await WebAssembly.instantiate(large(i));
                 log('compiled');"
            )
        };
        let mut realms: Vec<Driven> =
            (0..2).map(|realm| Driven::begin(&isolate, &code(10 * (2 * round + realm)))).collect();
        let begun = Instant::now();
        while realms.iter().any(|realm| !realm.is_done) {
            assert!(begun.elapsed() < Duration::from_secs(20), "a realm was not woken: {realms:?}");
            std::thread::park_timeout(Duration::from_millis(100));
            for realm in &mut realms {
                realm.go_on();
            }
        }
    }
}

/// A program, and whether its waker was called since it was last looked at.
#[derive(Debug)]
struct Driven {
    realm: Realm,
    flag: Arc<Flag>,
    is_done: bool,
}

#[derive(Debug)]
struct Flag {
    woken: AtomicBool,
    thread: Thread,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Driven {
    fn begin(isolate: &Isolate, code: &str) -> Self {
        let mut realm = realm_on(isolate, &[("/main.js", code)]);
        let begun = realm.turn(BUDGET, |turn| {
            let begun = turn.import(Resolved::File("/main.js".to_owned()));
            turn.checkpoint();
            begun.map(drop)
        });
        assert_eq!(begun.expect("within its limits").value, Ok(()));
        let flag = Arc::new(Flag { woken: AtomicBool::new(true), thread: std::thread::current() });
        Self { realm, flag, is_done: false }
    }

    fn go_on(&mut self) {
        while !self.is_done && self.flag.woken.swap(false, Ordering::AcqRel) {
            let waker = Arc::clone(&self.flag).into();
            while let Poll::Ready(settled) = self.realm.poll_operations(&mut Context::from_waker(&waker)) {
                let report = self.realm.turn(BUDGET, |turn| {
                    turn.settle(settled);
                    turn.checkpoint();
                    turn.state().get::<Log>().is_some_and(|log| log.0 == ["compiled"])
                });
                self.is_done = report.expect("within its limits").value;
            }
        }
    }
}

/// Modules that are made from noise, in which V8 finds no fault, are compiled; with a byte changed, what validates compiles.
#[test]
fn v8_and_the_look_for_shared_memory_agree_about_what_is_valid() {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut code = String::from(
        "const text = (t) => Uint8Array.from(t.match(/../g), (pair) => parseInt(pair, 16));\nlet count = 0;\n",
    );
    for _ in 0..60 {
        let seed: Vec<u8> = (0..1500)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise.to_le_bytes()[3]
            })
            .collect();
        let config = Config {
            max_memories: 2,
            threads_enabled: false,
            // What V8 has not, or bounds more closely than the specification does.
            compact_imports_enabled: false,
            memory64_enabled: false,
            wide_arithmetic_enabled: false,
            ..Config::default()
        };
        let module = Module::new(config, &mut Unstructured::new(&seed)).expect("noise makes a module");
        let hex: String = module.to_bytes().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes text");
            hex
        });
        writeln!(code, "check(text('{hex}'));").expect("a string takes text");
    }
    let head = "function check(bytes) {
      new WebAssembly.Module(bytes);
      if (!WebAssembly.validate(bytes)) throw new Error('a valid module is refused');
      for (let at = 8; at < bytes.length; at += 7) {
        const broken = bytes.slice();
        broken[at] ^= 2;
        let compiles = true;
        try { new WebAssembly.Module(broken); } catch (error) { if (!(error instanceof WebAssembly.CompileError)) throw error; compiles = false; }
        if (compiles !== WebAssembly.validate(broken)) throw new Error(`at ${at}`);
      }
      count++;
    }\n";
    // What it compiles takes as long as the machine needs.
    let budget = TurnBudget { cpu: BUDGET.wall, ..BUDGET };
    match run_within(&[("/main.js", &format!("{head}{code}log(count);"))], budget) {
        Outcome::Done(log) => assert_eq!(log, ["60"]),
        other => panic!("{other:?}"),
    }
}
