//! What requests share, by the deployment's isolation.

use crate::harness::{Recorder, app_with, block_on, files};
use atoll_engine::Reason;
use atoll_runtime::{
    ColdStarter, Deployment, DeploymentId, Isolation, Limits, Pool, PoolConfig, PoolError, RequestError,
};
use atoll_web::IncomingRequest;
use http::Method;
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Counts in module state, on a global and on a prototype; `/wait` answers later, `/loop` never.
const COUNTER: &str = "let count = 0;
    export default { async fetch(request) {
      const { pathname } = new URL(request.url);
      globalThis.seen = (globalThis.seen ?? 0) + 1;
      Array.prototype.mark = (Array.prototype.mark ?? 0) + 1;
      count++;
      if (pathname === '/wait') await new Promise((resolve) => setTimeout(resolve, 20));
      if (pathname === '/loop') for (;;) {}
      return new Response(`${count} ${globalThis.seen} ${[].mark}`);
    } };";

struct Deployed {
    pool: Rc<Pool>,
    deployment: Deployment,
    recorder: Arc<Recorder>,
    _directory: tempfile::TempDir,
}

fn deploy(isolation: Isolation, code: &str, limits: Limits) -> Deployed {
    let directory = files(&[("main.mjs", code)]);
    let (app, recorder) = app_with(directory.path(), "main.mjs", limits, None, isolation);
    let pool = Pool::new(ColdStarter::new(1).expect("a thread"), PoolConfig::default(), None);
    Deployed { pool, deployment: Deployment { id: DeploymentId(1), app }, recorder, _directory: directory }
}

impl Deployed {
    async fn get(&self, path: &str) -> Result<String, PoolError> {
        let request = IncomingRequest::new(Method::GET, format!("http://test.localhost{path}"));
        let response = self.pool.fetch(&self.deployment, request).await?;
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

const LIMITS: Limits = Limits { request_cpu: Duration::from_millis(300), ..Limits::SERVE };

fn check(isolation: Isolation, expected: [&str; 4]) {
    block_on(async {
        let deployed = deploy(isolation, COUNTER, LIMITS);
        for answer in expected {
            assert_eq!(deployed.get("/").await.expect("an answer"), answer, "{isolation}");
        }
        let problems = deployed.recorder.problems();
        assert!(problems.is_empty(), "{problems:?}");
        deployed.pool.drain().await;
        assert_eq!(deployed.pool.active(), 0);
    });
}

#[test]
fn a_warm_worker_keeps_what_requests_leave() {
    check(Isolation::Warm, ["1 1 1", "2 2 2", "3 3 3", "4 4 4"]);
}

#[test]
fn each_request_has_a_context_of_its_own() {
    check(Isolation::Context, ["1 1 1"; 4]);
}

#[test]
fn each_request_has_an_isolate_of_its_own() {
    check(Isolation::Isolate, ["1 1 1"; 4]);
}

#[test]
fn requests_at_the_same_time_are_apart_as_well() {
    for isolation in [Isolation::Context, Isolation::Isolate] {
        block_on(async {
            let deployed = deploy(isolation, COUNTER, LIMITS);
            let requests = (0..8).map(|_| deployed.get("/wait"));
            for answer in futures_util::future::join_all(requests).await {
                assert_eq!(answer.expect("an answer"), "1 1 1", "{isolation}");
            }
            deployed.pool.drain().await;
        });
    }
}

#[test]
fn a_limit_ends_the_isolate_and_the_next_request_has_another() {
    for isolation in Isolation::ALL {
        block_on(async {
            let deployed = deploy(isolation, COUNTER, LIMITS);
            assert_eq!(deployed.get("/").await.expect("an answer"), "1 1 1", "{isolation}");
            let ended = deployed.get("/loop").await;
            assert!(
                matches!(&ended, Err(PoolError::Request(RequestError::Terminated(end))) if end.reason == Reason::Cpu && end.limit == 300 && end.amount >= 300),
                "{isolation}: {ended:?}"
            );
            assert_eq!(deployed.get("/").await.expect("an answer"), "1 1 1", "{isolation}");
            deployed.pool.drain().await;
        });
    }
}

#[test]
fn isolates_end_with_their_requests() {
    for path in ["/", "/wait"] {
        isolates_end_with_requests_to(path);
    }
}

fn isolates_end_with_requests_to(path: &str) {
    block_on(async {
        let deployed = deploy(Isolation::Isolate, COUNTER, LIMITS);
        for _ in 0..40 {
            deployed.get(path).await.expect("an answer");
        }
        // Some are kept ahead; those that were used are gone.
        let stats = deployed.pool.stats();
        assert!(stats.isolates <= 16, "{stats:?}");
        deployed.pool.drain().await;
        // Those that were being made ahead end when they are there.
        let empty = async {
            while deployed.pool.stats().isolates > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), empty).await.expect("no isolate is left");
    });
}

#[test]
fn a_worker_is_idle_when_its_answer_was_taken() {
    for (isolation, path) in [(Isolation::Warm, "/"), (Isolation::Warm, "/wait"), (Isolation::Context, "/wait")] {
        block_on(async {
            let deployed = deploy(isolation, COUNTER, LIMITS);
            deployed.get(path).await.expect("an answer");
            // The context of the next request may still be on its way.
            let idle = async {
                while deployed.pool.stats().idle == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), idle).await.expect("nothing is under way");
            deployed.pool.drain().await;
        });
    }
}

#[test]
fn a_worker_is_replaced_after_its_number_of_requests() {
    block_on(async {
        let deployed = deploy(Isolation::Warm, COUNTER, Limits { max_reuses: 3, ..LIMITS });
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(deployed.get("/").await.expect("an answer"));
        }
        assert_eq!(answers, ["1 1 1", "2 2 2", "3 3 3", "1 1 1", "2 2 2", "3 3 3"]);
        deployed.pool.drain().await;
    });
}

#[test]
fn timers_end_with_their_request_and_those_of_the_module_live_on() {
    block_on(async {
        let code = "let ticks = 0, own = 0; setInterval(() => { own++; }, 5);
            export default { async fetch(request, env, ctx) {
              const { pathname } = new URL(request.url);
              if (pathname === '/start') { setInterval(() => { ticks++; }, 1); return new Response('started'); }
              if (pathname === '/behind') {
                ctx.waitUntil(new Promise((resolve) => setTimeout(() => { ticks += 1000; resolve(); }, 10)));
                return new Response('behind');
              }
              await new Promise((resolve) => setTimeout(resolve, 60));
              return new Response(`${ticks} ${own > 2}`);
            } };";
        let deployed = deploy(Isolation::Warm, code, LIMITS);
        assert_eq!(deployed.get("/start").await.expect("an answer"), "started");
        assert_eq!(deployed.get("/").await.expect("an answer"), "0 true");
        assert_eq!(deployed.get("/behind").await.expect("an answer"), "behind");
        assert_eq!(deployed.get("/").await.expect("an answer"), "1000 true");
        deployed.pool.drain().await;
    });
}

#[test]
fn time_is_added_up_over_the_turns_of_a_request() {
    block_on(async {
        // Each turn is far below the limit.
        let code = "const burn = () => { const end = performance.now() + 20; while (performance.now() < end); };
            export default { async fetch(request) {
              if (!request.url.endsWith('/many')) return new Response('fine');
              for (let i = 0; i < 100; i++) { burn(); await new Promise((resolve) => setTimeout(resolve, 1)); }
              return new Response('never');
            } };";
        let deployed = deploy(Isolation::Warm, code, LIMITS);
        let ended = deployed.get("/many").await;
        assert!(
            matches!(&ended, Err(PoolError::Request(RequestError::Terminated(end))) if end.reason == Reason::Cpu),
            "{ended:?}"
        );
        assert_eq!(deployed.get("/").await.expect("an answer"), "fine");
        deployed.pool.drain().await;
    });
}

#[test]
fn background_work_has_limits_of_its_own() {
    block_on(async {
        let code = "let late = 0; export default { fetch(request, env, ctx) {
              const { pathname } = new URL(request.url);
              if (pathname === '/stuck') ctx.waitUntil(new Promise(() => {}));
              if (pathname === '/burn') ctx.waitUntil(new Promise((resolve) => setTimeout(() => { for (;;) {} }, 1)));
              return new Response('early');
            } };";
        // Computing on a busy machine takes longer by the clock.
        for (path, reason, wall_ms) in [("/stuck", "Wall", 200), ("/burn", "Cpu", 5000)] {
            let limits = Limits {
                wait_until_wall: Duration::from_millis(wall_ms),
                wait_until_cpu: Duration::from_millis(100),
                ..LIMITS
            };
            let deployed = deploy(Isolation::Warm, code, limits);
            assert_eq!(deployed.get(path).await.expect("an answer"), "early");
            let ended = async {
                while !deployed.recorder.problems().iter().any(|problem| problem.contains(reason)) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), ended).await.expect(path);
            assert_eq!(deployed.get("/").await.expect("an answer"), "early");
            deployed.pool.drain().await;
        }
    });
}

#[test]
fn a_worker_that_ended_between_requests_is_not_met_by_the_next() {
    block_on(async {
        let code = "let starts = 0; setTimeout(() => { for (;;) {} }, 50);
            export default { fetch: () => new Response(`${++starts}`) };";
        let deployed = deploy(Isolation::Warm, code, LIMITS);
        for _ in 0..2 {
            assert_eq!(deployed.get("/").await.expect("an answer"), "1");
            let before = deployed.recorder.problems().len();
            let ended = async {
                while deployed.recorder.problems().len() == before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), ended).await.expect("its timer ends it");
        }
    });
}
