//! Installations whose inputs were found to fit before: the same result without a resolution.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use atoll_npm::{
    install::{InstallOptions, Summary, install},
    linker::Linker,
    lock::Platform,
    report::{Reporter, Stage, Warning},
};
use atoll_test::npm_registry::Package;
use serde_json::json;

use crate::support::Scene;

/// Notes whether something was resolved, and what was warned of.
#[derive(Default)]
struct Heard {
    resolved: AtomicBool,
    warnings: Mutex<Vec<Warning>>,
}

impl Reporter for Heard {
    fn stage_started(&self, stage: Stage, _: usize) {
        self.resolved.fetch_or(stage == Stage::Resolve, Ordering::Relaxed);
    }

    fn warning(&self, warning: &Warning) {
        self.warnings.lock().unwrap().push(warning.clone());
    }
}

/// Commands, nesting, a bundled package, one for another machine, a script and one that its author advises against.
fn scene() -> Scene {
    let scene = Scene::new(
        r#"{"name":"p","version":"1.0.0","dependencies":{"a":"1","b":"*","bundling":"*","old":"*","portable":"*"},
            "devDependencies":{"d":"*"}}"#,
    );
    let publish = |package: Package| scene.registry.publish(&package);
    publish(Package::new("a", "1.0.0").file("a.js", "a1").bin("run-a", "a.js"));
    publish(Package::new("a", "2.0.0").file("a.js", "a2").bin("run-a", "a.js"));
    publish(Package::new("b", "1.0.0").dependency("a", "2").script("postinstall", "touch ran").file("b.js", "b"));
    publish(
        Package::new("bundling", "1.0.0")
            .dependency("inner", "1")
            .field("bundleDependencies", json!(["inner"]))
            .file("node_modules/inner/package.json", r#"{"name":"inner","version":"1.0.0"}"#),
    );
    publish(Package::new("inner", "1.0.0"));
    publish(Package::new("old", "1.0.0").field("deprecated", json!("use another")));
    publish(
        Package::new("portable", "1.0.0").optional_dependency("for-linux", "1").optional_dependency("for-mac", "1"),
    );
    publish(Package::new("for-linux", "1.0.0").field("os", json!(["linux"])));
    publish(Package::new("for-mac", "1.0.0").field("os", json!(["darwin"])));
    publish(Package::new("d", "1.0.0").file("d.js", "d"));
    scene
}

/// Installs; whether something was resolved for it.
async fn installed(scene: &Scene, change: impl FnOnce(&mut InstallOptions)) -> (Summary, bool) {
    let (summary, heard) = heard(scene, change).await;
    (summary, heard.resolved.into_inner())
}

/// Installs; what is heard of it.
async fn heard(scene: &Scene, change: impl FnOnce(&mut InstallOptions)) -> (Summary, Heard) {
    let (mut options, heard) = (scene.options(), Heard::default());
    change(&mut options);
    (install(options, &heard).await.unwrap(), heard)
}

fn remove_modules(scene: &Scene) {
    fs::remove_dir_all(scene.path("node_modules")).unwrap();
}

/// All files, and what the summary says of packages.
fn result(scene: &Scene, summary: &Summary) -> (BTreeMap<String, Vec<u8>>, usize, usize, Vec<String>) {
    (scene.snapshot(), summary.installed, summary.added, summary.scripts_skipped.clone())
}

#[tokio::test]
async fn the_same_inputs_give_the_same_without_a_resolution() {
    let scene = scene();
    let (first, resolved) = installed(&scene, |_| ()).await;
    assert!(resolved && first.lock_written);
    let expected = result(&scene, &first);
    assert!(expected.0.contains_key("node_modules/bundling/node_modules/inner/package.json"));
    assert!(!scene.exists("node_modules/for-mac"));
    scene.registry.forget_requests();

    // As frozen as not: with these inputs there is nothing to change.
    for frozen in [false, true] {
        remove_modules(&scene);
        let (again, resolved) = installed(&scene, |options| options.frozen = frozen).await;
        assert!(!resolved && !again.lock_written && scene.registry.requests().is_empty());
        assert_eq!(result(&scene, &again), expected);
    }

    // What the store has not is fetched, and what a tree lacks is built.
    fs::remove_dir_all(scene.home().join("store")).unwrap();
    fs::remove_dir_all(scene.path("node_modules/b")).unwrap();
    fs::remove_file(scene.path("node_modules/.atoll-state")).unwrap();
    let (again, resolved) = installed(&scene, |_| ()).await;
    assert!(!resolved);
    assert_eq!((again.downloaded, again.added, again.changed), (2, 0, 2), "b, and the one in it");
    assert_eq!(scene.snapshot(), expected.0);
}

#[tokio::test]
async fn what_authors_advise_against_is_said_each_time() {
    let scene = scene();
    let expected = Warning::Deprecated { package: "old@1.0.0".to_owned(), message: "use another".to_owned() };
    for resolves in [true, false, false] {
        let (_, heard) = heard(&scene, |_| ()).await;
        assert_eq!(heard.resolved.into_inner(), resolves);
        assert_eq!(heard.warnings.into_inner().unwrap(), std::slice::from_ref(&expected));
        remove_modules(&scene);
    }
}

#[tokio::test]
async fn other_inputs_are_resolved() {
    let scene = scene();
    installed(&scene, |_| ()).await;
    let after = async |change: fn(&mut InstallOptions)| {
        remove_modules(&scene);
        installed(&scene, change).await.1
    };
    assert!(!after(|_| ()).await);
    assert!(after(|options| options.linker = Some(Linker::Isolated)).await);
    assert!(after(|options| options.production = true).await);
    assert!(after(|options| options.platform = Platform { os: "darwin".to_owned(), ..options.platform.clone() }).await);
    assert!(scene.exists("node_modules/for-mac") && !scene.exists("node_modules/for-linux"));
    assert!(after(|options| options.add = vec!["a@1".to_owned()]).await);
    assert!(!after(|_| ()).await, "nothing else was asked for");

    // A cache of another machine's.
    fs::remove_dir_all(scene.home().join("state")).unwrap();
    assert!(after(|_| ()).await);
    assert!(!after(|_| ()).await);

    // Scripts run in the order of dependencies.
    let manifest = scene.read("package.json");
    scene.write("package.json", &manifest.replacen('{', r#"{"atoll":{"allowScripts":["b"]},"#, 1));
    for ignore_scripts in [false, false, true, true] {
        remove_modules(&scene);
        let (summary, resolved) = installed(&scene, |options| options.ignore_scripts = ignore_scripts).await;
        assert_eq!(summary.scripts_ran.len(), usize::from(!ignore_scripts));
        assert!(resolved || ignore_scripts);
    }

    // A lockfile that somebody else wrote, until it is written as we do it.
    scene.write("package.json", &manifest);
    let lock = scene.read("package-lock.json");
    let other = lock.replace("\n  ", "\n ");
    scene.write("package-lock.json", &other);
    for _ in 0..2 {
        remove_modules(&scene);
        let (summary, resolved) = installed(&scene, |options| options.frozen = true).await;
        assert!(resolved && !summary.lock_written);
    }
    assert!(after(|_| ()).await);
    assert_eq!(scene.read("package-lock.json"), lock);
    assert!(!after(|_| ()).await);
}
