//! Names that CommonJS files export, by analysis.

use super::App;
use atoll_node::loader::SourceKind;

/// Snippet, names, reexports.
const CASES: &[(&str, &[&str], &[&str])] = &[
    ("exports.a = 1; exports['b'] = 2; module.exports.c = 3; module.exports['d e'] = 4", &["a", "b", "c", "d e"], &[]),
    ("exports.a = exports.b = exports.c = void 0; exports.a = 1", &["a", "b", "c"], &[]),
    ("if (x) { exports.a = 1 } else (() => { exports.b = 2 })()", &["a", "b"], &[]),
    ("exports[a] = 1; exports.b += 1; notexports.c = 1; a.exports.d = 1; exports.e.f = 1; exports.g", &[], &[]),
    ("Object.defineProperty(exports, '__esModule', { value: true });", &["__esModule"], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return q.p; } });", &["a"], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: !0, get: function () { return q['p']; } });", &["a"], &[]),
    ("Object.defineProperty(module.exports, 'a', { enumerable: true, get() { return p } });", &["a"], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: true, get: () => q.p });", &["a"], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: true, get: () => { return p } });", &["a"], &[]),
    ("Object.defineProperty(exports, 'a', { get: function () { return p } });", &["a"], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: false, get: function () { return p } });", &[], &[]),
    ("Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return p() } });", &[], &[]),
    ("Object.defineProperty(other, 'a', { value: 1 }); Reflect.defineProperty(exports, 'b', { value: 1 });", &[], &[]),
    (
        "module.exports = { a, b: c, 'd': 1, e() {}, async f() {}, ...require('g'), ...h, [i]: 1, 1: 2 }",
        &["a", "b", "d", "e", "f"],
        &["g"],
    ),
    ("module.exports = { get a() { throw 1 }, set b(v) {}, c, __proto__: null }", &["c"], &[]),
    ("module.exports = exports = { a }", &["a"], &[]),
    ("const x = module.exports = { a }", &["a"], &[]),
    ("exports = { a }", &[], &[]),
    ("0 && (module.exports = { a, b: null, ...require('c') })", &["a", "b"], &["c"]),
    ("module.exports = require('./a');", &[], &["./a"]),
    ("if (p) module.exports = require('./a'); else module.exports = require('./b');", &[], &["./b"]),
    ("module.exports = require('./a')(x); module.exports.b = 1", &["b"], &["./a"]),
    ("module.exports = require('./a').b['c']", &[], &["./a"]),
    ("module.exports = new (require('./a'))()", &[], &[]),
    ("module.exports = require(a)", &[], &[]),
    ("module.exports = function () {}; module.exports.a = 1", &["a"], &[]),
    ("__exportStar(require('./a'), exports); __exportStar(require('./b'), exports);", &[], &["./a", "./b"]),
    (
        "tslib_1.__exportStar(require('./a'), exports); (0, tslib_1.__exportStar)(require('./b'), exports)",
        &[],
        &["./a", "./b"],
    ),
    ("__export(require('./a'));", &[], &["./a"]),
    ("_export_star(require('./a'), exports);", &[], &["./a"]),
    ("var a = require('./a'); __exportStar(a, exports)", &[], &["./a"]),
    (
        "var _a = require('./a'); Object.keys(_a).forEach(function (key) { if (key === 'default' || key === '__esModule') return; \
         if (key in exports && exports[key] === _a[key]) return; \
         Object.defineProperty(exports, key, { enumerable: true, get: function () { return _a[key]; } }); });",
        &[],
        &["./a"],
    ),
    (
        "var _a = _interopRequireWildcard(require('./a'), true); Object.keys(_a).forEach((k) => { if (k !== 'default') exports[k] = _a[k]; });",
        &[],
        &["./a"],
    ),
    ("var a = require('./a'); Object.keys(a).forEach(function (k) { other[k] = a[k] })", &[], &[]),
    ("var a = {}; Object.keys(a).forEach(function (k) { exports[k] = a[k] })", &[], &[]),
    (
        "var x_exports = {}; __export(x_exports, { a: () => a, b: () => c, 'd-e': () => f }); module.exports = __toCommonJS(x_exports);",
        &["a", "b", "d-e"],
        &[],
    ),
    ("__export(other, { a: () => a });", &[], &[]),
    ("_export(exports, { a: function () { return a }, b: function () { return b } })", &["a", "b"], &[]),
    (
        "(function (g, f) { typeof exports === 'object' ? f(exports) : f(g.x = {}) })(this, function (exports) { exports.a = 1; \
         Object.defineProperty(exports, '__esModule', { value: true }); })",
        &["a", "__esModule"],
        &[],
    ),
    ("(function (g, f) { module.exports = f() })(this, function () { return { a: 1 } })", &[], &[]),
    ("exports.\u{e9} = 1; exports['\\u{1F600}'] = 2; exports['\\ud800'] = 3", &["\u{e9}", "\u{1F600}"], &[]),
    ("exports.default = 1; exports.default = 2", &["default"], &[]),
    ("// exports.a = 1\n'exports.b = 1'; /exports.c = 1/; `exports.d = 1`", &[], &[]),
    ("return; exports.a = 1", &["a"], &[]),
];

#[test]
fn table() {
    for (snippet, names, reexports) in CASES {
        let app = App::new(&[("/app/a.cjs", snippet)]);
        let found = app.load("/app/a.cjs").kind;
        let expected = SourceKind::CommonJs {
            exports: names.iter().map(|&name| name.to_owned()).collect(),
            reexports: reexports.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(found, expected, "{snippet}");
    }
}

#[test]
fn typescript_and_jsx_are_analysed_too() {
    let app = App::new(&[
        ("/app/a.cts", "const a: number = 1; export = { a, b: 2 as number };"),
        ("/app/b.cts", "import x = require('./x'); exports.y = x as unknown;"),
        ("/app/c.jsx", "exports.view = <a/>;"),
    ]);
    for (path, expected) in [("/app/a.cts", vec!["a", "b"]), ("/app/b.cts", vec!["y"]), ("/app/c.jsx", vec!["view"])] {
        assert_eq!(app.loader.export_names(&app.load(path)), expected, "{path}");
    }
}
