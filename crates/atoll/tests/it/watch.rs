//! `atoll serve --watch`.

use crate::harness::Scene;
use crate::server::{Server, receive};

fn app(text: &str) -> String {
    format!(
        "import {{ suffix }} from './suffix';\nexport default {{ fetch: () => new Response('{text}' + suffix) }};\n"
    )
}

#[test]
fn an_edit_is_served_and_a_broken_one_is_not() {
    let scene = Scene::new(&[("src/index.ts", &app("one")), ("src/suffix.ts", "export const suffix = '!';\n")]);
    let server = Server::start(&scene, &["--watch", "--log", "off"]);
    assert_eq!(server.get("/").body, "one!");

    scene.write("src/index.ts", &app("two"));
    server.wait_for_text("reloaded");
    assert_eq!(server.get("/").body, "two!");

    scene.write("src/suffix.ts", "export const suffix = ;\n");
    let (_, errors) = server.wait_for(|_, errors| errors.contains("goes on serving"));
    insta::assert_snapshot!(scene.normal(&errors), @r"
error: Unexpected token
  --> src/suffix.ts:1:23
   |
 1 | export const suffix = ;
   |                       ^
the previous version goes on serving
");
    assert_eq!(server.get("/").body, "two!");

    scene.write("src/suffix.ts", "export const suffix = '?';\n");
    server.wait_for(|out, _| out.matches("reloaded").count() == 2);
    assert_eq!(server.get("/").body, "two?");

    // A folder that is new.
    scene.write("src/deep/er/name.ts", "export const name = 'three';\n");
    server.wait_for(|out, _| out.matches("reloaded").count() == 3);
    scene.write(
        "src/index.ts",
        "import { name } from './deep/er/name';\nexport default { fetch: () => new Response(name) };\n",
    );
    server.wait_for(|out, _| out.matches("reloaded").count() == 4);
    scene.write("src/deep/er/name.ts", "export const name = 'four';\n");
    server.wait_for(|out, _| out.matches("reloaded").count() == 5);
    assert_eq!(server.get("/").body, "four");
}

#[test]
fn what_a_replaced_release_has_under_way_is_answered_or_ended() {
    let waits = "export default { fetch() { console.log('it is under way'); return new Promise(() => setInterval(() => {}, 100)); } };\n";
    let scene = Scene::new(&[("index.mjs", waits)]);
    let server = Server::start(&scene, &["--watch", "--retirement-ms", "300", "--log", "json"]);
    let stream = server.send("127.0.0.1", "GET /");
    server.wait_for_text("it is under way");
    scene.write("index.mjs", "export default { fetch: () => new Response('new') };\n");
    let answer = receive(stream);
    assert_eq!((answer.status, answer.termination()), (503, Some("deploy")), "{}", answer.head);
    server.wait_for(|out, _| out.contains(r#""kind":"terminated","text":"deploy (3"#));
    server.wait_for(|out, _| out.contains(r#""termination":"deploy","limit":300,"amount":3"#));
    assert_eq!(server.get("/").body, "new");
}

#[test]
fn packages_and_repositories_are_not_sources() {
    let scene = Scene::new(&[("index.mjs", "export default { fetch: () => new Response('x') };\n")]);
    scene.write("node_modules/a/index.js", "");
    scene.write(".git/index", "");
    let mut server = Server::start(&scene, &["--watch", "--threads", "1"]);
    scene.write("node_modules/a/index.js", "changed");
    scene.write(".git/index", "changed");
    scene.write("index.mjs~", "");
    // Later changes are reported later, so nothing was reported of the earlier ones.
    scene.write("index.mjs", "export default { fetch: () => new Response('y') };\n");
    server.wait_for_text("reloaded");
    assert_eq!(server.get("/").body, "y");
    server.terminate();
    let (_, out, _) = server.wait();
    assert_eq!(out.matches("reloaded").count(), 1, "{out}");
}
