//! Limits that are counted for each request, attacked by guests.

use crate::harness::{Recorder, app_with, app_with_origin, block_on, files};
use atoll_engine::{Reason, Termination};
use atoll_runtime::limits::{LIMITS, Unit};
use atoll_runtime::{ColdStarter, Deployment, DeploymentId, Isolation, Limits, Pool, PoolConfig, StartError, Worker};
use atoll_test::http_origin::HttpOrigin;
use atoll_web::IncomingRequest;
use futures_util::future::join_all;
use http::Method;
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

fn request(path: &str) -> IncomingRequest {
    IncomingRequest::new(Method::GET, format!("http://test.localhost{path}"))
}

/// A deployment with an origin to fetch from, on a pool of its own.
struct Scene {
    pool: Rc<Pool>,
    deployment: Deployment,
    recorder: Arc<Recorder>,
    _directory: tempfile::TempDir,
    _origin: HttpOrigin,
}

impl Scene {
    /// `cases` are the branches of a `switch` over the request's path; `origin` is the origin's URL.
    async fn new(cases: &str, limits: Limits) -> Self {
        let code = format!(
            "const refusal = (error) => `${{error.name}} ${{(error.cause ?? error).code}} ${{(error.cause ?? error).message}}`;
             export default {{ async fetch(request, env, ctx) {{ const origin = env.ATOLL_TEST_ORIGIN;
               switch (new URL(request.url).pathname) {{ {cases} }} }} }};"
        );
        let origin = HttpOrigin::start().await.expect("a port");
        let directory = files(&[("main.mjs", &code)]);
        let (app, recorder) = app_with_origin(directory.path(), "main.mjs", limits, Some(&origin));
        let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
        let deployment = Deployment { id: DeploymentId(1), app };
        Self { pool, deployment, recorder, _directory: directory, _origin: origin }
    }

    async fn get(&self, path: &str) -> String {
        let response = self.pool.fetch(&self.deployment, request(path)).await;
        let response = response.unwrap_or_else(|error| panic!("{error}: {:?}", self.recorder.problems()));
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        String::from_utf8_lossy(&body).into_owned()
    }
}

const REFUSED: &str = "TypeError ERR_LIMIT the limit subrequests = 5 is reached";

#[test]
fn a_request_has_so_many_subrequests_and_its_neighbours_have_theirs() {
    block_on(async {
        let cases = "case '/many': {
              let done = 0;
              try { for (;;) { await (await fetch(`${origin}/echo`)).text(); done++; } } catch (error) { return new Response(`${done} ${refusal(error)}`); }
            }
            case '/redirects':
              try { return new Response(await (await fetch(`${origin}/redirect/9`)).text()); } catch (error) { return new Response(refusal(error)); }
            case '/timers': {
              await new Promise((resolve) => setTimeout(resolve, 10));
              const all = await Promise.allSettled(Array.from({ length: 8 }, () => Promise.resolve().then(() => fetch(`${origin}/echo`))));
              return new Response(all.map(({ status, reason }) => status === 'fulfilled' ? 'x' : reason.cause.code).join());
            }";
        let scene = Scene::new(cases, Limits { subrequests: 5, ..Limits::SERVE }).await;
        let expected = format!("5 {REFUSED}");
        // At the same time, in one worker: each is counted by itself, whatever promise or timer it comes from.
        let answers = join_all((0..20).map(|_| scene.get("/many"))).await;
        assert!(answers.iter().all(|answer| *answer == expected), "{answers:?}");
        assert_eq!(scene.get("/redirects").await, REFUSED);
        assert_eq!(scene.get("/timers").await, "x,x,x,x,x,ERR_LIMIT,ERR_LIMIT,ERR_LIMIT");
    });
}

#[test]
fn what_outlives_its_request_can_not_go_on_for_ever() {
    block_on(async {
        let cases = "case '/leave': {
              const again = async () => { try { for (;;) await (await fetch(`${origin}/echo`)).text(); } catch (error) { globalThis.ended = refusal(error); } };
              again();
              return new Response('left');
            }
            case '/ended': return new Response(globalThis.ended ?? 'not yet');";
        let scene = Scene::new(cases, Limits { subrequests: 5, ..Limits::SERVE }).await;
        assert_eq!(scene.get("/leave").await, "left");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(scene.get("/ended").await, REFUSED);
    });
}

#[test]
fn subrequests_above_the_line_wait_in_it() {
    block_on(async {
        // The origin says how many connections are open at a time.
        let cases = "case '/line': {
              const all = await Promise.all(Array.from({ length: 30 }, async () => {
                const response = await fetch(`${origin}/slow?chunks=2&delay=5`);
                return (await response.text()).length;
              }));
              return new Response(`${all.length} ${new Set(all).size}`);
            }
            case '/connections': {
              const { connections } = await (await fetch(`${origin}/requests`)).json();
              return new Response(`${connections}`);
            }";
        let scene = Scene::new(cases, Limits { concurrent_subrequests: 3, ..Limits::SERVE }).await;
        assert_eq!(scene.get("/line").await, "30 1");
        let connections: u32 = scene.get("/connections").await.parse().expect("a number");
        assert!(connections <= 4, "{connections} connections for a line of three");
    });
}

#[test]
fn bodies_open_at_a_time_are_limited() {
    block_on(async {
        let cases = "case '/heads': {
              const open = [];
              try { for (;;) open.push(await fetch(`${origin}/echo`)); } catch (error) { return new Response(`${open.length} ${refusal(error)}`); }
            }
            case '/stream': {
              const open = [];
              for (let i = 0; i < 4; i++) open.push(await fetch(`${origin}/echo`));
              return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)); c.close(); } }));
            }
            case '/read': {
              for (let i = 0; i < 20; i++) await (await fetch(`${origin}/echo`)).text();
              return new Response(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode('streamed')); c.close(); } }));
            }";
        let scene = Scene::new(cases, Limits { open_streams: 4, ..Limits::SERVE }).await;
        assert_eq!(scene.get("/heads").await, "4 TypeError ERR_LIMIT the limit open-streams = 4 is reached");
        assert_eq!(scene.get("/read").await, "streamed");
        let refused = scene.pool.fetch(&scene.deployment, request("/stream")).await;
        assert!(refused.is_err());
        let problems = scene.recorder.problems().join("\n");
        assert!(problems.contains("the limit open-streams = 4 is reached"), "{problems}");
    });
}

#[test]
fn timers_are_limited_however_they_are_set() {
    block_on(async {
        let cases = "case '/set': {
              let set = 0;
              try { for (;;) { setTimeout(() => {}, 1e6); set++; } } catch (error) { globalThis.first = refusal(error); }
              const refused = [() => setInterval(() => {}, 1e6), () => setImmediate(() => {}), () => AbortSignal.timeout(1e6)].map((again) => {
                try { again(); return 'set'; } catch (error) { return error.code; }
              });
              return new Response(`${set} ${globalThis.first} ${refused}`);
            }
            case '/refresh': {
              const fired = Array.from({ length: 50 }, () => setTimeout(() => {}, 1));
              await new Promise((resolve) => setTimeout(resolve, 20));
              const others = Array.from({ length: 90 }, () => setTimeout(() => {}, 1e6));
              let refreshed = 0;
              try { for (const timer of fired) { timer.refresh(); refreshed++; } } catch (error) { refreshed += ` ${error.code}`; }
              for (const timer of [...fired, ...others]) clearTimeout(timer);
              return new Response(`${refreshed}`);
            }
            case '/intervals': {
              let ticks = 0;
              const all = Array.from({ length: 100 }, () => setInterval(() => { ticks++; }, 1));
              while (ticks < 300) await Promise.resolve(new Promise((resolve) => queueMicrotask(resolve))).then(() => fetch(`${origin}/echo`)).then((r) => r.text());
              for (const timer of all) clearInterval(timer);
              return new Response('ticked');
            }
            case '/cleared': {
              const ran = [];
              for (let index = 0; index < 1000; index++) {
                const kept = index % 20 === 0;
                const immediate = setImmediate(() => ran.push(index));
                if (!kept) clearImmediate(immediate);
              }
              await new Promise((resolve) => setImmediate(resolve));
              return new Response(`${ran.length} ${ran.every((index, at) => index === at * 20)}`);
            }";
        let scene = Scene::new(cases, Limits { timers: 100, ..Limits::SERVE }).await;
        assert_eq!(scene.get("/refresh").await, "10 ERR_LIMIT");
        // A repeated timer that fires again is not a new one.
        assert_eq!(scene.get("/intervals").await, "ticked");
        // What was cleared is none, in a turn of its own too.
        assert_eq!(scene.get("/cleared").await, "50 true");
        let expected = "100 RangeError ERR_LIMIT the limit timers = 100 is reached ERR_LIMIT,ERR_LIMIT,ERR_LIMIT";
        assert_eq!(scene.get("/set").await, expected);
    });
}

#[test]
fn what_is_logged_is_counted_for_each_request_and_stream() {
    block_on(async {
        let cases = "case '/console': for (let i = 0; i < 3000; i++) console.log('x'.repeat(10)); return new Response('logged');
            case '/streams': {
              const { default: process } = await import('node:process');
              for (let i = 0; i < 300; i++) process.stdout.write('y'.repeat(50));
              for (let i = 0; i < 300; i++) process.stderr.write('z'.repeat(50));
              return new Response('written');
            }
            case '/huge': console.log('w'.repeat(1 << 20)); return new Response('huge');";
        let scene = Scene::new(cases, Limits { log_bytes: 2048, ..Limits::SERVE }).await;
        let full = "the limit log-kib = 2 is reached: what this request writes from here on is left out";
        assert_eq!(scene.get("/console").await, "logged");
        let lines = scene.recorder.lines();
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (205, Some(full)));
        assert_eq!(scene.get("/streams").await, "written");
        let lines = scene.recorder.lines();
        assert_eq!((lines.len(), lines.last().map(|line| line.trim_end())), (205 + 41, Some(full)));
        assert_eq!(scene.get("/huge").await, "huge");
        assert_eq!(scene.recorder.lines().len(), 205 + 41 + 1);
    });
}

#[test]
fn a_start_ends_at_the_limit_that_it_meets_first() {
    block_on(async {
        let limit_ms = 300;
        let limits = Limits {
            startup_cpu: Duration::from_secs(20),
            startup_wall: Duration::from_millis(limit_ms),
            ..Limits::SERVE
        };
        for code in ["for (;;) {}", "await new Promise((resolve) => setTimeout(resolve, 60_000));"] {
            let directory = files(&[("main.mjs", code)]);
            let (app, _) = app_with_origin(directory.path(), "main.mjs", limits, None);
            let metrics = Arc::clone(&app.metrics);
            match Worker::start(app, None).await.expect_err("it can't start") {
                StartError::Terminated(Termination { reason: Reason::Wall, limit, .. }) => assert_eq!(limit, limit_ms),
                StartError::TooSlow { limit } => assert_eq!(limit, Duration::from_millis(limit_ms)),
                other => panic!("{code}: {other}"),
            }
            assert_eq!(metrics.kills[Reason::Wall as usize].get(), 1, "{code}");
        }
    });
}

#[test]
fn an_app_answers_with_the_smallest_limits_that_there_are() {
    let code = "import { Buffer } from 'node:buffer';
        export default { async fetch(request) {
          const body = await request.text();
          return new Response(JSON.stringify({ url: request.url, body, text: Buffer.from('ä').toString('hex') }),
            { headers: { 'content-type': 'application/json', 'x-one': '1' } });
        } };";
    block_on(async {
        let directory = files(&[("main.mjs", code)]);
        // How long something takes depends on the machine; everything else is the same everywhere.
        let mut limits = Limits::SERVE;
        for row in LIMITS.iter().filter(|row| row.unit != Unit::Ms) {
            row.set(&mut limits, row.smallest);
        }
        assert_eq!((limits.heap_bytes, limits.external_bytes), (16 << 20, 1 << 20));
        for (id, isolation) in (1..).zip(Isolation::ALL) {
            let (app, recorder) = app_with(directory.path(), "main.mjs", limits, None, isolation);
            let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
            let deployment = Deployment { id: DeploymentId(id), app };
            for number in 0..20 {
                let answer = pool.fetch(&deployment, request(&format!("/{number}"))).await;
                let answer = answer.unwrap_or_else(|error| panic!("{isolation:?}: {error}: {:?}", recorder.problems()));
                let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
                let expected =
                    format!("{{\"url\":\"http://test.localhost/{number}\",\"body\":\"\",\"text\":\"c3a4\"}}");
                assert_eq!(body, expected);
            }
            assert_eq!(recorder.problems(), [""; 0], "{isolation:?}");
            pool.drain().await;
        }
    });
}
