//! Installations on file systems that are full, read-only, another one than the store's, or made of layers.
//!
//! What has to be mounted is mounted by a child process, in a namespace of its own.

use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use atoll_npm::{
    install::{InstallOptions, Summary, install},
    link::Method,
    linker::Linker,
    report::Warning,
};
use atoll_test::npm_registry::Package;

use crate::support::{Mounted, Scene, Warnings, in_namespace, options};

/// A project with `a`, whose versions 1 and 2 differ, and `b`.
fn scene() -> Scene {
    let scene = Scene::new(OLD);
    for version in ["1.0.0", "2.0.0"] {
        let package =
            Package::new("a", version).file("lib/a.js", version.repeat(5000)).executable("run", "#!/bin/sh\n");
        scene.registry.publish(&package.dependency("b", "*"));
    }
    scene.registry.publish(&Package::new("b", "1.0.0").file("b.js", "b"));
    scene
}

const OLD: &str = r#"{"dependencies":{"a":"1"}}"#;
const NEW: &str = r#"{"dependencies":{"a":"2"}}"#;

/// Installs; with the summary comes why files were copied, if they were.
async fn install_and_hear(options: InstallOptions) -> (Summary, Option<String>) {
    let warnings = Warnings::default();
    let summary = install(options, &warnings).await.unwrap();
    let warnings = warnings.all();
    let reason = match &warnings[..] {
        [] => None,
        [Warning::Copying { reason }] => Some(reason.clone()),
        other => panic!("{other:?}"),
    };
    (summary, reason)
}

/// `node_modules` is as published, in version 1 of `a`.
fn assert_right(project: &Path) {
    let read = |path: &str| fs::read_to_string(project.join("node_modules").join(path)).unwrap();
    assert_eq!((read("a/lib/a.js"), read("b/b.js")), ("1.0.0".repeat(5000), "b".to_owned()));
    assert_eq!(fs::metadata(project.join("node_modules/a/run")).unwrap().mode() & 0o777, 0o755);
}

/// Makes a file of all the space that is left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

/// Not a test by itself.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_fills_the_projects_disk() {
    let scene = scene();
    let _small = Mounted::new(&["-t", "tmpfs", "-o", "size=1m", "none"], &scene.dir());
    scene.write("package.json", OLD);
    assert_eq!(scene.install().await.unwrap().method, Some(Method::Copy));
    assert_right(&scene.dir());
    scene.write("package.json", NEW);
    let full = scene.path("full");
    fill(&full);
    let before = scene.snapshot();
    for (linker, lockfile_only) in [(Linker::Hoisted, false), (Linker::Virtual, false), (Linker::Hoisted, true)] {
        let error = scene.install_with(|options| {
            (options.linker, options.lockfile_only) = (Some(linker), lockfile_only);
        });
        let error = error.await.unwrap_err();
        let (text, hint) = (error.to_string(), error.hint().unwrap());
        let is_told = text.contains(scene.dir().to_str().unwrap()) && text.contains("No space left on device");
        assert!(is_told && hint.contains("free space"), "{linker:?}: {text}: {hint}");
        assert!(scene.snapshot() == before, "{linker:?}: the project has changed");
    }
    fs::remove_file(full).unwrap();
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/lib/a.js"), "2.0.0".repeat(5000));
    assert!(scene.install().await.unwrap().up_to_date);
}

#[test]
fn a_full_disk_leaves_the_old_tree_and_is_told() {
    in_namespace("mounts::child_fills_the_projects_disk", &[]);
}

/// Not a test by itself.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_installs_into_a_full_store() {
    let scene = scene();
    let store = scene.home().join("store");
    fs::create_dir(&store).unwrap();
    let _small = Mounted::new(&["-t", "tmpfs", "-o", "size=64k", "none"], &store);
    fill(&store.join("full"));
    let before = scene.snapshot();
    for linker in Linker::ALL {
        let error = scene.install_with(|options| options.linker = Some(linker)).await.unwrap_err();
        let (text, hint) = (error.to_string(), error.hint().unwrap());
        let is_told = text.contains(store.to_str().unwrap()) && text.contains("No space left on device");
        assert!(is_told && hint.contains("free space"), "{text}: {hint}");
        assert!(scene.snapshot() == before);
    }
    fs::remove_file(store.join("full")).unwrap();
    scene.install().await.unwrap();
    assert_right(&scene.dir());
}

#[test]
fn a_full_store_is_told() {
    in_namespace("mounts::child_installs_into_a_full_store", &[]);
}

/// Not a test by itself.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_installs_from_a_read_only_store() {
    let scene = scene();
    scene.install().await.unwrap();
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let store = scene.home().join("store");
    let _read_only = Mounted::read_only(&store);
    let (summary, reason) = install_and_hear(scene.options()).await;
    assert_eq!((summary.method, summary.downloaded), (Some(Method::Copy), 0));
    assert!(reason.unwrap().contains("cross-device"));
    assert_right(&scene.dir());

    let before = scene.snapshot();
    scene.write("package.json", NEW);
    let error = scene.install().await.unwrap_err();
    let (text, hint) = (error.to_string(), error.hint().unwrap());
    assert!(text.contains(store.to_str().unwrap()) && text.contains("Read-only file system"), "{text}");
    assert!(hint.contains("permissions"), "{hint}");
    scene.write("package.json", OLD);
    assert!(scene.snapshot() == before);
}

#[test]
fn a_read_only_store_is_installed_from() {
    in_namespace("mounts::child_installs_from_a_read_only_store", &[]);
}

/// Not a test by itself.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_installs_from_a_store_that_looks_near() {
    let scene = scene();
    let store = scene.home().join("store");
    fs::create_dir(&store).unwrap();
    let _bound = Mounted::new(&["--bind", store.to_str().unwrap()], &store);
    assert_eq!(fs::metadata(&store).unwrap().dev(), fs::metadata(scene.dir()).unwrap().dev());
    let (summary, reason) = install_and_hear(scene.options()).await;
    // A file system that shares blocks does so across mounts.
    assert!(matches!(summary.method, Some(Method::Reflink | Method::Copy)), "{summary:?}");
    assert!(reason.is_none_or(|reason| reason.contains("cross-device")));
    assert_right(&scene.dir());
    assert_eq!(fs::metadata(scene.path("node_modules/b/b.js")).unwrap().nlink(), 1);
}

#[test]
fn a_store_behind_a_mount_of_the_same_file_system_is_copied_from() {
    in_namespace("mounts::child_installs_from_a_store_that_looks_near", &[]);
}

/// Files that nobody may link or change, until this is dropped.
struct Immutable(Vec<PathBuf>);

impl Immutable {
    /// `None` when this machine lets nobody do that.
    fn new(files: Vec<PathBuf>) -> Option<Self> {
        chattr("+i", &files).then_some(Self(files))
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        chattr("-i", &self.0);
    }
}

/// Whether this is a package's file in a store.
fn is_stored_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn chattr(change: &str, files: &[PathBuf]) -> bool {
    Command::new("chattr").arg(change).args(files).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that tested nothing says why")]
async fn what_may_not_be_linked_is_copied() {
    let scene = scene();
    scene.install().await.unwrap();
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    let store = scene.home().join("store/v1");
    let files = crate::support::snapshot(&store).into_keys().filter(|path| is_stored_file(path));
    let files: Vec<PathBuf> = files.map(|path| store.join(path)).collect();
    assert_eq!(files.len(), 5);
    let Some(_immutable) = Immutable::new(files) else {
        eprintln!("skipped: no file can be made immutable here, which takes root and chattr on ext4, XFS or btrfs");
        return;
    };
    let (summary, reason) = install_and_hear(scene.options()).await;
    assert!(matches!(summary.method, Some(Method::Reflink | Method::Copy)), "{summary:?}");
    assert!(reason.is_none_or(|reason| reason.contains("not permitted")));
    assert_right(&scene.dir());
}

/// Not a test by itself.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child_installs_in_layers() {
    let scene = scene();
    let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| scene.home().join(name));
    for folder in [&lower, &upper, &work, &merged] {
        fs::create_dir(folder).unwrap();
    }
    let project = |home: &Path| {
        fs::create_dir(home.join("project")).unwrap();
        fs::write(home.join("project/package.json"), OLD).unwrap();
        options(&home.join("project"), home, &scene.registry.url(), "")
    };
    // The store of an image's lower layer, as a container sees it.
    let below = project(&lower);
    install(below, &Warnings::default()).await.unwrap();
    fs::remove_dir_all(lower.join("project")).unwrap();
    let layers = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let _layers = Mounted::new(&["-t", "overlay", "overlay", "-o", &layers], &merged);
    let (summary, reason) = install_and_hear(project(&merged)).await;
    assert!(matches!(summary.method, Some(Method::Reflink | Method::Copy)), "{summary:?}");
    assert!(reason.is_none_or(|reason| reason.contains("lower layer of an overlayfs")));
    assert_right(&merged.join("project"));
    let copied_up = crate::support::snapshot(&upper).into_keys().filter(|path| is_stored_file(path)).count();
    assert_eq!((summary.downloaded, copied_up), (0, 0), "the store's files stay in their layer");

    // A store that came about in the container.
    let home = merged.join("home");
    fs::create_dir(&home).unwrap();
    let (summary, reason) = install_and_hear(project(&home)).await;
    assert_right(&home.join("project"));
    let files = fs::File::open(&home).unwrap();
    // Before Linux 6.6 nobody tells which layer it is, and copies cost less than links may.
    if atoll_sys::overlay::is_in_upper(files) == Ok(Some(true)) {
        assert_eq!((summary.method, reason), (Some(Method::Hardlink), None));
        assert_eq!(fs::metadata(home.join("project/node_modules/b/b.js")).unwrap().nlink(), 2);
    }
}

#[test]
fn a_store_in_a_lower_layer_is_copied_from_and_one_in_the_upper_layer_linked() {
    in_namespace("mounts::child_installs_in_layers", &[]);
}
