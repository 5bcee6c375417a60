//! One hop, against an origin on loopback.

use super::client::FetchClient;
use super::exchange::{FetchState, Outgoing, OutgoingBody};
use super::rules::NetRules;
use crate::serve::{RequestLimits, Share};
use atoll_engine::{JsError, Value};
use atoll_test::http_origin::HttpOrigin;
use bytes::Bytes;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio::time::timeout;

/// Longer than anything here takes, shorter than a test runner's patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// A worker's state, and the account of one request in it.
struct Worker {
    state: FetchState,
    share: Share,
}

impl Worker {
    fn open(&mut self, streamed: bool) -> Result<u64, JsError> {
        self.state.open(streamed, self.share.clone())
    }
}

impl Deref for Worker {
    type Target = FetchState;

    fn deref(&self) -> &FetchState {
        &self.state
    }
}

impl DerefMut for Worker {
    fn deref_mut(&mut self) -> &mut FetchState {
        &mut self.state
    }
}

fn share(concurrent_subrequests: u32) -> Share {
    Share::new(&RequestLimits { concurrent_subrequests, ..RequestLimits::UNLIMITED })
}

async fn fixture(concurrent: u32) -> (HttpOrigin, Worker) {
    let origin = HttpOrigin::start().await.expect("loopback works");
    let port = origin.address().port();
    let entries = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let rules = NetRules::new(entries.iter().map(String::as_str)).expect("valid entries");
    let client = FetchClient::new(rules);
    (origin, Worker { state: FetchState::new(client), share: share(concurrent) })
}

fn outgoing(method: &str, url: &str, headers: &[&str], body: OutgoingBody) -> Outgoing {
    let headers = headers.iter().map(|text| (*text).to_owned()).collect();
    Outgoing { method: method.to_owned(), url: url.to_owned(), headers, body }
}

async fn send(state: &mut Worker, outgoing: Outgoing) -> Result<(u64, Value), JsError> {
    let id = state.open(matches!(outgoing.body, OutgoingBody::Streamed))?;
    let response = state.start(id, outgoing)?;
    Ok((id, timeout(PATIENCE, response).await.expect("an answer in time")?))
}

async fn get(state: &mut Worker, url: &str) -> Result<(u64, Value), JsError> {
    send(state, outgoing("GET", url, &[], OutgoingBody::None)).await
}

async fn read_all(state: &mut Worker, id: u64) -> Result<String, JsError> {
    let mut bytes = Vec::new();
    loop {
        match timeout(PATIENCE, state.read(id)).await.expect("a chunk in time")? {
            Value::Bytes(chunk) => bytes.extend(chunk),
            end => {
                assert_eq!(end, Value::Null);
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
}

fn field<'a>(response: &'a Value, name: &str) -> &'a Value {
    let Value::Record(fields) = response else { panic!("{response:?} is no record") };
    &fields.iter().find(|(field, _)| *field == name).expect("the field").1
}

fn code(error: &JsError) -> &Value {
    &error.properties.iter().find(|(name, _)| *name == "code").expect("a code").1
}

#[tokio::test]
async fn sends_method_headers_and_body() {
    let (origin, mut state) = fixture(4).await;
    let headers =
        ["x-latin1", "caf\u{e9}", "connection", "close", "content-length", "99", "transfer-encoding", "chunked"];
    let body = OutgoingBody::Whole(Bytes::from_static(b"body"));
    let url = format!("{}/echo?a=b", origin.url());
    let (id, response) = send(&mut state, outgoing("PUT", &url, &headers, body)).await.expect("an answer");
    assert_eq!(*field(&response, "status"), Value::Number(200.0));
    assert_eq!(*field(&response, "statusText"), Value::from("OK"));
    let echoed = read_all(&mut state, id).await.expect("a body");
    for part in [
        r#""method":"PUT""#,
        r#""query":"a=b""#,
        r#""body":"body""#,
        r#"["x-latin1","café"]"#,
        r#"["content-length","4"]"#,
    ] {
        assert!(echoed.contains(part), "{part} in {echoed}");
    }
    for absent in ["connection", "transfer-encoding", r#""99""#] {
        assert!(!echoed.contains(absent), "{absent} in {echoed}");
    }
    assert_eq!(state.active(), 0);
}

#[tokio::test]
async fn empty_bodies_say_that_they_are() {
    let (origin, mut state) = fixture(4).await;
    let url = format!("{}/echo", origin.url());
    for (method, empty, announced) in
        [("POST", false, true), ("PUT", false, true), ("GET", false, false), ("PATCH", true, true)]
    {
        let body = if empty { OutgoingBody::Whole(Bytes::new()) } else { OutgoingBody::None };
        let (id, _) = send(&mut state, outgoing(method, &url, &[], body)).await.expect("an answer");
        let echoed = read_all(&mut state, id).await.expect("a body");
        assert_eq!(echoed.contains(r#"["content-length","0"]"#), announced, "{method}: {echoed}");
    }
}

#[tokio::test]
async fn decodes_and_ends_bodies() {
    let (origin, mut state) = fixture(4).await;
    for path in ["gzip", "deflate"] {
        let (id, response) = get(&mut state, &format!("{}/{path}", origin.url())).await.expect("an answer");
        let Value::List(headers) = field(&response, "headers") else { panic!("a list") };
        assert!(!headers.contains(&Value::from("content-encoding")), "the guest sees decoded bytes");
        assert_eq!(read_all(&mut state, id).await.expect("a body"), r#"{"compressed":true}"#);
    }
    for status in ["204", "304"] {
        let (_, response) = get(&mut state, &format!("{}/status/{status}", origin.url())).await.expect("an answer");
        assert_eq!(*field(&response, "hasBody"), Value::Bool(false));
    }
    assert_eq!(state.active(), 0);
    assert_eq!(origin.connections(), 1, "one connection was kept alive for all");
}

#[tokio::test]
async fn lost_connections_are_told() {
    let (origin, mut state) = fixture(4).await;
    let error = get(&mut state, &format!("{}/close", origin.url())).await.expect_err("no answer");
    assert_eq!(*code(&error), Value::from("ECONNRESET"));
    let (id, _) = get(&mut state, &format!("{}/close?after=10", origin.url())).await.expect("a head");
    let error = read_all(&mut state, id).await.expect_err("the body ends early");
    assert_eq!(*code(&error), Value::from("ECONNRESET"));
    assert_eq!(state.active(), 0);
}

#[tokio::test]
async fn denied_addresses_are_not_connected_to() {
    let (origin, mut state) = fixture(4).await;
    let port = origin.address().port();
    for url in [
        format!("http://[::ffff:127.0.0.1]:{}/", port.wrapping_add(1)),
        "http://127.0.0.1:1/".to_owned(),
        "http://localhost:1/".to_owned(),
        "http://0x7f.1:1/".to_owned(),
        "http://2130706433:1/".to_owned(),
        "http://[::1]:1/".to_owned(),
        "http://[::]:1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let error = get(&mut state, &url).await.expect_err("must be denied");
        assert_eq!(*code(&error), Value::from("ERR_ACCESS_DENIED"), "{url}: {error}");
        assert!(error.message.contains("--net allow="), "{error}");
    }
    assert_eq!(origin.connections(), 0);
    assert_eq!(state.active(), 0);
    let (id, _) = get(&mut state, &format!("http://LOCALHOST:{port}/echo")).await.expect("named by the allow list");
    read_all(&mut state, id).await.expect("a body");
}

#[tokio::test]
async fn uploads_stream_while_the_response_does() {
    let (origin, mut state) = fixture(4).await;
    let id = state.open(true).expect("an id");
    let url = format!("{}/mirror", origin.url());
    let response = tokio::spawn(state.start(id, outgoing("POST", &url, &[], OutgoingBody::Streamed)).expect("a start"));
    assert_eq!(state.write(id, Bytes::from_static(b"one")).await.expect("taken"), Value::Bool(true));
    timeout(PATIENCE, response).await.expect("in time").expect("no panic").expect("an answer before the upload's end");
    assert_eq!(state.read(id).await.expect("a chunk"), Value::Bytes(b"one".to_vec()));
    assert_eq!(state.write(id, Bytes::from_static(b"two")).await.expect("taken"), Value::Bool(true));
    assert_eq!(state.read(id).await.expect("a chunk"), Value::Bytes(b"two".to_vec()));
    state.end(id);
    assert_eq!(read_all(&mut state, id).await.expect("the end"), "");
    assert_eq!(state.write(id, Bytes::from_static(b"late")).await.expect("an answer"), Value::Bool(false));
}

#[tokio::test]
async fn unfinished_uploads_do_not_look_complete() {
    let (origin, mut state) = fixture(4).await;
    let id = state.open(true).expect("an id");
    let url = format!("{}/mirror", origin.url());
    let response = tokio::spawn(state.start(id, outgoing("POST", &url, &[], OutgoingBody::Streamed)).expect("a start"));
    assert_eq!(state.write(id, Bytes::from_static(b"part")).await.expect("taken"), Value::Bool(true));
    timeout(PATIENCE, response).await.expect("in time").expect("no panic").expect("an answer");
    assert_eq!(state.read(id).await.expect("a chunk"), Value::Bytes(b"part".to_vec()));
    let rest = state.read(id);
    state.cancel(id);
    let error = timeout(PATIENCE, rest).await.expect("in time").expect_err("cancelled");
    assert_eq!(*code(&error), Value::from("ABORT_ERR"));
    timeout(PATIENCE, async {
        while origin.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the connection is closed, not reused");
}

#[tokio::test]
async fn uploads_have_backpressure() {
    let (origin, mut state) = fixture(4).await;
    let id = state.open(true).expect("an id");
    let url = format!("{}/mirror", origin.url());
    let response = tokio::spawn(state.start(id, outgoing("POST", &url, &[], OutgoingBody::Streamed)).expect("a start"));
    let chunk = Bytes::from(vec![0; 1 << 20]);
    let mut taken = 0;
    // Nobody reads the mirror's answer, so its buffers and the sockets' fill up.
    while timeout(Duration::from_millis(300), state.write(id, chunk.clone())).await.is_ok() {
        taken += 1;
        assert!(taken < 64, "64 MiB were taken and nobody read");
    }
    state.cancel(id);
    let _ = timeout(PATIENCE, response).await.expect("in time");
    assert_eq!(state.active(), 0);
}

#[tokio::test]
async fn cancelling_ends_what_is_under_way() {
    let (origin, mut state) = fixture(4).await;
    let id = state.open(false).expect("an id");
    let url = format!("{}/hang", origin.url());
    let hanging = tokio::spawn(state.start(id, outgoing("GET", &url, &[], OutgoingBody::None)).expect("a start"));
    while origin.requests() == 0 {
        tokio::task::yield_now().await;
    }
    state.cancel(id);
    let error = timeout(PATIENCE, hanging).await.expect("in time").expect("no panic").expect_err("cancelled");
    assert_eq!(*code(&error), Value::from("ABORT_ERR"));
    let (id, _) = get(&mut state, &format!("{}/endless", origin.url())).await.expect("a head");
    state.read(id).await.expect("a chunk");
    state.cancel(id);
    assert_eq!(state.read(id).await.expect("nothing"), Value::Null);
    timeout(PATIENCE, async {
        while origin.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the connections are closed");
}

#[tokio::test]
async fn unread_bodies_do_not_hold_others_up() {
    let (origin, mut state) = fixture(2).await;
    let mut unread = Vec::new();
    for _ in 0..10 {
        unread.push(get(&mut state, &format!("{}/drip?bytes=100", origin.url())).await.expect("an answer").0);
    }
    for id in unread {
        assert_eq!(read_all(&mut state, id).await.expect("a body").len(), 100);
    }
    assert_eq!(state.active(), 0);
}

#[tokio::test]
async fn of_long_unread_bodies_the_oldest_is_given_up() {
    let (origin, mut state) = fixture(2).await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(get(&mut state, &format!("{}/endless", origin.url())).await.expect("an answer").0);
    }
    let error = state.read(unread[0]).await.expect_err("given up");
    assert_eq!(*code(&error), Value::from("ERR_UNREAD"));
    for id in &unread[1..] {
        assert!(matches!(state.read(*id).await, Ok(Value::Bytes(_))));
        state.cancel(*id);
    }
}

#[tokio::test]
async fn requests_wait_for_bodies_that_are_being_read() {
    let (origin, mut state) = fixture(1).await;
    let (id, _) = get(&mut state, &format!("{}/endless", origin.url())).await.expect("a head");
    state.read(id).await.expect("a chunk");
    let next = state.open(false).expect("an id");
    let url = format!("{}/echo", origin.url());
    let waiting = state.start(next, outgoing("GET", &url, &[], OutgoingBody::None)).expect("a start");
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "there is only one slot");
    state.cancel(id);
    timeout(PATIENCE, waiting).await.expect("in time").expect("an answer");
}

#[tokio::test]
async fn each_request_has_a_line_of_its_own() {
    let (origin, mut state) = fixture(1).await;
    let (_held, _) = get(&mut state, &format!("{}/endless", origin.url())).await.expect("a head");
    let other = state.state.open(false, share(1)).expect("an id");
    let url = format!("{}/echo", origin.url());
    let answer = state.start(other, outgoing("GET", &url, &[], OutgoingBody::None)).expect("a start");
    timeout(PATIENCE, answer).await.expect("in time").expect("an answer");
}

#[tokio::test]
async fn open_bodies_are_limited() {
    let (origin, mut state) = fixture(64).await;
    state.share = Share::new(&RequestLimits { open_streams: 8, ..RequestLimits::UNLIMITED });
    let url = format!("{}/echo", origin.url());
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(get(&mut state, &url).await.expect("a head").0);
    }
    let error = get(&mut state, &url).await.expect_err("one too many");
    assert_eq!(error.message, "the limit open-streams = 8 is reached");
    assert_eq!(*code(&error), Value::from("ERR_LIMIT"));
    assert_eq!(state.active(), 8, "the refused one is forgotten");
    assert!(state.open(true).is_err(), "an upload is a body as well");
    // A body that was read, or given up, makes room.
    read_all(&mut state, open[0]).await.expect("a body");
    state.cancel(open[1]);
    for _ in 0..2 {
        get(&mut state, &url).await.expect("a head");
    }
}
