//! Bodies of requests, however they arrive: with the head, behind it, in pieces, late, not at all.

use crate::harness::Scene;
use crate::server::{Server, receive};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const APP: &str = "
const whole = async (request) => {
  switch (new URL(request.url).pathname) {
    case '/text': return await request.text();
    case '/json': return JSON.stringify(await request.json());
    case '/bytes': return (await request.bytes()).join();
    case '/buffer': return new Uint8Array(await request.arrayBuffer()).join();
    case '/blob': return await (await request.blob()).text();
    case '/form': return [...await request.formData()].join(';');
    case '/stream': {
      const chunks = [];
      for await (const chunk of request.body) chunks.push(new TextDecoder().decode(chunk));
      return chunks.join('');
    }
    case '/clone': return await request.clone().text() + '|' + await request.text();
    case '/again': return await new Request(request).text() + '|' + request.bodyUsed;
    case '/twice': return await request.text() + '|' + await request.text().catch((error) => error.name);
    case '/length': return String((await request.text()).length);
    case '/cancel': { await request.body.cancel(); return 'cancelled ' + request.bodyUsed; }
    case '/later': {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return await request.text();
    }
    case '/echo': return request.body;
    default: return 'not read';
  }
};
export default { async fetch(request) {
  try { return new Response(await whole(request)); } catch (error) { return new Response(`${error.name}: ${error.message}`, { status: 400 }); }
} };
";

/// Sends a request in these packets, and reads the answer.
fn send(server: &Server, packets: &[&[u8]]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the port is open");
    stream.set_nodelay(true).expect("a socket option");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a socket option");
    for (number, packet) in packets.iter().enumerate() {
        if number > 0 {
            // So that the server meets one after the other.
            std::thread::sleep(Duration::from_millis(30));
        }
        stream.write_all(packet).expect("it is sent");
    }
    let answer = receive(BufReader::new(stream));
    (answer.status, answer.body)
}

fn head(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n")
}

/// What the app answers to a body, however it arrives.
#[track_caller]
fn check(server: &Server, path: &str, fields: &str, body: &[u8], expected: &str) {
    let sized = head(path, &format!("{fields}content-length: {}\r\n", body.len()));
    let chunked = head(path, &format!("{fields}transfer-encoding: chunked\r\n"));
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |bytes: &[u8]| match bytes.len() {
        // A chunk of nothing would be the end.
        0 => Vec::new(),
        length => [format!("{length:x}\r\n").as_bytes(), bytes, b"\r\n"].concat(),
    };
    let ways: [(&str, &[&[u8]]); 5] = [
        ("with the head", &[&[sized.as_bytes(), body].concat()]),
        ("behind the head", &[sized.as_bytes(), body]),
        ("half with the head", &[&[sized.as_bytes(), first].concat(), second]),
        ("in two pieces behind the head", &[sized.as_bytes(), first, second]),
        ("in chunks", &[chunked.as_bytes(), &chunk(first), &[&*chunk(second), b"0\r\n\r\n"].concat()]),
    ];
    for (way, packets) in ways {
        assert_eq!(send(server, packets), (200, expected.to_owned()), "{path}, {way}");
    }
}

#[test]
fn a_body_is_the_same_however_it_arrives() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let server = Server::start(&scene, &["--log", "off", "--threads", "1"]);
    let check = |path, body: &[u8], expected: &str| check(&server, path, "", body, expected);
    check("/text", "grüße".as_bytes(), "grüße");
    check("/text", b"\xef\xbb\xbfmarked", "marked");
    check("/text", b"\xff and \xe2\x82 and \xf0\x9f\x98\x80", "\u{fffd} and \u{fffd} and 😀");
    check("/json", br#"{"a": [1, null, "x"]}"#, r#"{"a":[1,null,"x"]}"#);
    check("/bytes", b"\xef\xbb\xbf\x00\xff", "239,187,191,0,255");
    check("/buffer", b"abc", "97,98,99");
    check("/blob", b"a blob", "a blob");
    check("/stream", b"in chunks", "in chunks");
    check("/clone", b"twice", "twice|twice");
    check("/again", b"moved", "moved|true");
    check("/twice", b"once", "once|TypeError");
    check("/later", b"waits", "waits");
    check("/echo", b"there and back", "there and back");
    self::check(&server, "/form", "content-type: application/x-www-form-urlencoded\r\n", b"a=1&b=%20", "a,1;b, ");
    // A server that has answered closes the connection, so of what nobody reads all has to be sent at once.
    for (path, expected) in [("/none", "not read"), ("/cancel", "cancelled true")] {
        let request = head(path, "content-length: 8\r\n") + "unwanted";
        assert_eq!(send(&server, &[request.as_bytes()]), (200, expected.to_owned()), "{path}");
    }
    // About the length up to which a body is taken in ahead, and far beyond it.
    for length in [1, 0xffff, 0x1_0000, 0x1_0001, 1 << 20] {
        self::check(&server, "/length", "", &vec![b'x'; length], &length.to_string());
    }
}

#[test]
fn nobody_waits_for_a_body_that_does_not_come() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let server = Server::start(&scene, &["--log", "off", "--threads", "1"]);
    let unsent = head("/none", "content-length: 10\r\n");
    assert_eq!(send(&server, &[unsent.as_bytes()]), (200, "not read".to_owned()));
    // What the client asks before it sends, it learns only when the guest reads.
    let expecting = head("/none", "content-length: 4\r\nexpect: 100-continue\r\n");
    assert_eq!(send(&server, &[expecting.as_bytes()]), (200, "not read".to_owned()));
    let reading = head("/text", "content-length: 4\r\nexpect: 100-continue\r\n");
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the port is open");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a socket option");
    stream.write_all(reading.as_bytes()).expect("it is sent");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"sent").expect("it is sent");
    assert_eq!(receive(BufReader::new(stream)).body, "sent");
}

#[test]
fn a_body_that_breaks_off_is_an_error_for_its_reader() {
    let scene = Scene::new(&[("index.mjs", APP)]);
    let mut server = Server::start(&scene, &["--threads", "1"]);
    for body in [&b""[..], b"half"] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the port is open");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a socket option");
        let begun = [head("/text", "content-length: 10\r\n").as_bytes(), body].concat();
        stream.write_all(&begun).expect("it is sent");
        stream.shutdown(std::net::Shutdown::Write).expect("a socket option");
        let mut answer = String::new();
        // A client that can't send any more gets an answer or none.
        let _ = stream.read_to_string(&mut answer);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(send(&server, &[head("/none", "content-length: 0\r\n").as_bytes()]).1, "not read");
    server.terminate();
    assert!(server.wait().0.success());
}
