//! `atoll serve`: answers, errors, limits, several apps, its end.

use crate::harness::{Scene, check};
use crate::server::{Server, receive};
use std::io::BufRead;
use std::net::TcpListener;

const APP: &str = "interface Env { GREETING?: string }
const all: unknown[] = [];
export default {
  async fetch(request: Request, env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<Response> {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case '/throw':
        throw new Error('a secret');
      case '/background':
        ctx.waitUntil(Promise.reject(new Error('behind')));
        return new Response('fine');
      case '/cpu':
        for (;;) {}
      case '/microtasks': {
        const next = (): void => { Promise.resolve().then(next); };
        next();
        return new Promise(() => {});
      }
      case '/memory':
        for (;;) all.push(new Array(100_000).fill(0.5));
      case '/wall':
        setInterval(() => {}, 50);
        return new Promise(() => {});
      case '/stream': {
        let left = 3;
        return new Response(new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 200));
            controller.enqueue(new TextEncoder().encode(`piece ${left}\\n`));
            if (--left === 0) controller.close();
          },
        }));
      }
      default:
        console.log('asked for', pathname);
        return new Response(`${env.GREETING ?? 'hello'} from ${request.headers.get('host')}`, { headers: { 'x-method': request.method } });
    }
  },
};
";

#[test]
fn a_page_is_served_and_logged() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let mut server = Server::start(&scene, &["--env", "GREETING=welcome", "--threads", "1"]);
    let answer = server.get("/page?q=1");
    assert_eq!((answer.status, answer.body.as_str()), (200, "welcome from 127.0.0.1"));
    assert_eq!(answer.header("x-method"), Some("GET"));
    server.wait_for_text("GET /page?q=1");
    server.terminate();
    let (status, out, errors) = server.wait();
    assert!(status.success(), "{status}");
    assert_eq!(errors, "");
    insta::assert_snapshot!(scene.normal(&out), @r"
Atoll 0.1.0 ready in [TIME]
  http://127.0.0.1:[PORT]  src/index.ts
| asked for /page
[NOW] 200 GET /page?q=1 [TIME]
");
}

#[test]
fn a_json_log_is_json_line_by_line() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let mut server = Server::start(&scene, &["--log", "json", "--threads", "1"]);
    server.get("/a");
    server.get("/throw");
    server.wait_for_text("\"path\":\"/throw\"");
    server.terminate();
    let (_, out, errors) = server.wait();
    assert_eq!(errors, "");
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["listening", "console", "request", "problem", "request"]);
    assert_eq!(lines[1]["text"], "asked for /a");
    assert_eq!(
        (&lines[2]["method"], &lines[2]["path"], &lines[2]["status"]),
        (&"GET".into(), &"/a".into(), &200.into())
    );
    assert!(lines[3]["text"].as_str().is_some_and(|text| text.contains("index.ts:8:")), "{out}");
    assert_eq!(lines[4]["status"], 500);
}

#[test]
fn an_error_is_the_logs_and_not_the_clients() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let server = Server::start(&scene, &["--threads", "1"]);
    let answer = server.get("/throw");
    assert_eq!((answer.status, answer.body.as_str()), (500, "Internal Server Error\n"));
    assert_eq!(server.get("/background").body, "fine");
    let (_, errors) = server.wait_for(|_, errors| errors.contains("index.ts:10:"));
    insta::assert_snapshot!(scene.normal(&errors), @r"
error in the handler: Error: a secret
    at Object.fetch (file:///app/src/index.ts:8:15)
error behind a response: Error: behind
    at Object.fetch (file:///app/src/index.ts:10:38)
");
}

#[test]
fn a_limit_has_its_status_and_hurts_nobody_else() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let other = scene.home().join("other");
    std::fs::create_dir(&other).expect("a directory");
    std::fs::write(other.join("package.json"), "{}").expect("a file");
    std::fs::write(other.join("index.mjs"), "export default { fetch: () => new Response('other') };").expect("a file");
    let arguments = ["--cpu-ms", "200", "--memory-mib", "32", "--timeout-ms", "4000", ".", "../other"];
    let mut server = Server::start(&scene, &arguments);
    let (app, other) = (format!("app.localhost:{}", server.port), format!("other.localhost:{}", server.port));
    for (path, status, limit) in
        [("/cpu", 503, "cpu"), ("/microtasks", 503, "cpu"), ("/memory", 503, "heap"), ("/wall", 504, "wall")]
    {
        // The neighbour answers while the limit is being hit, not only afterwards.
        let hit = server.send(&app, &format!("GET {path}"));
        for _ in 0..3 {
            let answer = server.get_from(&other, "/");
            assert_eq!((answer.status, answer.body.as_str()), (200, "other"), "beside {path}");
        }
        let ended = receive(hit);
        assert_eq!((ended.status, ended.termination()), (status, Some(limit)), "{path}");
        assert!(!ended.body.contains("secret"));
        assert_eq!(server.get_from(&app, "/").status, 200, "after {path}");
    }
    // Where no other app is, the first one answers.
    assert_eq!(server.get_from("nowhere.localhost", "/").body, "hello from nowhere.localhost");
    server.terminate();
    assert!(server.wait().0.success());
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let server = Server::start(&scene, &["--log", "off"]);
    for (host, request_line, status) in [
        ("a/b?c", "GET /", 400),
        ("user@host", "GET /", 400),
        ("", "GET /", 400),
        ("x", "TRACE /", 501),
        ("x", "OPTIONS *", 200),
        ("[::1]:80", "DELETE /a%20b", 200),
    ] {
        assert_eq!(receive(server.send(host, request_line)).status, status, "{host} {request_line}");
    }
}

#[test]
fn sigterm_lets_a_response_finish() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let mut server = Server::start(&scene, &["--threads", "1"]);
    let mut stream = server.send("127.0.0.1", "GET /stream");
    // The head is there, so the request is under way.
    assert!(!stream.fill_buf().expect("a response").is_empty());
    server.terminate();
    let answer = receive(stream);
    assert_eq!(answer.body, "piece 3\npiece 2\npiece 1\n");
    let (status, _, errors) = server.wait();
    assert!(status.success(), "{status} {errors}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let mut server = Server::start(&scene, &["--threads", "1", "--drain-seconds", "300"]);
    let stream = server.send("127.0.0.1", "GET /wall");
    server.get("/");
    server.terminate();
    server.wait_for_text("requests under way have 300 s to end");
    server.terminate();
    let (status, _, _) = server.wait();
    assert_eq!(status.code(), Some(143));
    drop(stream);
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let mut server = Server::start(&scene, &["--threads", "1", "--drain-seconds", "1"]);
    let stream = server.send("127.0.0.1", "GET /wall");
    server.get("/");
    server.terminate();
    let answer = receive(stream);
    assert_eq!((answer.status, answer.termination()), (503, Some("deploy")));
    let amount = answer.header("atoll-termination").and_then(|value| value.strip_prefix("deploy;limit=1000;amount=1"));
    assert!(amount.is_some_and(|rest| rest.ends_with(";unit=ms")), "{}", answer.head);
    let (status, out, errors) = server.wait();
    assert!(status.success(), "{status}");
    assert!(errors.contains("ended what was left of a release by its limit: deploy (1"), "{errors}");
    assert!(out.contains("503 GET /wall"), "{out}");
}

#[test]
fn a_port_in_use_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = holder.local_addr().expect("an address").port();
    let scene = Scene::new(&[("src/index.ts", APP)]);
    let shown = scene.atoll(&["serve", "--port", &port.to_string()]);
    let next = (port + 1).to_string();
    let shown = shown.replace(&format!("port {port} "), "port [PORT] ").replace(&next, "[NEXT]");
    insta::assert_snapshot!(shown, @r"
exit code 1
--- stderr
error: port [PORT] on 127.0.0.1 is in use
hint: choose another with --port [NEXT], or any free one with --port 0
");
    // Another server of ours shares no port, either.
    let server = Server::start(&scene, &[]);
    let second = scene.atoll(&["serve", "--port", &server.port.to_string()]);
    assert!(second.starts_with("exit code 1\n") && second.contains("is in use"), "{second}");
}

#[test]
fn an_app_that_can_not_start_opens_no_port() {
    check!(&[("src/index.ts", "export default {\n  fetch() { return new Response('x' };\n")], &["serve"], @r"
exit code 1
--- stderr
error: Expected `,` or `)` but found `}`
  --> src/index.ts:2:37
   |
 1 | export default {
 2 |   fetch() { return new Response('x' };
   |                                     ^
");
    check!(&[("src/index.ts", "throw new Error('at start');\n")], &["serve"], @r"
exit code 1
--- stderr
error: Error: at start
    at file:///app/src/index.ts:1:7
");
    check!(&[("src/index.ts", "import { z } from 'zod';\nexport default { fetch: () => z };\n")], &["serve"], @r#"
exit code 1
--- stderr
error: Cannot find package 'zod' imported from /app/src/index.ts
  --> src/index.ts:1:19
   |
 1 | import { z } from 'zod';
   |                   ^^^^^
 2 | export default { fetch: () => z };
hint: add "zod" to the dependencies in package.json and run `atoll install`
"#);
    check!(&[("src/index.ts", "export const fetch = 1;\n")], &["serve"], @r"
exit code 1
--- stderr
error: src/index.ts can't serve: it has no default export
hint: a server exports its handler: export default { fetch(request, env, ctx) { return new Response('…') } }
");
    check!(&[("src/index.ts", "await new Promise(() => {});\n")], &["serve"], @r"
exit code 1
--- stderr
error: a top-level await never settles: nothing is left that could
hint: no timer and no operation is left that could settle what the module awaits
");
    check!(&[("src/index.ts", "await new Promise((resolve) => setTimeout(resolve, 1e6));\n")], &["serve", "--startup-wall-ms", "300"], @r"
exit code 1
--- stderr
error: it did not start within [TIME]
hint: look for an await that takes long; --startup-wall-ms allows more
");
    let scene = Scene::new(&[("src/index.ts", "for (;;) {}\n")]);
    let shown = scene.atoll(&["serve", "--startup-cpu-ms", "300"]);
    assert!(shown.contains("error: it was ended by its limit while it started: cpu ("), "{shown}");
    assert!(shown.contains("hint: --startup-cpu-ms allows more"), "{shown}");
}

#[test]
fn an_app_without_an_entry_says_what_was_looked_for() {
    check!(&[("package.json", r#"{"main":"dist/index.js"}"#)], &["serve"], @r#"
exit code 1
--- stderr
error: [HOME]/app has no entry module; looked for:
  dist/index.js ("main" of package.json)
  src/{index,main,server,app} and {index,main,server,app} with .ts, .tsx, .mts, .js, .mjs, .cjs
hint: set "main" in package.json, or name the module with --entry FILE
"#);
    check!(&[("package.json", "{ main }")], &["serve"], @r"
exit code 1
--- stderr
error: [HOME]/app/package.json is not valid JSON: key must be a string at line 1 column 3
");
    check!(&[("a.js", "")], &["serve", "a.js"], @r"
exit code 1
--- stderr
error: a.js is not a directory
hint: atoll serve takes the app's directory; --entry names a module in it, and atoll run a.js runs a program
");
    check!(&[("a.js", "")], &["serve", "nowhere"], @r"
exit code 1
--- stderr
error: there is no nowhere
");
    check!(&[("index.js", "")], &["serve", "--entry", "b.js"], @r"
exit code 1
--- stderr
error: there is no ./b.js
");
}

#[test]
fn apps_need_names_that_can_be_hosts() {
    check!(&[("shop/index.js", ""), ("b/shop/index.js", "")], &["serve", "shop", "b/shop"], @r"
exit code 1
--- stderr
error: shop and b/shop would both be served at shop
hint: rename one of the directories, or name both in atoll.toml
");
    check!(&[("shop/index.js", ""), ("my shop/index.js", "")], &["serve", "shop", "my shop"], @r#"
exit code 1
--- stderr
error: the name "my shop" can't be part of a host name
hint: with several apps, an app is served at http://<its name>.localhost: use letters, digits and hyphens, or name hosts in atoll.toml
"#);
}
