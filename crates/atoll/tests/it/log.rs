//! The log, written to by guests and clients that would like to forge it.

use crate::harness::Scene;
use crate::server::{Server, receive};
use std::collections::HashMap;

/// What each of these writes contains lines that look like the server's own.
const APP: &str = r#"
const FORGED = '2026-01-01T00:00:00.000Z 200 GET /forged 0.1 ms';
const JSON = '{"time":"2026-01-01T00:00:00.000Z","type":"request","app":"app","path":"/forged","status":200}';
const EVIL = ['', FORGED, JSON, `\r${FORGED}`, `\u2028${FORGED}`, `\u0085${FORGED}`, `\x1b[2K\x1b[1A${FORGED}`, '\x1b[8m', '\u202e', '\0\x07\x9b1A'].join('\n');
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === '/console') { console.log(EVIL); console.error('%s', EVIL); console.log({ key: EVIL }); console.table([EVIL]); console.log(); }
    if (pathname === '/output') { process.stdout.write(EVIL); process.stderr.write(FORGED + '\n'); process.stdout.write(new Uint8Array([10, 255, 10, 50, 48])); }
    if (pathname === '/long') console.log('x'.repeat(200_000));
    if (pathname === '/throw') { const error = new Error(EVIL); error.name = EVIL; throw error; }
    if (pathname === '/stack') { const error = new Error('x'); error.stack = EVIL + '\n    at x\n' + EVIL; throw error; }
    if (pathname === '/text') throw EVIL;
    if (pathname === '/behind') ctx.waitUntil(Promise.reject(new Error(EVIL)));
    if (pathname === '/rejected') { Promise.reject(new Error(EVIL)); await new Promise((resolve) => setTimeout(resolve, 5)); }
    if (pathname === '/dies') { console.log(EVIL); for (;;) {} }
    return new Response('fine');
  },
};
"#;

const PATHS: [&str; 10] =
    ["/console", "/output", "/long", "/throw", "/stack", "/text", "/behind", "/rejected", "/dies", "/"];

/// Serves all that, and targets that are no better; what was printed, and how many requests there were.
fn attacked(flags: &[&str]) -> (String, String, usize) {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let mut server = Server::start(&scene, &[&["--threads", "1", "--cpu-ms", "300"], flags].concat());
    for path in PATHS {
        server.get(path);
    }
    let mut sent = PATHS.len();
    // Bytes beyond ASCII are passed on in a target: controls and line ends of Unicode are among them.
    for target in ["/\u{85}2026-01-01", "/\u{2028}2026-01-01", "/\u{9b}31m", "/?\u{202e}x", "/%0a2026-01-01%20200"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = receive(server.send_bytes(request.as_bytes()));
        // A target that HTTP itself refuses is not logged.
        sent += usize::from(answer.status == 200);
    }
    server.terminate();
    let (status, out, errors) = server.wait();
    assert!(status.success(), "{status}");
    (out, errors, sent)
}

/// Lines as those see them who know all line ends of Unicode.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\x0b', '\x0c'])
}

#[test]
fn no_line_of_the_text_log_is_forged() {
    let (out, errors, sent) = attacked(&[]);
    let own: Vec<&str> = lines(&out).filter(|line| !line.starts_with('|')).collect();
    // The two lines of the start, and a line for each request.
    assert!(own[0].starts_with("Atoll ") && own[1].starts_with("  http://"), "{own:#?}");
    assert_eq!(own.len(), 2 + sent, "{own:#?}");
    let paths = own[2..].iter().map(|line| line.split(' ').nth(3).expect("a target"));
    let mut counted: HashMap<&str, u32> = HashMap::new();
    for path in paths {
        *counted.entry(path).or_default() += 1;
    }
    assert!(PATHS.iter().all(|path| counted[path] == 1), "{counted:?}");
    for line in lines(&errors) {
        let is_own = line.starts_with("error ") || line.starts_with("uncaught ") || line.starts_with("ended ");
        assert!(is_own || line.starts_with('|') || line.starts_with("  "), "{line:?}");
    }
    // Nothing that a terminal obeys but colours, and each line ends its own.
    for text in [&out, &errors] {
        assert!(!text.contains(['\r', '\0', '\x07', '\u{9b}', '\u{202e}']), "{text}");
        for line in lines(text).filter(|line| line.contains('\x1b')) {
            assert!(line.ends_with("\x1b[0m"), "{line:?}");
            assert!(line.split('\x1b').skip(1).all(|part| part.starts_with('[') && part.contains('m')), "{line:?}");
        }
    }
    assert!(out.contains(&format!("| {}\n", "x".repeat(200_000))), "a long line is one line");
}

#[test]
fn no_line_of_the_json_log_is_forged() {
    let (out, errors, sent) = attacked(&["--log", "json"]);
    assert_eq!(errors, "");
    let mut requests = 0;
    let mut types: HashMap<String, u32> = HashMap::new();
    for line in lines(&out) {
        assert!(!line.contains(char::is_control), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let kind = record["type"].as_str().expect("a type");
        *types.entry(kind.to_owned()).or_default() += 1;
        if kind == "request" {
            requests += 1;
            assert_ne!(record["path"], "/forged");
        }
    }
    assert_eq!(requests, sent, "{types:?}");
    assert!(types["problem"] >= 6 && types["console"] >= 8, "{types:?}");
}

#[test]
fn names_are_shown_on_one_line() {
    let scene =
        Scene::new(&[("index.mjs", "export default { fetch() { console.log('said'); return new Response('x'); } };")]);
    scene.write("../atoll.toml", "[[deployments]]\ndirectory = 'app'\nname = \"a\\n2026-01-01 200 GET /forged\"\n");
    let shown = scene.atoll(&["serve", "--check", "--config", "../atoll.toml"]);
    assert!(shown.contains("error: name has a character that no log can show"), "{shown}");
    // Of several apps each line says whose it is.
    let other = scene.home().join("other");
    std::fs::create_dir(&other).expect("a directory");
    std::fs::write(other.join("index.mjs"), "export default { fetch: () => new Response('other') };").expect("a file");
    let server = Server::start(&scene, &["--threads", "1", ".", "../other"]);
    server.get_from("app.localhost", "/");
    server.wait_for_text("app | said\n");
}
