//! What the served example answers.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::ensure;
use crate::Failure;
use crate::client::Client;
use crate::repository::shelf;
use crate::server::Server;
use crate::steps::Steps;

/// The example's pause between two lines of `/stream`.
const LINE_PAUSE: Duration = Duration::from_millis(250);
/// Books in the example's seed file.
const SEEDED_BOOKS: usize = 9;

/// The heading that the deployment's environment sets.
const TITLE: &str = "Books of the house";

/// `kind` is what the steps are called by.
pub(super) fn run(steps: &mut Steps, kind: &str, atoll: &Path, project: &Path) {
    let mut step = |name: &str, check: &mut dyn FnMut() -> Result<(), Failure>| {
        super::step(steps, &format!("{kind}: {name}"), check);
    };
    let mut server = None;
    step("atoll serve opens its port and says where", &mut || {
        let title = format!("SHELF_TITLE={TITLE}");
        let arguments = [project.as_os_str(), OsStr::new("--env"), OsStr::new(&title)];
        let started = Server::start(atoll, &arguments, project.with_file_name("serve.log"))?;
        started.wait_for_log(&format!("http://127.0.0.1:{}", started.port), Duration::from_secs(2))?;
        server = Some(started);
        Ok(())
    });
    let Some(mut server) = server else { return };
    let port = server.port;
    step("the page, with notes rendered", &mut || page(port));
    step("the API takes, gives and removes a book", &mut || valid_input(port));
    step("the API says what is wrong, field by field", &mut || invalid_input(port));
    step("files of the app, and none beside them", &mut || files(port));
    step("the streamed response arrives piece by piece", &mut || streamed(port));
    step("waitUntil's work is done after the response", &mut || {
        Client::connect(port)?.get("/api/books/moon-tiger")?.expect_status(200)?;
        server.wait_for_log(r#""path":"/api/books/moon-tiger""#, Duration::from_secs(2))
    });
    step("SIGTERM lets a response finish, then ends the server", &mut || drain(&mut server));
}

fn page(port: u16) -> Result<(), Failure> {
    let answer = Client::connect(port)?.get("/")?;
    answer.expect_status(200)?;
    let kind = answer.header("content-type").unwrap_or_default();
    ensure!(kind.eq_ignore_ascii_case("text/html; charset=utf-8"), "content-type is {kind:?}");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    ensure!(policy.contains("script-src 'nonce-"), "content-security-policy is {policy:?}");
    let page = answer.text();
    let count = page.matches("<li class=\"book\">").count();
    ensure!(count == SEEDED_BOOKS, "the page shows {count} books instead of {SEEDED_BOOKS}");
    for part in [
        format!("<h1>{TITLE}</h1>").as_str(),
        "<strong>two people on a sledge</strong>",
        "finished <time datetime=\"2024-10-25\">25 October 2024</time>",
        "<dd>2,381</dd>",
        "</html>",
    ] {
        ensure!(page.contains(part), "the page has no {part:?}:\n{page}");
    }
    let filtered = Client::connect(port)?.get("/?tag=science%20fiction")?.text();
    let count = filtered.matches("<li class=\"book\">").count();
    ensure!(count == 2, "the tag `science fiction` shows {count} books instead of 2");
    Ok(())
}

fn valid_input(port: u16) -> Result<(), Failure> {
    // One connection: the additions live in the memory of the worker that answers it.
    let mut client = Client::connect(port)?;
    let list = client.get("/api/books")?.json()?;
    ensure!(list["count"] == SEEDED_BOOKS, "the shelf begins with {} books", list["count"]);

    let book = json!({ "title": " Piranesi ", "author": "Susanna Clarke", "published": 2020, "pages": 272, "note": "*halls*" });
    let added = client.post_json("/api/books", &book.to_string())?;
    added.expect_status(201)?;
    let location = added.header("location").ok_or("no location header")?.to_owned();
    let added = added.json()?;
    let id = added["id"].as_str().unwrap_or_default();
    ensure!(id.len() == 10 && location == format!("/api/books/{id}"), "location {location:?} for id {id:?}");
    ensure!(added["title"] == "Piranesi" && added["tags"] == json!([]), "what was added is {added}");

    let found = client.get(&location)?;
    found.expect_status(200)?;
    ensure!(found.json()? == added, "what is found is {}", found.text());
    ensure!(client.get("/")?.text().contains("<em>halls</em>"), "the page does not show the new book's note");
    let removed = client.delete(&location)?;
    removed.expect_status(204)?;
    client.get(&location)?.expect_status(404)?;
    client.delete(&location)?.expect_status(404)
}

fn invalid_input(port: u16) -> Result<(), Failure> {
    let mut client = Client::connect(port)?;
    let bad = json!({ "title": "", "author": "X", "published": "soon", "pages": -1, "colour": "red" });
    let answer = client.post_json("/api/books", &bad.to_string())?;
    answer.expect_status(400)?;
    let body = answer.json()?;
    let issues = body["error"]["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields: Vec<&str> = issues.iter().filter_map(|issue| issue["field"].as_str()).collect();
    ensure!(fields == ["title", "published", "pages", "colour"], "the issues are {body}");
    ensure!(issues[0]["message"] == "A book needs a title.", "the message for the title is {}", issues[0]);

    let answer = client.post_json("/api/books", "{\"title\":")?;
    answer.expect_status(400)?;
    ensure!(answer.json()?["error"]["message"] == "The body is not JSON.", "the answer is {}", answer.text());

    let large = json!({ "title": "x".repeat(70_000) }).to_string();
    client.post_json("/api/books", &large)?.expect_status(413)?;
    // A server may close a connection whose request it did not read to its end.
    Client::connect(port)?.get("/nowhere")?.expect_status(404)
}

fn files(port: u16) -> Result<(), Failure> {
    let mut client = Client::connect(port)?;
    let icon = client.get("/favicon.svg")?;
    icon.expect_status(200)?;
    ensure!(icon.header("content-type") == Some("image/svg+xml"), "content-type is {:?}", icon.header("content-type"));
    ensure!(icon.bytes() == fs::read(shelf().join("public/favicon.svg"))?, "the icon's bytes differ from the file's");

    let note = client.get("/notes/le-guin")?;
    note.expect_status(200)?;
    ensure!(note.text().contains("<th>How far</th>"), "the note's table is not rendered:\n{}", note.text());
    for path in ["/notes/absent", "/notes/..%2fpackage", "/notes/..%2f..%2fetc%2fpasswd"] {
        client.get(path)?.expect_status(404)?;
    }
    Ok(())
}

fn streamed(port: u16) -> Result<(), Failure> {
    let asked = Instant::now();
    let answer = Client::connect(port)?.get("/stream")?;
    answer.expect_status(200)?;
    let text = answer.text();
    let lines = text.lines().count();
    ensure!(lines == SEEDED_BOOKS + 2, "{lines} lines instead of {}:\n{text}", SEEDED_BOOKS + 2);
    ensure!(answer.pieces.len() == lines, "{lines} lines came in {} pieces", answer.pieces.len());
    let arrivals: Vec<Duration> = answer.pieces.iter().map(|(at, _)| *at - asked).collect();
    ensure!(arrivals[0] < 2 * LINE_PAUSE, "the first line came after {:?}", arrivals[0]);
    // Each pause is at least as long as the app's timer, less a coarsened clock's step.
    let least = LINE_PAUSE * 9 / 10;
    let together = arrivals.windows(2).filter(|pair| pair[1].saturating_sub(pair[0]) < least / 2).count();
    ensure!(together == 0, "{together} lines came together with the one before: {arrivals:?}");
    let whole = arrivals[lines - 1].saturating_sub(arrivals[0]);
    ensure!(whole >= least * u32::try_from(lines - 1)?, "all lines came within {whole:?}");
    Ok(())
}

fn drain(server: &mut Server) -> Result<(), Failure> {
    let mut client = Client::connect(server.port)?;
    client.send("GET", "/stream", None)?;
    let mut answer = client.head()?;
    let first = client.piece(&mut answer)?.ok_or("the stream is empty")?;
    answer.pieces.push((Instant::now(), first));
    server.terminate()?;
    while let Some(piece) = client.piece(&mut answer)? {
        answer.pieces.push((Instant::now(), piece));
    }
    ensure!(answer.text().ends_with("Good night.\n"), "the response was cut off:\n{}", answer.text());
    drop(client);
    let status = server.wait()?;
    ensure!(status.success(), "the server ended with {status}:\n{}", server.log());
    ensure!(Client::connect(server.port).is_err(), "the port is still open");
    Ok(())
}
