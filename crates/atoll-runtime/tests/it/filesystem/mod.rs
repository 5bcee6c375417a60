//! `node:fs` against Node.js itself, what its calls cost, and what is left of them.

use crate::harness::{Recorder, app_on, block_on, files, options_of};
use atoll_runtime::{Exit, Limits, Worker};
use atoll_sys::count;
use atoll_vfs::{Access, HostDir, Memory, MountTable, Quota};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod differential;
mod watching;

/// `/app` from a directory, `/host` from another, `/memory`.
fn mounts(app: &Path, host: &Path) -> Arc<MountTable> {
    let quota = Quota { bytes: 64 << 20, inodes: 100_000 };
    let app = HostDir::read_only(app).expect("the directory is there");
    let host = HostDir::read_write(host).expect("the directory is there");
    let table = MountTable::builder()
        .mount("/app", app, Access::ReadOnly)
        .and_then(|builder| builder.mount("/host", host, Access::ReadWrite))
        .and_then(|builder| builder.mount("/memory", Memory::new(quota), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build);
    Arc::new(table.expect("the mounts fit"))
}

/// Runs a program that may write to `host`.
fn run(app: &Path, host: &Path, entry: &str, arguments: &[&str]) -> Arc<Recorder> {
    let limits = Limits { request_cpu: Duration::from_mins(10), ..Limits::RUN };
    block_on(async {
        let options = options_of(limits, arguments);
        let (app, recorder) = app_on(mounts(app, host), entry, options);
        let exit = Worker::run(app).await.map_err(|error| error.to_string());
        let ended = matches!(exit, Ok(Exit::Code(0)));
        assert!(ended, "{exit:?}\n{:?}\n{:?}", recorder.lines(), recorder.problems());
        recorder
    })
}

/// How often each system call is made for one run of `statement`, by a program that makes it many times.
fn calls_of(directory: &Path, statement: &str) -> BTreeMap<&'static str, f64> {
    const TIMES: u32 = 50;
    let counted = |times: u32| {
        let program = format!(
            "import fs from 'node:fs'; const buffer = Buffer.alloc(64); \
             for (let index = 0; index < {times}; index++) {{ {statement} }}"
        );
        let app = files(&[("main.mjs", &program)]);
        let (_, calls) = count::of(|| run(app.path(), directory, "main.mjs", &[]));
        let mut by_name = BTreeMap::new();
        for name in calls {
            *by_name.entry(name).or_insert(0.0) += 1.0;
        }
        by_name
    };
    // The first run of a statement may load what the others find, and clocks are read every now and then.
    let (few, many) = (counted(1), counted(1 + TIMES));
    let each = many
        .into_iter()
        .map(|(name, count)| (name, ((count - few.get(name).unwrap_or(&0.0)) / f64::from(TIMES)).round()));
    each.filter(|(_, count)| *count != 0.0).collect()
}

#[test]
fn calls_take_few_system_calls() {
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir_all(host.path().join("a/b/c")).expect("a directory");
    std::fs::write(host.path().join("a/b/file"), "content").expect("a file");
    for index in 0..3 {
        std::fs::write(host.path().join(format!("a/b/c/{index}")), "").expect("a file");
    }
    let open = ("openat2", 1.0);
    let (stat, read) = (("statx", 1.0), ("pread64", 1.0));
    let list = ("getdents64", 2.0);
    // Closing is not counted: once for each open.
    let expected: &[(&str, &[(&str, f64)])] = &[
        ("fs.statSync('/host/a/b/file')", &[open, stat]),
        ("fs.lstatSync('/host/a/b/file', { bigint: true })", &[open, stat]),
        ("fs.statSync('/host/a/b/none', { throwIfNoEntry: false })", &[open]),
        ("fs.existsSync('/host/a/b/file')", &[open]),
        ("fs.accessSync('/host/a/b/file')", &[open]),
        ("fs.readFileSync('/host/a/b/file')", &[open, stat, read]),
        ("fs.readFileSync('/host/a/b/file', 'utf8')", &[open, stat, read]),
        ("fs.readdirSync('/host/a/b/c')", &[open, list]),
        ("fs.readdirSync('/host/a/b/c', { withFileTypes: true })", &[open, list]),
        ("fs.readdirSync('/host', { recursive: true })", &[("openat2", 4.0), ("getdents64", 8.0)]),
        ("fs.realpathSync('/host/a/b/file')", &[open]),
        ("fs.closeSync(fs.openSync('/host/a/b/file'))", &[open, stat]),
        ("fs.writeFileSync('/host/a/b/new', 'text')", &[open, stat, ("pwrite64", 1.0)]),
        ("fs.appendFileSync('/host/a/b/new', 'text')", &[open, stat, ("pwrite64", 1.0)]),
        (
            "fs.mkdirSync('/host/a/b/d'); fs.rmdirSync('/host/a/b/d')",
            &[("mkdirat", 1.0), ("openat2", 2.0), ("unlinkat", 1.0)],
        ),
    ];
    for (statement, calls) in expected {
        let expected: BTreeMap<_, _> = calls.iter().copied().collect();
        assert_eq!(calls_of(host.path(), statement), expected, "{statement}");
    }
}

/// Descriptors of this process that lead below a directory.
fn open_below(directory: &Path) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("procfs");
    let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    entries.filter_map(target).filter(|target| target.starts_with(directory) && target != directory).count()
}

#[test]
fn what_a_worker_has_open_is_closed_with_it() {
    let host = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(host.path().join("file"), "content").expect("a file");
    let program = "import fs from 'node:fs';
const kept = [];
for (;;) {
  try { kept.push(fs.openSync('/host/file')); } catch (error) { console.log(error.code, error.syscall, error.path); break; }
}
console.log(kept.length);
for (const attempt of [() => fs.readFileSync('/host/file'), () => fs.writeFileSync('/host/file', ''), () => fs.openSync('/host/file')]) {
  try { attempt(); } catch (error) { console.log(error.code); }
}
fs.open('/host/file', async (error) => {
  console.log(error.code);
  fs.closeSync(kept.pop());
  const handle = await fs.promises.open('/host/file');
  console.log(await handle.readFile('utf8'));
  for (let index = 0; index < 2000; index++) fs.promises.stat('/host/file');
  process.exit(0);
});";
    let app = files(&[("main.mjs", program)]);
    let recorder = run(app.path(), host.path(), "main.mjs", &[]);
    assert_eq!(recorder.lines(), ["EMFILE open /host/file", "1024", "EMFILE", "EMFILE", "EMFILE", "EMFILE", "content"]);
    // Threads of the pool may still be in the middle of what the worker had asked for.
    let is_clean = (0..100).any(|_| {
        std::thread::yield_now();
        open_below(&host.path().canonicalize().expect("it exists")) == 0
    });
    assert!(is_clean, "descriptors are left open");
}

#[test]
fn operations_that_wait_are_bounded_and_all_are_answered() {
    let host = tempfile::tempdir().expect("a temporary directory");
    let program = "import fs from 'node:fs';
fs.writeFileSync('/host/file', 'content');
const all = [];
for (let index = 0; index < 70_000; index++) all.push(fs.promises.stat('/host/file').then(() => 'ok', (error) => error.name));
const outcomes = await Promise.all(all);
const counts = {};
for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
console.log(JSON.stringify(counts));";
    let app = files(&[("main.mjs", program)]);
    let recorder = run(app.path(), host.path(), "main.mjs", &[]);
    assert_eq!(recorder.lines(), [r#"{"ok":65536,"RangeError":4464}"#]);
}
