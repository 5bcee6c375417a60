//! What a program has of its process: descriptors, a working directory, a user, tests of its own.

use crate::harness::Scene;
use crate::run::with_input;

#[test]
fn descriptors_are_the_standard_streams() {
    let program = "import fs from 'node:fs';
console.log('first');
fs.writeSync(1, 'second\\n');
fs.write(1, Buffer.from('third\\n'), () => {
  fs.writevSync(1, [Buffer.from('fif'), Buffer.from('th\\n')]);
  fs.writeFileSync(1, 'sixth\\n');
  fs.createWriteStream(null, { fd: 1, autoClose: false }).end('seventh\\n', () => {
    fs.closeSync(1);
    try { fs.writeSync(1, 'gone'); } catch (error) { console.error(error.code); }
  });
});
console.log('fourth');
fs.writeSync(2, 'error\\n');
const buffer = Buffer.alloc(4);
console.error(fs.readSync(0, buffer), String(buffer), fs.readFileSync(0, 'utf8'));
console.error([0, 1, 2].map((fd) => fs.fstatSync(fd).isCharacterDevice()));";
    let expected = "exit code 0
--- stdout
first
second
third
fourth
fifth
sixth
seventh
--- stderr
error
4 from  the host
[ true, true, true ]
EBADF
";
    assert_eq!(with_input(program, b"from the host", false), expected);
}

#[test]
fn a_program_lies_where_its_directory_is_mounted() {
    let program = "import fs from 'node:fs';
fs.writeFileSync('../made', 'x', { mode: 0o666 });
console.log(import.meta.url, process.cwd(), process.getuid() === fs.statSync('../made').uid);
process.chdir('..');
console.log(process.cwd(), fs.readdirSync('.').sort(), process.umask(0).toString(8), process.umask(0o77));
fs.mkdirSync('private');
console.log((fs.statSync('private').mode & 0o777).toString(8));
process.chdir('private');
try { process.chdir('none'); } catch (error) { console.log(error.message, error.path, error.dest, process.cwd()); }
try { process.chdir('../made'); } catch (error) { console.log(error.code); }";
    let scene = Scene::new(&[("sub/main.mjs", program)]);
    let expected = "exit code 0
--- stdout
file:///app/sub/main.mjs /app/sub true
/app [ 'made', 'package.json', 'sub' ] 22 0
700
ENOENT: no such file or directory, chdir '/app/private' -> 'none' /app/private none /app/private
ENOTDIR
";
    let scene_in = |directory: &str, mount: &str| {
        let output =
            scene.command(&["run", "--mount", mount, "main.mjs"]).current_dir(scene.project().join(directory)).output();
        scene.shown(&output.expect("it runs"))
    };
    assert_eq!(scene_in("sub", "/app=..:rw"), expected);
}

#[test]
fn tests_of_a_program_run_in_order_and_set_the_exit_code() {
    let program = "import test, { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert';
const seen = [];
before(() => seen.push('before'));
after(() => console.log(seen.join()));
test('passes', () => { seen.push('passes'); });
test('waits', async (t) => {
  seen.push('waits');
  await t.test('inner', (inner, done) => setTimeout(() => { seen.push(inner.fullName); done(); }, 5));
  t.diagnostic('a # note');
});
test('fails', () => assert.strictEqual(1, 2));
test('throws later', () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1)));
test('never ends', () => new Promise(() => {}));
test('is slow', { timeout: 5 }, () => new Promise((resolve) => setTimeout(resolve, 1000)));
test.skip('left out', () => seen.push('left out'));
test('may fail', { todo: 'some day' }, () => { throw new Error('not yet'); });
describe('suite', () => {
  beforeEach(() => seen.push('each'));
  afterEach(() => seen.push('done'));
  it('one', () => seen.push('one'));
  it('two', (t) => { t.plan(1); t.assert.ok(true); seen.push('two'); });
  it('counts', (t) => t.plan(2));
});
seen.push('described');";
    let scene = Scene::new(&[("main.mjs", program)]);
    let shown = scene.atoll(&["run", "main.mjs"]);
    let kept: Vec<&str> = shown
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            [
                "ok",
                "not ok",
                "1..",
                "# tests",
                "# suites",
                "# pass",
                "# fail",
                "# cancelled",
                "# skipped",
                "# todo",
                "# a",
            ]
            .iter()
            .any(|start| line.starts_with(start))
                || line.starts_with("failureType")
                || line.starts_with("exit code")
                || line.contains("described,")
        })
        .collect();
    let expected = r"exit code 1
ok 1 - passes
    ok 1 - inner
# a \# note
    1..1
ok 2 - waits
not ok 3 - fails
  failureType: 'testCodeFailure'
not ok 4 - throws later
  failureType: 'uncaughtException'
not ok 5 - never ends
  failureType: 'cancelledByParent'
not ok 6 - is slow
  failureType: 'testTimeoutFailure'
ok 7 - left out # SKIP
not ok 8 - may fail # TODO some day
  failureType: 'testCodeFailure'
    ok 1 - one
    ok 2 - two
    not ok 3 - counts
      failureType: 'testCodeFailure'
    1..3
not ok 9 - suite
  failureType: 'subtestsFailed'
described,before,passes,waits,waits > inner,each,one,done,each,two,done,each,done
1..9
# tests 12
# suites 1
# pass 5
# fail 4
# cancelled 1
# skipped 1
# todo 1";
    assert_eq!(kept.join("\n"), expected, "{shown}");
}
