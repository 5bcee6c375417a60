//! `atoll run`: exit codes, arguments, what guests see, and how errors look.

use crate::harness::{Scene, check};
use std::io::{Read, Write};
use std::process::Stdio;

#[test]
fn a_program_has_its_arguments_and_its_exit_code() {
    let program = "console.log(process.argv.slice(2), process.cwd());
console.error('to stderr');
process.stdout.write('no line feed');
process.exitCode = 7;";
    check!(&[("main.ts", program)], &["run", "main.ts", "one", "--two", "-x"], @r"
exit code 7
--- stdout
[ 'one', '--two', '-x' ] /app
no line feed
--- stderr
to stderr
");
}

#[test]
fn process_exit_ends_at_once() {
    let program = "setInterval(() => {}, 1000); console.log('before'); process.exit(300); console.log('after');";
    check!(&[("main.mjs", program)], &["run", "main.mjs"], @r"
exit code 44
--- stdout
before
");
}

#[test]
fn only_named_variables_are_passed_on() {
    let program = "console.log(Object.entries(process.env).sort());";
    check!(&[("main.mjs", program)], &["run", "--env", "A=b=c", "--env", "SHELL_VARIABLE", "main.mjs"], @r"
exit code 0
--- stdout
[ [ 'A', 'b=c' ], [ 'SHELL_VARIABLE', 'from outside' ] ]
");
    check!(&[("main.mjs", program)], &["run", "main.mjs"], @r"
exit code 0
--- stdout
[]
");
    check!(&[("main.mjs", program)], &["run", "--env", "UNSET", "main.mjs"], @r"
exit code 1
--- stderr
error: --env UNSET: the variable is not set here
hint: write --env UNSET=VALUE
");
}

#[test]
fn a_guest_sees_its_project_and_no_more() {
    let program = "import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
const attempt = (action) => { try { return action(); } catch (error) { return error.code; } };
console.log(readdirSync('/'), readdirSync('/app'), process.cwd());
console.log(attempt(() => readFileSync('/etc/passwd')), attempt(() => writeFileSync('/app/x', '')));
writeFileSync('/tmp/x', 'kept');
console.log(readFileSync('/tmp/x', 'utf8'));";
    check!(&[("tools/main.mjs", program)], &["run", "tools/main.mjs"], @r"
exit code 0
--- stdout
[ 'app', 'dev', 'proc', 'tmp', 'usr' ] [ 'package.json', 'tools' ] /app
ENOENT EROFS
kept
");
}

#[test]
fn there_is_no_network_unless_allowed() {
    let program = "const [url] = process.argv.slice(2);
try { await fetch(url); console.log('reached'); } catch (error) { console.log(error.message, error.cause?.message); }";
    let scene = Scene::new(&[("main.mjs", program)]);
    insta::assert_snapshot!(scene.atoll(&["run", "main.mjs", "http://127.0.0.1:9/"]), @r"
exit code 0
--- stdout
fetch failed connecting to 127.0.0.1:[PORT] is not allowed; start with --net allow=127.0.0.1:[PORT] to allow it
");
    // A name is not even resolved.
    insta::assert_snapshot!(scene.atoll(&["run", "main.mjs", "https://example.org/"]), @r"
exit code 0
--- stdout
fetch failed connecting to example.org:443 is not allowed; start with --net allow=example.org:443 to allow it
");
    insta::assert_snapshot!(scene.atoll(&["run", "--net", "allow=public", "main.mjs", "http://127.0.0.1:9/"]), @r"
exit code 0
--- stdout
fetch failed connecting to 127.0.0.1:[PORT] is not allowed; start with --net allow=127.0.0.1:[PORT] to allow it
");
    for flags in [["--net", "allow=127.0.0.1:9"], ["--net", "127.0.0.0/8"], ["--allow-net", "127.0.0.1"]] {
        let refused = scene.atoll(&["run", flags[0], flags[1], "main.mjs", "http://127.0.0.1:9/"]);
        assert!(refused.contains("fetch failed") && !refused.contains("is not allowed"), "{flags:?}: {refused}");
    }
    insta::assert_snapshot!(scene.atoll(&["run", "--net", "no host", "main.mjs"]), @r"
exit code 1
--- stderr
error: --net: 'no host' is not an address to allow: write HOST, HOST:PORT, an IP address, a block like 10.0.0.0/8, or public
");
}

#[test]
fn a_system_without_certificates_has_plain_http_and_says_why_not_more() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("it has one");
    let answering = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().expect("a connection");
        let mut request = [0; 4096];
        assert!(connection.read(&mut request).expect("a request") > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nin clear")
    });
    let program = "const [host] = process.argv.slice(2);
console.log(await (await fetch(`http://${host}/`)).text());
try { await fetch(`https://${host}/`); } catch (error) { console.log(error.message, error.cause?.message); }";
    let scene = Scene::new(&[("main.mjs", program)]);
    let mut command = scene.command(&["run", "--net", "allow=127.0.0.1", "main.mjs", &address.to_string()]);
    let output = command.env("SSL_CERT_FILE", "/dev/null").output().expect("the binary runs");
    insta::assert_snapshot!(scene.shown(&output), @r"
exit code 0
--- stdout
in clear
fetch failed TLS can't be set up: unexpected error: No CA certificates were loaded from the system
");
    answering.join().expect("no panic").expect("an answer");
}

#[test]
fn mounts_show_what_they_name_with_the_right_that_they_name() {
    let program = "import fs from 'node:fs';
const attempt = (action) => { try { return action() ?? 'done'; } catch (error) { return error.code; } };
const [directory] = process.argv.slice(2);
console.log(
  attempt(() => fs.readdirSync('/')), attempt(() => fs.readFileSync(`${directory}/given`, 'utf8')),
  attempt(() => fs.writeFileSync(`${directory}/made`, 'by the guest')), attempt(() => fs.renameSync(`${directory}/made`, '/tmp/made')),
);";
    let scene = Scene::new(&[("main.mjs", program), ("data/given", "by the host")]);
    let ran = |mount: &str, directory: &str| scene.atoll(&["run", "--mount", mount, "main.mjs", directory]);
    insta::assert_snapshot!(ran("/data=data", "/data"), @r"
exit code 0
--- stdout
[ 'app', 'data', 'dev', 'proc', 'tmp', 'usr' ] by the host EROFS EROFS
");
    assert!(!scene.exists("data/made"));
    insta::assert_snapshot!(ran("/deep/down=./data:rw", "/deep/down"), @r"
exit code 0
--- stdout
[ 'app', 'deep', 'dev', 'proc', 'tmp', 'usr' ] by the host done EXDEV
");
    assert_eq!(scene.read("data/made"), "by the guest");
    // With changes that are seen by the program alone.
    std::fs::remove_file(scene.project().join("data/made")).expect("it is there");
    insta::assert_snapshot!(ran("/data=data:overlay", "/data"), @r"
exit code 0
--- stdout
[ 'app', 'data', 'dev', 'proc', 'tmp', 'usr' ] by the host done EXDEV
");
    assert!(!scene.exists("data/made"));
    // Within the project, whose other files stay as they are.
    insta::assert_snapshot!(ran("/app/data=data:rw", "/app/data"), @r"
exit code 0
--- stdout
[ 'app', 'dev', 'proc', 'tmp', 'usr' ] by the host done EXDEV
");
    // In place of the project.
    insta::assert_snapshot!(ran("/app=.:rw", "/app/data"), @r"
exit code 0
--- stdout
[ 'app', 'dev', 'proc', 'tmp', 'usr' ] by the host done EXDEV
");
}

#[test]
fn a_program_has_devices_and_its_standard_streams_as_files() {
    let program = "import fs from 'node:fs';
fs.writeFileSync('/dev/null', 'dropped');
fs.writeFileSync('/dev/stdout', `read: ${fs.readFileSync('/dev/stdin', 'utf8')}\\n`);
fs.writeFileSync('/dev/stderr', 'to stderr\\n');
console.log(fs.readdirSync('/dev'), fs.statSync('/dev/null').isCharacterDevice());";
    let scene = Scene::new(&[("main.mjs", program)]);
    let mut command = scene.command(&["run", "main.mjs"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("a pipe").write_all(b"from the host").expect("it reads");
    insta::assert_snapshot!(scene.shown(&child.wait_with_output().expect("it ends")), @r"
exit code 0
--- stdout
read: from the host
[ 'null', 'stderr', 'stdin', 'stdout', 'urandom', 'zero' ] true
--- stderr
to stderr
");
    // Nobody writes, and nobody closes the pipe.
    let mut command = scene.command(&["run", "--timeout", "200ms", "main.mjs"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let input = child.stdin.take();
    let ended = scene.shown(&child.wait_with_output().expect("it ends"));
    drop(input);
    assert!(!ended.starts_with("exit code 0"), "{ended}");
}

/// Runs a program with this on its standard input, which stays open if it is to.
pub(crate) fn with_input(program: &str, input: &[u8], stays_open: bool) -> String {
    let scene = Scene::new(&[("main.mjs", program)]);
    let mut command = scene.command(&["run", "--timeout", "20s", "main.mjs"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).expect("it reads, or the pipe holds it");
    let pipe = stays_open.then_some(pipe);
    let output = child.wait_with_output().expect("it ends");
    drop(pipe);
    scene.shown(&output)
}

#[test]
fn standard_input_is_a_stream() {
    let all = "let text = ''; for await (const chunk of process.stdin) text += chunk; console.log(text.length, process.stdin.fd);";
    assert_eq!(with_input(all, &vec![b'x'; 60_000], false), "exit code 0\n--- stdout\n60000 0\n");
    assert_eq!(with_input(all, b"", false), "exit code 0\n--- stdout\n0 0\n");
    let lines = "import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) console.log(`<${line}>`);";
    assert_eq!(with_input(lines, b"one\ntwo\r\nthree", false), "exit code 0\n--- stdout\n<one>\n<two>\n<three>\n");
}

#[test]
fn standard_input_that_nobody_wants_keeps_no_program_alive() {
    // It is there, and nobody reads.
    assert_eq!(with_input("console.log(typeof process.stdin.on);", b"", true), "exit code 0\n--- stdout\nfunction\n");
    // One line is enough, and the pipe stays open.
    let first = "process.stdin.once('data', (chunk) => { console.log(String(chunk)); process.stdin.pause(); });";
    assert_eq!(with_input(first, b"only this", true), "exit code 0\n--- stdout\nonly this\n");
    let given_up = "process.stdin.on('data', () => {}); setTimeout(() => process.stdin.destroy(), 50);";
    assert_eq!(with_input(given_up, b"", true), "exit code 0\n");
    // What was paused can go on.
    let again = "const seen = []; process.stdin.on('data', (chunk) => {
  seen.push(String(chunk)); process.stdin.pause(); setTimeout(() => process.stdin.resume(), 10);
}).on('end', () => console.log(seen.join('')));";
    assert_eq!(with_input(again, b"in the end", false), "exit code 0\n--- stdout\nin the end\n");
}

#[test]
fn mounts_that_make_no_sense_are_explained() {
    let scene = Scene::new(&[("main.mjs", "")]);
    let ran = |mount: &str| scene.atoll(&["run", "--mount", mount, "main.mjs"]);
    insta::assert_snapshot!(ran("data"), @r"
exit code 2
--- stderr
error: invalid value 'data' for '--mount <GUEST=HOST[:ro|:rw|:overlay]>': write GUEST=HOST, as in /data=./data

For more information, try '--help'.
");
    insta::assert_snapshot!(ran("/data=nowhere"), @r"
exit code 1
--- stderr
error: --mount /data: cannot open the directory [HOME]/app/nowhere: No such file or directory (os error 2)
");
    insta::assert_snapshot!(ran("/app/none=."), @r"
exit code 1
--- stderr
error: /app/none is not a directory of the mount it lies in
hint: make a directory for it where /app is, or choose a mount point that is directly below /
");
}

#[test]
fn what_a_program_is_refused_names_the_flag_that_grants_it() {
    let read = "import { readFileSync } from 'node:fs'; readFileSync('/srv/data/x');";
    let write = "import { writeFileSync } from 'node:fs'; setTimeout(() => writeFileSync('/app/x', ''), 1);";
    let scene = Scene::new(&[("read.mjs", read), ("write.mjs", write)]);
    let ended = scene.atoll(&["run", "read.mjs"]);
    let hint = "hint: the program sees its project and what is mounted; --mount /srv/data=/srv/data shows it that\n";
    assert!(ended.starts_with("exit code 1\n") && ended.ends_with(hint), "{ended}");
    assert!(ended.contains("error: Error: ENOENT: no such file or directory, open '/srv/data/x'\n"), "{ended}");
    let ended = scene.atoll(&["run", "write.mjs"]);
    let hint = "hint: /app is mounted read-only, or nothing is mounted there; \
                --mount GUEST=HOST:rw shows a directory that may be written to\n";
    assert!(ended.starts_with("exit code 1\n") && ended.ends_with(hint), "{ended}");
    // What is not there in a mount is the program's own affair.
    let missing = scene.atoll(&["run", "-e", "require('node:fs').readFileSync('/tmp/x')"]);
    assert!(missing.contains("ENOENT") && !missing.contains("hint"), "{missing}");
}

#[test]
fn a_program_may_be_a_text() {
    let scene = Scene::new(&[("lib/part.ts", "export const part: number = 3;")]);
    let module = "import { part } from './lib/part.ts'; const twice: number = part * 2; console.log(twice, process.argv.slice(2));";
    insta::assert_snapshot!(scene.atoll(&["run", "-e", module, "one", "--two"]), @r"
exit code 0
--- stdout
6 [ 'one', '--two' ]
");
    insta::assert_snapshot!(scene.atoll(&["run", "--code", "console.log(typeof require, __filename); const a = ;"]), @r"
exit code 1
--- stderr
error: Unexpected token
  --> [eval].ts:1:52
   |
 1 | console.log(typeof require, __filename); const a = ;
   |                                                    ^
");
    let piped = |arguments: &[&str], text: &str| {
        let mut command = scene.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        scene.shown(&child.wait_with_output().expect("it ends"))
    };
    insta::assert_snapshot!(piped(&["run"], "console.log('piped', import.meta.url)"), @r"
exit code 0
--- stdout
piped file:///app/[stdin].ts
");
    insta::assert_snapshot!(piped(&["run", "-", "x"], "throw new Error(process.argv[2])"), @r"
exit code 1
--- stderr
error: Error: x
    at /app/[stdin].ts:1:7
");
}

#[test]
fn a_syntax_error_shows_its_place() {
    check!(&[("main.ts", "const a: number = 1;\n\tconst b = ;\nlet c;\n")], &["run", "main.ts"], @r"
exit code 1
--- stderr
error: Unexpected token
  --> main.ts:2:12
   |
 1 | const a: number = 1;
 2 |     const b = ;
   |               ^
 3 | let c;
");
    check!(&[("main.js", "import './lib/broken.js';"), ("lib/broken.js", "function (")], &["run", "main.js"], @r"
exit code 1
--- stderr
error: SyntaxError: Function statements require a function name
  --> lib/broken.js:1:1
   |
 1 | function (
   | ^
");
}

#[test]
fn a_missing_package_names_its_import() {
    check!(&[("src/main.ts", "import type { A } from './a';\nimport { Hono } from 'hono';\nnew Hono();\n")], &["run", "src/main.ts"], @r#"
exit code 1
--- stderr
error: Cannot find package 'hono' imported from /app/src/main.ts
  --> src/main.ts:2:22
   |
 1 | import type { A } from './a';
 2 | import { Hono } from 'hono';
   |                      ^^^^^^
 3 | new Hono();
hint: add "hono" to the dependencies in package.json and run `atoll install`
"#);
    check!(&[("main.cjs", "const { a } = require('lodash');\n")], &["run", "main.cjs"], @r"
exit code 1
--- stderr
error: Error: Cannot find module 'lodash'
| Require stack:
| - /app/main.cjs
    at Object.<anonymous> (/app/main.cjs:1:15)
hint: if it is a package, name it in package.json and run `atoll install`
");
    check!(&[("main.mjs", "await import('./nothing.js');\n")], &["run", "main.mjs"], @r"
exit code 1
--- stderr
error: Cannot find module '/app/nothing.js' imported from /app/main.mjs
  --> main.mjs:1:14
   |
 1 | await import('./nothing.js');
   |              ^^^^^^^^^^^^^^
");
}

#[test]
fn a_missing_export_names_its_import() {
    check!(&[("main.mjs", "import { b } from './a.mjs';\n"), ("a.mjs", "export const a = 1;\n")], &["run", "main.mjs"], @r"
exit code 1
--- stderr
error: SyntaxError: The requested module './a.mjs' does not provide an export named 'b'
  --> main.mjs:1:10
   |
 1 | import { b } from './a.mjs';
   |          ^
");
}

#[test]
fn what_nobody_catches_shows_the_mapped_stack() {
    let program = "type X = { a: number };\n\nfunction inner(x: X): never {\n  throw new TypeError('went wrong', { cause: new Error('deeper') });\n}\ninner({ a: 1 });\n";
    check!(&[("main.ts", program)], &["run", "main.ts"], @r"
exit code 1
--- stderr
error: TypeError: went wrong
    at inner (file:///app/main.ts:4:9)
    at file:///app/main.ts:6:1
  [cause]: Error: deeper
      at inner (file:///app/main.ts:4:46)
      at file:///app/main.ts:6:1
");
    let later = "interface Later { ms: number }\nconst later: Later = { ms: 1 };\nsetTimeout(() => { throw new Error('later'); }, later.ms);\nsetTimeout(() => console.log('never'), 50);\n";
    check!(&[("main.ts", later)], &["run", "main.ts"], @r"
exit code 1
--- stderr
uncaught Error: later
    at file:///app/main.ts:3:26
");
    check!(&[("main.mjs", "Promise.reject(new RangeError('no handler'));")], &["run", "main.mjs"], @r"
exit code 1
--- stderr
uncaught RangeError: no handler
    at file:///app/main.mjs:1:16
");
}

#[test]
fn a_limit_ends_a_program_with_124() {
    let scene = Scene::new(&[
        ("loop.mjs", "console.log('begin'); for (;;) {}"),
        ("microtasks.mjs", "const next = () => Promise.resolve().then(next); await next();"),
        ("memory.mjs", "const all = []; for (;;) all.push(new Array(1e5).fill(0.5));"),
        ("waits.mjs", "setInterval(() => {}, 10);"),
        (
            "turns.mjs",
            "let turns = 0;
             const turn = () => {
               const end = performance.now() + 20;
               while (performance.now() < end);
               if (++turns < 500) setTimeout(turn);
             };
             turn();",
        ),
    ]);
    for (flag, value, file, reason, hint) in [
        ("--cpu-ms", "100", "loop.mjs", "cpu (", "--cpu-ms"),
        ("--cpu", "100ms", "loop.mjs", "cpu (", "--cpu-ms"),
        ("--cpu-ms", "100", "microtasks.mjs", "cpu (", "--cpu-ms"),
        ("--cpu", "200ms", "turns.mjs", "cpu (", "--cpu-ms"),
        ("--memory", "32M", "memory.mjs", "heap (", "--heap-mib"),
        ("--memory-mib", "32", "memory.mjs", "heap (", "--heap-mib"),
    ] {
        let ended = scene.atoll(&["run", flag, value, file]);
        assert!(ended.starts_with("exit code 124\n"), "{ended}");
        assert!(ended.contains(&format!("error: the program was ended by its limit: {reason}")), "{ended}");
        assert!(ended.ends_with(&format!("hint: {hint} allows more\n")), "{ended}");
    }
    assert!(scene.atoll(&["run", "--cpu-ms", "100", "loop.mjs"]).contains("--- stdout\nbegin\n"));
    insta::assert_snapshot!(scene.atoll(&["run", "--timeout-ms", "100", "waits.mjs"]), @r"
exit code 124
--- stderr
error: the program was not over after [TIME]
hint: --timeout allows more
");
    assert!(scene.atoll(&["run", "--timeout", "soon", "loop.mjs"]).contains("write a time as in 30s"));
    let ended = scene.atoll(&["run", "--timeout", "100ms", "loop.mjs"]);
    assert!(ended.starts_with("exit code 124\n"), "{ended}");
}

#[test]
fn what_is_no_program_is_refused() {
    let scene = Scene::new(&[("src/a.ts", "")]);
    insta::assert_snapshot!(scene.atoll(&["run", "nothing.ts"]), @r"
exit code 1
--- stderr
error: there is no nothing.ts
");
    insta::assert_snapshot!(scene.atoll(&["run", "src"]), @r"
exit code 1
--- stderr
error: src is a directory
hint: name the program's file, or serve the app in it: atoll serve src
");
}

#[test]
fn a_home_is_not_a_project() {
    let scene = Scene::new(&[]);
    std::fs::write(scene.home().join("package.json"), "{}").expect("a file");
    std::fs::write(scene.home().join("secret"), "").expect("a file");
    let folder = scene.home().join("scripts");
    std::fs::create_dir(&folder).expect("a directory");
    std::fs::write(folder.join("main.mjs"), "console.log((await import('node:fs')).readdirSync('/app'));")
        .expect("a file");
    insta::assert_snapshot!(scene.atoll(&["run", "../scripts/main.mjs"]), @r"
exit code 0
--- stdout
[ 'main.mjs' ]
");
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
    insta::assert_snapshot!(scene.atoll(&["run", "main.ts"]), @r"
exit code 0
--- stdout
1
--- stderr
warning: compiled code can't be kept in [HOME]/cache: Not a directory (os error 20)
");
}
