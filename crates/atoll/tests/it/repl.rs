//! Interactive sessions: line by line over pipes, and on a terminal.

use crate::harness::Scene;
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// The longest that an answer may take. The binary is not optimised, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Types lines into a session without a terminal, to its end: exit code and output.
fn typed_into(scene: &Scene, flags: &[&str], lines: &[&str]) -> String {
    let mut command = scene.command(&[&["run", "--interactive"], flags].concat());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("a pipe");
    // A session that has ended reads no more.
    let _ = input.write_all((lines.join("\n") + "\n").as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("the binary's output");
    let shown = scene.shown(&output);
    let welcome = shown.find("typing code\n").map(|at| at + "typing code\n".len()).expect("a welcome");
    format!("{}\n{}", shown.lines().next().unwrap_or_default(), &shown[welcome..])
}

fn session(lines: &[&str]) -> String {
    typed_into(&Scene::new(&[]), &[], lines)
}

#[test]
fn values_are_shown_and_kept() {
    insta::assert_snapshot!(session(&[
        "1 + 1",
        "_ * 21",
        "'a string'",
        "undefined",
        "{ a: [1, new Map([['k', -0]])], b: 12n }",
        "2n ** 70n",
        "[NaN, null, Symbol('s')]",
        "NaN",
        "-0",
        "'\\ud800'",
        "class A { #x = 1 }",
        "new A()",
        "console.log('said')",
        "_ = 5; 6",
        "_",
        "let _ = 'mine'; 7",
        "_",
    ]), @r"
    exit code 0
    > 2
    > 42
    > 'a string'
    > undefined
    > { a: [ 1, Map(1) { 'k' => -0 } ], b: 12n }
    > 1180591620717411303424n
    > [ NaN, null, Symbol(s) ]
    > NaN
    > -0
    > '\ud800'
    > undefined
    > A {}
    > said
    undefined
    > 6
    > 5
    > 7
    > 'mine'
    >
    ");
}

#[test]
fn names_may_be_declared_again() {
    insta::assert_snapshot!(session(&[
        "const a = 1; let b = 2; class C {}",
        "const a = 10; let b = 20; class C { static d = 3 }",
        "[a, b, C.d]",
        "function f() { return 1 }",
        "function f() { return 2 }",
        "f()",
    ]), @r"
    exit code 0
    > undefined
    > undefined
    > [ 10, 20, 3 ]
    > undefined
    > undefined
    > 2
    >
    ");
}

#[test]
fn what_is_not_complete_goes_on() {
    insta::assert_snapshot!(session(&[
        "function f(a,",
        "b) {",
        "  return a + b;",
        "}",
        "f(1, 2)",
        "`one",
        "two ${ f(",
        "3, 4) }`",
        "/* a remark",
        "that goes on */ 5",
        "[1,",
        ".break",
        "6",
        "f(",
    ]), @r"
    exit code 0
    > ... ... ... undefined
    > 3
    > ... ... 'one\ntwo 7'
    > ... 5
    > ... > 6
    > ... Uncaught [SyntaxError: Unexpected end of input]
    >
    ");
}

#[test]
fn await_is_allowed_and_modules_are_found_from_the_working_directory() {
    let scene = Scene::new(&[
        ("lib.mjs", "export const name = 'lib';"),
        ("old.cjs", "module.exports = { old: true };"),
        ("typed.ts", "export const typed: number = 1;"),
    ]);
    insta::assert_snapshot!(typed_into(&scene, &[], &[
        "await 1",
        "const { name } = await import('./lib.mjs'); name",
        "require('./old.cjs')",
        "(await import('./typed.ts')).typed",
        "for await (const x of [Promise.resolve(1)]) console.log(x)",
        "await new Promise((resolve) => setTimeout(resolve, 10, 'later'))",
        "await Promise.reject(new RangeError('no')).catch((error) => error.message)",
        "path.join('a', '..', 'b')",
        "await new Promise(() => {})",
        "import { name } from './lib.mjs'",
        ".load lib.js",
        ".load old.cjs",
    ]), @r"
    exit code 0
    > 1
    > 'lib'
    > { old: true }
    > 1
    > 1
    undefined
    > 'later'
    > 'no'
    > 'b'
    > nothing is left that could settle what it awaits
    > Uncaught [SyntaxError: Cannot use import statement outside a module]
    hint: what is typed is no module; write const { name } = await import('module')
    > Uncaught Error: ENOENT: no such file or directory, open 'lib.js'
    > { old: true }
    >
    ");
}

#[test]
fn types_are_removed() {
    insta::assert_snapshot!(session(&[
        "const n: number = 1; n",
        "interface Shape {",
        "  area: number }",
        "enum Colour { Red, Green }",
        "Colour[1]",
        "const identity = <T,>(x: T): T => x",
        "identity<string>('typed')",
        "(await Promise.resolve(3)) as number",
        "1 < 2 > (3)",
    ]), @r"
    exit code 0
    > 1
    > ... undefined
    > undefined
    > 'Green'
    > undefined
    > 'typed'
    > 3
    > Uncaught TypeError: 1 is not a function
        at <anonymous>:1:2
    >
    ");
}

#[test]
fn errors_are_shown_and_the_session_goes_on() {
    insta::assert_snapshot!(session(&[
        "throw new TypeError('wrong', { cause: 'this' })",
        "_error.message",
        "missing",
        "throw { an: 'object' }",
        "await Promise.reject('a reason')",
        "let let",
        "Promise.reject(new Error('nobody handles it')); 'first'",
        "setTimeout(() => { throw new Error('in a timer') }, 1); await new Promise((resolve) => setTimeout(resolve, 300))",
        "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('not to be shown') } })",
        "Object.prototype.objectId = Object.prototype.error = 'mine'; 'still right'",
        ".nope",
    ]), @r"
    exit code 0
    > Uncaught TypeError: wrong
        at <anonymous>:1:7 {
      [cause]: 'this'
    }
    > 'wrong'
    > Uncaught ReferenceError: missing is not defined
        at <anonymous>:1:1
    > Uncaught { an: 'object' }
    > Uncaught 'a reason'
    > Uncaught [SyntaxError: let is disallowed as a lexically bound name]
    > 'first'
    > undefined
    > Uncaught Error: not to be shown
        at [nodejs.util.inspect.custom] (<anonymous>:1:57)
    > 'still right'
    > there is no command .nope; .help lists them
    > 
    --- stderr
    uncaught Error: nobody handles it
        at <anonymous>:1:16
    uncaught Error: in a timer
        at Timeout.<anonymous> (<anonymous>:1:26)
    ");
}

#[test]
fn process_exit_has_its_code_and_listeners_hear_of_the_end() {
    insta::assert_snapshot!(session(&["process.exit(3)", "'never'"]), @r"
    exit code 3
    >
    ");
    insta::assert_snapshot!(session(&["process.on('exit', (code) => console.log('bye', code)); 1", ".exit", "2"]), @r"
    exit code 0
    > 1
    > bye 0
    ");
    insta::assert_snapshot!(session(&["process.exitCode = 4"]), @r"
    exit code 4
    > 4
    >
    ");
}

#[test]
fn a_session_is_in_the_sandbox_and_says_which_flag_grants_more() {
    let lines = [
        "fs.readFileSync('/etc/hostname', 'utf8')",
        "fs.writeFileSync('made', '')",
        "fs.writeFileSync('/tmp/made', 'x'); fs.readdirSync('/tmp')",
        "process.env.SHELL_VARIABLE",
        "await fetch('http://127.0.0.1:9/').catch((error) => error.cause.message)",
        "fs.readFileSync('/dev/stdin', 'utf8')",
    ];
    insta::assert_snapshot!(session(&lines), @r"
    exit code 0
    > Uncaught Error: ENOENT: no such file or directory, open '/etc/hostname'
        at <anonymous>:1:4 {
      errno: -2,
      code: 'ENOENT',
      syscall: 'open',
      path: '/etc/hostname'
    }
    hint: the program sees its project and what is mounted; --mount /etc=/etc shows it that
    > Uncaught Error: EROFS: read-only file system, open 'made'
        at <anonymous>:1:4 {
      errno: -30,
      code: 'EROFS',
      syscall: 'open',
      path: 'made'
    }
    > [ 'made' ]
    > undefined
    > 'connecting to 127.0.0.1:[PORT] is not allowed; start with --net allow=127.0.0.1:[PORT] to allow it'
    > ''
    >
    ");
    let scene = Scene::new(&[("data/x", "given")]);
    let granted = typed_into(
        &scene,
        &["--mount", "/data=./data", "--env", "SHELL_VARIABLE"],
        &["fs.readFileSync('/data/x', 'utf8') + process.env.SHELL_VARIABLE"],
    );
    assert!(granted.contains("> 'givenfrom outside'"), "{granted}");
}

#[test]
fn limits_on_time_end_an_entry_and_those_on_memory_the_session() {
    let shown = typed_into(
        &Scene::new(&[]),
        &["--cpu", "300ms"],
        &[
            "setInterval(() => {}, 50).unref(); for (;;);",
            "await new Promise((resolve) => setTimeout(resolve, 20, 'timers go on'))",
        ],
    );
    assert!(shown.contains("ended by its limit: cpu (3"), "{shown}");
    assert!(shown.contains("hint: --cpu-ms allows more\n> 'timers go on'"), "{shown}");
    let shown = typed_into(
        &Scene::new(&[]),
        &["--timeout", "500ms"],
        &["await new Promise((resolve) => setTimeout(resolve, 60_000))", "'next'"],
    );
    assert!(shown.contains("ended by its limit: wall (500 of [TIME])"), "{shown}");
    assert!(shown.contains("> 'next'"), "{shown}");
    let shown = typed_into(
        &Scene::new(&[]),
        &["--memory", "16M"],
        &["const kept = []; for (;;) kept.push(new Array(1000).fill(kept.length))", "'never'"],
    );
    assert!(shown.starts_with("exit code 124"), "{shown}");
    assert!(shown.contains("error: the program was ended by its limit: heap"), "{shown}");
    assert!(!shown.contains("never"), "{shown}");
}

#[test]
fn a_program_that_is_piped_in_is_no_session() {
    let scene = Scene::new(&[]);
    let mut command = scene.command(&["run"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(b"console.log('a program')\n1").expect("it reads");
    let output = child.wait_with_output().expect("the binary's output");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a program\n");
}

/// A session on a terminal.
struct Terminal {
    child: Child,
    pty: Pty,
    output: Receiver<Vec<u8>>,
    /// All that came.
    raw: Vec<u8>,
    /// What of the text without control sequences was expected already.
    seen: usize,
}

impl Terminal {
    fn start(scene: &Scene, flags: &[&str]) -> Self {
        let (pty, side) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(24, 100)).expect("it has a size");
        let command = Command::new(env!("CARGO_BIN_EXE_atoll")).arg("run").args(flags).current_dir(scene.project());
        let command = command.env_clear().envs(scene.environment()).env("TERM", "xterm-256color");
        let child = command.spawn(side).expect("the binary runs");
        let (sender, output) = sync_channel(64);
        let descriptor = rustix::io::dup(&pty).expect("a descriptor");
        std::thread::spawn(move || {
            let mut pty = std::fs::File::from(descriptor);
            let mut chunk = [0; 4096];
            // A terminal without a process gives an error.
            while let Ok(count @ 1..) = pty.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Self { child, pty, output, raw: Vec::new(), seen: 0 };
        terminal.expect("typing code\n> ");
        terminal
    }

    fn text(&self) -> String {
        anstream::adapter::strip_str(&String::from_utf8_lossy(&self.raw)).to_string().replace('\r', "")
    }

    /// Waits until this comes, after what was expected before.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            let rest = text.get(self.seen..).unwrap_or_default();
            if let Some(at) = rest.find(expected) {
                self.seen += at + expected.len();
                return;
            }
            let came = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let Ok(chunk) = came else {
                panic!("{expected:?} did not come behind\n{}\nin\n{rest}", &text[..self.seen]);
            };
            self.raw.extend(chunk);
        }
    }

    fn keys(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Types a line and waits for what it gives.
    #[track_caller]
    fn enter(&mut self, line: &str, expected: &str) {
        self.keys(&format!("{line}\r"));
        self.expect(&format!("\n{expected}\n> "));
    }

    #[track_caller]
    fn ends_with(mut self, code: i32) -> String {
        let deadline = Instant::now() + PATIENCE;
        // Its output ends with it.
        while let Ok(chunk) = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.raw.extend(chunk);
        }
        let text = self.text();
        match self.child.try_wait() {
            Ok(None) if Instant::now() >= deadline => panic!("it did not end:\n{text}"),
            _ => assert_eq!(self.child.wait().expect("it has ended").code(), Some(code), "{text}"),
        }
        text
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Some(pid) = Pid::from_raw(self.child.id().cast_signed())
        {
            let _ = kill_process(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

#[test]
fn a_terminal_has_an_editor_and_colours() {
    let mut terminal = Terminal::start(&Scene::new(&[]), &[]);
    terminal.enter("[1, 'a']", "[ 1, 'a' ]");
    assert!(String::from_utf8_lossy(&terminal.raw).contains("\x1b[33m1\x1b[39m"), "{:?}", terminal.text());
    // Lines that belong together are edited together.
    terminal.enter("function f() {\rreturn 'both'\r}", "undefined");
    terminal.enter("f()", "'both'");
    // What is deleted is gone, and Ctrl-C clears the line.
    terminal.enter("12x\x7f + 1", "13");
    terminal.keys("throw 'never' \x03");
    terminal.expect("\n> ");
    terminal.enter("2 + 2", "4");
    terminal.keys("\x04");
    assert!(!terminal.ends_with(0).contains("Uncaught"));
}

#[test]
fn ctrl_c_ends_what_runs_and_the_session_goes_on() {
    let mut terminal = Terminal::start(&Scene::new(&[]), &[]);
    terminal.enter("let ticks = 0; setInterval(() => { ticks++ }, 20); 1", "1");
    terminal.keys("console.log('go' + 'ing'); for (;;);\r");
    terminal.expect("\ngoing\n");
    terminal.keys("\x03");
    terminal.expect("interrupted\n> ");
    terminal.keys("console.log('wait' + 'ing'); await new Promise((resolve) => setTimeout(resolve, 1e8))\r");
    terminal.expect("\nwaiting\n");
    terminal.keys("\x03");
    terminal.expect("interrupted\n> ");
    // A callback without an end, while a line is edited.
    terminal.keys("setTimeout(() => { console.log('with' + 'out end'); for (;;); }, 10); 2\r");
    terminal.expect("without end\n");
    terminal.keys("\x03");
    terminal.expect("interrupted\n");
    terminal.keys("const before = ticks; await new Promise((resolve) => setTimeout(resolve, 500)); ticks > before\r");
    terminal.expect("\ntrue\n> ");
    // Twice ends it.
    terminal.keys("\x03");
    terminal.expect("ends the session)");
    terminal.expect("> ");
    terminal.keys("\x03");
    terminal.ends_with(0);
}

#[test]
fn timers_go_on_while_nobody_types() {
    let mut terminal = Terminal::start(&Scene::new(&[]), &[]);
    terminal.enter("setTimeout(() => console.log('ti' + 'ck'), 50); 1", "1");
    terminal.expect("tick\n");
    // A line that is begun stays.
    terminal.enter(
        "let n = 0; const i = setInterval(() => { console.log('n' + ++n); if (n == 3) clearInterval(i) }, 100); 2",
        "2",
    );
    terminal.keys("'be");
    terminal.expect("n3\n");
    terminal.enter("gun'", "'begun'");
    // A rejection that nobody handles.
    terminal.keys("setTimeout(() => Promise.reject(new Error('late')), 10); 3\r");
    terminal.expect("uncaught Error: late");
    // What is typed ahead is not lost.
    terminal.keys("'ahead' + 1\r'ahead' + 2\r");
    terminal.expect("\n'ahead1'\n");
    terminal.expect("\n'ahead2'\n> ");
    // Far more than the editor takes at a time.
    terminal.keys("setTimeout(() => { for (let n = 0; n < 20_000; n++) console.log('line ' + n) }, 10); 4\r");
    terminal.expect("line 99\n");
    terminal.keys("'typed ' + 'meanwhile'\r");
    terminal.expect("line 19999\n");
    terminal.enter("5", "5");
    assert!(terminal.text().contains("\n'typed meanwhile'\n"), "{}", terminal.text());
    terminal.enter("setTimeout(() => process.exit(6), 10); 7", "7");
    terminal.ends_with(6);
}

#[test]
fn tab_completes_and_runs_nothing() {
    let mut terminal = Terminal::start(&Scene::new(&[]), &[]);
    terminal.enter("process.cw\t()", "'/app'");
    terminal.enter("structuredCl\t(1)", "1");
    terminal.enter("fs.readFileS\t.name", "'readFileSync'");
    terminal.enter("const declared = { inner: { value: 41 } }", "undefined");
    terminal.enter("decl\t.in\t.val\t + 1", "42");
    terminal.enter("const text = 'abc'; 'abc'.length", "3");
    terminal.enter("1; text.toUpperC\t()", "'ABC'");
    terminal.enter("var hits = 0; var o = { get danger() { hits++; return { deep: 1 } } }", "undefined");
    terminal.enter(
        "var p = new Proxy({}, { ownKeys() { hits++; return [] }, get() { hits++ }, getPrototypeOf() { hits++ } })",
        "undefined",
    );
    terminal.keys("o.danger.\t\t");
    terminal.keys("\x15p.\t\t\x15p.a.\t\t\x15");
    terminal.enter("hits", "0");
    terminal.keys(".ex\t\r");
    terminal.ends_with(0);
}

#[test]
fn history_is_kept_for_the_user_alone() {
    let scene = Scene::new(&[]);
    let path = scene.home().join("state/repl-history");
    let mut terminal = Terminal::start(&scene, &[]);
    terminal.enter("'first' + 1", "'first1'");
    terminal.enter(" 'with a space'", "'with a space'");
    terminal.enter("[\r2]", "[ 2 ]");
    terminal.keys("\x04");
    terminal.ends_with(0);
    assert_eq!(std::fs::read_to_string(&path).expect("a history"), "'first' + 1\n[\\n2]\n");
    assert_eq!(std::fs::metadata(&path).expect("a history").permissions().mode() & 0o777, 0o600);
    let mut terminal = Terminal::start(&scene, &[]);
    terminal.keys("\x1b[A\x1b[A\x1b[A");
    terminal.expect("'first' + 1");
    terminal.enter("", "'first1'");
    drop(terminal);
    let mut terminal = Terminal::start(&scene, &["--no-history"]);
    terminal.enter("'secret'", "'secret'");
    drop(terminal);
    assert!(!std::fs::read_to_string(&path).expect("a history").contains("secret"));
}

#[test]
fn a_signal_from_outside_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::start(&Scene::new(&[]), &[]);
    terminal.keys("'half");
    terminal.expect("'half");
    let pid = Pid::from_raw(terminal.child.id().cast_signed()).expect("a process");
    kill_process(pid, Signal::TERM).expect("it runs");
    let raw = {
        let text = terminal.child.wait().expect("it ends");
        assert_eq!(text.code(), Some(143));
        terminal.expect("\n");
        String::from_utf8_lossy(&terminal.raw).into_owned()
    };
    assert!(raw.contains("\x1b[?2004l"), "{raw:?}");
}
