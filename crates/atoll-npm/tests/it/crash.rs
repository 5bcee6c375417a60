//! Installations killed at any moment, and several at once on one store.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use atoll_npm::{
    install::{Summary, install},
    linker::Linker,
    report::Silent,
};
use atoll_test::npm_registry::{NpmRegistry, Package};

use crate::support::{Scene, options, snapshot};

/// Times that an installation is killed in each test.
const KILLS: u32 = 14;
/// Packages of the project.
const PACKAGES: usize = 40;

/// Not a test by itself: what the child processes run.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
async fn child() {
    let variable = |name: &str| env::var(name).expect("set by the parent");
    let (dir, home) = (variable("TEST_PROJECT"), variable("TEST_HOME"));
    let mut options = options(Path::new(&dir), Path::new(&home), &variable("TEST_REGISTRY"), "");
    options.linker = Some(variable("TEST_LINKER").parse().unwrap());
    install(options, &Silent).await.unwrap();
}

fn spawn(dir: &Path, home: &Path, registry: &NpmRegistry, linker: Linker) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--quiet"])
        .env("TEST_PROJECT", dir)
        .env("TEST_HOME", home)
        .env("TEST_REGISTRY", registry.url())
        .env("TEST_LINKER", linker.name())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn manifest(version: &str) -> String {
    let dependencies: BTreeMap<String, &str> = (0..PACKAGES).map(|index| (name(index), version)).collect();
    serde_json::json!({ "name": "p", "version": "1.0.0", "dependencies": dependencies }).to_string()
}

fn name(index: usize) -> String {
    if index.is_multiple_of(3) { format!("@scope/p{index}") } else { format!("p{index}") }
}

fn publish(registry: &NpmRegistry) {
    for version in ["1.0.0", "2.0.0"] {
        registry.publish(&Package::new("shared", version).file("s.js", version));
        for index in 0..PACKAGES {
            let mut package = Package::new(&name(index), version).bin(&format!("run{index}"), "0.js");
            for file in 0..5 {
                package = package.file(&format!("{file}.js"), format!("{version} {index} {file}").repeat(100));
            }
            registry.publish(&package.dependency("shared", if index % 2 == 0 { "1" } else { "2" }));
        }
    }
}

/// The project without what a killed installation may leave, and without what differs between equal installations.
fn comparable(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    let mut files = scene.snapshot();
    files.retain(|path, _| !path.contains(".atoll-stage"));
    files
}

/// Kills an installation of what `prepare` sets up after ever longer times; each time the project must be as before, or
/// in the middle of its journal, and the next installation must give the same result as one that was never killed.
async fn kill_at_many_points(linker: Linker, prepare: impl AsyncFn(&Scene)) {
    let scene = Scene::new("{}");
    publish(&scene.registry);
    prepare(&scene).await;
    let before = comparable(&scene);
    let started = Instant::now();
    assert!(spawn(&scene.dir(), scene.home(), &scene.registry, linker).wait().unwrap().success());
    let whole = started.elapsed();
    let after = comparable(&scene);
    assert_ne!(before, after);

    let (mut killed, mut untouched) = (0, 0);
    for point in 0..KILLS {
        for path in [scene.dir(), scene.home().join("store"), scene.home().join("cache")] {
            // The store stays every other time: then most of an installation is linking.
            if point % 2 == 0 || path == scene.dir() {
                fs::remove_dir_all(&path).unwrap();
            }
        }
        fs::create_dir_all(scene.dir()).unwrap();
        prepare(&scene).await;
        assert_eq!(comparable(&scene), before);

        let mut child = spawn(&scene.dir(), scene.home(), &scene.registry, linker);
        let pause = whole.mul_f64(f64::from(point) / f64::from(KILLS));
        tokio::time::sleep(pause + Duration::from_micros(u64::from(point) * 37)).await;
        child.kill().unwrap();
        if !child.wait().unwrap().success() {
            killed += 1;
        }
        let journaled = [".atoll-stage", "node_modules/.atoll-stage"]
            .iter()
            .any(|stage| scene.exists(&format!("{stage}/commit.json")));
        let found = comparable(&scene);
        if !journaled && found != after {
            assert_eq!(found, before, "killed after {pause:?}");
            untouched += 1;
        }
        let summary = install_as(&scene, linker).await;
        assert_eq!(comparable(&scene), after, "killed after {pause:?}: {summary:?}");
        assert!(!scene.exists(".atoll-stage") && !scene.exists("node_modules/.atoll-stage"));
        assert!(scene.install().await.unwrap().up_to_date);
    }
    assert!(killed > KILLS / 4 && untouched > 0, "{killed} of {KILLS} were killed, {untouched} before their commit");
}

async fn install_as(scene: &Scene, linker: Linker) -> Summary {
    scene.install_with(|options| options.linker = Some(linker)).await.unwrap()
}

async fn kill_first_installation(linker: Linker) {
    kill_at_many_points(linker, async |scene| scene.write("package.json", &manifest("1.0.0"))).await;
}

async fn kill_upgrade(linker: Linker) {
    kill_at_many_points(linker, async |scene| {
        scene.write("package.json", &manifest("1.0.0"));
        install_as(scene, linker).await;
        scene.write("package.json", &manifest("2.0.0"));
    })
    .await;
}

async fn kill_change(from: Linker, to: Linker) {
    kill_at_many_points(to, async |scene| {
        scene.write("package.json", &manifest("1.0.0"));
        install_as(scene, from).await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_first_installation() {
    kill_first_installation(Linker::Hoisted).await;
}

#[tokio::test]
async fn a_killed_first_installation_in_pnpms_layout() {
    kill_first_installation(Linker::Isolated).await;
}

#[tokio::test]
async fn a_killed_upgrade() {
    kill_upgrade(Linker::Hoisted).await;
}

#[tokio::test]
async fn a_killed_upgrade_in_pnpms_layout() {
    kill_upgrade(Linker::Isolated).await;
}

#[tokio::test]
async fn a_killed_change_to_pnpms_layout() {
    kill_change(Linker::Hoisted, Linker::Isolated).await;
}

#[tokio::test]
async fn a_killed_change_from_pnpms_layout() {
    kill_change(Linker::Isolated, Linker::Hoisted).await;
}

#[tokio::test]
async fn many_projects_share_a_store_at_once() {
    let scene = Scene::new(&manifest("1.0.0"));
    publish(&scene.registry);
    let folders: Vec<_> = (0..4).map(|index| scene.home().join(format!("project-{index}"))).collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("package.json"), manifest("1.0.0")).unwrap();
    }
    let children: Vec<Child> =
        folders.iter().map(|folder| spawn(folder, scene.home(), &scene.registry, Linker::Hoisted)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    scene.install().await.unwrap();
    let expected = scene.snapshot();
    for folder in folders {
        assert_eq!(snapshot(&folder), expected);
    }
    assert_eq!((scene.store_entries(), scene.store_leftovers()), (PACKAGES + 2, 0));
}
