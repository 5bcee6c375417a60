//! Watching. What the battery expects of every layer is what inotify tells on Linux.

use crate::support::{at, fails, writing};
use atoll_vfs::{
    Access, Errno, EventBudget, EventKind, EventQueue, FinalLink, HostDir, Layer, Memory, MountTable, NewFile,
    OpenOptions, Overlay, Owner, QueuedEvent, Quota, Time, Watch,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long an event of the host may take on a machine with other things to do.
const PATIENCE: Duration = Duration::from_mins(1);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an event, and takes all that are there.
fn next_events(queue: &EventQueue) -> Vec<QueuedEvent> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let deadline = Instant::now() + PATIENCE;
    while queue.poll_ready(&Context::from_waker(&waker)).is_pending() {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "no event has come");
        std::thread::park_timeout(left);
    }
    queue.take(usize::MAX).0
}

/// Watches of a layer, and one more that tells when all that happened before has been told.
pub(crate) struct Observer<'l> {
    layer: &'l dyn Layer,
    queue: EventQueue,
    names: Vec<String>,
    watches: Vec<Box<dyn Watch>>,
    fences: u32,
}

impl<'l> Observer<'l> {
    pub(crate) fn new(layer: &'l dyn Layer) -> Self {
        layer.create_dir(at("fences"), 0o755).unwrap();
        let queue = EventQueue::new(&EventBudget::new(EventBudget::DEFAULT_EVENTS));
        let mut observer = Self { layer, queue, names: Vec::new(), watches: Vec::new(), fences: 0 };
        observer.watch("fences");
        observer
    }

    pub(crate) fn watch(&mut self, path: &str) {
        let number = u32::try_from(self.names.len()).unwrap();
        self.watches.push(self.layer.watch(at(path), &self.queue.sink(number)).unwrap());
        self.names.push(path.to_owned());
    }

    /// What was told since it was asked last: `watched: kind name`.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.told_of(0)
    }

    /// As [`Observer::told`], by what is watched.
    pub(crate) fn told_by_watch(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut by_watch: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in self.told() {
            let (watched, what) = event.split_once(": ").unwrap();
            by_watch.entry(watched.to_owned()).or_default().push(what.to_owned());
        }
        by_watch
    }

    /// As [`Observer::told`], after so many events have come.
    fn told_of(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        while told.len() < count {
            self.take_into(&mut told);
        }
        self.fences += 1;
        let fence = self.fences.to_string();
        self.layer.create_dir(at(&format!("fences/{fence}")), 0o755).unwrap();
        let end = format!("fences: Created directory {fence}");
        while told.last() != Some(&end) {
            self.take_into(&mut told);
        }
        told.pop();
        told
    }

    fn take_into(&self, told: &mut Vec<String>) {
        for event in next_events(&self.queue) {
            let watched = event.watch.map_or("", |number| &self.names[number as usize]);
            let directory = if event.is_directory { " directory" } else { "" };
            let name =
                event.name.as_deref().map_or(String::new(), |name| format!(" {}", String::from_utf8_lossy(name)));
            told.push(format!("{watched}: {:?}{directory}{name}", event.kind));
        }
    }
}

fn write(layer: &dyn Layer, path: &str, content: &[u8]) {
    let file = layer.open(at(path), &OpenOptions::REPLACE).unwrap();
    if !content.is_empty() {
        file.write_at(content, 0).unwrap();
    }
}

type Act = fn(&dyn Layer);

/// What is done, and what is told of it where `.`, `a`, `b`, `d` and `e` are watched.
const ACTS: &[(&str, Act, &[&str])] = &[
    ("a new file", |layer| write(layer, "s/new", b"x"), &["s: Created new", "s: Modified new"]),
    (
        "new content",
        |layer| write(layer, "s/a", b"x"),
        &["s: Modified a", "s/a: Modified", "s: Modified a", "s/a: Modified"],
    ),
    ("no content", |layer| write(layer, "s/a", b""), &["s: Modified a", "s/a: Modified"]),
    (
        "nothing is written",
        |layer| {
            layer.open(at("s/a"), &writing(NewFile::Never)).unwrap().write_at(b"", 0).unwrap();
            layer.open(at("s/a"), &OpenOptions { append: true, ..writing(NewFile::IfMissing) }).unwrap();
        },
        &[],
    ),
    (
        "truncation",
        |layer| layer.open(at("s/a"), &writing(NewFile::Never)).unwrap().truncate(100).unwrap(),
        &["s: Modified a", "s/a: Modified"],
    ),
    (
        "attributes",
        |layer| {
            layer.set_permissions(at("s/a"), 0o600).unwrap();
            layer.set_permissions(at("s/d"), 0o700).unwrap();
            let time = Time { seconds: 1, nanoseconds: 0 };
            layer.set_times(at("s/a"), FinalLink::Follow, time, time).unwrap();
            layer.set_owner(at("s/a"), FinalLink::Follow, Owner::default()).unwrap();
        },
        &[
            "s: AttributesChanged a",
            "s/a: AttributesChanged",
            "s: AttributesChanged directory d",
            "s/d: AttributesChanged directory",
            "s: AttributesChanged a",
            "s/a: AttributesChanged",
        ],
    ),
    (
        "attributes through an open file",
        |layer| {
            let file = layer.open(at("s/a"), &writing(NewFile::Never)).unwrap();
            file.set_permissions(0o600).unwrap();
            file.set_times(Time { seconds: 1, nanoseconds: 0 }, Time { seconds: 2, nanoseconds: 0 }).unwrap();
        },
        &["s: AttributesChanged a", "s/a: AttributesChanged", "s: AttributesChanged a", "s/a: AttributesChanged"],
    ),
    (
        "attributes through an open directory",
        |layer| layer.open(at("s/d"), &OpenOptions::READ).unwrap().set_permissions(0o700).unwrap(),
        &["s: AttributesChanged directory d", "s/d: AttributesChanged directory"],
    ),
    (
        "removal",
        |layer| layer.remove_file(at("s/a")).unwrap(),
        &["s/a: AttributesChanged", "s/a: DeletedSelf", "s/a: Ignored", "s: Deleted a"],
    ),
    (
        "removal of an open file",
        |layer| {
            let file = layer.open(at("s/a"), &writing(NewFile::Never)).unwrap();
            layer.remove_file(at("s/a")).unwrap();
            file.write_at(b"x", 0).unwrap();
        },
        &[
            "s/a: AttributesChanged",
            "s: Deleted a",
            "s: Modified a",
            "s/a: Modified",
            "s/a: DeletedSelf",
            "s/a: Ignored",
        ],
    ),
    (
        "hard links",
        |layer| {
            layer.hard_link(at("s/a"), at("s/d/l")).unwrap();
            write(layer, "s/a", b"");
            write(layer, "s/d/l", b"");
            layer.remove_file(at("s/d/l")).unwrap();
        },
        &[
            "s/a: AttributesChanged",
            "s/d: Created l",
            "s: Modified a",
            "s/a: Modified",
            "s/d: Modified l",
            "s/a: Modified",
            "s/a: AttributesChanged",
            "s/d: Deleted l",
        ],
    ),
    (
        "directories",
        |layer| {
            layer.create_dir(at("s/new"), 0o755).unwrap();
            layer.remove_dir(at("s/new")).unwrap();
            layer.remove_dir(at("s/d")).unwrap();
        },
        &[
            "s: Created directory new",
            "s: Deleted directory new",
            "s/d: DeletedSelf",
            "s/d: Ignored",
            "s: Deleted directory d",
        ],
    ),
    (
        "links",
        |layer| {
            layer.symlink(b"nowhere", at("s/link")).unwrap();
            let time = Time { seconds: 1, nanoseconds: 0 };
            layer.set_times(at("s/link"), FinalLink::Keep, time, time).unwrap();
            layer.remove_file(at("s/link")).unwrap();
        },
        &["s: Created link", "s: AttributesChanged link", "s: Deleted link"],
    ),
    (
        "renaming an open file",
        |layer| {
            let file = layer.open(at("s/a"), &writing(NewFile::Never)).unwrap();
            layer.rename(at("s/a"), at("s/d/moved")).unwrap();
            file.write_at(b"x", 0).unwrap();
        },
        &["s: MovedFrom a", "s/d: MovedTo moved", "s/a: MovedSelf", "s/d: Modified moved", "s/a: Modified"],
    ),
    (
        "renaming over a file",
        |layer| layer.rename(at("s/a"), at("s/b")).unwrap(),
        &[
            "s: MovedFrom a",
            "s: MovedTo b",
            "s/b: AttributesChanged",
            "s/a: MovedSelf",
            "s/b: DeletedSelf",
            "s/b: Ignored",
        ],
    ),
    (
        "renaming over a directory",
        |layer| layer.rename(at("s/d"), at("s/e")).unwrap(),
        &[
            "s: MovedFrom directory d",
            "s: MovedTo directory e",
            "s/e: AttributesChanged directory",
            "s/d: MovedSelf",
            "s/e: DeletedSelf",
            "s/e: Ignored",
        ],
    ),
    (
        "what fails",
        |layer| {
            fails(layer.create_dir(at("s/d"), 0o755), Errno::EEXIST);
            fails(layer.rename(at("s/none"), at("s/a")), Errno::ENOENT);
            fails(layer.remove_file(at("s/none")), Errno::ENOENT);
            layer.open(at("s/a"), &writing(NewFile::Always)).unwrap_err();
        },
        &[],
    ),
];

/// Each act, in a directory `s` that `set_up` has made anew, as all that is watched.
fn each_act(layer: &dyn Layer, set_up: fn(&dyn Layer)) {
    for (name, act, expected) in ACTS {
        set_up(layer);
        let mut observer = Observer::new(layer);
        for path in ["s", "s/a", "s/b", "s/d", "s/e"] {
            observer.watch(path);
        }
        act(layer);
        assert_eq!(observer.told(), *expected, "{name}");
        drop(observer);
        layer.remove_tree(at("s")).unwrap();
        layer.remove_tree(at("fences")).unwrap();
    }
}

fn scene(layer: &dyn Layer) {
    layer.create_dir(at("s"), 0o755).unwrap();
    for directory in ["s/d", "s/e"] {
        layer.create_dir(at(directory), 0o755).unwrap();
    }
    for file in ["s/a", "s/b"] {
        write(layer, file, b"content");
    }
}

/// Of the battery.
pub(crate) fn events(layer: &dyn Layer) {
    each_act(layer, scene);
}

/// Of the battery: what is not there can't be watched, links are followed, and a watch that was dropped tells nothing.
pub(crate) fn ends(layer: &dyn Layer) {
    scene(layer);
    let mut observer = Observer::new(layer);
    fails(layer.watch(at("s/none"), &observer.queue.sink(0)), Errno::ENOENT);
    fails(layer.watch(at("s/a/none"), &observer.queue.sink(0)), Errno::ENOTDIR);
    layer.symlink(b"d", at("s/link")).unwrap();
    layer.symlink(b"none", at("s/dangling")).unwrap();
    fails(layer.watch(at("s/dangling"), &observer.queue.sink(0)), Errno::ENOENT);
    assert!(layer.watch(at("s/out"), &observer.queue.sink(0)).is_err());
    observer.watch("s/link");
    observer.watch("s/link");
    write(layer, "s/d/one", b"");
    assert_eq!(observer.told(), ["s/link: Created one", "s/link: Created one"]);
    observer.watches.pop();
    write(layer, "s/d/two", b"");
    assert_eq!(observer.told(), ["s/link: Created two"]);
    observer.watches.pop();
    write(layer, "s/d/three", b"");
    assert_eq!(observer.told(), [""; 0]);
    // One that is put on again, and one that outlives what it watches.
    observer.names.truncate(1);
    observer.watch("s/d");
    layer.rename(at("s/d"), at("s/moved")).unwrap();
    write(layer, "s/moved/four", b"");
    layer.remove_tree(at("s/moved")).unwrap();
    layer.create_dir(at("s/d"), 0o755).unwrap();
    write(layer, "s/d/five", b"");
    let told = observer.told();
    assert_eq!(told[..2], ["s/d: MovedSelf", "s/d: Created four"]);
    assert_eq!(told[told.len() - 2..], ["s/d: DeletedSelf", "s/d: Ignored"], "{told:?}");
}

#[test]
fn an_overlay_tells_the_same_of_what_lies_below() {
    for over_host in [false, true] {
        for (name, act, expected) in ACTS {
            let directory = tempfile::tempdir().unwrap();
            let lower: Arc<dyn Layer> = if over_host {
                Arc::new(HostDir::read_write(directory.path()).unwrap())
            } else {
                Arc::new(Memory::new(Quota::DEFAULT))
            };
            scene(&*lower);
            let overlay = Overlay::new(lower, Quota::DEFAULT).unwrap();
            let mut observer = Observer::new(&overlay);
            for path in ["s", "s/a", "s/b", "s/d", "s/e"] {
                observer.watch(path);
            }
            act(&overlay);
            assert_eq!(observer.told(), *expected, "{name}, over a directory of the host: {over_host}");
        }
    }
}

#[test]
fn an_overlay_tells_of_changes_below_that_show() {
    for over_host in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let lower: Arc<dyn Layer> = if over_host {
            Arc::new(HostDir::read_write(directory.path()).unwrap())
        } else {
            Arc::new(Memory::new(Quota::DEFAULT))
        };
        scene(&*lower);
        write(&*lower, "s/whole", b"x");
        write(&*lower, "s/hidden", b"x");
        let overlay = Overlay::new(Arc::clone(&lower), Quota::DEFAULT).unwrap();
        overlay.remove_file(at("s/hidden")).unwrap();
        overlay.set_permissions(at("s/b"), 0o600).unwrap();
        write(&overlay, "s/a", b"copied");
        let mut observer = Observer::new(&overlay);
        for path in ["s", "s/a", "s/b", "s/whole"] {
            observer.watch(path);
        }
        // What was copied up or is hidden tells nothing; what only has other attributes, its content.
        write(&*lower, "s/a", b"");
        write(&*lower, "s/hidden", b"");
        lower.remove_file(at("s/hidden")).unwrap();
        write(&*lower, "s/b", b"");
        lower.set_permissions(at("s/b"), 0o644).unwrap();
        write(&*lower, "s/whole", b"");
        write(&*lower, "s/new", b"");
        lower.rename(at("s/new"), at("s/d")).unwrap_err();
        lower.rename(at("s/new"), at("s/newer")).unwrap();
        assert!(overlay.metadata(at("s/newer"), FinalLink::Keep).is_ok());
        let expected = [
            "s: Modified b",
            "s/b: Modified",
            "s: Modified whole",
            "s/whole: Modified",
            "s: Created new",
            "s: MovedFrom new",
            "s: MovedTo newer",
        ];
        // The fence is above, and the host's events come by another thread.
        assert_eq!(observer.told_of(expected.len()), expected);
    }
}

#[test]
fn the_table_watches_through_links_of_the_guest() {
    let host = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/memory", host.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", host.path().join("out")).unwrap();
    std::fs::create_dir(host.path().join("memory")).unwrap();
    let table = MountTable::builder()
        .mount("/host", HostDir::read_only(host.path()).unwrap(), Access::ReadOnly)
        .and_then(|builder| builder.mount("/memory", Memory::new(Quota::DEFAULT), Access::ReadWrite))
        .and_then(|builder| builder.mount("/dev", atoll_vfs::Devices::without_streams(), Access::ReadWrite))
        .and_then(atoll_vfs::MountTableBuilder::build)
        .unwrap();
    let queue = EventQueue::new(&EventBudget::new(100));
    let path = crate::support::guest;
    let watch = table.watch(&path("/host/link"), &queue.sink(1)).unwrap();
    table.write(&path("/memory/file"), b"").unwrap();
    let told: Vec<_> = next_events(&queue).into_iter().map(|event| (event.kind, event.name)).collect();
    assert_eq!(told, [(EventKind::Created, Some((*b"file").into()))]);
    for (missing, errno) in [("/host/out", "ENOENT"), ("/host/out/passwd", "ENOENT"), ("/memory/file/", "ENOTDIR")] {
        let error = table.watch(&path(missing), &queue.sink(2)).unwrap_err();
        assert_eq!((error.errno.name(), error.syscall), (errno, "watch"), "{missing}");
    }
    let silent = table.watch(&path("/dev/null"), &queue.sink(3)).unwrap();
    table.write(&path("/dev/null"), b"x").unwrap();
    assert!(queue.take(1).0.is_empty());
    drop((watch, silent));

    let steps = |text: &str| -> Vec<String> {
        let steps = table.steps(&path(text)).into_iter();
        steps.map(|step| format!("{}: {}", step.directory, String::from_utf8_lossy(&step.name))).collect()
    };
    // A mount point is no name of the mount that it lies in.
    assert_eq!(steps("/host/link/file"), ["/host: link", "/memory: file"]);
    assert_eq!(steps("/host/out/passwd"), ["/host: out", "/: etc"]);
    assert_eq!(steps("/memory/none/deeper"), ["/memory: none"]);
}

#[test]
fn a_watch_of_the_host_takes_three_calls_and_keeps_no_descriptor() {
    let host = tempfile::tempdir().unwrap();
    std::fs::create_dir(host.path().join("d")).unwrap();
    let layer = HostDir::read_only(host.path()).unwrap();
    let queue = EventQueue::new(&EventBudget::new(100));
    drop(layer.watch(at("d"), &queue.sink(1)).unwrap());
    let below = || {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
        entries.filter_map(target).filter(|target| target.starts_with(host.path())).count()
    };
    let before = below();
    let ((), calls) = atoll_sys::count::of(|| {
        let watches = [layer.watch(at("d"), &queue.sink(1)).unwrap(), layer.watch(at("d"), &queue.sink(2)).unwrap()];
        drop(watches);
    });
    let one = ["openat2", "statx", "inotify_add_watch"];
    // The kernel's watch is removed once.
    assert_eq!(calls, [&one[..], &one[..], &["inotify_rm_watch"][..]].concat());
    assert_eq!(below(), before);
}
