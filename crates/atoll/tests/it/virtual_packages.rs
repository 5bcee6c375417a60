//! Packages that are on no disk: `atoll install --linker virtual`, and what programs and apps see of it.

use crate::harness::Scene;
use crate::server::Server;
use atoll_test::npm_registry::{NpmRegistry, Package};
use std::path::Path;

/// A project with the linker chosen by `.npmrc`, as a team would.
fn scene(files: &[(&str, &str)]) -> (Scene, NpmRegistry) {
    let registry = NpmRegistry::start();
    registry.publish(
        &Package::new("left", "1.2.0")
            .field("exports", serde_json::json!({ ".": { "import": "./index.mjs", "require": "./index.cjs" }, "./data": "./data.json" }))
            .dependency("right", "^2")
            .bin("left", "bin/left.js")
            .file("bin/left.js", "#!/usr/bin/env node\r\n")
            .file("index.mjs", "import right from 'right';\nexport default `left and ${right.name}`;\n")
            .file("index.cjs", "exports.side = 'left'; exports.beside = require('right/lib');")
            .file("data.json", r#"{"some":"data"}"#),
    );
    registry.publish(
        &Package::new("right", "2.0.1")
            .file("index.js", "exports.name = 'right';")
            .file("lib/index.js", "module.exports = require('../index.js').name + ' in lib';"),
    );
    let mut all = vec![
        ("package.json", r#"{"name":"app","type":"module","dependencies":{"left":"^1.0.0"}}"#),
        (".npmrc", "node-linker=virtual\n"),
    ];
    all.extend_from_slice(files);
    let scene = Scene::new(&all);
    std::fs::write(scene.home().join(".npmrc"), format!("registry={}\n", registry.url())).expect("a file");
    (scene, registry)
}

fn on_disk(scene: &Scene) -> Vec<String> {
    let names = std::fs::read_dir(scene.project().join("node_modules")).expect("a directory");
    names.map(|name| name.expect("a name").file_name().to_string_lossy().into_owned()).collect()
}

const PROGRAM: &str = "import left from 'left';
import data from 'left/data' with { type: 'json' };
import fs from 'node:fs';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
console.log(left, data, require('left'), (await import('right')).default);
console.log(fs.realpathSync('node_modules/.bin/left'), fs.readlinkSync('node_modules/.bin/left'));
console.log(JSON.stringify(fs.readFileSync('node_modules/.bin/left', 'utf8')));
console.log(fs.readdirSync('node_modules', { recursive: true }).sort().join(' '));
console.log(fs.statSync('node_modules/left/index.mjs').mtime.toISOString());
console.log((await fs.promises.readFile('node_modules/right/index.js', 'utf8')).length);
";

#[test]
fn a_program_sees_packages_that_are_on_no_disk() {
    let (scene, _registry) = scene(&[("main.js", PROGRAM)]);
    insta::assert_snapshot!(scene.atoll(&["install"]), @r"
exit code 0
--- stdout
installed 2 packages in [TIME]: 2 added, 2 downloaded, [SIZE]
");
    assert_eq!(on_disk(&scene), [".atoll-state"]);
    let seen = scene.atoll(&["run", "main.js"]);
    insta::assert_snapshot!(seen, @r##"
exit code 0
--- stdout
left and right { some: 'data' } { side: 'left', beside: 'right in lib' } { name: 'right' }
/app/node_modules/left/bin/left.js ../left/bin/left.js
"#!/usr/bin/env node\n"
.bin .bin/left left left/bin left/bin/left.js left/data.json left/index.cjs left/index.mjs left/package.json right right/index.js right/lib right/lib/index.js right/package.json
1985-10-26T08:15:00.000Z
23
"##);
    assert_eq!(scene.atoll(&["run", "main.js"]), seen, "compiled code that was kept is of these files, too");
    assert_eq!(scene.atoll(&["install", "--linker", "hoisted"]).lines().next(), Some("exit code 0"));
    assert!(scene.exists("node_modules/left/index.mjs"));
    // What does differ: npm's description and ours, which are on the disk, and the time.
    let linked = scene.atoll(&["run", "main.js"]).replace(".atoll-state ", "").replace(".package-lock.json ", "");
    let first = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(first(&linked), first(&seen));
}

#[test]
fn tools_write_into_node_modules_and_nothing_of_it_stays() {
    let program = "import fs from 'node:fs';
fs.mkdirSync('node_modules/.cache/tool', { recursive: true });
fs.writeFileSync('node_modules/.cache/tool/entry', 'cached');
fs.mkdirSync('node_modules/made');
fs.writeFileSync('node_modules/made/index.js', 'module.exports = \"made just now\";');
fs.writeFileSync('node_modules/right/index.js', 'exports.name = \"patched\";');
fs.rmSync('node_modules/right/lib', { recursive: true });
console.log(fs.readFileSync('node_modules/.cache/tool/entry', 'utf8'));
console.log((await import('left')).default);
console.log((await import('made')).default);
fs.writeFileSync('node_modules/left/package.json', JSON.stringify({ type: 'module' }));
fs.writeFileSync('node_modules/left/new.js', 'export default typeof require;');
console.log((await import('./node_modules/left/new.js')).default);
try { fs.writeFileSync('beside.txt', ''); } catch (error) { console.log(error.message); }
try { fs.writeFileSync('node_modules/large', Buffer.alloc(9 << 20)); } catch (error) { console.log(error.code); }
";
    let (scene, _registry) = scene(&[("main.js", program)]);
    scene.atoll(&["install"]);
    let said = scene.atoll(&["run", "--tmp-mib", "8", "main.js"]);
    insta::assert_snapshot!(said, @r#"
exit code 0
--- stdout
cached
left and patched
made just now
undefined
EROFS: read-only file system, open 'beside.txt'
ENOSPC
"#);
    assert_eq!(scene.atoll(&["run", "--tmp-mib", "8", "main.js"]), said, "nothing of it is left");
    assert_eq!(on_disk(&scene), [".atoll-state"]);
}

#[test]
fn a_project_that_is_mounted_by_a_flag_has_its_packages() {
    let (scene, _registry) = scene(&[("main.js", "import left from 'left';\nconsole.log(left);\n")]);
    scene.atoll(&["install"]);
    for right in ["ro", "rw", "overlay"] {
        let said = scene.atoll(&["run", "--mount", &format!("/app=.:{right}"), "main.js"]);
        assert_eq!(said, "exit code 0\n--- stdout\nleft and right\n", "{right}");
    }
    scene.write("other/left/index.js", "module.exports = 'another left';");
    let said = scene.atoll(&["run", "--mount", "/app/node_modules=./other", "main.js"]);
    assert_eq!(said, "exit code 0\n--- stdout\nanother left\n");
}

#[test]
fn a_program_in_a_package_is_run_by_the_name_that_it_would_have() {
    let (scene, registry) = scene(&[("sub/note.txt", "")]);
    let tool = Package::new("tool", "1.0.0")
        .bin("a-tool", "bin/cli.js")
        .file(
            "bin/cli.js",
            "#!/usr/bin/env node\nconsole.log(require('../lib.js'), process.argv.slice(2), process.cwd());",
        )
        .file("lib.js", "module.exports = __filename;");
    registry.publish(&tool);
    scene.atoll(&["install", "tool"]);
    for path in ["node_modules/.bin/a-tool", "./node_modules/tool/bin/cli.js"] {
        let said = scene.atoll(&["run", path, "an argument"]);
        assert_eq!(said, "exit code 0\n--- stdout\n/app/node_modules/tool/lib.js [ 'an argument' ] /app\n", "{path}");
    }
    insta::assert_snapshot!(scene.atoll(&["run", "node_modules/.bin/missing"]), @r#"
exit code 1
--- stderr
error: there is no node_modules/.bin/missing
"#);
    insta::assert_snapshot!(scene.atoll(&["run", "node_modules/../../missing.js"]), @r#"
exit code 1
--- stderr
error: there is no node_modules/../../missing.js
"#);
}

#[test]
fn what_does_not_fit_any_more_is_said() {
    let (scene, _registry) = scene(&[("main.js", "import left from 'left';\nconsole.log(left);\n")]);
    scene.atoll(&["install"]);
    let lock = scene.read("package-lock.json");
    scene.write("package-lock.json", &lock.replace("2.0.1", "2.0.2"));
    insta::assert_snapshot!(scene.atoll(&["run", "main.js"]), @r#"
exit code 1
--- stderr
error: the packages of [HOME]/app were installed by another package-lock.json than the one that is there now
hint: run `atoll install`
"#);
    scene.write("package-lock.json", &lock);
    std::fs::remove_dir_all(scene.home().join("store")).expect("the store");
    insta::assert_snapshot!(scene.atoll(&["serve", "--entry", "main.js"]), @r#"
exit code 1
--- stderr
error: left@1.2.0 is not in the package store any more
hint: run `atoll install`
"#);
    assert_eq!(scene.atoll(&["install"]).lines().next(), Some("exit code 0"));
    assert_eq!(scene.atoll(&["run", "main.js"]), "exit code 0\n--- stdout\nleft and right\n");
}

/// Files of the store that have this in them.
fn stored(folder: &Path, content: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a directory").map(|entry| entry.expect("a name").path());
    let found = entries.flat_map(|path| if path.is_dir() { stored(&path, content) } else { vec![path] });
    let has_it = |bytes: &[u8]| bytes.windows(content.len()).any(|window| window == content.as_bytes());
    found.filter(|path| std::fs::read(path).is_ok_and(|bytes| has_it(&bytes))).collect()
}

#[test]
fn what_was_changed_in_the_store_is_not_shown() {
    let program = "import fs from 'node:fs';
try { fs.readFileSync('node_modules/right/index.js'); } catch (error) { console.log(error.message); }
";
    let (scene, _registry) = scene(&[("main.js", program)]);
    scene.atoll(&["install"]);
    let packs = stored(&scene.home().join("store"), "exports.name = 'right';");
    assert_eq!(packs.len(), 1);
    std::fs::remove_file(&packs[0]).expect("it is there");
    std::fs::write(&packs[0], "another").expect("a file");
    insta::assert_snapshot!(scene.atoll(&["run", "main.js"]), @r#"
exit code 0
--- stdout
EIO: i/o error, open 'node_modules/right/index.js'
--- stderr
warning: right@2.0.1 is gone from the package store, or was changed there; its files can't be read until `atoll install` has fetched it again
"#);
    insta::assert_snapshot!(scene.atoll(&["install"]), @r#"
exit code 0
--- stdout
installed 2 packages in [TIME]: 1 downloaded, [SIZE]
"#);
    assert_eq!(scene.atoll(&["run", "main.js"]), "exit code 0\n");
}

#[test]
fn scripts_that_are_allowed_are_named() {
    let registry = NpmRegistry::start();
    registry.publish(&Package::new("builds", "1.0.0").script("postinstall", "echo ran > ran"));
    let manifest = r#"{"dependencies":{"builds":"*"},"atoll":{"allowScripts":["builds"]}}"#;
    let scene = Scene::new(&[("package.json", manifest)]);
    std::fs::write(scene.home().join(".npmrc"), format!("registry={}\n", registry.url())).expect("a file");
    insta::assert_snapshot!(scene.atoll(&["install", "--linker", "virtual"]), @r#"
exit code 0
--- stdout
installed 1 package in [TIME]: 1 added, 1 downloaded, [SIZE]
--- stderr
warning: scripts that package.json allows did not run, because the virtual linker writes no files that they could change: builds@1.0.0; --linker hoisted runs them
"#);
}

#[test]
fn an_app_is_served_from_them() {
    let app = "import left from 'left';
import fs from 'node:fs';
const attempt = (change) => { try { change(); return 'done'; } catch (error) { return error.code; } };
export default {
  fetch: () => new Response([
    left,
    attempt(() => fs.writeFileSync('/app/node_modules/left/index.js', 'wrong')),
    attempt(() => fs.mkdirSync('/app/node_modules/.cache')),
  ].join()),
};
";
    let (scene, _registry) = scene(&[("src/index.ts", app)]);
    scene.atoll(&["install"]);
    let mut server = Server::start(&scene, &["--threads", "1"]);
    let answer = server.get("/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "left and right,EROFS,EROFS"));
    server.terminate();
    let (status, _, errors) = server.wait();
    assert!(status.success() && errors.is_empty(), "{status}: {errors}");
    assert_eq!(on_disk(&scene), [".atoll-state"]);
}
