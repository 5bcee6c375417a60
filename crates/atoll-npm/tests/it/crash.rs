//! Installations killed at any moment, and several at once on one project or one store.

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use atoll_npm::{
    install::{InstallOptions, install},
    linker::Linker,
    report::Silent,
    store::{MachineKey, Store},
};
use atoll_test::npm_registry::{NpmRegistry, Package};

use crate::support::{Scene, options, snapshot};

/// Variable that says how many installations of each setting are killed: of fourteen settings, so 72 make a thousand.
const KILLS_VARIABLE: &str = "ATOLL_TEST_KILLS";
/// How many without it.
const KILLS: u32 = 4;
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
    options.lockfile_only = variable("TEST_LOCKFILE_ONLY") == "true";
    install(options, &Silent).await.unwrap();
}

fn spawn(dir: &Path, home: &Path, registry: &NpmRegistry, setting: Setting) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--quiet"])
        .env("TEST_PROJECT", dir)
        .env("TEST_HOME", home)
        .env("TEST_REGISTRY", registry.url())
        .env("TEST_LINKER", setting.linker.name())
        .env("TEST_LOCKFILE_ONLY", setting.lockfile_only.to_string())
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
    for version in [OLD, NEW] {
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

const OLD: &str = "1.0.0";
const NEW: &str = "2.0.0";

/// What is installed, over what.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// What was installed before, of the old versions.
    over: Option<Linker>,
    /// The lockfile for the new versions is there.
    is_locked: bool,
    linker: Linker,
    lockfile_only: bool,
}

const FIRST: Setting = Setting { over: None, is_locked: false, linker: Linker::Hoisted, lockfile_only: false };

impl Setting {
    fn options(self, scene: &Scene) -> InstallOptions {
        InstallOptions { linker: Some(self.linker), lockfile_only: self.lockfile_only, ..scene.options() }
    }

    /// Sets up what an installation finds.
    async fn prepare(self, scene: &Scene, lock: &str) {
        if scene.dir().exists() {
            fs::remove_dir_all(scene.dir()).unwrap();
        }
        fs::create_dir(scene.dir()).unwrap();
        if let Some(linker) = self.over {
            scene.write("package.json", &manifest(OLD));
            scene.install_with(|options| options.linker = Some(linker)).await.unwrap();
        }
        scene.write("package.json", &manifest(NEW));
        if self.is_locked {
            scene.write("package-lock.json", lock);
        }
    }

    /// Kills installations at random moments. Each time the project must be as before, or as after, or in the middle of its
    /// journal; the next installation must give the same result, in every byte, as one that was never killed; and what is in the
    /// store must be right in every byte.
    async fn survives_being_killed(self) {
        let kills = env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().expect("a number"));
        let scene = Scene::new(&manifest(NEW));
        publish(&scene.registry);
        scene.install_with(|options| options.lockfile_only = true).await.unwrap();
        let lock = scene.read("package-lock.json");
        // With the store that the next one finds, most of an installation is linking.
        let (mut whole, mut before, mut after) = ([Duration::ZERO; 2], BTreeMap::new(), BTreeMap::new());
        for whole in &mut whole {
            self.prepare(&scene, &lock).await;
            before = comparable(&scene);
            let started = Instant::now();
            assert!(spawn(&scene.dir(), scene.home(), &scene.registry, self).wait().unwrap().success());
            *whole = started.elapsed();
            after = comparable(&scene);
            assert_ne!(before, after);
        }

        let (mut killed, mut rounds) = (0, 0);
        while killed < kills {
            rounds += 1;
            assert!(rounds <= 10 * kills, "{self:?}: of {rounds} only {killed} were killed");
            let has_store = rounds % 2 == 0;
            for folder in ["store", "cache"].map(|name| scene.home().join(name)) {
                // Where the lockfile says it all, nothing was cached.
                if !has_store && folder.exists() {
                    fs::remove_dir_all(folder).unwrap();
                }
            }
            self.prepare(&scene, &lock).await;
            assert_eq!(comparable(&scene), before);

            let whole = whole[usize::from(has_store)];
            let pause = whole.mul_f64(random_fraction());
            let at = format!("{self:?}, killed after {pause:?} of {whole:?}");
            let mut child = spawn(&scene.dir(), scene.home(), &scene.registry, self);
            tokio::time::sleep(pause).await;
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            let is_journaled = [".atoll-stage", "node_modules/.atoll-stage"]
                .iter()
                .any(|stage| scene.exists(&format!("{stage}/commit.json")));
            let found = comparable(&scene);
            assert!(is_journaled || found == before || found == after, "{at}: neither as before nor as after");

            let summary = install(self.options(&scene), &Silent).await.unwrap();
            assert_eq!(comparable(&scene), after, "{at}: {summary:?}");
            assert!(!scene.exists(".atoll-stage") && !scene.exists("node_modules/.atoll-stage"), "{at}");
            assert!(install(self.options(&scene), &Silent).await.unwrap().up_to_date, "{at}");
            let store = Store::open(&scene.home().join("store"), key(&scene)).unwrap();
            assert_eq!(store.verify(true, &|_| {}).unwrap().bad, [], "{at}");
        }
    }
}

fn key(scene: &Scene) -> MachineKey {
    MachineKey::open(&scene.home().join("state")).unwrap()
}

/// Between 0 and 1.
fn random_fraction() -> f64 {
    let mut random = [0; 4];
    getrandom::fill(&mut random).unwrap();
    f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
}

/// The project without what a killed installation may leave, and without what differs between equal installations.
fn comparable(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    let mut files = scene.snapshot();
    files.retain(|path, _| !path.contains(".atoll-stage"));
    files
}

#[tokio::test]
async fn a_killed_first_installation() {
    FIRST.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_first_installation_with_a_lockfile() {
    Setting { is_locked: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_upgrade() {
    Setting { over: Some(Linker::Hoisted), ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_upgrade_with_a_lockfile() {
    Setting { over: Some(Linker::Hoisted), is_locked: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_first_isolated_installation() {
    Setting { linker: Linker::Isolated, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_isolated_upgrade_with_a_lockfile() {
    let linker = Linker::Isolated;
    Setting { over: Some(linker), is_locked: true, linker, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_change_of_the_linker_to_isolated() {
    Setting { over: Some(Linker::Hoisted), linker: Linker::Isolated, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_change_of_the_linker_from_isolated_to_hoisted() {
    Setting { over: Some(Linker::Isolated), is_locked: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_first_virtual_installation() {
    Setting { linker: Linker::Virtual, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_virtual_upgrade_with_a_lockfile() {
    let linker = Linker::Virtual;
    Setting { over: Some(linker), is_locked: true, linker, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_change_of_the_linker_to_virtual() {
    Setting { over: Some(Linker::Hoisted), linker: Linker::Virtual, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_change_of_the_linker_to_hoisted() {
    Setting { over: Some(Linker::Virtual), is_locked: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_writing_of_the_lockfile_alone() {
    Setting { lockfile_only: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn a_killed_writing_of_the_lockfile_alone_over_another_one() {
    Setting { over: Some(Linker::Hoisted), lockfile_only: true, ..FIRST }.survives_being_killed().await;
}

#[tokio::test]
async fn two_processes_install_into_one_project_at_once() {
    for linker in Linker::ALL {
        let scene = Scene::new(&manifest(NEW));
        publish(&scene.registry);
        let setting = Setting { linker, ..FIRST };
        let both = [(); 2].map(|()| spawn(&scene.dir(), scene.home(), &scene.registry, setting));
        for mut child in both {
            assert!(child.wait().unwrap().success());
        }
        let found = scene.snapshot();
        assert!(install(setting.options(&scene), &Silent).await.unwrap().up_to_date);
        fs::remove_dir_all(scene.path("node_modules")).unwrap();
        fs::remove_file(scene.path("package-lock.json")).unwrap();
        install(setting.options(&scene), &Silent).await.unwrap();
        assert!(found == scene.snapshot(), "{linker:?}: another tree than one alone makes");
        assert_eq!((scene.store_entries(), scene.store_leftovers()), (PACKAGES + 2, 0));
    }
}

#[tokio::test]
async fn many_projects_share_a_store_at_once() {
    let scene = Scene::new(&manifest(OLD));
    publish(&scene.registry);
    let folders: Vec<_> = (0..4).map(|index| scene.home().join(format!("project-{index}"))).collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("package.json"), manifest(OLD)).unwrap();
    }
    let children: Vec<Child> =
        folders.iter().map(|folder| spawn(folder, scene.home(), &scene.registry, FIRST)).collect();
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
