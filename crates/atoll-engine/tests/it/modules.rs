//! The module graph.

use crate::harness::{Outcome, check_files, run};

#[test]
fn bindings_are_live_and_order_is_the_specifications() {
    check_files(
        &[
            (
                "/main.js",
                "import './a.js'; import { n, up } from './b.js'; log(n); up(); log(n); import * as all from './b.js'; log(Object.keys(all));",
            ),
            ("/a.js", "import './b.js'; log('a');"),
            ("/b.js", "export let n = 0; export function up() { n++; } log('b');"),
        ],
        &["b", "a", "0", "1", "n,up"],
    );
}

#[test]
fn cycles_are_linked() {
    check_files(
        &[
            ("/main.js", "import { even } from './even.js'; log(even(10), even(7));"),
            ("/even.js", "import { odd } from './odd.js'; export const even = (n) => n === 0 || odd(n - 1);"),
            ("/odd.js", "import { even } from './even.js'; export const odd = (n) => n !== 0 && even(n - 1);"),
        ],
        &["true false"],
    );
}

#[test]
fn top_level_await_holds_back_who_imports_it() {
    check_files(
        &[
            ("/main.js", "import { value } from './slow.js'; log('main', value);"),
            ("/slow.js", "log('slow'); export const value = await later(false); log('slow done');"),
        ],
        &["slow", "slow done", "main done"],
    );
}

#[test]
fn dynamic_imports_share_the_graph() {
    check_files(
        &[
            (
                "/main.js",
                "const [a, b] = await Promise.all([import('./a.js'), import('./a.js')]); log(a === b, a.default);
                 try { await import('./none.js'); } catch (error) { log(error.code, error.message); }
                 try { await import('./throws.js'); } catch (error) { log(error.message); }
                 try { await import('./throws.js'); } catch (error) { log(error.message); }
                 Promise.prototype.then = () => log('patched');
                 log((await import('./b.js')).default);",
            ),
            ("/a.js", "log('once'); export default 1;"),
            ("/b.js", "export default 2;"),
            ("/throws.js", "log('throws'); throw new Error('at evaluation');"),
        ],
        &["once", "true 1", "ERR_MODULE_NOT_FOUND no file /none.js", "throws", "at evaluation", "at evaluation", "2"],
    );
}

#[test]
fn json_and_builtins_are_modules() {
    check_files(
        &[
            (
                "/main.js",
                "import data from './data.json' with { type: 'json' }; import t, { sum } from 'test'; log(data.a[1], typeof t.log, sum === t.sum);",
            ),
            ("/data.json", "{ \"a\": [1, 2] }"),
        ],
        &["2 function true"],
    );
    let Outcome::Threw(exception) = run(&[("/main.js", "import './bad.json';"), ("/bad.json", "{ \"a\": }")]) else {
        panic!("it throws")
    };
    assert!(exception.message.starts_with("SyntaxError: /bad.json: Unexpected token '}'"), "{}", exception.message);
}

#[test]
fn import_meta_tells_where_the_module_is() {
    check_files(
        &[(
            "/main.js",
            "const { url, filename, dirname } = import.meta; log(url, filename, dirname, import.meta.resolve('./main.js'));",
        )],
        &["file:///main.js /main.js / file:///main.js"],
    );
}

#[test]
fn what_can_not_be_linked_says_so() {
    let Outcome::Threw(exception) =
        run(&[("/main.js", "import { none } from './a.js';"), ("/a.js", "export const a = 1;")])
    else {
        panic!("it throws")
    };
    assert!(exception.message.contains("does not provide an export named 'none'"), "{}", exception.message);
    let Outcome::Threw(exception) = run(&[("/main.js", "let a = 1;\nlet b = ;")]) else { panic!("it throws") };
    assert_eq!(exception.message, "SyntaxError: Unexpected token ';'");
    let position = exception.position.as_ref().expect("V8 knows where");
    assert_eq!((position.file.as_str(), position.line, position.column), ("file:///main.js", 2, 9));
}

#[test]
fn a_wait_for_nothing_is_seen() {
    assert!(matches!(run(&[("/main.js", "await new Promise(() => {});")]), Outcome::Stalled));
}
