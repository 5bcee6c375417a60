//! `atoll.toml`: what it serves, and its mistakes.

use crate::harness::Scene;
use crate::server::Server;

const TWO: &str = r#"
[limits]
cpu-ms = 2000

[[deployments]]
name = "shop"
directory = "apps/shop"
hosts = ["shop.example", "*.shop.example"]
env = { STAGE = "prod" }
env-from = ["SHELL_VARIABLE"]

[[deployments]]
name = "api"
directory = "apps/shop"
hosts = ["shop.example"]
paths = ["/api"]
entry = "api.mjs"
tenant = "acme"

[[deployments]]
directory = "apps/blog"
"#;

const SHOP: &str = "export default { fetch: (request, env) => new Response(`shop ${env.STAGE} ${env.SHELL_VARIABLE} ${Object.keys(env).length}`) };";

/// A working directory with a configuration and its apps; `package.json` lies in each app.
fn scene(config: &str, files: &[(&str, &str)]) -> Scene {
    let scene = Scene::new(&[("atoll.toml", config)]);
    for app in ["shop", "blog"] {
        scene.write(&format!("apps/{app}/package.json"), "{}");
        scene.write(
            &format!("apps/{app}/index.mjs"),
            &format!("export default {{ fetch: () => new Response('{app}') }};"),
        );
    }
    for (name, text) in files {
        scene.write(name, text);
    }
    scene
}

#[test]
fn deployments_are_found_by_host_and_path() {
    let api = "export default { fetch: (request) => new Response(`api ${new URL(request.url).pathname}`) };";
    let scene = scene(TWO, &[("apps/shop/index.mjs", SHOP), ("apps/shop/api.mjs", api)]);
    let mut server = Server::start(&scene, &["--threads", "1"]);
    for (host, path, expected) in [
        ("shop.example", "/", "shop prod from outside 2"),
        ("a.b.SHOP.example:80", "/api", "shop prod from outside 2"),
        ("shop.example", "/api", "api /api"),
        ("shop.example", "/api/books?q=1", "api /api/books"),
        ("shop.example", "/apiary", "shop prod from outside 2"),
        ("blog.localhost", "/", "blog"),
    ] {
        let answer = server.get_from(host, path);
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{host}{path}");
    }
    let nowhere = server.get_from("elsewhere.example", "/");
    assert_eq!((nowhere.status, nowhere.body.as_str()), (404, "Nothing is deployed at elsewhere.example.\n"));
    server.terminate();
    let (_, out, errors) = server.wait();
    assert_eq!(errors, "");
    let shown: Vec<&str> = out.lines().skip(1).take(4).collect();
    let shown = shown.join("\n").replace(&server.port.to_string(), "[PORT]");
    insta::assert_snapshot!(shown, @r"
  http://shop.example:[PORT]  apps/shop/index.mjs
  http://*.shop.example:[PORT]  apps/shop/index.mjs
  http://shop.example:[PORT]/api  apps/shop/api.mjs
  http://blog.localhost:[PORT]  apps/blog/index.mjs
");
}

#[test]
fn a_configuration_can_be_checked() {
    let scene =
        scene(TWO, &[("apps/shop/api.mjs", ""), ("etc/other.toml", "[[deployments]]\ndirectory = '../apps/blog'\n")]);
    insta::assert_snapshot!(scene.atoll(&["serve", "--check"]), @r"
exit code 0
--- stdout
in order 3 deployments
  http://shop.example:8080  apps/shop/index.mjs
  http://*.shop.example:8080  apps/shop/index.mjs
  http://shop.example:8080/api  apps/shop/api.mjs
  http://blog.localhost:[PORT]  apps/blog/index.mjs
");
    // Directories are relative to the file; flags come before what it says.
    let other = ["serve", "--config", "etc/other.toml", "--check", "--host", "0.0.0.0"];
    insta::assert_snapshot!(scene.atoll(&other), @r"
exit code 0
--- stdout
in order 1 deployment
  http://127.0.0.1:[PORT]  apps/blog/index.mjs
");
    insta::assert_snapshot!(scene.atoll(&["serve", "--config", "no.toml", "--check"]), @r"
exit code 1
--- stderr
error: there is no no.toml
");
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let shown = |config: &str| scene(config, &[("apps/shop/api.mjs", "")]).atoll(&["serve", "--check"]);
    insta::assert_snapshot!(shown("[[deployments]]\ndirectory = 'apps/shop'\nhost = ['a']\n"), @r#"
exit code 1
--- stderr
error: there is no key "host" in [[deployments]]
  --> atoll.toml:3:1
   |
 1 | [[deployments]]
 2 | directory = 'apps/shop'
 3 | host = ['a']
   | ^^^^
hint: did you mean hosts?
"#);
    insta::assert_snapshot!(shown("[[deployments]]\ndirectory = 'apps/ship'\n"), @r"
exit code 1
--- stderr
error: there is no apps/ship
  --> atoll.toml:2:13
   |
 1 | [[deployments]]
 2 | directory = 'apps/ship'
   |             ^^^^^^^^^^^
");
    insta::assert_snapshot!(shown(&TWO.replace("paths = [\"/api\"]", "paths = [\"/\"]")), @r#"
exit code 1
--- stderr
error: shop.example/ leads to shop already
  --> atoll.toml:16:10
   |
14 | directory = "apps/shop"
15 | hosts = ["shop.example"]
16 | paths = ["/"]
   |          ^^^
17 | entry = "api.mjs"
18 | tenant = "acme"
hint: a host and a path together lead to one deployment
"#);
    insta::assert_snapshot!(shown(&TWO.replace("name = \"api\"\n", "")), @r#"
exit code 1
--- stderr
error: two deployments are called shop
  --> atoll.toml:13:13
   |
11 |
12 | [[deployments]]
13 | directory = "apps/shop"
   |             ^^^^^^^^^^^
14 | hosts = ["shop.example"]
15 | paths = ["/api"]
hint: give one of them another name: name = "…"
"#);
    insta::assert_snapshot!(shown(&TWO.replace("SHELL_VARIABLE", "NOT_SET")), @r#"
exit code 1
--- stderr
error: env-from: NOT_SET is not set for the server
  --> atoll.toml:10:13
   |
 8 | hosts = ["shop.example", "*.shop.example"]
 9 | env = { STAGE = "prod" }
10 | env-from = ["NOT_SET"]
   |             ^^^^^^^^^
11 |
12 | [[deployments]]
hint: set it where the server is started
"#);
    insta::assert_snapshot!(shown("[server]\nthreads = 1\n"), @r#"
exit code 1
--- stderr
error: atoll.toml names nothing to serve
hint: add an app: [[deployments]] and below it directory = "…"
"#);
    insta::assert_snapshot!(shown("[[deployments]]\ndirectory = 'apps/shop'\nname = 'My Shop'\n[[deployments]]\ndirectory = 'apps/blog'\n"), @r#"
exit code 1
--- stderr
error: the name "My Shop" can't be part of a host name
  --> atoll.toml:3:8
   |
 1 | [[deployments]]
 2 | directory = 'apps/shop'
 3 | name = 'My Shop'
   |        ^^^^^^^^^
 4 | [[deployments]]
 5 | directory = 'apps/blog'
hint: without hosts, an app is served at http://<its name>.localhost: use letters, digits and hyphens, or name hosts in atoll.toml
"#);
}

#[test]
fn an_apps_own_settings_are_heard() {
    let settings = "entry = 'other.mjs'\nenv = { STAGE = 'its own', LEVEL = '1' }\nnet-allow = ['127.0.0.1:9']\n[limits]\nheap-mib = 16\n";
    let other = "export default { fetch: (request, env) => new Response(JSON.stringify(env)) };";
    let files = [("other.mjs", other), ("atoll.toml", settings)];
    let scene = Scene::new(&files);
    let server = Server::start(&scene, &["--env", "STAGE=flag", "--threads", "1"]);
    assert_eq!(server.get("/").body, r#"{"LEVEL":"1","STAGE":"flag"}"#);
    // The server answers before all of its first lines are printed.
    server.wait_for_text("app may reach 127.0.0.1:9, because its atoll.toml says so");
}

#[test]
fn under_a_server_an_app_gets_no_more_than_its_operator_gives() {
    let config = "[[deployments]]\ndirectory = 'apps/shop'\nenv = { STAGE = 'operator' }\n";
    let asks = ("apps/shop/atoll.toml", "env = { STAGE = 'app' }\nnet-allow = ['10.0.0.1']\n");
    insta::assert_snapshot!(scene(config, &[asks]).atoll(&["serve", "--check"]), @r"
exit code 1
--- stderr
error: the app asks to reach addresses that its operator did not grant
  --> apps/shop/atoll.toml:2:13
   |
 1 | env = { STAGE = 'app' }
 2 | net-allow = ['10.0.0.1']
   |             ^^^^^^^^^^^^
hint: say net-allow under its [[deployments]] in atoll.toml: these, others, or []
");
    // What the operator says of it decides, also when that is nothing.
    let config = format!("{config}net-allow = []\n");
    let memory = "const all = []; export default { fetch() { for (let i = 0; i < 48; i++) all.push(new Array(1 << 17).fill(0.5)); return new Response('fits'); } };";
    let wants = ("apps/shop/atoll.toml", "net-allow = ['10.0.0.1']\n[limits]\nheap-mib = 512\n");
    let serving = scene(&format!("[limits]\nheap-mib = 32\n{config}"), &[("apps/shop/index.mjs", memory), wants]);
    let server = Server::start(&serving, &["--threads", "1"]);
    let answer = server.get("/");
    assert_eq!((answer.status, answer.termination()), (503, Some("heap")));
}

#[test]
fn a_configuration_is_no_app_and_an_app_no_configuration() {
    let scene =
        scene(TWO, &[("apps/shop/api.mjs", ""), ("apps/blog/atoll.toml", "[[deployments]]\ndirectory = '.'\n")]);
    insta::assert_snapshot!(scene.atoll(&["serve", "apps/blog", "--check"]), @r"
exit code 1
--- stderr
error: apps/blog/atoll.toml configures a server, not the app beside it
hint: serve what it names: atoll serve --config apps/blog/atoll.toml
");
    // It may lie in the directory of the app that it serves.
    let shown = scene.atoll(&["serve", "--config", "apps/blog/atoll.toml", "--check"]);
    assert!(shown.starts_with("exit code 0\n"), "{shown}");
    let conflicting = scene.atoll(&["serve", "--config", "atoll.toml", "apps/blog"]);
    assert!(conflicting.starts_with("exit code 2\n"), "{conflicting}");
}

#[test]
fn many_deployments_start_when_they_are_asked_for() {
    let count = 200;
    let scene = Scene::new(&[]);
    let mut config = Vec::new();
    for number in 0..count {
        let code = match number {
            7 => "throw new Error('broken from the start');".to_owned(),
            _ => format!("export default {{ fetch: () => new Response('app {number}') }};"),
        };
        scene.write(&format!("apps/a{number}/index.mjs"), &code);
        config.push(format!("[[deployments]]\ndirectory = 'apps/a{number}'\nhosts = ['h{number}.example']\n"));
    }
    scene.write("atoll.toml", &config.concat());
    let server = Server::start(&scene, &["--threads", "1"]);
    server.wait_for_text("… and 184 more");
    for number in [0, 8, 199] {
        assert_eq!(server.get_from(&format!("h{number}.example"), "/").body, format!("app {number}"));
    }
    assert_eq!(server.get_from("h7.example", "/").status, 500);
    server.wait_for_text("broken from the start");
}

#[test]
fn the_schema_is_printed() {
    let printed = Scene::new(&[]).atoll(&["schema"]);
    let json = printed.strip_prefix("exit code 0\n--- stdout\n").expect("it is printed");
    let schema: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    assert_eq!(schema["title"], "atoll.toml");
}
