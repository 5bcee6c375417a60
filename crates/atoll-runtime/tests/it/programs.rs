//! Programs that run to their end.

use crate::harness::{check, files, run_in};
use atoll_runtime::{Exit, StartError};

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
