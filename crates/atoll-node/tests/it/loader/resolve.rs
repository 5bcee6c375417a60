//! Which file a specifier means.

use super::{App, guest, options, write};
use atoll_node::loader::{LoadErrorKind, LoaderOptions};

#[test]
fn builtins_win_and_internals_are_hidden() {
    let app = App::new(&[("/app/main.js", "import 'node:nothing';"), ("/app/node_modules/fs/index.js", "")]);
    assert_eq!(app.import("fs", "/app/main.js").unwrap(), "node:fs");
    assert_eq!(app.require("node:path", "/app/main.js").unwrap(), "node:path");
    assert_eq!(app.import("atoll:kv", "/app/main.js").unwrap(), "atoll:kv");
    // A slash at the end asks for the package, as in Node.
    assert_eq!(app.require("fs/", "/app/main.js").unwrap(), "/app/node_modules/fs/index.js");
    // `test` exists only with its prefix, internal builtins not at all.
    assert_eq!(app.require("test", "/app/main.js").unwrap_err().kind(), LoadErrorKind::RequireNotFound);
    assert_eq!(app.require("node/internal/cjs", "/app/main.js").unwrap_err().kind(), LoadErrorKind::RequireNotFound);
    let unknown = app.import("node:nothing", "/app/main.js").unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.message()),
        (LoadErrorKind::UnknownBuiltin, "No such built-in module: node:nothing")
    );
    assert_eq!(unknown.location().map(|at| (at.line, at.column)), Some((1, 8)));
    let lacking = app.import("node:child_process", "/app/main.js").unwrap_err();
    assert!(lacking.help().unwrap().contains("does not provide"), "{lacking:?}");
    let bare = app.require("child_process", "/app/main.js").unwrap_err();
    assert!(bare.help().unwrap().contains("builtin module of Node.js"), "{bare:?}");
}

#[test]
fn apps_import_as_bundlers_do() {
    let app = App::new(&[
        ("/app/main.ts", ""),
        ("/app/a.ts", ""),
        ("/app/b.ts", ""),
        ("/app/b.js", ""),
        ("/app/view.tsx", ""),
        ("/app/dir/index.ts", ""),
        ("/app/data.json", "{}"),
        ("/app/a b.mjs", ""),
    ]);
    for (specifier, file) in [
        ("./a", "/app/a.ts"),
        ("./a.ts", "/app/a.ts"),
        ("./a.js", "/app/a.ts"),
        ("./b", "/app/b.ts"),
        ("./b.js", "/app/b.js"),
        ("./view.js", "/app/view.tsx"),
        ("./view", "/app/view.tsx"),
        ("./dir", "/app/dir/index.ts"),
        ("./dir/", "/app/dir/index.ts"),
        ("/app/a.ts", "/app/a.ts"),
        ("file:///app/a.ts", "/app/a.ts"),
        ("./data.json", "/app/data.json"),
        ("./a%20b.mjs?v=1#x", "/app/a b.mjs?v=1#x"),
    ] {
        assert_eq!(app.import(specifier, "/app/main.ts").unwrap(), file, "{specifier}");
    }
    // Node's order for require: JavaScript first.
    assert_eq!(app.require("./b", "/app/main.ts").unwrap(), "/app/b.js");
    assert_eq!(app.require("./a", "/app/main.ts").unwrap(), "/app/a.ts");
    assert_eq!(app.require("./dir", "/app/main.ts").unwrap(), "/app/dir/index.ts");
}

#[test]
fn installed_packages_import_as_node_does() {
    let app = App::new(&[
        ("/app/node_modules/a/package.json", r#"{"name":"a","main":"main.js"}"#),
        ("/app/node_modules/a/main.js", "import './lib';\nimport \"./x\";"),
        ("/app/node_modules/a/x.js", ""),
        ("/app/node_modules/a/lib/index.js", ""),
        ("/app/node_modules/a/lib/package.json", r#"{"main":"./index.js"}"#),
        ("/app/node_modules/b/index.js", ""),
        ("/app/node_modules/b/sub/deep.js", ""),
        ("/app/node_modules/c/package.json", r#"{"name":"c","main":"lib"}"#),
        ("/app/node_modules/c/lib/index.js", ""),
    ]);
    let from = "/app/node_modules/a/main.js";
    assert_eq!(app.import("./x.js", from).unwrap(), "/app/node_modules/a/x.js");
    let missing = app.import("./x", from).unwrap_err();
    assert_eq!(missing.kind(), LoadErrorKind::ImportNotFound);
    assert_eq!(
        missing.message(),
        "Cannot find module '/app/node_modules/a/x' imported from /app/node_modules/a/main.js"
    );
    assert_eq!(missing.help(), Some("did you mean './x.js'?"));
    assert_eq!(missing.location().map(|at| (at.line, at.column)), Some((2, 8)));
    let directory = app.import("./lib", from).unwrap_err();
    assert_eq!(directory.kind(), LoadErrorKind::DirectoryImport);
    assert!(directory.message().starts_with("Directory import '/app/node_modules/a/lib"), "{directory}");
    assert_eq!(app.require("./x", from).unwrap(), "/app/node_modules/a/x.js");
    assert_eq!(app.require("./lib", from).unwrap(), "/app/node_modules/a/lib/index.js");
    // The legacy main of a package is searched for with extensions also for imports; subpaths are not.
    assert_eq!(app.import("b", from).unwrap(), "/app/node_modules/b/index.js");
    assert_eq!(app.import("c", from).unwrap(), "/app/node_modules/c/lib/index.js");
    assert_eq!(app.import("b/sub/deep.js", from).unwrap(), "/app/node_modules/b/sub/deep.js");
    assert_eq!(app.import("b/sub/deep", from).unwrap_err().kind(), LoadErrorKind::ImportNotFound);
    assert_eq!(app.require("b/sub/deep", from).unwrap(), "/app/node_modules/b/sub/deep.js");
    // The app's own imports of it are lenient.
    assert_eq!(app.import("b/sub/deep", "/app/main.ts").unwrap(), "/app/node_modules/b/sub/deep.js");
}

#[test]
fn exports_and_conditions() {
    let package = r##"{
        "name": "a",
        "exports": {
            ".": { "import": "./esm.mjs", "require": "./cjs.cjs" },
            "./sync": { "module-sync": "./sync.mjs", "default": "./cjs.cjs" },
            "./atoll": { "workerd": "./missing.js", "atoll": "./esm.mjs", "default": "./cjs.cjs" },
            "./dev": { "development": "./esm.mjs", "default": "./cjs.cjs" },
            "./nested": { "node": { "import": "./esm.mjs", "default": "./cjs.cjs" }, "default": "./missing.js" },
            "./list": [{ "nothing": "./missing.js" }, "./cjs.cjs"],
            "./features/*.js": "./src/*.js",
            "./features/private/*": null,
            "./outside": "../outside.js",
            "./gone": "./gone.js"
        },
        "imports": { "#dep": "b", "#own": "./cjs.cjs", "#pattern/*": "./src/*.js" }
    }"##;
    let files = [
        ("/app/main.mjs", "import x from 'a/none';"),
        ("/app/node_modules/a/package.json", package),
        ("/app/node_modules/a/esm.mjs", ""),
        ("/app/node_modules/a/sync.mjs", ""),
        ("/app/node_modules/a/cjs.cjs", ""),
        ("/app/node_modules/a/src/x.js", ""),
        ("/app/node_modules/a/src/private/y.js", ""),
        ("/app/node_modules/b/index.js", ""),
    ];
    let app = App::new(&files);
    let main = "/app/main.mjs";
    let inside = "/app/node_modules/a/src/x.js";
    assert_eq!(app.import("a", main).unwrap(), "/app/node_modules/a/esm.mjs");
    assert_eq!(app.require("a", main).unwrap(), "/app/node_modules/a/cjs.cjs");
    assert_eq!(app.import("a/sync", main).unwrap(), "/app/node_modules/a/sync.mjs");
    assert_eq!(app.require("a/sync", main).unwrap(), "/app/node_modules/a/sync.mjs");
    assert_eq!(app.import("a/atoll", main).unwrap(), "/app/node_modules/a/esm.mjs");
    assert_eq!(app.import("a/dev", main).unwrap(), "/app/node_modules/a/cjs.cjs");
    assert_eq!(app.import("a/nested", main).unwrap(), "/app/node_modules/a/esm.mjs");
    assert_eq!(app.require("a/nested", main).unwrap(), "/app/node_modules/a/cjs.cjs");
    assert_eq!(app.import("a/list", main).unwrap(), "/app/node_modules/a/cjs.cjs");
    assert_eq!(app.import("a/features/x.js", main).unwrap(), "/app/node_modules/a/src/x.js");
    // Self-reference, and imports of one's own package.
    assert_eq!(app.import("a/sync", inside).unwrap(), "/app/node_modules/a/sync.mjs");
    assert_eq!(app.import("#dep", inside).unwrap(), "/app/node_modules/b/index.js");
    assert_eq!(app.require("#own", inside).unwrap(), "/app/node_modules/a/cjs.cjs");
    assert_eq!(app.import("#pattern/x", inside).unwrap(), "/app/node_modules/a/src/x.js");

    let hidden = app.import("a/none", main).unwrap_err();
    assert_eq!(hidden.kind(), LoadErrorKind::PackagePathNotExported);
    assert_eq!(
        hidden.message(),
        "Package subpath './none' is not defined by \"exports\" in /app/node_modules/a/package.json imported from /app/main.mjs"
    );
    assert_eq!(hidden.location().map(|at| (at.file.as_str(), at.line, at.column)), Some(("/app/main.mjs", 1, 15)));
    for specifier in ["a/esm.mjs", "a/features/private/y.js", "a/package.json"] {
        let error = app.import(specifier, main).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::PackagePathNotExported, "{specifier}: {error}");
    }
    assert_eq!(app.import("a/outside", main).unwrap_err().kind(), LoadErrorKind::InvalidPackageTarget);
    assert_eq!(app.import("a/gone", main).unwrap_err().kind(), LoadErrorKind::ImportNotFound);
    assert_eq!(app.import("#none", inside).unwrap_err().kind(), LoadErrorKind::PackageImportNotDefined);

    let developing = LoaderOptions { conditions: vec!["development".to_owned()], ..options() };
    let app = App::with(&files, &[], developing);
    assert_eq!(app.import("a/dev", main).unwrap(), "/app/node_modules/a/esm.mjs");
}

#[test]
fn links_are_followed_within_the_guest() {
    let app = App::with(
        &[
            ("/app/main.js", ""),
            ("/app/packages/own/package.json", r#"{"name":"own","main":"src/index.ts"}"#),
            ("/app/packages/own/src/index.ts", ""),
            ("/app/packages/own/src/other.ts", ""),
            ("/app/node_modules/placeholder/index.js", ""),
        ],
        &[
            ("/app/node_modules/own", "../packages/own"),
            ("/app/node_modules/away", "/etc"),
            ("/app/loop", "loop"),
            ("/app/first", "second"),
            ("/app/second", "first"),
        ],
        options(),
    );
    let own = app.import("own", "/app/main.js").unwrap();
    assert_eq!(own, "/app/packages/own/src/index.ts");
    // Linked packages of the app are the app's: their imports are lenient.
    assert_eq!(app.import("./other", &own).unwrap(), "/app/packages/own/src/other.ts");
    for specifier in ["./loop", "./first", "away/passwd", "away"] {
        let error = app.import(specifier, "/app/main.js").unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::ImportNotFound, "{specifier}");
    }
}

#[test]
fn nested_packages_are_nearer() {
    let app = App::new(&[
        ("/app/node_modules/a/index.js", ""),
        ("/app/node_modules/b/index.js", ""),
        ("/app/node_modules/b/node_modules/a/index.js", ""),
        ("/app/node_modules/@s/c/index.js", ""),
    ]);
    assert_eq!(
        app.require("a", "/app/node_modules/b/index.js").unwrap(),
        "/app/node_modules/b/node_modules/a/index.js"
    );
    assert_eq!(app.require("a", "/app/src/deep/x.js").unwrap(), "/app/node_modules/a/index.js");
    assert_eq!(app.require("@s/c", "/app/x.js").unwrap(), "/app/node_modules/@s/c/index.js");
}

#[test]
fn tsconfig_paths_are_for_the_app() {
    let app = App::new(&[
        ("/app/tsconfig.json", "{ // comments are allowed\n \"extends\": \"./base.json\", \"include\": [\"src\"] }"),
        (
            "/app/base.json",
            r#"{"compilerOptions":{"baseUrl":".","paths":{"@/*":["./src/*"],"exact":["./src/lib/one.ts"]}}}"#,
        ),
        ("/app/src/main.ts", ""),
        ("/app/src/lib/one.ts", ""),
        ("/app/node_modules/a/index.js", ""),
        ("/app/node_modules/exact/index.js", ""),
    ]);
    assert_eq!(app.import("@/lib/one", "/app/src/main.ts").unwrap(), "/app/src/lib/one.ts");
    assert_eq!(app.import("exact", "/app/src/main.ts").unwrap(), "/app/src/lib/one.ts");
    assert_eq!(app.import("src/lib/one", "/app/src/main.ts").unwrap(), "/app/src/lib/one.ts");
    assert_eq!(app.import("a", "/app/src/main.ts").unwrap(), "/app/node_modules/a/index.js");
    assert_eq!(app.import("exact", "/app/node_modules/a/index.js").unwrap(), "/app/node_modules/exact/index.js");
    assert!(app.import("@/lib/one", "/app/node_modules/a/index.js").is_err());
}

#[test]
fn a_broken_tsconfig_hurts_only_what_needs_it() {
    let app = App::new(&[
        (
            "/app/tsconfig.json",
            r#"{"extends":"@tsconfig/node22/tsconfig.json","compilerOptions":{"paths":{"@/*":["./*"]}}}"#,
        ),
        ("/app/main.ts", "import '@/a';"),
        ("/app/a.ts", ""),
    ]);
    assert_eq!(app.import("./a", "/app/main.ts").unwrap(), "/app/a.ts");
    let error = app.import("@/a", "/app/main.ts").unwrap_err();
    assert!(error.help().unwrap().contains("tsconfig.json could not be used"), "{error:?}");
}

#[test]
fn missing_packages_say_where_and_what_to_do() {
    let app = App::new(&[
        ("/app/package.json", r#"{"dependencies":{"hono":"^4"}}"#),
        ("/app/src/main.ts", "import { z } from 'zod';\nimport {\n  Hono,\n} from \"hono\";\n"),
        ("/app/node_modules/there/package.json", r#"{"name":"there"}"#),
    ]);
    let declared = app.import("hono", "/app/src/main.ts").unwrap_err();
    assert_eq!(declared.message(), "Cannot find package 'hono' imported from /app/src/main.ts");
    assert_eq!(declared.kind().code(), Some("ERR_MODULE_NOT_FOUND"));
    assert_eq!(declared.help(), Some("run `atoll install`"));
    let at = declared.location().unwrap();
    assert_eq!((at.file.as_str(), at.line, at.column), ("/app/src/main.ts", 4, 8));
    let frame = declared.frame().unwrap();
    assert_eq!((frame.first_line, frame.line, frame.offset, frame.length), (2, 4, 7, 6));
    assert_eq!(frame.lines, ["import {", "  Hono,", "} from \"hono\";"]);
    let undeclared = app.import("zod", "/app/src/main.ts").unwrap_err();
    assert_eq!(undeclared.help(), Some("add \"zod\" to the dependencies in package.json and run `atoll install`"));
    let required = app.require("hono", "/app/src/main.ts").unwrap_err();
    assert_eq!((required.message(), required.kind().code()), ("Cannot find module 'hono'", Some("MODULE_NOT_FOUND")));
    let no_main = app.import("there", "/app/src/main.ts").unwrap_err();
    assert_eq!(no_main.help(), Some("the package is at /app/node_modules/there, but has no such file"));
}

#[test]
fn names_with_url_characters_can_be_required() {
    let app = App::new(&[("/app/a?b.js", ""), ("/app/c#d.js", "")]);
    assert_eq!(app.require("./a?b", "/app/main.js").unwrap(), "/app/a?b.js");
    assert_eq!(app.require("./c#d.js", "/app/main.js").unwrap(), "/app/c#d.js");
    assert_eq!(app.import("./a%3Fb.js", "/app/main.js").unwrap(), "/app/a?b.js");
    assert!(app.import("./a?b.js", "/app/main.js").is_err());
}

#[test]
fn files_written_later_are_found_where_guests_can_write() {
    let app = App::new(&[("/app/main.js", "")]);
    assert!(app.require("/tmp/made", "/app/main.js").is_err());
    assert!(app.require("./made", "/tmp/x.js").is_err());
    write(&app.mounts, "/tmp/made.js", "");
    assert_eq!(app.require("/tmp/made", "/app/main.js").unwrap(), "/tmp/made.js");
    assert_eq!(app.require("./made", "/tmp/x.js").unwrap(), "/tmp/made.js");
    app.mounts.remove_file(&guest("/tmp/made.js")).unwrap();
}
