//! Programs that run to their end.

use crate::harness::{check, files, run_in};
use atoll_engine::CodeCache;
use atoll_runtime::{Exit, Limits, StartError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn a_program_prints_and_ends() {
    check(&[("main.mjs", "console.log('hello %s', 'world', { a: [1] });")], 0, &["hello world { a: [ 1 ] }"]);
}

#[test]
fn order_is_nodes() {
    let code = "setTimeout(() => console.log('timeout'), 500);
             setImmediate(() => console.log('immediate'));
             Promise.resolve().then(() => console.log('microtask'));
             process.nextTick(() => console.log('tick'));
             queueMicrotask(() => console.log('microtask 2'));
             console.log('sync');";
    check(&[("main.cjs", code)], 0, &["sync", "tick", "microtask", "microtask 2", "immediate", "timeout"]);
    // A module is evaluated in a microtask, so those come first.
    check(&[("main.mjs", code)], 0, &["sync", "microtask", "microtask 2", "tick", "immediate", "timeout"]);
}

#[test]
fn typescript_and_jsx_run() {
    check(
        &[
            (
                "main.ts",
                "import { type Shape, area } from './shapes';
                 import { h } from '@lib/h';
                 enum Colour { Red, Green }
                 const shape: Shape = { width: 2, height: 3 } satisfies Shape;
                 console.log(area(shape), Colour[1], h());",
            ),
            (
                "shapes.ts",
                "export interface Shape { width: number; height: number }\nexport const area = (s: Shape): number => s.width * s.height;",
            ),
            (
                "lib/h.tsx",
                "/** @jsxRuntime classic */\n/** @jsx make */\nconst make = (tag: string, props: object) => tag + JSON.stringify(props);\nexport const h = () => <b id=\"x\" />;",
            ),
            ("tsconfig.json", "{ \"compilerOptions\": { \"paths\": { \"@lib/*\": [\"./lib/*\"] } } }"),
            ("package.json", "{ \"type\": \"module\" }"),
        ],
        0,
        &["6 Green b{\"id\":\"x\"}"],
    );
}

#[test]
fn commonjs_and_modules_meet() {
    check(
        &[
            (
                "main.mjs",
                "import cjs, { named, later } from './lib.cjs';
                 import { createRequire } from 'node:module';
                 const require = createRequire(import.meta.url);
                 console.log(cjs.named, named, later, require('./lib.cjs') === cjs, require('./data.json').x);
                 console.log(require('./esm.mjs').default, (await import('./lib.cjs')).named);
                 try { require('./none'); } catch (error) { console.log(error.code); }",
            ),
            (
                "lib.cjs",
                "exports.named = 1; module.exports.later = require('./other').value; console.log(__filename, typeof require, module.id === __filename);",
            ),
            ("other.js", "exports.value = 'other';"),
            ("data.json", "{ \"x\": 7 }"),
            ("esm.mjs", "export default 'esm';"),
        ],
        0,
        &["/app/lib.cjs function true", "1 1 other true 7", "esm 1", "MODULE_NOT_FOUND"],
    );
}

#[test]
fn the_process_is_what_it_was_given() {
    check(
        &[(
            "main.mjs",
            "console.log(process.argv.slice(1).join(), process.env.GREETING, process.cwd(), process.platform, Object.keys(process.env).sort().join());
             process.on('exit', (code) => console.log('exit', code));
             process.exitCode = 3;",
        )],
        3,
        &["/app/main.mjs,one hello /app linux ATOLL_TEST_ORIGIN,GREETING", "exit 3"],
    );
    check(
        &[("main.mjs", "setTimeout(() => console.log('never'), 10); process.exit(4); console.log('never');")],
        4,
        &[],
    );
}

#[test]
fn what_nobody_catches_ends_the_program() {
    for (code, message) in [
        (
            "setTimeout(() => { throw new Error('in a timer'); }, 1); setTimeout(() => console.log('never'), 50);",
            "in a timer",
        ),
        ("Promise.reject(new TypeError('rejected')); setTimeout(() => console.log('never'), 50);", "rejected"),
        ("queueMicrotask(() => { throw new Error('in a microtask'); });", "in a microtask"),
        ("process.nextTick(() => { throw new Error('in a tick'); });", "in a tick"),
    ] {
        let recorder = check(&[("main.mjs", code)], 1, &[]);
        let problems = recorder.problems().join("\n");
        assert!(problems.contains(message) && problems.contains("main.mjs:1:"), "{problems}");
    }
    check(
        &[(
            "main.mjs",
            "process.on('uncaughtException', (error) => console.log('caught', error.message));
             process.on('unhandledRejection', (reason) => console.log('rejected', reason));
             setTimeout(() => { throw new Error('a'); }, 1);
             Promise.reject('b');",
        )],
        0,
        &["rejected b", "caught a"],
    );
}

#[test]
fn an_app_that_can_not_start_says_why() {
    let directory = files(&[("main.ts", "const a: number = 1;\nconst b = ;\n")]);
    let Err(StartError::Load(error)) = run_in(directory.path(), "main.ts").exit else { panic!("it can't start") };
    let place = error.location().expect("a syntax error has a place");
    assert_eq!((place.file.as_str(), place.line, place.column), ("/app/main.ts", 2, 11));
    assert!(error.frame().is_some());

    let directory = files(&[("main.mjs", "import './lib.mjs';"), ("lib.mjs", "import { z } from 'zod';")]);
    let Err(StartError::Load(error)) = run_in(directory.path(), "main.mjs").exit else { panic!("it can't start") };
    assert!(error.message().contains("'zod'") && error.message().contains("/app/lib.mjs"), "{}", error.message());
    assert!(error.help().is_some_and(|help| help.contains("atoll install")), "{:?}", error.help());

    let directory = files(&[("main.ts", "interface A {}\n\n\nthrow new Error('at start');")]);
    let Err(StartError::Threw(exception)) = run_in(directory.path(), "main.ts").exit else { panic!("it throws") };
    assert!(exception.stack.contains("main.ts:4:7"), "{}", exception.stack);

    let directory = files(&[("main.mjs", "await new Promise(() => {});")]);
    assert!(matches!(run_in(directory.path(), "main.mjs").exit, Err(StartError::Stalled)));
}

#[test]
fn a_program_sees_its_mounts_and_nothing_else() {
    check(
        &[
            (
                "main.mjs",
                "import fs from 'node:fs'; import { readFile } from 'node:fs/promises';
                 console.log(fs.readFileSync('/app/data.txt', 'utf8'), await readFile('data.txt', 'utf8'));
                 fs.writeFileSync('/tmp/x', 'y'); console.log(fs.readdirSync('/tmp').join());
                 for (const path of ['/etc/passwd', '/proc/self/environ', '/app/../etc/passwd']) {
                   try { fs.readFileSync(path); console.log('read'); } catch (error) { console.log(error.code); }
                 }
                 try { fs.writeFileSync('/app/x', ''); } catch (error) { console.log(error.code); }",
            ),
            ("data.txt", "data"),
        ],
        0,
        &["data data", "x", "ENOENT", "ENOENT", "ENOENT", "EROFS"],
    );
}

/// A code cache that counts.
#[derive(Default)]
struct CountingCache {
    kept: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    hits: AtomicUsize,
}

impl CodeCache for CountingCache {
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let code = self.kept.lock().expect("no panic").get(key).cloned();
        self.hits.fetch_add(usize::from(code.is_some()), Ordering::Relaxed);
        code
    }

    fn put(&self, key: &[u8; 32], code: &[u8]) {
        self.kept.lock().expect("no panic").insert(*key, code.to_vec());
    }
}

#[test]
fn compiled_code_is_kept_used_and_replaced_when_it_does_not_fit() {
    let listed = [
        ("main.mjs", "import { f } from './lib.mjs'; import cjs from './lib.cjs'; console.log(f(), cjs.g());"),
        ("lib.mjs", "export const f = () => 'module';"),
        ("lib.cjs", "exports.g = () => 'function';"),
    ];
    let directory = files(&listed);
    let cache = Arc::new(CountingCache::default());
    let run = || {
        let (app, recorder) = crate::harness::app(directory.path(), "main.mjs", Limits::RUN);
        let mut app = Arc::into_inner(app).expect("nobody else has it");
        app.code_cache = Some(Arc::clone(&cache) as Arc<dyn CodeCache>);
        let exit = crate::harness::block_on(atoll_runtime::Worker::run(Arc::new(app))).expect("it starts");
        assert_eq!((exit, recorder.lines()), (Exit::Code(0), vec!["module function".to_owned()]));
        cache.hits.swap(0, Ordering::Relaxed)
    };
    assert_eq!(run(), 0);
    let first = cache.kept.lock().expect("no panic").clone();
    assert_eq!(first.len(), 3);
    assert_eq!(run(), 3);
    assert_eq!(*cache.kept.lock().expect("no panic"), first, "code that fits is not made again");

    // Code of another V8, or cut short: V8 rejects it, the program runs all the same, and good code takes its place.
    for code in cache.kept.lock().expect("no panic").values_mut() {
        code.truncate(code.len() / 2);
    }
    assert_eq!(run(), 3);
    assert_eq!(run(), 3);
    assert!(
        cache.kept.lock().expect("no panic").values().all(|code| first.values().any(|good| good.len() == code.len()))
    );
}

#[test]
fn limits_end_programs() {
    let directory = files(&[("main.mjs", "const all = []; for (;;) all.push(new Array(1e5).fill(0.5));")]);
    let (app, _) = crate::harness::app(
        directory.path(),
        "main.mjs",
        atoll_runtime::Limits { heap_bytes: 32 << 20, ..atoll_runtime::Limits::RUN },
    );
    let exit = crate::harness::block_on(atoll_runtime::Worker::run(app)).expect("it starts");
    assert!(matches!(exit, Exit::Terminated(ended) if ended.reason == atoll_engine::Reason::Heap), "{exit:?}");
}
