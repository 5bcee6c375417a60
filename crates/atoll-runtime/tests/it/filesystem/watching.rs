//! `fs.watch` and its kin against Node.js itself, and against programs that mean harm.

use super::{mounts, open_below, run};
use crate::harness::{Recorder, app_on, block_on, files, options_of};
use atoll_runtime::{Exit, Limits, Worker};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CASES: &str = include_str!("watching.mjs");

#[test]
fn programs_are_told_what_they_are_told_in_node() {
    let app = files(&[("watching.mjs", CASES)]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("node")
        .arg(app.path().join("watching.mjs"))
        .arg(directory.path().canonicalize().expect("it exists"))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output();
    // Without Node.js there is nothing to compare with; `cargo xtask test` sees to it that there is.
    let Ok(output) = output else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: BTreeSet<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(expected.len() > 80, "{} cases", expected.len());
    for root in ["/host", "/memory"] {
        let host = tempfile::tempdir().expect("a temporary directory");
        let found: BTreeSet<_> = run(app.path(), host.path(), "watching.mjs", &[root]).lines().into_iter().collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let other: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && other.is_empty(), "{root}\n  node:  {missing:#?}\n  atoll: {other:#?}");
    }
}

/// Runs a program with these limits.
fn run_limited(app: &Path, host: &Path, limits: Limits) -> Arc<Recorder> {
    block_on(async {
        let (app, recorder) = app_on(mounts(app, host), "main.mjs", options_of(limits, &[]));
        let exit = Worker::run(app).await.map_err(|error| error.to_string());
        assert!(matches!(exit, Ok(Exit::Code(0))), "{exit:?}\n{:?}\n{:?}", recorder.lines(), recorder.problems());
        recorder
    })
}

fn lines_of(host: &Path, program: &str) -> Vec<String> {
    let app = files(&[("main.mjs", program)]);
    run(app.path(), host, "main.mjs", &[]).lines()
}

#[test]
fn a_program_waits_for_what_it_watches_unless_told_not_to() {
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(host.path().join("d")).expect("a directory");
    // None of these keeps it alive, nor does one that was closed.
    let ends = "import fs from 'node:fs';
fs.watch('/host').unref();
fs.watch('/memory', { persistent: false });
fs.watch('/host', { recursive: true, persistent: false });
fs.watch('/memory', { recursive: true }).unref();
fs.watchFile('/host/none', { persistent: false }, () => {});
fs.watchFile('/host/d', () => {}).unref();
fs.promises.watch('/host', { persistent: false }).next();
fs.watch('/host').close();
fs.watchFile('/memory', () => {});
fs.unwatchFile('/memory');
console.log('the end');";
    assert_eq!(lines_of(host.path(), ends), ["the end"]);
    // Somebody else on the host ends these.
    let waits = [
        "const watcher = fs.watch('/host/d', (type, name) => { console.log(type, name); watcher.close(); });",
        "const watcher = fs.watch('/host', { recursive: true }, (type, name) => { console.log(type, name.slice(2)); watcher.close(); });",
        "for await (const { eventType, filename } of fs.promises.watch('/host/d')) { console.log(eventType, filename); break; }",
        "fs.watchFile('/host/d/file', { interval: 10 }, (now, before) => { if (now.ino > 0) { console.log('rename file'); fs.unwatchFile('/host/d/file'); } });",
    ];
    for program in waits {
        let is_over = Arc::new(AtomicBool::new(false));
        let file = host.path().join("d/file");
        let toucher = {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::fs::File::create_new(&file).expect("it is not there");
                    std::thread::sleep(Duration::from_millis(20));
                    std::fs::remove_file(&file).expect("it is there");
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        };
        let lines = lines_of(host.path(), &format!("import fs from 'node:fs';\n{program}"));
        is_over.store(true, Ordering::Relaxed);
        toucher.join().expect("it does not panic");
        assert_eq!(lines, ["rename file"], "{program}");
    }
}

#[test]
fn watches_are_limited() {
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir_all(host.path().join("a/b/c")).expect("directories");
    let program = "import fs from 'node:fs';
const kept = [];
const attempt = (work) => { try { kept.push(work()); } catch (error) { console.log(error.message, error.code, error.errno, error.syscall, error.path, error.filename); } };
for (let index = 0; index < 4; index++) attempt(() => fs.watch('/host/a'));
attempt(() => fs.watch('/memory', { recursive: true }));
kept.pop().close();
attempt(() => fs.watch('/memory'));
for (const watcher of kept) watcher.close();
attempt(() => fs.watch('/host', { recursive: true }));
kept.length = 0;
for (let index = 0; index < 3; index++) attempt(() => fs.watch('/host/a'));
// There is none left: it looks in intervals.
await new Promise((resolve) => {
  fs.watchFile('/memory/file', { interval: 5 }, (now, before) => {
    console.log(now.size, before.size);
    if (now.size > 0) resolve(fs.unwatchFile('/memory/file'));
    else fs.writeFileSync('/memory/file', 'content');
  });
});
process.exit(0);";
    let app = files(&[("main.mjs", program)]);
    let recorder = run_limited(app.path(), host.path(), Limits { watches: 3, ..Limits::RUN });
    let error = |path: &str| {
        format!(
            "ENOSPC: System limit for number of file watchers reached, watch '{path}' ENOSPC -28 watch {path} {path}"
        )
    };
    // The last of the tree's four folders is one too many; which that is, the order of a listing says.
    let lines = recorder.lines();
    assert_eq!(lines[..2], [error("/host/a"), error("/memory")]);
    assert!(lines[2].starts_with("ENOSPC: System limit") && lines[2].ends_with(" /host"), "{}", lines[2]);
    assert_eq!(lines[3..], ["0 0", "7 0"]);
}

/// Watches of this process's inotify instances on a file.
fn kernel_watches_on(path: &Path) -> usize {
    let inode = format!("ino:{:x} ", std::fs::metadata(path).expect("it is there").ino());
    let entries = std::fs::read_dir("/proc/self/fdinfo").expect("procfs");
    let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    texts.map(|text| text.lines().filter(|line| line.starts_with("inotify") && line.contains(&inode)).count()).sum()
}

#[test]
fn watching_and_closing_leaves_nothing() {
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(host.path().join("d")).expect("a directory");
    let program = "import fs from 'node:fs';
for (let index = 0; index < 50_000; index++) {
  fs.watch('/host/d').close();
  fs.watch('/memory').close();
}
for (let index = 0; index < 200; index++) {
  fs.watch('/host', { recursive: true }).close();
  fs.watchFile('/host/d/none', () => {});
  fs.unwatchFile('/host/d/none');
  const next = fs.promises.watch('/host/d');
  next.next();
  next.return();
}
console.log('done');
fs.watch('/host/d');
fs.watch('/host', { recursive: true });
fs.watchFile('/host/d/file', () => {});
for (let index = 0; index < 100; index++) fs.writeFileSync(`/host/d/${index}`, '');
process.exit(0);";
    assert_eq!(lines_of(host.path(), program), ["done"]);
    assert_eq!(open_below(&host.path().canonicalize().expect("it exists")), 0);
    assert_eq!(kernel_watches_on(&host.path().join("d")), 0);
    assert_eq!(kernel_watches_on(host.path()), 0);
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let host = tempfile::tempdir().expect("a temporary directory");
    // Two names by turns: neighbours that are equal would be one. What is lost is told once, for each of the watchers.
    let program = "import fs from 'node:fs';
let events = 0;
const lost = [];
const count = (who) => (type, name) => { if (name === null) lost.push(`${who} ${type}`); else events++; };
const watcher = fs.watch('/memory', count('one'));
const another = fs.watch('/host', count('two'));
for (let index = 0; index < 200_000; index++) fs.writeFileSync(`/memory/${index % 2}`, 'x');
let before = -1;
while (events !== before) {
  before = events;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log(events, lost.join());
fs.mkdirSync('/memory/after');
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(events);
watcher.close();
another.close();";
    assert_eq!(lines_of(host.path(), program), ["16384 one rename,two rename", "16385"]);
}

#[test]
fn nothing_outside_of_the_mounts_can_be_watched() {
    let host = tempfile::tempdir().expect("a temporary directory");
    let outside = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(host.path().join("d")).expect("a directory");
    std::os::unix::fs::symlink(outside.path(), host.path().join("link")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), host.path().join("d/link")).expect("a link");
    std::os::unix::fs::symlink("/proc/self/fd", host.path().join("descriptors")).expect("a link");
    let program = format!(
        "import fs from 'node:fs';
const paths = ['/host/link', '/host/d/link', '/host/descriptors', '/host/descriptors/0', '/proc/self/fd/0', '/etc', '{0}',
  '/host/../..{0}', '/host/link/x'];
for (const path of paths) {{
  for (const recursive of [false, true]) {{
    try {{ fs.watch(path, {{ recursive }}).close(); console.log('watched', path); }} catch (error) {{
      if (error.code !== 'ENOENT') console.log(path, error.message);
    }}
  }}
}}
const seen = new Set();
const watchers = [fs.watch('/host', {{ recursive: true }}, (_, name) => seen.add(name))];
for (const path of paths) fs.watchFile(path, {{ interval: 1 }}, (now) => {{ if (now.ino > 0) seen.add(path); }});
fs.mkdirSync('/host/ready');
await new Promise((resolve) => setTimeout(resolve, 300));
console.log([...seen].sort().join());
process.exit(0);",
        outside.path().display()
    );
    let is_over = Arc::new(AtomicBool::new(false));
    let toucher = {
        let (is_over, file) = (Arc::clone(&is_over), outside.path().join("file"));
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                std::fs::write(&file, "x").expect("it can be written");
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    let lines = lines_of(host.path(), &program);
    is_over.store(true, Ordering::Relaxed);
    toucher.join().expect("it does not panic");
    assert_eq!(lines, ["ready"]);
}

#[test]
fn what_is_watched_may_be_swapped_for_a_link() {
    let host = tempfile::tempdir().expect("a temporary directory");
    let outside = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(host.path().join("d")).expect("a directory");
    std::fs::create_dir(outside.path().join("secret")).expect("a directory");
    let is_over = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (is_over, host, outside) = (Arc::clone(&is_over), host.path().to_owned(), outside.path().to_owned());
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                std::fs::rename(host.join("d"), host.join("kept")).expect("it is there");
                std::os::unix::fs::symlink(outside.join("secret"), host.join("d")).expect("the name is free");
                std::fs::write(outside.join("secret/told"), "").expect("it can be written");
                std::fs::remove_file(host.join("d")).expect("it is there");
                std::fs::rename(host.join("kept"), host.join("d")).expect("it is there");
                std::fs::remove_file(outside.join("secret/told")).expect("it is there");
            }
        })
    };
    let program = "import fs from 'node:fs';
const names = new Set();
let watched = 0;
const until = Date.now() + 1000;
while (Date.now() < until) {
  const watchers = [];
  for (let index = 0; index < 50; index++) {
    try { watchers.push(fs.watch('/host/d', (_, name) => names.add(name))); watched++; } catch (error) { names.add(error.code); }
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  for (const watcher of watchers) watcher.close();
}
console.log(watched > 0, names.has('told'));
process.exit(0);";
    let lines = lines_of(host.path(), program);
    is_over.store(true, Ordering::Relaxed);
    swapper.join().expect("it does not panic");
    assert_eq!(lines, ["true false"]);
}
