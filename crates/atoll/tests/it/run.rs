//! `atoll run`: exit codes, arguments, what guests see, and how errors look.

use crate::harness::{Scene, check};

#[test]
fn a_program_has_its_arguments_and_its_exit_code() {
    let program = "console.log(process.argv.slice(2), process.cwd());
console.error('to stderr');
process.stdout.write('no line feed');
process.exitCode = 7;";
    check!(&[("main.ts", program)], &["run", "main.ts", "one", "--two", "-x"], @"");
}

#[test]
fn process_exit_ends_at_once() {
    check!(
        &[("main.mjs", "setInterval(() => {}, 1000); console.log('before'); process.exit(300); console.log('after');")],
        &["run", "main.mjs"],
        @""
    );
}

#[test]
fn only_named_variables_are_passed_on() {
    let program = "console.log(Object.entries(process.env).sort());";
    check!(&[("main.mjs", program)], &["run", "--env", "A=b=c", "--env", "SHELL_VARIABLE", "main.mjs"], @"");
    check!(&[("main.mjs", program)], &["run", "main.mjs"], @"");
    check!(&[("main.mjs", program)], &["run", "--env", "UNSET", "main.mjs"], @"");
}

#[test]
fn a_guest_sees_its_project_and_no_more() {
    let program = "import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
const attempt = (action) => { try { return action(); } catch (error) { return error.code; } };
console.log(readdirSync('/'), readdirSync('/app'), process.cwd());
console.log(attempt(() => readFileSync('/etc/passwd')), attempt(() => writeFileSync('/app/x', '')));
writeFileSync('/tmp/x', 'kept');
console.log(readFileSync('/tmp/x', 'utf8'));";
    check!(&[("tools/main.mjs", program)], &["run", "tools/main.mjs"], @"");
}

#[test]
fn private_addresses_are_out_of_reach_unless_allowed() {
    let program = "try { await fetch('http://127.0.0.1:9/'); } catch (error) { console.log(error.message, error.cause?.message); }";
    check!(&[("main.mjs", program)], &["run", "main.mjs"], @"");
    check!(&[("main.mjs", program)], &["run", "--allow-net", "no host", "main.mjs"], @"");
}

#[test]
fn a_syntax_error_shows_its_place() {
    check!(&[("main.ts", "const a: number = 1;\n\tconst b = ;\nlet c;\n")], &["run", "main.ts"], @"");
    check!(&[("main.js", "import './lib/broken.js';"), ("lib/broken.js", "function (")], &["run", "main.js"], @"");
}

#[test]
fn a_missing_package_names_its_import() {
    check!(&[("src/main.ts", "import type { A } from './a';\nimport { Hono } from 'hono';\n")], &["run", "src/main.ts"], @"");
    check!(&[("main.cjs", "const { a } = require('lodash');\n")], &["run", "main.cjs"], @"");
    check!(&[("main.mjs", "await import('./nothing.js');\n")], &["run", "main.mjs"], @"");
}

#[test]
fn a_missing_export_names_its_import() {
    check!(&[("main.mjs", "import { b } from './a.mjs';\n"), ("a.mjs", "export const a = 1;\n")], &["run", "main.mjs"], @"");
}

#[test]
fn what_nobody_catches_shows_the_mapped_stack() {
    let program = "type X = { a: number };\n\nfunction inner(x: X): never {\n  throw new TypeError('went wrong', { cause: new Error('deeper') });\n}\ninner({ a: 1 });\n";
    check!(&[("main.ts", program)], &["run", "main.ts"], @"");
    let later = "interface Later { ms: number }\nconst later: Later = { ms: 1 };\nsetTimeout(() => { throw new Error('later'); }, later.ms);\nsetTimeout(() => console.log('never'), 50);\n";
    check!(&[("main.ts", later)], &["run", "main.ts"], @"");
    check!(&[("main.mjs", "Promise.reject(new RangeError('no handler'));")], &["run", "main.mjs"], @"");
}

#[test]
fn a_limit_ends_a_program_with_124() {
    let scene = Scene::new(&[
        ("loop.mjs", "console.log('begin'); for (;;) {}"),
        ("microtasks.mjs", "const next = () => Promise.resolve().then(next); await next();"),
        ("memory.mjs", "const all = []; for (;;) all.push(new Array(1e5).fill(0.5));"),
        ("waits.mjs", "setInterval(() => {}, 10);"),
    ]);
    insta::assert_snapshot!(scene.atoll(&["run", "--cpu-ms", "100", "loop.mjs"]), @"");
    insta::assert_snapshot!(scene.atoll(&["run", "--cpu-ms", "100", "microtasks.mjs"]), @"");
    insta::assert_snapshot!(scene.atoll(&["run", "--memory-mib", "32", "memory.mjs"]), @"");
    insta::assert_snapshot!(scene.atoll(&["run", "--timeout-ms", "100", "waits.mjs"]), @"");
    let ended = scene.atoll(&["run", "--timeout-ms", "100", "loop.mjs"]);
    assert!(ended.starts_with("exit code 124\n"), "{ended}");
}

#[test]
fn what_is_no_program_is_refused() {
    let scene = Scene::new(&[("src/a.ts", "")]);
    insta::assert_snapshot!(scene.atoll(&["run", "nothing.ts"]), @"");
    insta::assert_snapshot!(scene.atoll(&["run", "src"]), @"");
}

#[test]
fn a_home_is_not_a_project() {
    let scene = Scene::new(&[]);
    std::fs::write(scene.home().join("package.json"), "{}").expect("a file");
    std::fs::write(scene.home().join("secret"), "").expect("a file");
    let folder = scene.home().join("scripts");
    std::fs::create_dir(&folder).expect("a directory");
    std::fs::write(folder.join("main.mjs"), "console.log((await import('node:fs')).readdirSync('/app'));").expect("a file");
    insta::assert_snapshot!(scene.atoll(&["run", "../scripts/main.mjs"]), @"");
}

#[test]
fn the_cache_may_be_missing_broken_or_gone() {
    let scene = Scene::new(&[("main.ts", "const a: number = 1;\nconsole.log(a);\n")]);
    let first = scene.atoll(&["run", "main.ts"]);
    assert_eq!(first, "exit code 0\n--- stdout\n1\n");
    assert_eq!(scene.atoll(&["run", "main.ts"]), first);
    std::fs::remove_dir_all(scene.home().join("cache")).expect("there is a cache");
    assert_eq!(scene.atoll(&["run", "main.ts"]), first);
    std::fs::remove_dir_all(scene.home().join("cache")).expect("there is a cache");
    std::fs::write(scene.home().join("cache"), "in the way").expect("a file");
    insta::assert_snapshot!(scene.atoll(&["run", "main.ts"]), @"");
}
