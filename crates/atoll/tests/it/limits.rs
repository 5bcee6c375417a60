//! Limits on requests and responses, attacked from outside.

use crate::harness::Scene;
use crate::server::{Server, receive};

const APP: &str = "export default {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
      case '/read':
        return new Response(`${(await request.arrayBuffer()).byteLength}`);
      case '/caught':
        try { await request.arrayBuffer(); return new Response('whole'); } catch (error) { return new Response(`${error}`); }
      case '/headers':
        return new Response('x', { headers: { 'x-long': 'y'.repeat(3000) } });
      case '/whole':
        return new Response('z'.repeat(3 << 20));
      case '/stream': {
        let left = 48;
        return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16)); if (--left === 0) c.close(); }, cancel(why) { console.log(`cancelled: ${why}`); } }));
      }
      case '/log':
        for (let i = 0; i < 40; i++) console.log(`${i} `.padEnd(100, '.'));
        return new Response('logged');
      case '/dies':
        console.log('the last words');
        for (;;) {}
      default:
        return new Response('fine');
    }
  },
};
";

fn server(flags: &[&str]) -> (Scene, Server) {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let server = Server::start(&scene, &[&["--threads", "1"], flags].concat());
    (scene, server)
}

fn head(path: &str, headers: &[String]) -> Vec<u8> {
    let first = [format!("GET {path} HTTP/1.1"), "host: x".to_owned(), "connection: close".to_owned()];
    let end = [String::new(), String::new()];
    first.iter().chain(headers).chain(&end).cloned().collect::<Vec<_>>().join("\r\n").into_bytes()
}

#[test]
fn too_many_or_too_long_header_fields_are_refused() {
    let (_scene, server) = server(&["--request-headers", "20", "--request-header-kib", "4"]);
    let fields = |count: usize| (0..count).map(|number| format!("x-{number}: 1")).collect::<Vec<_>>();
    assert_eq!(receive(server.send_bytes(&head("/", &fields(18)))).status, 200);
    let refused = receive(server.send_bytes(&head("/", &fields(19))));
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (431, "The request has too many header fields: the limit is request-headers = 20.\n")
    );
    assert_eq!(receive(server.send_bytes(&head("/", &fields(5000)))).status, 431);
    let long = |bytes: usize| vec![format!("x-long: {}", "y".repeat(bytes))];
    assert_eq!(receive(server.send_bytes(&head("/", &long(4000)))).status, 200);
    let refused = receive(server.send_bytes(&head("/", &long(4100))));
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (431, "The request has header fields that are too long: the limit is request-header-kib = 4.\n")
    );
    assert_eq!(server.get("/").body, "fine");
}

#[test]
fn a_deployment_may_admit_more_fields_than_the_parser_does_by_itself() {
    let (_scene, server) = server(&["--request-headers", "300"]);
    let fields: Vec<String> = (0..290).map(|number| format!("x-{number}: 1")).collect();
    assert_eq!(receive(server.send_bytes(&head("/", &fields))).status, 200);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let (_scene, server) = server(&["--request-body-mib", "1"]);
    let message = "The request has a body that is too long: the limit is request-body-mib = 1.\n";
    let post = |path: &str, framing: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{framing}\r\n\r\n")
    };
    // Announced: the guest never sees it, and nobody waits for the body.
    let refused = receive(server.send_bytes(post("/read", "content-length: 1048577").as_bytes()));
    assert_eq!((refused.status, refused.body.as_str()), (413, message));
    let chunked = |path: &str, chunks: usize| {
        let mut request = post(path, "transfer-encoding: chunked").into_bytes();
        for _ in 0..chunks {
            request.extend(b"10000\r\n");
            request.resize(request.len() + 0x10000, b'x');
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        request
    };
    let whole = receive(server.send_bytes(&chunked("/read", 16)));
    assert_eq!((whole.status, whole.body.as_str()), (200, "1048576"));
    let refused = receive(server.send_bytes(&chunked("/read", 17)));
    assert_eq!((refused.status, refused.body.as_str()), (413, message));
    // The guest may answer otherwise.
    let answered = receive(server.send_bytes(&chunked("/caught", 17)));
    assert_eq!(answered.status, 200);
    assert!(answered.body.contains("longer than the limit of 1048576 bytes"), "{}", answered.body);
}

#[test]
fn a_response_that_is_too_long_is_an_error() {
    let (_scene, server) = server(&["--response-header-kib", "2", "--response-body-mib", "2"]);
    for (path, limit) in [("/headers", "response-header-kib = 2"), ("/whole", "response-body-mib = 2")] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (500, "Internal Server Error\n"), "{path}");
        server.wait_for_text(&format!("RangeError: the limit {limit} is reached"));
    }
    // Begun with the guest's own status, so it is cut off.
    let mut cut = server.send("x", "GET /stream");
    let mut received = Vec::new();
    let _ = std::io::Read::read_to_end(&mut cut, &mut received);
    assert!(received.starts_with(b"HTTP/1.1 200"), "it begins");
    // What waited for the client when it was cut off is not sent.
    assert!((1 << 20..(2 << 20) + 8192).contains(&received.len()), "{} bytes", received.len());
    assert!(!received.ends_with(b"0\r\n\r\n"), "it does not look whole");
    server.wait_for_text("cancelled: RangeError: the limit response-body-mib = 2 is reached");
    assert_eq!(server.get("/").body, "fine");
}

#[test]
fn what_a_request_logs_ends_with_one_line() {
    let (_scene, server) = server(&["--log-kib", "1"]);
    assert_eq!(server.get("/log").body, "logged");
    let full = "the limit log-kib = 1 is reached: what this request writes from here on is left out";
    // Two pipes: what was written to one first may be read from it last.
    server.wait_for(|out, errors| out.contains("GET /log") && errors.contains(full));
    let (out, errors) = server.printed();
    assert!(out.contains("9 ....") && !out.contains("10 ....") && !out.contains("39 ...."), "{out}");
    assert_eq!(errors.matches(full).count(), 1, "{errors}");
    // The next request has its own.
    server.get("/log");
    server.wait_for(|_, errors| errors.matches(full).count() == 2);
}

#[test]
fn the_last_lines_before_an_end_by_force_are_kept() {
    let (_scene, server) = server(&["--cpu-ms", "200"]);
    assert_eq!(server.get("/dies").termination(), Some("cpu"));
    server.wait_for_text("the last words");
}
