//! `atoll install` against a registry on loopback.

use crate::harness::Scene;
use atoll_test::npm_registry::{Fault, NpmRegistry, Package};
use std::process::Stdio;

/// A project, and a registry that it installs from.
fn scene(manifest: &str) -> (Scene, NpmRegistry) {
    let registry = NpmRegistry::start();
    let scene = Scene::new(&[("package.json", manifest)]);
    std::fs::write(scene.home().join(".npmrc"), format!("registry={}\n", registry.url())).expect("a file");
    (scene, registry)
}

fn publish_two(registry: &NpmRegistry) {
    registry
        .publish(&Package::new("left", "1.2.0").dependency("right", "^2").file("index.js", "module.exports = 'left';"));
    registry.publish(&Package::new("right", "2.0.1").file("index.js", "module.exports = 'right';"));
}

#[test]
fn packages_are_installed_and_then_there_is_nothing_to_do() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"^1.0.0"}}"#);
    publish_two(&registry);
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 0
--- stdout
installed 2 packages in [TIME]: 2 added, 2 downloaded, [SIZE]
");
    assert!(scene.exists("node_modules/left/index.js") && scene.exists("node_modules/right/index.js"));
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 0
--- stdout
up to date: 2 packages ([TIME])
");
    insta::assert_snapshot!(scene.atoll(&["install", "--frozen"]), @r"
exit code 0
--- stdout
up to date: 2 packages ([TIME])
");
    let json = scene.command(&["install", "--json"]).output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("a JSON object");
    assert_eq!((&json["upToDate"], &json["installed"]), (&true.into(), &2.into()), "{json}");
}

#[test]
fn a_lockfile_alone_is_told_as_that() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"^1.0.0"}}"#);
    publish_two(&registry);
    insta::assert_snapshot!(scene.atoll(&["install", "--lockfile-only"]), @r"
exit code 0
--- stdout
wrote package-lock.json in [TIME]: 2 packages
");
    insta::assert_snapshot!(scene.atoll(&["install", "--lockfile-only"]), @r"
exit code 0
--- stdout
up to date: package-lock.json, 2 packages ([TIME])
");
    assert!(!scene.exists("node_modules"));
}

#[test]
fn what_was_installed_can_be_imported() {
    let (scene, registry) = scene(r#"{"type":"module","dependencies":{"left":"*"}}"#);
    publish_two(&registry);
    scene.write("main.js", "import left from 'left';\nconsole.log(left);\n");
    assert!(scene.atoll(&["run", "main.js"]).starts_with("exit code 1\n"));
    assert!(scene.atoll(&["install"]).starts_with("exit code 0\n"));
    assert_eq!(scene.atoll(&["run", "main.js"]), "exit code 0\n--- stdout\nleft\n");
}

#[test]
fn packages_are_added() {
    let (scene, registry) = scene("{}");
    publish_two(&registry);
    insta::assert_snapshot!(scene.atoll(&["install", "left", "right@2"]), @r"
exit code 0
--- stdout
+ left ^1.2.0
+ right 2
installed 2 packages in [TIME]: 2 added, 2 downloaded, [SIZE]
");
    insta::assert_snapshot!(scene.read("package.json"), @r#"
{"dependencies": {"left": "^1.2.0", "right": "2"}}
"#);
    insta::assert_snapshot!(scene.atoll(&["install", "not a name"]), @r#"
exit code 1
--- stderr
error: "not a name" does not name a package
hint: Packages are named as in `atoll install hono zod@^4 @types/node@latest`.
"#);
}

#[test]
fn a_lockfile_that_disagrees_fails_when_frozen() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"^1.0.0"}}"#);
    publish_two(&registry);
    insta::assert_snapshot!(scene.atoll(&["install", "--frozen"]), @r"
exit code 1
--- stderr
error: there is no package-lock.json in [HOME]/app
hint: Install without --frozen once, and commit the package-lock.json.
");
    scene.atoll(&["install"]);
    scene.write("package.json", r#"{"dependencies":{"left":"^2.0.0"},"devDependencies":{"right":"*"}}"#);
    let lockfile = scene.read("package-lock.json");
    insta::assert_snapshot!(scene.atoll(&["install", "--frozen"]), @r"
exit code 1
--- stderr
error: package-lock.json does not fit package.json:
  dependencies: left is ^2.0.0 in package.json and ^1.0.0 in the lockfile
  devDependencies: right * is missing from the lockfile
hint: Install without --frozen to update the lockfile, and commit it.
");
    assert_eq!(scene.read("package-lock.json"), lockfile);
}

#[test]
fn a_corrupted_tarball_is_refused() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"*"}}"#);
    publish_two(&registry);
    registry.fail("right-2.0.1.tgz", Fault::Corrupt, 100);
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 1
--- stderr
error: right@2.0.1 is not what was expected: expected sha512-[DIGEST], found sha512-[DIGEST] (http://127.0.0.1:[PORT]/right/-/right-2.0.1.tgz)
hint: Either the download was damaged on the way, or the registry serves something else than when the lockfile was written; nothing was stored.
");
    assert!(!scene.exists("node_modules") && !scene.exists("package-lock.json"));
}

#[test]
fn what_the_registry_has_not_is_said() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"*"}}"#);
    registry.publish(&Package::new("left", "1.0.0").dependency("nothing", "^1"));
    insta::assert_snapshot!(scene.atoll(&["install"]), @r#"
exit code 1
--- stderr
error: there is no package "nothing@^1", wanted by left@1.0.0
hint: Check the name's spelling, and whether a private registry in .npmrc has it.
"#);
    registry.publish(&Package::new("nothing", "0.9.0"));
    insta::assert_snapshot!(scene.atoll(&["install"]), @r#"
exit code 1
--- stderr
error: there is no version for "nothing@^1", wanted by left@1.0.0; the latest is 0.9.0
"#);
    assert!(!scene.exists("node_modules") && !scene.exists("package-lock.json"));
}

#[test]
fn scripts_are_skipped_and_listed_unless_allowed() {
    let (scene, registry) = scene(r#"{"dependencies":{"builds":"*","@s/compiles":"*"}}"#);
    registry.publish(&Package::new("builds", "1.0.0").script("postinstall", "echo built > built"));
    registry.publish(&Package::new("@s/compiles", "2.0.0").script("install", "echo compiled > compiled"));
    insta::assert_snapshot!(scene.atoll(&["install"]), @r#"
exit code 0
--- stdout
installed 2 packages in [TIME]: 2 added, 2 downloaded, [SIZE]
--- stderr
warning: scripts did not run: @s/compiles@2.0.0, builds@1.0.0
hint: if their packages need them, add to package.json: "atoll": {"allowScripts":["@s/compiles","builds"]}
"#);
    assert!(!scene.exists("node_modules/builds/built"));
    scene.write(
        "package.json",
        r#"{"dependencies":{"builds":"*","@s/compiles":"*"},"atoll":{"allowScripts":["builds"]}}"#,
    );
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 0
--- stdout
installed 2 packages in [TIME]: 1 changed
ran scripts of builds@1.0.0
");
    assert!(scene.exists("node_modules/builds/built") && !scene.exists("node_modules/@s/compiles/compiled"));
}

#[test]
fn a_failing_script_shows_its_output() {
    let (scene, registry) = scene(r#"{"dependencies":{"builds":"*"},"atoll":{"allowScripts":["builds"]}}"#);
    registry.publish(&Package::new("builds", "1.0.0").script("postinstall", "echo the reason >&2; exit 7"));
    insta::assert_snapshot!(scene.atoll(&["install"]), @r#"
exit code 1
--- stderr
error: the postinstall script of builds@1.0.0 failed (exit status: 7): echo the reason >&2; exit 7
  the reason
hint: Its output is above. Without its name in "atoll": {"allowScripts": […]} the script does not run.
"#);
}

#[test]
fn without_a_manifest_there_is_nothing_to_install() {
    let scene = Scene::new(&[]);
    std::fs::remove_file(scene.project().join("package.json")).expect("it was there");
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 1
--- stderr
error: there is no package.json in [HOME]/app
hint: Run this in a project's folder, or create a package.json: {}
");
    scene.write("package.json", "{\n  \"dependencies\": {\n}");
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 1
--- stderr
error: package.json is not valid JSON: EOF while parsing an object at line 3 column 1
");
}

#[test]
fn an_interrupted_installation_leaves_the_project_as_it_was() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"*"}}"#);
    publish_two(&registry);
    registry.fail("right-2.0.1.tgz", Fault::Stall(10), 100);
    let mut command = scene.command(&["install"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while registry.count("right-2.0.1.tgz") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    crate::server::interrupt(&child);
    insta::assert_snapshot!(scene.shown(&child.wait_with_output().expect("it ends")), @r"
exit code 130
--- stderr
cancelled: the project is as it was before
");
    let mut left: Vec<_> = std::fs::read_dir(scene.project())
        .expect("the project")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["package.json"]);
}

#[test]
fn an_installation_that_is_asked_says_what_it_waits_for_and_goes_on() {
    let (scene, registry) = scene(r#"{"dependencies":{"left":"*"}}"#);
    publish_two(&registry);
    registry.fail("right-2.0.1.tgz", Fault::Delay(std::time::Duration::from_secs(3)), 1);
    let mut command = scene.command(&["install"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while registry.count("right-2.0.1.tgz") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    crate::server::signal(&child, rustix::process::Signal::QUIT);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("asking {}right/-/right-2.0.1.tgz (right@2.0.1): ", registry.url());
    assert!(output.status.success() && said.lines().any(|line| line.starts_with(&expected)), "{said}");
    assert!(scene.exists("node_modules/right/index.js"));
}
