//! Workers that serve, through the pool.

use crate::harness::{app, block_on, files};
use atoll_engine::Reason;
use atoll_runtime::{
    ColdStarter, Deployment, DeploymentId, Limits, Pool, PoolConfig, PoolError, RequestError, StartError,
};
use atoll_web::{IncomingRequest, RequestBody};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const LIMITS: Limits = Limits {
    heap_bytes: 32 << 20,
    external_bytes: 16 << 20,
    request_cpu: Duration::from_millis(300),
    wait_until_cpu: Duration::from_millis(300),
    startup_cpu: Duration::from_secs(20),
    startup_wall: Duration::from_secs(20),
    wall: Duration::from_secs(20),
    wait_until_wall: Duration::from_secs(20),
    ..Limits::SERVE
};

fn get(url: &str) -> IncomingRequest {
    IncomingRequest::new(Method::GET, url)
}

/// Shows what the worker reported when the test fails.
struct ShowProblems(Arc<crate::harness::Recorder>);

impl Drop for ShowProblems {
    #[expect(clippy::print_stderr, reason = "a failing test says why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the worker reported: {:#?} {:?}", self.0.problems(), self.0.lines());
        }
    }
}

fn deploy(id: u64, code: &str, limits: Limits) -> (Deployment, Arc<crate::harness::Recorder>, tempfile::TempDir) {
    let directory = files(&[("main.mjs", code)]);
    let (app, recorder) = app(directory.path(), "main.mjs", limits);
    (Deployment { id: DeploymentId(id), app }, recorder, directory)
}

fn pool() -> Rc<Pool> {
    Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None)
}

async fn text(pool: &Rc<Pool>, deployment: &Deployment, path: &str) -> Result<String, PoolError> {
    let url = format!("http://test.localhost{path}");
    let response = pool.fetch(deployment, get(&url)).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
}

#[test]
fn answers_and_keeps_its_state_warm() {
    block_on(async {
        let code = "let count = 0; export default { fetch(request, env) { return new Response(`${++count} ${request.method} ${new URL(request.url).pathname} ${env.GREETING}`); } };";
        let (deployment, recorder, _directory) = deploy(1, code, LIMITS);
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        assert_eq!(text(&pool, &deployment, "/a").await.expect("a response"), "200 1 GET /a hello");
        assert_eq!(text(&pool, &deployment, "/b").await.expect("a response"), "200 2 GET /b hello");
        assert!(recorder.problems().is_empty(), "{:?}", recorder.problems());
        pool.drain().await;
    });
}

#[test]
fn bodies_stream_both_ways() {
    block_on(async {
        let code = "export default { async fetch(request) {
            const upper = new TransformStream({ transform(chunk, out) { out.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase())); } });
            return new Response(request.body.pipeThrough(upper), { status: 201, headers: { 'x-a': 'b' } });
        } };";
        let (deployment, recorder, _directory) = deploy(1, code, LIMITS);
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, atoll_web::BodyError>>(1);
        let body = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = IncomingRequest {
            body: Some(RequestBody::new(body)),
            ..IncomingRequest::new(Method::POST, "http://test.localhost/")
        };
        let response = pool.fetch(&deployment, request).await.expect("a response");
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["x-a"], "b");
        let mut body = response.into_body();
        // Each piece comes back before the next is sent.
        for piece in ["one", "two", "three"] {
            sender.send(Ok(Bytes::from(piece))).await.expect("someone reads");
            let frame = body.frame().await.expect("a piece").expect("no error");
            assert_eq!(frame.into_data().expect("data"), piece.to_uppercase());
        }
        drop(sender);
        assert!(body.frame().await.is_none());
        assert!(recorder.problems().is_empty(), "{:?}", recorder.problems());
    });
}

#[test]
fn a_failing_handler_tells_the_log_and_not_the_client() {
    block_on(async {
        let code = "export default { async fetch(request) { const path = new URL(request.url).pathname;
            if (path === '/throw') throw new Error('secret');
            if (path === '/nothing') return;
            if (path === '/stream') return new Response(new ReadableStream({ pull() { throw new Error('in the stream'); } }));
            return new Promise(() => {});
        } };";
        let (deployment, recorder, _directory) = deploy(1, code, Limits { wall: Duration::from_millis(300), ..LIMITS });
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        for path in ["/throw", "/nothing"] {
            assert!(matches!(text(&pool, &deployment, path).await, Err(PoolError::Request(RequestError::Failed))));
        }
        let never = text(&pool, &deployment, "/never").await;
        assert!(
            matches!(&never, Err(PoolError::Request(RequestError::Terminated(ended))) if ended.reason == Reason::Wall),
            "{never:?}"
        );
        let response = pool.fetch(&deployment, get("http://test.localhost/stream")).await.expect("a head");
        assert!(response.into_body().collect().await.is_err());
        let problems = recorder.problems().join("\n");
        for part in ["secret", "main.mjs:2:", "undefined", "in the stream"] {
            assert!(problems.contains(part), "{part}: {problems}");
        }
    });
}

#[test]
fn work_goes_on_behind_the_response() {
    block_on(async {
        let code = "export default { fetch(request, env, ctx) {
            ctx.waitUntil(new Promise((resolve) => setTimeout(() => { console.log('done'); resolve(); }, 30)));
            ctx.waitUntil(Promise.reject(new Error('behind')));
            return new Response('early');
        } };";
        let (deployment, recorder, _directory) = deploy(1, code, LIMITS);
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        assert_eq!(text(&pool, &deployment, "/").await.expect("a response"), "200 early");
        assert!(recorder.lines().is_empty());
        assert_eq!(pool.active(), 1);
        pool.drain().await;
        assert_eq!(recorder.lines(), ["done"]);
        assert!(recorder.problems().join("").contains("behind"));
    });
}

#[test]
fn the_guest_learns_that_the_client_left() {
    block_on(async {
        let code = "export default { fetch(request) {
            if (new URL(request.url).pathname === '/stream') {
              return new Response(new ReadableStream({ async pull(c) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(new Uint8Array(1)); }, cancel() { console.log('cancelled'); } }));
            }
            request.signal.addEventListener('abort', () => console.log(request.signal.reason.name));
            return new Promise(() => {});
        } };";
        let (deployment, recorder, _directory) = deploy(1, code, LIMITS);
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        let waiting = pool.fetch(&deployment, get("http://test.localhost/"));
        assert!(tokio::time::timeout(Duration::from_secs(2), waiting).await.is_err());
        let response = pool.fetch(&deployment, get("http://test.localhost/stream")).await.expect("a head");
        let mut body = response.into_body();
        assert!(body.frame().await.is_some());
        drop(body);
        for _ in 0..200 {
            if recorder.lines().len() >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(recorder.lines(), ["AbortError", "cancelled"]);
    });
}

#[test]
fn a_guest_that_hits_a_limit_hurts_nobody_else() {
    block_on(async {
        let bombs = [
            ("/cpu", Reason::Cpu),
            ("/microtasks", Reason::Cpu),
            ("/arrays", Reason::Heap),
            ("/small", Reason::Heap),
            ("/strings", Reason::Heap),
            ("/buffers", Reason::External),
            ("/later", Reason::Cpu),
        ];
        let code = "const all = []; export default { async fetch(request) { switch (new URL(request.url).pathname) {
            case '/cpu': for (;;) {}
            case '/microtasks': { const next = () => { Promise.resolve().then(next); }; next(); return new Promise(() => {}); }
            case '/arrays': for (;;) all.push(new Array(1e6).fill(1.5));
            case '/small': for (;;) all.push(new Array(4096).fill(0.5));
            case '/strings': for (let s = 'x'; ; ) { s += s.slice(0, 1e5) + all.length; all.push(JSON.parse(JSON.stringify(s))); }
            case '/buffers': for (;;) { try { all.push(new ArrayBuffer(1 << 20)); } catch {} }
            case '/later': await new Promise((r) => setTimeout(r, 5)); for (;;) {}
            default: return new Response('fine');
        } } };";
        let memory_bomb = Limits { request_cpu: Duration::from_mins(1), ..LIMITS };
        let pool = pool();
        let (quiet, _, _quiet_directory) =
            deploy(100, "export default { fetch: () => new Response('quiet') };", LIMITS);
        for (number, (path, reason)) in bombs.into_iter().enumerate() {
            let limits = if reason == Reason::Cpu { LIMITS } else { memory_bomb };
            let (deployment, _, _directory) = deploy(number as u64, code, limits);
            assert_eq!(text(&pool, &deployment, "/").await.expect("a response"), "200 fine");
            let ended = text(&pool, &deployment, path).await;
            assert!(
                matches!(&ended, Err(PoolError::Request(RequestError::Terminated(actual))) if actual.reason == reason),
                "{path}: {ended:?}"
            );
            // A fresh worker takes over, and the neighbour never noticed.
            assert_eq!(text(&pool, &deployment, "/").await.expect("a response"), "200 fine");
            assert_eq!(text(&pool, &quiet, "/").await.expect("a response"), "200 quiet");
        }
    });
}

#[test]
fn concurrent_requests_share_one_cold_start() {
    block_on(async {
        let code = "console.log('started'); await new Promise((r) => setTimeout(r, 20)); export default { fetch: () => new Response('x') };";
        let (deployment, recorder, _directory) = deploy(1, code, LIMITS);
        let _show = ShowProblems(Arc::clone(&recorder));
        let pool = pool();
        let requests = (0..20).map(|_| text(&pool, &deployment, "/"));
        for response in futures_util::future::join_all(requests).await {
            assert_eq!(response.expect("a response"), "200 x");
        }
        assert_eq!(recorder.lines(), ["started"]);
    });
}

#[test]
fn what_can_not_serve_says_so() {
    block_on(async {
        let pool = pool();
        for (code, complaint) in [
            ("export const a = 1;", "it has no default export"),
            ("export default 1;", "its default export is not an object"),
            ("export default {};", "its default export has no fetch method"),
        ] {
            let (deployment, _, _directory) = deploy(1, code, LIMITS);
            let Err(PoolError::Start(error)) = text(&pool, &deployment, "/").await else { panic!("it can't serve") };
            assert!(
                matches!(&*error, StartError::NotAServer { complaint: actual, .. } if actual == complaint),
                "{error}"
            );
        }
    });
}
