//! Sources that would overflow a stack or exhaust memory.

use super::App;
use atoll_node::loader::LoadErrorKind;

/// Compiles a hostile text as TypeScript and as CommonJS; it must end, however.
fn survives(text: &str) {
    let app = App::new(&[("/app/a.ts", text), ("/app/a.cjs", text), ("/app/a.tsx", text)]);
    for path in ["/app/a.ts", "/app/a.cjs", "/app/a.tsx"] {
        let _ = app.try_load(path);
    }
}

#[test]
fn deep_nesting_does_not_overflow() {
    // Deep enough that stacks of a usual size overflow many times, and that the base of ours hides no wrong weight.
    let deep = 6_000;
    let around = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(deep), close.repeat(deep));
    survives(&around("(", "1", ")"));
    survives(&around("[", "1", "]"));
    survives(&format!("x = {}", around("{a:", "1", "}")));
    survives(&around("{", "", "}"));
    survives(&around("f(", "1", ")"));
    survives(&around("(()=>{", "", "})()"));
    survives(&around("function f(){", "", "}"));
    survives(&around("class A{m(){", "", "}}"));
    survives(&around("if(a)", "b", ""));
    survives(&around("if(a);else ", "b", ""));
    survives(&around("for(;;)", "b", ""));
    survives(&around("while(a)", "b", ""));
    survives(&around("a:", "b", ""));
    survives(&around("do ", "b", ""));
    survives(&around("a=>", "b", ""));
    survives(&around("async a=>", "b", ""));
    survives(&around("a?", "b", ":c"));
    survives(&around("a?b:", "c", ""));
    survives(&around("a=", "b", ""));
    survives(&around("a**", "b", ""));
    survives(&around("a+", "b", ""));
    survives(&around("a,", "b", ""));
    survives(&around("a.", "b", ""));
    survives(&around("a?.", "b", ""));
    survives(&around("!", "b", ""));
    survives(&around("typeof ", "b", ""));
    survives(&around("new ", "b", ""));
    survives(&around("- ", "b", ""));
    survives(&format!("async()=>{}", around("await ", "b", "")));
    survives(&format!("function*f(){{{}}}", around("yield ", "b", "")));
    survives(&around("`${", "b", "}`"));
    survives(&around("a`", "b", "`"));
    survives(&format!("let a: {}", around("A<", "B", ">")));
    survives(&format!("let a: {}", around("keyof ", "B", "")));
    survives(&format!("let a: {}", around("A extends B ? C : ", "D", "")));
    survives(&format!("let a: {}", around("(a:", "B", ")=>void")));
    survives(&format!("let a: {}", around("A|", "B", "")));
    survives(&format!("let a: B{}", "[]".repeat(deep)));
    survives(&format!("x = {}", around("<a>", "b", "</a>")));
    survives(&format!("let {} = x", around("[", "a", "]")));
    survives(&format!("let {} = x", around("{a:", "a", "}")));
    survives(&format!("x = class extends {} {{}}", around("class extends ", "B", "{}")));
    survives(&format!("namespace {} {{}}", around("a.", "b", "")));
    survives(&around("namespace a{", "", "}"));
    survives(&around("@a(", "b", ")"));
    survives(&around("import(", "b", ")"));
    survives(&format!("typeof\u{a0}{}x", "typeof\u{a0}".repeat(deep)));
    survives(&format!("{}x", "typeof/**/".repeat(deep)));
    survives(&around("\"a\"in", "b", ""));
    survives(&around("1in ", "b", ""));
    survives(&around("({a=(", "1", ")})=>0"));
    survives(&around("(class{#a=", "1", "})"));
    survives(&around("x=(()=>{enum A{a=", "1", "}})"));
    survives(&around("class A{static{", "", "}}"));
    survives(&format!("x{}", " as any".repeat(deep)));
    survives(&format!("f{}", "()".repeat(deep)));
}

#[test]
fn deep_trees_are_refused_before_they_take_long() {
    let text = format!("x = {}{}", "(()=>{".repeat(40_000), "})()".repeat(40_000));
    let app = App::new(&[("/app/a.ts", &text), ("/app/a.cjs", &text)]);
    let started = std::time::Instant::now();
    for path in ["/app/a.ts", "/app/a.cjs"] {
        let error = app.try_load(path).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::TooComplex, "{path}: {error}");
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn readings_that_are_given_up_do_not_fill_memory() {
    let started = std::time::Instant::now();
    for unit in ["(a=(", "x<y<", "a?(b):c=>", "async (a=(", "f<", "({a=(", "[a=(", "a?async(b):c=>"] {
        let text = unit.repeat(20_000);
        let app = App::new(&[("/app/a.ts", &text), ("/app/a.tsx", &text)]);
        for path in ["/app/a.ts", "/app/a.tsx"] {
            let error = app.try_load(path).unwrap_err();
            assert!(matches!(error.kind(), LoadErrorKind::TooComplex | LoadErrorKind::Syntax), "{unit}: {error}");
        }
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

#[test]
fn what_could_be_too_deep_is_refused() {
    let app = App::new(&[("/app/a.ts", &"(".repeat(4 << 20)), ("/app/a.cjs", &"(".repeat(4 << 20))]);
    for path in ["/app/a.ts", "/app/a.cjs"] {
        let error = app.try_load(path).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::TooComplex, "{path}: {error}");
    }
}

#[test]
fn large_files_are_refused() {
    let app = App::new(&[("/app/a.js", &" ".repeat((64 << 20) + 1))]);
    assert_eq!(app.try_load("/app/a.js").unwrap_err().kind(), LoadErrorKind::TooComplex);
}
