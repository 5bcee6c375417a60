//! What a warm request costs on our side of V8, counted.

use crate::harness::{app, block_on, files};
use atoll_runtime::{ColdStarter, Limits, PinnedWorker, Worker};
use atoll_sys::count;
use atoll_web::{IncomingRequest, RequestUrl};
use futures_util::FutureExt;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use std::rc::Rc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: count::Allocator = count::Allocator;

/// Requests until V8 has optimised what runs, and until our own tables have grown to their size.
const WARM_UP: usize = 2000;
const COUNTED: usize = 2000;

/// An app, and the allocations of one request to it.
const APPS: [(&str, usize); 2] = [
    // Nothing: what a request needs lies on the stack or in tables that have grown.
    ("const response = new Response(null); export default { fetch() { return response; } };", 0),
    // The text of the body, and two in the `HeaderMap` that gets the content type: its index and its entries.
    ("export default { fetch() { return new Response('Hello, World!'); } };", 3),
];

fn request() -> IncomingRequest {
    let url = RequestUrl::Parts {
        scheme: "http",
        authority: HeaderValue::from_static("test.localhost"),
        target: PathAndQuery::from_static("/"),
    };
    IncomingRequest { method: Method::GET, url, headers: HeaderMap::new(), body: None }
}

/// Has a request answered in the one turn that it takes.
fn answer(worker: &Rc<PinnedWorker>, request: IncomingRequest) {
    let response = worker.fetch(request).now_or_never().expect("the handler doesn't wait");
    assert_eq!(response.expect("a response").status(), 200);
}

#[test]
fn a_warm_request_makes_few_allocations_and_no_system_calls() {
    for (code, expected) in APPS {
        block_on(check(code, expected));
    }
}

async fn check(code: &str, expected: usize) {
    let directory = files(&[("main.mjs", code)]);
    let (app, _recorder) = app(directory.path(), "main.mjs", Limits::SERVE);
    let worker = Worker::start(app, None).await.expect("it starts").pin(ColdStarter::new(1).expect("a thread"));
    for _ in 0..WARM_UP {
        answer(&worker, request());
    }
    let mut allocations = Vec::with_capacity(COUNTED);
    let start = Instant::now();
    let ((), calls) = count::of(|| {
        for _ in 0..COUNTED {
            let request = request();
            allocations.push(count::allocations_of(|| answer(&worker, request)).1);
        }
    });
    // The CPU clock is read once a millisecond; see `limits/meter.rs` of the engine.
    let milliseconds = usize::try_from(start.elapsed().as_millis()).expect("a short test");
    assert!(calls.len() <= milliseconds + 1, "{} calls in {milliseconds} ms", calls.len());
    assert!(calls.iter().all(|call| *call == "clock_gettime"), "{calls:?}");
    // To note a call for this test may allocate as well, so not every request is the same.
    allocations.sort_unstable();
    assert_eq!(allocations[COUNTED / 2], expected, "{code}");
    worker.retire();
}
