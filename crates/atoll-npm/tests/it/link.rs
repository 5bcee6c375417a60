//! How a tree is laid out: links, copies, commands, nesting.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use atoll_npm::{
    install::install,
    link::Method,
    linker::Linker,
    report::{Reporter, Stage, Warning},
};
use atoll_test::npm_registry::{Fault, Package};
use nix::sys::resource::{UsageWho, getrusage};

use crate::support::{Scene, Warnings, noise, options};

#[tokio::test]
async fn files_are_shared_with_the_store_where_the_file_system_can() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").file("x/y/z.js", "z").executable("run", "#!/bin/sh\n"));
    let summary = scene.install().await.unwrap();
    assert_eq!(summary.method, Some(Method::Hardlink));
    assert_eq!(fs::metadata(scene.path("node_modules/a/x/y/z.js")).unwrap().nlink(), 2);
    assert_eq!(fs::metadata(scene.path("node_modules/a/run")).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_store_on_another_file_system_is_copied_from() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*"}}"#);
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(scene.home()).unwrap().dev() {
        return;
    }
    scene.registry.publish(&Package::new("a", "1.0.0").file("a.js", "a").executable("run", "#!/bin/sh\n"));
    let warnings = Warnings::default();
    let mut options = scene.options();
    options.store_dir = elsewhere.path().join("store");
    let summary = install(options, &warnings).await.unwrap();
    assert_eq!(summary.method, Some(Method::Copy));
    assert!(matches!(&warnings.all()[..], [Warning::Copying { .. }]));
    assert_eq!(scene.read("node_modules/a/a.js"), "a");
    assert_eq!(fs::metadata(scene.path("node_modules/a/run")).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_link_in_the_place_of_node_modules_is_replaced() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").file("a.js", "a"));
    fs::create_dir_all(scene.home().join("elsewhere/precious")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", scene.path("node_modules")).unwrap();
    scene.install().await.unwrap();
    assert!(fs::symlink_metadata(scene.path("node_modules")).unwrap().is_dir());
    assert_eq!(scene.read("node_modules/a/a.js"), "a");
    assert_eq!(fs::read_dir(scene.home().join("elsewhere")).unwrap().count(), 1, "what it led to is untouched");
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn nested_packages_follow_their_parents() {
    let scene = Scene::new(r#"{"dependencies":{"a":"1","c":"1"}}"#);
    for version in ["1.0.0", "2.0.0"] {
        scene.registry.publish(&Package::new("c", version).file("c.js", version).bin("c-run", "c.js"));
        scene.registry.publish(&Package::new("a", version).dependency("c", "2").file("a.js", version));
    }
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/node_modules/c/c.js"), "2.0.0");
    assert_eq!(scene.read("node_modules/c/c.js"), "1.0.0");
    assert_eq!(scene.read("node_modules/a/node_modules/.bin/c-run"), "2.0.0");

    scene.write("package.json", r#"{"dependencies":{"a":"2","c":"1"}}"#);
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/a.js"), "2.0.0");
    assert_eq!(scene.read("node_modules/a/node_modules/c/c.js"), "2.0.0");

    scene.write("package.json", r#"{"dependencies":{"a":"2","c":"2"}}"#);
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/.bin/c-run"), "2.0.0");
    assert!(!scene.exists("node_modules/a/node_modules"), "an emptied nested folder goes, with its commands");
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn bundled_packages_stay_with_their_parent() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*"}}"#);
    scene.registry.publish(
        &Package::new("a", "1.0.0")
            .dependency("inner", "*")
            .field("bundleDependencies", ["inner"].into())
            .file("node_modules/inner/package.json", r#"{"name":"inner","version":"9.9.9"}"#)
            .file("node_modules/inner/index.js", "bundled"),
    );
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/node_modules/inner/index.js"), "bundled");
    assert_eq!(scene.registry.count("inner"), 0);
    scene.registry.publish(&Package::new("b", "1.0.0"));
    scene.add(&["b"]).await.unwrap();
    assert_eq!(scene.read("node_modules/a/node_modules/inner/index.js"), "bundled");
}

#[tokio::test]
async fn what_the_project_bundles_is_a_package_like_any_other() {
    for linker in Linker::ALL {
        let scene = Scene::new(r#"{"dependencies":{"a":"*","b":"*"},"bundleDependencies":["a"]}"#);
        scene.registry.publish(
            &Package::new("a", "1.0.0")
                .dependency("c", "2")
                .dependency("inner", "*")
                .field("bundleDependencies", ["inner"].into())
                .file("node_modules/inner/package.json", r#"{"name":"inner","version":"9.9.9"}"#)
                .file("node_modules/inner/index.js", "bundled by a"),
        );
        scene.registry.publish(&Package::new("b", "1.0.0").dependency("c", "1"));
        for version in ["1.0.0", "2.0.0"] {
            scene.registry.publish(&Package::new("c", version).file("c.js", version));
        }
        let summary = scene.install_with(|options| options.linker = Some(linker)).await.unwrap();
        assert_eq!((summary.installed, summary.downloaded), (4, 4), "{linker:?}");
        assert_eq!(scene.registry.count("/inner"), 0, "{linker:?}");
        if linker != Linker::Virtual {
            assert_eq!(scene.read("node_modules/a/node_modules/inner/index.js"), "bundled by a", "{linker:?}");
        }
    }
}

#[tokio::test]
async fn what_a_tarball_brings_along_yields_to_what_was_resolved() {
    let scene = Scene::new(r#"{"dependencies":{"a":"1","c":"1"}}"#);
    scene.registry.publish(&Package::new("c", "1.0.0").file("c.js", "1"));
    scene.registry.publish(&Package::new("c", "2.0.0").file("c.js", "2"));
    scene.registry.publish(
        &Package::new("a", "1.0.0")
            .dependency("c", "2")
            .file("node_modules/c/c.js", "stray")
            .file("node_modules/c/more.js", "stray"),
    );
    scene.install().await.unwrap();
    assert_eq!(scene.read("node_modules/a/node_modules/c/c.js"), "2");
    assert!(!scene.exists("node_modules/a/node_modules/c/more.js"));
}

#[tokio::test]
async fn commands_run_whatever_their_line_endings() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*","b":"*"}}"#);
    scene.registry.publish(&Package::new("a", "1.0.0").bin("run", "run.sh").file("run.sh", "#!/bin/sh\r\necho a\n"));
    scene.registry.publish(&Package::new("b", "1.0.0").bin("run", "run.sh").file("run.sh", "#!/bin/sh\necho b\n"));
    scene.install().await.unwrap();
    let output = std::process::Command::new(scene.path("node_modules/.bin/run")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n", "of two direct dependencies the first by name wins");
}

#[tokio::test]
async fn aliases_keep_their_own_folder() {
    let scene = Scene::new(r#"{"dependencies":{"one":"npm:real@1","two":"npm:real@2"}}"#);
    scene.registry.publish(&Package::new("real", "1.0.0").file("x.js", "1"));
    scene.registry.publish(&Package::new("real", "2.0.0").file("x.js", "2"));
    scene.install().await.unwrap();
    assert_eq!((scene.read("node_modules/one/x.js"), scene.read("node_modules/two/x.js")), ("1".into(), "2".into()));
    assert!(scene.install().await.unwrap().up_to_date);
}

#[tokio::test]
async fn endless_nesting_ends_in_a_link() {
    let scene = Scene::new(r#"{"dependencies":{"a":"3","b":"3","start":"1"}}"#);
    for (name, version, dependency) in [
        ("a", "1.0.0", ("b", "1")),
        ("a", "2.0.0", ("b", "2")),
        ("b", "1.0.0", ("a", "2")),
        ("b", "2.0.0", ("a", "1")),
        ("start", "1.0.0", ("a", "1")),
    ] {
        scene
            .registry
            .publish(&Package::new(name, version).dependency(dependency.0, dependency.1).file("x.js", version));
    }
    scene.registry.publish(&Package::new("a", "3.0.0"));
    scene.registry.publish(&Package::new("b", "3.0.0"));
    scene.install().await.unwrap();
    let links: Vec<_> = scene.snapshot().into_iter().filter(|(_, content)| content.starts_with(b"-> ")).collect();
    let [(link, _)] = &links[..] else { panic!("one link: {links:?}") };
    assert!(fs::metadata(scene.path(link)).unwrap().is_dir(), "it leads to a package");
    assert!(scene.install().await.unwrap().up_to_date);
    let before = scene.snapshot();
    fs::remove_file(scene.path(link)).unwrap();
    scene.install().await.unwrap();
    assert_eq!(scene.snapshot(), before);
}

#[tokio::test]
async fn packages_of_all_sizes_arrive_whole() {
    // Some are held in memory as they are, of these some also as what they become, and some are unpacked while they arrive.
    // Whose size the registry does not say is one or the other as it turns out.
    let noises = [1 << 20, 3 << 20, 9 << 20, 15 << 20, 17 << 20].map(noise);
    let zeros = [15 << 20, 40 << 20].map(|bytes| vec![0; bytes]);
    let contents: Vec<Vec<u8>> = noises.into_iter().chain(zeros).collect();
    let scene = Scene::new(r#"{"dependencies":{"p0":"*","p1":"*","p2":"*","p3":"*","p4":"*","p5":"*","p6":"*"}}"#);
    for (index, content) in contents.iter().enumerate() {
        scene.registry.publish(&Package::new(&format!("p{index}"), "1.0.0").file("a/blob", content).file("z.js", "z"));
    }
    for without_length in [0, contents.len()] {
        scene.registry.fail("/-/", Fault::Chunked, without_length);
        scene.install().await.unwrap();
        for (index, content) in contents.iter().enumerate() {
            assert!(fs::read(scene.path(&format!("node_modules/p{index}/a/blob"))).unwrap() == *content, "p{index}");
            assert_eq!(scene.read(&format!("node_modules/p{index}/z.js")), "z");
        }
        assert_eq!(scene.registry.count("/-/"), contents.len(), "nothing is asked for again");
        scene.registry.forget_requests();
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
        fs::remove_dir_all(scene.home().join("store")).unwrap();
    }
}

/// Packages of the installation whose context switches are counted. One switch for each would be over the bound.
const COUNTED_PACKAGES: usize = 200;
/// Files of each of them.
const COUNTED_FILES: usize = 10;
/// Times that an installation of these from a warm store may wait for something: for its threads, for directories that
/// another thread is making an entry in, for pages of files.
const SWITCHES_MAX: i64 = 100;

/// Looks whether there are threads for the network when linking is done.
#[derive(Default)]
struct NetworkThreads(AtomicBool);

impl Reporter for NetworkThreads {
    fn stage_finished(&self, stage: Stage, _: Duration) {
        if stage == Stage::Link {
            let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
            let is_networks = |name: String| name.trim_end() == "network";
            let found = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
            self.0.store(found.into_iter().any(is_networks), Ordering::Relaxed);
        }
    }
}

/// What an installation in a process of its own needed.
struct Needed {
    /// Voluntary context switches.
    switches: i64,
    /// Whether it had threads for the network.
    has_network: bool,
    /// The most memory that was resident, in KiB.
    resident_kib: u64,
}

/// Not a test by itself: installs in a process of its own, and writes down what it needed.
#[tokio::test]
#[ignore = "runs in the child processes of another test"]
async fn child() {
    let variable = |name: &str| env::var(name).expect("set by the parent");
    let (dir, home) = (variable("TEST_PROJECT"), variable("TEST_HOME"));
    let threads = NetworkThreads::default();
    let switches = || getrusage(UsageWho::RUSAGE_SELF).unwrap().voluntary_context_switches();
    let before = switches();
    install(options(Path::new(&dir), Path::new(&home), &variable("TEST_REGISTRY"), ""), &threads).await.unwrap();
    let switches = switches() - before;
    // getrusage(2) counts what the parent had before the exec as well.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    let found = format!("{switches} {} {most}", threads.0.into_inner());
    fs::write(variable("TEST_RESULT"), found).unwrap();
}

fn counted_installation(scene: &Scene) -> Needed {
    let result = scene.home().join("result");
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "link::child", "--ignored", "--quiet"])
        .env("TEST_PROJECT", scene.dir())
        .env("TEST_HOME", scene.home())
        .env("TEST_REGISTRY", scene.registry.url())
        .env("TEST_RESULT", &result)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let found = fs::read_to_string(result).unwrap();
    let [switches, has_network, resident] = found.split(' ').collect::<Vec<_>>().try_into().unwrap();
    Needed {
        switches: switches.parse().unwrap(),
        has_network: has_network == "true",
        resident_kib: resident.parse().unwrap(),
    }
}

/// Installs packages of so many bytes in a process of its own; at no time does it have all of them in memory, itself included.
fn check_resident(packages: usize, bytes: usize, without_length: bool) {
    let dependencies: serde_json::Map<_, _> =
        (0..packages).map(|package| (format!("p{package}"), "*".into())).collect();
    let scene = Scene::new(&serde_json::json!({ "dependencies": dependencies }).to_string());
    let content = noise(bytes);
    for package in 0..packages {
        // Each has another integrity.
        let name = format!("p{package}");
        scene.registry.publish(&Package::new(&name, "1.0.0").file("name", &name).file("blob", &content));
    }
    scene.registry.fail("/-/", Fault::Chunked, if without_length { packages } else { 0 });
    let Needed { resident_kib, .. } = counted_installation(&scene);
    let all_kib = ((packages * bytes) >> 10) as u64;
    assert!(resident_kib < all_kib, "{resident_kib} KiB for {packages} packages of {all_kib} KiB");
    assert!(fs::read(scene.path("node_modules/p13/blob")).unwrap() == content);
}

#[test]
fn packages_are_not_all_in_memory_at_once() {
    for without_length in [false, true] {
        check_resident(14, 12 << 20, without_length);
        // As many as there are requests at once, at the most, each a little below what is held in memory.
        check_resident(100, 15 << 17, without_length);
    }
}

#[test]
fn a_warm_installation_hardly_waits_and_needs_nothing_of_the_network() {
    let dependencies: serde_json::Map<_, _> =
        (0..COUNTED_PACKAGES).map(|package| (format!("p{package}"), "*".into())).collect();
    let scene = Scene::new(&serde_json::json!({ "dependencies": dependencies }).to_string());
    for package in 0..COUNTED_PACKAGES {
        let mut published = Package::new(&format!("p{package}"), "1.0.0");
        for file in 1..COUNTED_FILES {
            published = published.file(&format!("{}/{file}.js", file % 2), "x");
        }
        scene.registry.publish(&published);
    }
    assert!(counted_installation(&scene).has_network, "what is not stored is asked for");
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
    scene.registry.forget_requests();
    let Needed { switches, has_network, .. } = counted_installation(&scene);
    assert!(!has_network && scene.registry.requests().is_empty());
    assert!(switches <= SWITCHES_MAX, "{switches} for {} files", COUNTED_PACKAGES * COUNTED_FILES);
    assert!(scene.exists("node_modules/p199/1/9.js"));
}

/// Waits until there is something at a path of the project, and the registry was asked for a path so many times.
async fn appears(scene: &Scene, path: &str, (asked, times): (&str, usize)) {
    while !scene.exists(path) || scene.registry.count(asked) < times {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn packages_are_linked_while_others_are_awaited() {
    for (linker, place) in [(Linker::Hoisted, "a"), (Linker::Isolated, ".pnpm/a@1.0.0/node_modules/a")] {
        let scene = Scene::new(r#"{"dependencies":{"a":"*","b":"*"}}"#);
        scene.registry.publish(&Package::new("a", "1.0.0").file("deep/a.js", "a"));
        scene.registry.publish(&Package::new("b", "1.0.0").file("b.js", noise(100_000)));
        let installing = |linker| {
            scene.install_with(move |options| {
                options.linker = Some(linker);
                options.network.stall = Duration::from_hours(1);
            })
        };
        scene.registry.fail("/-/b-", Fault::Stall(50), 3);
        let linked = format!(".atoll-stage/tree/node_modules/{place}/deep/a.js");
        // Neither lockfile nor store; the store has it; the store has nothing and there is a lockfile.
        for (nth, step) in ["nothing", "store", "lockfile"].into_iter().enumerate() {
            if step == "lockfile" {
                scene.install_with(|options| options.lockfile_only = true).await.unwrap();
                fs::remove_dir_all(scene.home().join("store")).unwrap();
            }
            let before = scene.snapshot();
            let mut installing = Box::pin(installing(linker));
            tokio::select! {
                outcome = &mut installing => panic!("{step}: {outcome:?}"),
                () = appears(&scene, &linked, ("/-/b-", nth + 1)) => {}
            }
            drop(installing);
            // The lock is free once nothing works in the project any more.
            let project = fs::File::open(scene.dir()).unwrap();
            tokio::task::spawn_blocking(move || project.lock().unwrap()).await.unwrap();
            assert_eq!(scene.snapshot(), before, "{step}");
        }
        installing(linker).await.unwrap();
        assert_eq!(scene.read(&format!("node_modules/{place}/deep/a.js")), "a");
        assert!(scene.exists("node_modules/b/b.js"));
    }
}

#[tokio::test]
async fn what_cannot_be_linked_ends_an_installation_that_still_downloads() {
    let scene = Scene::new(r#"{"dependencies":{"a":"*","inner":"2.0.0","late":"*"}}"#);
    // The file is where a package belongs.
    scene.registry.publish(&Package::new("a", "1.0.0").file("node_modules", "").dependency("inner", "1.0.0"));
    scene.registry.publish(&Package::new("inner", "1.0.0"));
    scene.registry.publish(&Package::new("inner", "2.0.0"));
    scene.registry.publish(&Package::new("late", "1.0.0").file("b.js", noise(100_000)));
    scene.registry.fail("/-/late-", Fault::Stall(50), usize::MAX);
    let before = scene.snapshot();
    let installing = scene.install_with(|options| options.network.stall = Duration::from_hours(1));
    let error = installing.await.unwrap_err().to_string();
    assert!(error.contains("node_modules/a/node_modules"), "{error}");
    assert_eq!(scene.snapshot(), before);
}
