//! Formats, TypeScript, JSX, CommonJS names, source maps and syntax errors.

use super::{App, guest, options, tables, word, write};
use atoll_node::loader::{
    ErrorClass, ImportType, LoadErrorKind, Loader, LoaderOptions, Location, SourceKind, TextCache,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[test]
fn formats() {
    let app = App::new(&[
        ("/app/a.mjs", "x"),
        ("/app/a.cjs", "x"),
        ("/app/a.mts", "let a: 1"),
        ("/app/a.cts", "let a: 1"),
        ("/app/a.json", "\u{feff}{}"),
        ("/app/esm.js", "import './a.mjs'"),
        ("/app/meta.js", "import.meta.url"),
        ("/app/top.js", "await 1"),
        ("/app/cjs.js", "const a = require('a'); async () => { await import('x') }"),
        ("/app/return.js", "if (1) return; var a = new.target"),
        ("/app/bin", "#!/usr/bin/env node\nexport {}"),
        ("/app/plain.ts", "const a: number = 1"),
        ("/app/esm.ts", "export const a: number = 1"),
        ("/app/m/package.json", r#"{"type":"module"}"#),
        ("/app/m/a.js", "x"),
        ("/app/m/a.ts", "let a: 1"),
        ("/app/m/deep/a.js", "x"),
        ("/app/m/deep/package.json", "{}"),
        ("/app/m/a.cjs", "x"),
        ("/app/m/node_modules/p/a.js", "x"),
        ("/app/c/package.json", r#"{"type":"commonjs"}"#),
        ("/app/c/a.js", "import 'x'"),
        ("/app/c/a.ts", "import 'x'"),
        ("/app/broken/package.json", "{"),
        ("/app/broken/a.js", "x"),
    ]);
    for (path, expected) in [
        ("/app/a.mjs", "module"),
        ("/app/a.cjs", "commonjs"),
        ("/app/a.mts", "module"),
        ("/app/a.cts", "commonjs"),
        ("/app/a.json", "json"),
        ("/app/esm.js", "module"),
        ("/app/meta.js", "module"),
        ("/app/top.js", "module"),
        ("/app/cjs.js", "commonjs"),
        ("/app/return.js", "commonjs"),
        ("/app/bin", "module"),
        ("/app/plain.ts", "commonjs"),
        ("/app/esm.ts", "module"),
        ("/app/m/a.js", "module"),
        ("/app/m/a.ts", "module"),
        ("/app/m/deep/a.js", "commonjs"),
        ("/app/m/a.cjs", "commonjs"),
        ("/app/m/node_modules/p/a.js", "commonjs"),
        ("/app/c/a.js", "commonjs"),
        ("/app/c/a.ts", "module"),
        ("/app/broken/a.js", "commonjs"),
    ] {
        let required = app.loader.load_required(&guest(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(word(&required), expected, "{path} required");
        if path != "/app/c/a.js" {
            assert_eq!(word(&app.load(path)), expected, "{path}");
        }
    }
    assert_eq!(&*app.load("/app/a.json").code, "{}");
    assert_eq!(word(&app.loader.load(&guest("/app/a.mjs"), ImportType::Text).unwrap()), "text");
    assert_eq!(word(&app.loader.load(&guest("/app/a.mjs"), ImportType::Json).unwrap()), "json");
}

#[test]
fn files_that_are_no_programs() {
    let app = App::new(&[("/app/a.node", ""), ("/app/a.css", ""), ("/app/a.txt", "module.exports = 1")]);
    assert_eq!(app.try_load("/app/a.node").unwrap_err().kind(), LoadErrorKind::NativeAddon);
    assert_eq!(app.try_load("/app/a.css").unwrap_err().kind(), LoadErrorKind::UnknownExtension);
    assert_eq!(word(&app.loader.load_required(&guest("/app/a.txt")).unwrap()), "commonjs");
    assert_eq!(app.try_load("/app/none.js").unwrap_err().kind(), LoadErrorKind::ImportNotFound);
    let directory = app.try_load("/app").unwrap_err();
    assert!(directory.message().starts_with("EISDIR") && directory.code() == Some("EISDIR"), "{directory:?}");
    let gone = app.loader.load_required(&guest("/app/none.js")).unwrap_err();
    assert_eq!(gone.code(), Some("MODULE_NOT_FOUND"));
}

#[test]
fn types_are_removed_and_javascript_is_kept() {
    let source = "import type { A } from './types';\nimport { B, b } from './b';\nimport './effects';\n\
                  enum Color { Red, Green = 'g' }\nconst enum Fast { One = 1 }\nnamespace N { export const x = 1 }\n\
                  class C<T> { constructor(private readonly x: T, public y?: number) {} declare z: string; w!: number }\n\
                  export const v = (b as unknown as B)!; export type { A }; abstract class D { abstract m(): void }\n\
                  export { Color, Fast, N, C, D }; let u = <any>v; let s = v satisfies unknown; function f(this: Window, a?: 1): asserts a {}\n";
    let app = App::new(&[("/app/a.ts", source), ("/app/a.mjs", "let  a =1 ;// kept\n")]);
    let compiled = app.load("/app/a.ts");
    let code = &*compiled.code;
    for kept in ["\"./b\"", "\"./effects\"", "Color[Color[\"Red\"] = 0] = \"Red\"", "this.x = x", "N"] {
        assert!(code.contains(kept), "{kept} in {code}");
    }
    for gone in ["./types", "type ", "private", "declare", "abstract", "satisfies", "asserts", "<any>", "B,"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    assert_eq!(&*app.load("/app/a.mjs").code, "let  a =1 ;// kept\n");
}

#[test]
fn jsx_follows_tsconfig_and_pragmas() {
    let view = "export const view = <div class=\"a\">{1}<></></div>;";
    let automatic = App::new(&[("/app/a.tsx", view), ("/app/a.jsx", view)]);
    for path in ["/app/a.tsx", "/app/a.jsx"] {
        let source = automatic.load(path);
        assert!(source.code.contains("from \"react/jsx-runtime\""), "{}", source.code);
    }
    let hono = App::new(&[
        ("/app/tsconfig.json", r#"{"compilerOptions":{"jsx":"react-jsx","jsxImportSource":"hono/jsx"}}"#),
        ("/app/a.tsx", view),
        ("/app/b.tsx", &format!("/** @jsxImportSource preact */\n{view}")),
    ]);
    assert!(hono.load("/app/a.tsx").code.contains("\"hono/jsx/jsx-runtime\""));
    assert!(hono.load("/app/b.tsx").code.contains("\"preact/jsx-runtime\""));
    let classic = App::new(&[
        ("/app/tsconfig.json", r#"{"compilerOptions":{"jsx":"react","jsxFactory":"h","jsxFragmentFactory":"F"}}"#),
        ("/app/a.tsx", &format!("import {{ h, F }} from 'x';\n{view}")),
    ]);
    let source = classic.load("/app/a.tsx");
    assert!(
        source.code.contains("h(\"div\"") && source.code.contains("h(F") && source.code.contains("import { h, F }")
    );
    let required = App::new(&[("/app/a.jsx", "module.exports = () => <a/>;")]).load("/app/a.jsx");
    assert!(required.code.contains("require(\"react/jsx-runtime\")"), "{}", required.code);
}

#[test]
fn positions_lead_back_to_the_source() {
    let source =
        "interface A {\n  a: number;\n}\n\nexport function f(a: A): never {\n  throw new Error('é' + a.a);\n}\n";
    let app = App::new(&[("/app/src/a.ts", source)]);
    let compiled = app.load("/app/src/a.ts");
    let (line, text) = compiled.code.lines().enumerate().find(|(_, text)| text.contains("new Error")).unwrap();
    let column = text.find("new Error").unwrap() + 1;
    let map = compiled.source_map.as_deref().unwrap();
    assert_eq!(map.lookup(line as u32 + 1, column as u32), Some(("/app/src/a.ts", 6, 9)));
    let location = Location { file: "/app/src/a.ts".to_owned(), line: 6, column: 9 };
    assert_eq!(
        app.loader.original_position("file:///app/src/a.ts", line as u32 + 1, column as u32),
        Some(location.clone())
    );
    assert_eq!(app.loader.original_position("/app/src/a.ts", line as u32 + 1, column as u32), Some(location.clone()));
    assert_eq!(app.loader.original_position("/app/src/b.ts", 1, 1), None);
    assert_eq!(map.lookup(0, 0), None);
    assert_eq!(map.lookup(9999, 1), None);
    let frame = app.loader.code_frame(&location).unwrap();
    assert_eq!((frame.first_line, frame.line, frame.offset), (4, 6, 8));
    assert_eq!(frame.lines[2], "  throw new Error('é' + a.a);");
}

#[test]
fn syntax_errors_have_a_place_and_a_frame() {
    let app = App::new(&[
        ("/app/a.ts", "const a: number = 1;\nfunction é() {\n  return é é;\n}\n"),
        ("/app/b.js", "const x = require('x');\nconst = 3;\n"),
        ("/app/c.ts", "let a = 1;\nlet a = 2;\n"),
        ("/app/d.ts", &format!("const a = '{}'; let = ;", "x".repeat(5_000))),
    ]);
    let error = app.try_load("/app/a.ts").unwrap_err();
    assert_eq!((error.kind(), error.kind().class()), (LoadErrorKind::Syntax, ErrorClass::SyntaxError));
    let at = error.location().unwrap();
    assert_eq!((at.file.as_str(), at.line, at.column), ("/app/a.ts", 3, 11), "{error:?}");
    let frame = error.frame().unwrap();
    assert_eq!((frame.first_line, frame.line, frame.lines.len()), (1, 3, 4));
    assert_eq!(app.try_load("/app/b.js").unwrap_err().location().map(|at| at.line), Some(2));
    assert_eq!(app.try_load("/app/c.ts").unwrap_err().location().map(|at| at.line), Some(2));
    let long = app.try_load("/app/d.ts").unwrap_err();
    let frame = long.frame().unwrap();
    assert!(frame.lines[0].chars().count() <= 160 && frame.offset < 160, "{frame:?}");
}

#[test]
fn data_urls() {
    let app = App::new(&[]);
    let load = |url: &str| app.loader.load_data(url, ImportType::Auto);
    let source = load("data:text/javascript;charset=utf-8,export%20default%201").unwrap();
    assert_eq!((word(&source), &*source.code), ("module", "export default 1"));
    assert_eq!(word(&load("data:application/json,{}").unwrap()), "json");
    assert!(load("data:text/html,x").is_err());
}

#[derive(Default)]
struct Kept {
    entries: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    hits: Mutex<u32>,
}

impl TextCache for Kept {
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        let found = self.entries.lock().unwrap().get(key).map(|value| Arc::from(&value[..]));
        *self.hits.lock().unwrap() += u32::from(found.is_some());
        found
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) {
        self.entries.lock().unwrap().insert(*key, value.to_vec());
    }
}

#[test]
fn results_are_kept_by_content() {
    let kept = Arc::new(Kept::default());
    let options = || LoaderOptions { cache: Some(Arc::clone(&kept) as Arc<dyn TextCache>), ..options() };
    let (host, mounts) = tables();
    write(&host, "/app/a.ts", "export const a: number = 1;");
    write(&host, "/app/b.js", "exports.b = 1;");
    let load = |loader: &Loader, path| loader.load(&guest(path), ImportType::Auto).unwrap();
    let first = Loader::new(Arc::clone(&mounts), options());
    let (a, b) = (load(&first, "/app/a.ts"), load(&first, "/app/b.js"));
    assert_eq!((kept.entries.lock().unwrap().len(), *kept.hits.lock().unwrap()), (2, 0));
    let second = Loader::new(Arc::clone(&mounts), options());
    let (again_a, again_b) = (load(&second, "/app/a.ts"), load(&second, "/app/b.js"));
    assert_eq!(*kept.hits.lock().unwrap(), 2);
    assert_eq!((&a.code, &a.hash, &a.source_map), (&again_a.code, &again_a.hash, &again_a.source_map));
    assert_eq!((&b.kind, &b.hash), (&again_b.kind, &again_b.hash));
    assert_eq!(b.kind, SourceKind::CommonJs { exports: vec!["b".to_owned()], reexports: vec![] });
    // Other content, other options: other keys.
    write(&host, "/app/a.ts", "export const a: number = 2;");
    assert!(load(&second, "/app/a.ts").code.contains('2'));
    // Damaged entries are ignored.
    for value in kept.entries.lock().unwrap().values_mut() {
        value.truncate(3);
    }
    let third = Loader::new(mounts, options());
    assert!(load(&third, "/app/a.ts").code.contains('2'));
}

#[test]
fn names_of_reexported_modules_are_followed() {
    let app = App::new(&[
        (
            "/app/a.js",
            "exports.own = 1; __exportStar(require('./b'), exports); __exportStar(require('./missing'), exports);",
        ),
        (
            "/app/b.js",
            "exports.fromB = 1; exports.default = 2; module.exports = { ...require('./c'), ...require('node:fs') };",
        ),
        ("/app/c.js", "module.exports = require('./a'); exports.fromC = 1;"),
    ]);
    let names = app.loader.export_names(&app.load("/app/a.js"));
    assert_eq!(names, ["own", "fromB", "fromC"]);
}

#[test]
fn decorators_and_assigned_fields_bring_their_helpers() {
    let class = "function d(): any {}\n@d()\nexport class A {\n  #p = 1;\n  x = this.y;\n  z: string;\n  @d() m(@d() a: string) {}\n\
                 constructor(private y: number) {}\n  static s = 1;\n}\nthrow new Error('here');\n";
    let json = r#"{"compilerOptions":{"experimentalDecorators":true,"emitDecoratorMetadata":true,"target":"es2021"}}"#;
    let app = App::new(&[("/app/tsconfig.json", json), ("/app/a.ts", class)]);
    let source = app.load("/app/a.ts");
    for expected in
        ["babelHelpers.decorate(", "babelHelpers.decorateParam(", "babelHelpers.decorateMetadata(", "this.x = this.y"]
    {
        assert!(source.code.contains(expected), "{expected} in {}", source.code);
    }
    assert!(!source.code.contains("this.z"), "{}", source.code);
    let line = source.code.lines().position(|line| line.contains("Error(\"here\")")).unwrap() as u32 + 1;
    assert_eq!(source.source_map.unwrap().lookup(line, 1).map(|at| at.1), Some(11));
    let undeclared =
        App::new(&[("/app/a.ts", "const mail = 'a@b';\n@d class A {}")]).try_load("/app/a.ts").unwrap_err();
    assert_eq!(undeclared.location().map(|at| (at.line, at.column)), Some((2, 1)));
    assert!(undeclared.help().unwrap().contains("experimentalDecorators"), "{undeclared:?}");
    let modern = App::new(&[("/app/a.ts", "export class A { x = 1; y; #z = 2 }")]).load("/app/a.ts");
    assert!(modern.code.contains("x = 1;") && modern.code.contains("#z = 2") && !modern.code.contains("babelHelpers"));
}
